//! What is above the anchor of a fragment: a link that was learnt late, or what was
//! written down of an event that has expired.
//!
//! A join is looked up once and then remembered, together with a skip pointer over
//! several of them.

use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::expired::{self, ExpiredLineage};
use crate::base::row::Flags;
use crate::base::state::KindId;
use crate::view::View;
use crate::view::joins::Join;

/// What is above the anchor of a fragment.
#[derive(Debug)]
pub(crate) enum Above {
    /// Nothing that is known of, or nothing that is stored any more.
    Nothing,
    /// A fragment, by a cached join.
    Known(Join),
    /// A fragment, by a join that was looked up now. It `stays`, so that it may be
    /// cached, where all of it lies among sealed segments and the event names it.
    New { join: Join, stays: bool },
}

impl View {
    /// What is known of what was above an event that has expired: a segment that is there
    /// has its late parent, or it was written down.
    pub(crate) fn expired(&self, seq: u64) -> Result<Option<Arc<ExpiredLineage>>> {
        // What is to come is not expired.
        if seq >= self.first_seq() {
            return Ok(None);
        }
        let joins = &self.joins;
        if let Some(known) = joins.expired(seq, self.first_seq()) {
            return Ok(known.0);
        }
        let found = self.written(seq)?.map(Arc::new);
        joins.remember_expired(seq, self.first_seq(), found.clone());
        Ok(found)
    }

    fn written(&self, seq: u64) -> Result<Option<ExpiredLineage>> {
        if let Some(Join { parent: to, .. }) = self.late_join(seq)? {
            let to_id = self.id(to)?.ok_or_else(|| Error::expired(to))?;
            return Ok(Some(ExpiredLineage { to, to_id, edges: 1 }));
        }
        let value = self.state(KindId::LINEAGE, &expired::key(seq))?;
        value.map(|value| ExpiredLineage::from_bytes(&value)).transpose()
    }

    /// What is above an anchor, as this view sees it. What is cached takes
    /// one look.
    pub(crate) fn above(&self, anchor: u64) -> Result<Above> {
        if !self.holds(anchor) {
            return Ok(Above::Nothing);
        }
        let (first, end) = (self.first_seq(), self.sealed_end());
        if let Some(join) = self.joins.get(anchor) {
            if join.skip.is_within(first, end) {
                return Ok(Above::Known(join));
            }
            let alone = join.alone(anchor);
            if alone.skip.is_within(first, end) {
                return Ok(Above::Known(alone));
            }
        }
        let Some((source, row)) = self.locate(anchor)? else { return Ok(Above::Nothing) };
        let named = source.flags(row)?.has(Flags::NAMED);
        if named && let Some(join) = self.late_join(anchor)? {
            return Ok(Above::New { join, stays: join.skip.is_within(first, end) });
        }
        let up = self.parent_link_of(&*source, row)?;
        let Some((parent, _)) = up.known()? else { return Ok(Above::Nothing) };
        let Some((above, parent_row)) = self.locate(parent)? else { return Ok(Above::Nothing) };
        let below = above.below(parent_row)?;
        let join = Join::new(anchor, parent, below.anchor, below.depth);
        // An asserted link may give way to a stronger one, and what a log says may change.
        let stays = join.skip.is_within(first, end) && named;
        Ok(Above::New { join, stays })
    }
}
