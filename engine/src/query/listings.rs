//! Listings of what stands out: roots, missing parents, refused and closing
//! links, quarantined input.

use crate::event::{Link, LinkKind};
use crate::id::EventId;

/// A parent that events name and that is not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingParent {
    /// The id that is named.
    pub id: EventId,
    /// How many events name it.
    pub children: u64,
    /// The first of them to be stored.
    pub first_child: EventId,
}

/// A link that was refused, since the child named another parent or a stronger
/// claim stood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedLink {
    /// The link as it was claimed, or as it was before a stronger one replaced it.
    pub link: Link,
    /// What the child has instead.
    pub parent: Option<EventId>,
}

/// A link that would have closed a cycle and is never followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosingLink {
    /// The event whose link closes the cycle.
    pub child: EventId,
    /// The event it names as its cause, which goes back to the child.
    pub parent: EventId,
    /// How the child follows from it.
    pub kind: LinkKind,
}
