//! What is in a simulated file, and which of it would survive a power loss.

use std::{fmt, io};

use crate::base::random::Random;

/// Disks write whole sectors: a torn write is torn between two of them.
pub(super) const SECTOR_BYTES: usize = 512;
/// What the system writes back at once, or not.
const PAGE_BYTES: usize = 4096;

/// A file's bytes as processes see them, and how to get back from there to the
/// bytes that are durable: what each change since then replaced.
#[derive(Clone, Default)]
pub(super) struct FileContent {
    bytes: Vec<u8>,
    journal: Vec<UndoEntry>,
}

#[derive(Clone)]
struct UndoEntry {
    change: UnsyncedChange,
    /// The bytes that the change overwrote or cut off.
    replaced: Vec<u8>,
    length_before: usize,
    state: ByteState,
}

#[derive(Clone, Copy)]
enum UnsyncedChange {
    Write { offset: usize, length: usize },
    SetLength(usize),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ByteState {
    /// Not synced yet.
    Dirty,
    /// A sync of it failed: the system takes it for clean, so that no later
    /// sync makes it durable.
    Forgotten,
    /// Durable, and kept here since a change before it is not.
    Durable,
}

impl FileContent {
    pub(super) fn durable(bytes: Vec<u8>) -> Self {
        Self { bytes, journal: Vec::new() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Alters bytes behind the back of whoever uses the file.
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    pub(super) fn read_at(&self, buffer: &mut [u8], offset: u64) -> usize {
        let start = usize::try_from(offset).map_or(self.bytes.len(), |o| o.min(self.bytes.len()));
        let count = buffer.len().min(self.bytes.len() - start);
        buffer[..count].copy_from_slice(&self.bytes[start..start + count]);
        count
    }

    pub(super) fn write_at(&mut self, bytes: &[u8], offset: usize) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let length_before = self.bytes.len();
        let end = offset.checked_add(bytes.len()).ok_or_else(no_memory)?;
        self.grow(end)?;
        self.journal.push(UndoEntry {
            change: UnsyncedChange::Write { offset, length: bytes.len() },
            replaced: self.bytes[offset.min(length_before)..end.min(length_before)].to_vec(),
            length_before,
            state: ByteState::Dirty,
        });
        self.bytes[offset..end].copy_from_slice(bytes);
        Ok(())
    }

    pub(super) fn set_len(&mut self, length: usize) -> io::Result<()> {
        let length_before = self.bytes.len();
        self.grow(length)?;
        self.journal.push(UndoEntry {
            change: UnsyncedChange::SetLength(length),
            replaced: self.bytes[length.min(length_before)..length_before].to_vec(),
            length_before,
            state: ByteState::Dirty,
        });
        self.bytes.truncate(length);
        Ok(())
    }

    pub(super) fn sync(&mut self) {
        self.turn_dirty_into(ByteState::Durable);
        let settled =
            self.journal.iter().take_while(|entry| entry.state == ByteState::Durable).count();
        self.journal.drain(..settled);
    }

    /// A sync that failed: what was dirty is taken for clean and may be lost.
    pub(super) fn fail_sync(&mut self) {
        self.turn_dirty_into(ByteState::Forgotten);
    }

    /// What is left after a power loss.
    pub(super) fn after_power_loss(&self, random: &mut Random) -> Self {
        let mut bytes = self.bytes.clone();
        // Undone from the last to the first, each write's own bytes lie bare
        // just before it is undone.
        let mut written: Vec<Vec<u8>> =
            self.journal.iter().rev().map(|entry| entry.undo(&mut bytes)).collect();
        written.reverse();
        for (entry, written) in self.journal.iter().zip(written) {
            entry.replay(&written, &mut bytes, random);
        }
        Self::durable(bytes)
    }

    fn grow(&mut self, length: usize) -> io::Result<()> {
        if let Some(more) = length.checked_sub(self.bytes.len()) {
            self.bytes.try_reserve(more).map_err(|_| no_memory())?;
            self.bytes.resize(length, 0);
        }
        Ok(())
    }

    fn turn_dirty_into(&mut self, state: ByteState) {
        for entry in &mut self.journal {
            if entry.state == ByteState::Dirty {
                entry.state = state;
            }
        }
    }
}

impl UndoEntry {
    /// Takes the change back and returns the bytes that it had written.
    fn undo(&self, bytes: &mut Vec<u8>) -> Vec<u8> {
        match self.change {
            UnsyncedChange::Write { offset, length } => {
                let written = bytes[offset..offset + length].to_vec();
                bytes[offset..offset + self.replaced.len()].copy_from_slice(&self.replaced);
                bytes.truncate(self.length_before);
                written
            }
            UnsyncedChange::SetLength(length) => {
                bytes.truncate(length.min(self.length_before));
                bytes.extend_from_slice(&self.replaced);
                Vec::new()
            }
        }
    }

    /// Makes the change again: all of it if it was durable, else what chance leaves.
    fn replay(&self, written: &[u8], bytes: &mut Vec<u8>, random: &mut Random) {
        let fate = if self.state == ByteState::Durable {
            ChangeFate::Survived
        } else {
            ChangeFate::draw(random)
        };
        match self.change {
            UnsyncedChange::Write { offset, .. } => match fate {
                ChangeFate::Survived => put(bytes, written, offset),
                ChangeFate::Torn(unit) => units(written, offset, unit)
                    .filter(|_| random.coin())
                    .for_each(|(part, at)| put(bytes, part, at)),
                ChangeFate::Begun => {
                    let all = units(written, offset, SECTOR_BYTES).count() as u64;
                    units(written, offset, SECTOR_BYTES)
                        .take(random.below(all + 1) as usize)
                        .for_each(|(part, at)| put(bytes, part, at));
                }
                ChangeFate::Lost => {}
                ChangeFate::LengthOnly => put(bytes, &[], offset + written.len()),
            },
            UnsyncedChange::SetLength(length) => {
                if matches!(fate, ChangeFate::Survived | ChangeFate::LengthOnly) {
                    bytes.resize(length, 0);
                }
            }
        }
    }
}

impl fmt::Debug for FileContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileContent")
            .field("bytes", &self.bytes.len())
            .field("unsynced_changes", &self.journal.len())
            .finish()
    }
}

/// What becomes of a change that was not synced.
enum ChangeFate {
    Survived,
    /// Some of its units of so many bytes are there: sectors, or pages of the system's cache.
    Torn(usize),
    /// The sectors up to some point are there.
    Begun,
    Lost,
    /// The file has grown, and there are zeros where the bytes should be.
    LengthOnly,
}

impl ChangeFate {
    fn draw(random: &mut Random) -> Self {
        match random.below(6) {
            0 => Self::Survived,
            1 => Self::Torn(SECTOR_BYTES),
            2 => Self::Torn(PAGE_BYTES),
            3 => Self::Begun,
            4 => Self::Lost,
            _ => Self::LengthOnly,
        }
    }
}

/// Writes over and past the end, with zeros before what lies past it.
fn put(bytes: &mut Vec<u8>, written: &[u8], offset: usize) {
    let end = offset + written.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(written);
}

/// The parts of a write that lie in one unit each of so many bytes, with their offsets.
fn units(written: &[u8], offset: usize, unit: usize) -> impl Iterator<Item = (&[u8], usize)> {
    let mut rest = written;
    let mut at = offset;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let room = unit - at % unit;
        let (sector, after) = rest.split_at(room.min(rest.len()));
        let found = (sector, at);
        at += sector.len();
        rest = after;
        Some(found)
    })
}

fn no_memory() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "there is no memory for so long a simulated file")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(content: &FileContent) -> impl Iterator<Item = Vec<u8>> {
        (0..200).map(|seed| content.after_power_loss(&mut Random::new(seed)).bytes().to_vec())
    }

    #[test]
    fn what_was_synced_survives_and_what_follows_may_not() {
        let mut content = FileContent::default();
        content.write_at(b"durable", 0).expect("writes");
        content.sync();
        content.write_at(b" or not", 7).expect("writes");
        let outcomes: Vec<_> = outcomes(&content).collect();
        assert!(outcomes.iter().all(|bytes| bytes.starts_with(b"durable")));
        for expected in [&b"durable"[..], b"durable or not", b"durable\0\0\0\0\0\0\0"] {
            assert!(outcomes.iter().any(|bytes| bytes == expected));
        }
        assert_eq!(content.bytes(), b"durable or not");
    }

    #[test]
    fn a_torn_write_is_torn_between_sectors() {
        let mut content = FileContent::durable(vec![1; 3 * SECTOR_BYTES]);
        content.write_at(&[2; 2 * SECTOR_BYTES], SECTOR_BYTES / 2).expect("writes");
        let mut torn = 0;
        for bytes in outcomes(&content) {
            let starts: Vec<u8> = [0, 256, 512, 1024].map(|at| bytes[at]).to_vec();
            assert_eq!(starts[0], 1);
            for (from, to) in [(256, 512), (512, 1024), (1024, 1280)] {
                assert!(bytes[from..to].iter().all(|&b| b == bytes[from]));
            }
            torn += u32::from(starts[1..].contains(&1) && starts[1..].contains(&2));
        }
        assert!(torn > 0);
    }

    #[test]
    fn cuts_and_overlapping_writes_are_undone_in_order() {
        let mut content = FileContent::durable(b"0123456789".to_vec());
        content.write_at(b"abcd", 2).expect("writes");
        content.set_len(4).expect("cuts");
        content.write_at(b"xyz", 3).expect("writes");
        content.set_len(12).expect("grows");
        assert_eq!(content.bytes(), b"01axyz\0\0\0\0\0\0");
        assert!(outcomes(&content).any(|bytes| bytes == b"0123456789"));
        assert!(outcomes(&content).any(|bytes| bytes == b"01axyz\0\0\0\0\0\0"));
    }

    #[test]
    fn after_a_failed_sync_the_next_one_proves_nothing() {
        let mut content = FileContent::default();
        content.write_at(b"first", 0).expect("writes");
        content.fail_sync();
        content.write_at(b"second", 5).expect("writes");
        content.sync();
        let outcomes: Vec<_> = outcomes(&content).collect();
        assert!(outcomes.iter().all(|bytes| bytes.ends_with(b"second")));
        assert!(outcomes.iter().any(|bytes| bytes == b"\0\0\0\0\0second"));

        content.write_at(b"first", 0).expect("writes");
        content.sync();
        let again = content.after_power_loss(&mut Random::new(1));
        assert_eq!(again.bytes(), b"firstsecond", "written again, it is durable");
    }
}
