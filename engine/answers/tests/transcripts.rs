//! Answers about real transcripts against an independent reading by `serde_json`.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::answers::{
    DecisionsQuery, Outcome, ResumeQuery, SlowQuery, TranscriptQuery, TranscriptStyle, WhyQuery,
    decisions, failure_chain, resume_context, slow, transcript,
};
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

#[test]
fn calls_and_decisions_are_those_that_another_reading_finds() {
    for_each_folder(|folder, snapshot, readings| {
        let found = Calls::read(folder);
        for session in sessions(snapshot) {
            let query = SlowQuery::session(&session);
            let report = slow(snapshot, readings, &query).unwrap().unwrap();
            let nothing = BTreeMap::new();
            let expected = found.paired.get(&session).unwrap_or(&nothing);
            let told: BTreeMap<String, u64> =
                report.tools.iter().map(|tool| (tool.tool.clone(), tool.calls)).collect();
            assert_eq!(&told, expected, "{session}");
            let slowest = report.slowest.iter().map(|call| call.took).max();
            assert_eq!(slowest, report.tools.iter().map(|tool| tool.max).max(), "{session}");

            let query = DecisionsQuery::session(&session);
            let told = decisions(snapshot, readings, &query).unwrap().unwrap().decisions;
            let nothing = BTreeMap::new();
            let decided = found.decided.get(&session).unwrap_or(&nothing);
            let mut left: BTreeSet<&(String, String)> = decided.values().collect();
            for one in &told {
                let expected = decided.get(&one.event.to_string());
                let (kind, _) = expected.unwrap_or_else(|| panic!("{session}: {one:?}"));
                assert_eq!(kind, one.kind.as_str(), "{session}: {one:?}");
                left.remove(expected.unwrap());
            }
            // Of calls that are told again one tells of all.
            assert!(left.is_empty(), "{session}: {left:?}");
        }
    });
}

#[test]
fn a_transcript_has_every_call_and_is_one_sound_page() {
    for_each_folder(|folder, snapshot, readings| {
        let found = Calls::read(folder);
        for session in sessions(snapshot) {
            let query = TranscriptQuery::session(&session).all(true);
            let transcript = transcript(snapshot, readings, &query).unwrap().unwrap();
            let page: String = transcript
                .pieces(TranscriptStyle::Html, str::to_owned)
                .map(Result::unwrap)
                .collect();
            let calls = page.matches("<details class=\"call").count();
            assert_eq!(calls, found.made.get(&session).copied().unwrap_or(0), "{session}");
            for tag in ["details", "section", "pre", "div"] {
                let opened = page.matches(&format!("<{tag}")).count();
                assert_eq!(opened, page.matches(&format!("</{tag}>")).count(), "{session}: {tag}");
            }
            assert!(!page.contains("<script") && page.ends_with("</html>\n"), "{session}");
        }
    });
}

/// Calls of tools as another reading finds them, by session.
#[derive(Default)]
struct Calls {
    /// How many each tool has that have a result and did not wait for the user; one that is
    /// told again is one.
    paired: BTreeMap<String, BTreeMap<String, u64>>,
    /// All of them.
    made: BTreeMap<String, usize>,
    /// By event, the kind of decision and the call's id.
    decided: BTreeMap<String, BTreeMap<String, (String, String)>>,
}

impl Calls {
    fn read(folder: &Path) -> Self {
        let (mut calls, mut results) = (Vec::new(), HashMap::new());
        let mut seen = BTreeSet::new();
        for file in files(folder) {
            let text = fs::read(file).unwrap();
            for line in String::from_utf8_lossy(&text).lines() {
                let values = serde_json::Deserializer::from_str(line).into_iter::<Value>();
                for value in values.map_while(Result::ok) {
                    let Some(uuid) = value["uuid"].as_str() else { continue };
                    let session = value["sessionId"].as_str().unwrap_or_default().to_owned();
                    if !seen.insert((session.clone(), uuid.to_owned())) {
                        continue;
                    }
                    for block in value["message"]["content"].as_array().into_iter().flatten() {
                        if block["type"] == "tool_use" && value["type"] == "assistant" {
                            calls.push((session.clone(), uuid.to_owned(), block.clone()));
                        } else if block["type"] == "tool_result" {
                            let words = block["content"].to_string();
                            let refused = block["is_error"] == true
                                && NOT_ALLOWED.iter().any(|refusal| words.contains(refusal));
                            let id = block["tool_use_id"].as_str().unwrap_or_default();
                            results.insert((session.clone(), id.to_owned()), refused);
                        }
                    }
                }
            }
        }
        let (mut found, mut counted) = (Self::default(), BTreeSet::new());
        for (session, uuid, block) in calls {
            *found.made.entry(session.clone()).or_default() += 1;
            let name = block["name"].as_str().unwrap_or_default();
            let id = block["id"].as_str().unwrap_or_default().to_owned();
            let refused = results.get(&(session.clone(), id.clone())).copied();
            let asks = matches!(name, "AskUserQuestion" | "ExitPlanMode");
            let is_new = counted.insert((session.clone(), id.clone()));
            if refused == Some(false) && !asks && is_new {
                let tools = found.paired.entry(session.clone()).or_default();
                *tools.entry(name.to_owned()).or_default() += 1;
            }
            let kind = match name {
                "ExitPlanMode" if block["input"]["plan"].is_string() => "plan",
                "AskUserQuestion" | "ExitPlanMode" => "question",
                _ if refused == Some(true) => "denied",
                "Task" | "Agent" | "SendMessage" | "TaskOutput" | "TaskStop" => "agent",
                _ => continue,
            };
            found.decided.entry(session).or_default().insert(uuid, (kind.to_owned(), id));
        }
        found
    }
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

/// What the user stopped was running: it is no call that was not allowed.
const NOT_ALLOWED: [&str; 4] = [
    "doesn't want to proceed with this tool use",
    "doesn't want to take this action",
    "you haven't granted it",
    "Permission to use",
];

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
