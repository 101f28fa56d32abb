//! The one error type of the library.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// Fields whose limit counts items.
const LISTS: [&str; 3] = ["labels", "batch records", "events in one log"];

/// What every fallible call of the library returns.
///
/// ```
/// use forebear::{Event, Store};
///
/// fn record(store: &Store) -> forebear::Result<u64> {
///     Ok(store.append(Event::new("tick"))?.seq)
/// }
/// assert_eq!(record(&Store::in_memory()?)?, 1);
/// # Ok::<(), forebear::Error>(())
/// ```
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed: what was expected, what was found, where, and what to do.
///
/// It is opaque and cheap to clone; ask it with its `is_…` methods.
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// let error = store.append(Event::new("tick").id("x".repeat(300))).expect_err("too long an id");
/// assert!(error.is_invalid() && !error.is_closed());
/// assert!(error.to_string().contains("at most 255 bytes, found 300"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(Arc<Cause>);

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("{field}: expected at most {limit} {unit}, found {size}")]
    Limit { field: String, unit: &'static str, limit: usize, size: usize },
    #[error("{0}")]
    Invalid(String),
    #[error("the write queue is full; wait and try again, or write with `WhenFull::Block`")]
    Full,
    #[error("{0}")]
    Locked(String),
    #[error("{0}")]
    Foreign(String),
    #[error("{0}")]
    Damaged(String),
    #[error(
        "the store refuses writes since an earlier write failed ({0}); \
         what is on disk is uncertain until it is opened again, so close it and open it again"
    )]
    Poisoned(String),
    #[error("the store is closed")]
    Closed,
    #[error(
        "event {0} has expired since the snapshot was taken; take a new snapshot and ask again"
    )]
    Expired(u64),
    #[error("{action}: {source}")]
    Io { action: String, source: io::Error },
}

impl Error {
    /// Whether an argument or a field was not acceptable, a limit included.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// assert!(store.append(Event::new("")).is_err_and(|error| error.is_invalid()), "an empty kind");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_invalid(&self) -> bool {
        matches!(*self.0, Cause::Invalid(_) | Cause::Limit { .. })
    }

    /// Whether the write queue was full and the caller chose not to wait.
    ///
    /// An example is at [`WhenFull`](crate::WhenFull).
    pub fn is_full(&self) -> bool {
        matches!(*self.0, Cause::Full)
    }

    /// Whether the store is open for writing already, in this process or another.
    /// The message names the process.
    ///
    /// ```
    /// use forebear::Store;
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let error = Store::open(&path).expect_err("one writer at a time");
    /// assert!(error.is_locked(), "{error}");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, Cause::Locked(_))
    }

    /// Whether the folder or file is not forebear's, or of a newer format.
    ///
    /// ```
    /// use forebear::Store;
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path();
    /// std::fs::write(path.join("letter.txt"), "Dear ...").expect("writes");
    /// assert!(Store::open(path).is_err_and(|error| error.is_foreign()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_foreign(&self) -> bool {
        matches!(*self.0, Cause::Foreign(_))
    }

    /// Whether bytes on disk are not what was written.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.write("MANIFEST", "nothing of ours");
    /// disk.write("0000000001.log", "nor is this");
    /// let error = Store::builder().open_on(Arc::new(disk)).expect_err("nothing to go by");
    /// assert!(error.is_damaged(), "{error}");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_damaged(&self) -> bool {
        matches!(*self.0, Cause::Damaged(_))
    }

    /// Whether the store refuses writes because an earlier one failed.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Event, Store, storage::{Fault, SimulatedDisk}};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    /// disk.fail_at(disk.operations() + 1, Fault::Io);
    /// assert!(store.append(Event::new("tick")).is_err(), "the write that fails");
    /// assert!(store.append(Event::new("tick")).is_err_and(|error| error.is_poisoned()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_poisoned(&self) -> bool {
        matches!(*self.0, Cause::Poisoned(_))
    }

    /// Whether what was asked for has been removed by retention since the snapshot
    /// was taken.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").id("boot"))?;
    /// match store.snapshot().get("boot") {
    ///     Err(error) if error.is_expired() => eprintln!("too late: {error}"),
    ///     found => assert!(found?.is_some()),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_expired(&self) -> bool {
        matches!(*self.0, Cause::Expired(_))
    }

    /// Whether the store was closed.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.clone().close()?;
    /// assert!(store.append(Event::new("late")).is_err_and(|error| error.is_closed()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_closed(&self) -> bool {
        matches!(*self.0, Cause::Closed)
    }

    /// The input or output error underneath, where there is one.
    ///
    /// ```
    /// use std::{io, sync::Arc};
    /// use forebear::{Event, Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    /// disk.set_room(Some(0));
    /// let error = store.append(Event::new("tick")).expect_err("a full disk");
    /// assert_eq!(error.io_kind(), Some(io::ErrorKind::StorageFull));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn io_kind(&self) -> Option<io::ErrorKind> {
        match &*self.0 {
            Cause::Io { source, .. } => Some(source.kind()),
            _ => None,
        }
    }

    /// A field that is too long: in items where it is a list, else in bytes.
    pub(crate) fn limit(field: impl Into<String>, limit: usize, size: usize) -> Self {
        let field = field.into();
        let unit = if LISTS.contains(&field.as_str()) { "items" } else { "bytes" };
        Cause::Limit { field, unit, limit, size }.into()
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Cause::Invalid(message.into()).into()
    }

    pub(crate) fn full() -> Self {
        Cause::Full.into()
    }

    pub(crate) fn locked(message: impl Into<String>) -> Self {
        Cause::Locked(message.into()).into()
    }

    pub(crate) fn foreign(message: impl Into<String>) -> Self {
        Cause::Foreign(message.into()).into()
    }

    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Cause::Damaged(message.into()).into()
    }

    pub(crate) fn poisoned(first: &Error) -> Self {
        Cause::Poisoned(first.to_string()).into()
    }

    pub(crate) fn expired(seq: u64) -> Self {
        Cause::Expired(seq).into()
    }

    pub(crate) fn closed() -> Self {
        Cause::Closed.into()
    }

    /// An input or output error of `action` (such as "sync") on `path`.
    pub(crate) fn io(action: &str, path: impl AsRef<Path>, source: io::Error) -> Self {
        Cause::Io { action: format!("{action} {}", path.as_ref().display()), source }.into()
    }
}

impl From<Cause> for Error {
    fn from(cause: Cause) -> Self {
        Self(Arc::new(cause))
    }
}
