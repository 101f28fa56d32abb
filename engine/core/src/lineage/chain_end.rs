//! How a walk up a chain ends.

use crate::base::id::EventId;

/// How a walk ended.
///
/// ```
/// use forebear::{ChainEnd, Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("error").id("failure").parent("never stored"))?;
/// let snapshot = store.snapshot();
/// let chain = snapshot.chain("failure")?.expect("it is stored").read_all()?;
/// assert_eq!(chain.end, ChainEnd::Missing("never stored".into()));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChainEnd {
    /// At an event without a parent.
    Root,
    /// At an event whose parent, named here, was never stored.
    Missing(EventId),
    /// At an event whose parent, named here, was removed by retention.
    Expired(EventId),
    /// At an event whose parent, named here, goes back to the event itself.
    Cycle(EventId),
    /// After as many edges as were asked for; the walk can go on from here.
    DepthLimit(EventId),
    /// Before a link of the kind to stop at; the walk can go on from here.
    Stopped(EventId),
    /// At an event whose parent, named here where it is known, can't be read, or is not
    /// found in a store that has lost events to damage. Once it has, every parent that is
    /// not found is told as this rather than as [`Missing`](Self::Missing), since nobody
    /// can say whether it was among those lost.
    Damaged(Option<EventId>),
}

impl ChainEnd {
    /// The end's name: `root`, `missing`, `expired`, `cycle`, `depth_limit`,
    /// `stopped` or `damaged`.
    ///
    /// ```
    /// assert_eq!(forebear::ChainEnd::Root.as_str(), "root");
    /// ```
    pub fn as_str(&self) -> &'static str {
        match self {
            ChainEnd::Root => "root",
            ChainEnd::Missing(_) => "missing",
            ChainEnd::Expired(_) => "expired",
            ChainEnd::Cycle(_) => "cycle",
            ChainEnd::DepthLimit(_) => "depth_limit",
            ChainEnd::Stopped(_) => "stopped",
            ChainEnd::Damaged(_) => "damaged",
        }
    }

    /// The event that the walk did not go on to, where there is one.
    ///
    /// ```
    /// use forebear::{ChainEnd, EventId};
    ///
    /// assert_eq!(ChainEnd::Root.parent(), None);
    /// assert_eq!(ChainEnd::Missing("call".into()).parent(), Some(&EventId::from("call")));
    /// ```
    pub fn parent(&self) -> Option<&EventId> {
        match self {
            ChainEnd::Root => None,
            ChainEnd::Missing(id)
            | ChainEnd::Expired(id)
            | ChainEnd::Cycle(id)
            | ChainEnd::DepthLimit(id)
            | ChainEnd::Stopped(id) => Some(id),
            ChainEnd::Damaged(id) => id.as_ref(),
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for ChainEnd {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(serde::Serialize)]
        struct ChainEndFields<'a> {
            kind: &'static str,
            parent: Option<&'a EventId>,
        }
        ChainEndFields { kind: self.as_str(), parent: self.parent() }.serialize(serializer)
    }
}
