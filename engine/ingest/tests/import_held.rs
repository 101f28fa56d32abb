//! An import into a store that somebody else has open leaves in it what it would have
//! left had it opened the store itself, whatever becomes of the holder meanwhile.

#![allow(clippy::unwrap_used)]

mod support {
    #[path = "../../../core/tests/support/listing.rs"]
    pub(crate) mod listing;
}

use std::fs::{self, File};
use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use forebear::ingest::{ImportProgress, ImportReport, IngestOptions, import, import_through};
use forebear::storage::{Disk, Storage};
use forebear::{Checkpoint, Event, Spool, Stats, Store};
use serde_json::{Value, json};
use support::listing::{describe, events};

/// Events of each session that is followed by an agent's: several batches of 4 MiB in all.
const EVENTS: usize = 700;
const SESSIONS: usize = 3;
const PAYLOAD_BYTES: usize = 4000;

#[test]
fn what_is_handed_in_is_what_is_imported() {
    let place = Place::new();
    let holder = place.open();
    let report = place.hand_in(&place.options()).unwrap();
    assert_eq!(found(&holder), place.expected());
    let handed_in = report.handed_in.unwrap();
    let expected = place.report();
    assert_eq!(handed_in.events, expected.events);
    assert_eq!(handed_in.without_id, expected.without_id);
    assert_eq!(handed_in.links, expected.links);
    assert_eq!(handed_in.quarantined, expected.quarantined);
    // What only the holder knows is not guessed at.
    let (mut known, mut of_files) = (report, expected);
    known.handed_in = None;
    (of_files.events, of_files.stored, of_files.links, of_files.quarantined) = (0, 0, 0, 0);
    assert_eq!(known, of_files);

    let again = place.hand_in(&place.options()).unwrap();
    assert_eq!((again.files, again.unchanged_files), (0, place.files.len() as u64));
    assert_eq!((again.lines, again.handed_in), (0, None));
    let all = place.hand_in(&place.options().again(true)).unwrap();
    assert_eq!(all.handed_in.unwrap().events, handed_in.events);
    assert_eq!(found(&holder), place.expected(), "they are repeats");
    assert_eq!(forebear::spool(&place.store).unwrap().waiting().unwrap(), 0);
}

#[test]
fn an_import_goes_on_by_itself_once_the_holder_has_ended() {
    let place = Place::new();
    let mut holder = Some(place.open());
    let spool = forebear::spool(&place.store).unwrap();
    let report = import_through(&spool, &place.options(), |progress: &ImportProgress| {
        if progress.events > 0 {
            drop(holder.take());
        }
        ControlFlow::Continue(())
    })
    .unwrap();
    let handed_in = report.handed_in.unwrap();
    assert!(handed_in.events > 0 && report.events > 0, "{report:?}");
    assert_eq!(handed_in.events + report.events + report.repeats, place.report().events);
    assert_eq!(found(&place.open()), place.expected());

    // Also where it has ended before.
    let place = Place::new();
    drop(place.open());
    assert_eq!(place.hand_in(&place.options()).unwrap(), place.report());
    assert_eq!(found(&place.open()), place.expected());
}

#[test]
fn one_that_was_stopped_is_gone_on_with() {
    let place = Place::new();
    let holder = place.open();
    let spool = forebear::spool(&place.store).unwrap();
    let report = import_through(&spool, &place.options(), |progress: &ImportProgress| {
        if progress.files > 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(report.interrupted);
    let rest = place.hand_in(&place.options()).unwrap();
    let handed_in = report.handed_in.unwrap().events + rest.handed_in.unwrap().events;
    assert_eq!(handed_in, place.report().events);
    assert_eq!(found(&holder), place.expected());
}

#[test]
fn no_position_gets_past_a_batch_that_is_refused() {
    let place = Place::new();
    // The second session has a line that this holder does not take.
    let file = &place.files[2];
    let mut lines = fs::read_to_string(file).unwrap();
    lines.push_str(&line("long", None, &"x".repeat(5 * PAYLOAD_BYTES)).to_string());
    lines.push('\n');
    fs::write(file, lines).unwrap();
    place.age();
    let holder =
        forebear::builder().max_payload_bytes(4 * PAYLOAD_BYTES).open(&place.store).unwrap();
    let error = place.hand_in(&place.options()).unwrap_err();
    assert!(error.is_invalid() && error.to_string().contains("refused"), "{error}");
    holder.close().unwrap();

    let store = place.open();
    import(&store, &place.options(), |_| ControlFlow::Continue(())).unwrap();
    let (stats, events, _) = place.expected();
    let (mut found, found_events, _) = found(&store);
    assert_eq!(found_events, events);
    // The batch that was refused is among the quarantined input.
    found.quarantined -= 1;
    assert_eq!(found, stats);
}

#[test]
fn a_holder_that_takes_nothing_in_is_not_waited_for_without_end() {
    let place = Place::new();
    drop(place.open());
    let disk = Disk::open(&place.store).unwrap();
    let lock = disk.lock("LOCK", "another").unwrap();
    let options = place.options().patience(Duration::from_millis(10));
    let error = place.hand_in(&options).unwrap_err();
    assert_eq!(error.io_kind(), Some(ErrorKind::TimedOut), "{error}");
    drop(lock);
    assert_eq!(place.hand_in(&options).unwrap(), place.report());
    assert_eq!(found(&place.open()), place.expected());
}

#[test]
fn a_spool_that_is_not_on_disk_is_refused() {
    let place = Place::new();
    let disk = forebear::storage::SimulatedDisk::new();
    let spool = Spool::open_on(&disk).unwrap();
    let error = import_through(&spool, &place.options(), |_| ControlFlow::Continue(()));
    assert!(error.is_err_and(|error| error.is_invalid()));
    spool.submit(Event::new("e")).unwrap();
}

/// What a store has: figures, events with their lineage, positions.
type Found = (Stats, Vec<String>, Vec<Checkpoint>);

fn found(store: &Store) -> Found {
    let snapshot = store.snapshot();
    let mut stats: Stats = snapshot.stats().unwrap();
    (stats.bytes, stats.segments) = (0, 0);
    let mut listed: Vec<String> = events(&snapshot)
        .iter()
        .map(|event| {
            let (root, depth) = (snapshot.root(event.id()), snapshot.depth(event.id()));
            format!("{} {:?} {:?}", describe(event), root.unwrap(), depth.unwrap())
        })
        .collect();
    // Those of one batch are in order, but where batches end is not part of it.
    listed.sort_unstable();
    let mut positions: Vec<_> = snapshot.checkpoints().iter().map(Result::unwrap).collect();
    positions.retain(|position| position.source != "spool:");
    (stats, listed, positions)
}

/// Transcripts with agents, and a store that they are to go to.
struct Place {
    folder: tempfile::TempDir,
    files: Vec<PathBuf>,
    store: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut files = Vec::new();
        for session in 0..SESSIONS {
            let path = folder.path().join(format!("in/session {session}.jsonl"));
            let agents = folder.path().join(format!("in/session {session}/subagents"));
            fs::create_dir_all(&agents).unwrap();
            // The agent's file comes before its session's or after it.
            let name = if session % 2 == 0 { "agent-a.jsonl" } else { "agent-b.jsonl" };
            let (lines, agent) = transcript(session);
            write(&path, &lines);
            write(&agents.join(name), &agent);
            files.extend([agents.join(name), path]);
        }
        let store = folder.path().join("events.forebear");
        let place = Self { folder, files, store };
        place.age();
        place
    }

    /// Makes the files so old that a change would show.
    fn age(&self) {
        let before = SystemTime::now() - Duration::from_hours(1);
        for file in &self.files {
            File::options().append(true).open(file).unwrap().set_modified(before).unwrap();
        }
        // A file whose status changed just now is not trusted either.
        std::thread::sleep(Duration::from_millis(2500));
    }

    fn options(&self) -> IngestOptions {
        IngestOptions::new([self.folder.path().join("in")])
    }

    fn open(&self) -> Store {
        forebear::open(&self.store).unwrap()
    }

    fn hand_in(&self, options: &IngestOptions) -> forebear::Result<ImportReport> {
        let spool = forebear::spool(&self.store).unwrap();
        import_through(&spool, options, |_| ControlFlow::Continue(()))
    }

    fn imported(&self) -> (Store, ImportReport) {
        let store = forebear::in_memory().unwrap();
        let report = import(&store, &self.options(), |_| ControlFlow::Continue(())).unwrap();
        (store, report)
    }

    fn expected(&self) -> Found {
        let found = found(&self.imported().0);
        assert_eq!(found.0.links[2], SESSIONS as u64, "agents hang on their calls");
        found
    }

    fn report(&self) -> ImportReport {
        self.imported().1
    }
}

/// The lines of a session and those of the agent that it starts.
fn transcript(session: usize) -> (Vec<Value>, Vec<Value>) {
    let name = |n: usize| format!("{session} {n}");
    let text = |n: usize| format!("{n} ").repeat(PAYLOAD_BYTES / 4);
    let mut lines: Vec<Value> = (0..EVENTS)
        .map(|n| line(&name(n), n.checked_sub(1).map(name).as_deref(), &text(n)))
        .collect();
    lines[EVENTS / 2]["type"] = json!("assistant");
    lines[EVENTS / 2]["message"] =
        json!({"content": [{"type": "tool_use", "id": "t", "name": "Task"}]});
    lines[EVENTS - 1]["message"] =
        json!({"content": [{"type": "tool_result", "tool_use_id": "t"}]});
    lines[EVENTS - 1]["toolUseResult"] = json!({"status": "completed", "agentId": "a"});
    lines.push(json!({"type": "summary", "summary": name(0)}));
    lines.push(json!("no object"));
    let mut agent: Vec<Value> = (0..9)
        .map(|n| {
            line(
                &format!("{session} a{n}"),
                (n > 0).then(|| format!("{session} a{}", n - 1)).as_deref(),
                "go",
            )
        })
        .collect();
    for line in &mut agent {
        line["agentId"] = json!("a");
        line["isSidechain"] = json!(true);
    }
    for line in lines.iter_mut().chain(&mut agent).filter(|line| line.get("uuid").is_some()) {
        line["sessionId"] = json!(format!("session {session}"));
    }
    (lines, agent)
}

fn line(id: &str, parent: Option<&str>, text: &str) -> Value {
    json!({
        "uuid": id,
        "parentUuid": parent,
        "type": "user",
        "timestamp": "2026-01-02T03:04:05.000Z",
        "message": {"content": text},
    })
}

fn write(path: &Path, lines: &[Value]) {
    let lines: Vec<String> = lines.iter().map(|line| format!("{line}\n")).collect();
    fs::write(path, lines.concat()).unwrap();
}
