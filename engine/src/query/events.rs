//! Events by filter.
