//! Which project a session of Claude Code is of, told alike by its transcript and by hooks.

use forebear_core::limits;

use crate::formats::common::values::{cut, last_name};

/// The name of the project: the last name of the folder that the session was started in. It
/// is the current folder or one above it, the one that the transcripts' folder is named for;
/// where none is, the current folder.
pub(crate) fn project(transcripts: Option<&str>, current: &str) -> Option<String> {
    let started =
        transcripts.and_then(|named| above(current).find(|path| named_for(path) == named));
    let name = last_name(started.unwrap_or(current))?;
    Some(cut(name.into(), limits::MAX_LABEL_VALUE_BYTES))
}

/// The folder of a transcript by its path: that below `projects`, else the one that it lies in.
pub(crate) fn transcripts_folder(path: &str) -> Option<&str> {
    let mut names = path.rsplit(['/', '\\']).skip(1).take(MAX_FOLDERS);
    let first = names.next()?;
    let mut below = first;
    for name in names {
        if name == "projects" {
            return Some(below);
        }
        below = name;
    }
    Some(first)
}

/// A path and all above it.
fn above(path: &str) -> impl Iterator<Item = &str> {
    let path = path.trim_end_matches(['/', '\\']);
    let ends = path.rmatch_indices(['/', '\\']).map(|(at, _)| at);
    std::iter::once(path.len()).chain(ends).take(MAX_FOLDERS).map(|end| &path[..end])
}

/// What the folder of the transcripts of a project's folder is called.
fn named_for(path: &str) -> String {
    path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

/// Folders that are looked at, of paths that are made to have very many.
const MAX_FOLDERS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_the_folder_that_a_session_was_started_in() {
        for (transcripts, current, expected) in [
            (Some("-home-me-my-work"), "/home/me/my.work", Some("my.work")),
            (Some("-home-me-my-work"), "/home/me/my.work/src/deep", Some("my.work")),
            (Some("C--Users-me-work"), r"C:\Users\me\work\src", Some("work")),
            (Some("-elsewhere"), "/home/me/work/", Some("work")),
            (None, "/home/me/work", Some("work")),
            (None, "/", None),
        ] {
            assert_eq!(project(transcripts, current).as_deref(), expected, "{current}");
        }
        for (path, folder) in [
            ("/home/me/.claude/projects/-w/s.jsonl", Some("-w")),
            ("/home/me/.claude/projects/-w/s/subagents/agent-1.jsonl", Some("-w")),
            ("/data/s.jsonl", Some("data")),
            ("s.jsonl", None),
        ] {
            assert_eq!(transcripts_folder(path), folder, "{path}");
        }
    }
}
