//! The manifest: which store this is and which segments are live.
//!
//! A few lines of text, replaced as a whole: written beside, synced, renamed,
//! and the folder synced. `docs/format.md` has an example.

use std::fmt::Write;

use crate::error::{Error, Result};
use crate::log::block::{FORMAT_VERSION, StoreId};
use crate::storage::Storage;

/// The name of the manifest.
pub(crate) const NAME: &str = "MANIFEST";
/// Where the next one is written before it takes the name.
pub(crate) const NEXT: &str = "MANIFEST.next";

/// What the manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store: StoreId,
    /// The segment that is appended to. Until segments are sealed it is the only one.
    pub(crate) active: u64,
}

/// What reading the manifest found.
#[derive(Debug)]
pub(crate) enum Read {
    Sound(Manifest),
    Absent,
    /// Not what was written; what is wrong with it.
    Damaged(String),
}

/// The name of a segment's log.
pub(crate) fn log_name(segment: u64) -> String {
    format!("{segment:010}.log")
}

impl Manifest {
    /// Reads the manifest. Fails where it is of a newer format or of something else.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Read> {
        let file = match storage.open(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Read::Absent),
            Err(error) => return Err(Error::io("open", NAME, error)),
        };
        let mut bytes = vec![0; MAX_BYTES];
        let length = file.read_at(&mut bytes, 0).map_err(|error| Error::io("read", NAME, error))?;
        Self::parse(&bytes[..length])
    }

    /// Whether the file of that name begins as a manifest does.
    pub(crate) fn looks_ours(storage: &dyn Storage) -> Result<bool> {
        let file = storage.open(NAME).map_err(|error| Error::io("open", NAME, error))?;
        let mut begin = [0; FIRST_WORDS.len()];
        file.read_at(&mut begin, 0).map_err(|error| Error::io("read", NAME, error))?;
        Ok(begin == *FIRST_WORDS.as_bytes())
    }

    /// Replaces the manifest. It is durable when this returns.
    pub(crate) fn write(&self, storage: &dyn Storage) -> Result<()> {
        let text = self.to_text();
        let file = storage.create(NEXT).map_err(|error| Error::io("make", NEXT, error))?;
        file.write_at(text.as_bytes(), 0).map_err(|error| Error::io("write", NEXT, error))?;
        file.sync().map_err(|error| Error::io("sync", NEXT, error))?;
        storage.rename(NEXT, NAME).map_err(|error| Error::io("rename", NEXT, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", NAME, error))
    }

    fn to_text(&self) -> String {
        let mut text = format!("{FIRST_WORDS}{FORMAT_VERSION}\nstore ");
        for byte in self.store {
            // Writing to a String can't fail.
            let _ = write!(text, "{byte:02x}");
        }
        let _ = writeln!(text, "\nactive {}", self.active);
        let digest = blake3::hash(text.as_bytes()).to_hex();
        let _ = writeln!(text, "{DIGEST_WORD}{digest}");
        text
    }

    fn parse(bytes: &[u8]) -> Result<Read> {
        let damaged = |reason: &str| Ok(Read::Damaged(reason.to_owned()));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return damaged("expected text, found other bytes");
        };
        let Some((content, digest)) = text
            .rfind(DIGEST_WORD)
            .filter(|&at| at == 0 || text.as_bytes()[at - 1] == b'\n')
            .map(|at| (&text[..at], text[at + DIGEST_WORD.len()..].trim_end()))
        else {
            return damaged("expected a last line with a digest, found none");
        };
        if blake3::hash(content.as_bytes()).to_hex().as_str() != digest {
            return damaged("the lines do not have the digest that the last one gives");
        }
        let Some(version) = content.lines().next().and_then(|line| line.strip_prefix(FIRST_WORDS))
        else {
            return Err(Error::foreign(format!(
                "{NAME}: expected a first line of {FIRST_WORDS:?} and a number, found something \
                 else; this folder belongs to another program"
            )));
        };
        if version != FORMAT_VERSION.to_string() {
            return Err(Error::foreign(format!(
                "{NAME}: expected a store of format {FORMAT_VERSION}, found format {version}; \
                 open it with a newer release of forebear"
            )));
        }
        let value = |key: &str| content.lines().find_map(|line| line.strip_prefix(key));
        let store = value("store ").and_then(|hex| u128::from_str_radix(hex, 16).ok());
        let active = value("active ").and_then(|number| number.parse().ok());
        match (store, active) {
            (Some(store), Some(active)) => {
                Ok(Read::Sound(Self { store: store.to_be_bytes(), active }))
            }
            _ => damaged("expected lines that give the store and the active segment"),
        }
    }
}

const FIRST_WORDS: &str = "forebear store, format ";
const DIGEST_WORD: &str = "digest ";
/// More bytes than a manifest has.
const MAX_BYTES: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_reads_as_it_was_written_and_notices_every_changed_byte() {
        let manifest = Manifest { store: [7; 16], active: 1 };
        let text = manifest.to_text();
        assert!(
            matches!(Manifest::parse(text.as_bytes()), Ok(Read::Sound(read)) if read == manifest)
        );
        for at in 0..text.trim_end().len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            assert!(!matches!(Manifest::parse(&bytes), Ok(Read::Sound(_))), "byte {at}");
        }
    }

    #[test]
    fn a_newer_format_is_refused() {
        let body = "forebear store, format 2\nstore 00\nactive 1\n";
        let text = format!("{body}digest {}\n", blake3::hash(body.as_bytes()).to_hex());
        assert!(Manifest::parse(text.as_bytes()).is_err_and(|error| error.is_foreign()));
    }
}
