//! One entry in a tool's file: added, found there, taken out.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use toml_edit::{DocumentMut, Item, Table};

use crate::setup::jsonc;

/// The name of the server in the tools' files.
const NAME: &str = "forebear";

/// What a file takes to know forebear.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    pub(crate) tool: &'static str,
    pub(crate) file: PathBuf,
    pub(crate) entry: Entry,
}

/// An entry, and the path that leads to what it stands in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Entry {
    /// A member `forebear` of a JSON object.
    Member { path: Vec<String>, value: Value },
    /// An item of a JSON list: a hook.
    Item { path: Vec<String>, value: Value },
    /// A table `forebear` of a TOML table.
    Table { path: Vec<String>, value: Value },
}

/// What a file says of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Nothing,
    /// This very entry.
    Same,
    /// Another one of the same name, or another hook of the program.
    Other,
}

impl Entry {
    fn path(&self) -> &[String] {
        let (Entry::Member { path, .. } | Entry::Item { path, .. } | Entry::Table { path, .. }) =
            self;
        path
    }

    /// Whether the text has it.
    pub(crate) fn find(&self, text: &str) -> Result<Found, String> {
        let (inside, value) = match self {
            Entry::Table { path, value } => {
                let document: DocumentMut = text.parse().map_err(|error| toml_error(&error))?;
                let table = path.iter().try_fold(document.as_item(), |item, step| item.get(step));
                return Ok(match table.and_then(|table| table.get(NAME)) {
                    None => Found::Nothing,
                    Some(found) if is_server(found, value) => Found::Same,
                    Some(_) => Found::Other,
                });
            }
            Entry::Member { path, value } | Entry::Item { path, value } => {
                let whole = jsonc::parse(text)?;
                (path.iter().try_fold(&whole, |inside, step| inside.get(step)).cloned(), value)
            }
        };
        let Some(inside) = inside else { return Ok(Found::Nothing) };
        Ok(match self {
            Entry::Item { .. } => {
                let items = inside.as_array().ok_or("expected a list of hooks")?;
                if items.contains(value) {
                    Found::Same
                } else if items.iter().any(calls_hook) {
                    Found::Other
                } else {
                    Found::Nothing
                }
            }
            _ => match inside.get(NAME) {
                None => Found::Nothing,
                Some(found) if found == value => Found::Same,
                Some(_) => Found::Other,
            },
        })
    }

    /// The text with it.
    pub(crate) fn added_to(&self, text: &str) -> Result<String, String> {
        let path: Vec<&str> = self.path().iter().map(String::as_str).collect();
        match self {
            Entry::Member { value, .. } => jsonc::with_member(text, &path, NAME, value),
            Entry::Item { value, .. } => jsonc::with_item(text, &path, value),
            Entry::Table { value, .. } => {
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
        if let Entry::Table { .. } = self {
            let mut document: DocumentMut = text.parse().map_err(|error| toml_error(&error))?;
            let table =
                path.iter().try_fold(document.as_item_mut(), |item, step| item.get_mut(step));
            if let Some(table) = table.and_then(Item::as_table_like_mut) {
                table.remove(NAME);
            }
            return Ok(document.to_string());
        }
        let mut text = match self {
            Entry::Item { value, .. } => jsonc::without_item(text, &path, value)?,
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
        if matches!(self, Entry::Table { .. }) { "" } else { "{}\n" }
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

/// Writes a tool's file; the one before is kept beside it, its name ending with
/// `.forebear-backup`.
pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    // Where a link leads elsewhere, what it leads to is written.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    if file.is_file() {
        fs::copy(&file, backup_of(&file))?;
    }
    write_whole(&file, text)
}

/// Writes a file so that it is there whole or as before.
pub(crate) fn write_whole(file: &Path, text: &str) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut new = tempfile::NamedTempFile::new_in(folder)?;
    new.write_all(text.as_bytes())?;
    if let Ok(metadata) = file.metadata() {
        new.as_file().set_permissions(metadata.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(file).map_err(|error| error.error)?;
    Ok(())
}

/// Where the file before a change is kept.
pub(crate) fn backup_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".forebear-backup");
    PathBuf::from(name)
}
