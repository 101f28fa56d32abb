//! The log: the only truth. Blocks of records, appended, recovered, read back,
//! and the index of them in memory.

mod record;

pub(crate) use record::RecordView;
