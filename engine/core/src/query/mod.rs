//! Which events are there: filters, timelines, counts and other listings.

pub(crate) mod counts;
pub(crate) mod events;
pub(crate) mod filter;
pub(crate) mod listings;
pub(crate) mod missing;
pub(crate) mod plan;
pub(crate) mod segments;
pub(crate) mod stats;
