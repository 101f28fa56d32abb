//! The same events and questions for SQLite, tuned as in the other comparisons,
//! with indexes on uuid, parent, root and instance/time. It is given each event's
//! root and depth, which forebear finds out itself.

use std::fs;
use std::time::Instant;

use rusqlite::{Connection, OptionalExtension, params};

use crate::data::byte_sum;
use crate::scale::arrivals::Arrivals;
use crate::scale::figures::Figures;
use crate::scale::history::History;
use crate::scale::options::{BATCH, ScaleOptions};
use crate::scale::side::{CHAIN_EVENTS, Id, NEWEST, Side, SideColumns};
use crate::scale::text::TextSource;
use crate::scale::write::set_rates;
use crate::scale::{Result, child};
use crate::sqlite::connect;

pub(crate) fn run(options: &ScaleOptions, figures: &mut Figures) -> Result<()> {
    figures.take("sqlite", child::run(options, "sqlite")?);
    Ok(())
}

/// Writes the database.
pub(crate) fn measure(options: &ScaleOptions) -> Result<Figures> {
    let folder = options.database();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let mut connection = connect(&folder)?;
    connection.execute_batch(SCHEMA)?;
    let texts = TextSource::new();
    let history = options.sqlite_history();
    let mut arrivals = Arrivals::new(history, u64::from(options.segment_events()));
    let mut numbers = Vec::with_capacity(BATCH as usize);
    let mut tenths = Vec::new();
    let mut inserted = 0;
    let begun = Instant::now();
    while inserted < history.events {
        numbers.clear();
        numbers.extend(arrivals.by_ref().take(BATCH as usize));
        insert(&mut connection, &numbers, &texts)?;
        inserted += numbers.len() as u64;
        while (tenths.len() as u64 + 1) * history.events <= inserted * 10 {
            tenths.push(begun.elapsed());
        }
    }
    let mut figures = Figures::default();
    set_rates(&mut figures, history.events, &tenths);
    figures.set("events", history.events as f64);
    connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
    Ok(figures)
}

/// A database that is read.
#[derive(Debug)]
pub(crate) struct SqliteSide(Connection);

impl SqliteSide {
    pub(crate) fn open(options: &ScaleOptions) -> Result<Self> {
        Ok(Self(connect(&options.database())?))
    }
}

impl Side for SqliteSide {
    fn contains(&self, id: Id) -> Result<bool> {
        let mut find = self.0.prepare_cached("SELECT 1 FROM events WHERE uuid = ?1")?;
        Ok(find.exists([id])?)
    }

    fn columns(&self, id: Id) -> Result<Option<SideColumns>> {
        let mut find = self
            .0
            .prepare_cached("SELECT time_ns, depth, parent, kind FROM events WHERE uuid = ?1")?;
        let columns = find.query_row([id], |row| {
            Ok(SideColumns {
                time_ns: row.get(0)?,
                depth: row.get::<_, i64>(1)?.cast_unsigned(),
                parent: row.get(2)?,
                kind: row.get(3)?,
            })
        });
        Ok(columns.optional()?)
    }

    fn chain(&self, id: Id) -> Result<Vec<Id>> {
        let mut walk = self.0.prepare_cached(
            "WITH RECURSIVE chain (uuid, parent) AS (
                 SELECT uuid, parent FROM events WHERE uuid = ?1
                 UNION ALL
                 SELECT events.uuid, events.parent
                 FROM chain JOIN events ON events.uuid = chain.parent
                 LIMIT ?2
             )
             SELECT uuid FROM chain",
        )?;
        let mut rows = walk.query(params![id, CHAIN_EVENTS])?;
        let mut ids = Vec::with_capacity(CHAIN_EVENTS as usize);
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
        }
        Ok(ids)
    }

    fn chain_payloads(&self, id: Id) -> Result<u64> {
        let mut walk = self.0.prepare_cached(
            "WITH RECURSIVE chain (seq, parent) AS (
                 SELECT seq, parent FROM events WHERE uuid = ?1
                 UNION ALL
                 SELECT events.seq, events.parent
                 FROM chain JOIN events ON events.uuid = chain.parent
                 LIMIT ?2
             )
             SELECT events.payload FROM chain JOIN events ON events.seq = chain.seq",
        )?;
        let mut rows = walk.query(params![id, CHAIN_EVENTS])?;
        let mut sum = 0;
        while let Some(row) = rows.next()? {
            sum += byte_sum(row.get_ref(0)?.as_blob()?);
        }
        Ok(sum)
    }

    fn root(&self, id: Id) -> Result<Option<Id>> {
        let mut find = self.0.prepare_cached("SELECT root FROM events WHERE uuid = ?1")?;
        Ok(find.query_row([id], |row| row.get(0)).optional()?)
    }

    fn depth(&self, id: Id) -> Result<Option<u64>> {
        let mut find = self.0.prepare_cached("SELECT depth FROM events WHERE uuid = ?1")?;
        let depth = find.query_row([id], |row| row.get::<_, i64>(0)).optional()?;
        Ok(depth.map(i64::cast_unsigned))
    }

    /// Climbs from both, the deeper first, until they meet.
    fn common_cause(&self, a: Id, b: Id) -> Result<Option<Id>> {
        let mut find = self.0.prepare_cached("SELECT parent, depth FROM events WHERE uuid = ?1")?;
        let mut above = |id: Id| -> rusqlite::Result<Option<(Option<Id>, i64)>> {
            find.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))).optional()
        };
        let (mut a, mut b) = (a, b);
        let (Some(mut of_a), Some(mut of_b)) = (above(a)?, above(b)?) else {
            return Ok(None);
        };
        while a != b {
            let (id, of) = if of_a.1 >= of_b.1 { (&mut a, &mut of_a) } else { (&mut b, &mut of_b) };
            let Some(parent) = of.0 else {
                return Ok(None);
            };
            let Some(next) = above(parent)? else {
                return Ok(None);
            };
            (*id, *of) = (parent, next);
        }
        Ok(Some(a))
    }

    fn newest(&self, instance: &str) -> Result<(Vec<i64>, u64)> {
        let mut find = self.0.prepare_cached(
            "SELECT time_ns, payload, uuid, parent, root, depth, kind, session, project, tool
             FROM events WHERE instance = ?1 ORDER BY time_ns DESC LIMIT ?2",
        )?;
        let mut rows = find.query(params![instance, NEWEST])?;
        let (mut times, mut sum) = (Vec::with_capacity(NEWEST as usize), 0);
        while let Some(row) = rows.next()? {
            times.push(row.get(0)?);
            sum += byte_sum(row.get_ref(1)?.as_blob()?);
        }
        Ok((times, sum))
    }
}

fn insert(
    connection: &mut Connection,
    numbers: &[u64],
    texts: &TextSource,
) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare_cached(
            "INSERT INTO events (uuid, parent, link, root, depth, time_ns, kind, instance, session,
                                 project, tool, payload)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?;
        for &number in numbers {
            let fields = texts.fields(number);
            insert.execute(params![
                History::id(number),
                History::parent(number).map(History::id),
                i64::from(History::is_spawned(number)),
                History::id(History::root(number)),
                History::depth(number).cast_signed(),
                History::time_ns(number),
                fields.kind,
                fields.instance,
                fields.session,
                fields.project,
                fields.tool,
                texts.payload(number),
            ])?;
        }
    }
    transaction.commit()
}

const SCHEMA: &str = "
    CREATE TABLE events (
        seq INTEGER PRIMARY KEY,
        uuid BLOB NOT NULL,
        parent BLOB,
        link INTEGER NOT NULL,
        root BLOB NOT NULL,
        depth INTEGER NOT NULL,
        time_ns INTEGER NOT NULL,
        kind TEXT NOT NULL,
        instance TEXT NOT NULL,
        session TEXT NOT NULL,
        project TEXT NOT NULL,
        tool TEXT NOT NULL,
        payload BLOB NOT NULL
    );
    CREATE UNIQUE INDEX by_uuid ON events (uuid);
    CREATE INDEX by_parent ON events (parent);
    CREATE INDEX by_root ON events (root);
    CREATE INDEX by_instance ON events (instance, time_ns);";
