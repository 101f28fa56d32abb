//! Sealing: a full log becomes a segment.

mod dictionary;
pub(crate) mod file;
mod gather;
pub(crate) mod log;
pub(crate) mod spine;
mod window;

#[cfg(test)]
mod measure;
#[cfg(test)]
mod tests;
