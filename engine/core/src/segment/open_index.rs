//! Opens the index of a segment, and rebuilds one that is missing or damaged.

use std::io;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::kinds::{AllReduced, Kinds};
use crate::base::row::Flags;
use crate::base::warnings::{WarningKind, Warnings};
use crate::log::index::NOW;
use crate::log::reduce_index;
use crate::manifest::idx_name;
use crate::segment::file::SegFile;
use crate::segment::heap::ChunkCache;
use crate::segment::index::{
    self, Bytes, ContentDigest, Extra, IndexBytes, IndexSource, SegmentIndex, StateOf,
};
use crate::segment::pages::{
    Digests, FileBytes, PAGE_BYTES, PageDigest, Pages, page_digest, page_digests,
};
use crate::segment::rebuild::Replayed;
use crate::segment::spine::Entry;
use crate::storage::Storage;

/// Opens the index of a segment. One that is missing or damaged is rebuilt from the segment,
/// in O(events), and written where the store is `writable`; `report` gets a warning. Returns the
/// pages of the file too, unless the index is in memory.
pub(crate) fn open(
    storage: &dyn Storage,
    file: &SegFile,
    cache: &ChunkCache,
    kinds: &Kinds,
    writable: bool,
    warnings: &Warnings,
) -> Result<(SegmentIndex, Option<Arc<Pages>>)> {
    let name = idx_name(file.footer().segment);
    let reason = match open_file(storage, file, &name) {
        Ok((index, pages)) => return Ok((index, Some(pages))),
        Err(error) if error.io_kind().is_some_and(|kind| !can_be_rebuilt(kind)) => {
            return Err(error);
        }
        Err(error) => error,
    };
    let bytes = rebuild(file, cache, kinds)?;
    let rebuilt = format!("{name} was made again from {}", file.name());
    warnings.report_error(WarningKind::IndexRebuilt, rebuilt, reason);
    if writable && let Err(error) = write_rebuilt(storage, file, &name, &bytes) {
        let kept = format!("{name} was made again, and is in memory alone");
        warnings.report_error(WarningKind::IndexNotWritten, kept, error);
    }
    let footer = file.footer();
    let bytes = Bytes(bytes);
    Ok((SegmentIndex::open(&name, bytes, footer.format, footer.first_seq, footer.rows)?, None))
}

/// Whether there is no index to read: no file of its name, or no regular one.
fn can_be_rebuilt(kind: io::ErrorKind) -> bool {
    matches!(kind, io::ErrorKind::NotFound | io::ErrorKind::InvalidData)
}

/// Rebuilds the bytes of a segment's index from the segment.
pub(crate) fn rebuild(file: &SegFile, cache: &ChunkCache, kinds: &Kinds) -> Result<Vec<u8>> {
    let kinds = &kinds.of_segment(&file.footer().kinds())?;
    let replayed = file.replay(cache)?;
    let mut entries = Vec::with_capacity(file.footer().rows as usize);
    for row in 0..file.footer().rows {
        entries.push(file.entry(row)?);
    }
    let reduced = reduce_index(kinds, &replayed.index, file.footer().first_seq)?;
    made_of(file, &replayed, &entries, cache, (kinds, &reduced))
}

/// Builds the bytes of a segment's index from its replayed log and its spine.
pub(crate) fn made_of(
    file: &SegFile,
    replayed: &Replayed,
    entries: &[Entry],
    cache: &ChunkCache,
    (kinds, reduced): (&Kinds, &AllReduced),
) -> Result<Vec<u8>> {
    let digest = |row: u32| {
        let record = file.whole_record(row, cache)?;
        Ok(index::content_digest(record.fields(), record.payload()))
    };
    let first_seq = file.footer().first_seq;
    let others = &replayed.others;
    let value = |offset| file.state_value(in_heap(others, offset)?, cache);
    let slots: Result<Vec<u32>> = (0..file.footer().rows).map(|row| file.slot(row)).collect();
    let source = IndexSource { index: &replayed.index, first_seq, entries, slots: &slots?, others };
    build(source, digest, file.footer().format, StateOf { kinds, reduced, value: &value })
}

/// Reads an index file that should have `expected` bytes, and at most twice as many.
pub(crate) fn read_file(storage: &dyn Storage, name: &str, expected: u64) -> Result<Vec<u8>> {
    let file = storage.open(name).map_err(|error| Error::io("open", name, error))?;
    let length = file.len().map_err(|error| Error::io("read the length of", name, error))?;
    let mut bytes = vec![0; length.min(expected.saturating_mul(2)) as usize];
    let read = file.read_at(&mut bytes, 0).map_err(|error| Error::io("read", name, error))?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Builds the bytes of an index. `digest` returns the content digest of a version's row.
pub(crate) fn build(
    IndexSource { index, first_seq, entries, slots, others }: IndexSource<'_>,
    digest: impl Fn(u32) -> Result<ContentDigest>,
    format: u32,
    state: StateOf<'_>,
) -> Result<Vec<u8>> {
    let mut versions = Vec::new();
    for (row, entry) in (0..).zip(entries) {
        if entry.flags.has(Flags::VERSION) {
            versions.push((row, digest(row)?));
        }
    }
    let mut quarantined = Vec::new();
    for &(offset, _) in index.quarantined(NOW) {
        quarantined.push(u64::from(in_heap(others, offset)?));
    }
    let extra = Extra { versions, quarantined: &quarantined, slots, format, state };
    index::build(index, entries, first_seq, extra)
}

/// The heap address of a record that is no event, by its offset in the log.
fn in_heap(others: &[(u64, u32)], offset: u64) -> Result<u32> {
    let found = others.binary_search_by_key(&offset, |&(offset, _)| offset);
    let at = found.map_err(|_| {
        Error::damaged(format!("expected the record at byte {offset} of the log in the heap"))
    })?;
    Ok(others[at].1)
}

/// Writes a rebuilt index. One with other bytes than the segment has digests of, which another
/// release of redb gives it, has digests of its own at its end.
pub(crate) fn write_rebuilt(
    storage: &dyn Storage,
    file: &SegFile,
    name: &str,
    bytes: &[u8],
) -> Result<()> {
    if is_as_sealed(file, bytes)? {
        return write(storage, name, bytes);
    }
    let digests = page_digests(bytes);
    let mut whole = bytes.to_vec();
    whole.extend_from_slice(digests.as_flattened());
    whole.extend_from_slice(&OWN_DIGESTS);
    let digest = blake3::hash(&whole[bytes.len()..]);
    whole.extend_from_slice(digest.as_bytes());
    write(storage, name, &whole)
}

/// Whether these are the bytes of an index that the segment has digests of.
pub(crate) fn is_as_sealed(file: &SegFile, bytes: &[u8]) -> Result<bool> {
    let digests = file.index_digests()?;
    Ok(bytes.len() as u64 == file.footer().index_bytes
        && wrong_page(bytes, |page| digests.of(page)).is_none())
}

/// The first page of an index file that is not as its digest has it, and the length of the
/// index in it: by the digests at its end, where it has them, else by those of the segment.
pub(crate) fn check_file(file: &SegFile, bytes: &[u8]) -> Result<(usize, Option<usize>)> {
    let Some(length) = own_digests_at(bytes) else {
        let digests = file.index_digests()?;
        let wrong = wrong_page(bytes, |page| digests.of(page));
        let cut = (bytes.len() as u64 != file.footer().index_bytes).then_some(bytes.len());
        return Ok((bytes.len(), wrong.or(cut)));
    };
    let (index, digests) = bytes.split_at(length);
    let (digests, _) = digests.as_chunks::<DIGEST_BYTES>();
    Ok((length, wrong_page(index, |page| digests.get(page))))
}

/// Where the pages of an index end that has digests of its own behind them.
fn own_digests_at(bytes: &[u8]) -> Option<usize> {
    let pages = bytes.len().checked_sub(OWN_DIGESTS.len() + 32)? / (PAGE_BYTES + DIGEST_BYTES);
    let at = pages * PAGE_BYTES;
    let end = at + pages * DIGEST_BYTES + OWN_DIGESTS.len();
    let is_sound = bytes.len() == end + 32
        && bytes[..end].ends_with(&OWN_DIGESTS)
        && blake3::hash(&bytes[at..end]).as_bytes()[..] == bytes[end..];
    is_sound.then_some(at)
}

/// The offset of the first page that has another digest.
fn wrong_page<'d>(bytes: &[u8], digest: impl Fn(usize) -> Option<&'d PageDigest>) -> Option<usize> {
    let mut pages = bytes.chunks(PAGE_BYTES).enumerate();
    let wrong = pages.find(|&(page, bytes)| digest(page) != Some(&page_digest(bytes)));
    wrong.map(|(page, _)| page * PAGE_BYTES)
}

/// Writes an index file under another name, syncs it and renames it.
pub(crate) fn write(storage: &dyn Storage, name: &str, bytes: &[u8]) -> Result<()> {
    let next = format!("{name}.next");
    let file = storage.create(&next).map_err(|error| Error::io("make", &next, error))?;
    for (at, part) in (0..).step_by(WRITE_BYTES).zip(bytes.chunks(WRITE_BYTES)) {
        file.write_at(part, at).map_err(|error| Error::io("write", &next, error))?;
    }
    file.sync().map_err(|error| Error::io("sync", &next, error))?;
    storage.rename(&next, name).map_err(|error| Error::io("rename", &next, error))?;
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", name, error))
}

fn open_file(
    storage: &dyn Storage,
    file: &SegFile,
    name: &str,
) -> Result<(SegmentIndex, Arc<Pages>)> {
    let footer = file.footer();
    let opened = storage.open(name).map_err(|error| Error::io("open", name, error))?;
    let length = opened.len().map_err(|error| Error::io("read the length of", name, error))?;
    let pages = if length == footer.index_bytes || length > footer.index_bytes.saturating_mul(2) {
        Pages::open(&*opened, name, footer.index_bytes, file.index_digests()?)?
    } else {
        let bytes = Arc::new(FileBytes::load(&*opened, name, 0, length as usize)?);
        let Some(at) = own_digests_at(&bytes) else {
            return Err(Error::damaged(format!(
                "{name}: expected {} bytes, found {length} and no digests at their end",
                footer.index_bytes
            )));
        };
        let digests = Digests::new(Arc::clone(&bytes), at..at + at / PAGE_BYTES * DIGEST_BYTES);
        Pages::new(name, bytes, 0, at, digests)?
    };
    let pages = Arc::new(pages);
    let bytes = IndexPages(Arc::clone(&pages));
    Ok((SegmentIndex::open(name, bytes, footer.format, footer.first_seq, footer.rows)?, pages))
}

/// The pages of an index file, checked as they are read.
#[derive(Debug)]
struct IndexPages(Arc<Pages>);

impl IndexBytes for IndexPages {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out).map_err(io::Error::other)
    }
}

/// What stands behind the digests of an index that has its own.
const OWN_DIGESTS: [u8; 8] = *b"frbrIDX\n";
const DIGEST_BYTES: usize = size_of::<PageDigest>();
/// Bytes of an index that are written at a time. Linux caches what is written at once as one
/// folio of up to 2 MiB and keeps all of it in memory for one page that is read; `Marks` counts
/// runs of this size, so larger writes would take more memory than is counted.
const WRITE_BYTES: usize = 64 << 10;
