//! The log: the only truth. Blocks of records, appended, recovered, read back,
//! and the index of them in memory.

pub(crate) mod append;
pub(crate) mod block;
pub(crate) mod fields;
pub(crate) mod index;
pub(crate) mod reader;
pub(crate) mod record;
pub(crate) mod recovery;
mod scan;
pub(crate) mod windows;

pub(crate) use record::RecordView;
