//! The one thread that owns the log, and the queue that leads to it.

pub(crate) mod receipt;
