//! State: what is known by key, made of records that say something new of a key and of
//! what events come to. Events stay as they were; state is what is true now.
//!
//! A record of state has a kind, a key and a value. All values of a key are folded,
//! oldest first: within a log as it is read, within a sealed segment in its index, and
//! over all sources when it is asked for. What segments say that are dropped is carried
//! over: written once more, folded, before they go.

pub(crate) mod checkpoint;
mod of_snapshot;

pub use crate::base::kind::{Reduced, StateKind};
pub use crate::base::rows::{
    EventRow, EventRows, RowBatch, RowOrigin, RowOriginKind, RowUsage, TextId,
};
pub use of_snapshot::State;
