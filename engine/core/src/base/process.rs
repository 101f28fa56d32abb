//! The process that something belongs to: a fork copies the memory of a process, and none
//! of its threads but the one that forked.

use std::process;

use crate::base::error::{Error, Result};

/// The process in which this was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(u32);

impl Owner {
    pub(crate) fn this_process() -> Self {
        Self(process::id())
    }

    /// Whether that is the process that asks, and no child that was forked off it. One
    /// system call: reading never asks.
    pub(crate) fn is_here(self) -> bool {
        self.0 == process::id()
    }

    /// Fails in a child that was forked off. What needs a thread of the owner or a lock
    /// that another of its threads may have held must ask first: in the child it would
    /// wait for ever.
    pub(crate) fn check(self) -> Result<()> {
        if self.is_here() { Ok(()) } else { Err(Error::forked(self.0)) }
    }
}
