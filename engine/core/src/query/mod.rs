//! Which events are there: filters, timelines, counts and other listings.

mod by_source;
pub(crate) mod counts;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod links;
pub(crate) mod missing;
pub(crate) mod plan;
pub(crate) mod quarantined;
pub(crate) mod resolve;
pub(crate) mod roots;
pub(crate) mod scan;
pub(crate) mod segments;
pub(crate) mod stats;
pub(crate) mod timeline;
pub(crate) mod versions;
