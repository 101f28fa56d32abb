//! An embedded event-lineage database.
//!
//! forebear keeps events that name their cause on disk and answers "why did this
//! happen?" in microseconds with bounded memory, without a server.
//!
//! ```
//! use forebear::{Event, Store};
//!
//! let store = Store::in_memory()?;
//! store.append(Event::new("request").id("ask"))?;
//! store.append(Event::new("job").id("call").parent("ask"))?;
//! store.append(Event::new("error").id("failure").parent("call"))?;
//!
//! let chain = store.chain("failure")?.expect("it is stored").read_all()?;
//! let causes: Vec<&str> = chain.events.iter().map(|event| event.kind()).collect();
//! assert_eq!(causes, ["error", "job", "request"]);
//! assert_eq!(chain.end.as_str(), "root");
//! # Ok::<(), forebear::Error>(())
//! ```

#![warn(missing_docs)]

mod base;
mod batch;
mod decoder;
mod lineage;
mod log;
mod manifest;
mod query;
mod reader;
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
#[cfg(feature = "testing")]
pub mod testing {
    //! What tests need beside a storage of their own.

    pub use crate::base::sync::freeze_clock;
}
mod upkeep;
mod view;
mod writer;

/// The listings that a [`Query`] asks, and what a listing of one's own is made of.
pub mod listing {
    pub use crate::base::listing::{
        DepthBound, Detailed, Items, Listing, Ordered, Parameters, Query,
    };
    pub use crate::base::page::Position;
    pub use crate::lineage::children::{Children, Siblings};
    pub use crate::lineage::tree::Descendants;
    pub use crate::query::counts::Counts;
    pub use crate::query::events::Events;
    pub use crate::query::links::{CycleEdges, RefusedLinks};
    pub use crate::query::missing::MissingParents;
    pub use crate::query::quarantined::QuarantinedInput;
    pub use crate::query::roots::Roots;
    pub use crate::query::timeline::Timeline;
    pub use crate::query::versions::Versions;
    pub use crate::state::checkpoint::Checkpoints;
}

pub use base::codec;
pub use base::count_by::CountBy;
pub use base::detail::Detail;
pub use base::error::{Error, ErrorKind, Result};
pub use base::event::{Event, Quarantined, Usage};
pub use base::health::{Health, QueueHealth, SealingHealth, SpoolHealth};
pub use base::id::EventId;
pub use base::limits;
pub use base::link::{Link, LinkKind, Linked};
pub use base::listing::Query;
pub use base::options::{Durability, WhenFull};
pub use base::page::{Cursor, Page};
pub use base::scope::Scope;
pub use base::time::Time;
pub use base::tokens::Tokens;
pub use base::warnings::{Warning, WarningKind};
pub use batch::{AppendStatus, Appended, Batch, Written};
pub use decoder::{Decoder, Foreign};
pub use lineage::chain::{Chain, ChainEvents};
pub use lineage::chain_end::ChainEnd;
pub use lineage::common::CommonCause;
pub use lineage::root_first::RootFirst;
pub use lineage::tree::{Descendant, TreeOrder};
pub use log::report::{Damage, ManifestRepair, RecoveryReport};
pub use manifest::{Retained, Retention};
pub use query::counts::Count;
pub use query::filter::Filter;
pub use query::links::{CycleEdge, RefusedLink};
pub use query::missing::MissingParent;
pub use query::resolve::Resolved;
pub use query::segments::{SegmentInfo, SegmentState};
pub use query::stats::Stats;
pub use query::timeline::Bucket;
pub use reader::{Reader, ReaderBuilder};
pub use snapshot::Snapshot;
pub use spool_client::{Spool, Ticket};
pub use state::checkpoint::Checkpoint;
pub use store::{Store, StoreBuilder};
#[cfg(feature = "stream")]
pub use subscription::SubscriptionStream;
pub use subscription::{StartFrom, Subscription, SubscriptionHandle};
pub use upkeep::backup::Backup;
pub use upkeep::rebuild::Rebuilt;
pub use upkeep::repair::Repaired;
pub use upkeep::verify::{Finding, Verified};
/// The crate of [`EventId::as_uuid`]'s type, so that a service need not name its version.
pub use uuid;
#[cfg(feature = "serde")]
pub use view::json::EventJson;
pub use view::stored::StoredEvent;
pub use writer::receipt::Receipt;
