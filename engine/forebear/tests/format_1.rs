//! Stores that a program of format 1 wrote are read as they were, and go on.
//!
//! `fixtures/format-1` holds one that was never sealed and one with a dropped segment, a
//! sealed one and a log, each with every kind of record, and with two batches that wait
//! in the spool. Beside each stands what that program itself answered.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use forebear::{Filter, LinkKind, Session, SessionFilter, SessionReads, Snapshot, StoredEvent};

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
        let folder = tempfile::tempdir().expect("a folder");
        copy(&fixture(name), folder.path());
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
