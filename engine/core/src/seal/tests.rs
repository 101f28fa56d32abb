//! Sealing logs of stores and reading them back.

use std::sync::Arc;

use crate::base::row::Flags;
use crate::base::state::KindSet;
use crate::log::block::HEADER_BYTES;
use crate::log::index::{Index, NOW, StoredLink};
use crate::log::reader::{LogReader, Via};
use crate::log::recovery::{KnownDurable, recover};
use crate::log::report::RecoveryReport;
use crate::log::scan::{ScanItem, Scanner};
use crate::manifest::{LogStart, Manifest, Read, log_name};
use crate::seal::file::{Companions, Frozen, IndexFile, Packing, seal};
use crate::seal::spine::EarlierSegments;
use crate::segment::file::SegFile;
use crate::segment::footer::{Footer, HEAP};
use crate::segment::heap::{ChunkCache, LastChunk};
use crate::segment::index::IndexSource;
use crate::segment::late::LateParent;
use crate::segment::rebuild::RebuiltBlock;
use crate::segment::spine::Entry;
use crate::storage::{SimulatedDisk, Storage, StorageFile};
use crate::{Batch, Error, Event, EventId, Link, LinkKind, Quarantined, Result, Store};

/// A frozen log and its index.
pub(super) struct FrozenLog {
    pub(super) disk: Arc<dyn Storage>,
    pub(super) file: Arc<dyn StorageFile>,
    store: [u8; 16],
    pub(super) index: Index,
    pub(super) end: u64,
}

/// Many chunks of few records.
const SMALL: Packing = Packing { level: 1, chunk_bytes: 4096, dictionary_bytes: 2048 };

/// No segment is before this one.
pub(super) struct Nothing;

impl EarlierSegments for Nothing {
    fn entry(&self, _: u64) -> Result<Option<Entry>> {
        Ok(None)
    }

    fn dictionary(&self) -> Option<Vec<u8>> {
        None
    }
}

impl Companions for Nothing {
    fn filter(&mut self, _: IndexSource<'_>) -> Result<Vec<u8>> {
        Ok(vec![7; 5000])
    }

    fn late_parents(&mut self, _: IndexSource<'_>) -> Result<Vec<LateParent>> {
        Ok(Vec::new())
    }

    fn index(&mut self, _: IndexSource<'_>) -> Result<IndexFile> {
        Ok(IndexFile { bytes: 5000, digests: vec![[1; 16], [2; 16]] })
    }
}

impl FrozenLog {
    pub(super) fn of(disk: Arc<dyn Storage>) -> Self {
        let Ok(Read::Sound(manifest)) = Manifest::read(&*disk) else {
            panic!("a manifest");
        };
        let name = log_name(1);
        let file: Arc<dyn StorageFile> = Arc::from(disk.open(&name).expect("opens"));
        let mut report = RecoveryReport::default();
        let known = KnownDurable { offset: 0, checkpoint: None };
        let recovered =
            recover(&*disk, &file, &name, LogStart::FIRST, known, manifest.store, &mut report)
                .expect("recovers");
        let end = recovered.log.end;
        Self { disk, file, store: manifest.store, index: recovered.index, end }
    }

    pub(super) fn seal(&self, to: &str, packing: Packing) -> Footer {
        let name = log_name(1);
        let frozen = Frozen {
            kinds: KindSet::default(),
            floor: 1,
            index: &self.index,
            file: &*self.file,
            name: &name,
            store: self.store,
            segment: 1,
            first_seq: 1,
            before: [0; 32],
        };
        seal(&frozen, &Nothing, packing, &mut Nothing, &*self.disk, to).expect("seals")
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; self.end as usize];
        self.file.read_at(&mut bytes, 0).expect("reads");
        bytes
    }
}

/// Chains of several instances that take turns, and one of everything else.
fn mixed() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    for number in 0..200_u32 {
        let uuid = |n: u32| EventId::derived("tests", &n.to_le_bytes());
        let mut event = Event::new(if number % 7 == 0 { "error" } else { "tick" })
            .id(uuid(number))
            .instance(format!("worker-{}", number % 5))
            .time_ns(1_000_000 - i64::from(number))
            .label("number", number.to_string())
            .payload(format!("{{\"number\":{number},\"again\":{number}}}"));
        event = match number % 50 {
            0..5 => event,
            49 => event.parent(format!("never stored {number}")),
            // Half of the chains arrive backwards.
            _ if number >= 100 => event.parent(uuid(number + 5)),
            _ => event.parent(uuid(number - 5)),
        };
        store.append(event).expect("appends");
    }
    let batch = Batch::new()
        .event(Event::new("note").id("text").session("s").parent("long"))
        .event(Event::new("note").id("text").payload("another version"))
        .event(Event::new("note").id("long").payload(vec![b'x'; 700_000]))
        .event(Event::new("note").id("self").parent("self"))
        .event(Event::new("note").id("claimed"))
        .link(Link {
            child: "claimed".into(),
            parent: "self".into(),
            kind: LinkKind::Spawned,
            strength: 1,
            order: 0,
        })
        .quarantine(Quarantined {
            source: "file".into(),
            line: 1,
            offset: 2,
            length: 3,
            reason: "torn".into(),
            bytes: b"{\"torn".repeat(2000),
        });
    store.write(batch).expect("writes");
    store.close().expect("closes");
    disk
}

/// Reads everything there is in a segment.
fn read_all(segment: &SegFile, cache: &ChunkCache) -> Result<()> {
    for row in 0..segment.footer().rows {
        let entry = segment.entry(row)?;
        segment.id(row, &entry)?;
        segment.parent_id(row)?;
        segment.anchor_id(entry.anchor)?;
        segment.text(entry.kind)?;
        segment.record(entry.record, true, cache, &mut LastChunk::default())?;
    }
    // Whoever has a copy of it does not read it.
    segment.check_dictionary()?;
    segment.filter_bytes()?;
    segment.index_digests()?;
    segment.others(cache).try_for_each(|other| other.map(drop))?;
    let mut blocks = segment.blocks(cache)?;
    while blocks.next()?.is_some() {}
    Ok(())
}

#[test]
fn a_sealed_log_says_what_the_log_said() {
    let log = FrozenLog::of(Arc::new(mixed()));
    let footer = log.seal("seg", SMALL);
    let digest = footer.digest();
    let segment = SegFile::open(&*log.disk, "seg", Some(&digest)).expect("opens");
    let cache = ChunkCache::new(1 << 20);
    assert_eq!((footer.rows, footer.events, footer.versions), (205, 204, 1));
    let reader = LogReader::new(Arc::clone(&log.file), log_name(1), 1 << 20);
    let index = &log.index;
    let mut last = LastChunk::default();
    for row in 0..footer.rows {
        let entry = segment.entry(row).expect("an entry");
        assert_eq!(segment.key(row).expect("a key"), entry.key);
        assert_eq!(segment.id(row, &entry).expect("an id"), index.id(row));
        assert_eq!(entry.key, index.id(row).key());
        let own = index.row(row);
        assert_eq!(segment.text(entry.kind).expect("a text"), &**index.text(own.kind));
        assert_eq!(segment.text(entry.instance).expect("a text"), &**index.text(own.instance));
        let link = index.stored_link(row, NOW);
        assert_eq!(entry.flags.has(Flags::CYCLE), matches!(link, StoredLink::Cycle(_)));
        let parent = match link {
            StoredLink::Row(parent) | StoredLink::Cycle(parent) => u64::from(parent) + 1,
            StoredLink::None | StoredLink::Awaited(_) => 0,
            StoredLink::Earlier(parent, _) => parent,
        };
        assert_eq!(entry.parent, parent);
        let parent_id = segment.parent_id(row).expect("reads");
        match link {
            StoredLink::Awaited(id) => assert_eq!(parent_id, Some(id)),
            _ => assert_eq!(parent_id, None),
        }
        check_jump(&segment, &entry);
        for payload in [false, true] {
            let sealed =
                segment.record(entry.record, payload, &cache, &mut last).expect("a record");
            let logged = reader.event(own.offset, log.end, payload, Via::Reads).expect("a record");
            assert_eq!(sealed.payload(), logged.payload());
            let sealed = sealed.labels();
            let sealed = sealed.iter().map(|(key, value)| (&**key, &**value));
            assert!(sealed.eq(logged.labels()));
        }
        let whole = segment.whole_record(row, &cache).expect("a record");
        let logged = reader.event(own.offset, log.end, true, Via::Reads).expect("a record");
        assert_eq!(whole.payload(), logged.payload());
        assert_eq!(whole.fields().parent_id(), logged.fields().parent_id());
        assert_eq!(EventId::from(&whole.fields().id), index.id(row));
    }
    let others: Vec<_> = segment.others(&cache).collect::<Result<_>>().expect("reads");
    assert_eq!(others.len(), 2);
    let torn = segment.quarantined(others[1], &cache).expect("quarantined");
    assert_eq!((torn.reason.as_str(), torn.bytes.len()), ("torn", 12_000));
    assert!(
        segment.record(others[1], true, &cache, &mut last).is_err_and(|error| error.is_damaged())
    );
    assert!(segment.entry(footer.rows).is_err());
    assert_eq!(segment.index_digests().expect("reads").len(), 2);
    assert_eq!(segment.filter_bytes().expect("reads"), [7; 5000]);
}

/// Parent and skip pointer both lead up, to where the depths say.
fn check_jump(segment: &SegFile, entry: &Entry) {
    if entry.parent == 0 || entry.flags.has(Flags::CYCLE) {
        assert_eq!((entry.skip, entry.depth), (0, 0));
        return;
    }
    let mut above = *entry;
    let mut steps = 0;
    // Any ancestor is found in O(log depth): go for the one at depth 0.
    while above.depth > 0 {
        above = segment.entry((above.skip - 1) as u32).expect("an entry");
        steps += 1;
    }
    assert_eq!(above.anchor, entry.anchor);
    assert!(steps <= 2 * (u32::BITS - entry.depth.leading_zeros()), "{steps} of {}", entry.depth);
    let parent = segment.entry((entry.parent - 1) as u32).expect("an entry");
    assert_eq!(parent.depth + 1, entry.depth);
}

#[test]
fn the_entries_of_a_chain_stand_beside_each_other() {
    let log = FrozenLog::of(Arc::new(mixed()));
    let footer = log.seal("seg", SMALL);
    let segment = SegFile::open(&*log.disk, "seg", None).expect("opens");
    let mut links = 0;
    for row in 0..footer.rows {
        let slot = segment.slot(row).expect("a slot");
        let slotted = segment.at_slot(slot).expect("an entry");
        assert_eq!((slotted.row, slotted.entry), (row, segment.entry(row).expect("an entry")));
        let Some((parent, beside)) = slotted.parent.filter(|&(parent, _)| parent != row) else {
            continue;
        };
        assert_eq!(slotted.entry.parent, footer.first_seq + u64::from(parent));
        assert_eq!(beside, segment.slot(parent).expect("a slot"));
        // Five instances took turns: in the log they lie five apart. A few notes follow.
        if row >= 200 {
            continue;
        }
        assert_eq!((row.abs_diff(parent), slot.abs_diff(beside)), (5, 1), "row {row}");
        links += 1;
    }
    assert!(links > 150, "{links}");
    assert!(segment.slot(footer.rows).is_err() && segment.at_slot(footer.rows).is_err());
}

#[test]
fn the_blocks_of_a_sealed_log_are_made_again_byte_for_byte() {
    let log = FrozenLog::of(Arc::new(mixed()));
    let footer = log.seal("seg", SMALL);
    let segment = SegFile::open(&*log.disk, "seg", None).expect("opens");
    let cache = ChunkCache::new(1 << 20);
    let mut blocks = segment.blocks(&cache).expect("blocks");
    let mut rebuilt = Vec::new();
    while let Some(next) = blocks.next().expect("a block") {
        let RebuiltBlock::Block(header) = next else {
            panic!("no gap");
        };
        rebuilt.extend_from_slice(&header.to_log_bytes());
        rebuilt.extend_from_slice(blocks.body());
        assert_eq!(rebuilt.len() as u64, header.end());
    }
    assert!(rebuilt == log.bytes(), "the log's bytes");
    let replayed = segment.replay(&cache).expect("replays");
    let rows = |index: &Index| format!("{:?}", index.rows());
    assert_eq!(rows(&replayed.index), rows(&log.index));
    assert_eq!(replayed.others.len(), 2);
    assert_eq!(replayed.index.quarantined(NOW)[0].0, replayed.others[1].0);
    assert_eq!(log.seal("again", SMALL), footer);
    let read = |name: &str| {
        let file = log.disk.open(name).expect("opens");
        let mut bytes = vec![0; file.len().expect("a length") as usize];
        file.read_at(&mut bytes, 0).expect("reads");
        bytes
    };
    assert!(read("seg") == read("again"), "sealing again gives the same bytes");
}

#[test]
fn damage_in_a_log_stays_a_gap() {
    let disk = mixed();
    let log = FrozenLog::of(Arc::new(disk.clone()));
    let mut scanner = Scanner::new(&*log.file, "log", 1, None, None).expect("opens");
    let mut offsets = Vec::new();
    while let Some(ScanItem::Block(header)) = scanner.next().expect("a block") {
        offsets.push(header.offset);
    }
    for block in [0, 20, 21, 50] {
        log.file.write_at(&[0xee], offsets[block] + HEADER_BYTES as u64 + 3).expect("writes");
    }
    let log = FrozenLog::of(Arc::new(disk));
    let footer = log.seal("seg", SMALL);
    assert_eq!((footer.rows, footer.events), (205, 200));
    let segment = SegFile::open(&*log.disk, "seg", None).expect("opens");
    let cache = ChunkCache::new(1 << 20);
    assert!(segment.entry(20).expect("an entry").flags.has(Flags::LOST));
    let mut blocks = segment.blocks(&cache).expect("blocks");
    let mut gaps = Vec::new();
    while let Some(next) = blocks.next().expect("a block") {
        if let RebuiltBlock::Gap(range) = next {
            gaps.push(range);
        }
    }
    assert_eq!(gaps, [offsets[0]..offsets[1], offsets[20]..offsets[22], offsets[50]..offsets[51]]);
    let replayed = segment.replay(&cache).expect("replays");
    assert_eq!(replayed.index.lost(), 4);
    assert_eq!(format!("{:?}", replayed.index.rows()), format!("{:?}", log.index.rows()));
}

#[test]
fn every_changed_byte_of_a_segment_is_noticed_and_no_cut_is_a_panic() {
    let log = FrozenLog::of(Arc::new(mixed()));
    let footer = log.seal("seg", SMALL);
    let file = log.disk.open("seg").expect("opens");
    let mut bytes = vec![0; file.len().expect("a length") as usize];
    file.read_at(&mut bytes, 0).expect("reads");
    let read = || -> Result<()> {
        let segment = SegFile::open(&*log.disk, "seg", None)?;
        read_all(&segment, &ChunkCache::new(1 << 20))
    };
    read().expect("sound");
    let heap = footer.section(HEAP).end as usize;
    let padding = heap..heap.next_multiple_of(4096);
    for at in (0..bytes.len()).step_by(211).filter(|at| !padding.contains(at)) {
        file.write_at(&[bytes[at] ^ 0x10], at as u64).expect("writes");
        let error: Error = read().expect_err(&format!("byte {at}"));
        assert!(error.is_damaged(), "byte {at}: {error}");
        file.write_at(&[bytes[at]], at as u64).expect("writes");
    }
    for length in (0..bytes.len()).rev().step_by(1009) {
        file.set_len(length as u64).expect("cuts");
        assert!(read().is_err_and(|error| error.is_damaged()), "{length} bytes");
    }
}
