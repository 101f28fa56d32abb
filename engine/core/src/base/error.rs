//! The one error type of the library.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;

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
/// It is opaque, one pointer wide and cheap to clone. [`kind`](Self::kind) and the
/// `is_…` questions say what to do about it. Its text doesn't repeat the text of its
/// [source](std::error::Error::source); `{:#}` prints the whole chain on one line.
///
/// ```
/// use forebear::{ErrorKind, Event, Store};
///
/// let store = Store::in_memory()?;
/// let error = store.append(Event::new("tick").id("x".repeat(300))).expect_err("too long an id");
/// assert_eq!(error.kind(), ErrorKind::Limit);
/// assert!(error.is_invalid() && !error.is_closed());
/// assert!(error.to_string().contains("at most 255 bytes, found 300"));
/// # Ok::<(), forebear::Error>(())
/// ```
///
/// The source of an input or output error is the [`io::Error`]:
///
/// ```
/// use std::error::Error as _;
/// use std::io;
/// use forebear::Store;
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let file = folder.path().join("file");
/// # std::fs::write(&file, "").expect("writes");
/// let error = Store::open(file.join("events.forebear")).expect_err("a folder in a file");
/// let source = error.source().and_then(|source| source.downcast_ref::<io::Error>());
/// assert_eq!(source.map(io::Error::kind), Some(io::ErrorKind::NotADirectory));
/// assert_eq!(format!("{error:#}"), format!("{error}: {}", source.expect("it has one")));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<ErrorInner>);

/// What went wrong, in kinds that a program treats differently.
///
/// ```
/// use forebear::{ErrorKind, Event, Store};
///
/// fn is_worth_a_retry(error: &forebear::Error) -> bool {
///     matches!(error.kind(), ErrorKind::Full | ErrorKind::Locked | ErrorKind::Expired)
/// }
/// let store = Store::in_memory()?;
/// store.clone().close()?;
/// let error = store.append(Event::new("late")).expect_err("it is closed");
/// assert!(!is_worth_a_retry(&error));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument or a field is not acceptable.
    Invalid,
    /// A field or a batch is larger than its limit.
    Limit,
    /// The write queue is full and the caller chose not to wait.
    Full,
    /// The store is open for writing already.
    Locked,
    /// The folder or file is not what was asked for, or not forebear's at all.
    Foreign,
    /// The folder or file was written by a newer release.
    Newer,
    /// The process lacks a part that the store needs for it, such as a kind of state.
    Unsupported,
    /// Bytes on disk are not what was written.
    Damaged,
    /// The store refuses writes because an earlier one failed.
    Poisoned,
    /// What was asked for was removed by retention since the snapshot was taken.
    Expired,
    /// The store is closed.
    Closed,
    /// The system reported an input or output error, which is the source.
    Io,
}

struct ErrorInner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What a limit counts.
#[derive(Clone, Copy)]
enum LimitUnit {
    Bytes,
    Items,
}

impl Error {
    /// What went wrong, in kinds that a program treats differently. The `is_…`
    /// questions ask for one of them each, and stay true where a kind is split later.
    ///
    /// An example is at [`ErrorKind`].
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

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
        matches!(self.kind(), ErrorKind::Invalid | ErrorKind::Limit)
    }

    /// Whether the write queue was full and the caller chose not to wait.
    ///
    /// An example is at [`WhenFull`](crate::WhenFull).
    pub fn is_full(&self) -> bool {
        self.kind() == ErrorKind::Full
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
        self.kind() == ErrorKind::Locked
    }

    /// Who has the store open, of an error that [`is_locked`](Self::is_locked): such as
    /// `process 4711 (forebear)`.
    ///
    /// ```
    /// use forebear::Store;
    ///
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("events.forebear");
    /// let store = Store::open(&path)?;
    /// let error = Store::open(&path).expect_err("one writer at a time");
    /// let own = format!("process {} ", std::process::id());
    /// assert!(error.lock_holder().is_some_and(|holder| holder.starts_with(&own)));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn lock_holder(&self) -> Option<&str> {
        let (holder, _) = self.0.message.strip_prefix(HELD_BY)?.split_once(';')?;
        Some(holder)
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
        matches!(self.kind(), ErrorKind::Foreign | ErrorKind::Newer)
    }

    /// Whether the store was written by a newer release of forebear, which is the one
    /// to open it with. [`is_foreign`](Self::is_foreign) holds too.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// match store.append(Event::new("tick")) {
    ///     Err(error) if error.is_newer() => panic!("upgrade this service: {error:#}"),
    ///     appended => drop(appended?),
    /// }
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_newer(&self) -> bool {
        self.kind() == ErrorKind::Newer
    }

    /// Whether the process lacks a part that the store needs for it, such as a kind of
    /// state that the store has; the text says which and what brings it.
    pub fn is_unsupported(&self) -> bool {
        self.kind() == ErrorKind::Unsupported
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
        self.kind() == ErrorKind::Damaged
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
        self.kind() == ErrorKind::Poisoned
    }

    /// Whether there was no room on the disk. Nothing of the call was stored. Make room,
    /// such as with [`Store::retain`](crate::Store::retain); the store goes on by itself.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use forebear::{Event, Store, storage::SimulatedDisk};
    ///
    /// let disk = SimulatedDisk::new();
    /// let store = Store::builder().open_on(Arc::new(disk.clone()))?;
    /// disk.set_room(Some(0));
    /// assert!(store.append(Event::new("tick")).is_err_and(|error| error.is_disk_full()));
    /// disk.set_room(None);
    /// store.append(Event::new("tick"))?;
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn is_disk_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        self.kind() == ErrorKind::Io && self.io_kind().is_some_and(|kind| full.contains(&kind))
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
        self.kind() == ErrorKind::Expired
    }

    /// Whether the store was closed, or belongs to the process that this one was forked
    /// off.
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
        self.kind() == ErrorKind::Closed
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
        self.causes().find_map(|cause| Some(cause.downcast_ref::<io::Error>()?.kind()))
    }

    /// An error of a kind, with a text that says what was expected, what was found,
    /// where, and what to do: for what is built on the library, such as an adapter.
    ///
    /// ```
    /// use forebear::{Error, ErrorKind};
    ///
    /// let error = Error::new(ErrorKind::Damaged, "trace.json: expected a list, found its end");
    /// assert!(error.is_damaged());
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Arc::new(ErrorInner { kind, message: message.into(), source: None }))
    }

    /// The same error with what brought it about, whose text it leaves out of its own.
    ///
    /// ```
    /// use forebear::Error;
    ///
    /// let cause = "x".parse::<u64>().expect_err("no number");
    /// let error = Error::invalid("expected a number in `port`").with_source(cause);
    /// assert_eq!(format!("{error:#}"), "expected a number in `port`: invalid digit found in string");
    /// ```
    #[must_use]
    pub fn with_source(self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let ErrorInner { kind, message, .. } = &*self.0;
        let (kind, message, source) = (*kind, message.clone(), Some(source.into()));
        Self(Arc::new(ErrorInner { kind, message, source }))
    }

    /// An argument or a field that is not acceptable.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    /// Bytes on disk that are not what was written.
    pub fn damaged(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    /// A field whose `size` is over its limit, both in bytes.
    pub fn too_long(field: impl fmt::Display, limit: usize, size: usize) -> Self {
        Self::limit(field, LimitUnit::Bytes, limit, size)
    }

    /// A list that has more than `limit` items.
    pub fn too_many(field: impl fmt::Display, limit: usize, size: usize) -> Self {
        Self::limit(field, LimitUnit::Items, limit, size)
    }

    /// An input or output error of `action` (such as "sync") on `path`.
    pub fn io(action: &str, path: impl AsRef<Path>, source: io::Error) -> Self {
        let message = format!("{action} {}", path.as_ref().display());
        Self::new(ErrorKind::Io, message).with_source(source)
    }

    pub(crate) fn full() -> Self {
        Self::new(
            ErrorKind::Full,
            "the write queue is full; wait and try again, or write with `WhenFull::Block`",
        )
    }

    pub(crate) fn locked(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Locked, message)
    }

    pub(crate) fn foreign(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Foreign, message)
    }

    pub(crate) fn newer(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Newer, message)
    }

    pub(crate) fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    /// What a write is refused with after `first` made what is on disk uncertain.
    pub(crate) fn poisoned(first: &Error) -> Self {
        Self::new(
            ErrorKind::Poisoned,
            "the store refuses writes since an earlier write failed; what is on disk is uncertain \
             until it is opened again, so close it and open it again",
        )
        .with_source(first.clone())
    }

    /// What a write is refused with as long as what failed with `first` can't be done.
    pub(crate) fn stalled(first: &Error) -> Self {
        let message = if first.is_disk_full() {
            "nothing was stored: there is no room on the disk; make some, such as with `forebear \
             retain` or `Store::retain`, and the store goes on by itself"
        } else {
            "nothing was stored: the log is full and the next can't be gone on to, which is tried \
             again each minute"
        };
        Self::new(first.kind(), message).with_source(first.clone())
    }

    /// What a batch is refused with that was to be written together with one that failed.
    pub(crate) fn taken_back(first: &Error) -> Self {
        Self::new(
            first.kind(),
            "nothing was stored, since a batch that was to be written with it failed; try again",
        )
        .with_source(first.clone())
    }

    pub(crate) fn expired(seq: u64) -> Self {
        let message = format!(
            "event {seq} has expired since the snapshot was taken; take a new snapshot and ask again"
        );
        Self::new(ErrorKind::Expired, message)
    }

    /// What a call of a store is refused with in a child that `owner` forked off.
    pub(crate) fn forked(owner: u32) -> Self {
        let message = format!(
            "the store was opened in process {owner}, of which this one is a fork without its \
             threads; open a `Reader` here to read, a `Spool` to hand events in, or a store of \
             your own once process {owner} has closed this one"
        );
        Self::new(ErrorKind::Closed, message)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store is closed")
    }

    fn limit(field: impl fmt::Display, unit: LimitUnit, limit: usize, size: usize) -> Self {
        let unit = match unit {
            LimitUnit::Bytes => "bytes",
            LimitUnit::Items => "items",
        };
        let message = format!("{field}: expected at most {limit} {unit}, found {size}");
        Self::new(ErrorKind::Limit, message)
    }

    /// What brought it about, the nearest first.
    fn causes(&self) -> impl Iterator<Item = &(dyn StdError + 'static)> {
        std::iter::successors(self.source(), |&cause| cause.source())
    }
}

impl fmt::Display for Error {
    /// Its own text; with `#` also those of its sources, on one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)?;
        if f.alternate() {
            for cause in self.causes() {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ErrorInner { kind, message, source } = &*self.0;
        let mut fields = f.debug_struct("Error");
        fields.field("kind", kind).field("message", message);
        if let Some(source) = source {
            fields.field("source", source);
        }
        fields.finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// What stands before the holder in the message of a store that is locked.
pub(crate) const HELD_BY: &str = "the store is open for writing in ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_pointer_and_the_chain_says_each_thing_once() {
        assert_eq!(size_of::<Result<()>>(), size_of::<usize>());
        let write = Error::io("write", "log", io::Error::from(io::ErrorKind::StorageFull));
        let refused = Error::poisoned(&write);
        assert_eq!(refused.io_kind(), Some(io::ErrorKind::StorageFull));
        let texts: Vec<_> = refused.causes().map(ToString::to_string).collect();
        assert_eq!(texts, ["write log", "no storage space"]);
        assert_eq!(format!("{refused:#}"), format!("{refused}: write log: no storage space"));
    }
}
