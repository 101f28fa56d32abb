//! How a store is opened and how a batch is written.

use std::fmt::Display;

use crate::base::error::{Error, Result};
use crate::base::limits;

/// What an acknowledged write has reached.
///
/// ```
/// use forebear::{Batch, Durability, Event, Store};
///
/// let store = Store::in_memory()?; // As for any store, `Sync` unless set.
/// store.append(Event::new("payment"))?;
/// store.write(Batch::from(Event::new("heartbeat")).durability(Durability::Buffered))?;
/// assert!(Durability::Buffered < Durability::Flush && Durability::Flush < Durability::Sync);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Durability {
    /// The process's memory. It is written within
    /// [`BUFFER_TIME`](crate::base::limits::BUFFER_TIME) and lost if the process is
    /// killed before. A snapshot shows it once it is written.
    Buffered,
    /// The operating system: it survives a killed process, not a power loss.
    Flush,
    /// The disk: it survives a power loss. Writers that wait at the same time
    /// share one sync.
    #[default]
    Sync,
}

/// What a write does when the write queue is full.
///
/// ```
/// use forebear::{Batch, Event, Store, WhenFull};
///
/// let store = Store::in_memory()?;
/// let batch = Batch::from(Event::new("sample")).when_full(WhenFull::Return);
/// match store.submit(batch) {
///     Err(error) if error.is_full() => eprintln!("left out a sample"),
///     receipt => drop(receipt?.wait()?),
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// It waits for room. In code that the store calls while it writes, such as a kind of state,
    /// it would wait for itself: there it does as [`Return`](Self::Return).
    #[default]
    Block,
    /// It returns an error for which [`Error::is_full`](crate::Error::is_full) holds.
    Return,
}

/// How much memory reading may use: the options that a store and a reader share.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Caches {
    /// Decoded bytes.
    pub(crate) bytes: Option<usize>,
    /// Mapped bytes of sealed files.
    pub(crate) map_bytes: Option<u64>,
}

impl Caches {
    pub(crate) fn bytes(self) -> usize {
        self.bytes.unwrap_or(limits::DEFAULT_CACHE_BYTES)
    }

    pub(crate) fn map_bytes(self) -> u64 {
        self.map_bytes.unwrap_or(limits::DEFAULT_MAP_BYTES)
    }
}

/// Refuses an option that was set to what makes no sense.
pub(crate) fn in_range<T: Bounded>(name: &str, value: Option<T>, least: T, most: T) -> Result<()> {
    match value {
        Some(value) if value < least || value > most => {
            let range = if most == T::MAX {
                format!("at least {least}")
            } else {
                format!("{least} to {most}")
            };
            Err(Error::invalid(format!("{name}: expected {range}, found {value}")))
        }
        _ => Ok(()),
    }
}

/// A number whose greatest value stands for no upper bound.
pub(crate) trait Bounded: Copy + Display + PartialOrd {
    const MAX: Self;
}

impl Bounded for u32 {
    const MAX: Self = u32::MAX;
}

impl Bounded for u64 {
    const MAX: Self = u64::MAX;
}

impl Bounded for usize {
    const MAX: Self = usize::MAX;
}
