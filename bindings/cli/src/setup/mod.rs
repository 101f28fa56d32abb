//! Making forebear known to the tools on a machine, and taking that back.

pub(crate) mod change;
mod jsonc;
pub(crate) mod record;
pub(crate) mod tools;
