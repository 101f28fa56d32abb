//! What a subscription in the process that writes reads from.

use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::base::error::Result;
use crate::base::options::{Durability, WhenFull};
use crate::batch::Batch;
use crate::shared::Shared;
use crate::store::{Store, StoreInner};
use crate::subscription::{Current, Feed};

/// A store as a subscription sees it, which does not keep it open.
#[derive(Debug)]
pub(super) struct StoreFeed {
    pub(super) shared: Arc<Shared>,
    pub(super) store: Weak<StoreInner>,
}

impl Feed for StoreFeed {
    fn current(&self) -> Result<Current> {
        // Asked first, so that no more is called durable than the view shows.
        let durable_end = self.shared.durable_end();
        Ok(Current { view: self.shared.view(), durable_end })
    }

    fn sync(&self) {
        let Some(store) = self.store.upgrade() else { return };
        // A full queue is about to be written, and synced if anyone wants it to be.
        let batch = Batch::new().durability(Durability::Sync).when_full(WhenFull::Return);
        let _ = Store(store).submit(batch);
    }

    fn has_ended(&self) -> bool {
        self.shared.has_ended()
    }

    fn poll_time(&self) -> Duration {
        // Woken by what is published.
        Duration::MAX
    }
}
