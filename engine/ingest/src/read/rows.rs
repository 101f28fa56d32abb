//! Databases: the rows that are new or changed, in place of lines.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use forebear_core::{Error, Quarantined, Result, Snapshot, Time, limits};

use crate::adapter::{Adapter, Database, RowsRead, SourceFile};
use crate::importer::Importer;
use crate::read::parsing::Parsing;
use crate::read::position::source_name;
use crate::read::reader::{ReadFailure, ReadResult};
use crate::read::seen::{FileId, FileStamp};

/// A database of a known format.
#[derive(Debug)]
pub(crate) struct DatabaseRows {
    pub(crate) adapter: Arc<dyn Adapter>,
    database: Arc<dyn Database>,
}

/// How far a database was read. Kept in the store as a checkpoint whose source is its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsPosition {
    /// The database and its log as they were.
    pub(crate) seen: FileStamp,
    settled: bool,
    pub(crate) format: String,
    /// What its format keeps.
    since: Vec<u8>,
}

impl DatabaseRows {
    /// None where a database is of no known format.
    pub(crate) fn of(importer: &Importer, path: &Path) -> io::Result<Option<Self>> {
        let found = importer.choice().database_of(path)?;
        Ok(found.map(|(adapter, database)| Self { adapter, database }))
    }

    /// Reads what is new since the position, and stores it with the new one. Returns how the
    /// database looked, and whether a change since would show: where what is about to
    /// change waits, it is read again though nothing changes.
    pub(crate) fn read(
        &self,
        importer: &mut Importer,
        path: &Path,
        known: Option<RowsPosition>,
        waits: bool,
    ) -> ReadResult<(FileStamp, bool)> {
        let now_ns = Time::now().ns();
        let seen = FileStamp::of_database(path)?;
        let known = known
            .filter(|known| known.seen.file == seen.file && known.format == self.adapter.name());
        let since = known.as_ref().map_or(&[][..], |known| &known.since);
        let mut reading = DatabaseReading {
            parsing: Parsing::new(
                Arc::clone(&self.adapter),
                &SourceFile::new(path, seen.modified_ns),
            ),
            rows: 0,
            stopped: None,
        };
        let read = RowsRead::new(importer.max_payload_bytes(), waits);
        let adapter = &*self.adapter;
        let done = self.database.read(path, since, &read, &mut |row| {
            reading.row(importer, adapter, path, row).map_err(|error| {
                reading.stopped = Some(error);
                ErrorKind::Interrupted.into()
            })
        });
        if let Some(error) = reading.stopped {
            return Err(ReadFailure::Store(error));
        }
        let settled = seen.has_settled(now_ns) && (!waits || seen.age_ns(now_ns) >= WAIT_NS);
        let position =
            RowsPosition { seen, settled, format: self.adapter.name().to_owned(), since: done? };
        if known.as_ref() != Some(&position) {
            importer.checkpoint(&source_name(path), position.encode())?;
        }
        Ok((seen, settled))
    }
}

/// The state of reading one database.
struct DatabaseReading {
    parsing: Parsing,
    rows: u64,
    /// Why the store took no more.
    stopped: Option<Error>,
}

impl DatabaseReading {
    fn row(
        &mut self,
        importer: &mut Importer,
        adapter: &dyn Adapter,
        path: &Path,
        row: std::result::Result<&str, String>,
    ) -> Result<()> {
        self.rows += 1;
        importer.report.lines += 1;
        let max = importer.max_payload_bytes();
        let refused = match row {
            Ok(row) if row.len() > max => {
                Some(format!("expected a row of at most {max} bytes, found {}", row.len()))
            }
            Ok(row) => {
                let (parsed, refused) = self.parsing.parse(row, max);
                importer.add(parsed, adapter)?;
                refused
            }
            Err(reason) => Some(reason),
        };
        if let Some(reason) = refused {
            importer.report.bad_lines += 1;
            let mut source = path.to_string_lossy().into_owned();
            source.truncate(source.floor_char_boundary(limits::MAX_SOURCE_BYTES));
            // Told apart by its reason, since rows have no place in the file.
            let bytes = reason.clone().into_bytes();
            let length = bytes.len() as u64;
            let line = self.rows;
            importer.quarantine(Quarantined { source, line, offset: 0, length, reason, bytes })?;
        }
        if importer.is_full() {
            importer.submit()?;
        }
        Ok(())
    }
}

impl RowsPosition {
    /// Little-endian, in the order of the fields, after a version that positions in files
    /// of lines don't have.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION, u8::from(self.settled)];
        for number in [
            self.seen.file.device,
            self.seen.file.inode,
            self.seen.size,
            self.seen.modified_ns.cast_unsigned(),
            self.seen.changed_ns.cast_unsigned(),
            self.format.len() as u64,
        ] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(self.format.as_bytes());
        bytes.extend(&self.since);
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let (&[version, settled], rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.split_first_chunk::<{ 6 * 8 }>()?;
        if version != VERSION || settled > 1 {
            return None;
        }
        let mut numbers = numbers.as_chunks().0.iter().map(|number| u64::from_le_bytes(*number));
        let mut number = || numbers.next();
        let seen = FileStamp {
            file: FileId { device: number()?, inode: number()? },
            size: number()?,
            modified_ns: number()?.cast_signed(),
            changed_ns: number()?.cast_signed(),
        };
        let (format, since) = rest.split_at_checked(usize::try_from(number()?).ok()?)?;
        let format = std::str::from_utf8(format).ok()?.to_owned();
        Some(Self { seen, settled: settled == 1, format, since: since.to_owned() })
    }

    /// The position in the store of the database at this path.
    pub(crate) fn of(snapshot: &Snapshot, path: &Path) -> Result<Option<Self>> {
        let kept = match snapshot.checkpoint(&source_name(path)) {
            // Read from its beginning, it gives repeats of what is there.
            Err(error) if error.is_damaged() => None,
            kept => kept?,
        };
        Ok(kept.and_then(|bytes| Self::decode(&bytes)))
    }

    /// Whether a database that looks like this is surely unchanged.
    pub(crate) fn is_current(&self, seen: &FileStamp) -> bool {
        self.settled && self.seen == *seen
    }
}

const VERSION: u8 = 2;
/// Longer than a format lets wait what is about to change.
const WAIT_NS: i64 = 12_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_is_found_and_all_else_is_none() {
        let position = RowsPosition {
            seen: FileStamp {
                file: FileId { device: 1, inode: 2 },
                size: 3,
                modified_ns: -4,
                changed_ns: 5,
            },
            settled: true,
            format: "opencode".to_owned(),
            since: b"{}".to_vec(),
        };
        let bytes = position.encode();
        assert_eq!(RowsPosition::decode(&bytes), Some(position));
        for length in 0..bytes.len() - 2 {
            assert_eq!(RowsPosition::decode(&bytes[..length]), None, "{length} bytes");
        }
    }
}
