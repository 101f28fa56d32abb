//! A file of the spool: the records of one batch, as they would stand in a block.
//!
//! `docs/format.md` draws it. Whoever drains a spool didn't write what is in it, so that
//! everything is checked: the digest, the records, and every limit of every field.

use crate::base::error::{Error, Result};
use crate::base::event::{Event, Quarantined};
use crate::base::id::EventId;
use crate::base::limits;
use crate::base::link::link_kind;
use crate::batch::StateUpdate;
use crate::log::encoded::{Encoded, EncodedBatch};
use crate::log::record::RecordKind;
use crate::state::fold;

/// Size of what stands in front of the records.
pub(super) const HEADER_BYTES: usize = 64;
/// More bytes than any file has.
pub(super) const MAX_FILE_BYTES: u64 = (HEADER_BYTES + limits::MAX_BATCH_BYTES) as u64;

/// What the records of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Contents {
    /// A batch as it is to be written.
    Batch = 0,
    /// The payload of a hook, as the payload of an event whose time is when it came.
    /// What event it stands for is found out when it is taken in.
    Hook = 1,
}

/// The bytes of a file with these records.
pub(super) fn encode(batch: &EncodedBatch, contents: Contents) -> Result<Vec<u8>> {
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
    bytes[24..28].copy_from_slice(&(contents as u32).to_le_bytes());
    let digest = digest(&bytes);
    bytes[DIGEST_AT..HEADER_BYTES].copy_from_slice(&digest);
    Ok(bytes)
}

/// What is in a file. `max_payload` is the longest payload that the store takes.
pub(super) fn decode(bytes: &[u8], max_payload: usize) -> Result<(Contents, EncodedBatch)> {
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
    if number(8) != VERSION {
        return Err(Error::damaged(format!(
            "expected a file of format {VERSION}, found format {}; open the store with a newer \
             release of forebear",
            number(8)
        )));
    }
    let contents = match number(24) {
        0 => Contents::Batch,
        1 => Contents::Hook,
        other => {
            return Err(Error::damaged(format!("expected contents of 0 or 1, found {other}")));
        }
    };
    let mut batch = EncodedBatch::default();
    let mut records = 0;
    for record in Encoded::read_all(&bytes[HEADER_BYTES..])? {
        records += 1;
        let kind = check(&record, max_payload)?;
        match kind {
            RecordKind::Event => batch.events.push(record),
            RecordKind::Link => batch.links.push(record),
            RecordKind::Quarantined => batch.quarantined.push(record),
            _ => batch.state.push(record),
        }
    }
    if records != number(12) || records as usize > limits::MAX_BATCH_RECORDS {
        return Err(Error::damaged(format!(
            "expected {} records, at most {}, found {records}",
            number(12),
            limits::MAX_BATCH_RECORDS
        )));
    }
    if contents == Contents::Hook && (batch.events.len(), records) != (1, 1) {
        return Err(Error::damaged(format!("expected one payload of a hook, found {records}")));
    }
    Ok((contents, batch))
}

/// Checks all fields of a record that may be handed in; returns what it is.
fn check(record: &Encoded, max_payload: usize) -> Result<RecordKind> {
    let kind = record.kind()?;
    let payload = record.payload().map_or(0, <[u8]>::len);
    match kind {
        RecordKind::Event => check_event(record, max_payload)?,
        RecordKind::Link => {
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
        RecordKind::Session | RecordKind::Relationship | RecordKind::Checkpoint => {
            if let Some(fields) = record.as_state()? {
                let value = record.payload().ok_or_else(|| {
                    Error::damaged("expected a record of state with a value, found none")
                })?;
                // What can't be folded with itself would make every later fold fail.
                fold(fields.family, Some(value), value)?;
                let (key, value) = (fields.key.to_owned(), value.to_vec());
                StateUpdate { family: fields.family, key, value }.validate()?;
            }
        }
        RecordKind::Version
        | RecordKind::Carried
        | RecordKind::Outside
        | RecordKind::Closing
        | RecordKind::RefusedLink
        | RecordKind::Lineage => {
            return Err(Error::damaged(format!(
                "expected a record that can be handed in, found one of kind {kind:?}"
            )));
        }
    }
    if payload > max_payload {
        return Err(Error::too_long("payload", max_payload, payload));
    }
    Ok(kind)
}

fn check_event(record: &Encoded, max_payload: usize) -> Result<()> {
    let fields = record.as_event()?;
    let mut event = Event::new(fields.kind())
        .id(EventId::from(&fields.id))
        .time_ns(fields.time_ns.to_native())
        .link(link_kind(fields.link)?)
        .instance(fields.instance());
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
    event.validate(max_payload)
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
/// The version of the format that this code writes, and the only one it reads.
const VERSION: u32 = 1;
/// Where in the header the digest stands.
const DIGEST_AT: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, Link, LinkKind};

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
        encode(&batch.encode(), Contents::Batch).expect("encodes")
    }

    /// The file with other records, and a digest that fits.
    fn with(records: &[Encoded]) -> Vec<u8> {
        let state = records.iter().map(|record| Encoded::read_all(record.record()).expect("reads"));
        let state = state.flatten().collect();
        encode(&EncodedBatch { state, ..EncodedBatch::default() }, Contents::Batch)
            .expect("encodes")
    }

    #[test]
    fn a_file_reads_as_it_was_written() {
        let bytes = whole();
        let (contents, batch) = decode(&bytes, 3).expect("is sound");
        assert_eq!((batch.events.len(), batch.links.len()), (2, 1));
        assert_eq!((batch.quarantined.len(), batch.state.len()), (1, 1));
        assert_eq!(encode(&batch, contents).expect("encodes"), bytes);
        let hooks = encode(&batch, Contents::Hook).expect("encodes");
        assert!(decode(&hooks, 3).is_err(), "more than a hook's payload");
        assert!(decode(&bytes, 2).is_err(), "a payload that the store doesn't take");
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
        use crate::base::state::Family;
        let link = Link::new("a", "b", LinkKind::Caused);
        for record in [
            Encoded::closing(&"a".into(), &"b".into()),
            Encoded::refused_link(&link),
            Encoded::carried(1, Family::Checkpoint, "key".into(), b"value"),
            Encoded::state(Family::Checkpoint, String::new(), b"value"),
            Encoded::state(Family::Checkpoint, crate::spool::CHECKPOINT.into(), b"value"),
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
