//! What was used and what it cost, each message once.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::answers::{Price, Prices, UsageBy, UsageQuery, UsageReport, usage};
use forebear::ingest::{IngestOptions, import};
use forebear::{Event, Filter, Snapshot, Store, Tokens, Usage};
use serde_json::Value;

fn told(message: &str, output: u64) -> Usage {
    Usage { message: message.to_owned(), input: 10, output, ..Usage::default() }
}

fn by(snapshot: &Snapshot, by: UsageBy) -> UsageReport {
    let mut prices = Prices::none("2026-01-01");
    prices.set("small", Price::per_million(0.0, 2.0, 0.0, 0.0));
    prices.set("large", Price::per_million(0.0, 20.0, 0.0, 0.0));
    usage(snapshot, &UsageQuery::by(by).prices(prices)).unwrap()
}

/// Two sessions, of which the second goes on from a copy of the first.
fn history() -> Store {
    const DAY_NS: i64 = 24 * 3600 * 1_000_000_000;
    let store = forebear::in_memory().unwrap();
    let event = |session: &str, day: i64, model: &str| {
        let event = Event::new("assistant_message").session(session).time_ns(day * DAY_NS);
        if model.is_empty() { event } else { event.label("model", model) }
    };
    let events = [
        event("first", 0, "large").label("project", "/w/one").usage(told("m1", 100)),
        // Early lines of a message tell less, and lie before midnight.
        event("first", 1, "large").usage(told("m2", 1)),
        event("first", 2, "large").usage(told("m2", 300)),
        event("second", 0, "large").label("copy_of", "first").usage(told("m1", 100)),
        event("second", 3, "small").label("project", "/w/two").usage(told("m3", 1000)),
        // Events without a message's id count by themselves.
        event("second", 3, "").usage(told("", 5)),
        event("second", 3, "").usage(told("", 5)),
        event("second", 4, "small"),
    ];
    for event in events {
        store.append(event).unwrap();
    }
    store
}

fn rows(report: &UsageReport) -> Vec<(&str, u64, u64)> {
    let rows = report.rows.iter();
    rows.map(|row| (row.value.as_str(), row.messages, row.tokens.output)).collect()
}

#[test]
fn each_message_counts_once_where_it_was_first() {
    let snapshot = history().snapshot();
    let report = by(&snapshot, UsageBy::Session);
    assert_eq!(rows(&report), [("first", 2, 400), ("second", 3, 1010)]);
    let report = by(&snapshot, UsageBy::Day);
    assert_eq!(
        rows(&report),
        [("1970-01-01", 1, 100), ("1970-01-02", 1, 300), ("1970-01-04", 3, 1010)]
    );
    let report = by(&snapshot, UsageBy::Project);
    assert_eq!(rows(&report), [("/w/one", 2, 400), ("/w/two", 3, 1010)]);
    let report = by(&snapshot, UsageBy::Model);
    assert_eq!(rows(&report), [("large", 2, 400), ("small", 1, 1000), ("", 2, 10)]);
    assert_eq!((report.total.messages, report.total.tokens.input), (5, 50));
    let usd = 400.0 * 20.0 / 1e6 + 1000.0 * 2.0 / 1e6;
    assert!((report.total.usd - usd).abs() < 1e-12, "{report:?}");
    let unpriced: Vec<_> =
        report.unpriced.iter().map(|model| (model.model.as_str(), model.tokens.output)).collect();
    assert_eq!(unpriced, [("", 10)]);
    assert!(report.complete);
}

#[test]
fn a_filter_says_what_counts() {
    let snapshot = history().snapshot();
    let query = UsageQuery::by(UsageBy::Model).filter(Filter::new().session("second"));
    let report = usage(&snapshot, &query).unwrap();
    assert_eq!(report.total.messages, 4, "the copy is all that is looked at");
    let query = UsageQuery::by(UsageBy::Day).filter(Filter::new().kind("nothing"));
    let report = usage(&snapshot, &query).unwrap();
    assert!(report.rows.is_empty() && report.total.tokens == Tokens::default());
}

#[test]
fn real_transcripts_took_what_another_reading_finds() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if !root.is_dir() {
        println!("skipped: no transcripts at {}", root.display());
        return;
    }
    for folder in ["spotter", "claude-code-viewer", "episodic-memory", "entire/fork"] {
        let folder = root.join(folder);
        let store = forebear::in_memory().unwrap();
        import(&store, &IngestOptions::new([&folder]), |_| ControlFlow::Continue(())).unwrap();
        let query = UsageQuery::by(UsageBy::Model);
        let report = usage(&store.snapshot(), &query).unwrap();
        let expected = read(&folder);
        let found: BTreeMap<String, Tokens> =
            report.rows.iter().map(|row| (row.value.clone(), row.tokens)).collect();
        assert_eq!(found, expected, "{}", folder.display());
        for by in [UsageBy::Day, UsageBy::Project, UsageBy::Session] {
            let other = usage(&store.snapshot(), &UsageQuery::by(by)).unwrap();
            assert_eq!(other.total, report.total, "{}", folder.display());
        }
    }
}

/// Tokens by model: of each message the maximum of each field.
fn read(folder: &Path) -> BTreeMap<String, Tokens> {
    let mut messages: HashMap<String, (String, Tokens)> = HashMap::new();
    for file in files(folder) {
        let text = fs::read(file).unwrap();
        for line in String::from_utf8_lossy(&text).lines() {
            let values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
            for value in values.map_while(Result::ok) {
                let message = &value["message"];
                let (Some(id), Some(model)) = (message["id"].as_str(), message["model"].as_str())
                else {
                    continue;
                };
                if value["type"] != "assistant" || !message["usage"].is_object() {
                    continue;
                }
                let count = |name: &str| message["usage"][name].as_u64().unwrap_or(0);
                let (_, tokens) = messages
                    .entry(id.to_owned())
                    .or_insert_with(|| (model.to_owned(), Tokens::default()));
                tokens.input = tokens.input.max(count("input_tokens"));
                tokens.output = tokens.output.max(count("output_tokens"));
                tokens.cache_read = tokens.cache_read.max(count("cache_read_input_tokens"));
                tokens.cache_written =
                    tokens.cache_written.max(count("cache_creation_input_tokens"));
            }
        }
    }
    let mut models: BTreeMap<String, Tokens> = BTreeMap::new();
    for (model, tokens) in messages.into_values() {
        let sum = models.entry(model).or_default();
        *sum = sum.plus(tokens);
    }
    models
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(self::files(&path));
        } else if path.extension().is_some_and(|extension| extension == "jsonl") {
            files.push(path);
        }
    }
    files
}
