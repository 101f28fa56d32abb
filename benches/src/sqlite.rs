//! The questions, asked of SQLite: WAL, `synchronous = NORMAL`, 64 MiB of cache,
//! 16-byte BLOB keys under an index, statements prepared once.

use std::path::Path;

use rusqlite::{Connection, Result, params};

use crate::data::{Chains, Item, byte_sum};

/// A database that holds a data set.
#[derive(Debug)]
pub struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    /// An empty database in this folder.
    pub fn open(folder: &Path) -> Result<Self> {
        let connection = connect(folder)?;
        connection.execute_batch(
            "CREATE TABLE events (
                 seq INTEGER PRIMARY KEY,
                 uuid BLOB NOT NULL,
                 parent BLOB,
                 payload BLOB NOT NULL
             );
             CREATE UNIQUE INDEX by_uuid ON events (uuid);",
        )?;
        Ok(Self { connection })
    }

    /// Writes the chains to a new database.
    pub fn build(folder: &Path, chains: &Chains) -> Result<Self> {
        let mut sqlite = Self::open(folder)?;
        sqlite.insert(&chains.items)?;
        sqlite.connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE);")?;
        Ok(sqlite)
    }

    /// Has each transaction synced when it commits.
    pub fn sync_each(&self) -> Result<()> {
        self.connection.execute_batch("PRAGMA synchronous = FULL;")
    }

    /// Makes lookups by parent possible, as forebear always does.
    pub fn index_parents(&self) -> Result<()> {
        self.connection.execute_batch("CREATE INDEX by_parent ON events (parent);")
    }

    /// Inserts events in one transaction.
    pub fn insert(&mut self, items: &[Item]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO events (uuid, parent, payload) VALUES (?1, ?2, ?3)")?;
            for item in items {
                insert.execute(params![item.id, item.parent, item.payload])?;
            }
        }
        transaction.commit()
    }

    /// Walks to the root and adds up all bytes of all payloads.
    pub fn sum_payloads(&self, id: [u8; 16]) -> Result<u64> {
        let mut walk = self.connection.prepare_cached(
            "WITH RECURSIVE chain (seq, parent) AS (
                 SELECT seq, parent FROM events WHERE uuid = ?1
                 UNION ALL
                 SELECT events.seq, events.parent
                 FROM chain JOIN events ON events.uuid = chain.parent
             )
             SELECT events.payload FROM chain JOIN events ON events.seq = chain.seq",
        )?;
        let mut rows = walk.query([id])?;
        let mut sum = 0;
        while let Some(row) = rows.next()? {
            sum += byte_sum(row.get_ref(0)?.as_blob()?);
        }
        Ok(sum)
    }
}

/// Opens the database in this folder, making it if there is none.
pub fn connect(folder: &Path) -> Result<Connection> {
    let connection = Connection::open(folder.join("events.sqlite"))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -65536;",
    )?;
    Ok(connection)
}
