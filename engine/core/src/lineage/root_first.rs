//! A chain turned round: from its topmost event down.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::lineage::chain_end::ChainEnd;
use crate::lineage::hop::Loader;
use crate::view::stored::StoredEvent;

/// A chain from its topmost event down. Made by [`Chain::root_first`](crate::Chain::root_first).
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("ask"))?;
/// store.append(Event::new("error").id("failure").parent("ask"))?;
/// let mut root_first = store.chain("failure")?.expect("it is stored").root_first()?;
/// assert_eq!(root_first.end().as_str(), "root");
/// assert_eq!(root_first.next().transpose()?.map(|event| event.depth()), Some(0));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct RootFirst {
    pub(super) loader: Loader,
    /// The rows that are still to come, the next one last, and its depth.
    pub(super) seqs: Vec<u64>,
    pub(super) depth: u64,
    /// The event before: mostly the parent of the next.
    pub(super) above: Option<(u64, EventId)>,
    pub(super) end: ChainEnd,
    pub(super) damage: Option<Error>,
}

impl RootFirst {
    /// How the walk upwards ended: what lies above the first event.
    ///
    /// It is known from the beginning; an example is at [`RootFirst`].
    pub fn end(&self) -> &ChainEnd {
        &self.end
    }

    /// What could not be read there, where damage ended the walk.
    pub fn damage(&self) -> Option<&Error> {
        self.damage.as_ref()
    }
}

impl Iterator for RootFirst {
    type Item = Result<StoredEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        let seq = self.seqs.pop()?;
        let depth = self.depth;
        self.depth += 1;
        let outcome = self.loader.event_below(seq, depth, self.above.take());
        if let Ok(event) = &outcome {
            self.above = Some((seq, event.columns.id.clone()));
        }
        if let Some(&below) = self.seqs.last() {
            self.loader.look_ahead(below);
        }
        Some(outcome)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.seqs.len(), Some(self.seqs.len()))
    }
}

impl ExactSizeIterator for RootFirst {}
