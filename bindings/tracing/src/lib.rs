#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod builder;
mod layer;
mod outlet;
mod visit;

pub use builder::{Builder, SpanTimes, WhenFull, layer};
pub use layer::ForebearLayer;
pub use outlet::Guard;
