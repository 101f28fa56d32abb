//! Every format that comes with the crate has its feature, its documentation and a sample
//! that is recognised and comes in whole: whoever adds one and forgets a part is told.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::ingest::{FilePosition, ImportReport, IngestOptions, Registry, import};
use forebear::readings::{Reading, Text};
use forebear::{Event, Filter, Store};

const MANIFEST: &str = include_str!("../Cargo.toml");
const CRATE_DOCS: &str = include_str!("../src/lib.rs");

#[test]
fn every_format_has_a_feature_of_its_name_that_is_on_by_default() {
    let default = MANIFEST.lines().find_map(|line| line.strip_prefix("default = ["));
    let default = default.expect("engine/ingest/Cargo.toml has default features");
    let features: BTreeSet<&str> = default.split('"').skip(1).step_by(2).collect();
    assert_eq!(features, names(), "the default features and the formats in src/formats/mod.rs");
}

#[test]
fn every_format_is_in_the_table_of_the_crate_s_docs() {
    let rows = CRATE_DOCS.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let documented: BTreeSet<&str> = rows
        .filter_map(|row| row.split('`').next())
        .filter(|name| names().contains(name))
        .collect();
    assert_eq!(documented, names(), "the table of formats in engine/ingest/src/lib.rs");
}

#[test]
fn every_format_has_samples_that_are_recognised_by_their_content() {
    let folders: BTreeSet<String> = fs::read_dir(samples())
        .expect("lists")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("is text"))
        .collect();
    let folders: BTreeSet<&str> = folders.iter().map(String::as_str).collect();
    assert_eq!(folders, names(), "the folders of engine/ingest/tests/samples and the formats");
    let registry = Registry::default();
    for name in names() {
        let files = files(&samples().join(name));
        assert!(!files.is_empty(), "{name} has a sample");
        for file in files.into_iter().filter(|path| !is_companion(path)) {
            let head = fs::read(&file).expect("reads");
            let found = registry.recognise(&file, &head).expect("is of a format");
            assert_eq!(found.name(), name, "{}", file.display());
        }
    }
}

#[test]
fn every_sample_comes_in_whole_and_once() {
    for name in names() {
        let store = forebear::in_memory().expect("opens");
        let report = imported(&store, name);
        assert_eq!((&report.failed_files, report.bad_lines), (&Vec::new(), 0), "{name}");
        let stored = report.events + report.versions + report.without_id;
        assert!(stored > 0 && stored + report.repeats == report.lines, "{name}: {report:?}");

        let snapshot = store.snapshot();
        let positions = FilePosition::list(&snapshot).page().expect("lists").items;
        assert!(positions.iter().all(|position| position.format == name), "{positions:?}");
        let events = snapshot.events(Filter::new()).page().expect("lists").items;
        let payloads: BTreeSet<&[u8]> =
            events.iter().map(|event| event.payload().expect("a payload")).collect();
        // A document has no lines: its format has tests of its own.
        let is_lines = |path: &PathBuf| path.extension().is_none_or(|suffix| suffix != "json");
        for file in files(&samples().join(name)).into_iter().filter(is_lines) {
            for line in fs::read_to_string(&file).expect("reads").lines() {
                assert!(payloads.contains(line.as_bytes()), "{} has {line}", file.display());
            }
        }

        let before = snapshot.stats().expect("counts");
        imported(&store, name);
        let after = store.snapshot().stats().expect("counts");
        let counts = |stats: forebear::Stats| (stats.events, stats.versions);
        assert_eq!(counts(after), counts(before), "{name}");
    }
}

#[test]
fn readings_say_words_of_their_payloads_and_those_that_they_are_known_to_add() {
    let readings = Registry::default().readings();
    let mut words = 0;
    for name in names() {
        let store = forebear::in_memory().expect("opens");
        imported(&store, name);
        for event in &store.snapshot().events(Filter::new()) {
            let event = event.expect("reads");
            let payload = String::from_utf8_lossy(event.payload().expect("a payload"));
            let payload = payload.to_lowercase();
            let reading = readings.of(&event);
            for text in texts(&reading) {
                let text = text.decode().to_lowercase();
                for word in text.split(|c: char| !c.is_ascii_alphanumeric()) {
                    words += 1;
                    let known = payload.contains(word) || readings.may_add(&event, word);
                    assert!(known, "{name}: {word:?} is not in {payload}");
                }
            }
        }
    }
    assert!(words > 200, "{words} words");
}

#[test]
fn every_reader_says_which_words_it_may_add() {
    // Else a search reads the payload of every event that names no format.
    let store = forebear::in_memory().expect("opens");
    store.append(Event::new("note").id("n").payload("words")).expect("appends");
    let event = store.snapshot().get("n").expect("reads").expect("is stored");
    let readings = Registry::default().readings();
    assert!(!readings.may_add(&event, "zebra"));
    assert!(readings.may_add(&event, "error"));
}

/// All texts of a reading.
fn texts<'r, 'p>(reading: &'r Reading<'p>) -> Vec<&'r Text<'p>> {
    let Reading { text, thinking, calls, results, error, summary, title, plan, .. } = reading;
    let mut texts: Vec<&Text<'p>> = text.iter().chain(thinking).collect();
    for call in calls {
        texts.extend([&call.tool, &call.target, &call.input].into_iter().flatten());
    }
    texts.extend(results.iter().flat_map(|result| &result.text));
    texts.extend([error, summary].into_iter().flatten());
    texts.extend(title.as_ref().map(|title| &title.text));
    if let Some(plan) = plan {
        texts.extend(plan.text.iter().chain(plan.items.iter().map(|item| &item.text)));
    }
    texts
}

/// Whether a file of a sample is read with another one.
fn is_companion(path: &Path) -> bool {
    path.ancestors().any(|folder| folder.ends_with("storage/part"))
}

fn names() -> BTreeSet<&'static str> {
    // The process has one registry and ends with the tests.
    let registry: &'static Registry = Box::leak(Box::default());
    registry.names().collect()
}

fn imported(store: &Store, name: &str) -> ImportReport {
    let options = IngestOptions::new([samples().join(name)]).again(true);
    import(store, &options, |_| ControlFlow::Continue(())).expect("imports")
}

fn samples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/samples")
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("lists") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else {
            files.push(path);
        }
    }
    files
}
