//! Packed records: events and versions without what the segment has of them elsewhere.
//!
//! Half of a small record of the log repeats the spine, the ids and the string table, or is
//! there so that it can be read in place. A packed record has the labels, the tokens and the
//! payload, and the few bits of a version that the spine doesn't keep. The packer unpacks each
//! record again: one that does not come back byte for byte is stored as it was in the log.

use std::ops::Range;

use rkyv::util::AlignedVec;

use crate::base::codec::{Input, put_id, put_number};
use crate::base::error::{Error, Result};
use crate::base::event::Usage;
use crate::base::id::EventId;
use crate::base::link::link_kind;
use crate::log::encoded::write_front;
use crate::log::fields::{ArchivedEventMeta, EventMeta, Marks};
use crate::log::reader::LogBytes;
use crate::log::record::{ALIGN, FRAME_BYTES, Frame, RecordKind, padded};

/// The columns of a row that its packed record leaves out.
#[derive(Clone, Debug)]
pub(crate) struct KnownColumns<'a> {
    pub(crate) id: EventId,
    /// The parent that the row names.
    pub(crate) parent: Option<EventId>,
    pub(crate) time_ns: i64,
    pub(crate) kind: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) session: Option<&'a str>,
}

/// The numbers of texts in the segment's string table.
pub(crate) type TypeNumbers = std::collections::HashMap<Box<str>, u32, foldhash::fast::RandomState>;

/// The layout of a record in the heap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Whether it is packed or as it was in the log.
    pub(crate) packed: bool,
    /// The offset of the payload in the record.
    pub(crate) payload_start: usize,
    pub(crate) payload_len: Option<usize>,
}

/// Packs the records of a log.
#[derive(Debug, Default)]
pub(crate) struct Packer {
    /// The numbers of the types that payloads have.
    types: TypeNumbers,
    meta: EventMeta,
    front: AlignedVec<ALIGN>,
}

/// A packed record that shares the bytes of its chunk.
#[derive(Clone, Debug)]
pub(crate) struct PackedView {
    bytes: LogBytes,
    front: Range<u32>,
    payload: Option<Range<u32>>,
}

/// The fields of a packed record, its payload aside.
#[derive(Debug)]
struct Front<'a> {
    kind: RecordKind,
    flags: u8,
    revision: bool,
    /// The number of the payload's type among the segment's texts.
    payload_type: Option<u32>,
    /// The parent, where it is in the record.
    parent: Option<EventId>,
    payload_len: Option<usize>,
    /// The lengths of the labels' keys and values, alternating, and their joined text.
    label_lens: &'a [u8],
    labels: &'a str,
    usage: Option<Usage>,
    /// Bytes of these fields.
    len: usize,
}

impl Shape {
    /// Reads the layout of the record that begins with `bytes`, of which at most `room`
    /// bytes can be its own.
    pub(crate) fn read(bytes: &[u8], room: u64) -> Result<Self> {
        if bytes.first().is_none_or(|first| first & PACKED == 0) {
            let frame = Frame::parse(bytes, room)?;
            let payload_start = frame.payload_start();
            return Ok(Self { packed: false, payload_start, payload_len: frame.payload_len });
        }
        let front = Front::read(bytes)?;
        let (payload_start, payload_len) = (front.payload_start(), front.payload_len);
        let shape = Self { packed: true, payload_start, payload_len };
        let length = (payload_start as u64).saturating_add(payload_len.unwrap_or(0) as u64);
        if length > room {
            return Err(Error::damaged(format!(
                "a packed record of {length} bytes exceeds the {room} bytes it has"
            )));
        }
        Ok(shape)
    }

    /// The length of the record.
    pub(crate) fn len(&self) -> usize {
        padded(self.payload_start + self.payload_len.unwrap_or(0))
    }
}

impl Packer {
    /// A packer of records whose payloads have these types.
    pub(crate) fn new(types: TypeNumbers) -> Self {
        Self { types, ..Self::default() }
    }

    /// Appends the record that begins with `bytes`: all of it, or its fields alone where
    /// the payload goes into chunks of its own (`apart`).
    pub(crate) fn pack(
        &mut self,
        bytes: &[u8],
        apart: bool,
        known: &KnownColumns<'_>,
        to: &mut Vec<u8>,
    ) -> Result<()> {
        let begin = to.len();
        let frame = Frame::parse(bytes, u64::MAX >> 1)?;
        let start = frame.payload_start();
        let (front, rest) = bytes.split_at_checked(start).ok_or_else(cut)?;
        let payload = match frame.payload_len {
            Some(length) if !apart => rest.get(..length).ok_or_else(cut)?,
            _ => &[],
        };
        let fields = ArchivedEventMeta::read(&front[FRAME_BYTES..FRAME_BYTES + frame.meta_len])?;
        let payload_type = fields.payload_type();
        let number = payload_type.and_then(|name| self.types.get(name).copied());
        put_front(to, &frame, fields, (apart, number), known);
        let read = Front::read(&to[begin..])?;
        read.unpack(known, number.and(payload_type), &mut self.meta);
        self.front.clear();
        write_front(&mut self.front, read.kind, &self.meta, read.payload_len);
        let rest_is_zero = apart || rest[payload.len()..].iter().all(|&byte| byte == 0);
        if self.front.as_slice() != front || !rest_is_zero || apart && !rest.is_empty() {
            to.truncate(begin);
            to.extend_from_slice(bytes);
            return Ok(());
        }
        to.extend_from_slice(payload);
        to.resize(begin + padded(to.len() - begin), 0);
        Ok(())
    }
}

/// Unpacks the packed record that begins with `bytes`: appends what it had before its payload
/// in the log.
pub(crate) fn unpack_front<'t>(
    bytes: &[u8],
    known: &KnownColumns<'_>,
    text: impl FnOnce(u32) -> Result<&'t str>,
    to: &mut AlignedVec<ALIGN>,
) -> Result<()> {
    let front = Front::read(bytes)?;
    let mut meta = EventMeta::default();
    front.unpack(known, front.payload_type.map(text).transpose()?, &mut meta);
    write_front(to, front.kind, &meta, front.payload_len);
    Ok(())
}

impl PackedView {
    /// The packed record that begins at `start` of `bytes`. Without `with_payload` the
    /// payload may be missing from `bytes`.
    pub(crate) fn new(
        bytes: LogBytes,
        start: usize,
        shape: Shape,
        with_payload: bool,
    ) -> Result<Self> {
        let payload_at = start + shape.payload_start;
        let payload = shape
            .payload_len
            .filter(|_| with_payload)
            .map(|length| payload_at as u32..(payload_at + length) as u32);
        let end = payload.as_ref().map_or(payload_at, |payload| payload.end as usize);
        if bytes.len() < end {
            return Err(cut());
        }
        Ok(Self { bytes, front: start as u32..payload_at as u32, payload })
    }

    pub(crate) fn payload(&self) -> Option<&[u8]> {
        self.payload
            .as_ref()
            .map(|Range { start, end }| &self.bytes[*start as usize..*end as usize])
    }

    /// The labels, keys and values, in order of the keys.
    pub(crate) fn labels(&self) -> impl Iterator<Item = (&str, &str)> {
        let front = self.front();
        let (mut lens, mut texts) = (Input(front.label_lens), front.labels);
        let mut next = move || {
            let length = lens.number().ok()? as usize;
            let (text, rest) = texts.split_at_checked(length)?;
            texts = rest;
            Some(text)
        };
        std::iter::from_fn(move || Some((next()?, next()?)))
    }

    /// The tokens that the event's message took.
    pub(crate) fn usage(&self) -> Option<Usage> {
        self.front().usage
    }

    /// The number of the payload's type among the segment's texts.
    pub(crate) fn payload_type(&self) -> Option<u32> {
        self.front().payload_type
    }

    /// Bytes of memory that it holds; none where they are mapped.
    pub(crate) fn own_bytes(&self) -> usize {
        match &self.bytes {
            LogBytes::Mapped(_) => 0,
            LogBytes::Read(bytes) => bytes.len(),
        }
    }

    fn front(&self) -> Front<'_> {
        let Range { start, end } = self.front;
        Front::read(&self.bytes[start as usize..end as usize]).expect("read when its shape was")
    }
}

impl<'a> Front<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self> {
        let mut input = Input(bytes);
        let first = input.byte()?;
        let kind = match first & !(REVISION | TYPED) {
            EVENT => RecordKind::Event,
            VERSION => RecordKind::Version,
            other => {
                return Err(Error::damaged(format!(
                    "expected a packed event or version, found a record of kind {other}"
                )));
            }
        };
        let flags = input.byte()?;
        link_kind(flags & LINK)?;
        let payload_type =
            if first & TYPED == 0 { None } else { Some(input.number_up_to(u64::from(u32::MAX))?) };
        let revision = first & REVISION != 0;
        let payload_len = input.number()?.checked_sub(1);
        let payload_len = payload_len.map(usize::try_from).transpose().map_err(|_| cut())?;
        let count = input.number()?;
        let before = input.0;
        let mut labels_len = 0_u64;
        for _ in 0..count {
            labels_len = labels_len.saturating_add(input.number()?);
        }
        let label_lens = &before[..before.len() - input.0.len()];
        let labels = input.bytes(usize::try_from(labels_len).map_err(|_| cut())?)?;
        let labels = std::str::from_utf8(labels)
            .map_err(|_| Error::damaged("expected labels, found bytes that are no text"))?;
        let parent = if flags & OWN_PARENT == 0 { None } else { Some(input.id()?) };
        let usage = if flags & USAGE == 0 {
            None
        } else {
            Some(Usage {
                message: input.text()?.unwrap_or_default().to_owned(),
                input: input.number()?,
                output: input.number()?,
                cache_read: input.number()?,
                cache_written: input.number()?,
            })
        };
        let len = bytes.len() - input.0.len();
        Ok(Self {
            kind,
            flags,
            revision,
            payload_type,
            parent,
            payload_len,
            label_lens,
            labels,
            usage,
            len,
        })
    }

    fn payload_start(&self) -> usize {
        if self.flags & APART == 0 { self.len } else { padded(self.len) }
    }

    /// Restores the fields as they were in the log.
    fn unpack(&self, known: &KnownColumns<'_>, payload_type: Option<&str>, meta: &mut EventMeta) {
        let parent = match self.flags & (PARENT | OWN_PARENT) {
            0 => None,
            PARENT => known.parent.as_ref(),
            _ => self.parent.as_ref(),
        };
        meta.set_ids(&known.id, parent);
        let has = |flag: u8| self.flags & flag != 0;
        let marks = Marks { own_scope: has(OWN_SCOPE), revision: self.revision };
        meta.set_plain(known.time_ns, self.flags & LINK, marks, has(DERIVED));
        let mut lens = Input(self.label_lens);
        let lens = std::iter::from_fn(move || lens.number().ok());
        let names = [known.kind, known.instance];
        meta.set_texts(names, known.session, lens, self.labels, payload_type);
        meta.set_usage(self.usage.as_ref());
    }
}

/// Appends a record up to its payload.
fn put_front(
    to: &mut Vec<u8>,
    frame: &Frame,
    fields: &ArchivedEventMeta,
    (apart, payload_type): (bool, Option<u32>),
    known: &KnownColumns<'_>,
) {
    let begin = to.len();
    let parent = fields.parent_id();
    let usage = fields.usage();
    let mut flags = fields.link_number() & LINK;
    for (flag, set) in [
        (DERIVED, fields.derived_id),
        (PARENT, parent.is_some() && parent == known.parent),
        (OWN_PARENT, parent.is_some() && parent != known.parent),
        (USAGE, usage.is_some()),
        (APART, apart),
        (OWN_SCOPE, fields.has_own_scope()),
    ] {
        flags |= if set { flag } else { 0 };
    }
    let mut first = frame.kind as u8 | PACKED;
    for (flag, set) in [(REVISION, fields.is_revision()), (TYPED, payload_type.is_some())] {
        first |= if set { flag } else { 0 };
    }
    to.extend_from_slice(&[first, flags]);
    if let Some(number) = payload_type {
        put_number(to, u64::from(number));
    }
    put_number(to, frame.payload_len.map_or(0, |length| length as u64 + 1));
    put_number(to, fields.label_lens().count() as u64);
    fields.label_lens().for_each(|length| put_number(to, u64::from(length)));
    to.extend_from_slice(fields.label_texts().as_bytes());
    if let Some(parent) = parent.filter(|_| flags & OWN_PARENT != 0) {
        put_id(to, &parent);
    }
    if let Some(usage) = usage {
        crate::base::codec::put_text(to, Some(&usage.message));
        for number in [usage.input, usage.output, usage.cache_read, usage.cache_written] {
            put_number(to, number);
        }
    }
    if apart {
        to.resize(begin + padded(to.len() - begin), 0);
    }
}

fn cut() -> Error {
    Error::damaged("expected a whole record, found its end before")
}

/// Set in the first byte of a packed record, beside its kind.
const PACKED: u8 = 0x80;
/// Set there where the record replaces what its id said before,
const REVISION: u8 = 1 << 4;
/// and where the number of the payload's type follows.
const TYPED: u8 = 1 << 5;
const EVENT: u8 = PACKED | RecordKind::Event as u8;
const VERSION: u8 = PACKED | RecordKind::Version as u8;

/// The second byte: the kind of the link,
const LINK: u8 = 0b11;
/// whether the id is derived,
const DERIVED: u8 = 1 << 2;
/// whether there is a parent, the one that the segment knows,
const PARENT: u8 = 1 << 3;
/// or another, which stands in the record,
const OWN_PARENT: u8 = 1 << 4;
/// whether there are tokens,
const USAGE: u8 = 1 << 5;
/// whether the payload stands in chunks of its own,
const APART: u8 = 1 << 6;
/// and whether the instance has a scope of its own.
const OWN_SCOPE: u8 = 1 << 7;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::log::encoded::Encoder;
    use crate::{Event, LinkKind};

    fn known(event: &Event) -> KnownColumns<'_> {
        KnownColumns {
            id: event.id.clone(),
            parent: event.parent.clone(),
            time_ns: event.time_ns,
            kind: &event.kind,
            instance: &event.instance,
            session: event.session.as_deref(),
        }
    }

    fn record(event: &Event) -> Vec<u8> {
        let mut record = Vec::new();
        let mut encoder = Encoder::new(1);
        encoder.event(event);
        encoder.finish()[0].write_to(&mut record, false);
        record
    }

    /// The only type that the segment knows.
    fn types() -> TypeNumbers {
        std::iter::once(("acme.order.v2".into(), 300)).collect()
    }

    fn text(number: u32) -> Result<&'static str> {
        if number == 300 { Ok("acme.order.v2") } else { Err(cut()) }
    }

    fn aligned(bytes: &[u8]) -> Arc<AlignedVec<ALIGN>> {
        let mut aligned = AlignedVec::new();
        aligned.extend_from_slice(bytes);
        Arc::new(aligned)
    }

    fn events() -> Vec<Event> {
        let usage = Usage {
            message: "msg_1".into(),
            input: 1,
            output: 300,
            cache_read: 1 << 40,
            cache_written: 0,
        };
        let id = |n: u8| EventId::derived("packed", &[n]);
        let plain = Event::new("tick").id(id(1)).time_ns(-5);
        vec![
            plain.clone(),
            plain.clone().payload(""),
            plain.clone().payload("{}").instance("worker").session("").parent(id(2)),
            plain.clone().id("a text").parent("another").link(LinkKind::Spawned).payload("x"),
            plain
                .clone()
                .label("key", "välue")
                .label("long", "v".repeat(300))
                .payload("y".repeat(99)),
            plain.clone().payload_type("acme.order.v2").payload("{}").label("key", "v"),
            Event { revision: true, ..plain.clone().payload_type("acme.order.v2") },
            Event::new("note").time_ns(7).usage(usage).session("session").payload("{\"a\":1}"),
        ]
    }

    #[test]
    fn a_record_comes_back_as_it_was_and_says_the_same() {
        let mut maker = Packer::new(types());
        for event in events() {
            // Once the segment knows the parent, once it knows another.
            for parent in [event.parent.clone(), Some("elsewhere".into())] {
                let record = aligned(&record(&event));
                let known = KnownColumns { parent, ..known(&event) };
                let mut packed = Vec::new();
                maker.pack(&record, false, &known, &mut packed).expect("packs");
                assert!(packed.len() < record.len() && packed.len() % ALIGN == 0);
                let shape = Shape::read(&packed, packed.len() as u64).expect("reads");
                assert!(shape.packed && shape.len() == packed.len());
                let view = PackedView::new(LogBytes::Read(aligned(&packed)), 0, shape, true)
                    .expect("reads");
                assert_eq!(view.payload(), event.payload.as_deref());
                let labels = event.labels.iter().map(|(key, value)| (&**key, &**value));
                assert!(view.labels().eq(labels));
                assert_eq!(view.usage(), event.usage);
                assert_eq!(view.payload_type(), event.payload_type.as_ref().map(|_| 300));
                let mut unpacked = AlignedVec::new();
                unpack_front(&packed, &known, text, &mut unpacked).expect("reads");
                unpacked.extend_from_slice(event.payload.as_deref().unwrap_or_default());
                unpacked.resize(padded(unpacked.len()), 0);
                assert!(unpacked.as_slice() == record.as_slice());
            }
        }
    }

    #[test]
    fn what_would_not_come_back_stays_as_it_was() {
        let mut maker = Packer::new(types());
        for event in events() {
            let record = aligned(&record(&event));
            for changed in [
                KnownColumns { time_ns: 1, ..known(&event) },
                KnownColumns { kind: "other", ..known(&event) },
                KnownColumns { id: "other".into(), ..known(&event) },
            ] {
                let mut packed = Vec::new();
                maker.pack(&record, false, &changed, &mut packed).expect("packs");
                assert!(packed == record.as_slice());
            }
            // A byte that nobody reads.
            let mut marked = aligned(&record);
            Arc::get_mut(&mut marked).expect("one owner")[2] = 1;
            let mut packed = Vec::new();
            maker.pack(&marked, false, &known(&event), &mut packed).expect("packs");
            assert!(packed == marked.as_slice());
        }
    }

    #[test]
    fn no_bytes_are_a_panic() {
        let mut maker = Packer::new(types());
        for event in events() {
            let mut packed = Vec::new();
            maker
                .pack(&aligned(&record(&event)), false, &known(&event), &mut packed)
                .expect("packs");
            let try_it = |bytes: &[u8]| {
                let Ok(shape) = Shape::read(bytes, 1 << 20) else { return };
                let Ok(view) = PackedView::new(LogBytes::Read(aligned(bytes)), 0, shape, true)
                else {
                    return;
                };
                if shape.packed {
                    view.labels().for_each(drop);
                    view.usage();
                    let _ = unpack_front(bytes, &known(&event), text, &mut AlignedVec::new());
                }
            };
            for at in 0..packed.len() {
                try_it(&packed[..at]);
                for flip in [1, 0x10, 0x80, 0xff] {
                    let mut changed = packed.clone();
                    changed[at] ^= flip;
                    try_it(&changed);
                }
            }
        }
    }
}
