//! What files are read as: the format that was named, else the one that each is
//! recognised as.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use forebear_core::Result;

use crate::adapter::{Adapter, Database};
use crate::options::{ChosenAdapter, IngestOptions};
use crate::registry::{Recognised, Registry};

/// The formats to choose from, and the one that all files are read as.
#[derive(Clone, Debug)]
pub(crate) struct Choice {
    registry: Registry,
    named: Option<Arc<dyn Adapter>>,
}

/// A format, and what reads its databases.
pub(crate) type FormatDatabase = (Arc<dyn Adapter>, Arc<dyn Database>);

impl Choice {
    pub(crate) fn new(options: &IngestOptions) -> Result<Self> {
        let registry = options.registry.clone();
        let named = match &options.named {
            None => None,
            Some(ChosenAdapter::Format(name)) => Some(registry.find(name)?),
            Some(ChosenAdapter::Adapter(adapter)) => Some(Arc::clone(adapter)),
        };
        Ok(Self { registry, named })
    }

    /// The format of a file with this path that begins so; an error if it is none.
    pub(crate) fn format_of(&self, path: &Path, head: &[u8]) -> io::Result<Recognised> {
        match &self.named {
            Some(adapter) => Ok(Recognised::of(Arc::clone(adapter), path, head)),
            None => self
                .registry
                .recognise_file(path, head)
                .map_err(|error| io::Error::new(ErrorKind::InvalidData, error)),
        }
    }

    /// The format of a file that was read as of this one before; none if it is to be read
    /// as of another one now, or if nobody has it any more.
    pub(crate) fn before(&self, name: &str) -> Option<Arc<dyn Adapter>> {
        match &self.named {
            Some(adapter) => (adapter.name() == name).then(|| Arc::clone(adapter)),
            None => self.registry.find(name).ok(),
        }
    }

    /// What reads a database at this path, and the format that it is of.
    pub(crate) fn database_of(&self, path: &Path) -> io::Result<Option<FormatDatabase>> {
        let adapters = match &self.named {
            Some(adapter) => std::slice::from_ref(adapter),
            None => self.registry.adapters(),
        };
        for adapter in adapters {
            if let Some(database) = adapter.database()
                && database.is_of(path)?
            {
                return Ok(Some((Arc::clone(adapter), database)));
            }
        }
        Ok(None)
    }

    /// Whether a file belongs to another one.
    pub(crate) fn is_companion(&self, path: &Path) -> bool {
        self.registry.adapters().iter().any(|adapter| adapter.is_companion(path))
    }

    /// Whether a file that is found in a folder is to be read.
    pub(crate) fn takes_file(&self, path: &Path) -> bool {
        match &self.named {
            Some(adapter) => adapter.takes_file(path),
            None => self.registry.takes_file(path),
        }
    }
}
