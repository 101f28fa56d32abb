//! What caused what: chains, trees, common causes.

pub(crate) mod chain;
pub(crate) mod children;
pub(crate) mod common;
pub(crate) mod pieces;
pub(crate) mod tree;
pub(crate) mod up;
