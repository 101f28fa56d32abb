//! What is known of a source stays known: the newest checkpoint is answered whatever was
//! rotated, sealed, dropped or lost in between, and old snapshots keep the old answer.

mod support {
    pub(crate) mod random;
}

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{
    Batch, Checkpoint, Cursor, Durability, Event, Filter, Reader, Result, Retention, Snapshot,
    Store, limits,
};
use support::random::Random;

/// The newest position of each source.
type Model = BTreeMap<String, Vec<u8>>;

#[test]
fn the_newest_checkpoint_wins_and_old_snapshots_keep_the_old_one() {
    for seed in 0..12 {
        let mut random = Random::new(seed);
        let disk = SimulatedDisk::with_seed(seed);
        let mut store = open(&disk);
        let reader = Reader::open_on(on(&disk)).expect("opens");
        let mut model = Model::new();
        let mut old: Vec<(Snapshot, Model)> = Vec::new();
        for step in 0..120 {
            match random.below(20) {
                0..14 => store.write(batch(&mut random, step, &mut model)).map(drop),
                14 | 15 => store.seal(),
                16 | 17 => {
                    let policy = Retention::new().max_events(random.below(20));
                    store.retain(&policy).map(drop)
                }
                18 => {
                    old.clear();
                    drop(store);
                    store = open(&disk);
                    Ok(())
                }
                _ => {
                    let moment = store.snapshot();
                    old.push((moment, model.clone()));
                    Ok(())
                }
            }
            .expect("nothing fails");
            let context = format!("seed {seed}, step {step}");
            assert_knows(&store.snapshot(), &model, &context);
            assert_knows(&reader.snapshot().expect("reads"), &model, &context);
            for (snapshot, model) in &old {
                match listed(snapshot) {
                    Ok(found) => assert_eq!(found, *model, "{context}: an old snapshot"),
                    Err(error) => assert!(error.is_expired(), "{context}: {error}"),
                }
            }
        }
        let verified = store.snapshot().verify(&mut |finding| panic!("{finding}"));
        assert!(verified.expect("reads").is_sound());
        assert_eq!(store.rebuild().expect("reads").made, Vec::<String>::new());
    }
}

#[test]
fn a_checkpoint_and_the_events_before_it_are_both_there_or_neither() {
    for crash in 1.. {
        let disk = SimulatedDisk::with_seed(crash);
        disk.crash_at(crash);
        let (begun, durable) = run_until_it_fails(&disk);
        for loss in 0..2 {
            assert_whole(&disk.power_loss(crash + loss), durable..=begun, crash);
        }
        assert_whole(&disk.kill(), durable..=begun, crash);
        if disk.operations() < crash {
            assert_eq!(durable, BATCHES);
            return;
        }
    }
}

#[test]
fn what_was_carried_is_carried_on_when_its_segment_goes_too() {
    let disk = SimulatedDisk::new();
    let mut store = open(&disk);
    let drop_all = Retention::new().max_events(0);
    store.write(Batch::new().checkpoint("idle", "once")).expect("writes");
    for round in 0..5 {
        store.append(Event::new("e").id(format!("{round}"))).expect("appends");
        store.seal().expect("seals");
        store.retain(&drop_all).expect("drops");
        assert_eq!(store.snapshot().segments().len(), 1, "what it was written in is gone");
        assert_eq!(position(&store.snapshot(), "idle"), Some("once".into()));
        if round % 2 == 0 {
            store.close().expect("closes");
            store = open(&disk);
        }
    }
    // What is newer is not brought back to what was carried.
    store.write(Batch::new().checkpoint("idle", "moved")).expect("writes");
    store.retain(&drop_all).expect("drops");
    store.seal().expect("seals");
    assert_eq!(position(&store.snapshot(), "idle"), Some("moved".into()));
    store.retain(&drop_all).expect("drops");
    assert_eq!(position(&store.snapshot(), "idle"), Some("moved".into()));
}

#[test]
fn an_archive_answers_with_what_was_so_when_its_segments_were_written() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    let policy = Retention::new().max_events(0).archive("/archive");
    for (step, source) in ["a", "b", "a"].into_iter().enumerate() {
        let batch = Batch::from(Event::new("e")).checkpoint(source, format!("{step}"));
        store.write(batch).expect("writes");
        store.seal().expect("seals");
        store.retain(&policy).expect("archives");
    }
    store.write(Batch::new().checkpoint("a", "later")).expect("writes");
    assert_eq!(position(&store.snapshot(), "a"), Some("later".into()));
    assert_eq!(position(&store.snapshot(), "b"), Some("1".into()));
    let archive = disk.in_folder("/archive");
    let archived = Reader::open_on(Arc::new(archive)).expect("opens").snapshot().expect("reads");
    let expected = [("a", "2"), ("b", "1")].map(|(a, b)| (a.to_owned(), b.as_bytes().to_vec()));
    assert_eq!(listed(&archived).expect("lists"), Model::from(expected));
    assert!(archived.verify(&mut |finding| panic!("{finding}")).is_ok());
}

#[test]
fn pages_lead_through_more_sources_than_fit_in_one() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    let mut model = Model::new();
    for part in 0..4_u32 {
        let mut batch = Batch::from(Event::new("e"));
        // Sources of one part lie between those of the others, and some are in two.
        for n in (part..2600).step_by(3) {
            let (source, position) = (format!("{n:05}"), format!("{part}"));
            model.insert(source.clone(), position.clone().into_bytes());
            batch = batch.checkpoint(source, position);
        }
        store.write(batch).expect("writes");
        if part < 3 {
            store.seal().expect("seals");
        }
    }
    let snapshot = store.snapshot();
    assert_knows(&snapshot, &model, "all of them");
    let first = snapshot.checkpoints().page().expect("lists");
    assert_eq!(first.items.len(), limits::MAX_PAGE);
    let cursor: Cursor = first.next.expect("there are more").to_string().parse().expect("parses");
    // What comes in between does not shift the next page.
    let before = Batch::new().checkpoint("00000 before", "new").checkpoint("00999 after", "new");
    store.write(before).expect("writes");
    let second = store.snapshot().checkpoints().after(cursor).page().expect("lists");
    assert_eq!(second.items[0].source, "00999 after");
    assert_eq!(second.items[1].source, "01000");
    let foreign = store.snapshot().events(Filter::new()).limit(1).page().expect("lists").next;
    let error = snapshot.checkpoints().after(foreign).page().expect_err("is none of its");
    assert!(error.is_invalid(), "{error}");
}

#[test]
fn logs_of_checkpoints_alone_are_full_too_and_keep_nothing_but_the_newest() {
    let disk = SimulatedDisk::new();
    let builder = Store::builder().segment_bytes(8 << 10).seal_in_background(false);
    let store = builder.open_on(on(&disk)).expect("opens");
    for n in 0..300_u32 {
        let batch = Batch::new().checkpoint("file", n.to_le_bytes()).checkpoint("other", "same");
        store.write(batch.durability(Durability::Flush)).expect("writes");
    }
    let segments = store.snapshot().segments();
    assert!(segments.len() > 5, "{} segments", segments.len());
    assert_eq!(
        store.snapshot().checkpoint("file").expect("reads"),
        Some(299u32.to_le_bytes().into())
    );
    store.seal().expect("seals");
    store.retain(&Retention::new().max_bytes(0)).expect("drops");
    assert_eq!(store.snapshot().segments().len(), 1);
    assert_eq!(
        store.snapshot().checkpoint("file").expect("reads"),
        Some(299u32.to_le_bytes().into())
    );
    assert_eq!(position(&store.snapshot(), "other"), Some("same".into()));
}

#[test]
fn damaged_state_is_an_error_or_the_right_answer_and_pins_no_segment() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    store.write(Batch::from(Event::new("e")).checkpoint("file", "right")).expect("writes");
    store.seal().expect("seals");
    store.close().expect("closes");
    for name in ["0000000001.seg", "0000000001.idx"] {
        let length = disk.read(name).expect("is there").len();
        for at in (0..length).step_by(311) {
            let changed = disk.kill();
            changed.flip_bit(name, at, (at % 8) as u8).expect("flips");
            let context = format!("{name}, byte {at}");
            let store = open(&changed);
            match store.snapshot().checkpoint("file") {
                Ok(found) => assert_eq!(found, Some(b"right".to_vec()), "{context}"),
                Err(error) => assert!(error.is_damaged(), "{context}: {error}"),
            }
            store.retain(&Retention::new().max_events(0)).expect("drops");
            assert_eq!(store.snapshot().segments().len(), 1, "{context}");
            let told =
                store.warnings().iter().any(|warning| warning.to_string().contains("is lost"));
            match position(&store.snapshot(), "file") {
                None => assert!(told, "{context}: lost without a word"),
                found => assert_eq!(found, Some("right".into()), "{context}"),
            }
        }
    }
}

#[test]
fn checkpoints_have_limits() {
    let store = Store::in_memory().expect("opens");
    let write =
        |source: String, position: Vec<u8>| store.write(Batch::new().checkpoint(source, position));
    let (source, position) = (limits::MAX_CHECKPOINT_SOURCE_BYTES, limits::MAX_CHECKPOINT_BYTES);
    write("s".repeat(source), vec![7; position]).expect("is as long as it may be");
    for error in [
        write(String::new(), Vec::new()).expect_err("no source"),
        write("s".repeat(source + 1), Vec::new()).expect_err("too long a source"),
        write("s".into(), vec![0; position + 1]).expect_err("too long a position"),
    ] {
        assert!(error.is_invalid() && error.to_string().contains("checkpoint"), "{error}");
    }
    let empty = Checkpoint { source: "empty".into(), position: Vec::new() };
    write(empty.source.clone(), Vec::new()).expect("no position is one too");
    assert_eq!(store.snapshot().checkpoints().page().expect("lists").items[0], empty);
}

/// Batches of the script for crashes.
const BATCHES: usize = 14;

/// Writes a batch after the other, its number in its event and its checkpoint, and
/// seals, drops and reopens in between. Returns how many batches were begun, and how
/// many must survive.
fn run_until_it_fails(disk: &SimulatedDisk) -> (usize, usize) {
    let mut progress = (0, 0);
    let mut run = || -> Result<()> {
        let mut store = Some(try_open(disk)?);
        for number in 1..=BATCHES {
            let open = store.as_ref().expect("is open");
            progress.0 = number;
            let mut batch = Batch::from(Event::new("line").id(format!("{number}")))
                .checkpoint("file", format!("{number}"));
            if number == 1 {
                batch = batch.checkpoint("idle", "once");
            }
            open.write(batch)?;
            progress.1 = number;
            if number % 4 == 0 {
                open.retain(&Retention::new().max_events(3))?;
            }
            if number % 5 == 0 {
                store.take().expect("is open").close()?;
                store = Some(try_open(disk)?);
            }
        }
        Ok(())
    };
    // A crash is what it is about.
    let _ = run();
    progress
}

fn assert_whole(disk: &SimulatedDisk, batches: RangeInclusive<usize>, crash: u64) {
    let store = open(disk);
    let snapshot = store.snapshot();
    let context = format!("crash at {crash}, {batches:?}");
    let reached = position(&snapshot, "file").map_or(0, |text| text.parse().expect("a number"));
    assert!(batches.contains(&reached), "{context}: found {reached}");
    let newest = snapshot.events(Filter::new()).limit(1).page().expect("lists").items;
    let newest = newest.first().map(|event| event.id().to_string());
    assert_eq!(newest, (reached > 0).then(|| reached.to_string()), "{context}");
    let idle = position(&snapshot, "idle");
    assert_eq!(idle, (reached > 0).then(|| "once".to_owned()), "{context}");
    store.seal().expect("seals");
    store.retain(&Retention::new().max_events(0)).expect("drops");
    assert_eq!(position(&store.snapshot(), "idle"), idle, "{context}");
    assert_eq!(
        position(&store.snapshot(), "file").map_or(0, |text| text.parse().expect("a number")),
        reached
    );
}

/// A batch of events and checkpoints, some sources several times.
fn batch(random: &mut Random, step: u64, model: &mut Model) -> Batch {
    let mut batch = Batch::new().durability(Durability::Flush);
    for n in 0..random.below(4) {
        batch = batch.event(Event::new("e").id(format!("{step} {n}")));
    }
    for n in 0..random.below(4) {
        let source = format!("source {}", random.below(14));
        let length = if random.below(30) == 0 { 4000 } else { 3 };
        let position = format!("{step} {n} {}", "x".repeat(length)).into_bytes();
        model.insert(source.clone(), position.clone());
        batch = batch.checkpoint(source, position);
    }
    batch
}

fn assert_knows(snapshot: &Snapshot, model: &Model, context: &str) {
    assert_eq!(listed(snapshot).expect("lists"), *model, "{context}");
    for (source, position) in model.iter().step_by(model.len() / 10 + 1) {
        let found = snapshot.checkpoint(source).expect("reads");
        assert_eq!(found.as_ref(), Some(position), "{context}: {source}");
    }
    assert_eq!(snapshot.checkpoint("no such").expect("reads"), None, "{context}");
}

/// All checkpoints by the listing, which is in order and has each once.
fn listed(snapshot: &Snapshot) -> Result<Model> {
    let found = snapshot.checkpoints().iter().collect::<Result<Vec<_>>>()?;
    assert!(found.windows(2).all(|pair| pair[0].source < pair[1].source), "in order");
    Ok(found.into_iter().map(|read| (read.source, read.position)).collect())
}

fn position(snapshot: &Snapshot, source: &str) -> Option<String> {
    let found = snapshot.checkpoint(source).expect("reads");
    found.map(|position| String::from_utf8(position).expect("is text"))
}

fn open(disk: &SimulatedDisk) -> Store {
    try_open(disk).expect("opens")
}

fn try_open(disk: &SimulatedDisk) -> Result<Store> {
    Store::builder().segment_events(3).seal_in_background(false).open_on(on(disk))
}

fn on(disk: &SimulatedDisk) -> Arc<dyn Storage> {
    Arc::new(disk.clone())
}
