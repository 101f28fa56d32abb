//! Sessions, what they have to do with each other, and the waves that they are of.
//!
//! A session is what its events come to, tallied in each log and segment, and what was
//! said of it by patches. Nothing that can be computed from those is stored: depth, path
//! and status are not. Both are [kinds of state](forebear_core::state::StateKind) of a
//! store that is opened with [`kinds`]; `forebear::open` and `forebear::builder` hand them
//! over. [`SessionReads`], [`SessionWrites`] and [`SessionBatch`] bring the calls.
//!
//! ```
//! use forebear::Event;
//! use forebear::sessions::{SessionPatch, SessionReads, SessionWrites};
//!
//! let store = forebear::in_memory()?;
//! store.append(Event::new("order").session("checkout-42"))?;
//! store.upsert_session(SessionPatch::new("checkout-42").project("shop"))?;
//! let session = store.snapshot().session("checkout-42")?.expect("it has events");
//! assert_eq!((session.events, session.project.as_deref()), (1, Some("shop")));
//! # Ok::<(), forebear::Error>(())
//! ```

#![warn(missing_docs)]

mod access;
mod fields;
mod filter;
mod integrity;
#[cfg(feature = "serde")]
mod json;
mod kinds;
mod list;
mod listings;
mod patch;
mod reads;
mod reduce;
mod related;
mod relationship;
mod session;
mod state_kinds;
mod tally;
mod timeline;
mod tree;
mod value;
mod waves;

pub use access::{SessionBatch, SessionReads, SessionWrites};
pub use filter::SessionFilter;
pub use forebear_core::Tokens;
pub use integrity::{SessionCorrelation, SessionProblem};
pub use kinds::{DelegationType, RelationshipType, SessionStatus, SessionType, SpawnReason};
pub use listings::{
    MetricsOfSessions, SessionChildren, SessionCorrelations, SessionParents, SessionProblems,
    SessionTree, Sessions, Waves,
};
pub use patch::SessionPatch;
pub use relationship::{Relationship, StoredRelationship};
pub use session::{Liveness, Session, WaitsFor};
pub use state_kinds::kinds;
pub use timeline::{SessionTimeline, TimelineEntry};
pub use tree::{SessionMetrics, SessionNode, SessionPlace, SessionTotal};
pub use waves::Wave;
