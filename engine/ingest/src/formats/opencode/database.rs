//! The database: rows that are new or changed since it was read last.
//!
//! It is read while OpenCode writes to it: in one read transaction, which sees what the
//! write-ahead log has. Rows are rewritten in place; a message is handed on once while it is
//! open and again when it is complete. Rows that were deleted stay in the store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, params};
use serde_json::{Value, json};

use crate::adapter::{Database, RowsRead};
use crate::formats::opencode::canonical::{object, quoted};

/// Reads databases of OpenCode.
#[derive(Clone, Copy, Debug)]
pub(super) struct OpenCodeDatabase;

impl Database for OpenCodeDatabase {
    fn is_of(&self, path: &Path) -> io::Result<bool> {
        let database = open(path)?;
        let columns = TableColumns::of(&database, "message").map_err(failed)?;
        Ok(columns.has("id") && columns.has("session_id") && columns.has("data"))
    }

    fn read(
        &self,
        path: &Path,
        since: &[u8],
        read: &RowsRead,
        row: &mut dyn FnMut(Result<&str, String>) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let database = open(path)?;
        database.execute_batch("BEGIN").map_err(failed)?;
        let since = Since::decode(since);
        let tables = Tables::of(&database).map_err(failed)?;
        let since = if tables.holds(&since).map_err(failed)? { since } else { Since::default() };
        tables.sessions(&since, row)?;
        let next = tables.messages(&since, read, row)?;
        database.execute_batch("COMMIT").map_err(failed)?;
        Ok(next.encode())
    }
}

/// Up to where the database was read. As a checkpoint holds few bytes, it is bounded: what
/// it has no room for is handed on again, as a repeat.
#[derive(Clone, Debug, Default)]
struct Since {
    /// The newest times of change, in milliseconds, of sessions, messages and parts, less
    /// [`OVERLAP_MS`].
    session: i64,
    message: i64,
    part: i64,
    /// A message that was there: the database is another one where it is gone.
    anchor: Option<String>,
    /// Messages that were handed on while they were open, with a digest of what they were.
    open: BTreeMap<String, String>,
}

impl Since {
    /// Remembers that a message is open; forgets the first ones where that is too much.
    fn remember(&mut self, id: String, digest: String) {
        self.open.insert(id, digest);
        let size = |(id, digest): (&String, &String)| quoted(id).len() + quoted(digest).len() + 2;
        let mut bytes: usize = self.open.iter().map(size).sum();
        while bytes > MAX_OPEN_BYTES
            && let Some((id, digest)) = self.open.pop_first()
        {
            bytes -= size((&id, &digest));
        }
    }

    fn encode(&self) -> Vec<u8> {
        let Self { session, message, part, anchor, open } = self;
        json!({"session": session, "message": message, "part": part, "anchor": anchor, "open": open})
            .to_string()
            .into_bytes()
    }

    fn decode(bytes: &[u8]) -> Self {
        let value: Value = serde_json::from_slice(bytes).unwrap_or_default();
        let number = |key: &str| value[key].as_i64().unwrap_or_default();
        let open = value["open"].as_object().into_iter().flatten();
        let open = open.filter_map(|(id, digest)| Some((id.clone(), digest.as_str()?.to_owned())));
        Self {
            session: number("session"),
            message: number("message"),
            part: number("part"),
            anchor: value["anchor"].as_str().map(str::to_owned),
            open: open.collect(),
        }
    }
}

/// The columns that a table has: older and newer versions have others.
#[derive(Debug, Default)]
struct TableColumns(Vec<String>);

impl TableColumns {
    /// None of a table that isn't there.
    fn of(database: &Connection, table: &str) -> rusqlite::Result<Self> {
        let mut columns = database.prepare(
            "SELECT c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name = ?1",
        )?;
        let columns = columns.query_map([table], |row| row.get(0))?;
        columns.collect::<rusqlite::Result<_>>().map(Self)
    }

    fn has(&self, column: &str) -> bool {
        self.0.iter().any(|known| known == column)
    }

    /// The column, or 0 where there is none: a plain number would name a column to sort by.
    fn or_zero(&self, column: &'static str) -> &'static str {
        if self.has(column) { column } else { "coalesce(0, 0)" }
    }
}

/// What there is to read.
struct Tables<'d> {
    database: &'d Connection,
    message: TableColumns,
    part: TableColumns,
    session: TableColumns,
}

impl<'d> Tables<'d> {
    fn of(database: &'d Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            database,
            message: TableColumns::of(database, "message")?,
            part: TableColumns::of(database, "part")?,
            session: TableColumns::of(database, "session")?,
        })
    }

    /// Whether the database is still the one that was read up to there.
    fn holds(&self, since: &Since) -> rusqlite::Result<bool> {
        let Some(anchor) = &since.anchor else { return Ok(true) };
        self.database.query_row(
            "SELECT EXISTS (SELECT 1 FROM message WHERE id = ?1)",
            [anchor],
            |row| row.get(0),
        )
    }

    fn has_sessions(&self) -> bool {
        self.session.has("id")
    }

    fn has_parts(&self) -> bool {
        ["id", "message_id", "data"].iter().all(|column| self.part.has(column))
    }

    fn sessions(
        &self,
        since: &Since,
        row: &mut dyn FnMut(Result<&str, String>) -> io::Result<()>,
    ) -> io::Result<()> {
        if !self.has_sessions() {
            return Ok(());
        }
        let text = |column: &'static str| {
            if self.session.has(column) { format!("CAST({column} AS TEXT)") } else { "NULL".into() }
        };
        let sql = format!(
            "SELECT CAST(id AS TEXT), {}, {}, {}, {} FROM session WHERE {} >= ?1 ORDER BY id",
            text("parent_id"),
            text("directory"),
            text("title"),
            self.session.or_zero("time_created"),
            self.session.or_zero("time_updated"),
        );
        let mut sessions = self.database.prepare(&sql).map_err(failed)?;
        let mut rows = sessions.query([since.session]).map_err(failed)?;
        while let Some(found) = rows.next().map_err(failed)? {
            match readable(session(found))? {
                Ok(session) => row(Ok(&format!("{{\"session\":{session}}}")))?,
                Err(reason) => row(Err(format!("expected a row of the sessions: {reason}")))?,
            }
        }
        Ok(())
    }

    /// Hands on the messages that changed, and returns up to where all was read.
    fn messages(
        &self,
        since: &Since,
        read: &RowsRead,
        row: &mut dyn FnMut(Result<&str, String>) -> io::Result<()>,
    ) -> io::Result<Since> {
        let (created, updated) =
            (self.message.or_zero("time_created"), self.message.or_zero("time_updated"));
        let of_parts = if self.has_parts() {
            format!(
                "id IN (SELECT message_id FROM part WHERE {} >= ?2)",
                self.part.or_zero("time_updated")
            )
        } else {
            "?2 < 0".to_owned()
        };
        let sql = format!(
            "SELECT CAST(id AS TEXT), CAST(session_id AS TEXT), {created}, {updated},
                    CASE WHEN length(CAST(data AS BLOB)) <= ?4 THEN CAST(data AS TEXT) END
             FROM message
             WHERE {updated} >= ?1 OR {of_parts} OR id IN (SELECT value FROM json_each(?3))
             ORDER BY session_id, {created}, id"
        );
        let open: Vec<&String> = since.open.keys().collect();
        let open = serde_json::to_string(&open).unwrap_or_else(|_| "[]".to_owned());
        let max = i64::try_from(read.max_bytes).unwrap_or(i64::MAX);
        let mut messages = self.database.prepare(&sql).map_err(failed)?;
        let mut rows =
            messages.query(params![since.message, since.part, open, max]).map_err(failed)?;
        let mut next = Since { open: BTreeMap::new(), ..self.newest(since).map_err(failed)? };
        while let Some(found) = rows.next().map_err(failed)? {
            let message = match readable(MessageRow::of(found))? {
                Ok(message) => message,
                Err(reason) => {
                    row(Err(format!("expected a row of the messages: {reason}")))?;
                    continue;
                }
            };
            let parts = match self.parts(&message, max)? {
                Ok(parts) => parts,
                Err(reason) => {
                    row(Err(format!("expected the parts of message {}: {reason}", message.id)))?;
                    continue;
                }
            };
            let Some(payload) = message.payload(&parts) else {
                row(Err(format!(
                    "expected as a message an object of at most {max} bytes, found none: {}",
                    message.id
                )))?;
                continue;
            };
            let digest = blake3::hash(payload.as_bytes()).to_hex()[..16].to_owned();
            if message.is_open(&parts) {
                let newest = parts.iter().map(|part| part.updated).max().unwrap_or(0);
                let rests = now_ms().saturating_sub(newest.max(message.updated)) >= REST_MS;
                match since.open.get(&message.id) {
                    Some(before) if *before == digest || read.waits && !rests => {
                        next.remember(message.id, before.clone());
                        continue;
                    }
                    _ => next.remember(message.id.clone(), digest),
                }
            }
            let place = self.place(&message).map_err(failed)?;
            row(Ok(&format!("{{{place}\"message\":{payload}}}")))?;
        }
        Ok(next)
    }

    /// The parts of a message, in their order, which are of at most so many bytes together;
    /// else why they are not taken.
    fn parts(&self, message: &MessageRow, max: i64) -> io::Result<Result<Vec<PartRow>, String>> {
        if !self.has_parts() {
            return Ok(Ok(Vec::new()));
        }
        let sql = format!(
            "SELECT CAST(id AS TEXT), {}, length(CAST(data AS BLOB)),
                    CASE WHEN length(CAST(data AS BLOB)) <= ?2 THEN CAST(data AS TEXT) END
             FROM part WHERE message_id = ?1 ORDER BY id",
            self.part.or_zero("time_updated")
        );
        let mut found = self.database.prepare_cached(&sql).map_err(failed)?;
        let mut found = found.query(params![message.id, max]).map_err(failed)?;
        let (mut parts, mut budget) = (Vec::new(), max);
        while let Some(row) = found.next().map_err(failed)? {
            let part = match readable(PartRow::of(row, message))? {
                Ok((length, part)) => {
                    budget = budget.saturating_sub(if part.data.is_some() { length } else { 0 });
                    part
                }
                Err(reason) => return Ok(Err(reason)),
            };
            if budget < 0 {
                return Ok(Err(format!("they are of more than {max} bytes together")));
            }
            parts.push(part);
        }
        Ok(Ok(parts))
    }

    /// What a message follows.
    fn place(&self, message: &MessageRow) -> rusqlite::Result<String> {
        let created = self.message.or_zero("time_created");
        let sql = format!(
            "SELECT CAST(id AS TEXT) FROM message
             WHERE session_id = ?1 AND ({created} < ?2 OR {created} = ?2 AND id < ?3)
             ORDER BY {created} DESC, id DESC LIMIT 1"
        );
        let mut before = self.database.prepare_cached(&sql)?;
        let of = params![message.session, message.created, message.id];
        let before: Option<String> = before.query_row(of, |row| row.get(0)).optional()?;
        if let Some(before) = before {
            return Ok(format!("\"after\":{},", quoted(&before)));
        }
        if self.has_sessions() {
            let mut session =
                self.database.prepare_cached("SELECT 1 FROM session WHERE id = ?1")?;
            if session.exists([&message.session])? {
                return Ok(format!("\"of\":{},", quoted(&message.session)));
            }
        }
        Ok(String::new())
    }

    /// The newest times of change there are, less what writers may be late by, since a row
    /// is seen only once it is committed; none in the future: a clock that was wrong once
    /// would hide all that comes.
    fn newest(&self, since: &Since) -> rusqlite::Result<Since> {
        let newest = |table: &str, columns: &TableColumns| -> rusqlite::Result<i64> {
            if !columns.has("time_updated") {
                return Ok(0);
            }
            let sql = format!(
                "SELECT max(time_updated) FROM {table} WHERE typeof(time_updated) = 'integer'"
            );
            let newest: Option<i64> = self.database.query_row(&sql, [], |row| row.get(0))?;
            Ok(newest.unwrap_or(0).min(now_ms()).saturating_sub(OVERLAP_MS))
        };
        let anchor = format!(
            "SELECT CAST(id AS TEXT) FROM message ORDER BY {} DESC, id DESC LIMIT 1",
            self.message.or_zero("time_created")
        );
        let anchor = self.database.query_row(&anchor, [], |row| row.get(0)).optional();
        // Without one a database that was replaced is known by its file.
        let anchor: Option<String> = anchor.unwrap_or_default();
        let anchor = anchor.filter(|id| quoted(id).len() <= MAX_ANCHOR_BYTES);
        Ok(Since {
            session: newest("session", &self.session)?,
            message: newest("message", &self.message)?,
            part: newest("part", &self.part)?,
            anchor: anchor.or_else(|| since.anchor.clone()),
            open: BTreeMap::new(),
        })
    }
}

/// A row of the messages.
struct MessageRow {
    id: String,
    session: String,
    created: i64,
    updated: i64,
    /// None where it is too long, or no object.
    data: Option<String>,
}

/// A row of the parts, in the form that documents have too.
struct PartRow {
    updated: i64,
    data: Option<String>,
}

impl PartRow {
    /// A part, and its length in bytes.
    fn of(row: &Row<'_>, message: &MessageRow) -> rusqlite::Result<(i64, Self)> {
        let id: String = row.get(0)?;
        let length: Option<i64> = row.get(2)?;
        let data: Option<String> = row.get(3)?;
        let data = data.filter(|data| is_object(data));
        let first = [("id", &*id), ("sessionID", &*message.session), ("messageID", &*message.id)];
        let data = data.map(|data| object(&first, &data, None));
        Ok((length.unwrap_or(0), Self { updated: row.get(1)?, data }))
    }
}

impl MessageRow {
    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        let data: Option<String> = row.get(4)?;
        Ok(Self {
            id: row.get(0)?,
            session: row.get(1)?,
            created: row.get(2)?,
            updated: row.get(3)?,
            data: data.filter(|data| is_object(data)),
        })
    }

    /// The message with its parts.
    fn payload(&self, parts: &[PartRow]) -> Option<String> {
        let parts: Vec<&str> = parts.iter().filter_map(|part| part.data.as_deref()).collect();
        let parts = format!("[{}]", parts.join(","));
        let first = [("id", &*self.id), ("sessionID", &*self.session)];
        Some(object(&first, self.data.as_deref()?, Some(("parts", &parts))))
    }

    /// Whether more of it is to come: an answer that has no end, or a message whose parts
    /// are written after it.
    fn is_open(&self, parts: &[PartRow]) -> bool {
        let data: Value = self
            .data
            .as_deref()
            .and_then(|data| serde_json::from_str(data).ok())
            .unwrap_or_default();
        match data["role"].as_str() {
            Some("assistant") => data["time"]["completed"].is_null() && data["error"].is_null(),
            Some("user") => parts.is_empty() && now_ms().saturating_sub(self.created) < REST_MS,
            _ => false,
        }
    }
}

fn session(row: &Row<'_>) -> rusqlite::Result<String> {
    let (id, parent, folder, title): (String, Option<String>, Option<String>, Option<String>) =
        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
    let created: i64 = row.get(4)?;
    let mut members = vec![format!("\"id\":{}", quoted(&id))];
    for (key, value) in [("parentID", parent), ("directory", folder), ("title", title)] {
        members.extend(value.map(|value| format!("\"{key}\":{}", quoted(&value))));
    }
    if created > 0 {
        members.push(format!("\"time\":{{\"created\":{created}}}"));
    }
    Ok(format!("{{{}}}", members.join(",")))
}

/// What a row has, or why it can't be read though the database can.
fn readable<T>(row: rusqlite::Result<T>) -> io::Result<Result<T, String>> {
    use rusqlite::Error;
    match row {
        Ok(row) => Ok(Ok(row)),
        Err(
            error @ (Error::FromSqlConversionFailure(..)
            | Error::InvalidColumnType(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::Utf8Error(..)),
        ) => Ok(Err(error.to_string())),
        Err(error) => Err(failed(error)),
    }
}

fn is_object(text: &str) -> bool {
    text.trim_start().starts_with('{')
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// Opens a database to read it while others write to it. Where the folder can't be written
/// to and nothing is in the write-ahead log, it is taken for one that nobody writes to: SQLite
/// would have to make files beside it.
fn open(path: &Path) -> io::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(path, flags).and_then(|database| {
        database.busy_timeout(BUSY_TIME)?;
        database.query_row("SELECT count(*) FROM sqlite_master", [], |_| Ok(()))?;
        Ok(database)
    });
    let error = match opened {
        Ok(database) => return Ok(database),
        Err(error) => error,
    };
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(failed(error));
    }
    let Some(path) = path.to_str() else { return Err(failed(error)) };
    let path = path.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let flags = flags | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(format!("file:{path}?immutable=1"), flags).map_err(failed)
}

#[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` takes")]
fn failed(error: rusqlite::Error) -> io::Error {
    io::Error::other(format!("reading the database: {error}"))
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// An open message that hasn't changed for so long is handed on as it is.
const REST_MS: i64 = 10_000;
/// Rows that are seen so much later than they say they were changed are not missed.
const OVERLAP_MS: i64 = 5_000;
/// Bytes of the open messages that are remembered, as they are encoded; more are handed on
/// each time they change. With the anchor and all else they fit a checkpoint.
const MAX_OPEN_BYTES: usize = 3 << 10;
const MAX_ANCHOR_BYTES: usize = 256;
/// How long a writer that is about to finish is waited for.
const BUSY_TIME: Duration = Duration::from_secs(5);
