//! The `.idx` of a sealed segment: a redb database that answers where to start.
//!
//! All entries stand in one table, whose keys begin with the byte of a [`Table`],
//! many packed to an entry. It is made from the index of a frozen log and the
//! segment's spine, and can be made again from the segment at any time.

mod asserted;
mod children;
mod dimensions;
mod ids;
mod lists;
#[cfg(test)]
pub(crate) mod measure;
pub(crate) mod packing;
mod sequences;
mod state;
mod store;
mod tables;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::OnceLock;

use crate::base::codec::{Input, put_id, put_number};
use crate::base::error::{Error, Result};
use crate::base::event::Usage;
use crate::base::kinds::{AllReduced, Kinds};
use crate::log::fields::ArchivedEventMeta;
use crate::log::index::Index;
use crate::segment::spine::Entry;

use children::StoredChildren;
use lists::ListWriter;
use store::IndexTable;
use tables::Table;

pub(crate) use asserted::{KeptLink, LinkEnd, Standing, of as kept_links};
pub(crate) use dimensions::{Dim, Values};
pub(crate) use store::{Bytes, IndexBytes, have_same_entries};

/// A digest of the content of an event or a version.
pub(crate) type ContentDigest = [u8; 8];

/// What an index is built from: a frozen log and the spine that was made of it.
#[derive(Clone, Copy)]
pub(crate) struct IndexSource<'a> {
    pub(crate) index: &'a Index,
    pub(crate) first_seq: u64,
    pub(crate) entries: &'a [Entry],
    /// The slot of each row in the spine.
    pub(crate) slots: &'a [u32],
    /// For each record that is neither an event nor a version, its offset in the log and
    /// its heap address, in the order of the log.
    pub(crate) others: &'a [(u64, u32)],
}

/// What an index is built from besides the index of the log and the spine.
pub(crate) struct Extra<'a> {
    /// The content digests of all rows that are versions.
    pub(crate) versions: Vec<(u32, ContentDigest)>,
    /// The heap addresses of quarantined input, in order.
    pub(crate) quarantined: &'a [u64],
    /// The slot of each row in the spine.
    pub(crate) slots: &'a [u32],
    /// The format of the segment.
    pub(crate) format: u32,
    pub(crate) state: StateOf<'a>,
}

/// The state of a log.
#[derive(Clone, Copy)]
pub(crate) struct StateOf<'a> {
    pub(crate) kinds: &'a Kinds,
    /// What its rows come to.
    pub(crate) reduced: &'a AllReduced,
    /// Reads the value of the record of state at an offset of the log.
    pub(crate) value: &'a dyn Fn(u64) -> Result<Vec<u8>>,
}

/// The open index of a sealed segment.
#[derive(Debug)]
pub(crate) struct SegmentIndex {
    tree: IndexTable,
    rows: u32,
    /// The number of links of each standing.
    links: [u32; 4],
    /// The least sequence number that is replaced, once it was asked for.
    least_superseded: OnceLock<u64>,
}

/// Builds the bytes of the `.idx` of a frozen log. Equal input gives equal bytes, so that a
/// rebuilt index matches the digests that its segment has of it.
pub(crate) fn build(
    index: &Index,
    entries: &[Entry],
    first_seq: u64,
    extra: Extra<'_>,
) -> Result<Vec<u8>> {
    let children = StoredChildren::of(index);
    let links = asserted::of(index);
    store::build(|table| {
        let mut head = vec![extra.format as u8];
        put_number(&mut head, first_seq);
        put_number(&mut head, entries.len() as u64);
        for standing in Standing::ALL {
            let count = links.iter().filter(|link| link.standing == standing).count();
            put_number(&mut head, count as u64);
        }
        table.put(&Table::Head.key(&[]), &head)?;
        ids::write(entries, extra.slots, table)?;
        let mut lists = ListWriter::default();
        let dimensions = dimensions::write(index, entries, &mut lists, table)?;
        let [inside, absent] = children.write(&mut lists, table)?;
        for (key, value) in [dimensions, inside, absent].into_iter().flatten() {
            table.put(&key, &value)?;
        }
        asserted::write(&links, table)?;
        sequences::write_awaited(&sequences::awaited(index), table)?;
        sequences::write_numbers(Table::Quarantined, extra.quarantined, table)?;
        let mut keys: Vec<[u8; 16]> = index.quarantine_keys().copied().collect();
        sequences::write_keys(Table::QuarantineKeys, &mut keys, table)?;
        ids::write_versions(entries, extra.versions.into_iter(), table)?;
        state::write(index.states(), extra.state, table)?;
        sequences::write_superseded(index, table)
    })
}

/// A digest of an event's content: of the payload, or of the fields where there is none. Part of
/// the format.
pub(crate) fn content_digest(fields: &ArchivedEventMeta, payload: Option<&[u8]>) -> ContentDigest {
    let mut hasher = blake3::Hasher::new();
    if let Some(payload) = payload {
        hasher.update(&[1]).update(payload);
    } else {
        let mut bytes = vec![0, fields.link_number()];
        let mut put_text = |text: &str| {
            put_number(&mut bytes, text.len() as u64);
            bytes.extend_from_slice(text.as_bytes());
        };
        put_text(fields.kind());
        put_text(fields.instance());
        for (key, value) in fields.labels() {
            put_text(key);
            put_text(value);
        }
        bytes.extend_from_slice(&fields.time_ns.to_native().to_le_bytes());
        // Optional fields come last, each after a byte that says whether it is there.
        bytes.push(u8::from(fields.session().is_some()));
        if let Some(session) = fields.session() {
            put_number(&mut bytes, session.len() as u64);
            bytes.extend_from_slice(session.as_bytes());
        }
        bytes.push(u8::from(fields.parent_id().is_some()));
        if let Some(parent) = fields.parent_id() {
            put_id(&mut bytes, &parent);
        }
        if let Some(usage) = fields.usage() {
            put_number(&mut bytes, usage.message.len() as u64);
            bytes.extend_from_slice(usage.message.as_bytes());
            let Usage { input, output, cache_read, cache_written, .. } = usage;
            for number in [input, output, cache_read, cache_written] {
                put_number(&mut bytes, number);
            }
        }
        hasher.update(&bytes);
    }
    let mut digest = [0; 8];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    digest
}

impl SegmentIndex {
    /// Opens the index of a segment of this format with this first sequence number and
    /// number of rows. `name` is that of the file, for errors.
    pub(crate) fn open(
        name: &str,
        bytes: impl IndexBytes,
        format: u32,
        first_seq: u64,
        rows: u32,
    ) -> Result<Self> {
        let tree = IndexTable::open(name, bytes)?;
        let read = tree.get(&Table::Head.key(&[]), IndexHead::read)?;
        let head =
            read.ok_or_else(|| Error::damaged(format!("{name}: an index without a head")))?;
        if (u32::from(head.format), head.first_seq, head.rows) != (format, first_seq, rows) {
            return Err(Error::damaged(format!(
                "{name}: expected an index of format {format} for {rows} rows from {first_seq} \
                 on, found one of format {} for {} rows from {} on; it can be built again",
                head.format, head.rows, head.first_seq
            )));
        }
        Ok(Self { tree, rows, links: head.links, least_superseded: OnceLock::new() })
    }

    fn damaged(&self, what: &str, error: &Error) -> Error {
        Error::damaged(format!(
            "{}: expected {what}, found something else ({error}); the index can be built again",
            self.tree.name()
        ))
    }
}

/// The first entry.
struct IndexHead {
    format: u8,
    first_seq: u64,
    rows: u32,
    links: [u32; 4],
}

impl IndexHead {
    fn read(value: &[u8]) -> Result<Self> {
        let mut input = Input(value);
        let format = input.byte()?;
        let first_seq = input.number()?;
        let rows = input.number_up_to(u64::from(u32::MAX))?;
        let mut links = [0; 4];
        for count in &mut links {
            *count = input.number_up_to(u64::from(u32::MAX) / 4)?;
        }
        Ok(Self { format, first_seq, rows, links })
    }
}
