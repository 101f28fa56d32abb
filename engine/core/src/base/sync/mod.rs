//! Threads, locks, channels, atomics and the clock.
//!
//! Every other module of the crate reaches them through this one, so that a simulated
//! scheduler or a model checker can stand in for all of them at once. A test of the
//! layers holds it so.

pub(crate) mod atomic;
pub(crate) mod channel;
mod clock;
mod lock;
mod signal;
mod thread;
mod waker;

#[cfg(feature = "testing")]
pub use clock::freeze_clock;
pub(crate) use clock::{Instant, now_ns, system_time_ns};
pub(crate) use lock::{Condvar, Mutex, RwLock, RwLockReadGuard};
pub(crate) use signal::Signal;
pub(crate) use thread::{Thread, scope, sleep, spawn, spawn_scoped};
pub(crate) use waker::wake;
