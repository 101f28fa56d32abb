//! Bounded channels: a sender waits while the channel is full.

pub(crate) use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
