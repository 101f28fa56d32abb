//! Benchmarks of forebear.
