//! The redb table of an index: built in memory, read through pages that are checked.

use std::fmt;
use std::io;
use std::ops::{Bound, ControlFlow};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use redb::{
    Builder, CursorMut, Database, ReadOnlyTable, ReadableDatabase, ReadableTable, StorageBackend,
    TableDefinition,
};

use crate::base::error::{Error, Result};
use crate::base::sync::Mutex;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::segment::index::tables::Table;

/// The bytes of an `.idx` file. A read past the end or of a damaged page must fail: redb trusts
/// what it reads.
pub(crate) trait IndexBytes: fmt::Debug + Send + Sync + 'static {
    fn len(&self) -> u64;

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()>;
}

/// Appends entries to a table being built, in ascending order of keys.
pub(super) struct Appender<'t>(CursorMut<'t, &'static [u8], &'static [u8]>);

impl Appender<'_> {
    pub(super) fn put(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.0.insert_before(key, value).map_err(|error| building(&error))
    }
}

/// Builds the bytes of a database with the entries that `fill` appends.
pub(super) fn build(fill: impl FnOnce(&mut Appender<'_>) -> Result<()>) -> Result<Vec<u8>> {
    let memory = BuildMemory::default();
    let mut database = builder(BUILD_CACHE_BYTES)
        .create_with_backend(memory.clone())
        .map_err(|error| building(&error))?;
    let transaction = database.begin_write().map_err(|error| building(&error))?;
    {
        let mut table = transaction.open_table(TABLE).map_err(|error| building(&error))?;
        let cursor =
            table.upper_bound_mut(Bound::<&[u8]>::Unbounded).map_err(|error| building(&error))?;
        let mut appender = Appender(cursor);
        fill(&mut appender)?;
        appender.0.close().map_err(|error| building(&error))?;
    }
    transaction.commit().map_err(|error| building(&error))?;
    // redb makes files of at least 1 MiB, doubles them when they are full and puts the last
    // commit's pages at the end. Compaction moves them to the front and cuts off the rest.
    database.compact().map_err(|error| building(&error))?;
    drop(database);
    Ok(std::mem::take(&mut *memory.0.lock()))
}

/// The table of an index, open for reading.
pub(super) struct IndexTable {
    /// The name of the file, for errors.
    name: String,
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    /// Set before the database is dropped: reads fail then, so that it writes nothing.
    closed: Arc<AtomicBool>,
    // Dropped last, since the table reads through it.
    _database: Database,
}

impl IndexTable {
    pub(super) fn open(name: &str, bytes: impl IndexBytes) -> Result<Self> {
        let closed = Arc::new(AtomicBool::new(false));
        let backend = ReadOnly { bytes: Box::new(bytes), closed: Arc::clone(&closed) };
        guarded(name, || {
            let database = builder(CACHE_BYTES)
                // Only complete indexes get their name, so that there is never one to repair.
                .set_repair_callback(redb::RepairSession::abort)
                .create_with_backend(backend)
                .map_err(|error| unreadable(name, &error))?;
            let transaction = database.begin_read().map_err(|error| unreadable(name, &error))?;
            let table = transaction.open_table(TABLE).map_err(|error| unreadable(name, &error))?;
            Ok(Self { name: name.to_owned(), table, closed, _database: database })
        })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Calls `show` with the value of a key.
    pub(super) fn get<R>(
        &self,
        key: &[u8],
        show: impl FnOnce(&[u8]) -> Result<R>,
    ) -> Result<Option<R>> {
        guarded(&self.name, || {
            let found = self.table.get(key).map_err(|error| unreadable(&self.name, &error))?;
            found.map(|value| show(value.value())).transpose()
        })
    }

    /// Calls `show` with the entries from a key on, until it breaks.
    pub(super) fn walk(
        &self,
        from: &[u8],
        mut show: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        guarded(&self.name, || {
            let mut cursor = self
                .table
                .lower_bound(Bound::Included(from))
                .map_err(|error| unreadable(&self.name, &error))?;
            while let Some((key, value)) =
                cursor.next().map_err(|error| unreadable(&self.name, &error))?
            {
                if show(key.value(), value.value())?.is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Calls `show` with the first entry from a key on, then with those before it in
    /// reverse order, until it breaks.
    pub(super) fn walk_back(
        &self,
        from: &[u8],
        mut show: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        guarded(&self.name, || {
            let failed = |error| unreadable(&self.name, &error);
            let mut cursor = self.table.lower_bound(Bound::Included(from)).map_err(failed)?;
            let mut found = cursor.peek_next().map_err(failed)?;
            if found.is_none() {
                found = cursor.prev().map_err(failed)?;
            }
            while let Some((key, value)) = found {
                if show(key.value(), value.value())?.is_break() {
                    break;
                }
                found = cursor.prev().map_err(failed)?;
            }
            Ok(())
        })
    }
}

/// Whether two indexes have the same entries, those of state only `with_state`. O(entries).
pub(crate) fn have_same_entries(
    name: &str,
    a: Vec<u8>,
    b: Vec<u8>,
    with_state: bool,
) -> Result<bool> {
    // Digests, since one of the two can't be walked while the other is.
    let entries = |bytes| {
        let (mut hasher, mut count) = (blake3::Hasher::new(), 0_u64);
        IndexTable::open(name, Bytes(bytes))?.walk(&[], |key, value| {
            if !with_state && Table::State.rest(key).is_some() {
                return Ok(ControlFlow::Continue(()));
            }
            count += 1;
            for part in [key, value] {
                hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((count, hasher.finalize()))
    };
    Ok(entries(a)? == entries(b)?)
}

impl Drop for IndexTable {
    fn drop(&mut self) {
        // redb writes when a database is dropped, unless a read has failed before.
        self.closed.store(true, Ordering::Release);
        let _ = catch_unwind(AssertUnwindSafe(|| self.table.first().map(|_| ())));
    }
}

impl fmt::Debug for IndexTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").field("name", &self.name).finish_non_exhaustive()
    }
}

/// An index in memory.
#[derive(Debug)]
pub(crate) struct Bytes(pub(crate) Vec<u8>);

impl IndexBytes for Bytes {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let begin = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = self.0.get(begin..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

/// The memory in which a database is built.
#[derive(Clone, Debug, Default)]
struct BuildMemory(Arc<Mutex<Vec<u8>>>);

impl StorageBackend for BuildMemory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock();
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let found = bytes.get(from..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.lock().resize(usize::try_from(length).map_err(io::Error::other)?, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut bytes = self.0.lock();
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let place = bytes.get_mut(from..).and_then(|rest| rest.get_mut(..data.len()));
        place.ok_or(io::ErrorKind::UnexpectedEof)?.copy_from_slice(data);
        Ok(())
    }
}

/// Read-only bytes that redb takes for a file.
#[derive(Debug)]
struct ReadOnly {
    bytes: Box<dyn IndexBytes>,
    closed: Arc<AtomicBool>,
}

impl StorageBackend for ReadOnly {
    fn len(&self) -> io::Result<u64> {
        Ok(self.bytes.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if self.closed.load(Ordering::Acquire) {
            return Err(io::Error::other("the index is closed"));
        }
        self.bytes.read(offset, out)
    }

    fn set_len(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    /// redb marks the header as in use when it opens a database, keeps it in memory and
    /// never reads it again: the write can be dropped.
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if offset == 0 && data.len() <= PAGE_BYTES {
            return Ok(());
        }
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }
}

fn builder(cache_bytes: usize) -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    builder
}

/// Turns a panic of redb into an error. Pages are checked before redb reads them, so that only
/// pages that were built wrong can cause one.
fn guarded<R>(name: &str, work: impl FnOnce() -> Result<R>) -> Result<R> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        Err(Error::damaged(format!("{name}: expected an index, found pages that redb gives up on")))
    })
}

fn building(error: &dyn fmt::Display) -> Error {
    Error::damaged(format!("building an index in memory failed: {error}; please report it"))
}

fn unreadable(name: &str, error: &dyn fmt::Display) -> Error {
    Error::damaged(format!("{name}: expected an index, found that reading it fails: {error}"))
}

const TABLE: TableDefinition<'_, &'static [u8], &'static [u8]> = TableDefinition::new("index");
/// What redb may keep of pages that it has read. The system keeps them anyway.
const CACHE_BYTES: usize = 0;
/// What it may keep of pages that it writes.
const BUILD_CACHE_BYTES: usize = 4 << 20;
const PAGE_BYTES: usize = 4096;
