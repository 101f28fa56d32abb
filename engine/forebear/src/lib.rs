//! An embedded event-lineage database: what people add to their service.
//!
//! Everything here is re-exported from the crates below.

#![warn(missing_docs)]

pub use forebear_core::*;
#[cfg(feature = "ingest")]
#[doc(inline)]
pub use forebear_ingest as ingest;
