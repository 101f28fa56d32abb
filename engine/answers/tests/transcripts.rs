//! Answers about real transcripts against an independent reading by `serde_json`.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::answers::{Outcome, ResumeQuery, WhyQuery, failure_chain, resume_context};
use forebear::ingest::{IngestOptions, Registry, import};
use forebear::readings::Readings;
use forebear::{CountBy, Filter, Snapshot};
use serde_json::Value;

/// What another reading of the lines found.
#[derive(Default)]
struct Found {
    /// Results that failed and that nobody refused, by session.
    failed: BTreeMap<String, BTreeSet<String>>,
    /// Results that were refused or stopped.
    stopped: BTreeSet<String>,
    parents: HashMap<String, String>,
    /// Lines of agents in their session's file: what spawned them is not among the parents.
    aside: BTreeSet<String>,
    /// Lines that the user typed, as far as their beginning tells.
    typed: BTreeSet<String>,
}

#[test]
fn every_failure_has_an_outcome_and_the_named_one_goes_back_to_what_the_user_typed() {
    for_each_folder(|folder, snapshot, readings| {
        let found = Found::read(folder);
        for session in sessions(snapshot) {
            let report = failure_chain(snapshot, readings, &WhyQuery::session(&session)).unwrap();
            let told: BTreeSet<String> =
                report.all.iter().map(|listed| listed.event.to_string()).collect();
            let nothing = BTreeSet::new();
            let failed = found.failed.get(&session).unwrap_or(&nothing);
            let missed: Vec<_> = failed.difference(&told).collect();
            assert!(missed.is_empty(), "{session}: failures without an outcome: {missed:?}");
            let mut known = failed.union(&found.stopped);
            for listed in &report.all {
                let is_known = known.clone().any(|id| *id == listed.event.to_string());
                assert!(is_known || listed.tool.is_none(), "{session}: {listed:?}");
            }
            let Some(chain) = report.failure else { continue };
            assert_ne!(chain.outcome, Some(Outcome::Repaired), "{session}");
            assert!(known.any(|id| *id == chain.failure.id().to_string()) || chain.call.is_none());
            let request = chain.request.expect("somebody typed something");
            let id = request.event.id().to_string();
            assert!(found.typed.contains(&id) || found.stopped.contains(&id), "{session}: {id}");
            let failure = chain.failure.id().to_string();
            let own = chain.failure.instance() == session && !found.aside.contains(&failure);
            if own && !chain.end.by_time {
                assert!(found.goes_back(&failure, &id), "{session}: {failure} to {id}");
            }
        }
    });
}

#[test]
fn what_to_go_on_with_is_within_its_tokens_and_the_same_each_time() {
    for_each_folder(|_, snapshot, readings| {
        for session in sessions(snapshot) {
            for tokens in [200, 2000, 8000] {
                let query = ResumeQuery::new(&session).tokens(tokens);
                let first = resume_context(snapshot, readings, &query).unwrap();
                assert_eq!(first, resume_context(snapshot, readings, &query).unwrap());
                let text = first.map(|resume| resume.text).unwrap_or_default();
                assert!(text.len() <= 4 * tokens, "{session}: {} bytes", text.len());
            }
        }
    });
}

impl Found {
    fn read(folder: &Path) -> Self {
        let mut found = Self::default();
        for file in files(folder) {
            let text = fs::read(file).unwrap();
            let text = String::from_utf8_lossy(&text);
            for line in text.lines() {
                let lines = serde_json::Deserializer::from_str(line).into_iter::<Value>();
                lines.map_while(Result::ok).for_each(|value| found.take(&value));
            }
        }
        found
    }

    fn take(&mut self, line: &Value) {
        let Some(id) = line["uuid"].as_str() else { return };
        let parent = line["parentUuid"].as_str().or(line["logicalParentUuid"].as_str());
        if let Some(parent) = parent {
            self.parents.entry(id.to_owned()).or_insert_with(|| parent.to_owned());
        }
        if line["isSidechain"] == true {
            self.aside.insert(id.to_owned());
        }
        let session = line["sessionId"].as_str().unwrap_or_default();
        let content = &line["message"]["content"];
        let mut is_typed = line["type"] == "user" && content.is_string();
        for block in content.as_array().into_iter().flatten() {
            is_typed |= line["type"] == "user" && block["type"] == "text";
            if block["type"] != "tool_result" || block["is_error"] != true {
                continue;
            }
            let text = block["content"].to_string();
            if REFUSED.iter().any(|words| text.contains(words))
                || line["toolUseResult"]["interrupted"] == true
            {
                self.stopped.insert(id.to_owned());
            } else {
                self.failed.entry(session.to_owned()).or_default().insert(id.to_owned());
            }
        }
        if is_typed {
            self.typed.insert(id.to_owned());
        }
    }

    fn goes_back(&self, from: &str, to: &str) -> bool {
        let mut at = from;
        for _ in 0..100_000 {
            if at == to {
                return true;
            }
            let Some(parent) = self.parents.get(at) else { return false };
            at = parent;
        }
        false
    }
}

const REFUSED: [&str; 4] = [
    "doesn't want to proceed with this tool use",
    "doesn't want to take this action",
    "[Request interrupted by user",
    "Permission to use",
];

fn sessions(snapshot: &Snapshot) -> Vec<String> {
    let counts = snapshot.counts(CountBy::Session, Filter::new());
    counts.iter().map(|count| count.unwrap().value).collect()
}

fn for_each_folder(check: impl Fn(&Path, &Snapshot, &Readings)) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if !root.is_dir() {
        println!("skipped: no transcripts at {}", root.display());
        return;
    }
    let readings = Registry::default().readings();
    for folder in [
        "spotter",
        "session-share",
        "claude-code-viewer",
        "episodic-memory",
        "entire/glued",
        "entire/fork",
        "entire/growing",
        "entire/rewritten",
    ] {
        let folder = root.join(folder);
        let store = forebear::in_memory().unwrap();
        import(&store, &IngestOptions::new([&folder]), |_| ControlFlow::Continue(())).unwrap();
        check(&folder, &store.snapshot(), &readings);
    }
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
