//! Seals a full log of a store: writes its files and returns its entry for the manifest.

use std::io::ErrorKind;

use crate::base::error::{Error, Result};
use crate::base::format::{FORMAT_VERSION, StoreId};
use crate::base::kinds::{AllReduced, Kinds};
use crate::log::reader::Via;
use crate::log::reduce_index;
use crate::log::view::LogView;
use crate::manifest::Sealed;
use crate::manifest::{LogStart, idx_name, seg_name};
use crate::seal::file::{Companions, Frozen, IndexFile, Packing, seal};
use crate::seal::filter_keys;
use crate::seal::spine::EarlierSegments;
use crate::segment::filter;
use crate::segment::index::{IndexSource, StateOf, content_digest};
use crate::segment::late::{LATE_SEGMENTS, LateParent};
use crate::segment::open_index;
use crate::segment::pages::page_digests;
use crate::segment::spine::Entry;
use crate::storage::Storage;
use crate::view::{Source, View};

/// Seals a log that does not change any more, at a compression `level` of zstd. The files are
/// durable when this returns. The manifest is the caller's to change: until then they are
/// leftovers that the next opening removes.
pub(crate) fn seal_log(
    full: &LogView,
    start: LogStart,
    store: StoreId,
    level: i32,
    view: &View,
    storage: &dyn Storage,
) -> Result<Sealed> {
    let kinds = view.kinds();
    kinds.expect_all("to seal a log")?;
    let index = full.index();
    let frozen = Frozen {
        index: &index,
        file: full.log.reader.file(),
        name: full.log.reader.name(),
        store,
        segment: start.segment,
        first_seq: start.first_seq,
        before: start.previous,
        kinds: kinds.ids().into_iter().collect(),
        floor: view.sealed.first().map_or(start.segment, |oldest| oldest.segment),
    };
    let (seg, idx) = (seg_name(start.segment), idx_name(start.segment));
    let next = format!("{seg}.next");
    let mut beside = Beside { full, view, storage, idx: &idx, kinds: &kinds, reduced: None };
    let small = has_small_records(full.visible.log_end, full.visible.rows);
    let before =
        SealedBefore { view, segment: start.segment, small, log_bytes: full.visible.log_end };
    let footer = seal(&frozen, &before, packing(small, level), &mut beside, storage, &next)?;
    storage.rename(&next, &seg).map_err(|error| Error::io("rename", &next, error))?;
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", &seg, error))?;
    let file = storage.open(&seg).map_err(|error| Error::io("open", &seg, error))?;
    let seg_bytes = file.len().map_err(|error| Error::io("read the length of", &seg, error))?;
    Ok(footer.to_sealed(seg_bytes))
}

/// The sealed segments before the new one.
struct SealedBefore<'a> {
    view: &'a View,
    /// The number of the new segment.
    segment: u64,
    /// Whether the records of the log are small.
    small: bool,
    log_bytes: u64,
}

impl EarlierSegments for SealedBefore<'_> {
    fn entry(&self, seq: u64) -> Result<Option<Entry>> {
        let located = self.view.locate(seq).and_then(|located| match located {
            Some((Source::Sealed(segment), row)) => segment.entry(row).map(Some),
            _ => Ok(None),
        });
        match located {
            // Skip pointers do without what can't be read, as without what has expired.
            Err(error) if error.is_damaged() => Ok(None),
            entry => entry,
        }
    }

    /// The dictionary of the segment before, where it fits: decoders then keep one for many
    /// segments. Small records of one store have much in common; large ones gain from what
    /// their own log repeats. Every [`SAME_DICTIONARY`] segments a new one follows the
    /// content.
    fn dictionary(&self) -> Option<Vec<u8>> {
        let last = self.view.sealed.last()?;
        let follows =
            last.segment + 1 == self.segment && !self.segment.is_multiple_of(SAME_DICTIONARY);
        if !follows || !self.small || !has_small_records(last.raw_bytes, last.rows) {
            return None;
        }
        // A short log made a short dictionary.
        if last.raw_bytes < self.log_bytes.min(FULL_LOG_BYTES) {
            return None;
        }
        // If it can't be read, a new one is made.
        let before = self.view.segments.open(last).ok()?;
        before.dictionary().ok().map(<[u8]>::to_vec)
    }
}

/// Makes what takes more than the log to know.
struct Beside<'a> {
    full: &'a LogView,
    view: &'a View,
    storage: &'a dyn Storage,
    idx: &'a str,
    kinds: &'a Kinds,
    /// What the log's rows come to, from when the filter is made until the index is.
    reduced: Option<AllReduced>,
}

impl Companions for Beside<'_> {
    fn filter(&mut self, source: IndexSource<'_>) -> Result<Vec<u8>> {
        // Without a filter every key may be in the segment.
        let reduced = reduce_index(self.kinds, source.index, source.first_seq)?;
        let keys = filter_keys(source.index, source.entries, self.kinds, &reduced);
        self.reduced = Some(reduced);
        Ok(filter::build(&keys).unwrap_or_default())
    }

    fn late_parents(&mut self, source: IndexSource<'_>) -> Result<Vec<LateParent>> {
        let mut found = Vec::new();
        let sealed = &self.view.sealed;
        for sealed in &sealed[sealed.len().saturating_sub(LATE_SEGMENTS)..] {
            match late_parents_of(&source, self.view, sealed) {
                Ok(late) => found.extend(late),
                // The table is only an optimization: late parents are found by their ids, too. So
                // a segment that has expired meanwhile or is damaged is skipped.
                Err(error) if error.is_damaged() || error.is_expired() => {}
                Err(error) if error.io_kind() == Some(ErrorKind::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    fn index(&mut self, source: IndexSource<'_>) -> Result<IndexFile> {
        let digest = |row: u32| {
            let offset = source.index.row(row).offset;
            let end = self.full.visible.log_end;
            let record = self.full.log.reader.event(offset, end, true, Via::Reads)?;
            Ok(content_digest(record.fields(), record.payload()))
        };
        let log = self.full;
        let value = |offset| log.log.reader.state_value(offset, log.visible.log_end);
        let reduced = match self.reduced.take() {
            Some(reduced) => reduced,
            None => reduce_index(self.kinds, source.index, source.first_seq)?,
        };
        let state = StateOf { kinds: self.kinds, reduced: &reduced, value: &value };
        let bytes = open_index::build(source, digest, FORMAT_VERSION, state)?;
        open_index::write(self.storage, self.idx, &bytes)?;
        Ok(IndexFile { bytes: bytes.len() as u64, digests: page_digests(&bytes) })
    }
}

/// The late parents, in a log, of the events of an earlier segment. O(parents that the segment
/// names and does not hold).
fn late_parents_of(
    source: &IndexSource<'_>,
    view: &View,
    sealed: &Sealed,
) -> Result<Vec<LateParent>> {
    let segment = view.segments.open(sealed)?;
    let mut found = Vec::new();
    segment.absent_parents(|child, id| {
        let Some(row) = source.index.event_row(&id) else { return Ok(()) };
        if source.index.has_marks() && source.index.is_marked_across(&segment.id(child)?, &id) {
            return Ok(());
        }
        let Entry { anchor, depth, .. } = source.entries[row as usize];
        found.push(LateParent { child: sealed.first_seq + u64::from(child), row, anchor, depth });
        Ok(())
    })?;
    Ok(found)
}

/// The parameters for a log. A chain's records are read together, so that a chunk has about
/// forty small records or a hundred large ones.
fn packing(small: bool, level: i32) -> Packing {
    let chunk_bytes = if small { 16 << 10 } else { 256 << 10 };
    Packing { level, chunk_bytes, dictionary_bytes: 256 << 10 }
}

/// Whether the records of a log are small on average.
fn has_small_records(log_bytes: u64, rows: u32) -> bool {
    log_bytes / u64::from(rows.max(1)) < LARGE_RECORD_BYTES
}

/// Records of at least this average length go into larger chunks.
const LARGE_RECORD_BYTES: u64 = 1 << 10;
/// Bytes of a log that suffice for a dictionary of full length.
const FULL_LOG_BYTES: u64 = 16 << 20;
/// The most segments that share a dictionary.
const SAME_DICTIONARY: u64 = 16;
