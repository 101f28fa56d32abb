//! What several formats have in common: reading JSON, ids, times and labels.

pub(crate) mod equal;
pub(crate) mod json;
pub(crate) mod labels;
pub(crate) mod usual;
pub(crate) mod values;
