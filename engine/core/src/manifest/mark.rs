//! Detects a changed manifest without reading all of it.

use crate::base::error::{Error, Result};
use crate::manifest::lines::MARK_BYTES;
use crate::manifest::names::NAME;
use crate::storage::Storage;

/// The length and the last line of a manifest, which has the digest of all others. Costs two
/// reads however many segments there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ManifestMark {
    length: u64,
    end: [u8; MARK_BYTES],
}

impl ManifestMark {
    /// Reads the mark of the current manifest; none where there is no manifest.
    pub(crate) fn read(storage: &dyn Storage) -> Result<Option<Self>> {
        let file = match storage.open(NAME) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", NAME, error)),
        };
        let length = file.len().map_err(|error| Error::io("read the length of", NAME, error))?;
        let mut end = [0; MARK_BYTES];
        file.read_at(&mut end, length.saturating_sub(MARK_BYTES as u64))
            .map_err(|error| Error::io("read", NAME, error))?;
        Ok(Some(Self { length, end }))
    }
}
