//! An embedded event-lineage database.
//!
//! forebear keeps events that name their cause on disk and answers "why did this
//! happen?" in microseconds with bounded memory, without a server.
//!
//! ```
//! use forebear::{ChainOptions, Event, Store};
//!
//! let store = Store::in_memory()?;
//! store.append(Event::new("user_message").id("ask"))?;
//! store.append(Event::new("tool_use").id("call").parent("ask"))?;
//! store.append(Event::new("error").id("failure").parent("call"))?;
//!
//! let snapshot = store.snapshot();
//! let mut chain = snapshot.chain("failure", &ChainOptions::new())?.expect("it is stored");
//! let causes: Vec<_> = chain.by_ref().map(|event| event.map(|e| e.id().to_string())).collect::<Result<_, _>>()?;
//! assert_eq!(causes, ["failure", "call", "ask"]);
//! assert_eq!(chain.end().map(|end| end.as_str()), Some("root"));
//! # Ok::<(), forebear::Error>(())
//! ```

#![warn(missing_docs)]

mod archive;
mod backup;
mod base;
mod batch;
mod decoder;
mod lineage;
mod log;
mod manifest;
mod opening;
mod query;
mod reader;
mod rebuild;
mod seal;
mod segment;
mod shared;
mod snapshot;
mod spool;
mod spool_client;
pub mod state;
#[cfg(feature = "testing")]
pub mod storage;
#[cfg(not(feature = "testing"))]
#[allow(unreachable_pub, reason = "the seam is public for tests alone")]
mod storage;
mod store;
mod subscription;
mod verify;
mod view;
mod writer;

pub use backup::Backup;
pub use base::codec;
pub use base::count_by::CountBy;
pub use base::detail::Detail;
pub use base::error::{Error, ErrorKind, Result};
pub use base::event::{Event, Quarantined, Usage};
pub use base::health::{Health, QueueHealth, SealingHealth, SpoolHealth};
pub use base::id::EventId;
pub use base::limits;
pub use base::link::{Link, LinkKind, Linked};
pub use base::options::{Durability, WhenFull};
pub use base::page::{Cursor, Page};
pub use base::time::Time;
pub use base::tokens::Tokens;
pub use base::warnings::{Warning, WarningKind};
pub use batch::{AppendStatus, Appended, Batch, Written};
pub use decoder::{Decoder, Foreign};
pub use lineage::chain::{Chain, ChainEnd, ChainOptions, RootFirst};
pub use lineage::common::CommonCause;
pub use lineage::tree::{Descendant, TreeOptions, TreeOrder};
pub use log::report::{Damage, RecoveryReport};
pub use manifest::{Retained, Retention};
pub use query::counts::{Bucket, Count};
pub use query::filter::Filter;
pub use query::listings::{ClosingLink, MissingParent, RefusedLink, Resolved};
pub use query::segments::{SegmentInfo, SegmentState};
pub use query::stats::Stats;
pub use reader::{Reader, ReaderBuilder};
pub use rebuild::Rebuilt;
pub use snapshot::Snapshot;
pub use spool_client::{Spool, Ticket};
pub use state::checkpoint::Checkpoint;
pub use store::{Store, StoreBuilder};
pub use subscription::{StartFrom, Subscription, SubscriptionHandle};
/// The crate of [`EventId::as_uuid`]'s type, so that a service need not name its version.
pub use uuid;
pub use verify::{Finding, Verified};
#[cfg(feature = "serde")]
pub use view::json::EventJson;
pub use view::stored::StoredEvent;
pub use writer::receipt::Receipt;
