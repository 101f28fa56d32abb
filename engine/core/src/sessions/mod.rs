//! Sessions, what they have to do with each other, and the waves that they are of.
//!
//! A session is what its events come to, folded in each log and segment (see
//! `tally.rs`), and what was said of it by patches. Nothing that can be
//! computed from those is stored: depth, path and status are not.

mod fields;
pub(crate) mod filter;
pub(crate) mod integrity;
pub(crate) mod kinds;
pub(crate) mod list;
pub(crate) mod patch;
pub(crate) mod reads;
pub(crate) mod reduce;
pub(crate) mod related;
pub(crate) mod relationship;
pub(crate) mod session;
pub(crate) mod state_kinds;
pub(crate) mod tally;
pub(crate) mod timeline;
pub(crate) mod tree;
pub(crate) mod value;
pub(crate) mod waves;

pub(crate) use state_kinds::kinds;
