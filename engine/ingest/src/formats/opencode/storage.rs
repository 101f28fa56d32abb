//! The folder of documents: `storage/session/PROJECT/ses_….json`,
//! `storage/message/SESSION/msg_….json`, `storage/part/MESSAGE/prt_….json`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use forebear_readings::json::{JsonCursor, JsonStr};

use crate::formats::common::document::add_line;
use crate::formats::opencode::canonical::{object, quoted};

/// Whether a file is a message by its place.
pub(super) fn is_message(path: &Path) -> bool {
    is_document(path) && folder(path, 2) == Some("message")
}

/// Whether a file is a session by its place.
pub(super) fn is_session(path: &Path) -> bool {
    is_document(path) && folder(path, 2) == Some("session")
}

/// Whether a file is read with another, or is none of what is read.
pub(super) fn is_other(path: &Path) -> bool {
    let in_storage = path
        .ancestors()
        .skip(1)
        .any(|folder| folder.file_name().is_some_and(|name| name == "storage"));
    in_storage && is_document(path)
}

fn is_document(path: &Path) -> bool {
    path.extension().is_some_and(|suffix| suffix == "json")
}

/// The name of a folder above a file.
fn folder(path: &Path, above: usize) -> Option<&str> {
    path.ancestors().nth(above)?.file_name()?.to_str()
}

/// The line that a session or a message stands for; a message's has its parts.
pub(super) fn envelope(path: &Path, document: &str) -> Result<Vec<u8>, String> {
    let (mut id, mut session) = (None, None);
    JsonCursor::new(document).object(|key, value| match key {
        "id" => id = value.text(),
        "sessionID" => session = value.text(),
        _ => {}
    });
    let id = id.map(JsonStr::decode).ok_or("expected a document with an id")?;
    plain_name("id", &id)?;
    let mut line = Vec::new();
    let Some(session) = session.map(JsonStr::decode) else {
        let session = object(&[("id", &id)], document, None);
        add_line(&mut line, &format!("{{\"session\":{session}}}"));
        return Ok(line);
    };
    plain_name("sessionID", &session)?;
    let storage = path.ancestors().nth(3);
    let parts = storage.map(|storage| parts(&storage.join("part").join(&*id), &id, &session));
    let parts = format!("[{}]", parts.transpose()?.unwrap_or_default().join(","));
    let message =
        object(&[("id", &id), ("sessionID", &session)], document, Some(("parts", &parts)));
    let place = match before(path) {
        Some(before) => format!("\"after\":{},", quoted(&before)),
        None if storage.is_some_and(|storage| has_session(storage, &session)) => {
            format!("\"of\":{},", quoted(&session))
        }
        None => String::new(),
    };
    add_line(&mut line, &format!("{{{place}\"message\":{message}}}"));
    Ok(line)
}

/// Checks an id that names a file or a folder, lest it lead elsewhere.
fn plain_name(field: &str, id: &str) -> Result<(), String> {
    let is_plain = !id.is_empty()
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    if is_plain {
        Ok(())
    } else {
        Err(format!("expected an {field} of letters, digits, _ and -, found {id:?}"))
    }
}

/// The message before, by the names of the files, which are in order of time.
fn before(path: &Path) -> Option<String> {
    if !is_message(path) {
        return None;
    }
    let own = path.file_stem()?.to_str()?;
    let mut best: Option<String> = None;
    for entry in fs::read_dir(path.parent()?).ok()?.filter_map(Result::ok) {
        let other = entry.path();
        if let Some(name) = other.file_stem().and_then(|name| name.to_str())
            && is_document(&other)
            && name < own
            && best.as_deref().is_none_or(|best| best < name)
        {
            best = Some(name.to_owned());
        }
    }
    best
}

/// Whether a session has a document of its own.
fn has_session(storage: &Path, session: &str) -> bool {
    let projects = fs::read_dir(storage.join("session")).into_iter().flatten();
    let name = format!("{session}.json");
    projects.filter_map(Result::ok).any(|project| project.path().join(&name).is_file())
}

/// The parts of a message, in order of their names.
fn parts(folder: &Path, message: &str, session: &str) -> Result<Vec<String>, String> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> =
        entries.map(|entry| entry.path()).filter(|path| is_document(path)).collect();
    files.sort_unstable();
    let mut budget = MAX_PARTS_BYTES;
    let mut parts = Vec::new();
    for file in files {
        let mut text = String::new();
        let opened = File::open(&file).map(|file| file.take(budget + 1));
        let read = opened.and_then(|mut file| file.read_to_string(&mut text));
        read.map_err(|error| format!("reading {}: {error}", file.display()))?;
        budget = budget.checked_sub(text.len() as u64).ok_or_else(|| {
            format!("expected parts of at most {MAX_PARTS_BYTES} bytes, found more")
        })?;
        serde_json::from_str::<serde::de::IgnoredAny>(&text)
            .map_err(|error| format!("expected a whole document at {}: {error}", file.display()))?;
        let id = file.file_stem().unwrap_or_default().to_string_lossy();
        let first = [("id", &*id), ("sessionID", session), ("messageID", message)];
        parts.push(object(&first, &text, None));
    }
    Ok(parts)
}

/// Most bytes of the parts of a message.
const MAX_PARTS_BYTES: u64 = 64 << 20;
