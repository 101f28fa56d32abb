//! The dictionary of a segment: bytes that are like those of its records, which
//! every chunk is compressed with, so that small chunks come out as small as large
//! ones.
//!
//! It is plain content, cut from the log here and there: nothing is trained, which
//! would take longer than the rest of sealing.

use crate::error::{Error, Result};
use crate::segment::seal::Frozen;

/// A dictionary of at most so many bytes for a log of so many bytes. The same log
/// gives the same one.
pub(crate) fn of_log(log: &Frozen<'_>, bytes_max: usize, log_bytes: u64) -> Result<Vec<u8>> {
    let samples = (log_bytes / LOG_BYTES_A_SAMPLE).min((bytes_max / SAMPLE_BYTES) as u64);
    let mut dictionary = vec![0; samples as usize * SAMPLE_BYTES];
    for (number, sample) in (0..).zip(dictionary.chunks_exact_mut(SAMPLE_BYTES)) {
        // The first begins with the log, whose first bytes are not those by which zstd
        // would take it for a dictionary that was trained.
        let offset = log_bytes / samples * number;
        let read =
            log.file.read_at(sample, offset).map_err(|error| Error::io("read", log.name, error))?;
        if read < SAMPLE_BYTES {
            return Err(Error::damaged(format!(
                "{}: expected {SAMPLE_BYTES} bytes at byte {offset}, found {read} before the end",
                log.name
            )));
        }
    }
    Ok(dictionary)
}

/// Bytes of one cut: most of a small record.
const SAMPLE_BYTES: usize = 512;
/// One cut is made from so many bytes of the log, at most.
const LOG_BYTES_A_SAMPLE: u64 = 64 * SAMPLE_BYTES as u64;
