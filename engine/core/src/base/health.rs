//! How an open store is doing.

use crate::base::error::Error;
use crate::base::warnings::Warning;

/// How an open store is doing: what waits, and what failed. From
/// [`Store::health`](crate::Store::health).
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// let health = store.health();
/// assert!(health.is_well(), "{health:?}");
/// assert_eq!((health.queue.batches, health.sealing.logs), (0, 0));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Health {
    /// What waits to be written.
    pub queue: QueueHealth,
    /// What waits to be sealed.
    pub sealing: SealingHealth,
    /// What other processes handed in; none where the storage has no folders.
    pub spool: Option<SpoolHealth>,
    /// Why the store refuses writes, if it does.
    pub poisoned: Option<Error>,
    /// Why the store refuses writes for now, such as a full disk, if it does. It goes on by
    /// itself.
    pub stalled: Option<Error>,
    /// The newest warning.
    pub last_warning: Option<Warning>,
}

/// What waits to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct QueueHealth {
    /// Batches that wait.
    pub batches: usize,
    /// Batches that can.
    pub capacity_batches: usize,
    /// Their bytes, and those of the block that is being filled.
    pub bytes: usize,
    /// Bytes that can wait; one batch may be larger.
    pub capacity_bytes: usize,
}

/// What waits to be sealed: the log behind the active one. While there is one, a full
/// active log waits for it, and appends with it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SealingHealth {
    /// Full logs that are not sealed yet: 0 or 1.
    pub logs: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Bytes of the active log.
    pub active_bytes: u64,
    /// Why the last sealing failed; none once one succeeds.
    pub last_error: Option<Error>,
}

/// What other processes handed in through a [`Spool`](crate::Spool).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct SpoolHealth {
    /// Batches that wait to be taken in.
    pub waiting: u64,
    /// Batches that were refused and are kept.
    pub refused: u64,
    /// Why the last round of taking in failed, or counting them now; none once one
    /// succeeds.
    pub last_error: Option<Error>,
}

impl Health {
    /// Whether writes are accepted and nothing fails at the moment. Batches that were
    /// refused and warnings of earlier repairs don't count.
    pub fn is_well(&self) -> bool {
        let spool = self.spool.as_ref().and_then(|spool| spool.last_error.as_ref());
        let writes = self.poisoned.is_none() && self.stalled.is_none();
        writes && self.sealing.last_error.is_none() && spool.is_none()
    }
}
