//! Files of a folder that are not read, and why.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::read::sniff::not_text;

/// Files that were found in folders and are not read.
#[derive(Clone, Debug, Default)]
pub(crate) struct LeftOut {
    /// The first of them, in the order they were found, and why.
    pub(crate) named: Vec<(PathBuf, String)>,
    pub(crate) files: u64,
}

impl LeftOut {
    /// Notes a file that no format takes. Hidden ones are no one's business.
    pub(crate) fn observe(&mut self, path: &Path) {
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") {
            return;
        }
        self.files += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push((path.to_owned(), why(path)));
        }
    }

    /// Notes a file that is left out for this reason.
    pub(crate) fn add(&mut self, path: &Path, why: String) {
        self.files += 1;
        if self.named.len() < MAX_NAMED {
            self.named.push((path.to_owned(), why));
        }
    }
}

/// Why no format takes a file, and what to do.
fn why(path: &Path) -> String {
    if let Some(why) = start(path).ok().as_deref().and_then(not_text) {
        return why.to_owned();
    }
    let suffix = suffix(path);
    match suffix.as_str() {
        "gz" | "zip" | "tar" | "tgz" | "xz" | "bz2" | "7z" | "zst" => format!(
            "its name is that of an archive (.{suffix}), and it is none; name the file itself to \
             have it read"
        ),
        name if DATABASE_SUFFIXES.contains(&name) => format!(
            "its name is that of a database (.{suffix}), and it is none; name the file itself to \
             have it read"
        ),
        "json" => "a JSON document of no known tool; write its records on a line each (`jq -c`) \
                   into a file that ends in .jsonl, or name it to have it read"
            .to_owned(),
        "" => "its name has no ending; name the file itself to have it read".to_owned(),
        _ => format!(
            "its name ends in .{suffix}, not in .jsonl or .ndjson; name the file itself to have it \
             read"
        ),
    }
}

/// The first bytes of a file, at most [`START_BYTES`].
pub(crate) fn start(path: &Path) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(START_BYTES).read_to_end(&mut start)?;
    Ok(start)
}

/// What follows the last dot of a file's name, in lower case.
pub(crate) fn suffix(path: &Path) -> String {
    let suffix = path.extension().unwrap_or_default();
    suffix.to_string_lossy().to_ascii_lowercase()
}

/// How names of databases end.
pub(crate) const DATABASE_SUFFIXES: [&str; 4] = ["db", "sqlite", "sqlite3", "vscdb"];
/// Files that are named one by one. The rest is counted.
const MAX_NAMED: usize = 1000;
/// How much of a file is read to see what it is.
const START_BYTES: u64 = 512;
