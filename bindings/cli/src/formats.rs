//! The formats that the program reads, found once.

use std::sync::LazyLock;

use forebear::ingest::Registry;
use forebear::readings::Readings;

/// All formats that can be imported.
pub(crate) fn registry() -> &'static Registry {
    &REGISTRY
}

/// What payloads read as: each of those formats has a reader.
pub(crate) fn readings() -> &'static Readings {
    &READINGS
}

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);
static READINGS: LazyLock<Readings> = LazyLock::new(|| REGISTRY.readings());
