//! The segments of a store, and the manifest that names them.

pub(crate) mod manifest;
