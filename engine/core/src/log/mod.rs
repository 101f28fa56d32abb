//! The log: the only truth. Blocks of records, appended, recovered, read back,
//! and the index of them in memory.

mod ahead;
pub(crate) mod append;
pub(crate) mod block;
pub(crate) mod content;
pub(crate) mod early;
pub(crate) mod encoded;
pub(crate) mod fields;
pub(crate) mod follow;
pub(crate) mod index;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod recovery;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod rows;
pub(crate) mod scan;
mod state;
pub(crate) mod view;
pub(crate) mod windows;

pub(crate) use record::RecordView;
pub(crate) use state::reduce_index;
