//! The guide, a chapter a module: what a service has to know beyond each method's page.

/// What an acknowledged write survives.
#[doc = include_str!("docs/durability.md")]
pub mod durability {}

/// Snapshots, readers in other processes, and following what is stored.
#[doc = include_str!("docs/readers.md")]
pub mod readers {}

/// Stores in services with an async runtime.
#[doc = include_str!("docs/asynchronous.md")]
pub mod asynchronous {}

/// Logging events with the right parent.
#[doc = include_str!("docs/recording.md")]
pub mod recording {}

/// Bounding what a store keeps.
#[doc = include_str!("docs/retention.md")]
pub mod retention {}

/// Reading files of events, in formats that are known and in one's own.
#[cfg(feature = "ingest")]
#[doc = include_str!("docs/formats.md")]
pub mod formats {}

/// Why something failed, what to go on with, and where it was said.
#[cfg(feature = "answers")]
#[doc = include_str!("docs/answers.md")]
pub mod answers {}

/// What each operation costs.
#[doc = include_str!("docs/costs.md")]
pub mod costs {}

/// Every limit, and what happens at it.
#[doc = include_str!("docs/limits.md")]
pub mod limits {}
