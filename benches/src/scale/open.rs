//! Opening a store for writing, each time in a process of its own.

use std::time::{Duration, Instant};

use crate::scale::figures::Figures;
use crate::scale::options::{ScaleOptions, Size};
use crate::scale::{Result, child, disk, engine};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        // By turns, so that what else the machine does hits both.
        for (size, times) in Size::ALL.into_iter().zip(&mut times) {
            let opened = child::run(options, &format!("open:{}", size.name()))?;
            let took = opened.number("open_ns").ok_or("expected a time, found none")?;
            times.push(Duration::from_nanos(took as u64));
        }
    }
    for (size, times) in Size::ALL.into_iter().zip(times) {
        figures.spread(&format!("{}.open", size.name()), times);
        let logs = disk::bytes(&options.store(size), "log")?;
        figures.set(format!("{}.log_bytes", size.name()), logs as f64);
    }
    Ok(())
}

pub(crate) fn measure(options: &ScaleOptions, size: Size) -> Result<Figures> {
    let mut figures = Figures::default();
    let begun = Instant::now();
    let store = engine::open(&options.store(size), options.segment_events())?;
    figures.set("open_ns", begun.elapsed().as_nanos() as f64);
    store.close()?;
    Ok(figures)
}

const ROUNDS: usize = 9;
