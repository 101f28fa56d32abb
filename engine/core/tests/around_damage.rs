//! Damage costs what stood in it and no more: everything else is answered, and what could
//! not be read is told.

use std::sync::Arc;

use forebear::storage::SimulatedDisk;
use forebear::{
    AppendStatus, ChainEnd, CountBy, Detail, Error, Event, Filter, LinkKind, Snapshot, Store,
    StoredEvent, TreeOrder, WarningKind,
};

/// Events of a segment, and how many of them are sealed; a log follows.
const EACH: usize = 70;
const SEALED: usize = 3;
const ALL: usize = EACH * (SEALED + 1);

fn id(at: usize) -> String {
    if at.is_multiple_of(2) { format!("event {at}") } else { uuid(at) }
}

fn uuid(at: usize) -> String {
    format!("0191e7a4-5b3c-7d2e-8f10-{at:012x}")
}

fn payload(at: usize) -> Vec<u8> {
    format!("payload {at} {}", "word ".repeat(at % 40)).into_bytes()
}

fn event(at: usize) -> Event {
    let event = Event::new(["call", "result"][at % 2]).id(id(at)).instance(format!("w{}", at % 5));
    let event = event
        .time_ns(i64::try_from(at).expect("fits"))
        .payload(payload(at))
        .label("n", (at % 7).to_string());
    if at == 0 { event } else { event.parent(id(at - 1)) }
}

/// A chain of events through three segments and a log.
fn disk() -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("opens");
    for at in 0..ALL {
        store.append(event(at)).expect("appends");
        if (at + 1).is_multiple_of(EACH) && at + 1 < ALL {
            store.seal().expect("seals");
        }
    }
    store.close().expect("closes");
    disk
}

fn open(disk: &SimulatedDisk) -> forebear::Result<Store> {
    Store::builder().seal_in_background(false).open_on(Arc::new(disk.clone()))
}

/// Everything that is given is as it was written, and what is not given is told.
fn check(snapshot: &Snapshot, what: &str) {
    let newest = snapshot.chain(id(ALL - 1)).expect("reads").expect("is in the log");
    let upwards = newest.read_all().expect("ends at damage at the worst");
    for (up, found) in upwards.events.iter().enumerate() {
        let at = ALL - 1 - up;
        assert_eq!(found.id().to_string(), id(at), "{what}");
        let parent = found.parent().map(ToString::to_string);
        match found.damage() {
            Some(_) => assert!(parent.is_none_or(|parent| parent == id(at - 1)), "{what}"),
            None => assert_eq!(parent, (at > 0).then(|| id(at - 1)), "{what}"),
        }
        assert!(found.payload() == Some(&payload(at)) || found.damage().is_some(), "{what}");
    }
    match &upwards.end {
        ChainEnd::Root => assert_eq!(upwards.events.len(), ALL, "{what}"),
        ChainEnd::Damaged(_) => assert!(upwards.damage.is_some(), "{what}"),
        other => panic!("{what}: {other:?}"),
    }
    assert!(upwards.events.len() >= EACH, "{what}: the log is sound");
    let chain = snapshot.chain(id(ALL - 1)).expect("reads").expect("is in the log");
    let downwards = chain.root_first().expect("ends at damage at the worst");
    assert_eq!(*downwards.end(), upwards.end, "{what}");
    let downwards: Vec<_> = downwards.collect::<Result<_, _>>().expect("was read before");
    let seqs = downwards.iter().rev().map(StoredEvent::seq);
    assert!(seqs.eq(upwards.events.iter().map(StoredEvent::seq)), "{what}");

    let all = snapshot.events(Filter::new()).oldest_first();
    let (mut found, mut told) = (Vec::new(), Vec::<Error>::new());
    for item in &all {
        match item {
            Ok(event) => found.push(event),
            Err(error) if error.is_damaged() => told.push(error),
            Err(error) => panic!("{what}: {error:#}"),
        }
    }
    for event in &found {
        let at = event.seq() as usize - 1;
        assert_eq!(event.id().to_string(), id(at), "{what}");
        assert!(event.payload() == Some(&payload(at)) || event.damage().is_some(), "{what}");
        if event.damage().is_none() {
            assert_eq!(event.kind(), ["call", "result"][at % 2], "{what}");
            assert_eq!((event.depth(), event.root().to_string()), (at as u64, id(0)), "{what}");
        }
    }
    let whole = found.iter().all(|event| event.damage().is_none()) && found.len() == ALL;
    assert!(whole || !told.is_empty(), "{what}: {} of {ALL}", found.len());
    assert!(found.len() >= ALL - EACH, "{what}: two segments and the log are sound");

    let calls = snapshot.events(Filter::new().kind("call").label("n", "3")).limit(1000);
    let calls = calls.detail(Detail::Columns).page().expect("goes on behind damage");
    let wanted = (0..ALL).filter(|at| at % 2 == 0 && at % 7 == 3).count();
    assert!(calls.items.len() == wanted || !calls.damaged.is_empty(), "{what}");
    let stats = snapshot.stats().expect("gives what it can");
    assert!(stats.events == ALL as u64 || !stats.damaged.is_empty(), "{what}");
    for by in [CountBy::Kind, CountBy::Label("n".into())] {
        let counts = snapshot.counts(by, Filter::new()).page().expect("counts what it can");
        let sum: u64 = counts.items.iter().map(|count| count.count).sum();
        assert!(sum == ALL as u64 || !counts.damaged.is_empty(), "{what}");
    }
    let last = snapshot.children(id(ALL - 2)).page().expect("the log is sound");
    assert_eq!(last.items.len(), 1, "{what}");
    let tree = snapshot.descendants(id(ALL - EACH)).order(TreeOrder::DepthFirst).page();
    assert_eq!(tree.expect("the log is sound").items.len(), EACH - 1, "{what}");
    snapshot.roots().page().expect("lists what it can");
    snapshot.missing_parents().page().expect("lists what it can");
    snapshot.timeline(std::time::Duration::from_nanos(50), Filter::new()).page().expect("counts");
}

#[test]
fn a_changed_bit_anywhere_in_a_segment_costs_what_stood_in_it() {
    let sound = disk();
    check(&open(&sound).expect("opens").snapshot(), "unchanged");
    for segment in 1..=SEALED {
        for ending in ["seg", "idx"] {
            let name = format!("000000000{segment}.{ending}");
            let length = sound.read(&name).expect("is there").len();
            // Each page, and each byte of the footer.
            let footer = length - if ending == "seg" { 1024 } else { 0 };
            let sampled = (7..footer).step_by(1021).chain((footer..length).step_by(13));
            for byte in sampled {
                let disk = sound.kill();
                disk.flip_bit(&name, byte, (byte % 8) as u8).expect("flips");
                let store = open(&disk).expect("opens");
                check(&store.snapshot(), &format!("byte {byte} of {name}"));
            }
        }
    }
}

#[test]
fn a_segment_that_is_gone_costs_what_stood_in_it() {
    let sound = disk();
    for segment in 1..=SEALED {
        let disk = sound.kill();
        let name = format!("000000000{segment}.seg");
        disk.remove(&name).expect("removes");
        check(&open(&disk).expect("opens").snapshot(), &name);
    }
}

/// Appends go on beside a segment that can't be opened at all, and so does sealing.
#[test]
fn one_bad_segment_stops_no_append_and_no_sealing() {
    let sound = disk();
    let harms: [fn(&SimulatedDisk, &str); 3] = [
        |disk, name| disk.remove(name).expect("removes"),
        |disk, name| {
            let footer = disk.read(name).expect("is there").len() - 700;
            disk.flip_bit(name, footer, 1).expect("flips");
        },
        |disk, name| disk.write(name, vec![0; 20_000]),
    ];
    for segment in 1..=SEALED {
        for (number, harm) in harms.into_iter().enumerate() {
            let what = format!("harm {number} of segment {segment}");
            let disk = sound.kill();
            harm(&disk, &format!("000000000{segment}.seg"));
            let store = open(&disk).expect("opens");
            let within = EACH * segment - EACH / 2;
            // A child of one that can't be read, and one that may be there.
            let child = store.append(Event::new("call").id("child").parent(id(within)));
            let child = child.expect("appends");
            let again = store.append(event(within)).expect("appends");
            assert_eq!(again.status, AppendStatus::New, "{what}: nobody can say");
            assert!(again.unchecked, "{what}");
            let known = store.append(event(ALL - 1)).expect("appends");
            assert_eq!((known.status, known.unchecked), (AppendStatus::Repeat, false), "{what}");
            store.link("child", id(1), LinkKind::Caused).expect("links");
            store.write(forebear::Batch::new().checkpoint("source", "1")).expect("writes");
            assert_eq!(store.snapshot().checkpoint("source").expect("reads"), Some(b"1".to_vec()));
            let warnings = store.warnings();
            let told = warnings.iter().filter(|told| told.kind() == WarningKind::Unchecked);
            assert_eq!(told.count(), 1, "{what}: {warnings:?}");
            let snapshot = store.snapshot();
            assert!(snapshot.get("child").is_ok_and(|found| found.is_some()), "{what}");
            let chain = snapshot.chain("child").expect("reads").expect("is there");
            let end = chain.read_all().expect("walks").end;
            assert!(matches!(end, ChainEnd::Root | ChainEnd::Damaged(_)), "{what}: {end:?}");

            store.seal().expect("seals");
            for n in 0..3 {
                store
                    .append(Event::new("call").id(format!("more {n}")).parent("child"))
                    .expect("appends");
                store.seal().expect("seals");
            }
            store.close().expect("closes");
            let store = open(&disk).expect("opens again");
            assert_eq!(store.snapshot().event(child.seq).expect("reads").id().to_string(), "child");
            let more = store.snapshot().children("child").page().expect("lists").items;
            assert_eq!(more.len(), 3, "{what}");
        }
    }
}
