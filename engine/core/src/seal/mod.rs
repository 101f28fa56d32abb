//! Sealing: turns a full log into a segment, a `.seg` and an `.idx` file.

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
