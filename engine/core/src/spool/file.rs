//! A file of the spool: the records of one batch, as they would stand in a block.
//!
//! `docs/format.md` draws it. Whoever drains a spool didn't write what is in it, so that
//! everything is checked: the digest, the records, and every limit of every field.

use crate::base::error::{Error, Result};
use crate::base::event::{Event, Quarantined};
use crate::base::id::EventId;
use crate::base::kinds::Kinds;
use crate::base::limits;
use crate::base::scope::Scope;
use crate::batch::{Batch, StateUpdate};
use crate::log::encoded::{Encoded, EncodedBatch, Encoder};
use crate::log::record::RecordKind;

/// Size of what stands in front of the records.
pub(super) const HEADER_BYTES: usize = 64;
/// More bytes than any file has.
pub(super) const MAX_FILE_BYTES: u64 = (HEADER_BYTES + limits::MAX_BATCH_BYTES) as u64;

/// What is in a file.
#[derive(Debug)]
pub(crate) enum Contents {
    /// A batch as it is to be written.
    Batch(EncodedBatch),
    Foreign(ForeignContents),
}

/// Bytes that a decoder turns into a batch when they are taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ForeignContents {
    /// The decoder's name.
    pub(crate) decoder: String,
    pub(crate) bytes: Vec<u8>,
    /// When they came.
    pub(crate) time_ns: i64,
}

impl ForeignContents {
    /// As the payload of an event, whose kind is the decoder's name.
    fn to_batch(&self) -> Result<EncodedBatch> {
        let event = Event::new(self.decoder.as_str());
        let batch = Batch::from(event.payload(self.bytes.as_slice()).time_ns(self.time_ns));
        batch.validate(limits::MAX_BATCH_BYTES, &Kinds::default())?;
        batch.encode(None)
    }

    /// Files of version 1 are for the decoder without a name, whatever their event says.
    fn of(batch: &EncodedBatch, version: u32) -> Result<Self> {
        let [record] = &batch.events[..] else {
            return Err(Error::damaged(format!(
                "expected foreign contents as one event, found {} of them",
                batch.events.len()
            )));
        };
        let fields = record.as_event()?;
        let decoder = if version == 1 { DECODER_OF_VERSION_1 } else { fields.kind() };
        Ok(Self {
            decoder: decoder.to_owned(),
            bytes: record.payload().unwrap_or_default().to_vec(),
            time_ns: fields.time_ns.to_native(),
        })
    }
}

/// The bytes of a file.
pub(crate) fn encode(contents: &Contents) -> Result<Vec<u8>> {
    match contents {
        Contents::Batch(batch) => encode_records(batch, BATCH),
        Contents::Foreign(foreign) => encode_records(&foreign.to_batch()?, FOREIGN),
    }
}

fn encode_records(batch: &EncodedBatch, contents: u32) -> Result<Vec<u8>> {
    let body_len = batch.bytes();
    if body_len > limits::MAX_BATCH_BYTES {
        return Err(Error::too_long("batch for the spool", limits::MAX_BATCH_BYTES, body_len));
    }
    let mut bytes = vec![0; HEADER_BYTES];
    bytes.reserve_exact(body_len);
    let mut records = 0_u32;
    for record in batch.records() {
        bytes.extend_from_slice(record.record());
        records += 1;
    }
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..16].copy_from_slice(&records.to_le_bytes());
    bytes[16..24].copy_from_slice(&(body_len as u64).to_le_bytes());
    bytes[24..28].copy_from_slice(&contents.to_le_bytes());
    let digest = digest(&bytes);
    bytes[DIGEST_AT..HEADER_BYTES].copy_from_slice(&digest);
    Ok(bytes)
}

/// What is in a file. `max_payload` is the longest payload that the store takes; foreign
/// contents may be longer, since what they decode to is checked. Fails with
/// [`Error::is_newer`] where a newer release wrote the file, and with
/// [`Error::is_unsupported`] where it has state of a kind that this process lacks.
pub(super) fn decode(bytes: &[u8], max_payload: usize, kinds: &Kinds) -> Result<Contents> {
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(Error::damaged(format!(
            "expected a header of {HEADER_BYTES} bytes, found {}",
            bytes.len()
        )));
    };
    let number = |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| header[at + byte]));
    if header[..8] != MAGIC {
        return Err(Error::damaged("expected a file of the spool, found something else"));
    }
    if header[DIGEST_AT..] != digest(bytes) {
        return Err(Error::damaged("the bytes do not have the digest that the header gives"));
    }
    let (version, contents) = (number(8), number(24));
    if version == 0 {
        return Err(Error::damaged("expected a file of format 1 or later, found format 0"));
    }
    if version > VERSION || !matches!(contents, BATCH | FOREIGN) {
        return Err(Error::newer(format!(
            "expected a file of format {VERSION} or before with contents of 0 or 1, found format \
             {version} with contents of {contents}; open the store with a newer release of forebear"
        )));
    }
    let max_payload = if contents == FOREIGN { limits::MAX_BATCH_BYTES } else { max_payload };
    let mut batch = EncodedBatch::default();
    let mut records = 0;
    for record in Encoded::read_all(&bytes[HEADER_BYTES..])? {
        records += 1;
        let kind = check(&record, max_payload)?;
        if let Some(state) = state(&record, max_payload, kinds)? {
            batch.state.push(state);
            continue;
        }
        match kind {
            RecordKind::Event if version == 1 => batch.events.extend(with_own_scope(&record)?),
            RecordKind::Event => batch.events.push(record),
            RecordKind::Link => batch.links.push(record),
            RecordKind::Retelling => batch.retellings.push(record),
            RecordKind::Quarantined => batch.quarantined.push(record),
            kind => {
                return Err(Error::damaged(format!(
                    "expected a record that can be handed in, found one of kind {kind:?}"
                )));
            }
        }
    }
    if records != number(12) || records as usize > limits::MAX_BATCH_RECORDS {
        return Err(Error::damaged(format!(
            "expected {} records, at most {}, found {records}",
            number(12),
            limits::MAX_BATCH_RECORDS
        )));
    }
    if contents == BATCH {
        return Ok(Contents::Batch(batch));
    }
    if records != 1 {
        return Err(Error::damaged(format!(
            "expected foreign contents as one record, found {records}"
        )));
    }
    ForeignContents::of(&batch, version).map(Contents::Foreign)
}

/// Checks all fields of a record that may be handed in; returns what it is.
fn check(record: &Encoded, max_payload: usize) -> Result<RecordKind> {
    let kind = record.kind()?;
    let payload = record.payload().map_or(0, <[u8]>::len);
    match kind {
        RecordKind::Event => event(record)?.validate(max_payload)?,
        RecordKind::Link | RecordKind::Retelling => {
            let link = record.as_link()?.to_link()?;
            check_id(&link.child)?;
            check_id(&link.parent)?;
            link.validate()?;
        }
        RecordKind::Quarantined => {
            let fields = record.as_quarantined()?;
            let input = Quarantined {
                source: fields.source.as_str().to_owned(),
                line: fields.line.to_native(),
                offset: fields.offset.to_native(),
                length: fields.length.to_native(),
                reason: fields.reason.as_str().to_owned(),
                bytes: Vec::new(),
            };
            input.validate(max_payload)?;
        }
        _ => {}
    }
    if payload > max_payload {
        return Err(Error::too_long("payload", max_payload, payload));
    }
    Ok(kind)
}

/// A record of state as it is to be written, checked; none where the record is another.
fn state(record: &Encoded, max_payload: usize, kinds: &Kinds) -> Result<Option<Encoded>> {
    let Some((kind, key)) = record.as_handed_in()? else { return Ok(None) };
    let value = record
        .payload()
        .ok_or_else(|| Error::damaged("expected a record of state with a value, found none"))?;
    let kind = kind.map(|kind| kind.to_owned().into());
    let update = StateUpdate { kind, key: key.to_owned(), value: value.to_vec() };
    update.validate(max_payload, kinds)?;
    // What can't be folded with itself would make every later fold fail.
    if let Some(kind) = &update.kind {
        kinds.fold(kinds.id(kind)?, Some(value), value)?;
    }
    update.encode(Some(kinds)).map(Some)
}

/// The events of a file of version 1, in which every instance has a scope of its own.
fn with_own_scope(record: &Encoded) -> Result<Vec<Encoded>> {
    let mut event = event(record)?.scope(Scope::Own);
    event.payload = record.payload().map(<[u8]>::to_vec);
    let mut encoder = Encoder::new(1);
    encoder.event(&event);
    Ok(encoder.finish())
}

/// The event of a record, its payload aside.
fn event(record: &Encoded) -> Result<Event> {
    let fields = record.as_event()?;
    let mut event = Event::new(fields.kind())
        .id(EventId::from(&fields.id))
        .time_ns(fields.time_ns.to_native())
        .link(fields.link_kind()?)
        .instance(fields.instance())
        .scope(Scope::of(fields.has_own_scope()));
    event.derived_id = fields.derived_id;
    event.payload_type = fields.payload_type().map(str::to_owned);
    event.revision = fields.is_revision();
    event.parent = fields.parent_id();
    event.session = fields.session().map(str::to_owned);
    event.usage = fields.usage();
    let mut before = None;
    for (key, value) in fields.labels() {
        if before.is_some_and(|before| before >= key) {
            return Err(Error::damaged("expected labels in order of their keys, found others"));
        }
        before = Some(key);
        event = event.label(key, value);
    }
    check_id(&event.id)?;
    event.parent.iter().try_for_each(check_id)?;
    Ok(event)
}

/// Refuses the text of a UUID that does not stand as a UUID: it would be another id.
fn check_id(id: &EventId) -> Result<()> {
    match id.as_text() {
        Some(text) if EventId::from(text) != *id => {
            Err(Error::damaged(format!("expected {text} as a UUID, found it as a text")))
        }
        _ => Ok(()),
    }
}

/// BLAKE3 of the header up to the digest, and of all behind it.
fn digest(bytes: &[u8]) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&bytes[..DIGEST_AT]).update(&bytes[HEADER_BYTES..]);
    *hasher.finalize().as_bytes()
}

/// The first bytes of every file.
const MAGIC: [u8; 8] = *b"frbrSPL\n";
/// The version of the format that this code writes, and the newest it reads.
const VERSION: u32 = 2;
/// What a header says of the records: a batch, or one event that holds foreign contents.
const BATCH: u32 = 0;
const FOREIGN: u32 = 1;
/// Files of version 1 name no decoder. No decoder of a later file has this name: an event
/// without a kind is invalid.
const DECODER_OF_VERSION_1: &str = "";
/// Where in the header the digest stands.
const DIGEST_AT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Link, LinkKind};

    fn decode(bytes: &[u8], max_payload: usize) -> Result<Contents> {
        super::decode(bytes, max_payload, &Kinds::default())
    }

    fn whole() -> Vec<u8> {
        let input = Quarantined {
            source: "file".into(),
            line: 1,
            offset: 2,
            length: 3,
            reason: "why".into(),
            bytes: b"nan".to_vec(),
        };
        let batch = Batch::new()
            .event(Event::new("e").id("a").parent("b").label("x", "1").label("y", "2").payload("p"))
            .event(Event::new("e"))
            .link(Link::new("c", "d", LinkKind::Spawned))
            .quarantine(input)
            .checkpoint("file", "7");
        encode(&Contents::Batch(batch.encode(None).expect("encodes"))).expect("encodes")
    }

    fn foreign() -> ForeignContents {
        ForeignContents { decoder: "letters".into(), bytes: b"Dear ...".to_vec(), time_ns: -7 }
    }

    /// The file with another number in its header, and a digest that fits.
    fn with_number(mut bytes: Vec<u8>, at: usize, number: u32) -> Vec<u8> {
        bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
        let digest = digest(&bytes);
        bytes[DIGEST_AT..HEADER_BYTES].copy_from_slice(&digest);
        bytes
    }

    /// The file with other records, and a digest that fits.
    fn with(records: &[Encoded]) -> Vec<u8> {
        let state = records.iter().map(|record| Encoded::read_all(record.record()).expect("reads"));
        let state = state.flatten().collect();
        let batch = EncodedBatch { state, ..EncodedBatch::default() };
        encode(&Contents::Batch(batch)).expect("encodes")
    }

    #[test]
    fn a_file_reads_as_it_was_written() {
        let bytes = whole();
        let Contents::Batch(batch) = decode(&bytes, 3).expect("is sound") else {
            panic!("expected a batch");
        };
        assert_eq!((batch.events.len(), batch.links.len()), (2, 1));
        assert_eq!((batch.quarantined.len(), batch.state.len()), (1, 1));
        assert_eq!(encode(&Contents::Batch(batch)).expect("encodes"), bytes);
        let several = with_number(bytes.clone(), 24, FOREIGN);
        assert!(decode(&several, 3).is_err(), "foreign contents are one record");
        assert!(decode(&bytes, 2).is_err(), "a payload that the store doesn't take");
    }

    #[test]
    fn foreign_contents_read_as_they_were_written_and_those_of_version_1_are_for_the_unnamed_decoder()
     {
        let bytes = encode(&Contents::Foreign(foreign())).expect("encodes");
        let read = |bytes: &[u8]| match decode(bytes, 1).expect("is sound") {
            Contents::Foreign(foreign) => foreign,
            Contents::Batch(_) => panic!("expected foreign contents"),
        };
        assert_eq!(read(&bytes), foreign());
        let of_version_1 = with_number(bytes, 8, 1);
        assert_eq!(read(&of_version_1), ForeignContents { decoder: String::new(), ..foreign() });
        for decoder in [String::new(), "x".repeat(limits::MAX_KIND_BYTES + 1)] {
            let foreign = Contents::Foreign(ForeignContents { decoder, ..foreign() });
            assert!(encode(&foreign).is_err_and(|error| error.is_invalid()));
        }
    }

    #[test]
    fn what_a_newer_release_wrote_is_not_damaged() {
        for (at, number) in [(8, VERSION + 1), (24, FOREIGN + 1)] {
            let error = decode(&with_number(whole(), at, number), 9).expect_err("is newer");
            assert!(error.is_newer(), "{error}");
        }
        assert!(decode(&with_number(whole(), 8, 0), 9).expect_err("is none").is_damaged());
    }

    #[test]
    fn every_changed_or_missing_byte_is_found() {
        let bytes = whole();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << (at % 8);
            assert!(decode(&changed, 9).is_err(), "byte {at}");
            assert!(decode(&bytes[..at], 9).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn records_that_only_a_store_writes_are_refused_also_with_a_digest() {
        use crate::base::state::KindId;
        let link = Link::new("a", "b", LinkKind::Caused);
        for record in [
            Encoded::cycle_edge(&"a".into(), &"b".into()),
            Encoded::refused_link(&link),
            Encoded::carried(1, KindId::CHECKPOINT, "key".into(), b"value"),
            Encoded::state(KindId::CHECKPOINT, String::new(), b"value"),
            Encoded::state(KindId::CHECKPOINT, crate::state::checkpoint::SPOOL.into(), b"value"),
        ] {
            assert!(decode(&with(&[record]), 99).is_err());
        }
        assert!(decode(&with(&[Encoded::link(&link)]), 99).is_ok());
    }

    #[test]
    fn bytes_behind_a_digest_that_fits_are_no_panic() {
        let bytes = whole();
        for at in HEADER_BYTES..bytes.len() {
            for flip in [1, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[at] ^= flip;
                let digest = digest(&changed);
                changed[DIGEST_AT..HEADER_BYTES].copy_from_slice(&digest);
                let _ = decode(&changed, 9);
            }
        }
    }
}
