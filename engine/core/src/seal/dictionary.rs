//! The compression dictionary of a segment: with it small chunks compress as well as large
//! ones.
//!
//! It consists of samples of the log. Training one would take a tenth of the time
//! of sealing and gain little.

use crate::base::error::{Error, Result};
use crate::log::record::{FRAME_BYTES, Frame};
use crate::seal::file::Frozen;

/// Samples a dictionary of at most `bytes_max` from a log of `log_bytes`, whose rows have
/// records of these lengths. Deterministic.
pub(crate) fn of_log(
    log: &Frozen<'_>,
    lengths: &[u32],
    bytes_max: usize,
    log_bytes: u64,
) -> Result<Vec<u8>> {
    let samples = (log_bytes / LOG_BYTES_A_SAMPLE).min((bytes_max / SAMPLE_BYTES) as u64);
    // zstd takes a dictionary that begins with its magic number for a trained one: a zero in
    // front rules that out. Without samples it stays empty.
    let mut dictionary = vec![0; usize::from(samples > 0)];
    dictionary.reserve_exact(samples as usize * SAMPLE_BYTES);
    for number in 0..samples {
        let place = log_bytes / samples * number;
        let (offset, length) = match small_payload_at(log, lengths, place)? {
            Some(payload) => payload,
            None => (place, SAMPLE_BYTES),
        };
        let begin = dictionary.len();
        dictionary.resize(begin + length, 0);
        read(log, offset, &mut dictionary[begin..])?;
    }
    Ok(dictionary)
}

/// The range of the payload of the record at a byte of the log, where it is no longer than a
/// sample. The record's other bytes are not in the heap.
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

/// Bytes of a sample: most of a small record.
const SAMPLE_BYTES: usize = 512;
/// At most one sample is taken from this many bytes of the log.
const LOG_BYTES_A_SAMPLE: u64 = 64 * SAMPLE_BYTES as u64;
