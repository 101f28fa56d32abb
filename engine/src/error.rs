//! The one error type of the library.

use std::io;
use std::path::Path;
use std::sync::Arc;

/// Fields whose limit counts items.
const LISTS: [&str; 3] = ["labels", "batch records", "events in one log"];

/// What every fallible call of the library returns.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a call failed: what was expected, what was found, where, and what to do.
///
/// It is opaque and cheap to clone; ask it with its `is_…` methods.
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
    #[error("{action}: {source}")]
    Io { action: String, source: io::Error },
}

impl Error {
    /// Whether an argument or a field was not acceptable, a limit included.
    pub fn is_invalid(&self) -> bool {
        matches!(*self.0, Cause::Invalid(_) | Cause::Limit { .. })
    }

    /// Whether the write queue was full and the caller chose not to wait.
    pub fn is_full(&self) -> bool {
        matches!(*self.0, Cause::Full)
    }

    /// Whether another process holds the store for writing.
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, Cause::Locked(_))
    }

    /// Whether the folder or file is not forebear's, or of a newer format.
    pub fn is_foreign(&self) -> bool {
        matches!(*self.0, Cause::Foreign(_))
    }

    /// Whether bytes on disk are not what was written.
    pub fn is_damaged(&self) -> bool {
        matches!(*self.0, Cause::Damaged(_))
    }

    /// Whether the store refuses writes because an earlier one failed.
    pub fn is_poisoned(&self) -> bool {
        matches!(*self.0, Cause::Poisoned(_))
    }

    /// Whether the store was closed.
    pub fn is_closed(&self) -> bool {
        matches!(*self.0, Cause::Closed)
    }

    /// The input or output error underneath, where there is one.
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
