//! What is kept, what goes, where it goes to, and copies of all of it.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use forebear::{Event, Filter, Reader, Retention, SegmentState, Snapshot, Store};

const DAY: Duration = Duration::from_hours(24);

#[test]
fn segments_older_than_the_policy_go_and_times_in_the_future_pin_none() {
    let store = Store::in_memory().expect("opens");
    for (id, age) in [("old", 10), ("older, after it", 20), ("new", 1)] {
        seal(&store, Event::new("e").id(id).time_ns(ago(age)));
    }
    let policy = Retention::new().max_age(DAY * 5);
    let would = store.retain(&policy.clone().dry_run(true)).expect("tells");
    assert_eq!((would.segments, would.events), (2, 2));
    assert_eq!(ids(&store), ["old", "older, after it", "new"], "a dry run drops nothing");
    assert_eq!(store.retain(&policy).expect("drops"), would);
    assert_eq!(ids(&store), ["new"]);
    assert_eq!(store.retain(&policy).expect("drops nothing").segments, 0);

    // As old as when it was written: just now.
    seal(&store, Event::new("e").id("bogus").time_ns(i64::MAX));
    assert_eq!(store.retain(&Retention::new().max_age(Duration::ZERO)).expect("drops").segments, 2);
    assert!(ids(&store).is_empty());
}

#[test]
fn a_kept_policy_is_applied_whenever_a_log_is_full() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.forebear");
    let open = || {
        let builder = Store::builder().segment_events(10).seal_in_background(false);
        builder.open(&path).expect("opens")
    };
    let store = open();
    store.set_retention(Some(Retention::new().max_events(25))).expect("keeps it");
    store.close().expect("closes");
    let store = open();
    for at in 0..100 {
        store.append(Event::new("e").id(format!("{at}"))).expect("appends");
    }
    let left = ids(&store);
    assert!((20..50).contains(&left.len()), "{} are left", left.len());
    assert_eq!(left.last().map(String::as_str), Some("99"));
    assert!(store.warnings().is_empty());
}

#[test]
fn an_archive_that_can_not_be_written_stops_no_append_and_nothing_is_dropped() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a file");
    std::fs::write(&file, "in the way").expect("writes");
    let store =
        Store::builder().segment_events(10).open(folder.path().join("store")).expect("opens");
    let policy = Retention::new().max_events(0).archive(&file);
    store.set_retention(Some(policy.clone())).expect("keeps it");
    for at in 0..50 {
        store.append(Event::new("e").id(format!("{at}"))).expect("appends");
    }
    assert_eq!(ids(&store).len(), 50);
    assert!(store.warnings().iter().any(|warning| warning.to_string().contains("a file")));
    store.seal().expect("seals");
    store.retain(&policy).expect_err("it is told who asks");
    assert_eq!(ids(&store).len(), 50);
}

#[test]
fn several_retains_go_to_one_archive_which_refuses_gaps_and_other_stores() {
    let folder = tempfile::tempdir().expect("a folder");
    let archive = folder.path().join("archive");
    let open = |name: &str| Store::open(folder.path().join(name)).expect("opens");
    let store = open("store");
    let policy = Retention::new().max_events(0).archive(&archive);
    for id in ["first", "second"] {
        seal(&store, Event::new("e").id(id));
        assert_eq!(store.retain(&policy).expect("archives").segments, 1);
    }
    assert!(ids(&store).is_empty());
    assert_eq!(archived(&archive), ["first", "second"]);
    let names = || {
        let entries = std::fs::read_dir(&archive).expect("lists");
        let mut names: Vec<_> = entries.map(|entry| entry.expect("lists").file_name()).collect();
        names.sort();
        names
    };
    let before = names();
    let error = Store::open(&archive).expect_err("an archive is not written to");
    assert!(error.is_foreign() && error.to_string().contains("an archive"), "{error}");
    assert_eq!(names(), before, "not even a lock");
    let snapshot = Reader::open(&archive).expect("opens").snapshot().expect("reads");
    let verified = snapshot.verify(&mut |finding| panic!("{finding}")).expect("reads");
    assert_eq!(verified.segments, 2);
    let copy = folder.path().join("copy of the archive");
    snapshot.backup(&copy).expect("copies");
    assert_eq!(archived(&copy), ["first", "second"]);

    seal(&store, Event::new("e").id("lost"));
    store.retain(&Retention::new().max_events(0)).expect("drops");
    seal(&store, Event::new("e").id("behind a gap"));
    let error = store.retain(&policy).expect_err("there is a gap");
    assert!(error.is_foreign() && error.to_string().contains("goes on with segment 3"), "{error}");
    assert_eq!(ids(&store), ["behind a gap"], "nothing was dropped");

    let other = open("other");
    seal(&other, Event::new("e"));
    let error = other.retain(&policy).expect_err("it is another's");
    assert!(error.is_foreign() && error.to_string().contains("of another"), "{error}");
    for path in [folder.path(), &folder.path().join("store"), &folder.path().join("other")] {
        let policy = Retention::new().max_events(0).archive(path);
        let error = other.retain(&policy).expect_err("it is no archive");
        assert!(error.is_foreign(), "{error}");
    }
    assert_eq!(ids(&other).len(), 1);
    assert_eq!(archived(&archive), ["first", "second"], "it is as it was");
}

#[test]
fn segments_say_what_they_hold() {
    let store = Store::in_memory().expect("opens");
    store.append(Event::new("e").time_ns(7)).expect("appends");
    seal(&store, Event::new("e").time_ns(-3));
    store.append(Event::new("e").time_ns(5)).expect("appends");
    let [sealed, active] = &store.snapshot().segments()[..] else { panic!("two segments") };
    assert_eq!((sealed.number, sealed.first_seq, sealed.events, sealed.lost), (1, 1, 2, 0));
    assert_eq!((sealed.from_ns, sealed.to_ns), (Some(-3), Some(7)));
    assert_eq!(sealed.state, SegmentState::Sealed);
    assert!(sealed.raw_bytes > 0 && sealed.stored_bytes > 0);
    assert_eq!((active.number, active.first_seq, active.events), (2, 3, 1));
    assert_eq!((active.from_ns, active.to_ns), (Some(5), Some(5)));
    assert_eq!(active.state, SegmentState::Active);
}

#[test]
fn a_backup_holds_what_its_snapshot_sees_while_the_store_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || Store::builder().segment_events(10);
    let store = builder().open(folder.path().join("store")).expect("opens");
    for at in 0..35 {
        store.append(Event::new("e").id(format!("{at}"))).expect("appends");
    }
    let snapshot = store.snapshot();
    let expected = ids(&store);
    for at in 35..75 {
        store.append(Event::new("e").id(format!("{at}"))).expect("appends");
    }
    store.seal().expect("seals");
    let copy = folder.path().join("copy");
    let backup = snapshot.backup(&copy).expect("copies");
    assert_eq!(backup.events, 35);
    let error = snapshot.backup(&copy).expect_err("it is not empty any more");
    assert!(error.is_foreign(), "{error}");
    let copied = builder().open(&copy).expect("opens");
    assert!(copied.recovery().is_clean(), "{:?}", copied.recovery());
    assert_eq!(ids(&copied), expected);
    copied.append(Event::new("e").id("only in the copy")).expect("appends");
    copied.seal().expect("seals");
    assert!(copied.snapshot().verify(&mut |finding| panic!("{finding}")).is_ok());
    assert!(store.snapshot().verify(&mut |finding| panic!("{finding}")).is_ok());
    assert_eq!(ids(&store).len(), 75);
}

fn seal(store: &Store, event: Event) {
    store.append(event).expect("appends");
    store.seal().expect("seals");
}

fn ago(days: u32) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    i64::try_from(now.saturating_sub(DAY * days).as_nanos()).expect("before 2262")
}

fn ids(store: &Store) -> Vec<String> {
    ids_of(&store.snapshot())
}

fn ids_of(snapshot: &Snapshot) -> Vec<String> {
    let mut events = snapshot.events(Filter::new()).limit(1000).page().expect("lists").items;
    events.sort_by_key(forebear::StoredEvent::seq);
    events.iter().map(|event| event.id().to_string()).collect()
}

/// The ids in an archive.
fn archived(archive: &Path) -> Vec<String> {
    ids_of(&Reader::open(archive).expect("opens").snapshot().expect("reads"))
}
