//! Locks that a panic does not poison: what they guard is changed in steps that each
//! leave it whole.

pub(crate) use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard};
