//! The log: the source of truth. Blocks of records are appended to it, recovered from it and
//! read back, and an index in memory is built from them.

mod ahead;
pub(crate) mod append;
pub(crate) mod block;
pub(crate) mod checkpoint;
pub(crate) mod content;
pub(crate) mod early;
pub(crate) mod encoded;
pub(crate) mod fields;
pub(crate) mod follow;
pub(crate) mod index;
pub(crate) mod opened;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rows;
pub(crate) mod scan;
pub(crate) mod settings;
mod state;
pub(crate) mod view;
pub(crate) mod windows;

pub(crate) use record::RecordView;
pub(crate) use state::reduce_index;
