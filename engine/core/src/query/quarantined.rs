//! Listing input that could not be understood.

use std::sync::Arc;

use crate::base::error::Result;
use crate::base::event::Quarantined;
use crate::base::listing::{Listing, Parameters};
use crate::base::page::{PAGE_BYTES, Page, Position};
use crate::query::by_source::by_source;
use crate::view::View;

/// Input that could not be understood. Asked by
/// [`Snapshot::quarantined`](crate::Snapshot::quarantined).
#[derive(Clone, Debug)]
pub struct QuarantinedInput {
    pub(crate) view: Arc<View>,
}

impl Listing for QuarantinedInput {
    type Item = Quarantined;
    const NAME: &'static str = "quarantined";

    fn parameters(&self, _parameters: &mut Parameters) {}

    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Quarantined, Position>> {
        let mut bytes = 0;
        by_source(
            &self.view,
            after,
            limit,
            |source| source.quarantined_len(),
            |source, from, at_most| {
                let mut inputs = Vec::new();
                // One at a time, since each may be large.
                while inputs.len() < at_most && bytes <= PAGE_BYTES {
                    let Some(input) = source.quarantined(from + inputs.len())? else { break };
                    bytes += input.bytes.len();
                    inputs.push(input);
                }
                Ok(inputs)
            },
        )
    }
}
