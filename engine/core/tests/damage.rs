//! Damage on disk is cut or passed over, reported, and never read as events.

mod support {
    pub(crate) mod listing;
    pub(crate) mod random;
}

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{ChainEnd, Event, Result, Store};
use support::listing::{describe, events};
use support::random::Random;

const LOG: &str = "0000000001.log";
const MANIFEST: &str = "MANIFEST";
/// Bytes of a block's header before its digest, and with it.
const DIGESTED_BYTES: usize = 112;
const HEADER_BYTES: usize = 144;

#[test]
fn a_cut_tail_is_kept_beside_the_log_and_reported() {
    let written = Written::new(6);
    let last = written.ends[4]..written.ends[5];
    for length in last.start + 1..last.end {
        let disk = written.killed();
        disk.truncate(LOG, length).expect("cuts");
        assert_last_cut(&written, &disk);
    }
}

#[test]
fn a_damaged_tail_is_kept_beside_the_log_and_reported() {
    let written = Written::new(6);
    for offset in written.ends[4]..written.ends[5] {
        let disk = written.killed();
        disk.flip_bit(LOG, offset, (offset % 8) as u8).expect("flips");
        assert_last_cut(&written, &disk);
    }
}

#[test]
fn a_log_cut_anywhere_leaves_the_events_before() {
    let written = Written::new(4);
    for length in 0..written.ends[3] {
        let disk = written.killed();
        disk.truncate(LOG, length).expect("cuts");
        let store = open(&disk).unwrap_or_else(|error| panic!("cut at {length}: {error}"));
        let whole = written.ends.iter().filter(|&&end| end <= length).count();
        assert_eq!(ids(&store), names(0..whole), "cut at {length}");
    }
}

#[test]
fn damage_in_the_durable_part_is_passed_over_and_reported() {
    let written = Written::new(6);
    for lost in 1..4 {
        let stretch = written.ends[lost - 1]..written.ends[lost];
        let disk = written.killed();
        disk.flip_bit(LOG, stretch.start + HEADER_BYTES + 3, 5).expect("flips");
        let store = open(&disk).expect("opens");

        let report = store.recovery();
        assert!(!report.is_clean() && report.cut.is_empty(), "{report:?}");
        let [damage] = &report.skipped[..] else {
            panic!("expected one stretch, found {report:?}");
        };
        assert_eq!(damage.file, LOG);
        assert_eq!(damage.offset, stretch.start as u64);
        assert_eq!(damage.length, stretch.len() as u64);
        disk.read(&damage.kept_in).expect("is kept");

        let others = names((0..6).filter(|&position| position != lost));
        assert_eq!(ids(&store), others);
        assert!(!store.snapshot().contains(name(lost)).expect("answers"));
        assert_eq!(chain_end(&store, 5), ChainEnd::Damaged(Some(name(lost).into())));
        assert_eq!(chain_end(&store, lost - 1), ChainEnd::Root);

        // Appended again, it takes its place.
        store.append(event(lost)).expect("appends");
        assert_eq!(chain_end(&store, 5), ChainEnd::Root);
        store.close().expect("closes");
        let store = open(&disk).expect("opens again");
        assert_eq!(chain_end(&store, 5), ChainEnd::Root);
        assert_eq!(store.recovery().skipped.len(), 1, "it is still there to see");
    }
}

#[test]
fn blocks_of_another_past_or_another_store_are_not_read() {
    let written = Written::new(4);
    let stale = written.disk.read(LOG).expect("is there")[written.ends[2]..].to_vec();

    // The third block written anew, as long as it was, with the fourth of old
    // behind it, which named another as the one before.
    let disk = written.killed();
    disk.truncate(LOG, written.ends[1]).expect("cuts");
    let store = open(&disk).expect("opens");
    let other = event(2).id("other 2");
    store.append(other).expect("appends");
    let disk = disk.kill();
    let mut log = disk.read(LOG).expect("is there");
    assert_eq!(log.len(), written.ends[2], "the blocks are of one length");
    log.extend_from_slice(&stale);
    disk.write(LOG, log);
    let store = open(&disk).expect("opens");
    let expected = [name(0), name(1), "other 2".to_owned()];
    assert_eq!(ids(&store), BTreeSet::from(expected));
    assert_eq!(store.recovery().cut.len(), 1, "{:?}", store.recovery());

    // A block that is sound, at its place, and of another store.
    let disk = written.killed();
    let mut log = disk.read(LOG).expect("is there");
    let other = Written::new(4).disk.read(LOG).expect("is there");
    log[written.ends[2]..].copy_from_slice(&other[written.ends[2]..]);
    disk.write(LOG, log);
    let store = open(&disk).expect("opens");
    assert_eq!(ids(&store), names(0..3));
    assert_eq!(store.recovery().cut.len(), 1, "{:?}", store.recovery());
}

#[test]
fn a_payload_full_of_what_begins_a_block_does_not_end_the_search_for_the_next() {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("opens");
    let large = vec![b'x'; 100_000];
    store.append(event(0).payload(large)).expect("appends");
    let start = disk.read(LOG).expect("is there").len();
    store.append(event(1).payload(b"frbrBLK\n--------".repeat(10_000))).expect("appends");
    for position in 2..4 {
        store.append(event(position)).expect("appends");
    }
    let disk = disk.kill();
    disk.flip_bit(LOG, start + HEADER_BYTES + 3, 5).expect("flips");
    let store = open(&disk).expect("opens");
    assert_eq!(ids(&store), names([0, 2, 3]));
    assert!(store.recovery().cut.is_empty(), "{:?}", store.recovery());
}

#[test]
fn every_flipped_byte_gives_the_written_events_or_a_clear_error() {
    let written = Written::new(4);
    let closed = SimulatedDisk::new();
    let store = open(&closed).expect("opens");
    (0..4).for_each(|position| drop(store.append(event(position)).expect("appends")));
    store.close().expect("closes");

    for disk in [written.killed(), closed] {
        let expected = described(&open(&disk.kill()).expect("opens"));
        for file in [LOG, MANIFEST] {
            for offset in 0..disk.read(file).expect("is there").len() {
                for flips in [1 << (offset % 8), 0xff] {
                    let disk = disk.kill();
                    let mut bytes = disk.read(file).expect("is there");
                    bytes[offset] ^= flips;
                    disk.write(file, bytes);
                    assert_unaltered(&disk, &expected, &format!("byte {offset} of {file}"));
                }
            }
        }
    }
}

#[test]
fn after_any_damage_the_store_goes_on_from_what_it_showed() {
    let written = Written::new(8);
    let expected = described(&open(&written.killed()).expect("opens"));
    for seed in 0..3000 {
        let disk = written.killed();
        let mut log = disk.read(LOG).expect("is there");
        let mut random = Random::new(seed);
        for _ in 0..=random.below(3) {
            harm(&mut log, &mut random);
        }
        disk.write(LOG, log);
        let context = format!("seed {seed}");
        let store = open(&disk).expect(&context);
        let mut shown = described(&store);
        for (id, description) in &shown {
            assert_eq!(expected.get(id), Some(description), "{context}");
        }
        store.append(event(9)).expect(&context);
        drop(store);

        let store = open(&disk.power_loss(seed)).expect(&context);
        let mut now_shown = described(&store);
        assert!(now_shown.remove(&name(9)).is_some(), "{context}");
        shown.remove(&name(9));
        assert_eq!(now_shown, shown, "{context}");
    }
}

#[test]
fn a_lost_or_damaged_manifest_is_made_again() {
    type Harm = fn(&SimulatedDisk) -> io::Result<()>;
    let harms: [Harm; 4] = [
        |disk| disk.remove(MANIFEST),
        |disk| disk.truncate(MANIFEST, 0),
        |disk| disk.truncate(MANIFEST, 20),
        |disk| disk.flip_bit(MANIFEST, 30, 2),
    ];
    let written = Written::new(4);
    for harm in harms {
        let disk = written.killed();
        harm(&disk).expect("harms");
        let store = open(&disk).expect("opens");
        assert_eq!(ids(&store), names(0..4));
        assert!(store.recovery().manifest.is_some(), "{:?}", store.recovery());
        store.append(event(4)).expect("appends");
        store.close().expect("closes");

        let store = open(&disk.power_loss(0)).expect("opens again");
        assert_eq!(ids(&store), names(0..5));
        assert!(store.recovery().is_clean(), "{:?}", store.recovery());
    }
}

#[test]
fn a_folder_of_other_things_is_refused_and_left_alone() {
    for (name, bytes) in [
        ("notes.txt", &b"shopping list"[..]),
        (MANIFEST, b"Manifest-Version: 1.0\n"),
        (LOG, b"2026-01-01 started\n2026-01-01 stopped\n"),
    ] {
        let disk = SimulatedDisk::new();
        disk.write(name, bytes);
        let error = open(&disk).expect_err(name);
        assert!(error.is_foreign() || error.is_damaged(), "{name}: {error}");
        assert_eq!(disk.read(name).expect("is there"), bytes);
    }
    let disk = SimulatedDisk::new();
    disk.write("notes.txt", "shopping list");
    assert!(open(&disk).expect_err("is not a store").is_foreign());

    let folder = tempfile::tempdir().expect("a folder");
    let below = folder.path().join("pictures");
    std::fs::create_dir(&below).expect("makes");
    assert!(Store::open(folder.path()).expect_err("is not a store").is_foreign());
    let names = std::fs::read_dir(folder.path()).expect("lists");
    assert_eq!(names.count(), 1, "nothing was put beside it");
}

#[test]
fn a_newer_format_is_refused_and_left_alone() {
    let written = Written::new(2);

    let disk = written.killed();
    let mut log = disk.read(LOG).expect("is there");
    log[8] += 1;
    let mut hasher = blake3::Hasher::new();
    hasher.update(&log[..DIGESTED_BYTES]);
    hasher.update(&log[HEADER_BYTES..written.ends[0]]);
    log[DIGESTED_BYTES..HEADER_BYTES].copy_from_slice(hasher.finalize().as_bytes());
    disk.write(LOG, log.clone());
    let error = open(&disk).expect_err("is newer");
    assert!(error.is_foreign(), "{error}");
    assert_eq!(disk.read(LOG).expect("is there"), log);

    let disk = written.killed();
    let manifest = String::from_utf8(disk.read(MANIFEST).expect("is there")).expect("is text");
    let (content, _) = manifest.rsplit_once("digest ").expect("has one");
    let content = content.replacen("format 2", "format 3", 1);
    let digest = blake3::hash(content.as_bytes()).to_hex();
    let newer = format!("{content}digest {digest}\n");
    disk.write(MANIFEST, newer.clone());
    let error = open(&disk).expect_err("is newer");
    assert!(error.is_foreign(), "{error}");
    assert_eq!(disk.read(MANIFEST).expect("is there"), newer.as_bytes());
}

/// A store to which events were appended one by one, each the parent of the
/// next, and which was never closed.
struct Written {
    disk: SimulatedDisk,
    /// Where in the log the block of each event ends.
    ends: Vec<usize>,
    _store: Store,
}

impl Written {
    fn new(events: usize) -> Self {
        let disk = SimulatedDisk::new();
        let store = open(&disk).expect("opens");
        let ends = (0..events)
            .map(|position| {
                store.append(event(position)).expect("appends");
                disk.read(LOG).expect("is there").len()
            })
            .collect();
        Self { disk, ends, _store: store }
    }

    fn killed(&self) -> SimulatedDisk {
        self.disk.kill()
    }
}

/// Cuts, zeros, scrambles, moves, repeats or removes a stretch of the bytes.
fn harm(bytes: &mut Vec<u8>, random: &mut Random) {
    if bytes.is_empty() {
        return;
    }
    let start = random.below(bytes.len() as u64) as usize;
    let length = 1 + random.below((bytes.len() - start) as u64).min(400) as usize;
    let stretch = start..start + length;
    match random.below(6) {
        0 => bytes.truncate(start),
        1 => bytes[stretch].fill(0),
        2 => bytes[stretch].iter_mut().for_each(|byte| *byte = random.next() as u8),
        3 => {
            let to = random.below((bytes.len() - length + 1) as u64) as usize;
            bytes.copy_within(stretch, to);
        }
        4 => {
            let repeated = bytes[stretch.clone()].to_vec();
            bytes.splice(start..start, repeated);
        }
        _ => drop(bytes.drain(stretch)),
    }
}

/// Opens a disk whose log is damaged in its sixth and last block.
fn assert_last_cut(written: &Written, disk: &SimulatedDisk) {
    let start = written.ends[4];
    let log = disk.read(LOG).expect("is there");
    let store = open(disk).expect("opens");
    assert_eq!(ids(&store), names(0..5));
    let report = store.recovery();
    let [cut] = &report.cut[..] else {
        panic!("expected one stretch, found {report:?}");
    };
    assert!(report.skipped.is_empty(), "{report:?}");
    assert_eq!((cut.file.as_str(), cut.offset), (LOG, start as u64));
    assert_eq!(cut.length, (log.len() - start) as u64);
    assert_eq!(disk.read(&cut.kept_in).expect("is kept"), log[start..]);

    store.append(event(6)).expect("appends");
    store.close().expect("closes");
    let store = open(disk).expect("opens again");
    assert!(store.recovery().is_clean(), "{:?}", store.recovery());
    assert_eq!(ids(&store), names([0, 1, 2, 3, 4, 6]));
}

/// Opening either fails with a reason or shows nothing that was not written.
fn assert_unaltered(disk: &SimulatedDisk, written: &BTreeMap<String, String>, context: &str) {
    match open(disk) {
        Ok(store) => {
            for (id, description) in described(&store) {
                assert_eq!(Some(&description), written.get(&id), "{context}");
            }
            for id in ids(&store) {
                let snapshot = store.snapshot();
                let mut chain = snapshot.chain(id).expect(context).expect(context);
                assert!(chain.all(|event| event.is_ok()), "{context}");
            }
        }
        Err(error) => {
            let clear = error.is_damaged() || error.is_foreign();
            assert!(clear, "{context}: {error}");
        }
    }
}

fn open(disk: &SimulatedDisk) -> Result<Store> {
    let storage: Arc<dyn Storage> = Arc::new(disk.clone());
    Store::builder().open_on(storage)
}

fn event(position: usize) -> Event {
    let event = Event::new("step")
        .id(name(position))
        .time_ns(i64::try_from(position).expect("is small"))
        .label("position", position.to_string())
        .payload(format!("payload of {position}"));
    match position {
        0 => event,
        _ => event.parent(name(position - 1)),
    }
}

fn name(position: usize) -> String {
    format!("event {position}")
}

fn names(positions: impl IntoIterator<Item = usize>) -> BTreeSet<String> {
    positions.into_iter().map(name).collect()
}

fn ids(store: &Store) -> BTreeSet<String> {
    described(store).into_keys().collect()
}

fn described(store: &Store) -> BTreeMap<String, String> {
    events(&store.snapshot())
        .iter()
        .map(|event| (event.id().to_string(), describe(event)))
        .collect()
}

fn chain_end(store: &Store, position: usize) -> ChainEnd {
    let snapshot = store.snapshot();
    let mut chain = snapshot.chain(name(position)).expect("walks").expect("is stored");
    chain.by_ref().for_each(|event| drop(event.expect("is read")));
    chain.end().expect("has ended").clone()
}
