//! What all layers share: events, ids, links, errors, limits, and how they are encoded.

pub mod codec;
pub(crate) mod count_by;
pub(crate) mod detail;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod expired;
pub(crate) mod format;
pub(crate) mod health;
pub(crate) mod id;
#[cfg(feature = "serde")]
pub(crate) mod json;
pub(crate) mod kind;
pub(crate) mod kinds;
pub mod limits;
pub(crate) mod link;
pub(crate) mod listing;
pub(crate) mod options;
pub(crate) mod page;
pub(crate) mod process;
#[cfg(any(test, feature = "testing"))]
pub(crate) mod random;
pub(crate) mod row;
pub(crate) mod rows;
pub(crate) mod scope;
pub(crate) mod state;
pub(crate) mod sync;
pub(crate) mod time;
pub(crate) mod tokens;
pub(crate) mod trace;
pub(crate) mod unread;
pub(crate) mod validate;
pub(crate) mod warnings;
