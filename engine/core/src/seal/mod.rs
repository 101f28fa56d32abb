//! Sealing: a full log becomes a segment.

mod dictionary;
pub(crate) mod file;
mod filter_keys;
mod gather;
pub(crate) mod log;
pub(crate) mod spine;
mod window;

pub(crate) use filter_keys::filter_keys;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;
