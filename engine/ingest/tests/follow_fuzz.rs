//! Files that are followed are changed at random, and the follower is killed and
//! started anew at random: every object that was complete on disk at a poll is
//! stored, and none twice. What is complete is decided by `serde_json` alone.

#![allow(clippy::unwrap_used)]

mod support {
    #[path = "../../../core/tests/support/random.rs"]
    pub(crate) mod random;
}

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forebear::ingest::{Follower, IngestOptions};
use forebear::storage::SimulatedDisk;
use forebear::{Filter, Store};
use serde_json::Value;
use serde_json::value::RawValue;
use support::random::Random;

#[test]
fn whatever_happens_to_files_each_complete_object_is_stored_once() {
    let number = |name: &str, default| {
        env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let (runs, seed) = (number("FOREBEAR_CASES", 500), number("FOREBEAR_SEED", 1));
    let mut totals = Totals::default();
    for run in 0..runs {
        Game::new(seed + run).play(&mut totals);
    }
    println!("{totals:?}");
    assert!(totals.kills > runs && totals.crashes > runs / 4, "{totals:?}");
    assert!(totals.objects > 20 * runs, "{totals:?}");
}

/// What was played in all.
#[derive(Debug, Default)]
struct Totals {
    steps: u64,
    kills: u64,
    /// Kills in the middle of a poll.
    crashes: u64,
    objects: u64,
}

struct Game {
    random: Random,
    seed: u64,
    folder: tempfile::TempDir,
    disk: SimulatedDisk,
    store: Store,
    follower: Follower,
    /// All objects that were complete at a poll.
    expected: BTreeSet<Vec<u8>>,
    made: u64,
}

impl Game {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sub")).unwrap();
        let disk = SimulatedDisk::new();
        let store = forebear::builder().open_on(Arc::new(disk.clone())).unwrap();
        let follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
        Self {
            random: Random::new(seed),
            seed,
            folder,
            disk,
            store,
            follower,
            expected: BTreeSet::new(),
            made: 0,
        }
    }

    fn play(mut self, totals: &mut Totals) {
        let mut history = Vec::new();
        for _ in 0..self.below(40) + 10 {
            history.push(self.mutate());
            for file in self.files() {
                self.expected.extend(complete_objects(&fs::read(file).unwrap()));
            }
            let crashes = self.below(10) == 0;
            if crashes {
                let operation = self.disk.operations() + 1 + self.below(4) as u64;
                self.disk.crash_at(operation);
                history.push(format!("crash at operation {operation}"));
            }
            let polled = self.follower.poll_once();
            assert!(polled.is_ok() || crashes, "seed {}: {polled:?}: {history:#?}", self.seed);
            if crashes || self.below(6) == 0 {
                self.restart(crashes);
                history.push("restart".to_owned());
                totals.kills += 1;
                totals.crashes += u64::from(crashes);
                assert!(!self.follower.poll_once().unwrap().more);
            }
            let stored = self.stored();
            let expected: Vec<_> = self.expected.iter().cloned().collect();
            assert!(
                stored == expected,
                "seed {}: stored {:#?}, expected {:#?}, after {history:#?}",
                self.seed,
                difference(&stored, &expected),
                difference(&expected, &stored),
            );
            totals.steps += 1;
        }
        totals.objects += self.expected.len() as u64;
    }

    /// Starts anew, after a kill or in good order.
    fn restart(&mut self, killed: bool) {
        if killed || self.below(2) == 0 {
            self.disk = self.disk.kill();
        } else {
            self.follower =
                Follower::new(&forebear::in_memory().unwrap(), IngestOptions::new([""; 0]))
                    .unwrap();
            let store = std::mem::replace(&mut self.store, forebear::in_memory().unwrap());
            store.close().unwrap();
        }
        self.store = forebear::builder().open_on(Arc::new(self.disk.clone())).unwrap();
        self.follower =
            Follower::new(&self.store, IngestOptions::new([self.folder.path()])).unwrap();
    }

    /// The payloads of all rows, in order.
    fn stored(&self) -> Vec<Vec<u8>> {
        let snapshot = self.store.snapshot();
        let mut payloads = Vec::new();
        for event in snapshot.events(Filter::new()) {
            payloads.push(event.unwrap().payload().unwrap().to_vec());
        }
        payloads.sort_unstable();
        payloads
    }

    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for folder in [self.folder.path().to_owned(), self.folder.path().join("sub")] {
            let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
            files.extend(entries.filter(|path| path.is_file()));
        }
        files.sort_unstable();
        files
    }

    /// Does something to the files; says what.
    fn mutate(&mut self) -> String {
        let files = self.files();
        let Some(file) = self.pick(&files) else {
            return self.create();
        };
        let content = fs::read(&file).unwrap();
        let name = file.strip_prefix(self.folder.path()).unwrap().display().to_string();
        match self.below(15) {
            0 => self.create(),
            1..=4 => {
                let new = self.lines();
                append(&file, &new);
                format!("append {} to {name}", new.len())
            }
            5 => {
                // A piece of a line, and at some other time the rest.
                let line = self.line();
                let cut = self.below(line.len());
                append(&file, &line.as_bytes()[..cut]);
                format!("append part of a line to {name}")
            }
            6 => {
                let length = self.below(content.len() + 1);
                let file = OpenOptions::new().write(true).open(&file).unwrap();
                file.set_len(length as u64).unwrap();
                format!("cut {name} to {length}")
            }
            7 => {
                let new = self.lines();
                fs::write(&file, new).unwrap();
                format!("write {name} anew in place")
            }
            8 => {
                let beside = file.with_extension("beside");
                // Of the same length, every other time.
                let new = if self.below(2) == 0 { self.lines() } else { renumbered(&content) };
                fs::write(&beside, new).unwrap();
                fs::rename(&beside, &file).unwrap();
                format!("replace {name}")
            }
            9 => {
                let mut lines: Vec<_> = content.split_inclusive(|byte| *byte == b'\n').collect();
                lines.reverse();
                fs::write(&file, lines.concat()).unwrap();
                format!("turn {name} round")
            }
            10 => {
                let other = self.pick(&files).unwrap();
                let between = self.folder.path().join("between");
                fs::rename(&file, &between).unwrap();
                if other != file {
                    fs::rename(&other, &file).unwrap();
                }
                fs::rename(&between, &other).unwrap();
                format!("swap {name} and {}", other.display())
            }
            11 if !content.is_empty() => {
                let at = self.below(content.len());
                let byte = b"x\"{}\n,: 7"[self.below(9)];
                let mut file = OpenOptions::new().write(true).open(&file).unwrap();
                file.seek(SeekFrom::Start(at as u64)).unwrap();
                file.write_all(&[byte]).unwrap();
                format!("corrupt byte {at} of {name}")
            }
            12 => {
                let to = self.new_path();
                fs::rename(&file, &to).unwrap();
                format!("rename {name} to {}", to.display())
            }
            13 => {
                fs::remove_file(&file).unwrap();
                format!("delete {name}")
            }
            _ => {
                fs::write(&file, &content).unwrap();
                format!("write {name} again as it is")
            }
        }
    }

    fn create(&mut self) -> String {
        let path = self.new_path();
        let lines = self.lines();
        fs::write(&path, &lines).unwrap();
        format!("create {} with {} bytes", path.display(), lines.len())
    }

    fn new_path(&mut self) -> PathBuf {
        let folder = if self.below(2) == 0 { "" } else { "sub" };
        let name = format!("{}.jsonl", self.below(6));
        self.folder.path().join(folder).join(name)
    }

    fn below(&mut self, end: usize) -> usize {
        self.random.below(end.max(1) as u64) as usize
    }

    fn pick(&mut self, files: &[PathBuf]) -> Option<PathBuf> {
        if files.is_empty() { None } else { Some(files[self.below(files.len())].clone()) }
    }

    /// Some lines, the last of them not always with an end.
    fn lines(&mut self) -> Vec<u8> {
        let lines: String = (0..self.below(9)).map(|_| self.line()).collect();
        let keep_end = self.below(3) > 0;
        let lines = if keep_end { lines.as_str() } else { lines.trim_end_matches('\n') };
        lines.as_bytes().to_vec()
    }

    fn line(&mut self) -> String {
        self.made += 1;
        let n = self.made;
        let filler = "y".repeat(if self.below(8) == 0 { 3000 } else { 20 });
        match self.below(8) {
            0 => format!("{{\"type\":\"summary\",\"n\":{n:06}}}\n"),
            1 => format!("{{\"uuid\":\"{n}\",\"n\":{n:06}}}{{\"uuid\":\"{n}b\"}}\n"),
            2 => format!("rubbish {n}\n"),
            3 => "\n".to_owned(),
            // The same event in another version.
            4 => format!("{{\"uuid\":\"v\",\"n\":{n:06}}}\r\n"),
            _ => {
                format!("{{\"uuid\":\"{n}\",\"parentUuid\":\"{}\",\"text\":\"{filler}\"}}\n", n / 2)
            }
        }
    }
}

/// The objects on all lines that are complete, and on a last one without an end that
/// has nothing else.
fn complete_objects(content: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        let mut objects = Vec::new();
        let mut whole = true;
        let mut at = 0;
        while at < line.len() {
            let mut values =
                serde_json::Deserializer::from_slice(&line[at..]).into_iter::<&RawValue>();
            match values.next().map(|value| value.map(RawValue::get)) {
                None => break,
                Some(Ok(object)) => {
                    if object.starts_with('{') {
                        objects.push(object.as_bytes().to_vec());
                    } else {
                        whole = false;
                    }
                    at += values.byte_offset();
                }
                Some(Err(_)) => {
                    whole = false;
                    let fault = line[at..].trim_ascii_start();
                    at = line.len() - fault.len();
                    at = whole_behind(fault).map_or(line.len(), |behind| at + behind);
                }
            }
        }
        if whole || line.ends_with(b"\n") {
            found.extend(objects);
        }
    }
    found
}

/// Where the longest part of a damaged stretch begins that is nothing but objects, up to
/// its end, and is no value of a damaged one.
fn whole_behind(stretch: &[u8]) -> Option<usize> {
    let begins: Vec<usize> = (1..stretch.len()).filter(|at| stretch[*at] == b'{').collect();
    begins.into_iter().find(|at| {
        let values = serde_json::Deserializer::from_slice(&stretch[*at..]).into_iter::<Value>();
        let objects: Result<Vec<Value>, _> = values.collect();
        let Ok(objects) = objects else { return false };
        let are_objects = objects.iter().all(Value::is_object);
        let Some(first) = objects.first().and_then(Value::as_object) else { return false };
        let is_record = || first.contains_key("parentUuid");
        are_objects && !first.is_empty() && (!may_hold_value(&stretch[..*at]) || is_record())
    })
}

/// Whether a value may come where a damaged record was cut.
fn may_hold_value(stub: &[u8]) -> bool {
    let (mut open, mut last, mut in_text) = (Vec::new(), b' ', false);
    for byte in stub {
        // No line has an escape.
        match byte {
            b'"' => in_text = !in_text,
            _ if in_text => {}
            b'{' | b'[' => open.push(*byte),
            b'}' | b']' => _ = open.pop(),
            _ => {}
        }
        if !in_text && !byte.is_ascii_whitespace() {
            last = *byte;
        }
    }
    !stub.starts_with(b"{") || !in_text && last == b':'
}

/// The content with other figures in it.
fn renumbered(content: &[u8]) -> Vec<u8> {
    let turned = |byte: &u8| if byte.is_ascii_digit() { b'9' - (byte - b'0') } else { *byte };
    content.iter().map(turned).collect()
}

fn append(path: &Path, bytes: &[u8]) {
    OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// What is in `a` more often than in `b`, as text.
fn difference(a: &[Vec<u8>], b: &[Vec<u8>]) -> Vec<String> {
    let mut rest = b.to_vec();
    let more = a.iter().filter(|item| match rest.iter().position(|other| other == *item) {
        Some(at) => {
            rest.swap_remove(at);
            false
        }
        None => true,
    });
    more.map(|item| String::from_utf8_lossy(item).into_owned()).collect()
}
