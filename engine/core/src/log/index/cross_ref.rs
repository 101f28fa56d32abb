//! Cross-segment references: what a row needs of earlier segments, written in the log before its
//! record, so that a log can be read without them.

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::link::{LinkKind, link_kind, link_number};
use crate::log::record::{ArchivedCrossRefMeta, CrossRefMeta, IdMeta, VersionOfMeta};

/// The lineage of an event whose parent is in an earlier segment, or of a version whose event
/// is. A version has that of its event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CrossRef {
    /// The sequence number of the parent; 0 where it is not known.
    pub(crate) parent: u64,
    /// The id of the parent that the event names, stored or not.
    pub(crate) parent_id: Option<EventId>,
    /// The sequence number and the id of the anchor.
    pub(crate) anchor: u64,
    pub(crate) anchor_id: EventId,
    /// Stored links between the event and the anchor.
    pub(crate) depth: u32,
    /// The session of the parent, or of a version's event, where it is another one
    /// than the row's own; empty where it has none.
    pub(crate) session: Option<String>,
    pub(crate) version_of: Option<VersionOf>,
}

/// The event that a version is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionOf {
    pub(crate) seq: u64,
    /// How it follows from its parent.
    pub(crate) link: LinkKind,
}

impl CrossRef {
    pub(crate) fn to_meta(&self) -> CrossRefMeta {
        CrossRefMeta {
            parent: self.parent,
            anchor: self.anchor,
            anchor_id: IdMeta::from(&self.anchor_id),
            depth: self.depth,
            session: self.session.clone(),
            version_of: self.version_of.as_ref().map(|of| VersionOfMeta {
                seq: of.seq,
                parent_id: self.parent_id.as_ref().map(IdMeta::from),
                link: link_number(of.link),
            }),
        }
    }

    /// Reads a reference. The parent of an event is left out: its own record has it.
    pub(crate) fn from_meta(meta: &ArchivedCrossRefMeta) -> Result<Self> {
        let of = meta.version_of.as_ref();
        let version_of = of
            .map(|of| link_kind(of.link).map(|link| VersionOf { seq: of.seq.to_native(), link }))
            .transpose()?;
        Ok(Self {
            parent: meta.parent.to_native(),
            parent_id: of.and_then(|of| of.parent_id.as_ref()).map(EventId::from),
            anchor: meta.anchor.to_native(),
            anchor_id: EventId::from(&meta.anchor_id),
            depth: meta.depth.to_native(),
            session: meta.session.as_ref().map(|session| session.as_str().to_owned()),
            version_of,
        })
    }
}
