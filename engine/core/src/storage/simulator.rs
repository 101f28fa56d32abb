//! A disk in memory with the faults that disks have.

mod content;
mod file;
mod state;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{LockGuard, LockOutcome, Storage, StorageFile};
use crate::base::random::Random;
use crate::base::sync::RwLock;
use content::{FileContent, SECTOR_BYTES};
use file::SimulatedFile;
use state::{DiskState, Inode, NameChange, dead, folder_of};

/// A folder in memory that can crash, lose power, run full and rot. Clones share
/// it.
///
/// Without faults it costs a copy of each byte written, and a few bytes for each
/// write until the next sync. Every operation that changes something (create,
/// rename, unlink, write, `set_len`, sync, `sync_dir`) has a number, from 1 on,
/// at which it can be made to fail. The same seeds and the same calls give the
/// same outcome: nothing depends on the clock.
///
/// ```
/// use forebear::storage::{SimulatedDisk, Storage};
///
/// let disk = SimulatedDisk::new();
/// let file = disk.create("log")?;
/// file.write_at(b"durable", 0)?;
/// file.sync()?;
/// disk.sync_dir()?;
/// assert_eq!(disk.operations(), 4);
///
/// disk.crash_at(5);
/// assert!(file.write_at(b"never acknowledged", 7).is_err());
/// assert!(file.len().is_err(), "the process is dead");
///
/// let after = disk.power_loss(1);
/// assert!(after.read("log")?.starts_with(b"durable"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct SimulatedDisk {
    state: Arc<RwLock<DiskState>>,
    /// Which folder of the disk this is; empty for the first.
    folder: String,
}

/// What goes wrong at an operation.
///
/// ```
/// use forebear::storage::{Fault, SimulatedDisk, Storage};
///
/// let disk = SimulatedDisk::new();
/// disk.fail_at(2, Fault::Io);
/// let file = disk.create("log")?;
/// assert!(file.write_at(b"lost", 0).is_err());
/// file.write_at(b"kept", 0)?; // The fault struck once.
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The process dies in the operation, which may have been done, or done in
    /// part: a write up to the end of a sector. Every later call fails.
    Crash,
    /// The operation fails with an input or output error, once. Of a write, a
    /// part may be there; after a sync, what was to be synced looks as if it were
    /// durable and is not, and no later sync makes it so.
    Io,
    /// The operation fails for want of room ([`io::ErrorKind::StorageFull`]), as
    /// [`Io`](Self::Io) does otherwise. Removing files never fails so.
    Full,
    /// A signal interrupts the operation ([`io::ErrorKind::Interrupted`]), which fails as
    /// by [`Io`](Self::Io).
    Interrupted,
}

impl SimulatedDisk {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk whose faulty operations are decided by `seed`.
    pub fn with_seed(seed: u64) -> Self {
        let disk = Self::default();
        disk.state.write().seed = seed;
        disk
    }

    /// Another folder of the same disk: it has the same faults and loses power
    /// with it.
    ///
    /// ```
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.create("file")?;
    /// let other = disk.in_folder("/archive");
    /// disk.link_to("file", &other)?;
    /// other.sync_dir()?;
    /// let after = disk.power_loss(1);
    /// assert_eq!(after.in_folder("/archive").list()?, ["file"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn in_folder(&self, path: impl AsRef<Path>) -> Self {
        // Its names are told from others by what stands before them.
        let folder = path.as_ref().to_string_lossy().into_owned();
        Self { state: Arc::clone(&self.state), folder }
    }

    /// How many operations that change something were asked for so far; the
    /// next one has the number after it.
    pub fn operations(&self) -> u64 {
        self.state.read().operations
    }

    /// Makes the operation with this number fail.
    pub fn fail_at(&self, operation: u64, fault: Fault) {
        self.state.write().faults.insert(operation, fault);
    }

    /// Makes the operation with this number fail, and all behind it.
    ///
    /// ```
    /// use forebear::storage::{Fault, SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.fail_from(2, Fault::Full);
    /// let file = disk.create("log")?;
    /// assert!(file.write_at(b"lost", 0).is_err() && file.sync().is_err());
    /// disk.end_faults();
    /// file.write_at(b"kept", 0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fail_from(&self, operation: u64, fault: Fault) {
        self.state.write().fails_from = Some((operation, fault));
    }

    /// How many reads were asked for so far; the next one has the number after it.
    pub fn reads(&self) -> u64 {
        self.state.read().reads.count()
    }

    /// Makes the read with this number fail with an input or output error, alone or with all
    /// behind it. Reads have numbers of their own.
    ///
    /// ```
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.write("log", "bytes");
    /// disk.fail_reads(2, false);
    /// let file = disk.open("log")?;
    /// let read = || file.read_at(&mut [0; 5], 0);
    /// assert!(read().is_ok() && read().is_err() && read().is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn fail_reads(&self, read: u64, and_after: bool) {
        self.state.write().reads.fail_at(read, and_after);
    }

    /// Takes back all faults that have not struck.
    pub fn end_faults(&self) {
        let mut state = self.state.write();
        state.faults.clear();
        state.fails_from = None;
        state.reads.fail_at(0, false);
    }

    /// Kills the process in the operation with this number: [`Fault::Crash`].
    pub fn crash_at(&self, operation: u64) {
        self.fail_at(operation, Fault::Crash);
    }

    /// Lets files grow by so many bytes more, after which writes fail with
    /// [`io::ErrorKind::StorageFull`], what fits being written. None takes the
    /// bound away. Removing files doesn't make room.
    ///
    /// ```
    /// use std::io::ErrorKind;
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// let file = disk.create("log")?;
    /// disk.set_room(Some(4));
    /// assert_eq!(file.write_at(b"too long", 0).map_err(|e| e.kind()), Err(ErrorKind::StorageFull));
    /// assert_eq!(disk.read("log")?, b"too ");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_room(&self, bytes: Option<u64>) {
        self.state.write().room = bytes;
    }

    /// Bounds the bytes of all files together: writes beyond fail with
    /// [`io::ErrorKind::StorageFull`], what fits being written. Unlike
    /// [`set_room`](Self::set_room), removing and cutting files makes room. None takes
    /// the bound away.
    ///
    /// ```
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.set_capacity(Some(4));
    /// disk.create("old")?.write_at(b"full", 0)?;
    /// let new = disk.create("new")?;
    /// assert!(new.write_at(b"more", 0).is_err());
    /// disk.unlink("old")?;
    /// new.write_at(b"more", 0)?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state.write().capacity = bytes;
    }

    /// The disk as another process finds it after this one was killed: all
    /// writes are there, synced or not, and no lock is held. Faults are gone and
    /// operations are counted from 1 again.
    ///
    /// ```
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.create("log")?.write_at(b"not synced", 0)?;
    /// assert_eq!(disk.kill().read("log")?, b"not synced");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn kill(&self) -> Self {
        let state = self.state.read();
        // A node under several names is one in the copy too.
        let mut nodes: HashMap<*const RwLock<FileContent>, Inode> = HashMap::new();
        let mut copy = |node: &Inode| {
            let entry = nodes.entry(Arc::as_ptr(node));
            Arc::clone(entry.or_insert_with(|| Arc::new(RwLock::new(node.read().clone()))))
        };
        let mut copy_names = |names: &BTreeMap<String, Inode>| {
            names.iter().map(|(name, node)| (name.clone(), copy(node))).collect()
        };
        let (names, durable_names) = (copy_names(&state.names), copy_names(&state.durable_names));
        let name_changes = state
            .name_changes
            .iter()
            .map(|change| match change {
                NameChange::Create(name, node) => NameChange::Create(name.clone(), copy(node)),
                other => other.clone(),
            })
            .collect();
        self.with(DiskState {
            names,
            durable_names,
            name_changes,
            seed: state.seed,
            ..DiskState::default()
        })
    }

    /// The disk after a power loss, as `seed` decides. Of each unsynced write all, nothing, a
    /// beginning, some of its sectors or pages or only the file's new length survives; of unsynced
    /// changes of names, those up to some point, or any of them. What survived is durable. Faults
    /// are gone and operations are counted from 1 again.
    ///
    /// ```
    /// use forebear::storage::{SimulatedDisk, Storage};
    ///
    /// let disk = SimulatedDisk::new();
    /// let file = disk.create("log")?;
    /// file.write_at(b"synced", 0)?;
    /// file.sync()?;
    /// disk.sync_dir()?;
    /// file.write_at(b", not synced", 6)?;
    /// for seed in 0..10 {
    ///     assert!(disk.power_loss(seed).read("log")?.starts_with(b"synced"));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn power_loss(&self, seed: u64) -> Self {
        let state = self.state.read();
        let mut random = Random::new(seed);
        let mut names = state.durable_names.clone();
        let others = state.name_changes.iter().map(|change| folder_of(change.name()));
        let folders: BTreeSet<&str> = others.chain([""]).collect();
        for folder in folders {
            let changes: Vec<_> = state
                .name_changes
                .iter()
                .filter(|change| folder_of(change.name()) == folder)
                .collect();
            // Journals keep the order of changes; other file systems keep any of them.
            if random.coin() {
                let survived = random.below(changes.len() as u64 + 1) as usize;
                changes[..survived].iter().for_each(|change| change.apply(&mut names));
            } else {
                state::apply_some(&changes, &state.durable_names, &mut names, &mut random);
            }
        }
        let mut nodes: HashMap<*const RwLock<FileContent>, Inode> = HashMap::new();
        let names: BTreeMap<String, Inode> = names
            .into_iter()
            .map(|(name, node)| {
                let left = nodes.entry(Arc::as_ptr(&node)).or_insert_with(|| {
                    Arc::new(RwLock::new(node.read().after_power_loss(&mut random)))
                });
                (name, Arc::clone(left))
            })
            .collect();
        let seed = random.next();
        self.with(DiskState { durable_names: names.clone(), names, seed, ..DiskState::default() })
    }

    /// A file's bytes, dead process or not.
    pub fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.state.read().node(&self.key(name))?.read().bytes().to_vec())
    }

    /// Replaces a file's bytes or makes the file, durably and behind the back of
    /// whoever uses the disk. All changes of names so far become durable.
    pub fn write(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        let mut state = self.state.write();
        let content = FileContent::durable(bytes.into());
        let node = state.names.entry(self.key(name)).or_default();
        *node.write() = content;
        state.sync_names(&self.folder);
    }

    /// Removes a file as [`write`](Self::write) makes one.
    pub fn remove(&self, name: &str) -> io::Result<()> {
        let mut state = self.state.write();
        let key = self.key(name);
        state.node(&key)?;
        state.names.remove(&key);
        state.sync_names(&self.folder);
        Ok(())
    }

    /// Cuts a file or fills it up with zeros, as [`write`](Self::write) does.
    pub fn truncate(&self, name: &str, length: usize) -> io::Result<()> {
        let mut bytes = self.read(name)?;
        bytes.resize(length, 0);
        self.write(name, bytes);
        Ok(())
    }

    /// Flips a bit (0 to 7) of the byte at `offset`.
    ///
    /// ```
    /// use forebear::storage::SimulatedDisk;
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.write("log", "a");
    /// disk.flip_bit("log", 0, 1)?;
    /// disk.truncate("log", 2)?;
    /// assert_eq!(disk.read("log")?, b"c\0");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn flip_bit(&self, name: &str, offset: usize, bit: u8) -> io::Result<()> {
        let state = self.state.read();
        let mut content = state.node(&self.key(name))?.write();
        let length = content.bytes().len();
        let byte = content.bytes_mut().get_mut(offset).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("expected an offset below {name}'s length of {length}, found {offset}"),
            )
        })?;
        *byte ^= 1 << (bit % 8);
        Ok(())
    }

    /// Copies the sector of 512 bytes with this number, as far as the file has it, over another:
    /// a write that went to the wrong place, or a read from there.
    ///
    /// ```
    /// use forebear::storage::SimulatedDisk;
    ///
    /// let disk = SimulatedDisk::new();
    /// disk.write("log", [vec![1; 512], vec![2; 512]].concat());
    /// disk.misdirect("log", 0, 1)?;
    /// assert_eq!(disk.read("log")?, vec![1; 1024]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn misdirect(&self, name: &str, from: usize, to: usize) -> io::Result<()> {
        let state = self.state.read();
        let mut content = state.node(&self.key(name))?.write();
        let bytes = content.bytes_mut();
        let (from, to) = (from * SECTOR_BYTES, to * SECTOR_BYTES);
        let length = SECTOR_BYTES.min(bytes.len().saturating_sub(from.max(to)));
        if length == 0 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("expected two sectors of the {} bytes of {name}", bytes.len()),
            ));
        }
        bytes.copy_within(from..from + length, to);
        Ok(())
    }

    /// What the disk knows a name of this folder by.
    fn key(&self, name: &str) -> String {
        if self.folder.is_empty() { name.to_owned() } else { format!("{}/{name}", self.folder) }
    }

    /// This folder of a disk in another state.
    fn with(&self, state: DiskState) -> Self {
        Self { state: Arc::new(RwLock::new(state)), folder: self.folder.clone() }
    }

    fn open_node(&self, node: Inode) -> Box<dyn StorageFile> {
        Box::new(SimulatedFile { state: Arc::clone(&self.state), node })
    }

    /// Counts a change of names and makes it unless a fault is due.
    fn change_names<T>(
        &self,
        change: impl FnOnce(&mut DiskState) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut state = self.state.write();
        match state.begin()? {
            None => change(&mut state),
            Some((fault @ (Fault::Io | Fault::Full | Fault::Interrupted), _)) => Err(fault.error()),
            Some((Fault::Crash, mut random)) => {
                if random.coin() {
                    change(&mut state)?;
                }
                Err(dead())
            }
        }
    }
}

impl Storage for SimulatedDisk {
    fn open(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let state = self.state.read();
        state.check_alive()?;
        Ok(self.open_node(Arc::clone(state.node(&self.key(name))?)))
    }

    fn create(&self, name: &str) -> io::Result<Box<dyn StorageFile>> {
        let node = self.change_names(|state| state.create(&self.key(name)))?;
        Ok(self.open_node(node))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.change_names(|state| {
            let (from, to) = (self.key(from), self.key(to));
            state.node(&from)?;
            state.change(NameChange::Rename(from, to));
            Ok(())
        })
    }

    fn unlink(&self, name: &str) -> io::Result<()> {
        let name = self.key(name);
        let change = |state: &mut DiskState| {
            state.node(&name)?;
            state.change(NameChange::Unlink(name.clone()));
            Ok(())
        };
        match self.change_names(change) {
            Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                change(&mut self.state.write())
            }
            outcome => outcome,
        }
    }

    fn list(&self) -> io::Result<Vec<String>> {
        let state = self.state.read();
        state.check_alive()?;
        let own = state.names.keys().filter(|key| folder_of(key) == self.folder);
        Ok(own.map(|key| key.rsplit('/').next().unwrap_or(key).to_owned()).collect())
    }

    fn sync_dir(&self) -> io::Result<()> {
        self.change_names(|state| {
            state.sync_names(&self.folder);
            Ok(())
        })
    }

    fn lock(&self, name: &str, holder: &str) -> io::Result<LockOutcome> {
        let mut state = self.state.write();
        state.check_alive()?;
        let key = self.key(name);
        if !state.locks.insert(key.clone()) {
            let holder = state.node(&key)?.read().bytes().to_vec();
            return Ok(LockOutcome::HeldBy(String::from_utf8_lossy(&holder).into_owned()));
        }
        state.create(&key)?.write().write_at(holder.as_bytes(), 0)?;
        let state = Arc::clone(&self.state);
        Ok(LockOutcome::Taken(Box::new(SimulatedLock { state, key })))
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn folder(&self, path: &Path) -> io::Result<Arc<dyn Storage>> {
        self.state.read().check_alive()?;
        Ok(Arc::new(self.in_folder(path)))
    }
}

#[derive(Debug)]
struct SimulatedLock {
    state: Arc<RwLock<DiskState>>,
    key: String,
}

impl LockGuard for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        self.state.write().locks.remove(&self.key);
    }
}

#[cfg(test)]
mod tests;
