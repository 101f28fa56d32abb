//! Dropping the oldest segments, one by one, and how much of it is syncing.

use std::sync::Arc;
use std::time::Instant;

use forebear::storage::Disk;

use crate::scale::Result;
use crate::scale::engine;
use crate::scale::figures::Figures;
use crate::scale::options::{ScaleOptions, Size};
use crate::scale::timed::Syncing;

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    for size in Size::ALL {
        let syncing = Syncing::default();
        let disk = syncing.time(Disk::open(options.store(size))?);
        let store = engine::open_on(Arc::new(disk), options.segment_events())?;
        let (mut beside, mut all) = (Vec::new(), Vec::new());
        for _ in 0..DROPS {
            let synced = syncing.so_far();
            let begun = Instant::now();
            if !engine::drop_oldest(&store)? {
                break;
            }
            let took = begun.elapsed();
            all.push(took);
            beside.push((took + synced).saturating_sub(syncing.so_far()));
        }
        store.close()?;
        figures.spread(&format!("{}.drop", size.name()), beside);
        figures.spread(&format!("{}.drop_synced", size.name()), all);
    }
    Ok(())
}

/// The small store has hardly more segments.
const DROPS: usize = 5;
