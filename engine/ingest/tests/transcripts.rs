//! Real transcripts come in whole, in whatever order their lines and files are
//! read: the figures are those that an independent reading found.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::ingest::{ImportReport, IngestOptions, import};
use forebear::{
    CountBy, Detail, Filter, LinkKind, Quarantined, RefusedLink, Snapshot, Stats, Store,
};
use serde_json::Value;
use serde_json::value::RawValue;

#[test]
fn figures_are_those_of_an_independent_reading() {
    for_each_folder(|folder| {
        let store = forebear::in_memory().unwrap();
        let report = import_into(&store, &[&folder.path]);
        folder.check_report(&report);
        folder.check_store(&store.snapshot());
    });
}

#[test]
fn a_second_import_changes_nothing() {
    for_each_folder(|folder| {
        let store = forebear::in_memory().unwrap();
        let first = import_into(&store, &[&folder.path]);
        let before = contents(&store.snapshot());
        let unchanged = import_into(&store, &[&folder.path]);
        assert_eq!((unchanged.files, unchanged.unchanged_files), (0, first.files));
        assert_eq!(before, contents(&store.snapshot()));
        let options = IngestOptions::new([&folder.path]).again(true);
        let second = import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(before, contents(&store.snapshot()));
        let known = first.events + first.versions + first.repeats;
        assert_eq!(second.repeats, known);
        assert_eq!(second.without_id, first.without_id);
        let news = (second.events, second.versions, second.quarantined, second.links);
        assert_eq!(news, (0, 0, 0, 0));
    });
}

#[test]
fn the_order_of_lines_does_not_matter() {
    for_each_folder(|folder| {
        let copies = tempfile::tempdir().unwrap();
        for file in folder.files() {
            let copy = copies.path().join(file.strip_prefix(&folder.path).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::write(copy, reversed(&fs::read(file).unwrap())).unwrap();
        }
        let store = forebear::in_memory().unwrap();
        let report = import_into(&store, &[copies.path()]);
        folder.check_report(&report);
        folder.check_store(&store.snapshot());
    });
}

#[test]
fn the_order_of_files_does_not_matter_and_each_may_come_in_a_run_of_its_own() {
    for_each_folder(|folder| {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.forebear");
        for file in folder.files().iter().rev() {
            let store = forebear::open(&path).unwrap();
            let report = import_into(&store, &[file]);
            assert_eq!(report.files, 1);
            store.close().unwrap();
        }
        let store = forebear::open(&path).unwrap();
        folder.check_store(&store.snapshot());
        let before = contents(&store.snapshot());
        import_into(&store, &[&folder.path]);
        assert_eq!(before, contents(&store.snapshot()));
    });
}

#[test]
fn each_object_goes_out_as_the_bytes_that_came_in() {
    for_each_folder(|folder| {
        let store = forebear::in_memory().unwrap();
        import_into(&store, &[&folder.path]);
        let mut expected = HashSet::new();
        for file in folder.files() {
            let text = fs::read_to_string(file).unwrap();
            for line in text.lines() {
                let values = serde_json::Deserializer::from_str(line).into_iter::<&RawValue>();
                expected.extend(values.map_while(Result::ok).map(|value| value.get().to_owned()));
            }
        }
        let mut stored = HashSet::new();
        let snapshot = store.snapshot();
        for event in snapshot.events(Filter::new()).oldest_first() {
            let event = event.unwrap();
            stored.insert(str::from_utf8(event.payload().unwrap()).unwrap().to_owned());
        }
        assert!(stored == expected, "{} objects stored, {} read", stored.len(), expected.len());
    });
}

/// A folder of transcripts, and what is to be found in it.
struct Folder {
    path: PathBuf,
    expected: Value,
}

impl Folder {
    fn figure(&self, name: &str) -> u64 {
        self.expected[name].as_u64().unwrap_or(0)
    }

    fn figures(&self, name: &str) -> BTreeMap<String, u64> {
        let figures = self.expected[name].as_object().unwrap();
        figures.iter().map(|(key, count)| (key.clone(), count.as_u64().unwrap())).collect()
    }

    /// Its transcripts, in byte order of their paths.
    fn files(&self) -> Vec<PathBuf> {
        let (mut files, mut folders) = (Vec::new(), vec![self.path.clone()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "jsonl") {
                    files.push(path);
                }
            }
        }
        files
            .sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
        files
    }

    fn check_report(&self, report: &ImportReport) {
        for (name, found) in [
            ("files", report.files),
            ("lines", report.lines),
            ("bad_lines", report.bad_lines),
            ("glued_lines", report.glued_lines),
            ("events", report.events),
            ("repeats_same", report.repeats),
            ("repeats_other_content", report.versions),
            ("without_uuid", report.without_id),
        ] {
            assert_eq!(found, self.figure(name), "{name}");
        }
        assert_eq!(report.quarantined, report.bad_lines);
        assert!(report.failed_files.is_empty() && !report.interrupted);
    }

    fn check_store(&self, snapshot: &Snapshot) {
        let stats = snapshot.stats().unwrap();
        for (name, found) in [
            ("events", stats.events),
            ("repeats_other_content", stats.versions),
            ("cycles", stats.cycles),
            ("max_children", stats.max_children),
            ("max_depth", stats.max_depth),
            ("parent_missing", stats.missing_parents),
            ("roots", stats.roots),
            ("sessions", stats.sessions),
        ] {
            assert_eq!(found, self.figure(name), "{name}");
        }
        let names = ["parent", "logical", "spawned"];
        let links = names.iter().zip(stats.links).filter(|(_, count)| *count > 0);
        let links: BTreeMap<_, _> =
            links.map(|(name, count)| ((*name).to_owned(), count)).collect();
        assert_eq!(links, self.figures("parents_by_field"));
        let types = CountBy::Label("type".to_owned());
        let originals = Filter::new().without_versions().without_derived_ids();
        let types = snapshot.counts(types, &originals).page().unwrap().items;
        let types: BTreeMap<_, _> = types.into_iter().map(|c| (c.value, c.count)).collect();
        assert_eq!(types, self.figures("types"));

        let deepest = self.expected["deepest"].as_str().unwrap();
        let chain = snapshot.chain(deepest).unwrap().unwrap();
        let chain = chain.max_depth(u64::MAX).detail(Detail::Columns);
        let chain: Vec<_> = chain.map(|event| event.unwrap().id().to_string()).collect();
        assert_eq!(chain.len() as u64 - 1, stats.max_depth);
        assert_eq!(chain.last().unwrap(), self.expected["deepest_root"].as_str().unwrap());
    }
}

fn for_each_folder(check: impl Fn(&Folder)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    let Ok(expected) = fs::read_to_string(root.join("expected.json")) else {
        eprintln!("skipped: there are no transcripts in {}", root.display());
        return;
    };
    let expected: BTreeMap<String, Value> = serde_json::from_str(&expected).unwrap();
    for (name, expected) in expected {
        println!("{name}");
        check(&Folder { path: root.join(&name).canonicalize().unwrap(), expected });
    }
}

fn import_into(store: &Store, paths: &[&(impl AsRef<Path> + ?Sized)]) -> ImportReport {
    let paths = paths.iter().map(|path| path.as_ref().to_owned());
    import(store, &IngestOptions::new(paths), |_| ControlFlow::Continue(())).unwrap()
}

/// A file with its lines in reverse order.
fn reversed(file: &[u8]) -> Vec<u8> {
    let file = file.strip_suffix(b"\n").unwrap_or(file);
    let mut lines: Vec<&[u8]> = file.split(|byte| *byte == b'\n').collect();
    lines.reverse();
    lines.join(&b"\n"[..])
}

/// What a second import must not change.
#[derive(Debug, PartialEq)]
struct Contents {
    stats: Stats,
    quarantined: Vec<Quarantined>,
    refused: Vec<RefusedLink>,
    /// The first events of agents, and the calls that started them.
    spawned: Vec<(String, String)>,
}

fn contents(snapshot: &Snapshot) -> Contents {
    let mut spawned = Vec::new();
    for event in snapshot.events(Filter::new()).oldest_first().detail(Detail::Ids) {
        let event = event.unwrap();
        if event.link() == Some(LinkKind::Spawned) {
            let parent = event.parent().unwrap();
            spawned.push((event.id().to_string(), parent.to_string()));
        }
    }
    let mut stats: Stats = snapshot.stats().unwrap();
    // Of bytes there are some more: how far files were read.
    stats.bytes = 0;
    Contents {
        stats,
        quarantined: snapshot.quarantined().page().unwrap().items,
        refused: snapshot.refused_links().page().unwrap().items,
        spawned,
    }
}
