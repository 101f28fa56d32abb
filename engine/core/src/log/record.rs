//! Records and their encoding in the body of a block.
//!
//! A record is a 16-byte frame, its fields encoded by rkyv, and its payload raw,
//! each padded with zeros to a multiple of 16 bytes. `docs/format.md` draws it.

use std::ops::Range;

use rkyv::api::low;
use rkyv::rancor::Failure;
use rkyv::{Archive, Serialize};

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::link::{Link, link_kind};
use crate::base::state::KindId;
use crate::log::fields::ArchivedEventMeta;
use crate::log::reader::LogBytes;

/// Records begin at multiples of this offset.
pub(crate) const ALIGN: usize = 16;
/// Bytes of the frame in front of each record.
pub(crate) const FRAME_BYTES: usize = 16;
/// The payload length of a record without a payload, which differs from an empty one.
pub(super) const NO_PAYLOAD: u64 = u64::MAX;
/// The most bytes of the fields of a record: more than the limits allow.
const MAX_META_BYTES: usize = 1 << 20;

/// The kinds of records, by their numbers on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Event = 1,
    Version = 2,
    Link = 3,
    /// State of one of the two kinds that were built in when the format was 1.
    Session = 4,
    Relationship = 5,
    /// Says how far a source was read.
    Checkpoint = 6,
    /// State that was carried over when its segments expired.
    Carried = 7,
    Quarantined = 8,
    /// The cross-segment reference of the event or version that follows.
    CrossRef = 9,
    /// Marks a cycle edge through other segments.
    CycleEdge = 10,
    /// An asserted link that loses to one in an earlier segment.
    RefusedLink = 11,
    /// What was above an event that has expired.
    Lineage = 12,
    /// State of a kind that the manifest names, by its number there.
    State = 13,
    /// The same by its name: in files of the spool alone.
    NamedState = 14,
    /// What the manifest says of the store that its files don't: the policy of retention, and
    /// whether it is an archive. At the head of each log, and again where it changes.
    Settings = 15,
    /// The row that the event or version which follows replaces: itself, where another one tells
    /// what it does. There may be several before one event.
    Supersedes = 16,
    /// An event of a batch that tells what another one does: in batches alone.
    Retelling = 17,
}

/// An id on disk.
#[derive(Archive, Serialize, Clone, Debug)]
pub(crate) enum IdMeta {
    Uuid([u8; 16]),
    Text(String),
}

/// The fields of a link on disk.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct LinkMeta {
    pub(crate) child: IdMeta,
    pub(crate) parent: IdMeta,
    pub(crate) link: u8,
    pub(crate) strength: u8,
    pub(crate) order: i64,
}

/// The fields of a cross-segment reference on disk: where the record that follows is in the
/// lineage, so that a log can be read without the segments before it.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct CrossRefMeta {
    /// The sequence number of the parent; 0 where it is not known.
    pub(crate) parent: u64,
    /// The sequence number and the id of the anchor.
    pub(crate) anchor: u64,
    pub(crate) anchor_id: IdMeta,
    /// Stored links between the event and its anchor.
    pub(crate) depth: u32,
    /// The session of the parent, or of a version's event, where it is another one
    /// than the record's own; empty where it has none.
    pub(crate) session: Option<String>,
    /// Of a version: the event's sequence number and the link that it has.
    pub(crate) version_of: Option<VersionOfMeta>,
}

/// What a version takes over from its event, which is in an earlier segment.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct VersionOfMeta {
    pub(crate) seq: u64,
    /// The parent that the event names.
    pub(crate) parent_id: Option<IdMeta>,
    pub(crate) link: u8,
}

/// The fields of quarantined input on disk; its bytes are the payload.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct QuarantineMeta {
    pub(crate) source: String,
    pub(crate) line: u64,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) reason: String,
}

/// The fields of a record of state on disk; its value is the payload.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct StateMeta {
    pub(crate) key: String,
}

/// The fields of a record of state of a kind that the manifest names.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct KindStateMeta {
    pub(crate) kind: u8,
    pub(crate) key: String,
}

/// The fields of a record of state in a file of the spool.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct NamedStateMeta {
    pub(crate) kind: String,
    pub(crate) key: String,
}

/// What a revision, or an event that tells what another one does, replaces, which may be in an
/// earlier segment: a log can be read without those before it.
#[derive(Archive, Serialize, Clone, Copy, Debug)]
pub(crate) struct SupersedesMeta {
    /// The sequence number of what it replaces.
    pub(crate) seq: u64,
    /// Whether that stands for the event, and not for a version beside it.
    pub(crate) of_event: bool,
    pub(crate) is_error: bool,
}

/// The settings of a store, in the words of the manifest.
#[derive(Archive, Serialize, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SettingsMeta {
    /// What stands behind the word `retention`, where the line is there.
    pub(crate) retention: Option<String>,
    pub(crate) archive: bool,
}

/// The fields of carried-over state on disk; its value is the payload.
#[derive(Archive, Serialize, Debug)]
pub(crate) struct CarriedMeta {
    /// The last segment that the value speaks for, with all before it.
    pub(crate) segment: u64,
    pub(crate) kind: u8,
    pub(crate) key: String,
}

impl ArchivedSupersedesMeta {
    pub(crate) fn to_supersedes(&self) -> SupersedesMeta {
        let (of_event, is_error) = (self.of_event, self.is_error);
        SupersedesMeta { seq: self.seq.to_native(), of_event, is_error }
    }
}

impl ArchivedSettingsMeta {
    pub(crate) fn to_settings(&self) -> SettingsMeta {
        let retention = self.retention.as_ref().map(|words| words.as_str().to_owned());
        SettingsMeta { retention, archive: self.archive }
    }
}

/// What a record of state is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StateFields<'a> {
    pub(crate) kind: KindId,
    pub(crate) key: &'a str,
    /// Of carried-over state, the last segment that it speaks for.
    pub(crate) carried_for: Option<u64>,
}

/// The frame of a record: its kind and the lengths of its fields and payload.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) kind: RecordKind,
    pub(crate) meta_len: usize,
    pub(crate) payload_len: Option<usize>,
}

impl Frame {
    /// Parses the frame that `bytes` begin with. The record is checked to fit into `room`
    /// bytes, so that its lengths can be trusted from here on.
    pub(crate) fn parse(bytes: &[u8], room: u64) -> Result<Self> {
        let Some(bytes) = bytes.first_chunk::<FRAME_BYTES>() else {
            return Err(Error::damaged(format!(
                "expected a record's frame of 16 bytes, found {}",
                bytes.len()
            )));
        };
        let kind = match bytes[0] {
            1 => RecordKind::Event,
            2 => RecordKind::Version,
            3 => RecordKind::Link,
            4 => RecordKind::Session,
            5 => RecordKind::Relationship,
            6 => RecordKind::Checkpoint,
            7 => RecordKind::Carried,
            8 => RecordKind::Quarantined,
            9 => RecordKind::CrossRef,
            10 => RecordKind::CycleEdge,
            11 => RecordKind::RefusedLink,
            12 => RecordKind::Lineage,
            13 => RecordKind::State,
            14 => RecordKind::NamedState,
            15 => RecordKind::Settings,
            16 => RecordKind::Supersedes,
            17 => RecordKind::Retelling,
            other => {
                return Err(Error::damaged(format!(
                    "expected a record of kind 1 to 17, found {other}"
                )));
            }
        };
        let meta_len = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]) as usize;
        let mut payload_len = [0; 8];
        payload_len.copy_from_slice(&bytes[8..]);
        let payload_len = u64::from_le_bytes(payload_len);
        let payload_len = (payload_len != NO_PAYLOAD).then_some(payload_len);
        if meta_len > MAX_META_BYTES || payload_len.is_some_and(|length| length > room) {
            return Err(Error::damaged(format!(
                "a record's lengths ({meta_len} and {payload_len:?}) exceed the {room} bytes it has"
            )));
        }
        let frame = Self { kind, meta_len, payload_len: payload_len.map(|length| length as usize) };
        if frame.len() as u64 > room {
            return Err(Error::damaged(format!(
                "a record of {} bytes exceeds the {room} bytes it has",
                frame.len()
            )));
        }
        Ok(frame)
    }

    /// The length of the record.
    pub(crate) fn len(&self) -> usize {
        self.payload_start() + padded(self.payload_len.unwrap_or(0))
    }

    pub(crate) fn payload_start(&self) -> usize {
        FRAME_BYTES + padded(self.meta_len)
    }
}

/// The record of an event, which shares the bytes that it was found in.
#[derive(Clone, Debug)]
pub(crate) struct RecordView {
    bytes: LogBytes,
    meta: Range<u32>,
    payload: Option<Range<u32>>,
}

impl RecordView {
    /// The event or version that begins at `start` of `bytes`. Without `with_payload` the
    /// payload may be missing from `bytes`.
    pub(crate) fn event(
        bytes: LogBytes,
        start: usize,
        frame: Frame,
        with_payload: bool,
    ) -> Result<Self> {
        let begin = start + FRAME_BYTES;
        let meta = begin as u32..(begin + frame.meta_len) as u32;
        let payload = frame.payload_len.filter(|_| with_payload).map(|length| {
            let begin = start + frame.payload_start();
            begin as u32..(begin + length) as u32
        });
        let view = Self { bytes, meta, payload };
        view.bytes
            .get(range(&view.meta))
            .ok_or_else(|| Error::damaged("a record's fields lie outside of what was read"))
            .and_then(ArchivedEventMeta::read)?;
        Ok(view)
    }

    /// The fields. They were checked when the view was made, and its bytes never change:
    /// the log only grows.
    pub(crate) fn fields(&self) -> &ArchivedEventMeta {
        access(&self.bytes[range(&self.meta)]).expect("checked when the view was made")
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        self.payload.as_ref().map(|payload| &self.bytes[range(payload)])
    }

    /// Bytes of memory that it holds; none where they are mapped.
    pub(crate) fn own_bytes(&self) -> usize {
        match &self.bytes {
            LogBytes::Mapped(_) => 0,
            LogBytes::Read(bytes) => bytes.len(),
        }
    }

    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        self.fields().labels()
    }
}

/// Ranges are kept in 32 bits: records and what they are found in are far smaller than 4 GiB.
fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// A length rounded up to the alignment of records.
pub(crate) fn padded(length: usize) -> usize {
    length.next_multiple_of(ALIGN)
}

/// Reads the encoded fields of a record and checks every length and text in them.
pub(crate) fn access<T>(bytes: &[u8]) -> Result<&T>
where
    T: rkyv::Portable + for<'a> rkyv::bytecheck::CheckBytes<low::LowValidator<'a, Failure>>,
{
    low::access::<T, Failure>(bytes).map_err(|_| {
        Error::damaged(format!(
            "expected the fields of a record in {} bytes, found something else",
            bytes.len()
        ))
    })
}

impl From<&EventId> for IdMeta {
    fn from(id: &EventId) -> Self {
        match (id.as_uuid(), id.as_text()) {
            (Some(uuid), _) => Self::Uuid(uuid.into_bytes()),
            (None, text) => Self::Text(text.unwrap_or_default().to_owned()),
        }
    }
}

impl From<&ArchivedIdMeta> for EventId {
    fn from(id: &ArchivedIdMeta) -> Self {
        match id {
            ArchivedIdMeta::Uuid(bytes) => EventId::from_uuid_bytes(*bytes),
            ArchivedIdMeta::Text(text) => EventId::from_text(text.as_str().into()),
        }
    }
}

impl ArchivedLinkMeta {
    pub(crate) fn to_link(&self) -> Result<Link> {
        Ok(Link {
            child: EventId::from(&self.child),
            parent: EventId::from(&self.parent),
            kind: link_kind(self.link)?,
            strength: self.strength,
            order: self.order.to_native(),
        })
    }
}

/// The quarantined input in the record that begins with `bytes`, which have it whole and
/// aligned.
pub(crate) fn quarantined(bytes: &[u8], frame: Frame) -> Result<Quarantined> {
    if frame.kind != RecordKind::Quarantined {
        return Err(Error::damaged(format!(
            "expected quarantined input, found a record of kind {:?}",
            frame.kind
        )));
    }
    let fields =
        access::<ArchivedQuarantineMeta>(&bytes[FRAME_BYTES..FRAME_BYTES + frame.meta_len])?;
    let payload = frame.payload_start();
    Ok(Quarantined {
        source: fields.source.as_str().to_owned(),
        line: fields.line.to_native(),
        offset: fields.offset.to_native(),
        length: fields.length.to_native(),
        reason: fields.reason.as_str().to_owned(),
        bytes: bytes[payload..payload + frame.payload_len.unwrap_or(0)].to_vec(),
    })
}

/// The kind of record that says something of a kind of state: those that were built in
/// when the format was 1 have one of their own, so that its programs read them.
pub(crate) fn state_record(kind: KindId) -> RecordKind {
    match kind {
        SESSION => RecordKind::Session,
        RELATIONSHIP => RecordKind::Relationship,
        KindId::CHECKPOINT => RecordKind::Checkpoint,
        KindId::LINEAGE => RecordKind::Lineage,
        _ => RecordKind::State,
    }
}

/// The fields of a state record; none where the record is of another kind.
pub(crate) fn state_fields(kind: RecordKind, meta: &[u8]) -> Result<Option<StateFields<'_>>> {
    let kind = match kind {
        RecordKind::Session => SESSION,
        RecordKind::Relationship => RELATIONSHIP,
        RecordKind::Checkpoint => KindId::CHECKPOINT,
        RecordKind::Lineage => KindId::LINEAGE,
        RecordKind::State => {
            let fields = access::<ArchivedKindStateMeta>(meta)?;
            let (kind, key) = (KindId::new(fields.kind), fields.key.as_str());
            return Ok(Some(StateFields { kind, key, carried_for: None }));
        }
        RecordKind::Carried => {
            let fields = access::<ArchivedCarriedMeta>(meta)?;
            return Ok(Some(StateFields {
                kind: KindId::new(fields.kind),
                key: fields.key.as_str(),
                carried_for: Some(fields.segment.to_native()),
            }));
        }
        _ => return Ok(None),
    };
    let key = access::<ArchivedStateMeta>(meta)?.key.as_str();
    Ok(Some(StateFields { kind, key, carried_for: None }))
}

/// The value of the state record that begins with `bytes`, which have it whole.
pub(crate) fn state_value(bytes: &[u8], frame: Frame) -> Result<Vec<u8>> {
    use RecordKind::{Carried, Checkpoint, Lineage, Relationship, Session, State};
    match (frame.kind, frame.payload_len) {
        (Session | Relationship | Checkpoint | Lineage | State | Carried, Some(length)) => {
            let start = frame.payload_start();
            Ok(bytes[start..start + length].to_vec())
        }
        (kind, _) => Err(Error::damaged(format!(
            "expected a record of state with a value, found one of kind {kind:?}"
        ))),
    }
}

/// The key of quarantined input, from its source, range and bytes: input with a key that is
/// known is a repeat.
pub(crate) fn quarantine_key(fields: &ArchivedQuarantineMeta, bytes: &[u8]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(fields.source.len() as u64).to_le_bytes());
    hasher.update(fields.source.as_bytes());
    hasher.update(&fields.offset.to_native().to_le_bytes());
    hasher.update(&fields.length.to_native().to_le_bytes());
    hasher.update(bytes);
    let mut key = [0; 16];
    key.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    key
}

const SESSION: KindId = KindId::OF_FORMAT_1[0].0;
const RELATIONSHIP: KindId = KindId::OF_FORMAT_1[1].0;
