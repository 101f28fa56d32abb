//! How a store is opened and how a batch is written.

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
pub enum WhenFull {
    /// It waits for room.
    #[default]
    Block,
    /// It returns an error for which [`Error::is_full`](crate::Error::is_full) holds.
    Return,
}
