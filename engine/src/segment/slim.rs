//! Leaving ids out of the heap that the spine has anyway.
//!
//! The bytes of a UUID are random, so that no compression makes them fewer. Where
//! they are those in the spine, the record's row takes their place, as a distance
//! from the row before; where the parent's are those of its row, the distance of
//! that row does. A byte of the frame that is 0 in the log says which.

use crate::error::{Error, Result};
use crate::log::record::{FRAME_BYTES, Frame};

/// What the spine has of a record's ids.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    pub(crate) row: u32,
    pub(crate) key: [u8; 16],
    /// The row of the parent and its key, if it is in the segment.
    pub(crate) parent: Option<(u32, [u8; 16])>,
}

/// Takes the ids out of a record that begins with `bytes`, its fields whole.
/// `row_before` is that of the record before it in the chunk whose id was taken out.
pub(crate) fn slim(bytes: &mut [u8], ids: &Ids, row_before: &mut u32) -> Result<()> {
    let frame = Frame::parse(bytes, u64::MAX >> 1)?;
    let Some(id) = place(&frame, ID_BACK).filter(|&at| bytes.get(at..at + 16) == Some(&ids.key))
    else {
        return Ok(());
    };
    bytes[LEFT_OUT_AT] |= ID;
    put(bytes, id, ids.row.wrapping_sub(*row_before));
    *row_before = ids.row;
    if let Some((row, key)) = ids.parent
        && let Some(parent) = place(&frame, PARENT_BACK)
        && bytes[parent..parent + 16] == key
    {
        bytes[LEFT_OUT_AT] |= PARENT;
        put(bytes, parent, ids.row.wrapping_sub(row));
    }
    Ok(())
}

/// Puts the ids back into the records of a chunk; `room` is how many bytes the heap
/// has from the chunk's first on.
pub(crate) fn restore(
    chunk: &mut [u8],
    room: u64,
    key_of: impl Fn(u32) -> Result<[u8; 16]>,
) -> Result<()> {
    let (mut at, mut row) = (0, 0_u32);
    while at < chunk.len() {
        let record = &mut chunk[at..];
        let frame = Frame::parse(record, room.saturating_sub(at as u64))?;
        let left_out = record[LEFT_OUT_AT];
        if left_out != 0 {
            if left_out > ID | PARENT || frame.payload_start() > record.len() {
                return Err(misfit());
            }
            let id = place(&frame, ID_BACK).ok_or_else(misfit)?;
            row = row.wrapping_add(take(record, id));
            record[id..id + 16].copy_from_slice(&key_of(row)?);
            if left_out & PARENT != 0 {
                let parent = place(&frame, PARENT_BACK).ok_or_else(misfit)?;
                let parent_row = row.wrapping_sub(take(record, parent));
                record[parent..parent + 16].copy_from_slice(&key_of(parent_row)?);
            }
            record[LEFT_OUT_AT] = 0;
        }
        at += frame.len();
    }
    Ok(())
}

/// Whether a record leaves the byte free that says what was left out.
pub(crate) fn is_free(bytes: &[u8]) -> bool {
    bytes.get(LEFT_OUT_AT) == Some(&0)
}

/// Where in a record the id is that begins so many bytes before its fields end.
fn place(frame: &Frame, back: usize) -> Option<usize> {
    Some(FRAME_BYTES + frame.meta_len.checked_sub(back)?)
}

fn put(bytes: &mut [u8], at: usize, number: u32) {
    bytes[at..at + 16].fill(0);
    bytes[at..at + 4].copy_from_slice(&number.to_le_bytes());
}

fn take(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn misfit() -> Error {
    Error::damaged("expected a record whose ids are in the spine, found another")
}

/// Which ids were left out.
const ID: u8 = 1;
const PARENT: u8 = 2;
/// Where in a record's frame that stands.
const LEFT_OUT_AT: usize = 1;
/// Where the bytes of a UUID begin, counted back from the end of the fields: of the
/// event's id and of its parent's. Part of the format; should the encoding of fields
/// ever put them elsewhere, nothing is left out, and all is read as before.
const ID_BACK: usize = 95;
const PARENT_BACK: usize = 71;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::encoded::Encoder;
    use crate::log::fields::ArchivedEventMeta;
    use crate::{Event, EventId};

    #[test]
    fn ids_are_where_the_format_says() {
        let end = size_of::<ArchivedEventMeta>();
        // In an id the tag comes first; so it does in an option, whose value is aligned.
        let id = std::mem::offset_of!(ArchivedEventMeta, id) + 1;
        let parent = std::mem::offset_of!(ArchivedEventMeta, parent) + 4 + 1;
        assert_eq!((ID_BACK, PARENT_BACK), (end - id, end - parent));
    }

    #[test]
    fn ids_that_were_left_out_come_back() {
        let id = |row: u32| EventId::derived("slim", &row.to_le_bytes());
        let key_of = |row: u32| Ok(id(row).key());
        let (mut logged, mut chunk, mut row_before) = (Vec::new(), Vec::new(), 0);
        for row in [9_u32, 70, 7] {
            // The last record's parent is not the row that the spine says.
            let parent = if row == 7 { 1 } else { row - 3 };
            let event = Event::new("tick").id(id(row)).parent(id(parent)).payload("{}");
            let mut record = Vec::new();
            let mut encoder = Encoder::new(1);
            encoder.event(&event);
            encoder.finish()[0].write_to(&mut record, false);
            logged.extend_from_slice(&record);
            let parent = Some((row - 3, id(row - 3).key()));
            slim(&mut record, &Ids { row, key: id(row).key(), parent }, &mut row_before)
                .expect("sound");
            assert_eq!(record[LEFT_OUT_AT], if row == 7 { ID } else { ID | PARENT });
            assert!(memchr::memmem::find(&record, &id(row).key()).is_none());
            chunk.extend_from_slice(&record);
        }
        let room = chunk.len() as u64;
        for at in 0..chunk.len() {
            let mut changed = chunk.clone();
            changed[at] ^= 0xff;
            let _ = restore(&mut changed, room, key_of);
        }
        restore(&mut chunk, room, key_of).expect("sound");
        assert_eq!(chunk, logged);
    }
}
