//! Sealed segments, read from their files.
//!
//! A sealed segment is two files that never change. The `.seg` holds the records, the
//! spine and the tables; the `.idx` is a redb index that can be rebuilt from the `.seg`.
//! [`seal`](crate::seal) writes both.

pub(crate) mod blocks;
pub(crate) mod chunks;
mod decoder;
pub(crate) mod file;
pub(crate) mod filter;
pub(crate) mod filter_group;
pub(crate) mod filters;
pub(crate) mod footer;
pub(crate) mod heap;
pub(crate) mod id_table;
pub(crate) mod index;
pub(crate) mod late;
pub(crate) mod leftover;
pub(crate) mod list;
pub(crate) mod open_index;
pub(crate) mod order;
pub(crate) mod output;
pub(crate) mod packed;
pub(crate) mod pages;
pub(crate) mod rebuild;
pub(crate) mod sealed;
pub(crate) mod segments;
pub(crate) mod spine;
pub(crate) mod strings;
