//! One entry in a tool's file: added, found there, taken out.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tempfile::NamedTempFile;
use toml_edit::{DocumentMut, Item, Table};

use crate::setup::jsonc;

/// The name of the server in the tools' files.
const NAME: &str = "forebear";

/// What a file takes to know forebear.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct SetupChange {
    pub(crate) tool: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) entry: SetupEntry,
}

/// An entry, and the path that leads to what it stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SetupEntry {
    /// A member `forebear` of a JSON object.
    Member { path: Vec<String>, value: Value },
    /// An item of a JSON list: a hook.
    Item { path: Vec<String>, value: Value },
    /// A table `forebear` of a TOML table.
    Table { path: Vec<String>, value: Value },
}

/// What a file says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FoundEntry {
    Nothing,
    /// This very entry.
    Same,
    /// Another one of the same name, or another hook of the program.
    Other,
}

impl SetupEntry {
    fn path(&self) -> &[String] {
        let (SetupEntry::Member { path, .. }
        | SetupEntry::Item { path, .. }
        | SetupEntry::Table { path, .. }) = self;
        path
    }

    /// Whether the text has it.
    pub(crate) fn find(&self, text: &str) -> Result<FoundEntry, String> {
        let (inside, value) = match self {
            SetupEntry::Table { path, value } => {
                let document: DocumentMut = text.parse().map_err(|error| toml_error(&error))?;
                let table = path.iter().try_fold(document.as_item(), |item, step| item.get(step));
                return Ok(match table.and_then(|table| table.get(NAME)) {
                    None => FoundEntry::Nothing,
                    Some(found) if is_server(found, value) => FoundEntry::Same,
                    Some(_) => FoundEntry::Other,
                });
            }
            SetupEntry::Member { path, value } | SetupEntry::Item { path, value } => {
                let whole = jsonc::parse(text)?;
                (path.iter().try_fold(&whole, |inside, step| inside.get(step)).cloned(), value)
            }
        };
        let Some(inside) = inside else { return Ok(FoundEntry::Nothing) };
        Ok(match self {
            SetupEntry::Item { .. } => {
                let items = inside.as_array().ok_or("expected a list of hooks")?;
                if items.contains(value) {
                    FoundEntry::Same
                } else if items.iter().any(calls_hook) {
                    FoundEntry::Other
                } else {
                    FoundEntry::Nothing
                }
            }
            _ => match inside.get(NAME) {
                None => FoundEntry::Nothing,
                Some(found) if found == value => FoundEntry::Same,
                Some(_) => FoundEntry::Other,
            },
        })
    }

    /// The text with it.
    pub(crate) fn added_to(&self, text: &str) -> Result<String, String> {
        let path: Vec<&str> = self.path().iter().map(String::as_str).collect();
        match self {
            SetupEntry::Member { value, .. } => jsonc::with_member(text, &path, NAME, value),
            SetupEntry::Item { value, .. } => jsonc::with_item(text, &path, value),
            SetupEntry::Table { value, .. } => {
                let mut document: DocumentMut = text.parse().map_err(|error| toml_error(&error))?;
                let mut table = document.as_table_mut();
                for step in &path {
                    let item = table.entry(step).or_insert_with(|| {
                        let mut made = Table::new();
                        made.set_implicit(true);
                        Item::Table(made)
                    });
                    table =
                        item.as_table_mut().ok_or_else(|| format!("expected a table {step}"))?;
                }
                table.insert(NAME, Item::Table(server_table(value)));
                Ok(document.to_string())
            }
        }
    }

    /// The text without it, and without what it stood in where that was made for it, `made`
    /// levels of it, and is empty now.
    pub(crate) fn removed_from(&self, text: &str, made: usize) -> Result<String, String> {
        let path: Vec<&str> = self.path().iter().map(String::as_str).collect();
        if let SetupEntry::Table { .. } = self {
            let mut document: DocumentMut = text.parse().map_err(|error| toml_error(&error))?;
            let table =
                path.iter().try_fold(document.as_item_mut(), |item, step| item.get_mut(step));
            if let Some(table) = table.and_then(Item::as_table_like_mut) {
                table.remove(NAME);
            }
            return Ok(document.to_string());
        }
        let mut text = match self {
            SetupEntry::Item { value, .. } => jsonc::without_item(text, &path, value)?,
            _ => jsonc::without_member(text, &path, NAME)?,
        };
        for level in (path.len().saturating_sub(made)..path.len()).rev() {
            let whole = jsonc::parse(&text)?;
            let inside = path[..=level].iter().try_fold(&whole, |inside, step| inside.get(step));
            let is_empty = match inside {
                Some(Value::Object(members)) => members.is_empty(),
                Some(Value::Array(items)) => items.is_empty(),
                _ => false,
            };
            if !is_empty {
                break;
            }
            text = jsonc::without_member(&text, &path[..level], path[level])?;
        }
        Ok(text)
    }

    /// How many levels of the path the text lacks.
    pub(crate) fn missing_levels(&self, text: &str) -> usize {
        let Ok(whole) = jsonc::parse(text) else { return 0 };
        let mut inside = Some(&whole);
        let found = self.path().iter().take_while(|step| {
            inside = inside.and_then(|inside| inside.get(step.as_str()));
            inside.is_some()
        });
        let found = found.count();
        self.path().len() - found
    }

    /// What an empty file of the kind says.
    pub(crate) fn empty_file(&self) -> &'static str {
        if matches!(self, SetupEntry::Table { .. }) { "" } else { "{}\n" }
    }
}

/// A table of a server: its command and its arguments.
fn server_table(value: &Value) -> Table {
    let mut table = Table::new();
    table.insert("command", toml_edit::value(value["command"].as_str().unwrap_or_default()));
    let args = value["args"].as_array().into_iter().flatten().filter_map(Value::as_str);
    table.insert("args", toml_edit::value(args.collect::<toml_edit::Array>()));
    table
}

fn is_server(found: &Item, value: &Value) -> bool {
    let Some(table) = found.as_table_like() else { return false };
    let args = table.get("args").and_then(Item::as_array);
    let args = args.map(|args| args.iter().filter_map(|arg| arg.as_str()).collect::<Vec<_>>());
    let wanted: Vec<_> =
        value["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    table.len() == 2
        && table.get("command").and_then(Item::as_str) == value["command"].as_str()
        && args == Some(wanted)
}

/// Whether hooks of this item call the program.
fn calls_hook(item: &Value) -> bool {
    let hooks = item["hooks"].as_array().into_iter().flatten();
    hooks.filter_map(|hook| hook["command"].as_str()).any(|command| {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap_or_default().trim_matches(['\'', '"']);
        Path::new(program).file_stem().is_some_and(|name| name == NAME)
            && words.any(|word| word == "hook")
    })
}

fn toml_error(error: &toml_edit::TomlError) -> String {
    error.message().to_owned()
}

/// What a tool's file says; none where there is no such file. A link that leads nowhere is
/// refused: what it is to lead to is not known here, and a file in its place would end it.
pub(crate) fn read(file: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => match fs::read_link(file) {
            Ok(to) => Err(io::Error::other(format!(
                "it is a link to {}, which is not there; make that file or remove the link",
                to.display()
            ))),
            Err(_) => Ok(None),
        },
        text => text.map(Some),
    }
}

/// Where the file before a change is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileBackup {
    /// Kept now.
    Made(PathBuf),
    /// One of an earlier change stays, which is nearer to what the user wrote.
    Earlier(PathBuf),
}

/// Writes a tool's file, or removes it where nothing comes `after`. The one before is kept
/// beside it, its name ending with `.forebear-backup`, unless there is one of that name.
///
/// Fails where the file says something else than `before`: a tool wrote it meanwhile.
pub(crate) fn replace(
    file: &Path,
    before: Option<&str>,
    after: Option<&str>,
) -> io::Result<Option<FileBackup>> {
    // Where a link leads elsewhere, what it leads to is written. The link itself goes.
    let resolved = file.canonicalize().ok().filter(|_| after.is_some());
    let file = resolved.as_deref().unwrap_or(file);
    // All that takes time comes first, so that nothing but renames stands between reading
    // the file again and changing it.
    let new = after.map(|text| staged(file, text)).transpose()?;
    let old = before.map(|text| staged(file, text)).transpose()?;
    if read(file)?.as_deref() != before {
        return Err(changed());
    }
    let backup = match old {
        Some(old) => {
            let path = backup_of(file);
            match old.persist_noclobber(&path) {
                Ok(_) => Some(FileBackup::Made(path)),
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                    Some(FileBackup::Earlier(path))
                }
                Err(error) => return Err(error.error),
            }
        }
        None => None,
    };
    match new {
        Some(new) if before.is_some() => drop(new.persist(file)?),
        // One that came meanwhile stays.
        Some(new) => drop(new.persist_noclobber(file).map_err(|error| match error.error {
            error if error.kind() == io::ErrorKind::AlreadyExists => changed(),
            error => error,
        })?),
        None => fs::remove_file(file)?,
    }
    Ok(backup)
}

/// Writes a file so that it is there whole or as before.
pub(crate) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    staged(file, text)?.persist(file)?;
    Ok(())
}

/// A file beside this one, as readable as it, to be put in its place.
fn staged(file: &Path, text: &str) -> io::Result<NamedTempFile> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(metadata) = file.metadata() {
        new.as_file().set_permissions(metadata.permissions())?;
    }
    new.as_file().sync_all()?;
    Ok(new)
}

fn changed() -> io::Error {
    io::Error::other("it was changed meanwhile and is left as it is; run `forebear setup` again")
}

/// Where the file before a change is kept.
fn backup_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".forebear-backup");
    PathBuf::from(name)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_meanwhile_is_neither_replaced_nor_removed_nor_kept() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        fs::write(&file, "theirs").unwrap();
        for (before, after) in
            [(Some("mine"), Some("new")), (Some("mine"), None), (None, Some("new"))]
        {
            let error = replace(&file, before, after).unwrap_err();
            assert!(error.to_string().contains("changed meanwhile"), "{error}");
            assert_eq!(fs::read_to_string(&file).unwrap(), "theirs");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "{before:?} {after:?}");
        }
    }

    #[test]
    fn the_first_backup_stays_and_a_file_that_goes_leaves_one() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("settings.json");
        let backup = backup_of(&file);
        assert_eq!(replace(&file, None, Some("one")).unwrap(), None);
        let made = replace(&file, Some("one"), Some("two")).unwrap();
        assert_eq!(made, Some(FileBackup::Made(backup.clone())));
        let stays = replace(&file, Some("two"), Some("three")).unwrap();
        assert_eq!(stays, Some(FileBackup::Earlier(backup.clone())));
        assert_eq!(fs::read_to_string(&backup).unwrap(), "one");
        fs::remove_file(&backup).unwrap();
        let made = replace(&file, Some("three"), None).unwrap();
        assert_eq!(made, Some(FileBackup::Made(backup.clone())));
        assert!(!file.exists());
        assert_eq!(fs::read_to_string(&backup).unwrap(), "three");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_followed_and_one_that_leads_nowhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for error in [read(&link).unwrap_err(), replace(&link, None, Some("new")).unwrap_err()] {
            assert!(error.to_string().contains("which is not there"), "{error}");
        }
        assert_eq!(fs::read_link(&link).unwrap(), file);
        assert!(!file.exists());
        fs::write(&file, "old").unwrap();
        let backup = replace(&link, Some("old"), Some("new")).unwrap();
        assert_eq!(backup, Some(FileBackup::Made(backup_of(&file.canonicalize().unwrap()))));
        assert_eq!(fs::read_link(&link).unwrap(), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }
}
