//! Reading files: one reader for imports and followers.

pub(crate) mod apps;
pub(crate) mod find;
pub(crate) mod left_out;
pub(crate) mod lines;
pub(crate) mod moved;
pub(crate) mod parsing;
pub(crate) mod parts;
pub(crate) mod position;
pub(crate) mod prefix;
pub(crate) mod reader;
pub(crate) mod rows;
pub(crate) mod seen;
pub(crate) mod sniff;
pub(crate) mod source;
pub(crate) mod torn;
