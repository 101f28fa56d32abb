//! Builds an index from the blocks of a log in order. The writer's own index is built by the same
//! calls, so that an index doesn't depend on whether the store was reopened.

use crate::base::error::{Error, Result};
use crate::base::link::Link;
use crate::log::block::{HEADER_BYTES, Header, Records};
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::{CrossRef, Dictionary, Entered, Index, InternedEvent, LookUp};
use crate::log::record::{
    ArchivedLinkMeta, ArchivedSettingsMeta, ArchivedSupersedesMeta, FRAME_BYTES, Frame, RecordKind,
    StateFields, SupersedesMeta, access, quarantine_key, state_fields,
};

/// An index being built.
#[derive(Debug)]
pub(crate) struct Replay {
    pub(crate) index: Index,
    /// The number of blocks applied, which is the newest commit.
    pub(crate) commit: u32,
    /// The sequence number of the first row.
    first_seq: u64,
    /// The cross-segment reference of the next event or version.
    cross_ref: Option<CrossRef>,
    /// What the next event or version replaces.
    supersedes: Vec<SupersedesMeta>,
    /// Bytes skipped since the last sound block.
    skipped_bytes: u64,
}

impl Replay {
    /// Starts an index whose first row has this sequence number.
    pub(crate) fn new(first_seq: u64) -> Self {
        Self {
            index: Index::default(),
            commit: 0,
            first_seq,
            cross_ref: None,
            supersedes: Vec::new(),
            skipped_bytes: 0,
        }
    }

    /// Applies the next block of the file `name`.
    pub(crate) fn apply(&mut self, header: &Header, body: &[u8], name: &str) -> Result<()> {
        let parsed = parse(body, self.index.dictionary_mut());
        self.apply_parsed(header, body, parsed, name)
    }

    /// Applies the next block, whose records were parsed before.
    pub(crate) fn apply_parsed(
        &mut self,
        header: &Header,
        body: &[u8],
        parsed: Result<ParsedBlock>,
        name: &str,
    ) -> Result<()> {
        let located = |error: &Error| {
            Error::damaged(format!(
                "{name}: the block at byte {} bears its digest and yet can't be read ({error:#}); \
                 it was written wrong, so please report it",
                header.offset
            ))
        };
        self.leave_room(header.first_seq).map_err(|error| located(&error))?;
        self.commit += 1;
        self.index.set_format(header.version);
        let parsed = parsed.map_err(|error| located(&error))?;
        let mut lists = parsed.lists.as_slice();
        let mut found = [LookUp::default(); LOOK_UPS];
        for records in parsed.records.chunks(LOOK_UPS) {
            for (found, record) in found.iter_mut().zip(records) {
                *found = record
                    .seen
                    .as_ref()
                    .map_or_else(LookUp::default, |seen| self.index.look_up(seen));
            }
            for (found, record) in found.iter().zip(records) {
                let offset = header.offset + (HEADER_BYTES + record.at) as u64;
                let entered = Entered { offset, commit: self.commit };
                let lists_of = record.seen.as_ref().map_or(0, |seen| seen.lists as usize);
                let (own, rest) = lists.split_at(lists_of);
                lists = rest;
                self.apply_record(record, body, *found, own, entered)
                    .map_err(|error| located(&error))?;
            }
        }
        let records = parsed.records.len() as u32;
        if records != header.records {
            let found =
                Error::damaged(format!("expected {} records, found {records}", header.records));
            return Err(located(&found));
        }
        Ok(())
    }

    /// Skips bytes that are no sound block.
    pub(crate) fn skip(&mut self, bytes: u64) {
        self.skipped_bytes += bytes;
    }

    /// Adds lost rows for the bytes skipped, up to `next_seq`, and ends a commit. Returns
    /// the sequence number of the first and their number.
    pub(crate) fn lose_up_to(&mut self, next_seq: Option<u64>) -> Result<(u64, u64)> {
        let seq = self.next_seq();
        let lost_max = std::mem::take(&mut self.skipped_bytes) / MIN_EVENT_BYTES;
        let lost = next_seq.map_or(0, |next| next.saturating_sub(seq).min(lost_max));
        self.index.add_lost(lost)?;
        self.commit += 1;
        Ok((seq, lost))
    }

    /// Adds lost rows up to the first sequence number of a block.
    fn leave_room(&mut self, first_seq: u64) -> Result<()> {
        let next_seq = self.next_seq();
        let lost_max = std::mem::take(&mut self.skipped_bytes) / MIN_EVENT_BYTES;
        match first_seq.checked_sub(next_seq) {
            Some(lost) if lost <= lost_max => self.index.add_lost(lost),
            _ => Err(Error::damaged(format!(
                "expected sequence number {next_seq}, or up to {lost_max} more, found {first_seq}"
            ))),
        }
    }

    /// The sequence number of the next row.
    pub(crate) fn next_seq(&self) -> u64 {
        self.first_seq + self.index.rows().len() as u64
    }

    fn apply_record(
        &mut self,
        record: &ParsedRecord,
        body: &[u8],
        found: LookUp,
        lists: &[u32],
        entered: Entered,
    ) -> Result<()> {
        let (meta, payload) = record.parts(body);
        if let Some(seen) = &record.seen {
            let cross_ref = self.cross_ref.take();
            let content = || Ok((ArchivedEventMeta::read(meta)?, payload));
            let row = self.index.add_seen(seen, lists, found, entered, cross_ref, content)?;
            for supersedes in self.supersedes.drain(..) {
                self.index.supersede(row, supersedes);
            }
            return Ok(());
        }
        match record.frame.kind {
            // Was seen.
            RecordKind::Event | RecordKind::Version => {}
            RecordKind::Link => {
                let asserted = access::<ArchivedLinkMeta>(meta)?.to_link()?;
                self.index.assert_link(asserted, entered.commit);
            }
            RecordKind::RefusedLink => {
                let asserted = access::<ArchivedLinkMeta>(meta)?.to_link()?;
                self.index.refuse(asserted, entered.commit);
            }
            RecordKind::CycleEdge => {
                let Link { child, parent, .. } = access::<ArchivedLinkMeta>(meta)?.to_link()?;
                self.index.mark_cycle_edge(child, parent, entered.commit);
            }
            RecordKind::CrossRef => {
                self.cross_ref = Some(CrossRef::from_meta(access(meta)?)?);
            }
            RecordKind::Quarantined => {
                let key = quarantine_key(access(meta)?, payload.unwrap_or_default());
                self.index.add_quarantined(key, entered);
            }
            RecordKind::Supersedes => {
                self.supersedes.push(access::<ArchivedSupersedesMeta>(meta)?.to_supersedes());
            }
            RecordKind::Settings => {
                let settings = access::<ArchivedSettingsMeta>(meta)?.to_settings();
                self.index.set_settings(settings);
            }
            RecordKind::NamedState | RecordKind::Retelling => {
                return Err(Error::damaged(
                    "expected a record of a log, found one of a file of the spool",
                ));
            }
            kind @ (RecordKind::Session
            | RecordKind::Relationship
            | RecordKind::Checkpoint
            | RecordKind::Lineage
            | RecordKind::State
            | RecordKind::Carried) => {
                if let Some(StateFields { kind, key, carried_for }) = state_fields(kind, meta)? {
                    self.index.add_state(kind, key, carried_for, entered);
                }
            }
        }
        Ok(())
    }
}

/// The parsed records of a block.
pub(crate) struct ParsedBlock {
    records: Vec<ParsedRecord>,
    /// The lists of each event, joined.
    lists: Vec<u32>,
}

struct ParsedRecord {
    /// The offset of the record in the body.
    at: usize,
    frame: Frame,
    /// The fields of an event or a version, its texts interned.
    seen: Option<InternedEvent>,
}

/// Parses the records of a block and interns their texts: all that does not depend on the blocks
/// before it having been applied.
pub(crate) fn parse(body: &[u8], dictionary: &mut Dictionary) -> Result<ParsedBlock> {
    let mut parsed = ParsedBlock { records: Vec::new(), lists: Vec::new() };
    for record in Records::new(body) {
        let (at, frame, _) = record?;
        let mut record = ParsedRecord { at, frame, seen: None };
        if matches!(frame.kind, RecordKind::Event | RecordKind::Version) {
            let fields = ArchivedEventMeta::read(record.parts(body).0)?;
            record.seen = Some(dictionary.see(fields, &mut parsed.lists)?);
        }
        parsed.records.push(record);
    }
    Ok(parsed)
}

impl ParsedRecord {
    /// The encoded fields and the payload. Scanners read bodies into aligned memory, which
    /// rkyv requires.
    fn parts<'b>(&self, body: &'b [u8]) -> (&'b [u8], Option<&'b [u8]>) {
        let bytes = &body[self.at..self.at + self.frame.len()];
        let start = self.frame.payload_start();
        let payload = self.frame.payload_len.map(|length| &bytes[start..start + length]);
        (&bytes[FRAME_BYTES..FRAME_BYTES + self.frame.meta_len], payload)
    }
}

/// The least bytes of an event in a log.
pub(crate) const MIN_EVENT_BYTES: u64 = 2 * FRAME_BYTES as u64;
/// Events that are looked up before the first of them is added, so that their cache misses
/// overlap.
const LOOK_UPS: usize = 32;
