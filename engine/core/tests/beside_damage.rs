//! What lies beside damage is not lost to it: revisions, links and what is appended later. What
//! nobody can say is told, and not taken for "there is none".

use std::sync::Arc;

use forebear::storage::SimulatedDisk;
use forebear::{ChainEnd, Event, Link, LinkKind, Retention, Store, TreeOrder, WarningKind};

fn open(disk: &SimulatedDisk) -> Store {
    Store::builder().seal_in_background(false).open_on(Arc::new(disk.clone())).expect("opens")
}

fn event(id: &str, parent: Option<&str>) -> Event {
    let event = Event::new("step").id(id).session("s").payload(id);
    match parent {
        Some(parent) => event.parent(parent),
        None => event,
    }
}

/// Writes segments of events, each with its parent, and loses one of them.
fn without(lost: usize, segments: &[&[(&str, Option<&str>)]]) -> SimulatedDisk {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    for segment in segments {
        for &(id, parent) in *segment {
            store.append(event(id, parent)).expect("appends");
        }
        store.seal().expect("seals");
    }
    store.close().expect("closes");
    lose(&disk, lost);
    disk
}

/// Damages a segment so that it can't be opened, and leaves its filter: what the segment knows
/// nothing of is as it was.
fn lose(disk: &SimulatedDisk, segment: usize) {
    disk.remove(&format!("{segment:010}.idx")).expect("removes");
    disk.flip_bit(&format!("{segment:010}.seg"), 0, 0).expect("flips");
}

#[test]
fn a_lost_segment_with_revisions_ends_no_walk_among_the_others() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    store.append(event("top", None)).expect("appends");
    store.append(event("below", Some("top"))).expect("appends");
    store.seal().expect("seals");
    store.append(event("top", None).payload("anew").revision()).expect("appends");
    store.seal().expect("seals");
    store.append(event("last", Some("below"))).expect("appends");
    store.append(event("last", Some("below")).payload("newest").revision()).expect("appends");
    store.close().expect("closes");
    lose(&disk, 2);

    let store = open(&disk);
    let snapshot = store.snapshot();
    let chain = snapshot.chain("last").expect("reads").expect("is there");
    let chain = chain.read_all().expect("walks");
    assert_eq!(chain.end, ChainEnd::Root);
    let found: Vec<_> = chain.events.iter().map(|event| event.payload().expect("has")).collect();
    assert_eq!(found, [b"newest".as_slice(), b"below", b"top"]);
    let told: Vec<_> = chain.events.iter().map(|event| event.damage().is_some()).collect();
    assert_eq!(told, [false, true, true], "the lost segment may have had newer ones");
    let root_first = snapshot.chain("last").expect("reads").expect("is there").root_first();
    assert_eq!(root_first.expect("walks").filter_map(Result::ok).count(), 3);

    let children = snapshot.children("top").page().expect("lists");
    assert_eq!((children.items.len(), children.damaged.is_empty()), (1, false));
    let roots = snapshot.roots().page().expect("lists");
    assert_eq!((roots.items.len(), roots.damaged.is_empty()), (1, false));
    for order in [TreeOrder::DepthFirst, TreeOrder::BreadthFirst] {
        let tree = snapshot.descendants("top").order(order).page().expect("lists");
        assert_eq!((tree.items.len(), tree.damaged.is_empty()), (2, false));
    }
    let top = snapshot.get_lossy("top").expect("reads").expect("is there");
    assert!(top.payload() == Some(b"top") && top.damage().is_some());
    assert!(snapshot.get("top").is_err_and(|error| error.is_damaged()));
    let last = snapshot.get("last").expect("nothing came after it").expect("is there");
    assert_eq!(last.payload(), Some(b"newest".as_slice()));
}

#[test]
fn a_revision_is_appended_whatever_of_what_it_replaces_is_damaged() {
    let (sound, id) = (SimulatedDisk::new(), "0191e7a4-5b3c-7d2e-8f10-000000000001");
    let store = open(&sound);
    store.append(event(id, None)).expect("appends");
    for number in 0..40 {
        store.append(event(&format!("other {number}"), Some(id))).expect("appends");
    }
    store.seal().expect("seals");
    store.close().expect("closes");
    let mut unchecked = 0;
    for ending in ["seg", "idx"] {
        let name = format!("0000000001.{ending}");
        for byte in (0..sound.read(&name).expect("is there").len()).step_by(509) {
            let disk = sound.kill();
            disk.flip_bit(&name, byte, (byte % 8) as u8).expect("flips");
            let store = open(&disk);
            let revision = event(id, None).payload("anew").revision();
            let appended = store.append(revision).unwrap_or_else(|error| {
                panic!("byte {byte} of {name}: {error:#}");
            });
            unchecked += usize::from(appended.unchecked);
            let found = store.snapshot().event(appended.seq).expect("is in the log");
            assert_eq!(found.payload(), Some(b"anew".as_slice()));
        }
    }
    assert!(unchecked > 0, "some damage keeps it from being known what is replaced");
}

#[test]
fn a_parent_that_may_be_in_a_lost_segment_is_not_taken_for_none() {
    let child: &[_] = &[("child", Some("late")), ("below", Some("child"))];
    let disk = without(2, &[child, &[("late", None)], &[("beside", Some("late"))]]);
    let store = open(&disk);
    let siblings = store.snapshot().siblings("child").page().expect("lists");
    assert_eq!((siblings.items.len(), siblings.damaged.is_empty()), (0, false));

    // It may close a cycle: what "late" goes back to is unknown.
    store.append(event("waits", Some("new"))).expect("appends");
    let new = store.append(event("new", Some("below"))).expect("appends");
    assert!(new.unchecked);
    let other = store.append(event("other", None)).expect("appends");
    assert!(!other.unchecked);
}

#[test]
fn a_child_whose_link_may_have_been_replaced_in_a_lost_segment_is_told() {
    let disk = SimulatedDisk::new();
    let store = open(&disk);
    store.append(event("child", None)).expect("appends");
    store.append(event("parent", None)).expect("appends");
    store.seal().expect("seals");
    let link = |parent: &str| Link::new("child", parent, LinkKind::Spawned).strength(3);
    store.write(link("elsewhere")).expect("links");
    store.seal().expect("seals");
    store.close().expect("closes");
    lose(&disk, 2);
    let store = open(&disk);
    store.write(link("parent")).expect("links");
    let children = store.snapshot().children("parent").page().expect("lists");
    assert_eq!((children.items.len(), children.damaged.is_empty()), (0, false));
}

#[test]
fn lineage_that_leads_to_damage_is_not_carried_over_as_ending_there() {
    let above: &[_] = &[("anchor", Some("late"))];
    let disk = without(2, &[above, &[("late", None)], &[("below", Some("anchor"))]]);
    let store = open(&disk);
    let gone = store.retain(&Retention::new().max_events(2)).expect("drops");
    assert_eq!(gone.segments, 1);
    let warnings = store.warnings();
    let told = warnings.iter().filter(|told| told.kind() == WarningKind::StateLost);
    assert_eq!(told.count(), 1, "{warnings:?}");
    let root = store.snapshot().root("below").expect("reads").expect("is there");
    assert_eq!(root.to_string(), "anchor");
}
