//! Links: how one event follows from another, and what became of one that was asserted.

use std::cmp::Reverse;
use std::fmt;
use std::str::FromStr;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::validate::check_id;

/// How an event follows from its parent.
///
/// ```
/// use forebear::{Event, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("summary").id("s").parent("last").link(LinkKind::Continues))?;
/// let link = store.snapshot().get("s")?.and_then(|event| event.link());
/// assert_eq!(link, Some(LinkKind::Continues));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LinkKind {
    /// The parent caused it: the usual link.
    #[default]
    Caused,
    /// It goes on from the parent across a break, as a rotated log does from the one before it.
    Continues,
    /// The parent started the process, worker or job of which this is the first event.
    Spawned,
}

impl LinkKind {
    /// All kinds, in the order of their numbers on disk.
    pub const ALL: [LinkKind; 3] = [LinkKind::Caused, LinkKind::Continues, LinkKind::Spawned];

    /// The kind's name: `caused`, `continues` or `spawned`.
    ///
    /// ```
    /// use forebear::LinkKind;
    ///
    /// assert_eq!(LinkKind::Spawned.as_str(), "spawned");
    /// assert_eq!("spawned".parse::<LinkKind>()?, LinkKind::Spawned);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            LinkKind::Caused => "caused",
            LinkKind::Continues => "continues",
            LinkKind::Spawned => "spawned",
        }
    }
}

impl fmt::Display for LinkKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for LinkKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name).ok_or_else(|| {
            Error::invalid(format!(
                "expected a link kind (caused, continues or spawned), found {name:?}"
            ))
        })
    }
}

/// An asserted link: that one event caused another, said after the fact or by a third
/// party. Neither of the two need be stored yet.
///
/// An event that named its parent keeps it. Among links asserted for an event that
/// named none, the greater [`strength`](Link::strength) wins, then the smaller
/// [`order`](Link::order), then the first. What loses is kept and can be listed.
///
/// ```
/// use forebear::{Event, EventId, Link, LinkKind, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("worker"))?;
/// store.write(Link::new("worker", "a guess", LinkKind::Spawned).strength(10))?;
/// store.write(Link::new("worker", "call", LinkKind::Spawned).strength(200))?;
/// let event = store.snapshot().get("worker")?.expect("it is stored");
/// assert_eq!(event.parent(), Some(&EventId::from("call")));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    pub(crate) child: EventId,
    pub(crate) parent: EventId,
    pub(crate) kind: LinkKind,
    pub(crate) strength: u8,
    pub(crate) order: i64,
}

impl Link {
    /// The strength of a link unless set: stronger than a guess should be.
    pub const DEFAULT_STRENGTH: u8 = 128;

    /// Asserts that `parent` caused `child`.
    ///
    /// ```
    /// use forebear::{EventId, Link, LinkKind};
    ///
    /// let link = Link::new("worker", "call", LinkKind::Spawned);
    /// assert_eq!(link.child(), &EventId::from("worker"));
    /// assert_eq!(link.parent(), &EventId::from("call"));
    /// assert_eq!(link.kind(), LinkKind::Spawned);
    /// ```
    pub fn new(child: impl Into<EventId>, parent: impl Into<EventId>, kind: LinkKind) -> Self {
        Self {
            child: child.into(),
            parent: parent.into(),
            kind,
            strength: Self::DEFAULT_STRENGTH,
            order: 0,
        }
    }

    /// Sets how strong the evidence is, 0 to 255.
    ///
    /// ```
    /// use forebear::{Link, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// # store.append(forebear::Event::new("request").id("worker"))?;
    /// store.write(Link::new("worker", "call", LinkKind::Spawned))?;
    /// let weaker = Link::new("worker", "other", LinkKind::Spawned).strength(Link::DEFAULT_STRENGTH - 1);
    /// assert_eq!(store.write(weaker)?.links, [Linked::Refused]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn strength(mut self, strength: u8) -> Self {
        self.strength = strength;
        self
    }

    /// Sets the rank among links of equal strength, the smallest winning;
    /// usually the time of the evidence, so that the earliest wins in whatever
    /// order the links arrive.
    ///
    /// ```
    /// use forebear::{Link, LinkKind, Linked, Store};
    ///
    /// let store = Store::in_memory()?;
    /// # store.append(forebear::Event::new("request").id("worker"))?;
    /// store.write(Link::new("worker", "later", LinkKind::Spawned).order(2_000))?;
    /// let earlier = Link::new("worker", "earlier", LinkKind::Spawned).order(1_000);
    /// assert_eq!(store.write(earlier)?.links, [Linked::Accepted]);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn order(mut self, order: i64) -> Self {
        self.order = order;
        self
    }

    /// The event that is the effect.
    pub fn child(&self) -> &EventId {
        &self.child
    }

    /// The event that is the cause.
    pub fn parent(&self) -> &EventId {
        &self.parent
    }

    /// Whether this link wins against another one for the same child, whichever was
    /// made first.
    ///
    /// ```
    /// use forebear::{Link, LinkKind};
    ///
    /// let weak = Link::new("worker", "a guess", LinkKind::Spawned).strength(10);
    /// let strong = Link::new("worker", "call", LinkKind::Spawned).strength(20);
    /// assert!(strong.outranks(&weak) && !weak.outranks(&strong) && !weak.outranks(&weak));
    /// ```
    pub fn outranks(&self, other: &Link) -> bool {
        (self.strength, Reverse(self.order)) > (other.strength, Reverse(other.order))
    }

    /// How the child follows from the parent.
    pub fn kind(&self) -> LinkKind {
        self.kind
    }

    /// Checks both ids against their limit, as appending does.
    ///
    /// ```
    /// use forebear::{Link, LinkKind};
    ///
    /// assert!(Link::new("a", "b", LinkKind::Caused).validate().is_ok());
    /// assert!(Link::new("a", "b".repeat(256), LinkKind::Caused).validate().is_err());
    /// ```
    pub fn validate(&self) -> Result<()> {
        check_id("child", &self.child)?;
        check_id("parent", &self.parent)
    }
}

/// What became of a link.
///
/// ```
/// use forebear::{Event, LinkKind, Linked, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("error").id("failure").parent("call"))?;
/// assert_eq!(store.link("failure", "other", LinkKind::Caused)?, Linked::Refused);
/// assert_eq!(store.link("call", "ask", LinkKind::Caused)?, Linked::Accepted);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Linked {
    /// It is the child's link to its parent now. An end that is not stored yet
    /// joins when it arrives.
    Accepted,
    /// Both ends were linked just so already; nothing was stored.
    Repeat,
    /// The child named another parent itself, or a stronger link stands, or
    /// asserted links moved events to other parents so often already (four times each
    /// on average) that no more may; kept and listed among the refused links.
    Refused,
    /// Following it would lead round in a circle; kept, listed, never followed,
    /// not even if another link of the circle is replaced later.
    CycleEdge,
}

impl Linked {
    /// The outcome's name: `accepted`, `repeat`, `refused` or `cycle-edge`.
    ///
    /// ```
    /// assert_eq!(forebear::Linked::CycleEdge.as_str(), "cycle-edge");
    /// ```
    pub fn as_str(self) -> &'static str {
        match self {
            Linked::Accepted => "accepted",
            Linked::Repeat => "repeat",
            Linked::Refused => "refused",
            Linked::CycleEdge => "cycle-edge",
        }
    }
}

/// The number on disk of a link kind.
pub(crate) fn link_number(kind: LinkKind) -> u8 {
    match kind {
        LinkKind::Caused => 0,
        LinkKind::Continues => 1,
        LinkKind::Spawned => 2,
    }
}

/// The link kind with this number on disk.
pub(crate) fn link_kind(number: u8) -> Result<LinkKind> {
    LinkKind::ALL
        .get(usize::from(number))
        .copied()
        .ok_or_else(|| Error::damaged(format!("expected a link kind of 0, 1 or 2, found {number}")))
}
