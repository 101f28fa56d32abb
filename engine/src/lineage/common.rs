//! Ancestors, and the nearest cause that two events have in common.

use crate::lineage::chain::ChainEnd;
use crate::stored::StoredEvent;

/// What two events have in common.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CommonCause {
    /// The nearest event that both go back to; one of the two, if it is an
    /// ancestor of the other.
    Found(StoredEvent),
    /// Both go back to a root or into a cycle, and not to the same: none.
    None,
    /// At least one of the walks ends before its root, so that a common cause
    /// may be missing, expired or damaged: how each of them ends.
    Unknown(ChainEnd, ChainEnd),
}
