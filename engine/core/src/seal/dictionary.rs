//! The dictionary of a segment: bytes that are like those of its records, which
//! every chunk is compressed with, so that small chunks come out as small as large
//! ones.
//!
//! It is plain content, cut from the log here and there: nothing is trained, which
//! would take a tenth of the time of sealing and gain little.

use crate::base::error::{Error, Result};
use crate::log::record::{FRAME_BYTES, Frame};
use crate::seal::file::Frozen;

/// A dictionary of at most so many bytes for a log of so many bytes, whose rows have
/// records of these lengths. The same log gives the same one.
pub(crate) fn of_log(
    log: &Frozen<'_>,
    lengths: &[u32],
    bytes_max: usize,
    log_bytes: u64,
) -> Result<Vec<u8>> {
    let samples = (log_bytes / LOG_BYTES_A_SAMPLE).min((bytes_max / SAMPLE_BYTES) as u64);
    // zstd takes what begins with some bytes for a dictionary that was trained: not with
    // a zero. Without cuts it stays empty.
    let mut dictionary = vec![0; usize::from(samples > 0)];
    dictionary.reserve_exact(samples as usize * SAMPLE_BYTES);
    for number in 0..samples {
        let cut = log_bytes / samples * number;
        let (offset, length) = match small_payload_at(log, lengths, cut)? {
            Some(payload) => payload,
            None => (cut, SAMPLE_BYTES),
        };
        let begin = dictionary.len();
        dictionary.resize(begin + length, 0);
        read(log, offset, &mut dictionary[begin..])?;
    }
    Ok(dictionary)
}

/// Where the payload of the record lies that a byte of the log is part of, and how long
/// it is, where it is no longer than a cut: what else the record has is not in the heap.
fn small_payload_at(log: &Frozen<'_>, lengths: &[u32], at: u64) -> Result<Option<(u64, usize)>> {
    let row = log.index.rows().partition_point(|row| row.offset <= at);
    let Some(row) = row.checked_sub(1) else { return Ok(None) };
    let (offset, length) = (log.index.row(row as u32).offset, u64::from(lengths[row]));
    if at >= offset + length {
        return Ok(None);
    }
    let mut frame = [0; FRAME_BYTES];
    read(log, offset, &mut frame)?;
    let frame = Frame::parse(&frame, length)?;
    let payload = frame.payload_len.filter(|&length| length <= SAMPLE_BYTES);
    Ok(payload.map(|length| (offset + frame.payload_start() as u64, length)))
}

fn read(log: &Frozen<'_>, offset: u64, to: &mut [u8]) -> Result<()> {
    let read = log.file.read_at(to, offset).map_err(|error| Error::io("read", log.name, error))?;
    if read == to.len() {
        return Ok(());
    }
    Err(Error::damaged(format!(
        "{}: expected {} bytes at byte {offset}, found {read} before the end",
        log.name,
        to.len()
    )))
}

/// Bytes of one cut: most of a small record.
const SAMPLE_BYTES: usize = 512;
/// One cut is made from so many bytes of the log, at most.
const LOG_BYTES_A_SAMPLE: u64 = 64 * SAMPLE_BYTES as u64;
