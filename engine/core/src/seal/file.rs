//! Writes the `.seg` file of a frozen log.
//!
//! The log is read twice: front to back to check every block, and again to gather its records
//! by instance, so that those of a chain are neighbours in the heap. Beside the index this
//! takes memory for the spine and a few buffers. The same log and the same earlier segments
//! give the same bytes.

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, FORMAT_VERSION, StoreId};
use crate::base::row::Flags;
use crate::base::state::KindSet;
use crate::log::block::{HEADER_BYTES, Header};
use crate::log::index::{Anchor, Index, NOW};
use crate::log::record::{FRAME_BYTES, Frame, RecordKind};
use crate::log::scan::{ScanItem, Scanner};
use crate::seal::dictionary;
use crate::seal::gather::{GatheredEvents, Gatherer};
use crate::seal::spine::{EarlierSegments, Spine, absent_parent};
use crate::seal::window::RecordWindow;
use crate::segment::blocks::BlockList;
use crate::segment::chunks::ChunkWriter;
use crate::segment::footer::{
    ANCHORS, BLOCKS, CHUNKS, DICTIONARY, FILTER, Footer, HEAP, INDEX_DIGESTS, LATE, PAGE_DIGESTS,
    PARENTS, SLOTS, SPINE, STRINGS, Section, TEXT_IDS,
};
use crate::segment::index::IndexSource;
use crate::segment::late::{self, LateParent};
use crate::segment::order::{Order, slot_bytes};
use crate::segment::output::Output;
use crate::segment::packed::{Packer, TypeNumbers};
use crate::segment::pages::PageDigest;
use crate::segment::spine::{Entry, Slotted};
use crate::segment::{id_table, strings};
use crate::storage::{Storage, StorageFile};

/// A log to seal. Neither it nor its index changes any more.
pub(crate) struct Frozen<'a> {
    pub(crate) index: &'a Index,
    pub(crate) file: &'a dyn StorageFile,
    pub(crate) name: &'a str,
    pub(crate) store: StoreId,
    pub(crate) segment: u64,
    pub(crate) first_seq: u64,
    /// The digest of the last block of the log before it.
    pub(crate) before: Digest,
    /// The kinds of state of the store, those that are built in among them.
    pub(crate) kinds: KindSet,
    /// The oldest segment of the store.
    pub(crate) floor: u64,
}

/// The parameters of compression.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packing {
    /// The level of zstd.
    pub(crate) level: i32,
    /// About how many bytes a chunk has before compression.
    pub(crate) chunk_bytes: usize,
    /// The most bytes of the dictionary.
    pub(crate) dictionary_bytes: usize,
}

/// The length and the page digests of the index file, which the segment keeps.
#[derive(Clone, Debug, Default)]
pub(crate) struct IndexFile {
    pub(crate) bytes: u64,
    pub(crate) digests: Vec<PageDigest>,
}

/// Makes what takes more than the log to know: the filter, the late parents, the index file.
pub(crate) trait Companions {
    /// Builds the filter; it may be empty.
    fn filter(&mut self, source: IndexSource<'_>) -> Result<Vec<u8>>;
    /// Finds the late parents in this log, in ascending order of their children.
    fn late_parents(&mut self, source: IndexSource<'_>) -> Result<Vec<LateParent>>;
    /// Writes the index file.
    fn index(&mut self, source: IndexSource<'_>) -> Result<IndexFile>;
}

/// Writes and syncs the file `to`; its name is not durable yet. Returns the footer.
pub(crate) fn seal(
    log: &Frozen<'_>,
    earlier: &dyn EarlierSegments,
    packing: Packing,
    companions: &mut dyn Companions,
    storage: &dyn Storage,
    to: &str,
) -> Result<Footer> {
    let mut spine = Spine::new(log.index, log.first_seq, earlier)?;
    let scanned = read_through(log)?;
    let mut out = Output::create(storage, to)?;
    let mut footer = Footer {
        format: FORMAT_VERSION,
        sealed_with: log.kinds,
        floor: log.floor,
        store: log.store,
        segment: log.segment,
        first_seq: log.first_seq,
        rows: spine.entries.len() as u32,
        blocks: scanned.blocks.count(),
        log_bytes: scanned.log_bytes,
        before: log.before,
        ..Footer::default()
    };
    (footer.last, footer.written_ns) = scanned.blocks.last();
    count(&mut footer, &spine.entries);
    let others = write_heap(log, packing, earlier, &scanned, &mut spine, &mut footer, &mut out)?;
    let order = Order::of(&spine.entries);
    write_spine(log, &spine.entries, &order, &mut footer, &mut out)?;
    write_tables(log, &spine, &mut footer, &mut out)?;
    write_section(BLOCKS, &mut footer, &mut out, |out| out.write(scanned.blocks.bytes()))?;
    let source = IndexSource {
        index: log.index,
        first_seq: log.first_seq,
        entries: &spine.entries,
        slots: &order.slots,
        others: &others,
    };
    let late = companions.late_parents(source)?;
    write_section(LATE, &mut footer, &mut out, |out| late::write(out, &late))?;
    footer.reach = reach(&source, &late);
    [footer.asserted_links, footer.marks, footer.carried, footer.superseding] = counted(log.index);
    let filter = companions.filter(source)?;
    write_section(FILTER, &mut footer, &mut out, |out| out.write(&filter))?;
    let index = companions.index(source)?;
    footer.index_bytes = index.bytes;
    write_section(INDEX_DIGESTS, &mut footer, &mut out, |out| {
        out.write(index.digests.as_flattened())
    })?;
    let digests = out.end_digests()?;
    footer.pages = *blake3::hash(digests.as_flattened()).as_bytes();
    write_section(PAGE_DIGESTS, &mut footer, &mut out, |out| out.write(digests.as_flattened()))?;
    out.write(&footer.to_bytes())?;
    out.finish()?;
    Ok(footer)
}

/// The numbers of asserted links that stand in a log, of cycle edges that it marks, of keys
/// with state that was carried over into it, and of rows that replace others.
pub(crate) fn counted(index: &Index) -> [u32; 4] {
    let carried = index.states().all().filter(|(.., places)| !places.carried.is_empty());
    [
        index.all_standing().count(),
        index.all_marks().len(),
        carried.count(),
        index.revisions().len(),
    ]
    .map(|n| n as u32)
}

/// The least sequence number among anchors, children of late parents and own rows.
fn reach(source: &IndexSource<'_>, late: &[LateParent]) -> u64 {
    let anchors = source.entries.iter().map(|entry| entry.anchor).filter(|&anchor| anchor != 0);
    let children = late.iter().map(|late| late.child);
    anchors.chain(children).fold(source.first_seq, u64::min)
}

/// The outcome of the first pass over the log.
struct Scanned {
    blocks: BlockList,
    /// The record length of each row.
    lengths: Vec<u32>,
    /// The offset and the length of each record of another kind.
    others: Vec<(u64, u32)>,
    log_bytes: u64,
}

fn read_through(log: &Frozen<'_>) -> Result<Scanned> {
    let follows = Some((log.before, log.first_seq));
    let mut scanner =
        Scanner::new(log.file, log.name, log.segment, Some(log.store), follows)?.passing();
    let mut seen = Scanned {
        blocks: BlockList::new(log.before, log.first_seq),
        lengths: vec![0; log.index.rows().len()],
        others: Vec::new(),
        log_bytes: scanner.length(),
    };
    let mut next_row = 0;
    let mut window = RecordWindow::new(log.file, log.name);
    while let Some(found) = scanner.next()? {
        match found {
            ScanItem::Block(header) => {
                seen.add(log, &header, scanner.body(), &mut next_row, &mut window)?;
            }
            ScanItem::Damage(range, _) => seen.blocks.add_gap(&range),
        }
    }
    if next_row == log.index.rows().len() {
        return Ok(seen);
    }
    Err(Error::damaged(format!(
        "{}: expected the {} events of its index, found {next_row}; the log was damaged since it \
         was read",
        log.name,
        log.index.rows().len()
    )))
}

impl Scanned {
    fn add(
        &mut self,
        log: &Frozen<'_>,
        header: &Header,
        body: &[u8],
        next_row: &mut usize,
        window: &mut RecordWindow<'_>,
    ) -> Result<()> {
        let rows = log.index.rows();
        let misfit = |what: &str| {
            Error::damaged(format!(
                "{}: expected the block at byte {} as its index has it, found {what}; the log was \
                 damaged since it was read",
                log.name, header.offset
            ))
        };
        let first_row = header.first_seq.checked_sub(log.first_seq).map(|row| row as usize);
        let lost = first_row.and_then(|first| rows.get(*next_row..first));
        if !lost.is_some_and(|lost| lost.iter().all(|row| row.flags.has(Flags::LOST))) {
            return Err(misfit("another sequence number"));
        }
        *next_row = first_row.unwrap_or(*next_row);
        let mut runs: Vec<u32> = Vec::new();
        let begin = header.offset + HEADER_BYTES as u64;
        let mut at = begin;
        while at < header.end() {
            let front = match body.get((at - begin) as usize..) {
                Some(rest) if !rest.is_empty() => rest,
                // The scanner does not keep large bodies.
                _ => window.read(at, FRAME_BYTES, header.end())?,
            };
            let frame = Frame::parse(front, header.end() - at)
                .map_err(|error| misfit(&format!("{error:#}")))?;
            let length = u32::try_from(frame.len()).map_err(|_| misfit("too large a record"))?;
            let event = matches!(frame.kind, RecordKind::Event | RecordKind::Version);
            if runs.len() % 2 == usize::from(!event) || runs.is_empty() {
                runs.resize(runs.len() + if runs.is_empty() && !event { 2 } else { 1 }, 0);
            }
            if let Some(run) = runs.last_mut() {
                *run += 1;
            }
            if event {
                if rows.get(*next_row).is_none_or(|row| row.offset != at) {
                    return Err(misfit("other events"));
                }
                self.lengths[*next_row] = length;
                *next_row += 1;
            } else {
                self.others.push((at, length));
            }
            at += u64::from(length);
        }
        self.blocks.add(header, &runs);
        Ok(())
    }
}

fn count(footer: &mut Footer, entries: &[Entry]) {
    (footer.time_min_ns, footer.time_max_ns) = (i64::MAX, i64::MIN);
    for entry in entries.iter().filter(|entry| !entry.flags.has(Flags::LOST)) {
        footer.time_min_ns = footer.time_min_ns.min(entry.time_ns);
        footer.time_max_ns = footer.time_max_ns.max(entry.time_ns);
        if entry.flags.has(Flags::VERSION) {
            footer.versions += 1;
        } else {
            footer.events += 1;
        }
    }
}

/// Writes the heap: events and versions by instance, then records of other kinds. Returns the
/// offset in the log and the heap address of each of the latter.
fn write_heap(
    log: &Frozen<'_>,
    packing: Packing,
    earlier: &dyn EarlierSegments,
    scanned: &Scanned,
    spine: &mut Spine,
    footer: &mut Footer,
    out: &mut Output,
) -> Result<Vec<(u64, u32)>> {
    let dictionary = match earlier.dictionary() {
        Some(dictionary) => dictionary,
        None => {
            dictionary::of_log(log, &scanned.lengths, packing.dictionary_bytes, scanned.log_bytes)?
        }
    };
    footer.dictionary = *blake3::hash(&dictionary).as_bytes();
    let mut gatherer = Gatherer {
        window: RecordWindow::new(log.file, log.name),
        chunks: ChunkWriter::new(packing.level, &dictionary)?,
        out,
        chunk_bytes: packing.chunk_bytes,
        packed: Vec::new(),
    };
    gatherer.events(&mut GatheredEvents {
        index: log.index,
        texts: &spine.texts,
        lengths: &scanned.lengths,
        entries: &mut spine.entries,
        first_seq: log.first_seq,
        packer: Packer::new(payload_types(log.index, &spine.texts)),
    })?;
    footer.others_at = gatherer.chunks.position();
    let others = gatherer.others(&scanned.others)?;
    let Gatherer { chunks, out, .. } = gatherer;
    footer.raw_bytes = chunks.position();
    footer.chunks = chunks.table().len() as u32;
    footer.sections[HEAP] = Section { offset: 0, length: out.position() };
    out.start_digests()?;
    write_section(CHUNKS, footer, out, |out| {
        chunks.table().iter().try_for_each(|entry| out.write(&entry.to_bytes()))
    })?;
    write_section(DICTIONARY, footer, out, |out| out.write(&dictionary))?;
    Ok(others)
}

/// The segment's numbers of the types that payloads have.
fn payload_types(index: &Index, texts: &[u32]) -> TypeNumbers {
    let number = |text: u32| texts.binary_search(&text).ok();
    let types = index.payload_types();
    types.filter_map(|text| Some(((&**index.text(text)).into(), number(text)? as u32))).collect()
}

fn write_tables(
    log: &Frozen<'_>,
    spine: &Spine,
    footer: &mut Footer,
    out: &mut Output,
) -> Result<()> {
    let index = log.index;
    let rows = 0..spine.entries.len() as u32;
    write_section(PARENTS, footer, out, |out| {
        id_table::write(out, || {
            rows.clone().filter_map(|row| Some((u64::from(row), absent_parent(index, row)?)))
        })
    })?;
    let mut anchors: Vec<(u64, u32)> = rows
        .clone()
        .map(|row| (spine.entries[row as usize].anchor, row))
        .filter(|&(anchor, _)| anchor != 0 && anchor < log.first_seq)
        .collect();
    anchors.sort_unstable();
    anchors.dedup_by_key(|&mut (anchor, _)| anchor);
    write_section(ANCHORS, footer, out, |out| {
        id_table::write(out, || {
            anchors.iter().filter_map(|&(seq, row)| match index.firm_position(row, NOW).anchor {
                Anchor::Earlier(_, id) => Some((seq, id)),
                Anchor::Row(_) => None,
            })
        })
    })?;
    write_section(TEXT_IDS, footer, out, |out| {
        id_table::write(out, || {
            let texts = rows.clone().filter(|&row| index.row(row).flags.has(Flags::TEXT));
            texts.map(|row| (u64::from(row), index.id(row)))
        })
    })?;
    footer.texts = spine.texts.len() as u32;
    write_section(STRINGS, footer, out, |out| {
        strings::write(out, spine.texts.iter().map(|&number| &**index.text(number)))
    })
}

/// Writes the spine and the table of slots.
fn write_spine(
    log: &Frozen<'_>,
    entries: &[Entry],
    Order { rows, slots }: &Order,
    footer: &mut Footer,
    out: &mut Output,
) -> Result<()> {
    write_section(SPINE, footer, out, |out| {
        rows.iter().try_for_each(|&row| {
            let entry = entries[row as usize];
            let parent = entry.parent.checked_sub(log.first_seq).filter(|_| entry.parent != 0);
            let parent = parent.and_then(|row| Some((row as u32, *slots.get(row as usize)?)));
            out.write(&Slotted { entry, row, parent }.to_bytes())
        })
    })?;
    write_section(SLOTS, footer, out, |out| {
        slots.iter().try_for_each(|&slot| out.write(&slot_bytes(slot)))
    })
}

fn write_section(
    section: usize,
    footer: &mut Footer,
    out: &mut Output,
    write: impl FnOnce(&mut Output) -> Result<()>,
) -> Result<()> {
    out.pad()?;
    let offset = out.position();
    write(out)?;
    footer.sections[section] = Section { offset, length: out.position() - offset };
    Ok(())
}
