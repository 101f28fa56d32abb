//! An open file of a simulated disk.

use std::io;
use std::sync::Arc;

use super::Fault;
use super::content::SECTOR_BYTES;
use super::state::{DiskState, Inode, dead};
use crate::base::random::Random;
use crate::base::sync::RwLock;
use crate::storage::StorageFile;

#[derive(Debug)]
pub(super) struct SimulatedFile {
    pub(super) state: Arc<RwLock<DiskState>>,
    pub(super) node: Inode,
}

impl StorageFile for SimulatedFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = self.state.read();
        state.check_alive()?;
        state.reads.begin()?;
        Ok(self.node.read().read_at(buffer, offset))
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = self.state.write();
        let fault = state.begin()?;
        let mut content = self.node.write();
        let start = to_usize(offset)?;
        let (wanted, failure) = match fault {
            None => (bytes.len(), None),
            Some((fault, mut random)) => {
                (torn_length(start, bytes.len(), &mut random), Some(fault.error()))
            }
        };
        let (length, full) = state.take_room(content.bytes().len(), start, wanted);
        content.write_at(&bytes[..length], start)?;
        failure.or(full).map_or(Ok(()), Err)
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = self.state.write();
        let fault = state.begin()?;
        let mut content = self.node.write();
        match fault {
            None => content.sync(),
            Some((fault @ (Fault::Io | Fault::Full | Fault::Interrupted), _)) => {
                content.fail_sync();
                return Err(fault.error());
            }
            Some((Fault::Crash, mut random)) => {
                if random.coin() {
                    content.sync();
                }
            }
        }
        state.check_alive()
    }

    fn len(&self) -> io::Result<u64> {
        self.state.read().check_alive()?;
        Ok(self.node.read().bytes().len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.state.write();
        let fault = state.begin()?;
        let mut content = self.node.write();
        let length = to_usize(length)?;
        let skipped = match fault {
            None => None,
            Some((fault @ (Fault::Io | Fault::Full | Fault::Interrupted), _)) => {
                Some(fault.error())
            }
            Some((Fault::Crash, mut random)) => random.coin().then(dead),
        };
        if let Some(error) = skipped {
            return Err(error);
        }
        let present = content.bytes().len();
        let growth = length.saturating_sub(present);
        if let (_, Some(full)) = state.take_room(present, present, growth) {
            return Err(full);
        }
        content.set_len(length)?;
        state.check_alive()
    }
}

/// How much of a write was done when it failed: nothing, all, or up to the end
/// of a sector.
fn torn_length(offset: usize, length: usize, random: &mut Random) -> usize {
    match random.below(3) {
        0 => 0,
        1 => length,
        _ => {
            let cut = offset + random.below(length as u64 + 1) as usize;
            (cut - cut % SECTOR_BYTES).saturating_sub(offset)
        }
    }
}

fn to_usize(offset: u64) -> io::Result<usize> {
    usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge.into())
}
