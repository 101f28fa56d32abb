//! Walks over parents and children, and where events lie in their trees.

pub(crate) mod above;
mod ascent;
pub(crate) mod chain;
pub(crate) mod chain_end;
pub(crate) mod child_rows;
pub(crate) mod children;
pub(crate) mod common;
mod hop;
pub(crate) mod load;
pub(crate) mod parent_link;
pub(crate) mod position;
pub(crate) mod root_first;
pub(crate) mod tree;
