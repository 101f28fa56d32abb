//! Ingest: one producer makes batches and submits them, a few ahead of the writer.

use std::collections::VecDeque;
use std::fs;
use std::time::{Duration, Instant};

use forebear::{Batch, Durability, Receipt, Store};

use crate::process::{anonymous_bytes, peak_bytes, thread_time};
use crate::scale::arrivals::Arrivals;
use crate::scale::figures::Figures;
use crate::scale::history::History;
use crate::scale::options::{BATCH, ScaleOptions, Size};
use crate::scale::text::TextSource;
use crate::scale::{Result, child, engine, ours};

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    for size in Size::ALL {
        figures.take(size.name(), child::run(options, &format!("write:{}", size.name()))?);
    }
    figures.take("", child::run(options, "burst")?);
    Ok(())
}

/// Writes a store, then fills its active log up.
pub(crate) fn measure(options: &ScaleOptions, size: Size) -> Result<Figures> {
    let folder = options.store(size);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let mut figures = Figures::default();
    let texts = TextSource::new();
    figures.set("make_ns", make_ns(&texts));
    figures.set("anonymous_before_bytes", anonymous_bytes()? as f64);
    let history = options.history(size);
    let store = engine::open(&folder, options.segment_events())?;
    let mut producer = Producer::new(&store, history.events);
    let mut arrivals = Arrivals::new(history, u64::from(options.segment_events()));
    let mut numbers = Vec::with_capacity(BATCH as usize);
    loop {
        numbers.clear();
        numbers.extend(arrivals.by_ref().take(BATCH as usize));
        if numbers.is_empty() {
            break;
        }
        producer.submit(ours::batch(&numbers, &texts))?;
    }
    producer.finish()?;
    producer.report(&mut figures);
    figures.set("writer_ns", thread_time(WRITER)?.as_nanos() as f64 / history.events as f64);
    let fillers = fill_up(&store, options.segment_events(), &texts)?;
    figures.set("events", (history.events + fillers) as f64);
    figures.set("active_events", engine::active_events(&store).unwrap_or(history.events) as f64);
    figures.set("segments", engine::segments(&store) as f64);
    store.close()?;
    figures.set("peak_bytes", peak_bytes()? as f64);
    figures.set("anonymous_bytes", producer_peak(&figures, anonymous_bytes()?));
    Ok(figures)
}

/// Writes a segment's worth of events to a new store, which leaves nothing to seal.
pub(crate) fn measure_burst(options: &ScaleOptions) -> Result<Figures> {
    let texts = TextSource::new();
    let batches = u64::from(options.segment_events()) / BATCH - 1;
    let history = History { events: batches * BATCH };
    let mut figures = Figures::default();
    let (mut rates, mut writer_ns) = (Vec::new(), Vec::new());
    for _ in 0..BURSTS {
        // Made before the clock starts: it is the engine's burst, not the producer's.
        let numbers: Vec<u64> = (0..history.events).collect();
        let batches: Vec<Batch> =
            numbers.chunks(BATCH as usize).map(|numbers| ours::batch(numbers, &texts)).collect();
        let folder = options.dir().join("burst.forebear");
        let store = engine::open(&folder, options.segment_events())?;
        let mut producer = Producer::new(&store, history.events);
        for batch in batches {
            producer.submit(batch)?;
        }
        producer.finish()?;
        rates.push(producer.rate());
        let writer = thread_time(WRITER)?.as_nanos() as f64 / history.events as f64;
        writer_ns.push(writer);
        store.close()?;
        fs::remove_dir_all(folder)?;
    }
    for (name, mut values) in [("burst_per_s", rates), ("burst_writer_ns", writer_ns)] {
        values.sort_unstable_by(f64::total_cmp);
        figures.set(name, values[values.len() / 2]);
    }
    Ok(figures)
}

/// Appends events that nothing is asked about until the active log is nearly full,
/// so that opening is measured at its slowest.
fn fill_up(store: &Store, segment_events: u32, texts: &TextSource) -> Result<u64> {
    let mut fillers = 0;
    let full = u64::from(segment_events) - FILL_UP_BATCH;
    while engine::active_events(store).is_some_and(|events| events < full) {
        let batch: Batch =
            (fillers..fillers + FILL_UP_BATCH).map(|number| ours::filler(number, texts)).collect();
        store.write(batch)?;
        fillers += FILL_UP_BATCH;
    }
    Ok(fillers)
}

/// Submits batches and notes when they are acknowledged.
struct Producer<'s> {
    store: &'s Store,
    begun: Instant,
    waiting: VecDeque<(Receipt, u64)>,
    acknowledged: u64,
    events: u64,
    /// When each tenth of the events was acknowledged.
    tenths: Vec<Duration>,
    batches: u64,
    anonymous_peak: u64,
}

impl<'s> Producer<'s> {
    fn new(store: &'s Store, events: u64) -> Self {
        Self {
            store,
            begun: Instant::now(),
            waiting: VecDeque::new(),
            acknowledged: 0,
            events,
            tenths: Vec::new(),
            batches: 0,
            anonymous_peak: 0,
        }
    }

    fn submit(&mut self, batch: Batch) -> Result<()> {
        let events = batch.len() as u64;
        let receipt = self.store.submit(batch.durability(Durability::Flush))?;
        self.waiting.push_back((receipt, events));
        self.batches += 1;
        if self.batches.is_multiple_of(MEMORY_EVERY) {
            self.anonymous_peak = self.anonymous_peak.max(anonymous_bytes()?);
        }
        while self.waiting.len() > AHEAD {
            self.acknowledge_next()?;
        }
        Ok(())
    }

    /// Waits for all that was submitted.
    fn finish(&mut self) -> Result<()> {
        while !self.waiting.is_empty() {
            self.acknowledge_next()?;
        }
        Ok(())
    }

    fn acknowledge_next(&mut self) -> Result<()> {
        let Some((receipt, events)) = self.waiting.pop_front() else {
            return Ok(());
        };
        receipt.wait()?;
        self.acknowledged += events;
        while (self.tenths.len() as u64 + 1) * self.events <= self.acknowledged * 10 {
            self.tenths.push(self.begun.elapsed());
        }
        Ok(())
    }

    /// Events a second, all in all.
    fn rate(&self) -> f64 {
        self.tenths.last().map_or(0.0, |all| self.events as f64 / all.as_secs_f64())
    }

    fn report(&self, figures: &mut Figures) {
        set_rates(figures, self.events, &self.tenths);
        figures.set("anonymous_bytes", self.anonymous_peak as f64);
    }
}

/// Sets the rates of all events, of the first tenth and of the last.
pub(crate) fn set_rates(figures: &mut Figures, events: u64, tenths: &[Duration]) {
    let [first, .., before, all] = tenths else {
        return;
    };
    let tenth = events as f64 / 10.0;
    figures.set("rate_per_s", events as f64 / all.as_secs_f64());
    figures.set("first_per_s", tenth / first.as_secs_f64());
    figures.set("last_per_s", tenth / all.saturating_sub(*before).as_secs_f64());
}

fn producer_peak(figures: &Figures, now: u64) -> f64 {
    figures.number("anonymous_bytes").unwrap_or_default().max(now as f64)
}

/// What making an event costs, without submitting it.
fn make_ns(texts: &TextSource) -> f64 {
    let numbers: Vec<u64> = (0..MAKE_EVENTS).collect();
    let begun = Instant::now();
    for numbers in numbers.chunks(BATCH as usize) {
        std::hint::black_box(ours::batch(numbers, texts));
    }
    begun.elapsed().as_nanos() as f64 / MAKE_EVENTS as f64
}

/// The name of the engine's writer thread.
pub(crate) const WRITER: &str = "forebear-writer";
/// Batches that are submitted and not yet acknowledged.
const AHEAD: usize = 8;
/// Batches after which memory is looked at.
const MEMORY_EVERY: u64 = 50;
const MAKE_EVENTS: u64 = 50_000;
const BURSTS: usize = 5;
const FILL_UP_BATCH: u64 = 100;
