//! From a record to what is stored of it: the same for lines of files and rows of databases.

use std::sync::Arc;

use crate::adapter::{Adapter, Parser, SourceFile};
use crate::labeller::Labeller;
use crate::parsed::Parsed;
use crate::read::apps::Apps;

/// The format of a file or database, and the state of reading one of it.
#[derive(Debug)]
pub(crate) struct Parsing {
    adapter: Arc<dyn Adapter>,
    parser: Box<dyn Parser>,
    labeller: Labeller,
    apps: Option<Apps>,
}

impl Parsing {
    pub(crate) fn new(adapter: Arc<dyn Adapter>, source: &SourceFile<'_>) -> Self {
        let parser = adapter.parser(source);
        let labeller = Labeller::new(&*adapter);
        let apps = adapter.source_app().map(Apps::new);
        Self { adapter, parser, labeller, apps }
    }

    pub(crate) fn adapter(&self) -> &dyn Adapter {
        &*self.adapter
    }

    pub(crate) fn shared_adapter(&self) -> Arc<dyn Adapter> {
        Arc::clone(&self.adapter)
    }

    pub(crate) fn parser(&mut self) -> &mut dyn Parser {
        &mut *self.parser
    }

    /// What can be stored of a record, and why the rest of it can't be: it stands for
    /// nothing, or what it stands for is over a limit of the store.
    pub(crate) fn parse(
        &mut self,
        record: &str,
        max_payload_bytes: usize,
    ) -> (Parsed, Option<String>) {
        let parsed = match self.parser.parse(record) {
            Ok(parsed) => self.labeller.label(parsed),
            Err(reason) => return (Parsed::nothing(), Some(reason)),
        };
        let (parsed, refused) = parsed.storable(max_payload_bytes);
        let parsed = match &mut self.apps {
            Some(apps) => apps.say(parsed),
            None => parsed,
        };
        (parsed, refused)
    }
}
