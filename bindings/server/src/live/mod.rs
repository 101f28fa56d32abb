//! Events as they are stored, to any number of clients.
//!
//! [`Hub`] follows the store once, whoever listens, and keeps the newest events in a ring. A
//! client takes from there what comes behind its own place ([`StreamPlace`]); one that is so slow that
//! its place has left the ring reads the store until it has caught up. So none is waited for, and
//! none misses anything that the store has.

mod hub;
mod place;
mod stream;

pub(crate) use hub::Hub;
pub(crate) use place::{Next, StreamPlace, too_many};
pub(crate) use stream::stream;
