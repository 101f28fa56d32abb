//! What the place of a file says of its lines.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use forebear_core::{EventId, limits};
use forebear_readings::json::JsonCursor;

use crate::adapter::SourceFile;
use crate::formats::common::values::{cut, label_value};

/// What the place of a file says of its lines.
#[derive(Debug, Default)]
pub(super) struct FilePlace {
    /// The session of lines that name none.
    pub(super) session: Option<String>,
    /// The project's folder.
    pub(super) project: Option<String>,
    /// The run of a workflow that the file's agent is part of.
    pub(super) run: Option<String>,
    /// The call that started the file's agent, as the note beside the file has it.
    pub(super) call: Option<String>,
    /// Whether the file is the journal of a workflow and no transcript.
    pub(super) is_journal: bool,
}

impl FilePlace {
    pub(super) fn of(file: &SourceFile<'_>) -> Self {
        let path = file.path;
        let stem = file.stem();
        let run = run(path);
        Self {
            session: session(path, &stem).map(|name| cut(name, limits::MAX_NAME_BYTES)),
            project: project(path).map(|name| cut(name, limits::MAX_LABEL_VALUE_BYTES)),
            is_journal: run.is_some() && stem == "journal",
            run: run.map(Cow::into_owned),
            call: call(&path.with_file_name(format!("{stem}.meta.json"))),
        }
    }
}

/// Whether an agent of this name is none that a call started: one that sums up, or answers
/// beside, from what was said so far.
pub(super) fn goes_on(agent: &str) -> bool {
    ["acompact-", "aside_question-", "aprompt_suggestion-", "asession_memory-"]
        .iter()
        .any(|start| agent.starts_with(start))
}

/// The session that a file is of by its place: its name where that is an id or it lies in a
/// project's folder, and of agents' files the folder that theirs lies in.
fn session<'p>(path: &'p Path, stem: &'p str) -> Option<Cow<'p, str>> {
    if let Some(agents) = agents_folder(path) {
        return Some(agents.parent()?.file_name()?.to_string_lossy());
    }
    let is_id = EventId::from(stem).as_uuid().is_some();
    let projects = path.parent()?.parent().and_then(Path::file_name);
    let is_in_project = projects.is_some_and(|name| name == "projects");
    (is_id || is_in_project && !stem.starts_with("agent-")).then_some(Cow::Borrowed(stem))
}

/// The name of the folder that holds the session's file. Files of agents lie in
/// `subagents`, in a folder named for the session, beside that file.
fn project(path: &Path) -> Option<Cow<'_, str>> {
    let project = match agents_folder(path) {
        Some(agents) => agents.parent()?.parent()?,
        None => path.parent()?,
    };
    Some(project.file_name()?.to_string_lossy())
}

fn agents_folder(path: &Path) -> Option<&Path> {
    let mut folders = path.parent()?.ancestors();
    folders.find(|folder| folder.file_name().is_some_and(|name| name == "subagents"))
}

/// The run in `subagents/workflows/RUN/…`.
fn run(path: &Path) -> Option<Cow<'_, str>> {
    let agents = agents_folder(path)?;
    let mut names = path.strip_prefix(agents).ok()?.components();
    let is_run = names.next()?.as_os_str() == "workflows";
    let run = names.next()?.as_os_str();
    // The file itself is none.
    names.next()?;
    is_run.then(|| run.to_string_lossy())
}

/// The call that a note beside an agent's file names. It is written with the file; without
/// one, or where it can't be read, results of the call may name the agent.
fn call(note: &Path) -> Option<String> {
    let mut text = String::new();
    File::open(note).ok()?.take(MAX_NOTE_BYTES).read_to_string(&mut text).ok()?;
    let mut call = None;
    JsonCursor::new(&text).object(|key, value| {
        if key == "toolUseId" {
            call = value.text().map(label_value);
        }
    });
    call
}

/// Notes are a few hundred bytes.
const MAX_NOTE_BYTES: u64 = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agents_files_belong_to_the_project_of_their_session() {
        for (path, name) in [
            ("/p/-work/s.jsonl", Some("-work")),
            ("/p/-work/s/subagents/agent-1.jsonl", Some("-work")),
            ("/p/-work/s/subagents/deeper/agent-1.jsonl", Some("-work")),
            ("/s.jsonl", None),
        ] {
            assert_eq!(project(Path::new(path)).as_deref(), name, "{path}");
        }
    }

    #[test]
    fn a_file_s_session_is_its_name_only_where_that_is_one() {
        for (path, session) in [
            ("/home/me/.claude/projects/-work/5e55.jsonl", Some("5e55")),
            ("/data/full.jsonl", None),
            (
                "/x/0199a213-81c0-7800-8aa1-bbab2a035a53.jsonl",
                Some("0199a213-81c0-7800-8aa1-bbab2a035a53"),
            ),
            ("/p/-work/s/subagents/agent-1.jsonl", Some("s")),
            ("/p/-work/s/subagents/workflows/wf_9/journal.jsonl", Some("s")),
            ("/p/projects/-work/agent-1.jsonl", None),
        ] {
            let place = FilePlace::of(&SourceFile::new(Path::new(path), 0));
            assert_eq!(place.session.as_deref(), session, "{path}");
        }
        let place = FilePlace::of(&SourceFile::new(
            Path::new("/s/subagents/workflows/wf_9/journal.jsonl"),
            0,
        ));
        assert!(place.is_journal && place.run.as_deref() == Some("wf_9"));
    }
}
