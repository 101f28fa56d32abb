//! Checkpoints: how far a source of events has been read.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{Page, Position};
use crate::base::state::{KindId, digest};
use crate::view::View;

/// How far a source of events has been read, as of the batch that the newest checkpoint
/// of the source came with.
///
/// Put into a [`Batch`](crate::Batch) with the events that it accounts for, it makes
/// taking them in exactly-once: after a crash both are there or neither. It outlives
/// the events, also where retention drops them.
///
/// ```
/// use forebear::{Batch, Checkpoint, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.write(Batch::from(Event::new("line")).checkpoint("app.log", "line 1"))?;
/// let read = Checkpoint { source: "app.log".into(), position: b"line 1".to_vec() };
/// assert_eq!(store.snapshot().checkpoints().page()?.items, [read]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// What is read, such as a file's path: 1 to 4096 bytes. The store itself has one,
    /// `spool:`, for what was handed in through a [`Spool`](crate::Spool).
    pub source: String,
    /// Where to go on: at most 4096 bytes that mean something to whoever reads the
    /// source, and nothing to the store.
    pub position: Vec<u8>,
}

impl Checkpoint {
    pub(crate) fn validate(source: &str, position: &[u8]) -> Result<()> {
        let most = limits::MAX_CHECKPOINT_SOURCE_BYTES;
        if source.is_empty() {
            return Err(Error::invalid(format!(
                "expected the source of a checkpoint to have 1 to {most} bytes, found an empty one"
            )));
        }
        if source == SPOOL {
            return Err(Error::invalid(format!(
                "expected another source of a checkpoint than {source:?}, which is the store's own"
            )));
        }
        if source.len() > most {
            return Err(Error::too_long("source of a checkpoint", most, source.len()));
        }
        let most = limits::MAX_CHECKPOINT_BYTES;
        if position.len() > most {
            return Err(Error::too_long("position of a checkpoint", most, position.len()));
        }
        Ok(())
    }
}

/// The newest checkpoint of each source. Asked by
/// [`Snapshot::checkpoints`](crate::Snapshot::checkpoints).
#[derive(Clone, Debug)]
pub struct Checkpoints {
    pub(crate) view: Arc<View>,
}

impl Listing for Checkpoints {
    type Item = Checkpoint;
    const NAME: &'static str = "checkpoints";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Checkpoint, Position>> {
        let kind = KindId::CHECKPOINT;
        let after = after.map(|last| self.view.state_key_at(kind, last)).transpose()?;
        let mut found = self.view.state_keys(kind, after.as_deref(), limit + 1)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let last = found.last().filter(|_| more);
        let next = last.map(|(source, _)| Position::of_key(digest(kind, source)));
        let checkpoint = |(source, position)| Checkpoint { source, position };
        Ok(Page::new(found.into_iter().map(checkpoint).collect(), next))
    }
}

/// The source of the checkpoint that says which files of the spool were taken in last.
/// Nobody but the store may write it.
pub(crate) const SPOOL: &str = "spool:";
