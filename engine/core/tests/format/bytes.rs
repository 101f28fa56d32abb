//! The bytes of a fixed store: neither a change here nor an upgraded dependency changes
//! the format unnoticed.

use std::fmt::Write as _;
use std::sync::Arc;

use forebear::storage::{SimulatedDisk, Storage};
use forebear::{
    Batch, Event, Link, LinkKind, Quarantined, Relationship, RelationshipType, Retention, Scope,
    SessionBatch, SessionPatch, SessionStatus, Store, Usage, testing,
};

#[test]
fn the_bytes_of_a_store_are_what_they_were() {
    testing::freeze_clock(NOW_NS);
    let disk = SimulatedDisk::new();
    disk.write("MANIFEST", first_manifest());
    disk.write("0000000001.log", "");
    let builder = forebear::builder().seal_in_background(false);
    let store = builder.open_on(Arc::new(disk.clone())).expect("opens");
    write(&store);
    store.close().expect("closes");
    let mut found = String::new();
    let mut names = disk.list().expect("lists");
    names.sort_unstable();
    for name in names.into_iter().filter(|name| name != "LOCK" && name != "spool") {
        let bytes = disk.read(&name).expect("reads");
        let digest = blake3::hash(&bytes).to_hex();
        // Writing to a String can't fail.
        let _ = writeln!(found, "{name} {} {}", bytes.len(), &digest[..16]);
    }
    assert_eq!(
        found, EXPECTED,
        "the format changed: if that was meant, it takes a new version of the format, a fixture \
         of the old one, and these lines"
    );
}

/// Every kind of record, in segments, in one that is dropped, and in the log.
fn write(store: &Store) {
    let send = |batch: Batch| store.write(batch).expect("writes");
    send(Batch::from(plain("child", "late")));
    store.seal().expect("seals");
    send(Batch::from(vec![plain("late", ""), plain("below", "child")]));
    store.seal().expect("seals");
    send(
        Batch::new()
            .event(event(1, "worker-1", "request").label("project", "shop"))
            .event(event(2, "worker-2", "error").parent("event-1").usage(usage(2)))
            .checkpoint("app.log", "2")
            .session(SessionPatch::new("checkout").project("shop").status(SessionStatus::Active))
            .relate(Relationship::new("lead", "checkout")),
    );
    store.seal().expect("seals");
    let input = |source: &str| Quarantined {
        source: source.into(),
        line: 3,
        offset: 20,
        length: 3,
        reason: "expected an object".into(),
        bytes: b"[1]".to_vec(),
    };
    send(
        Batch::new()
            .event(event(3, "auditor", "answer").parent("event-2").scope(Scope::Own))
            .event(plain("further-below", "below"))
            .event(event(4, "worker-1", "note").parent("event-3").link(LinkKind::Continues))
            .event(event(1, "worker-1", "request").payload("another version"))
            .link(Link::new("event-5", "event-4", LinkKind::Spawned).strength(2))
            .link(Link::new("event-4", "event-1", LinkKind::Caused))
            .quarantine(input("app.log")),
    );
    store.seal().expect("seals");
    let segments = store.snapshot().segments();
    let kept = segments[3..].iter().map(|segment| segment.events).sum();
    let gone = store.retain(&Retention::new().max_events(kept)).expect("drops");
    assert_eq!(gone.segments, 3);
    store.set_retention(Some(Retention::new().max_events(1_000_000))).expect("keeps");
    let relationship = Relationship::new("checkout", "last");
    send(
        Batch::new()
            .event(event(5, "worker-3", "request"))
            .event(event(6, "", "note").parent("event-5").payload("x".repeat(100_000)))
            .event(event(7, "", "note"))
            .link(Link::new("event-7", "event-6", LinkKind::Caused))
            .link(Link::new("event-5", "event-7", LinkKind::Caused))
            .quarantine(input("b.log"))
            .checkpoint("b.log", "9")
            .session(SessionPatch::new("last").wave("w-1"))
            .relate(relationship.relationship_type(RelationshipType::Continuation)),
    );
}

fn event(number: i64, instance: &str, kind: &str) -> Event {
    let event = Event::new(kind).id(format!("event-{number}")).time_ns(NOW_NS + number);
    let event = event.session("checkout").instance(instance);
    event.payload(format!("{{\"n\":{number}}}")).payload_type("shop.v1")
}

fn plain(id: &str, parent: &str) -> Event {
    let event = Event::new("note").id(id).time_ns(NOW_NS - 1);
    event.parent_opt((!parent.is_empty()).then_some(parent))
}

fn usage(input: u64) -> Usage {
    Usage { message: "m".into(), input, output: 300, cache_read: 1 << 40, cache_written: 4 }
}

/// That of a store whose id is known.
fn first_manifest() -> String {
    let lines = format!(
        "forebear store, format 2\nstore {}\nactive 1 first=1 previous={}\n",
        "5b".repeat(16),
        "0".repeat(64)
    );
    format!("{lines}digest {}\n", blake3::hash(lines.as_bytes()).to_hex())
}

const NOW_NS: i64 = 1_800_000_000_000_000_000;
const EXPECTED: &str = "\
0000000004.idx 36864 cf8b034b5bb2ebea
0000000004.seg 46240 a2d76656b39132f7
0000000005.ckp 256 c86a63d5fc880045
0000000005.log 102208 4e8e008746cadbe7
MANIFEST 670 8b4f781be6458fda
";
