//! An embedded event-lineage database: what people add to their service.
//!
//! ```
//! use forebear::Event;
//!
//! let store = forebear::in_memory()?; // `forebear::open("events.forebear")` on disk
//! store.append(Event::new("request").id("ask"))?;
//! store.append(Event::new("error").id("failure").parent("ask"))?;
//! let snapshot = store.snapshot();
//! let chain = snapshot.chain("failure")?.expect("it is stored");
//! assert_eq!(chain.count(), 2);
//! # Ok::<(), forebear::Error>(())
//! ```
//!
//! [`open`], [`builder`], [`read`] and their like hand over what the features that are on
//! bring: the kinds of state of [`sessions`], the decoders of [`ingest`]. Everything else is
//! re-exported from the crates below. [`Store::open`] and [`StoreBuilder`] as they stand
//! know of events alone: a store that has sessions is appended to and read through them,
//! while sealing, rebuilding and retention fail and name what is missing.
//!
//! # Chapters
//!
//! | [`docs`] | |
//! |---|---|
//! | [durability](docs::durability) | what an acknowledged write survives |
//! | [readers](docs::readers) | snapshots, other processes, subscriptions |
//! | [asynchronous](docs::asynchronous) | services with an async runtime |
//! | [recording](docs::recording) | logging events with the right parent |
//! | [retention](docs::retention) | bounding what a store keeps |
//! | [formats](mod@docs::formats) | files of events; your own format |
//! | [answers](mod@docs::answers) | why something failed, what to go on with, where it was said |
//! | [costs](docs::costs) | what each operation costs |
//! | [limits](docs::limits) | every limit, and what there is not |

#![warn(missing_docs)]

pub mod context;
pub mod docs;
mod logger;
mod volumes;

use std::path::Path;

#[cfg(feature = "answers")]
#[doc(inline)]
pub use forebear_answers as answers;
pub use forebear_core::*;
#[cfg(feature = "ingest")]
#[doc(inline)]
pub use forebear_ingest as ingest;
#[doc(inline)]
pub use forebear_readings as readings;
#[cfg(feature = "sessions")]
#[doc(inline)]
pub use forebear_sessions as sessions;
#[cfg(feature = "sessions")]
#[doc(no_inline)]
pub use forebear_sessions::{
    DelegationType, Liveness, Relationship, RelationshipType, Session, SessionBatch,
    SessionCorrelation, SessionFilter, SessionMetrics, SessionNode, SessionPatch, SessionPlace,
    SessionProblem, SessionReads, SessionStatus, SessionTimeline, SessionTotal, SessionType,
    SessionWrites, SpawnReason, StoredRelationship, TimelineEntry, WaitsFor, Wave,
};

pub use logger::{EventLogger, Span};
pub use volumes::{VolumeChain, Volumes};

/// Opens a store in a folder, which is made if it is missing, with what the features
/// bring; see [`Store::open`].
///
/// ```
/// use forebear::Event;
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = forebear::open(&path)?;
/// store.append(Event::new("started").id("boot"))?;
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn open(path: impl AsRef<Path>) -> Result<Store> {
    builder().open(path)
}

/// A store in memory, with what the features bring; see [`Store::in_memory`].
pub fn in_memory() -> Result<Store> {
    builder().in_memory()
}

/// Options of a store, with what the features bring; see [`Store::builder`].
///
/// ```
/// let store = forebear::builder().segment_events(10_000).in_memory()?;
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn builder() -> StoreBuilder {
    let builder = Store::builder();
    #[cfg(feature = "sessions")]
    let builder = builder.state_kinds(sessions::kinds());
    #[cfg(feature = "ingest")]
    let builder = ingest::decoders()
        .into_iter()
        .fold(builder, |builder, (name, decoder)| builder.decoder(name, decoder));
    builder
}

/// Opens a store for reading, from any process, with what the features bring; see
/// [`Reader::open`].
///
/// ```
/// use forebear::Event;
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// forebear::open(&path)?.append(Event::new("started").id("boot"))?;
/// assert!(forebear::read(&path)?.snapshot()?.contains("boot")?);
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn read(path: impl AsRef<Path>) -> Result<Reader> {
    reader_builder().open(path)
}

/// Options for reading a store, with what the features bring; see [`Reader::builder`].
pub fn reader_builder() -> ReaderBuilder {
    let builder = Reader::builder();
    #[cfg(feature = "sessions")]
    let builder = builder.state_kinds(sessions::kinds());
    builder
}

/// The spool of the store in a folder, with what the features bring; see [`Spool::open`].
///
/// ```
/// use forebear::Event;
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// forebear::spool(&path)?.submit(Event::new("note").id("early"))?;
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn spool(path: impl AsRef<Path>) -> Result<Spool> {
    Spool::open_with(path, builder())
}
