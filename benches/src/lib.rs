//! What the benchmarks share: the same events for forebear and for SQLite, the
//! same questions to both, and a table of how they compare.

pub mod data;
pub mod import;
pub mod instructions;
pub mod ours;
pub mod pair;
pub mod process;
pub mod ratios;
pub mod scale;
pub mod sqlite;
