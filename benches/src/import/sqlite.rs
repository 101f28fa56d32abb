//! The importer that one would write for SQLite: borrowed fields, one prepared
//! statement, 10,000 rows a transaction, and the indexes without which it could
//! answer nothing: by uuid, by parent and by session and time.

use std::borrow::Cow;
use std::path::Path;

use rusqlite::params;
use serde::Deserialize;
use uuid::Uuid;

use crate::import::{Result, floors};
use crate::sqlite::connect;

/// The fields that make a row.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SqliteLine<'t> {
    #[serde(borrow)]
    uuid: Option<Cow<'t, str>>,
    #[serde(borrow)]
    parent_uuid: Option<Cow<'t, str>>,
    #[serde(borrow, rename = "type")]
    kind: Option<Cow<'t, str>>,
    #[serde(borrow)]
    timestamp: Option<Cow<'t, str>>,
    #[serde(borrow)]
    session_id: Option<Cow<'t, str>>,
    #[serde(borrow)]
    agent_id: Option<Cow<'t, str>>,
}

/// Imports everything and closes the database: how many rows.
pub(crate) fn import(source: &Path, folder: &Path) -> Result<u64> {
    let connection = connect(folder)?;
    connection.execute_batch(
        "CREATE TABLE events (
             seq INTEGER PRIMARY KEY,
             uuid BLOB,
             parent BLOB,
             kind TEXT,
             time INTEGER,
             session TEXT,
             instance TEXT,
             payload TEXT NOT NULL
         );
         CREATE UNIQUE INDEX by_uuid ON events (uuid);
         CREATE INDEX by_parent ON events (parent);
         CREATE INDEX by_session ON events (session, time);
         BEGIN;",
    )?;
    let mut rows = 0;
    {
        let mut insert = connection.prepare(
            "INSERT OR IGNORE INTO events (uuid, parent, kind, time, session, instance, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        floors::each_line(source, |text| {
            let Ok(line) = serde_json::from_str::<SqliteLine<'_>>(text) else { return Ok(()) };
            let id = |text: &Option<Cow<'_, str>>| {
                text.as_ref().and_then(|text| Uuid::try_parse(text).ok()).map(Uuid::into_bytes)
            };
            let time = line.timestamp.as_ref().and_then(|text| text.parse().ok());
            let time = time.map(|time: jiff::Timestamp| time.as_nanosecond() as i64);
            let instance = line.agent_id.as_ref().or(line.session_id.as_ref());
            rows += insert.execute(params![
                id(&line.uuid),
                id(&line.parent_uuid),
                line.kind,
                time,
                line.session_id,
                instance,
                text,
            ])? as u64;
            if rows % ROWS_EACH == 0 {
                connection.execute_batch("COMMIT; BEGIN;")?;
            }
            Ok(())
        })?;
    }
    connection.execute_batch("COMMIT;")?;
    connection.close().map_err(|(_, error)| error)?;
    Ok(rows)
}

/// Rows of one transaction.
const ROWS_EACH: u64 = 10_000;
