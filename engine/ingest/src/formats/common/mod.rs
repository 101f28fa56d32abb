//! What several formats have in common: ids, times and labels.

pub(crate) mod blocks;
pub(crate) mod document;
pub(crate) mod equal;
pub(crate) mod evidence;
pub(crate) mod labels;
pub(crate) mod parts;
pub(crate) mod project;
pub(crate) mod reading;
pub(crate) mod spawned;
pub(crate) mod tokens;
pub(crate) mod tools;
pub(crate) mod twins;
pub(crate) mod usual;
pub(crate) mod values;
