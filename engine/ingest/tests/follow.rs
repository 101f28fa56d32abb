//! Following files comes to what importing them at once comes to, however they
//! grew, moved and were replaced, and whenever the follower was started anew.

#![allow(clippy::unwrap_used)]

mod support {
    #[path = "../../../core/tests/support/random.rs"]
    pub(crate) mod random;
}

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use forebear::ingest::{FilePosition, FollowStatus, Follower, IngestOptions, Polled, import};
use forebear::{EventId, Filter, LinkKind, Quarantined, Snapshot, Store};
use serde_json::Value;
use support::random::Random;

#[test]
fn a_file_that_grows_ends_as_one_import_of_it_does() {
    let Some(transcripts) = transcripts() else { return };
    let session = fs::read(transcripts.join("entire/growing/session.jsonl")).unwrap();
    let cuts = fs::read_to_string(transcripts.join("entire/growing/cuts.txt")).unwrap();
    let cuts: Vec<usize> = cuts.split_whitespace().map(|cut| cut.parse().unwrap()).collect();
    assert_eq!((cuts.len(), cuts[8]), (9, session.len()));
    let expected = imported(&session);

    let place = Place::new();
    let mut follower = place.follower();
    grow(&place, &session, &cuts, |_| assert!(!follower.poll_once().unwrap().more));
    assert_eq!(place.contents(), expected, "at its nine cuts");

    let mut random = Random::new(7);
    let mut cuts: Vec<usize> =
        (0..200).map(|_| random.below(session.len() as u64) as usize).collect();
    cuts.push(session.len());
    cuts.sort_unstable();
    let place = Place::new();
    let mut follower = place.follower();
    grow(&place, &session, &cuts, |at| {
        // In between it is started anew, and has its own position to go on from.
        if at % 20 == 19 {
            follower = place.follower();
        }
        follower.poll_once().unwrap();
    });
    assert_eq!(place.contents(), expected, "cut at 200 random bytes");
    assert_eq!(follower.status().bytes_behind + follower.status().bytes_waiting, 0);
}

#[test]
fn snapshots_that_replace_each_other_end_as_imports_of_each_do() {
    let Some(transcripts) = transcripts() else { return };
    let mut snapshots: Vec<PathBuf> = fs::read_dir(transcripts.join("entire/rewritten"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    snapshots.sort_unstable();
    assert_eq!(snapshots.len(), 4);
    for in_place in [true, false] {
        let (reference, place) = (Place::new(), Place::new());
        let mut follower = place.follower();
        for snapshot in &snapshots {
            let content = fs::read(snapshot).unwrap();
            fs::write(reference.file(), &content).unwrap();
            reference.import();
            if in_place {
                fs::write(place.file(), &content).unwrap();
            } else {
                let beside = place.file().with_extension("new");
                fs::write(&beside, &content).unwrap();
                fs::rename(&beside, place.file()).unwrap();
            }
            follower.poll_once().unwrap();
        }
        assert_eq!(place.contents(), reference.contents());
    }
}

#[test]
fn agents_are_linked_to_their_calls_whatever_the_order_of_files_and_lines() {
    let Some(transcripts) = transcripts() else { return };
    let expected = fs::read_to_string(transcripts.join("expected.json")).unwrap();
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    let mut random = Random::new(1);
    for (name, expected) in expected {
        let spawned = expected["parents_by_field"]["spawned"].as_u64().unwrap_or(0);
        if spawned == 0 {
            continue;
        }
        let folder = transcripts.join(&name).canonicalize().unwrap();
        let mut files = Vec::new();
        jsonl_files(&folder, &mut files);
        for round in 0..4 {
            let place = Place::new();
            shuffle(&mut random, &mut files);
            for file in &files {
                let mut lines: Vec<Vec<u8>> =
                    fs::read(file).unwrap().split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
                if round % 2 == 1 {
                    shuffle(&mut random, &mut lines);
                }
                let copy = place.folder.path().join("p").join(file.strip_prefix(&folder).unwrap());
                fs::create_dir_all(copy.parent().unwrap()).unwrap();
                // Each half in a run of its own.
                for half in lines.chunks(lines.len().div_ceil(2)) {
                    let mut file =
                        OpenOptions::new().create(true).append(true).open(&copy).unwrap();
                    for line in half {
                        file.write_all(&[line, &b"\n"[..]].concat()).unwrap();
                    }
                    place.follower().poll_once().unwrap();
                }
            }
            let found = place.contents().rows;
            let found = found.iter().filter(|row| row.link == Some(LinkKind::Spawned));
            assert_eq!(found.count() as u64, spawned, "{name}, round {round}");
        }
    }
}

#[test]
fn a_partial_last_line_waits_and_whole_objects_are_taken_at_once() {
    let place = Place::new();
    let mut follower = place.follower();
    let mut append = |text: &str| {
        place.append(text);
        let polled = follower.poll_once().unwrap();
        (polled.events, follower.status().bytes_waiting)
    };
    assert_eq!(append(r#"{"uuid":"a"}"#), (1, 0));
    assert_eq!(append("\n"), (0, 0), "nothing is repeated");
    assert_eq!(append(r#"{"uuid":"b","#), (0, 12));
    assert_eq!(append(r#""x":"#), (0, 16));
    assert_eq!(append("1}"), (1, 0));
    assert_eq!(append(r#" {"uuid":"c"}{"uu"#), (0, 17), "glued to what was taken");
    assert_eq!(append(r#"id":"d"} "#), (2, 1));
    assert_eq!(append(" // rubbish\n\nrubbish\n"), (0, 0));
    assert_eq!(append("{\"uuid\":\"e\"}\r\n"), (1, 0));
    let reference = Place::new();
    fs::write(reference.file(), fs::read(place.file()).unwrap()).unwrap();
    reference.import();
    assert_eq!(place.contents(), reference.contents(), "the same places in quarantine");
    assert_eq!(place.contents().quarantined.len(), 2);
    // One that goes on from there finds nothing to do.
    let polled = place.follower().poll_once().unwrap();
    assert_eq!(polled.events, 0);
}

#[test]
fn a_long_partial_line_is_taken_when_it_is_whole() {
    let place = Place::new();
    let mut follower = place.follower();
    place.append("{\"uuid\":\"a\",\"x\":\"");
    for _ in 0..20 {
        place.append(&"x{}".repeat(20_000));
        assert_eq!(follower.poll_once().unwrap().events, 0);
    }
    place.append("\"}");
    assert_eq!(follower.poll_once().unwrap().events, 1);
    place.append("\n{\"uuid\":\"b\"}\n");
    assert_eq!(follower.poll_once().unwrap().events, 1);
    assert_eq!(place.store.snapshot().stats().unwrap().events, 2);
}

#[test]
fn a_renamed_file_goes_on_and_a_replaced_one_starts_over() {
    for restart in [false, true] {
        let place = Place::new();
        let mut follower = place.follower();
        place.append("{\"uuid\":\"a\"}\n{\"uuid\":\"b\"}\n");
        assert_eq!(follower.poll_once().unwrap().events, 2);
        let renamed = place.file().with_file_name("renamed.jsonl");
        fs::rename(place.file(), &renamed).unwrap();
        place.append("{\"uuid\":\"x\"}\n");
        OpenOptions::new()
            .append(true)
            .open(&renamed)
            .unwrap()
            .write_all(b"{\"uuid\":\"c\"}\n")
            .unwrap();
        if restart {
            follower = place.follower();
        }
        assert_eq!(follower.poll_once().unwrap().events, 2);
        let report = place.import();
        assert_eq!((report.unchanged_files, report.repeats), (2, 0), "restarted: {restart}");
        let page = FilePosition::list(&place.store.snapshot()).page().unwrap();
        let offsets: Vec<_> = page.items.iter().map(|file| (file.offset, file.lines)).collect();
        assert_eq!(offsets, [(39, 3), (13, 1)]);
    }
}

#[test]
fn content_that_changes_is_found_though_the_size_does_not() {
    let place = Place::new();
    let mut follower = place.follower();
    let long = "x".repeat(5000);
    let lines = |n| format!("{{\"uuid\":\"a\",\"n\":{n}}}\n{{\"uuid\":\"b\",\"x\":\"{long}\"}}\n");
    place.append(&lines(1));
    assert_eq!(follower.poll_once().unwrap().events, 2);
    fs::write(place.file(), lines(2)).unwrap();
    assert_eq!(follower.poll_once().unwrap().events, 1);
    let snapshot = place.store.snapshot();
    assert_eq!(snapshot.versions("a").page().unwrap().items.len(), 2);
    // Cut off, and written anew in another order.
    fs::write(place.file(), "{\"uuid\":\"c\"}\n").unwrap();
    assert_eq!(follower.poll_once().unwrap().events, 1);
    let both = lines(2);
    let turned = both.lines().rev().collect::<Vec<_>>().join("\n");
    fs::write(place.file(), turned + "\n{\"uuid\":\"d\"}\n").unwrap();
    assert_eq!(follower.poll_once().unwrap().events, 1);
    // Gone, and back.
    fs::remove_file(place.file()).unwrap();
    assert_eq!(follower.poll_once().unwrap(), Polled::default());
    fs::write(place.file(), lines(3)).unwrap();
    assert_eq!(follower.poll_once().unwrap().events, 1);
    assert_eq!(place.store.snapshot().stats().unwrap().events, 4);
}

#[cfg(target_os = "linux")]
#[test]
fn a_file_that_cannot_be_read_holds_up_no_other_and_is_tried_again() {
    let place = Place::new();
    let bad = place.file().with_file_name("bad.jsonl");
    // Opens, and can't be read at its beginning.
    std::os::unix::fs::symlink("/proc/self/mem", &bad).unwrap();
    place.append("{\"uuid\":\"a\"}\n");
    let mut follower = place.follower();
    assert_eq!(follower.poll_once().unwrap().events, 1);
    let status = follower.status();
    assert_eq!((status.files, status.read_errors, status.failing.len()), (2, 1, 1));
    place.append("{\"uuid\":\"b\"}\n");
    assert_eq!(follower.poll_once().unwrap().events, 1);
    assert_eq!(follower.status().read_errors, 1, "it is not tried at once");
    let begun = Instant::now();
    while follower.status().read_errors == 1 {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is tried again");
        thread::sleep(Duration::from_millis(20));
        follower.poll_once().unwrap();
    }
}

#[test]
fn a_backlog_is_read_in_parts_and_no_file_waits_for_another() {
    let place = Place::new();
    let line = format!("{{\"type\":\"x\",\"x\":\"{}\"}}\n", "x".repeat(100_000));
    let mut big = File::create(place.file()).unwrap();
    for _ in 0..900 {
        big.write_all(line.as_bytes()).unwrap();
    }
    for n in 0..10 {
        let file = place.file().with_file_name(format!("z{n}.jsonl"));
        fs::write(file, format!("{{\"uuid\":\"{n}\"}}\n")).unwrap();
    }
    let mut follower = place.follower();
    let first = follower.poll_once().unwrap();
    assert!(first.more && first.bytes < 80 << 20, "{first:?}");
    let status = follower.status();
    assert_eq!((status.files, status.files_behind), (11, 1));
    assert!(status.bytes_behind > 10 << 20, "{status:?}");
    assert_eq!(place.store.snapshot().stats().unwrap().events, 10, "the small ones are there");
    while follower.poll_once().unwrap().more {}
    assert_eq!(follower.status().bytes_behind, 0);
}

#[test]
fn a_run_follows_what_is_written_until_it_is_stopped() {
    for poll_only in [false, true] {
        let place = Place::new();
        fs::remove_dir_all(place.folder.path().join("p")).unwrap();
        let options = place.options().poll_only(poll_only).poll_every(Duration::from_millis(50));
        let mut follower = Follower::new(&place.store, options).unwrap();
        let stop = follower.stop_handle();
        let (send, told) = mpsc::channel();
        let running =
            thread::spawn(move || follower.run(|status| send.send(status.clone()).unwrap()));
        let wait = |wanted: u64| {
            let begun = Instant::now();
            while place.store.snapshot().stats().unwrap().events < wanted {
                assert!(begun.elapsed() < Duration::from_secs(20), "event {wanted}");
                thread::sleep(Duration::from_millis(5));
            }
        };
        // The folder comes later, and folders in it.
        fs::create_dir_all(place.folder.path().join("p")).unwrap();
        place.append("{\"uuid\":\"a\"}\n");
        wait(1);
        place.append("{\"uuid\":\"b\"}\n");
        wait(2);
        let agents = place.folder.path().join("p/session/subagents/deeper");
        fs::create_dir_all(&agents).unwrap();
        fs::write(agents.join("agent-1.jsonl"), "{\"uuid\":\"c\"}\n").unwrap();
        fs::write(agents.join("agent-1.meta.json"), "{}").unwrap();
        wait(3);
        let begun = Instant::now();
        stop.stop();
        running.join().unwrap().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(1));
        let last = FollowStatus::last(&place.store.snapshot()).unwrap().unwrap();
        assert!(last.has_ended && last.events == 3 && last.files == 2, "{last:?}");
        assert!(told.iter().any(|status| status.events == 2));
    }
}

/// Takes half a minute, and says something only where nothing else runs.
#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_comes_later_or_anew_is_followed_at_once() {
    let place = Place::new();
    let other = place.folder.path().join("later");
    let paths = [place.folder.path().join("p"), other.clone()];
    let mut follower = Follower::new(
        &place.store,
        IngestOptions::new(paths).poll_every(Duration::from_millis(50)),
    )
    .unwrap();
    let stop = follower.stop_handle();
    let running = thread::spawn(move || follower.run(|_| {}));
    // Sooner than all is searched for where the system tells of changes.
    let wait = |wanted: u64| {
        let begun = Instant::now();
        while place.store.snapshot().stats().unwrap().events < wanted {
            assert!(begun.elapsed() < Duration::from_secs(15), "event {wanted}");
            thread::sleep(Duration::from_millis(5));
        }
    };
    place.append("{\"uuid\":\"a\"}\n");
    wait(1);
    let mut events = 1;
    for round in 0..3 {
        fs::create_dir_all(other.join("deeper")).unwrap();
        for line in 0..3 {
            let path = other.join(format!("deeper/{round}.jsonl"));
            let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
            writeln!(file, "{{\"uuid\":\"{round}-{line}\"}}").unwrap();
            events += 1;
            wait(events);
        }
        fs::remove_dir_all(&other).unwrap();
        thread::sleep(Duration::from_millis(if round == 0 { 0 } else { 300 }));
    }
    stop.stop();
    running.join().unwrap().unwrap();
}

#[test]
#[ignore = "a measurement, see docs/testing.md"]
fn following_5000_files_of_which_5_move_takes_little() {
    let folder = tempfile::tempdir().unwrap();
    let file = |n: usize| folder.path().join(format!("p/{}/{n}.jsonl", n % 100));
    for n in 0..5000 {
        fs::create_dir_all(file(n).parent().unwrap()).unwrap();
        let lines =
            (0..10).map(|line| format!("{{\"uuid\":\"{n}-{line}\",\"x\":\"{line:0500}\"}}\n"));
        fs::write(file(n), lines.collect::<String>()).unwrap();
    }
    // At rest, as most files are: one that is read right after it was written is read
    // once more later on, since a second change might not show.
    thread::sleep(Duration::from_secs(3));
    let store = forebear::open(folder.path().join("events.forebear")).unwrap();
    let mut follower =
        Follower::new(&store, IngestOptions::new([folder.path().join("p")])).unwrap();
    let stop = follower.stop_handle();
    let running = thread::spawn(move || {
        follower.run(|_| {}).unwrap();
        follower.status()
    });
    while store.snapshot().stats().unwrap().events < 50_000 {
        thread::sleep(Duration::from_millis(100));
    }
    thread::sleep(Duration::from_secs(3));
    // Of this thread little is counted: it sleeps, and writes five lines a second.
    let (begun, before) = (Instant::now(), cpu_time());
    for second in 0..30 {
        for n in 0..5 {
            let mut file = OpenOptions::new().append(true).open(file(n * 1000)).unwrap();
            writeln!(file, "{{\"uuid\":\"new-{n}-{second}\",\"x\":\"{n:0500}\"}}").unwrap();
        }
        thread::sleep(Duration::from_secs(1));
    }
    let share = cpu_time().saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert_eq!(store.snapshot().stats().unwrap().events, 50_150);
    stop.stop();
    let status = running.join().unwrap();
    let megabytes = status.memory_bytes.unwrap() / 1_000_000;
    println!("{:.2} % of a core, {megabytes} MB, {} files", share * 100.0, status.files);
    assert!(share < 0.01 && megabytes < 60);
}

/// What all threads of this process have run so far.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").unwrap().map(|task| task.unwrap().path());
    let nanoseconds = tasks.map(|task| {
        let ran = fs::read_to_string(task.join("schedstat")).unwrap();
        ran.split_whitespace().next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// A folder with a file `session.jsonl` to be, and a store.
struct Place {
    folder: tempfile::TempDir,
    store: Store,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("p")).unwrap();
        Self { folder, store: forebear::in_memory().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("p/session.jsonl")
    }

    fn options(&self) -> IngestOptions {
        IngestOptions::new([self.folder.path().join("p")])
    }

    fn follower(&self) -> Follower {
        Follower::new(&self.store, self.options()).unwrap()
    }

    fn append(&self, text: &str) {
        let mut file = OpenOptions::new().create(true).append(true).open(self.file()).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn import(&self) -> forebear::ingest::ImportReport {
        let options = IngestOptions::new([self.folder.path().join("p")]);
        import(&self.store, &options, |_| ControlFlow::Continue(())).unwrap()
    }

    fn contents(&self) -> Contents {
        contents(&self.store.snapshot())
    }
}

/// All that was stored but times, which are made up from the file's where lines bear none.
#[derive(Debug, PartialEq)]
struct Contents {
    rows: Vec<Row>,
    /// Line, offset and bytes.
    quarantined: Vec<(u64, u64, Vec<u8>)>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    id: String,
    payload: Vec<u8>,
    parent: Option<EventId>,
    link: Option<LinkKind>,
    kind: String,
    session: Option<String>,
    labels: Vec<(String, String)>,
}

fn contents(snapshot: &Snapshot) -> Contents {
    let mut rows = Vec::new();
    let events = snapshot.events(Filter::new()).oldest_first().iter();
    for event in events.map(Result::unwrap) {
        rows.push(Row {
            id: event.id().to_string(),
            payload: event.payload().unwrap().to_vec(),
            parent: event.parent().cloned(),
            link: event.link(),
            kind: event.kind().to_owned(),
            session: event.session().map(str::to_owned),
            labels: event.labels().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
        });
    }
    rows.sort_unstable();
    let place = |input: Quarantined| (input.line, input.offset, input.bytes);
    let mut quarantined: Vec<_> =
        snapshot.quarantined().iter().map(|input| place(input.unwrap())).collect();
    quarantined.sort_unstable();
    Contents { rows, quarantined }
}

/// What one import of this content comes to.
fn imported(content: &[u8]) -> Contents {
    let place = Place::new();
    fs::write(place.file(), content).unwrap();
    place.import();
    place.contents()
}

/// Writes the content up to each of the places in turn.
fn grow(place: &Place, content: &[u8], cuts: &[usize], mut then: impl FnMut(usize)) {
    let mut file = File::create(place.file()).unwrap();
    let mut written = 0;
    for (at, cut) in cuts.iter().enumerate() {
        file.write_all(&content[written..*cut]).unwrap();
        written = *cut;
        then(at);
    }
}

fn jsonl_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            jsonl_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files.sort_unstable();
}

fn transcripts() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if !root.is_dir() {
        eprintln!("skipped: there are no transcripts in {}", root.display());
        return None;
    }
    Some(root)
}

fn shuffle<T>(random: &mut Random, items: &mut [T]) {
    for at in (1..items.len()).rev() {
        items.swap(at, random.below(at as u64 + 1) as usize);
    }
}
