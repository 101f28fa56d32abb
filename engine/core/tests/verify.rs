//! Every byte that is not as it was written is found, and none leads to a wrong
//! answer.

mod support {
    pub(crate) mod listing;
    pub(crate) mod random;
    #[expect(dead_code, reason = "of the scripts the batches are used")]
    pub(crate) mod script;
    pub(crate) mod view;
}

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use forebear::storage::{Intercepted, Operation, SimulatedDisk, Storage};
use forebear::{Durability, Event, EventId, Finding, Reader, Result, Store, Verified};
use support::listing::{describe, events};
use support::script::{Script, on};
use support::view::view;

/// Of the bytes of a file, every so many is changed.
const STEP: usize = 397;

#[test]
fn stores_of_every_kind_of_record_verify() {
    for seed in 0..4 {
        let disk = written(seed, 60);
        let store = open(&disk);
        let (verified, findings) = verify(&store);
        assert!(findings.is_empty() && verified.is_sound(), "seed {seed}: {findings:#?}");
        assert!(verified.segments > 3 && verified.blocks > 10, "{verified:?}");

        // With the oldest gone, links lead to what has expired.
        store.retain(&forebear::Retention::new().max_events(20)).expect("drops");
        store.append(Event::new("e").id("one more")).expect("appends");
        store.seal().expect("seals");
        let (_, findings) = verify(&store);
        assert!(findings.is_empty(), "seed {seed}, the oldest gone: {findings:#?}");
        assert_eq!(store.rebuild().expect("reads").made, Vec::<String>::new());
    }
}

/// Segments are dropped at each read of a check in turn.
#[test]
fn nothing_is_found_where_segments_are_dropped_meanwhile() {
    let sound = written(2, 60);
    let (mut at, mut expired) = (0, 0);
    loop {
        at += 1;
        let disk = sound.kill();
        let store = open(&disk);
        let reads = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&reads);
        let dropping = Intercepted::new(disk, move |operation, perform| {
            if operation == Operation::Read && count.fetch_add(1, Ordering::Relaxed) == at {
                store.retain(&forebear::Retention::new().max_events(1)).expect("drops");
            }
            perform()
        });
        let reader = Reader::open_on(Arc::new(dropping)).expect("opens");
        let snapshot = reader.snapshot().expect("reads");
        let begun = reads.load(Ordering::Relaxed);
        if at < begun {
            at = begun;
            continue;
        }
        let found = snapshot.verify(&mut |finding| panic!("dropped at read {at}: {finding}"));
        let verified = found.expect("reads");
        expired += verified.expired;
        if reads.load(Ordering::Relaxed) <= at {
            break;
        }
    }
    assert!(expired > 3, "{expired} of them expired under a check");
}

#[test]
fn every_changed_byte_of_a_sealed_file_is_found_and_misleads_nobody() {
    let disk = written(1, 24);
    let expected = Expected::of(&open(&disk));
    for name in ["0000000002.seg", "0000000002.idx"] {
        let length = disk.read(name).expect("is there").len();
        for at in (0..length).step_by(STEP).chain(length - 64..length) {
            let changed = disk.kill();
            changed.flip_bit(name, at, (at % 8) as u8).expect("flips");
            let context = format!("{name}, byte {at}");
            let store = open(&changed);
            let (verified, findings) = verify(&store);
            assert!(!verified.is_sound(), "{context}: not found");
            assert!(findings.iter().any(|finding| finding.file == name), "{context}: {findings:?}");
            expected.assert_not_misled(&store, &context);
        }
    }
}

#[test]
fn a_missing_or_damaged_index_is_made_again_with_a_word() {
    let disk = written(2, 24);
    let before = view(&open(&disk).snapshot());
    let sound = disk.read("0000000001.idx").expect("is there");
    let damages: [fn(&SimulatedDisk); 3] = [
        |disk| disk.remove("0000000001.idx").expect("removes"),
        |disk| disk.truncate("0000000001.idx", 100).expect("cuts"),
        |disk| disk.write("0000000001.idx", vec![0; 4096]),
    ];
    for damage in damages {
        let changed = disk.kill();
        damage(&changed);
        let store = open(&changed);
        assert!(!verify(&store).0.is_sound());
        assert_eq!(store.rebuild().expect("reads").made, ["0000000001.idx"]);
        assert_eq!(changed.read("0000000001.idx").expect("is there"), sound);
        assert!(verify(&store).0.is_sound());

        let changed = disk.kill();
        damage(&changed);
        let store = open(&changed);
        assert_eq!(view(&store.snapshot()), before);
        let warnings = store.warnings();
        assert!(
            warnings
                .iter()
                .any(|warning| warning.to_string().starts_with("0000000001.idx was made again")),
            "{warnings:?}"
        );
        assert_eq!(changed.read("0000000001.idx").expect("is there"), sound);
    }
}

#[test]
fn segments_of_another_past_and_lost_segments_are_found() {
    let disk = written(3, 24);
    let gone = disk.kill();
    gone.remove("0000000002.seg").expect("removes");
    let store = open(&gone);
    let (_, findings) = verify(&store);
    assert!(findings.iter().any(|f| f.file == "0000000002.seg" && f.reason.contains("no such")));

    let other = written(4, 24);
    let mixed = disk.kill();
    mixed.write("0000000002.seg", other.read("0000000002.seg").expect("is there"));
    let (_, findings) = verify(&open(&mixed));
    assert!(findings.iter().any(|f| f.file == "0000000002.seg"), "{findings:?}");

    let damaged = disk.kill();
    damaged.flip_bit("0000000002.seg", 40, 1).expect("flips");
    let rebuilt = open(&damaged).rebuild().expect("reads");
    assert_eq!(rebuilt.failed.len(), 1, "{rebuilt:?}");
    assert_eq!(rebuilt.failed[0].file, "0000000002.seg");
}

#[test]
fn filters_of_groups_are_checked_and_made_again() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    for at in 0..70 {
        store.append(Event::new("e").id(format!("{at}"))).expect("appends");
        store.seal().expect("seals");
    }
    let name = "0000000001.flt";
    let sound = disk.read(name).expect("is there");
    assert!(verify(&store).0.is_sound());
    for at in (0..sound.len()).step_by(997) {
        let changed = disk.kill();
        changed.flip_bit(name, at, 3).expect("flips");
        let store = open(&changed);
        let (_, findings) = verify(&store);
        assert!(findings.iter().any(|finding| finding.file == name), "byte {at}");
        assert!(store.snapshot().contains("5").expect("answers"), "byte {at}");
        assert_eq!(store.rebuild().expect("reads").made, [name]);
        assert_eq!(changed.read(name).expect("is there"), sound);
    }
}

#[test]
fn damage_of_a_log_is_found() {
    let disk = written(5, 24);
    let store = open(&disk);
    store.append(Event::new("e").id("last").payload(vec![b'x'; 100])).expect("appends");
    let log = disk.list().expect("lists").into_iter().rfind(|name| has_ending(name, "log"));
    let log = log.expect("there is one");
    disk.flip_bit(&log, 200, 1).expect("flips");
    let (_, findings) = verify(&store);
    assert!(findings.iter().any(|finding| finding.file == log), "{findings:?}");
}

#[test]
fn a_lost_manifest_costs_no_segment() {
    let disk = written(6, 24);
    let files = |disk: &SimulatedDisk| {
        let names = disk.list().expect("lists");
        names.into_iter().filter(|name| has_ending(name, "seg")).collect::<Vec<_>>()
    };
    let damages: [fn(&SimulatedDisk); 2] = [
        |disk| disk.remove("MANIFEST").expect("removes"),
        |disk| disk.flip_bit("MANIFEST", 50, 1).expect("flips"),
    ];
    for damage in damages {
        let lost = disk.kill();
        damage(&lost);
        let error = Store::builder().open_on(on(&lost)).map(drop).expect_err("it is refused");
        assert!(error.is_damaged() && error.to_string().contains("MANIFEST"), "{error}");
        assert_eq!(files(&lost), files(&disk));
    }
}

fn has_ending(name: &str, ending: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, found)| found == ending)
}

/// What a store holds when nothing is damaged.
struct Expected {
    events: BTreeMap<EventId, Vec<String>>,
    chains: BTreeMap<EventId, Vec<EventId>>,
}

impl Expected {
    fn of(store: &Store) -> Self {
        let snapshot = store.snapshot();
        let mut expected = Self { events: BTreeMap::new(), chains: BTreeMap::new() };
        for event in events(&snapshot) {
            expected.events.entry(event.id().clone()).or_default().push(describe(&event));
            let chain = chain(store, event.id()).expect("walks");
            expected.chains.insert(event.id().clone(), chain);
        }
        expected
    }

    /// Each answer is right, an error, or says that part of it can't be read.
    fn assert_not_misled(&self, store: &Store, context: &str) {
        let snapshot = store.snapshot();
        let answers = || {
            for (id, copies) in &self.events {
                match snapshot.get(id) {
                    Ok(Some(event)) if event.damage().is_some() => {}
                    Ok(Some(event)) => assert_eq!(describe(&event), copies[0], "{context}"),
                    Ok(None) => panic!("{context}: {id} is said not to be stored"),
                    Err(error) => assert!(error.is_damaged(), "{context}: {error}"),
                }
                match chain(store, id) {
                    Ok(chain) => assert!(self.chains[id].starts_with(&chain), "{context}: {id}"),
                    Err(error) => assert!(error.is_damaged(), "{context}: {error}"),
                }
            }
        };
        catch_unwind(AssertUnwindSafe(answers)).unwrap_or_else(|_| panic!("{context}: misled"));
    }
}

fn chain(store: &Store, id: &EventId) -> Result<Vec<EventId>> {
    let snapshot = store.snapshot();
    let Some(chain) = snapshot.chain(id)? else { return Ok(Vec::new()) };
    chain.map(|event| Ok(event?.id().clone())).collect()
}

fn verify(store: &Store) -> (Verified, Vec<Finding>) {
    let mut findings = Vec::new();
    let verified = store.snapshot().verify(&mut |finding| findings.push(finding)).expect("reads");
    assert_eq!(verified.findings, findings.len() as u64);
    (verified, findings)
}

/// A closed store with some segments of every kind of record.
fn written(seed: u64, batches: usize) -> SimulatedDisk {
    let disk = SimulatedDisk::with_seed(seed);
    let store = open(&disk);
    for batch in Script::generate(seed, Durability::Sync, batches).batches() {
        store.write(batch.clone().durability(Durability::Flush)).expect("writes");
    }
    store.seal().expect("seals");
    store.close().expect("closes");
    disk.kill()
}

fn open(disk: &SimulatedDisk) -> Store {
    let builder = Store::builder().segment_events(8).seal_in_background(false);
    builder.open_on(on(disk)).expect("opens")
}
