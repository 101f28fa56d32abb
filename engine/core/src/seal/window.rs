//! A read-ahead window over a log that is being sealed.

use rkyv::util::AlignedVec;

use crate::base::error::{Error, Result};
use crate::log::record::ALIGN;
use crate::storage::StorageFile;

/// Reads records in ascending order of offsets, with gaps, some bytes ahead.
pub(crate) struct RecordWindow<'l> {
    file: &'l dyn StorageFile,
    name: &'l str,
    /// Aligned as in the log, so that records can be read in place.
    bytes: AlignedVec<ALIGN>,
    at: u64,
}

impl<'l> RecordWindow<'l> {
    pub(crate) fn new(file: &'l dyn StorageFile, name: &'l str) -> Self {
        Self { file, name, bytes: AlignedVec::new(), at: 0 }
    }

    /// Up to where a read for this record should go: over the records `ahead`, which are
    /// wanted next, as long as they are close.
    pub(crate) fn worth_reading(
        &self,
        offset: u64,
        length: u32,
        ahead: impl Iterator<Item = (u64, u32)>,
    ) -> u64 {
        let mut end = offset + u64::from(length);
        if self.holds(offset, length as usize) {
            return end;
        }
        let limit = end + WINDOW_BYTES as u64;
        for (offset, length) in ahead {
            if offset < end || offset - end > NEAR_BYTES || offset > limit {
                break;
            }
            end = offset + u64::from(length);
        }
        end
    }

    /// The `length` bytes at `at`. If they are not in the window, it is filled up to
    /// `until`.
    pub(crate) fn read(&mut self, at: u64, length: usize, until: u64) -> Result<&[u8]> {
        if !self.holds(at, length) {
            let ahead = until.saturating_sub(at).min(WINDOW_BYTES as u64) as usize;
            self.bytes.resize(length.max(ahead), 0);
            self.at = at;
            let read = self
                .file
                .read_at(&mut self.bytes, at)
                .map_err(|error| Error::io("read", self.name, error))?;
            self.bytes.resize(read.min(self.bytes.len()), 0);
            if read < length {
                return Err(Error::damaged(format!(
                    "{}: expected {length} bytes at byte {at}, found {read} before the end",
                    self.name
                )));
            }
        }
        let begin = (at - self.at) as usize;
        Ok(&self.bytes[begin..begin + length])
    }

    /// Whether the window has these bytes.
    fn holds(&self, at: u64, length: usize) -> bool {
        at.checked_sub(self.at)
            .is_some_and(|begin| begin + length as u64 <= self.bytes.len() as u64)
    }
}

/// The most bytes of a read.
const WINDOW_BYTES: usize = 256 << 10;
/// Reading over a gap of this many bytes is cheaper than another call.
const NEAR_BYTES: u64 = 4 << 10;
