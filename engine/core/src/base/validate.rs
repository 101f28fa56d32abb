//! Checks of what comes in, against the limits.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;

pub(crate) fn check_id(field: &str, id: &EventId) -> Result<()> {
    if id.text_len() == 0 {
        return Err(Error::invalid(format!(
            "expected an {field} of 1 to 255 bytes, found an empty one"
        )));
    }
    check_len(field, id.text_len(), limits::MAX_ID_BYTES)
}

pub(super) fn check_len(field: &str, size: usize, limit: usize) -> Result<()> {
    if size > limit { Err(Error::too_long(field, limit, size)) } else { Ok(()) }
}
