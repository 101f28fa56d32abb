//! Records as callers encode them, in their own threads, ready for a block.

use std::ops::Range;
use std::sync::Arc;

use rkyv::Serialize;
use rkyv::api::high::{HighSerializer, to_bytes_in};
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::base::event::{Event, Quarantined};
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind, link_number};
use crate::base::state::KindId;
use crate::log::fields::{ArchivedEventMeta, EventMeta};
use crate::log::index::CrossRef;
use crate::log::record::{
    ALIGN, ArchivedLinkMeta, ArchivedNamedStateMeta, ArchivedQuarantineMeta, ArchivedStateMeta,
    CarriedMeta, FRAME_BYTES, Frame, IdMeta, KindStateMeta, LinkMeta, NO_PAYLOAD, NamedStateMeta,
    QuarantineMeta, RecordKind, SettingsMeta, StateFields, StateMeta, SupersedesMeta, access,
    padded, state_fields, state_record,
};

/// An encoded record. The writer decides whether an event becomes a version; all other bytes are
/// final.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// A buffer with this record and others, so that the writing thread frees few large
    /// allocations.
    bytes: Arc<AlignedVec<ALIGN>>,
    place: RecordRange,
}

/// The range of a record in its buffer.
#[derive(Clone, Debug)]
struct RecordRange {
    record: Range<usize>,
    meta_len: usize,
    payload_len: Option<usize>,
}

/// The encoded records of a batch.
#[derive(Debug, Default)]
pub(crate) struct EncodedBatch {
    pub(crate) events: Vec<Encoded>,
    pub(crate) links: Vec<Encoded>,
    /// Which of the events tell what others do.
    pub(crate) retellings: Vec<Encoded>,
    pub(crate) quarantined: Vec<Encoded>,
    pub(crate) state: Vec<Encoded>,
}

/// Encodes the events of a batch, many to a buffer.
#[derive(Debug, Default)]
pub(crate) struct Encoder {
    encoded: Vec<Encoded>,
    /// Events still to come.
    rest: usize,
    /// The buffer being filled, and the records in it.
    bytes: AlignedVec<ALIGN>,
    places: Vec<RecordRange>,
    meta: EventMeta,
}

impl Encoder {
    /// An encoder for this many events.
    pub(crate) fn new(events: usize) -> Self {
        Self { encoded: Vec::with_capacity(events), rest: events, ..Self::default() }
    }

    pub(crate) fn event(&mut self, event: &Event) {
        self.meta.set(event);
        let payload_len = event.payload.as_ref().map_or(0, Vec::len);
        let wanted = FRAME_BYTES + padded(self.meta.len_about()) + padded(payload_len);
        if self.bytes.capacity() - self.bytes.len() < wanted {
            self.end_buffer();
            let all = wanted.saturating_mul(self.rest);
            self.bytes.reserve_exact(all.min(BUFFER_BYTES).max(wanted));
        }
        self.rest = self.rest.saturating_sub(1);
        let payload = event.payload.as_deref();
        self.places.push(write(&mut self.bytes, RecordKind::Event, &self.meta, payload));
    }

    /// All events in the order in which they were encoded.
    pub(crate) fn finish(mut self) -> Vec<Encoded> {
        self.end_buffer();
        self.encoded
    }

    fn end_buffer(&mut self) {
        let bytes = Arc::new(std::mem::take(&mut self.bytes));
        let encoded = |place| Encoded { bytes: Arc::clone(&bytes), place };
        self.encoded.extend(self.places.drain(..).map(encoded));
    }
}

impl EncodedBatch {
    /// All records in the order in which they are applied.
    pub(crate) fn records(&self) -> impl Iterator<Item = &Encoded> {
        let Self { events, links, retellings, quarantined, state } = self;
        [retellings, events, links, quarantined, state].into_iter().flatten()
    }

    /// Bytes of the records in the body of a block.
    pub(crate) fn bytes(&self) -> usize {
        self.records().map(Encoded::len).sum()
    }
}

impl Encoded {
    /// The records of the body of a block.
    pub(crate) fn read_all(body: &[u8]) -> Result<Vec<Self>> {
        let mut bytes = AlignedVec::with_capacity(body.len());
        bytes.extend_from_slice(body);
        let bytes = Arc::new(bytes);
        let mut at = 0;
        let mut records = Vec::new();
        while at < bytes.len() {
            let frame = Frame::parse(&bytes[at..], (bytes.len() - at) as u64)?;
            let record = at..at + frame.len();
            at = record.end;
            let place =
                RecordRange { record, meta_len: frame.meta_len, payload_len: frame.payload_len };
            records.push(Self { bytes: Arc::clone(&bytes), place });
        }
        Ok(records)
    }

    /// What the record is, where no byte of its frame is set that says nothing.
    pub(crate) fn kind(&self) -> Result<RecordKind> {
        let record = self.record();
        if record[1..4] != [0; 3] {
            return Err(Error::damaged("expected zeros in a record's frame, found other bytes"));
        }
        Ok(Frame::parse(record, record.len() as u64)?.kind)
    }

    pub(crate) fn link(link: &Link) -> Self {
        Self::of_link(RecordKind::Link, link)
    }

    /// Says that an event tells what another one does, or what one that need not be known does
    /// where the two are the same.
    pub(crate) fn retelling(event: &EventId, other: &EventId) -> Self {
        Self::of_link(RecordKind::Retelling, &Link::new(event, other, LinkKind::Caused))
    }

    /// The cross-segment reference of the event or version that follows.
    pub(crate) fn cross_ref(cross_ref: &CrossRef) -> Self {
        Self::alone(RecordKind::CrossRef, &cross_ref.to_meta(), None)
    }

    /// Marks a cycle edge through other segments.
    pub(crate) fn cycle_edge(child: &EventId, parent: &EventId) -> Self {
        Self::of_link(RecordKind::CycleEdge, &Link::new(child, parent, LinkKind::Caused))
    }

    /// An asserted link that loses to one in an earlier segment.
    pub(crate) fn refused_link(link: &Link) -> Self {
        Self::of_link(RecordKind::RefusedLink, link)
    }

    pub(crate) fn quarantined(input: Quarantined) -> Self {
        let meta = QuarantineMeta {
            source: input.source,
            line: input.line,
            offset: input.offset,
            length: input.length,
            reason: input.reason,
        };
        Self::alone(RecordKind::Quarantined, &meta, Some(&input.bytes))
    }

    /// What is said of a key.
    pub(crate) fn state(kind: KindId, key: String, value: &[u8]) -> Self {
        match state_record(kind) {
            record @ RecordKind::State => {
                Self::alone(record, &KindStateMeta { kind: kind.number(), key }, Some(value))
            }
            record => Self::alone(record, &StateMeta { key }, Some(value)),
        }
    }

    /// What is said of a key, in a file of the spool.
    pub(crate) fn named_state(kind: String, key: String, value: &[u8]) -> Self {
        Self::alone(RecordKind::NamedState, &NamedStateMeta { kind, key }, Some(value))
    }

    /// What the event or version that follows replaces.
    pub(crate) fn supersedes(supersedes: &SupersedesMeta) -> Self {
        Self::alone(RecordKind::Supersedes, supersedes, None)
    }

    /// The settings of the store.
    pub(crate) fn settings(settings: &SettingsMeta) -> Self {
        Self::alone(RecordKind::Settings, settings, None)
    }

    /// What a segment and those before it said of a key.
    pub(crate) fn carried(segment: u64, kind: KindId, key: String, value: &[u8]) -> Self {
        let meta = CarriedMeta { segment, kind: kind.number(), key };
        Self::alone(RecordKind::Carried, &meta, Some(value))
    }

    /// Bytes of the record in the body of a block.
    pub(crate) fn len(&self) -> usize {
        self.place.record.len()
    }

    /// Reads and checks the fields of an event, which takes some time: call it once.
    pub(crate) fn as_event(&self) -> Result<&ArchivedEventMeta> {
        ArchivedEventMeta::read(self.meta())
    }

    /// The fields of a link.
    pub(crate) fn as_link(&self) -> Result<&ArchivedLinkMeta> {
        access(self.meta())
    }

    /// The fields of quarantined input.
    pub(crate) fn as_quarantined(&self) -> Result<&ArchivedQuarantineMeta> {
        access(self.meta())
    }

    /// What a record of state is about.
    pub(crate) fn as_state(&self) -> Result<Option<StateFields<'_>>> {
        let frame = Frame::parse(self.record(), self.record().len() as u64)?;
        state_fields(frame.kind, self.meta())
    }

    /// The name of the kind and the key of a record of state that can be handed in, no
    /// name for a checkpoint; none where the record is another.
    pub(crate) fn as_handed_in(&self) -> Result<Option<(Option<&str>, &str)>> {
        let kind = match self.kind()? {
            RecordKind::Checkpoint => None,
            RecordKind::Session => Some(KindId::OF_FORMAT_1[0].1),
            RecordKind::Relationship => Some(KindId::OF_FORMAT_1[1].1),
            RecordKind::NamedState => {
                let fields = access::<ArchivedNamedStateMeta>(self.meta())?;
                return Ok(Some((Some(fields.kind.as_str()), fields.key.as_str())));
            }
            _ => return Ok(None),
        };
        Ok(Some((kind, access::<ArchivedStateMeta>(self.meta())?.key.as_str())))
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        let length = self.place.payload_len?;
        let start = FRAME_BYTES + padded(self.place.meta_len);
        Some(&self.record()[start..start + length])
    }

    /// Appends the record to the body of a block, an event as a version if `version`.
    pub(crate) fn write_to(&self, body: &mut Vec<u8>, version: bool) {
        debug_assert_eq!(body.len() % ALIGN, 0);
        let at = body.len();
        body.extend_from_slice(self.record());
        if version {
            debug_assert_eq!(body[at], RecordKind::Event as u8);
            body[at] = RecordKind::Version as u8;
        }
    }

    fn of_link(kind: RecordKind, link: &Link) -> Self {
        let meta = LinkMeta {
            child: IdMeta::from(&link.child),
            parent: IdMeta::from(&link.parent),
            link: link_number(link.kind),
            strength: link.strength,
            order: link.order,
        };
        Self::alone(kind, &meta, None)
    }

    fn alone(kind: RecordKind, meta: &impl RecordFields, payload: Option<&[u8]>) -> Self {
        let mut bytes = AlignedVec::new();
        let place = write(&mut bytes, kind, meta, payload);
        Self { bytes: Arc::new(bytes), place }
    }

    /// The bytes of the record.
    pub(crate) fn record(&self) -> &[u8] {
        &self.bytes[self.place.record.clone()]
    }

    fn meta(&self) -> &[u8] {
        &self.record()[FRAME_BYTES..FRAME_BYTES + self.place.meta_len]
    }
}

/// What can be the fields of a record.
pub(crate) trait RecordFields: for<'a> Serialize<Encoding<'a>> {}

impl<T: for<'a> Serialize<Encoding<'a>>> RecordFields for T {}

pub(crate) type Encoding<'a> =
    HighSerializer<AlignedVec<ALIGN>, ArenaHandle<'a>, rkyv::rancor::Error>;

/// Appends a record. Offsets within its encoded fields are relative, so that its bytes don't
/// depend on where it is.
fn write(
    bytes: &mut AlignedVec<ALIGN>,
    kind: RecordKind,
    meta: &impl RecordFields,
    payload: Option<&[u8]>,
) -> RecordRange {
    let begin = bytes.len();
    let payload_len = payload.map(<[u8]>::len);
    let meta_len = write_front(bytes, kind, meta, payload_len);
    bytes.extend_from_slice(payload.unwrap_or_default());
    pad(bytes);
    RecordRange { record: begin..bytes.len(), meta_len, payload_len }
}

/// Appends the frame and the fields of a record with a payload of this length. Returns the
/// length of the fields.
pub(crate) fn write_front(
    bytes: &mut AlignedVec<ALIGN>,
    kind: RecordKind,
    meta: &impl RecordFields,
    payload_len: Option<usize>,
) -> usize {
    let begin = bytes.len();
    debug_assert_eq!(begin % ALIGN, 0);
    bytes.extend_from_slice(&[0; FRAME_BYTES]);
    // Encoding into memory fails only where an allocation does, which aborts.
    *bytes = to_bytes_in(meta, std::mem::take(bytes)).expect("encoding into memory");
    let meta_len = bytes.len() - begin - FRAME_BYTES;
    pad(bytes);
    let frame = &mut bytes[begin..begin + FRAME_BYTES];
    frame[0] = kind as u8;
    frame[4..8].copy_from_slice(&(meta_len as u32).to_le_bytes());
    let length = payload_len.map_or(NO_PAYLOAD, |length| length as u64);
    frame[8..].copy_from_slice(&length.to_le_bytes());
    meta_len
}

fn pad(bytes: &mut AlignedVec<ALIGN>) {
    let length = bytes.len();
    bytes.extend_from_slice(&[0; ALIGN][..padded(length) - length]);
}

/// About how many bytes of events share a buffer. Smaller than what the allocator returns to
/// the system at once, which would make each batch fault its memory in again.
const BUFFER_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_format_1_are_written_as_its_programs_read_them() {
        for (kind, record) in [
            (KindId::OF_FORMAT_1[0].0, RecordKind::Session),
            (KindId::OF_FORMAT_1[1].0, RecordKind::Relationship),
            (KindId::CHECKPOINT, RecordKind::Checkpoint),
            (KindId::LINEAGE, RecordKind::Lineage),
            (KindId::new(16), RecordKind::State),
        ] {
            let state = Encoded::state(kind, "key".to_owned(), b"value");
            assert_eq!(state.kind().expect("it is one"), record);
            let fields = state.as_state().expect("reads").expect("it is state");
            assert_eq!(fields, StateFields { kind, key: "key", carried_for: None });
        }
    }
}
