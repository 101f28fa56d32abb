//! The tokens of real transcripts, added up by SQLite from the lines themselves.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::ingest::{IngestOptions, import};
use forebear::{SessionFilter, SessionReads, Tokens};
use rusqlite::{Connection, params};
use serde_json::Value;

#[test]
fn tokens_are_those_of_an_independent_reading() {
    for folder in ["transcripts"].map(|name| data().join(name)) {
        if !folder.is_dir() {
            eprintln!("left out: there are no transcripts at {}", folder.display());
            continue;
        }
        for project in std::fs::read_dir(&folder).expect("lists") {
            compare(&project.expect("lists").path());
        }
    }
}

fn compare(folder: &Path) {
    let store = forebear::builder();
    let place = tempfile::tempdir().expect("a folder");
    let store = store.segment_events(500).open(place.path().join("store")).expect("opens");
    let options = IngestOptions::new([folder]);
    import(&store, &options, |_| ControlFlow::Continue(())).expect("imports");
    let sql = Connection::open_in_memory().expect("opens");
    sql.execute_batch("CREATE TABLE usages (session, message, i, o, r, w)").expect("is SQL");
    let mut files = Vec::new();
    collect(folder, &mut files);
    for file in &files {
        read(file, &sql);
    }
    let mut query = sql
        .prepare(
            "SELECT session, sum(i), sum(o), sum(r), sum(w) FROM (
               SELECT session, max(i) i, max(o) o, max(r) r, max(w) w FROM usages
               GROUP BY session, message) GROUP BY session",
        )
        .expect("is SQL");
    let rows = query
        .query_map([], |row| {
            let [input, output, cache_read, cache_written] =
                [1, 2, 3, 4].map(|at| row.get::<_, i64>(at).expect("a number") as u64);
            let tokens = Tokens { input, output, cache_read, cache_written };
            Ok((row.get::<_, String>(0)?, tokens))
        })
        .expect("runs");
    let expected: BTreeMap<String, Tokens> = rows.collect::<Result<_, _>>().expect("reads");
    let mut found = BTreeMap::new();
    for session in store.snapshot().sessions(SessionFilter::new()) {
        let session = session.expect("lists");
        if session.tokens != Tokens::default() {
            found.insert(session.id, session.tokens);
        }
    }
    let expected: BTreeMap<_, _> =
        expected.into_iter().filter(|(_, tokens)| *tokens != Tokens::default()).collect();
    assert_eq!(found, expected, "{}", folder.display());
    println!("{}: {} sessions with tokens", folder.display(), found.len());
}

/// The usage of every object of a file that is one of its own: not that within others.
fn read(file: &Path, sql: &Connection) {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read(file).expect("reads");
    for line in text.split(|&byte| byte == b'\n') {
        // Several objects may stand on one line.
        for object in serde_json::Deserializer::from_slice(line).into_iter::<Value>() {
            let Ok(object) = object else { break };
            let message = &object["message"];
            let usage = &message["usage"];
            let Some(id) = message["id"].as_str() else { continue };
            if !usage.is_object() {
                continue;
            }
            let session = object["sessionId"].as_str().unwrap_or(&name);
            let session = match object["agentId"].as_str() {
                Some(agent) if agent != session => format!("{session}/{agent}"),
                _ => session.to_owned(),
            };
            let number = |key: &str| usage[key].as_i64().unwrap_or(0);
            sql.execute(
                "INSERT INTO usages VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    session,
                    id,
                    number("input_tokens"),
                    number("output_tokens"),
                    number("cache_read_input_tokens"),
                    number("cache_creation_input_tokens")
                ],
            )
            .expect("inserts");
        }
    }
}

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data")
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    if folder.is_file() {
        files.extend(folder.extension().is_some_and(|e| e == "jsonl").then(|| folder.to_owned()));
        return;
    }
    for entry in std::fs::read_dir(folder).expect("lists") {
        collect(&entry.expect("lists").path(), files);
    }
}
