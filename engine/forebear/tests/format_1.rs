//! Stores that a program of format 1 wrote are read as they were, and go on.
//!
//! `fixtures/format-1` holds one that was never sealed and one with a dropped segment, a
//! sealed one and a log, each with every kind of record, and with two batches that wait
//! in the spool. Beside each stands what that program itself answered.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use forebear::{
    Batch, ErrorKind, Event, Filter, LinkKind, Reader, Retention, Scope, Session, SessionFilter,
    SessionReads, Snapshot, Spool, Store, StoredEvent, Warning, WarningKind,
};

const STORES: [&str; 2] = ["logged", "sealed"];

#[test]
fn a_reader_answers_as_the_program_that_wrote_it_did_and_changes_nothing() {
    for name in STORES {
        let folder = fixture(name);
        let before = files(&folder);
        let reader = forebear::read(&folder).expect("opens");
        assert_eq!(answers(&reader.snapshot().expect("looks")), said(name), "{name}");
        assert!(reader.snapshot().expect("looks").verify(&mut |_| {}).expect("reads").is_sound());
        assert_eq!(files(&folder), before, "{name}");
    }
}

#[test]
fn it_is_written_on_and_sealed_without_changing_what_it_says() {
    for name in STORES {
        let folder = of_format_1(name);
        let store = forebear::open(folder.path()).expect("opens");
        assert!(store.recovery().is_clean(), "{name}: {:?}", store.recovery());
        store.drain_spool().expect("drains");
        let snapshot = store.snapshot();
        let handed_in = snapshot.get("handed-in").expect("reads").expect("was in the spool");
        assert_eq!(handed_in.parent().expect("has one").to_string(), "last");
        let hooked = Filter::new().session("hooked");
        assert_eq!(snapshot.events(hooked).page().expect("reads").items.len(), 1, "{name}");
        store.seal().expect("seals");
        for line in said(name).lines().filter(|line| !line.starts_with("session ")) {
            let now = answers(&store.snapshot());
            assert!(now.lines().any(|other| other == line), "{name}: {line}\nis not in\n{now}");
        }
        assert!(store.snapshot().verify(&mut |_| {}).expect("reads").is_sound());
    }
}

#[test]
fn opening_it_to_write_changes_nothing_that_older_programs_read() {
    for name in STORES {
        let folder = of_format_1(name);
        let before = manifest(folder.path());
        // Taking in what waits there would be a write.
        fs::remove_dir_all(folder.path().join("spool")).expect("removes");
        forebear::open(folder.path()).expect("opens").close().expect("closes");
        assert_eq!(manifest(folder.path()), before, "{name}");
    }
}

#[test]
fn the_first_write_makes_it_one_of_format_2_and_what_it_says_stays() {
    for name in STORES {
        let folder = of_format_1(name);
        let store = forebear::open(folder.path()).expect("opens");
        store.append(Event::new("note")).expect("appends");
        assert!(kinds_of_warnings(&store).contains(&WarningKind::FormatUpgraded));
        let now = manifest(folder.path());
        assert!(now.starts_with("forebear store, format 2\n"), "{now}");
        for named in ["\nkind 4 name=session", "\nkind 5 name=relationship"] {
            assert!(now.contains(named), "{now}");
        }
        assert_eq!(now.contains("retention max_events="), name == "sealed");
        store.seal().expect("seals what is of either format");
        for index in names(folder.path(), ".idx") {
            fs::remove_file(folder.path().join(index)).expect("removes");
        }
        let rebuilt = store.rebuild().expect("rebuilds").made.len();
        assert_eq!(rebuilt, names(folder.path(), ".idx").len(), "segments of both formats");
        // Those of the fixtures have digests of what a build of redb with debug assertions gave.
        let told = |finding: forebear::Finding| panic!("{finding:?}");
        assert!(store.snapshot().verify(&mut |finding| told(finding)).expect("reads").is_sound());
        assert!(store.rebuild().expect("rebuilds").made.is_empty(), "they are as they should be");
        store.close().expect("closes");
        let store = forebear::open(folder.path()).expect("opens");
        assert!(store.snapshot().get("last").expect("reads").is_some());
        assert_eq!(kinds_of_warnings(&store), [], "they are used as they are");
        for index in names(folder.path(), ".idx") {
            let path = folder.path().join(index);
            let sound = fs::read(&path).expect("reads");
            for at in [100, sound.len() / 2, sound.len() - 1] {
                let mut flipped = sound.clone();
                flipped[at] ^= 1;
                fs::write(&path, flipped).expect("writes");
                let verified = store.snapshot().verify(&mut |_| {}).expect("reads");
                assert!(!verified.is_sound(), "byte {at} of {}", path.display());
            }
            fs::write(&path, sound).expect("writes");
        }
    }
}

#[test]
fn instances_of_format_1_stay_actors_of_their_own_and_later_ones_are_the_sessions() {
    for name in STORES {
        let folder = of_format_1(name);
        let store = forebear::open(folder.path()).expect("opens");
        let session = |name: &str| store.snapshot().session(name).expect("reads");
        let before = session("main").expect("is there");
        let event = |instance: &str| Event::new("note").session("main").instance(instance);
        store.append_batch([event("worker-8"), event("worker-9")]).expect("appends");
        store.append(event("auditor").scope(Scope::Own)).expect("appends");
        for seals in [false, true] {
            if seals {
                store.seal().expect("seals");
            }
            let now = session("main").expect("is there");
            let found = (now.events, now.agents);
            assert_eq!(found, (before.events + 2, before.agents + 1), "{name}, sealed: {seals}");
            assert!(session("main/worker-8").is_none() && session("main/worker-9").is_none());
            assert_eq!(session("main/auditor").expect("is there").events, 1);
            assert_eq!(session("main/agent-1").expect("is there").events, 2);
        }
    }
}

#[test]
fn a_process_without_the_kinds_appends_and_reads_and_names_what_it_lacks() {
    let folder = of_format_1("sealed");
    let store = Store::builder().segment_events(8).open(folder.path()).expect("opens");
    let lacks = |error: forebear::Error| {
        let text = format!("{error:#}");
        let named = text.contains("\"session\"") && text.contains("forebear-sessions");
        assert!(error.kind() == ErrorKind::Unsupported && named, "{text}");
    };
    lacks(store.snapshot().session("main").expect_err("lacks the kind"));
    lacks(store.seal().expect_err("can't seal"));
    lacks(store.rebuild().expect_err("can't rebuild"));
    lacks(store.retain(&Retention::new().max_events(1)).expect_err("can't drop"));
    for number in 0..40 {
        let event = Event::new("note").id(format!("without-{number}")).session("main");
        store.append(event.instance("worker")).expect("appends");
    }
    assert!(kinds_of_warnings(&store).contains(&WarningKind::KindMissing));
    assert!(store.snapshot().contains("without-39").expect("reads"));
    let logs = || names(folder.path(), ".log").len();
    assert_eq!(logs(), 2, "a full one of format 1, and one of format 2 that goes on");
    store.close().expect("closes");
    let store = forebear::builder().segment_events(8).open(folder.path()).expect("opens");
    store.seal().expect("seals both");
    assert_eq!(logs(), 1);
    let session = |name: &str| store.snapshot().session(name).expect("reads");
    assert_eq!(session("main/agent-1").expect("is there").events, 2, "sealed later");
    assert_eq!(session("main").expect("is there").events, 3 + 40);
    assert!(store.snapshot().verify(&mut |_| {}).expect("reads").is_sound());
}

#[test]
fn state_of_a_kind_that_is_missing_waits_in_the_spool() {
    let folder = tempfile::tempdir().expect("a folder");
    let spool = forebear::spool(folder.path()).expect("opens");
    let patch = forebear::SessionPatch::new("s").project("p");
    let batch = forebear::SessionBatch::session(Batch::from(Event::new("note")), patch.clone());
    spool.submit(batch).expect("hands in");
    let plain = Spool::open(folder.path()).expect("opens");
    let batch = forebear::SessionBatch::session(Batch::new(), patch);
    let error = plain.submit(batch).expect_err("lacks the kind that would check it");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let store = Store::open(folder.path()).expect("opens");
    store.drain_spool().expect("leaves it");
    assert_eq!(spool.waiting().expect("reads"), 1);
    assert!(!store.warnings().is_empty());
    store.close().expect("closes");
    let store = forebear::open(folder.path()).expect("opens");
    store.drain_spool().expect("takes it in");
    let session = store.snapshot().session("s").expect("reads").expect("is there");
    assert_eq!(session.project.as_deref(), Some("p"));
}

#[test]
fn a_reader_of_a_store_without_the_kind_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path()).expect("opens");
    store.append(Event::new("note").session("s")).expect("appends");
    store.seal().expect("seals: it has no kinds but those that are built in");
    let reader = forebear::read(folder.path()).expect("opens");
    let asked = || reader.snapshot().expect("reads").session("s").map(|found| found.is_some());
    assert_eq!(asked().expect_err("the store has none").kind(), ErrorKind::Unsupported);
    assert!(Reader::open(folder.path()).is_ok());
    store.close().expect("closes");
    let store = forebear::open(folder.path()).expect("opens");
    store.append(Event::new("note").session("s")).expect("appends");
    assert!(asked().expect("the store has it by now"));
    assert_eq!(kinds_of_warnings(&store), [WarningKind::KindAdded; 2], "both know nothing of it");
}

#[test]
fn two_workers_of_a_session_are_one_session() {
    let store = forebear::in_memory().expect("opens");
    let event = |instance: &str| Event::new("note").session("checkout-42").instance(instance);
    store.append_batch([event("worker-1"), event("worker-2")]).expect("appends");
    for _ in 0..2 {
        let sessions = store.snapshot().sessions(SessionFilter::new()).page().expect("reads").items;
        let found: Vec<_> = sessions.iter().map(|s| (&*s.id, s.events, s.agents)).collect();
        assert_eq!(found, [("checkout-42", 2, 0)]);
        store.seal().expect("seals");
    }
}

fn kinds_of_warnings(store: &Store) -> Vec<WarningKind> {
    store.warnings().iter().map(Warning::kind).collect()
}

/// What a store answers, a line for each event, chain, link and the like.
fn answers(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for event in &snapshot.events(Filter::new()).oldest_first() {
        let _ = writeln!(out, "{}", event_line(&event.expect("reads")));
    }
    for id in ["last", "agent-error", "egg", "hen", "orphan", "selfish", "below-2"] {
        let chain = snapshot.chain(id).expect("reads").expect("is there");
        let chain = chain.read_all().expect("reads");
        let ids: Vec<_> = chain.events.iter().map(|event| event.id().to_string()).collect();
        let _ = writeln!(out, "chain {id}: {} end={}", ids.join(" "), chain.end.as_str());
    }
    for missing in snapshot.missing_parents().page().expect("reads").items {
        let _ = writeln!(out, "missing {} children={}", missing.id, missing.children);
    }
    for refused in snapshot.refused_links().page().expect("reads").items {
        let _ = writeln!(out, "refused {refused:?}");
    }
    for edge in snapshot.cycle_edges().page().expect("reads").items {
        let _ = writeln!(out, "cycle {} -> {}", edge.child, edge.parent);
    }
    for input in snapshot.quarantined().page().expect("reads").items {
        let bytes = String::from_utf8_lossy(&input.bytes);
        let _ =
            writeln!(out, "quarantined {} {} {} {bytes:?}", input.source, input.line, input.offset);
    }
    for read in snapshot.checkpoints().page().expect("reads").items {
        let position = String::from_utf8_lossy(&read.position);
        let _ = writeln!(out, "checkpoint {} {position:?}", read.source);
    }
    for session in snapshot.sessions(SessionFilter::new()).page().expect("reads").items {
        let _ = writeln!(out, "{}", session_line(&session));
    }
    for id in ["main", "fork", "old"] {
        for related in snapshot.session_children(id).page().expect("reads").items {
            let kind = related.relationship_type;
            let _ = writeln!(out, "relationship {} {} {kind:?}", related.parent, related.child);
        }
    }
    out
}

fn event_line(event: &StoredEvent) -> String {
    let usage = event.usage();
    let usage = usage.map(|u| (u.message, u.input, u.output, u.cache_read, u.cache_written));
    format!(
        "event {} {} parent={:?} link={:?} root={} depth={} kind={} session={:?} instance={:?} \
         version={} derived={} time={} labels={:?} usage={usage:?} payload={:?}",
        event.seq(),
        event.id(),
        event.parent().map(ToString::to_string),
        event.link().map(LinkKind::as_str),
        event.root(),
        event.depth(),
        event.kind(),
        event.session(),
        event.instance(),
        event.is_version(),
        event.has_derived_id(),
        event.time_ns(),
        event.labels().collect::<Vec<_>>(),
        event.payload().map(String::from_utf8_lossy),
    )
}

fn session_line(session: &Session) -> String {
    format!(
        "session {} parent={:?} type={:?} status={} events={} errors={} tokens={:?} agents={} \
         open={} model={:?} project={:?} metadata={:?}",
        session.id,
        session.parent,
        session.session_type,
        session.status,
        session.events,
        session.errors,
        session.tokens,
        session.agents,
        session.open_calls,
        session.model,
        session.project,
        session.metadata,
    )
}

/// A store of format 1 in a folder of its own.
fn of_format_1(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    copy(&fixture(name), folder.path());
    folder
}

fn manifest(folder: &Path) -> String {
    fs::read_to_string(folder.join("MANIFEST")).expect("reads")
}

/// The files of a folder whose names end like this.
fn names(folder: &Path, ending: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists"));
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(ending)).collect()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1").join(name)
}

/// What the program of format 1 answered.
fn said(name: &str) -> String {
    fs::read_to_string(fixture(&format!("{name}.txt"))).expect("reads")
}

/// Every file of a store with its bytes.
fn files(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("lists").map(|entry| entry.expect("lists").path()) {
        if entry.is_dir() {
            files.extend(self::files(&entry));
        } else {
            let bytes = fs::read(&entry).expect("reads");
            files.push((entry, bytes));
        }
    }
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for (file, bytes) in files(from) {
        let to = to.join(file.strip_prefix(from).expect("is below"));
        fs::create_dir_all(to.parent().expect("has a folder")).expect("makes a folder");
        fs::write(to, bytes).expect("writes");
    }
}
