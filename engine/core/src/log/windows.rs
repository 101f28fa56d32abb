//! Maps the written part of a log, a window at a time.

use std::sync::Arc;

use crate::base::sync::RwLock;
use crate::base::sync::atomic::{AtomicU64, Ordering};
use crate::storage::{Map, StorageFile};

/// The windows of one log. A window that was not full is mapped again once the log has grown
/// enough; bytes beyond its map are read instead.
#[derive(Debug)]
pub(crate) struct Windows {
    /// Unique within the process, so that a [`LastWindow`] can't be taken for another log's.
    number: u64,
    state: RwLock<ReaderState>,
}

/// The window that a walk read last. It is checked first, so that most reads take no lock.
#[derive(Debug, Default)]
pub(crate) struct LastWindow(Option<Last>);

#[derive(Debug)]
struct Last {
    /// The number of the [`Windows`] that it is of.
    of: u64,
    /// Its offset in the log.
    begin: u64,
    map: Arc<Map>,
}

impl LastWindow {
    /// Prefetches the record at `offset`.
    pub(crate) fn prefetch(&self, offset: u64) {
        if let Some(Last { begin, map, .. }) = &self.0
            && let Some(at) = offset.checked_sub(*begin)
        {
            map.prefetch(at as usize);
        }
    }
}

#[derive(Debug, Default)]
struct ReaderState {
    /// By number: window n begins at n × [`WINDOW_BYTES`].
    maps: Vec<Option<Arc<Map>>>,
    /// The mapped windows, the oldest map first.
    order: Vec<usize>,
    /// Whether the storage has no maps, or one failed: everything is read then.
    without: bool,
}

impl Windows {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// The map of the window with `offset`, and the place in it. None where `offset` is
    /// beyond what is mapped. `end` is the end of the written part: a map never goes
    /// further, since access beyond the end of a file kills the process.
    pub(crate) fn at(
        &self,
        file: &dyn StorageFile,
        offset: u64,
        end: u64,
        last: &mut LastWindow,
    ) -> Option<(Arc<Map>, usize)> {
        if let Some(Last { of, begin, map }) = &last.0
            && *of == self.number
            && let Some(within) = offset.checked_sub(*begin).filter(|&at| at < map.len() as u64)
        {
            return Some((Arc::clone(map), within as usize));
        }
        let number = usize::try_from(offset / WINDOW_BYTES).ok()?;
        let within = (offset % WINDOW_BYTES) as usize;
        let written = end.saturating_sub(offset - within as u64).min(WINDOW_BYTES) as usize;
        let state = self.state.read();
        if state.without {
            return None;
        }
        let map = state.maps.get(number).and_then(Option::clone);
        drop(state);
        let mapped = map.as_ref().map_or(0, |map| map.len());
        let grown = written - mapped.min(written);
        let map = if grown >= GROWTH_BYTES || (grown > 0 && written as u64 == WINDOW_BYTES) {
            self.map(file, number, written)
        } else {
            map
        };
        let map = map.filter(|map| within < map.len())?;
        let begin = offset - within as u64;
        last.0 = Some(Last { of: self.number, begin, map: Arc::clone(&map) });
        Some((map, within))
    }

    fn map(&self, file: &dyn StorageFile, number: usize, length: usize) -> Option<Arc<Map>> {
        let mut state = self.state.write();
        // Another reader may have mapped it meanwhile.
        if let Some(Some(map)) = state.maps.get(number)
            && map.len() >= length
        {
            return Some(Arc::clone(map));
        }
        let Ok(Some(map)) = file.map(number as u64 * WINDOW_BYTES, length) else {
            // The read that follows reports what is wrong, if anything is.
            state.without = true;
            return None;
        };
        let map = Arc::new(map);
        if state.maps.len() <= number {
            state.maps.resize(number + 1, None);
        }
        state.maps[number] = Some(Arc::clone(&map));
        state.order.retain(|&other| other != number);
        state.order.push(number);
        if state.order.len() > WINDOWS_MAX {
            let oldest = state.order.remove(0);
            state.maps[oldest] = None;
        }
        Some(map)
    }
}

impl Default for Windows {
    fn default() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { number, state: RwLock::default() }
    }
}

/// Bytes of a window.
const WINDOW_BYTES: u64 = 64 << 20;
/// A window is mapped again once this much was written beyond its map.
const GROWTH_BYTES: usize = 256 << 10;
/// The most windows mapped at a time, which bounds the address space.
const WINDOWS_MAX: usize = 64;
