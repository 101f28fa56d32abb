//! Revisions: the newest is what is read, listed and counted, as a plain model has it, in the
//! log and sealed, after opening again, beside retention, and for older snapshots.

use std::collections::BTreeMap;
use std::path::Path;

use forebear::{
    Batch, CountBy, Detail, Event, Filter, Link, LinkKind, Retention, SessionReads, Snapshot, Store,
};

#[path = "support/random.rs"]
mod random;

use random::Random;

/// What was stored, in order.
#[derive(Clone)]
struct Record {
    id: String,
    session: String,
    /// Its payload, which no other has.
    number: u64,
    kind: &'static str,
    /// Whether a later one replaces it.
    superseded: bool,
}

#[derive(Clone, Default)]
struct Model {
    records: Vec<Record>,
    /// Records that have expired.
    gone: usize,
}

impl Model {
    fn add(&mut self, id: &str, session: &str, kind: &'static str, revision: bool) -> u64 {
        let number = self.records.len() as u64;
        if revision {
            let same = |record: &&mut Record| record.id == id && record.session == session;
            if let Some(before) = self.records[self.gone..].iter_mut().rev().find(same) {
                before.superseded = true;
            }
        }
        let (id, session) = (id.to_owned(), session.to_owned());
        self.records.push(Record { id, session, number, kind, superseded: false });
        number
    }

    fn current(&self) -> impl Iterator<Item = &Record> {
        self.records[self.gone..].iter().filter(|record| !record.superseded)
    }

    /// What stands for an id: the newest of its oldest record's session that was not left
    /// beside it.
    fn stands_for(&self, id: &str) -> Option<&Record> {
        let mut of_id = self.records[self.gone..].iter().filter(|record| record.id == id);
        let mut at = of_id.next()?;
        while at.superseded {
            // What replaced it is the next of its session.
            at = self.records[at.number as usize + 1..]
                .iter()
                .find(|record| record.id == at.id && record.session == at.session)?;
        }
        Some(at)
    }

    fn check(&self, snapshot: &Snapshot) {
        let listed = |filter: Filter| -> Vec<String> {
            let events = snapshot.events(filter).oldest_first().iter();
            events.map(|event| payload(&event.expect("reads"))).collect()
        };
        let wanted: Vec<String> = self.current().map(|record| record.number.to_string()).collect();
        assert_eq!(listed(Filter::new()), wanted);
        let all = self.records[self.gone..].iter().map(|record| record.number.to_string());
        assert_eq!(listed(Filter::new().with_superseded()), all.collect::<Vec<_>>());
        for session in SESSIONS {
            let wanted = self.current().filter(|record| record.session == session);
            let wanted: Vec<String> = wanted.map(|record| record.number.to_string()).collect();
            assert_eq!(listed(Filter::new().session(session)), wanted);
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        self.current().for_each(|record| *counts.entry(record.kind).or_default() += 1);
        for by in [CountBy::Kind, CountBy::Label("kind".to_owned())] {
            let found = snapshot.counts(by, Filter::new()).page().expect("counts").items;
            let found = found.iter().map(|count| (&*count.value, count.count)).collect();
            assert_eq!(counts, found);
        }
        for id in IDS {
            let found = snapshot.get(id).expect("reads").map(|event| payload(&event));
            assert_eq!(found, self.stands_for(id).map(|record| record.number.to_string()), "{id}");
            let versions = snapshot.versions(id).iter();
            let versions: Vec<_> = versions.map(|event| payload(&event.expect("reads"))).collect();
            let all = self.records[self.gone..].iter().filter(|record| record.id == id);
            assert_eq!(versions, all.map(|record| record.number.to_string()).collect::<Vec<_>>());
        }
    }

    /// The tallies of sessions go on counting what has expired.
    fn check_sessions(&self, snapshot: &Snapshot) {
        for name in SESSIONS {
            let of_it = || self.records.iter().filter(|of| of.session == name && !of.superseded);
            let errors = of_it().filter(|record| record.kind == "error").count() as u64;
            let found = snapshot.session(name).expect("reads");
            let found = found.map_or((0, 0), |found| (found.events, found.errors));
            assert_eq!(found, (of_it().count() as u64, errors), "{name}");
        }
    }
}

fn payload(event: &forebear::StoredEvent) -> String {
    String::from_utf8_lossy(event.payload().expect("has one")).into_owned()
}

#[test]
fn the_newest_revision_is_what_is_read_as_a_plain_model_has_it() {
    for seed in 0..12 {
        let folder = tempfile::tempdir().expect("a folder");
        run(seed, folder.path());
    }
}

fn run(seed: u64, folder: &Path) {
    let mut random = Random::new(seed);
    let mut below = |end: u64| random.below(end);
    let open = || forebear::open(folder).expect("opens");
    let (mut store, mut model) = (open(), Model::default());
    let mut held: Vec<(Snapshot, Model)> = Vec::new();
    let retains = seed % 3 == 2;
    for _ in 0..120 {
        match below(24) {
            0 => store.seal().expect("seals"),
            1 => {
                held.clear();
                store.close().expect("closes");
                store = open();
            }
            2 => held.push((store.snapshot(), model.clone())),
            3 if retains && model.records.len() > 20 => {
                held.clear();
                let events = (model.records.len() - model.gone) as u64 * 3 / 4;
                let gone = store.retain(&Retention::new().max_events(events)).expect("drops");
                model.gone += gone.events as usize;
            }
            _ => {
                let id = IDS[below(IDS.len() as u64) as usize];
                let session = SESSIONS[below(SESSIONS.len() as u64) as usize];
                let kind = ["note", "error", "step"][below(3) as usize];
                let revision = below(3) > 0;
                let number = model.add(id, session, kind, revision);
                let event = Event::new(kind).id(id).session(session).label("kind", kind);
                let event = event.time_ns(number.cast_signed()).payload(number.to_string());
                store.append(if revision { event.revision() } else { event }).expect("appends");
            }
        }
        model.check(&store.snapshot());
        model.check_sessions(&store.snapshot());
    }
    for (snapshot, model) in &held {
        model.check(snapshot);
    }
    assert!(
        store.snapshot().verify(&mut |finding| panic!("{finding:?}")).expect("reads").is_sound()
    );
}

#[test]
fn a_parent_that_comes_with_a_later_revision_is_linked_and_lineage_shows_the_newest() {
    for seals in [false, true] {
        let store = forebear::in_memory().expect("opens");
        let seal = || {
            if seals {
                store.seal().expect("seals");
            }
        };
        let span = |state: &str| Event::new("span").id("span").session("s").payload(state);
        store.append(Event::new("request").id("ask").session("s")).expect("appends");
        store.append(span("open")).expect("appends");
        store.append(Event::new("step").id("below").parent("span").session("s")).expect("appends");
        seal();
        store.append(span("running").parent("ask").revision()).expect("appends");
        seal();
        store.append(span("ended").parent("ask").revision()).expect("appends");
        seal();
        let again = store.append(span("ended").parent("ask").revision()).expect("appends");
        assert_eq!(again.status, forebear::AppendStatus::Repeat);
        let snapshot = store.snapshot();
        let chain = snapshot.chain("below").expect("reads").expect("is there");
        let chain = chain.detail(Detail::Payload).read_all().expect("reads").events;
        let ids: Vec<_> = chain.iter().map(|event| event.id().to_string()).collect();
        assert_eq!(ids, ["below", "span", "ask"]);
        assert_eq!(payload(&chain[1]), "ended");
        assert_eq!((chain[1].depth(), chain[1].is_version()), (1, false));
        assert!(chain[1].is_revision());
        let children = snapshot.children("ask").page().expect("reads").items;
        assert_eq!(children.iter().map(payload).collect::<Vec<_>>(), ["ended"]);
        let session = snapshot.session("s").expect("reads").expect("is there");
        assert_eq!(session.events, 3);
        let stats = snapshot.stats().expect("reads");
        assert_eq!((stats.events, stats.versions), (3, 0));
        let other = Link::new("span", "elsewhere", LinkKind::Caused).strength(40);
        store.write(Batch::new().link(other)).expect("asserts");
        let span = store.get("span").expect("reads").expect("is there");
        assert_eq!(span.parent().expect("has one").to_string(), "ask", "as if it had named it");
    }
}

const IDS: [&str; 5] = ["a", "b", "c", "d", "00000000-0000-4000-8000-000000000001"];
const SESSIONS: [&str; 2] = ["s", "fork"];

/// Labels are news beside the payload of before, unless a format is named that they follow from:
/// in the log, and beside a sealed one.
#[test]
fn a_revision_may_differ_in_its_labels_alone() {
    for sealed in [false, true] {
        let store = forebear::in_memory().expect("opens");
        let seal = || {
            if sealed {
                store.seal().expect("seals");
            }
        };
        let span =
            |state: &str| Event::new("span").id("s").payload("p").time_ns(1).label("state", state);
        store.append(span("open")).expect("appends");
        seal();
        for _ in 0..2 {
            let ended = store.append(span("ended").revision()).expect("appends");
            assert_eq!(ended.seq, 2, "the second is a repeat");
            let again = store.append(span("open")).expect("appends");
            assert_eq!(again.status, forebear::AppendStatus::Repeat, "a retry of the first");
            seal();
        }
        assert_eq!(
            store.get("s").expect("reads").expect("is stored").label("state"),
            Some("ended")
        );
        let typed = |state: &str| span(state).id("t").payload_type("format");
        store.append(typed("a")).expect("appends");
        seal();
        let repeat = store.append(typed("b").revision()).expect("appends");
        assert_eq!(repeat.seq, 3);
        // However many there are, each is compared with a bounded number.
        for state in 0..200 {
            store.append(span(&state.to_string()).revision()).expect("appends");
        }
        let newest = store.get("s").expect("reads").expect("is stored");
        assert_eq!(newest.label("state"), Some("199"));
    }
}

/// A step that two sources tell counts once, whichever comes first, with a seal between them or
/// without, behind a spool, and after opening again.
#[test]
fn what_two_events_tell_counts_once() {
    for way in 0..8 {
        let folder = tempfile::tempdir().expect("a folder");
        let [hook_first, sealed, spooled] = [1, 2, 4].map(|bit| way & bit != 0);
        let open = || forebear::open(folder.path()).expect("opens");
        let of = |id: &str, kind: &str, second: i64| {
            Event::new(kind).id(id).session("s").instance("s").time_ns(second)
        };
        let hook = |id: &str| of(id, "error", 1).label("told_by", "hook").payload("hook");
        let line = |id: &str| of(id, "error", 2).label("told_by", "line").payload("line");
        let hooks = || Batch::new().event(hook("h1")).event(hook("h2"));
        let (first, second) = if hook_first {
            let twice = Batch::new().event(line("l")).stands_for("l", "h1").stands_for("l", "h2");
            (hooks(), twice.stands_for("l", "h1").stands_for("l", "none"))
        } else {
            (Batch::from(line("l")), hooks().told_elsewhere("h1").told_elsewhere("h2"))
        };
        let store = open();
        let write = |store: &Store, batch: Batch| {
            if spooled {
                forebear::spool(folder.path()).expect("opens").submit(batch).expect("hands in");
                store.drain_spool().expect("drains");
            } else {
                store.write(batch).expect("writes");
            }
        };
        let before = |store: &Store| {
            if sealed {
                store.seal().expect("seals");
            }
        };
        write(&store, first);
        before(&store);
        let old = store.snapshot();
        write(&store, second.clone());
        // Again it says nothing new, nor does another line that tells of the same.
        write(&store, second);
        check_told_once(&store.snapshot());
        let other = Batch::from(of("x", "other", 3)).stands_for("x", "h1").stands_for("x", "l");
        if hook_first {
            assert_eq!(old.events(Filter::new()).page().expect("reads").items.len(), 2);
        }
        before(&store);
        check_told_once(&store.snapshot());
        drop(store);
        let store = open();
        check_told_once(&store.snapshot());
        let verified = store.snapshot().verify(&mut |finding| panic!("{finding}"));
        assert!(verified.expect("verifies").is_sound());
        write(&store, other);
        let snapshot = store.snapshot();
        let session = snapshot.session("s").expect("reads").expect("is one");
        assert_eq!((session.events, session.errors), (1, 0), "it stands for the line");
        before(&store);
        if sealed {
            store.retain(&Retention::new().max_events(0)).expect("retains");
            let session = store.snapshot().session("s").expect("reads").expect("is one");
            assert_eq!((session.events, session.errors), (1, 0), "carried over");
        }
    }
}

fn check_told_once(snapshot: &Snapshot) {
    let listed = snapshot.events(Filter::new()).page().expect("reads").items;
    assert_eq!(listed.iter().map(payload).collect::<Vec<_>>(), ["line"]);
    let all = snapshot.events(Filter::new().with_superseded()).page().expect("reads").items;
    assert_eq!(all.len(), 3);
    let errors = snapshot.counts(CountBy::Label("told_by".into()), Filter::new().errors());
    let errors = errors.page().expect("reads").items;
    assert_eq!(errors.iter().map(|of| (&*of.value, of.count)).collect::<Vec<_>>(), [("line", 1)]);
    let kinds = snapshot.counts(CountBy::Kind, Filter::new()).page().expect("reads").items;
    assert_eq!(kinds.iter().map(|of| of.count).sum::<u64>(), 1);
    let stats = snapshot.stats().expect("reads");
    assert_eq!((stats.events, stats.versions), (1, 0));
    let session = snapshot.session("s").expect("reads").expect("is one");
    assert_eq!((session.events, session.errors), (1, 1));
    for (id, text) in [("h1", "hook"), ("h2", "hook"), ("l", "line")] {
        let event = snapshot.get(id).expect("reads").expect("is stored");
        assert_eq!((event.id().to_string(), payload(&event)), (id.to_owned(), text.to_owned()));
        let chain = snapshot.chain(id).expect("reads").expect("is stored").read_all();
        assert_eq!(chain.expect("reads").events[0].id().to_string(), id);
    }
}
