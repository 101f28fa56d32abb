//! What to go on with where a real session was cut in the middle, against an independent reading
//! by `serde_json` of the lines before the cut.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use forebear::answers::{ResumeQuery, resume_context};
use forebear::ingest::{IngestOptions, Registry, import};
use serde_json::Value;

/// Sessions that are cut, at least.
const SESSIONS: usize = 20;

/// Characters of words that are compared: longer ones are cut head and tail.
const COMPARED_CHARS: usize = 60;

/// What has to be in the text.
#[derive(Debug, Default)]
struct Expected {
    request: String,
    /// Tools and words of the input of calls without a result.
    open: Vec<(String, String)>,
    /// What is on the newest list and not done.
    to_do: Vec<String>,
    /// Files of calls with a good result.
    files: BTreeSet<String>,
    /// Folders that were worked in.
    folders: BTreeSet<String>,
}

#[test]
fn a_session_that_is_cut_goes_on_with_its_request_plan_open_calls_and_files() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/transcripts");
    if !root.is_dir() {
        println!("skipped: no transcripts at {}", root.display());
        return;
    }
    let readings = Registry::default().readings();
    let folder = std::env::temp_dir().join(format!("forebear-cut-{}", std::process::id()));
    let (mut cut, mut open, mut to_do, mut files) = (0, 0, 0, 0);
    for file in transcripts(&root) {
        let text = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let Some((end, session, expected)) = cut_in_the_middle(&lines) else { continue };
        fs::create_dir_all(&folder).unwrap();
        let half = folder.join(format!("{session}.jsonl"));
        fs::write(&half, lines[..end].join("\n") + "\n").unwrap();
        let store = forebear::in_memory().unwrap();
        import(&store, &IngestOptions::new([&half]), |_| ControlFlow::Continue(())).unwrap();
        fs::remove_dir_all(&folder).unwrap();

        let query = ResumeQuery::new(&session);
        let resume = resume_context(&store.snapshot(), &readings, &query).unwrap().unwrap();
        let text = words(&resume.text);
        let place = format!("{} cut at line {end}", file.display());
        let left_out = |of: &str| {
            resume.left_out.iter().find(|(name, _)| *name == of).map_or(0, |(_, count)| *count)
        };
        assert!(text.contains(&begin(&expected.request)), "{place}: {expected:?}\n{text}");
        for (tool, input) in &expected.open {
            let is_there = text.contains(&format!("{tool}: ")) && text.contains(input);
            assert!(is_there, "{place}: {tool} {input}\n{text}");
        }
        for item in &expected.to_do {
            assert!(text.contains(&begin(item)), "{place}: {item}\n{text}");
        }
        // A file in the folder that is worked in is named within it.
        let is_told = |file: &&String| {
            let within = expected.folders.iter().filter_map(|folder| file.strip_prefix(folder));
            let mut names = within.map(|name| name.trim_start_matches('/')).chain([file.as_str()]);
            names.any(|name| text.contains(name))
        };
        let missing = expected.files.iter().filter(|file| !is_told(file)).count();
        assert!(missing <= left_out("files"), "{place}: {:?}\n{text}", expected.files);
        assert!(missing < expected.files.len().max(1), "{place}: none of the files\n{text}");
        cut += 1;
        open += expected.open.len();
        to_do += expected.to_do.len();
        files += expected.files.len();
    }
    println!("{cut} sessions cut: {open} open calls, {to_do} things to do, {files} files");
    assert!(cut >= SESSIONS, "{cut} sessions could be cut");
    assert!(open >= SESSIONS && to_do > 0 && files > 0, "{open} {to_do} {files}");
}

/// Where to cut: behind the call nearest to the middle whose result comes later, at a place
/// where it is plain what is asked; the session's name, and what has to be told of it.
fn cut_in_the_middle(lines: &[&str]) -> Option<(usize, String, Expected)> {
    let values: Vec<Value> =
        lines.iter().map(|line| serde_json::from_str(line).unwrap_or_default()).collect();
    let session = values.iter().find_map(|value| value["sessionId"].as_str())?;
    if values.iter().any(|value| value["sessionId"].as_str().is_some_and(|other| other != session))
    {
        return None;
    }
    let mut places: Vec<usize> = (1..=values.len())
        .filter(|end| blocks(&values[end - 1], "assistant", "tool_use").next().is_some())
        .collect();
    places.sort_by_key(|end| end.abs_diff(values.len() / 2));
    places.into_iter().find_map(|end| {
        let expected = expected(&values[..end])?;
        Some((end, session.to_owned(), expected))
    })
}

/// What another reading finds in the lines; none where it isn't plain what is asked, since
/// something stands there that may be a request or not.
fn expected(values: &[Value]) -> Option<Expected> {
    let mut found = Expected::default();
    let mut calls: BTreeMap<String, (String, Value, bool)> = BTreeMap::new();
    let mut order = Vec::new();
    let mut request = None;
    for value in values {
        if value["isSidechain"] == true {
            continue;
        }
        found.folders.extend(value["cwd"].as_str().map(str::to_owned));
        if value["type"] == "queue-operation" || value["type"] == "attachment" {
            request = None;
        }
        for block in blocks(value, "assistant", "tool_use") {
            let id = block["id"].as_str()?.to_owned();
            let name = block["name"].as_str()?.to_owned();
            order.push(id.clone());
            calls.insert(id, (name, block["input"].clone(), false));
        }
        for block in blocks(value, "user", "tool_result") {
            let id = block["tool_use_id"].as_str().unwrap_or_default();
            let Some((name, input, has_result)) = calls.get_mut(id) else { continue };
            *has_result = true;
            if block["is_error"] == true {
                continue;
            }
            if matches!(name.as_str(), "Edit" | "Write" | "MultiEdit" | "NotebookEdit") {
                let path = input["file_path"].as_str().or(input["notebook_path"].as_str());
                found.files.extend(path.map(str::to_owned));
            }
        }
        if value["type"] == "user" && blocks(value, "user", "tool_result").next().is_none() {
            request = typed(value);
        }
    }
    for id in &order {
        let (name, input, _) = &calls[id];
        if name == "TodoWrite" {
            let items = input["todos"].as_array().into_iter().flatten();
            found.to_do = items
                .filter(|item| item["status"] != "completed")
                .filter_map(|item| item["content"].as_str().map(str::to_owned))
                .collect();
        }
    }
    // The calls that the session ends with.
    for id in order.iter().rev() {
        let (name, input, has_result) = &calls[id];
        if *has_result {
            break;
        }
        found.open.push((name.clone(), plain_words(input)));
    }
    found.request = request?;
    (!found.open.is_empty()).then_some(found)
}

/// What the user typed; none where it may be something that a tool said in the user's name.
fn typed(value: &Value) -> Option<String> {
    if value["isMeta"] == true || value["isCompactSummary"] == true {
        return None;
    }
    let content = &value["message"]["content"];
    let text = match content.as_str() {
        Some(text) => text,
        None => blocks(value, "user", "text").next()?["text"].as_str()?,
    };
    let odd = ["<", "[", "Caveat", "/", "#", "!"];
    let is_plain = text.chars().filter(|c| c.is_alphabetic()).count() > 10;
    (is_plain && !odd.iter().any(|begin| text.trim_start().starts_with(begin)))
        .then(|| text.to_owned())
}

/// The longest run of plain characters in a text of the input: JSON has it as it is.
fn plain_words(input: &Value) -> String {
    let texts = input.as_object().into_iter().flat_map(|members| members.values());
    let runs = texts
        .filter_map(Value::as_str)
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && !"/._-".contains(c)));
    let longest = runs.filter(|run| run.len() <= COMPARED_CHARS).max_by_key(|run| run.len());
    longest.unwrap_or_default().to_owned()
}

fn blocks<'v>(
    value: &'v Value,
    kind: &'static str,
    block: &'static str,
) -> impl Iterator<Item = &'v Value> {
    let content = value["message"]["content"].as_array().into_iter().flatten();
    content.filter(move |one| value["type"] == kind && one["type"] == block)
}

/// The text with single spaces between its words.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn begin(text: &str) -> String {
    words(text).chars().take(COMPARED_CHARS).collect()
}

/// Transcripts of sessions, the largest first; those of agents are not told by themselves.
fn transcripts(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jsonl")
                && !name.starts_with("agent-")
            {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}
