#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod builder;
mod layer;
mod outlet;
mod visit;

pub use builder::{Builder, OverflowPolicy, SpanTimes, layer};
pub use layer::ForebearLayer;
pub use outlet::Guard;
