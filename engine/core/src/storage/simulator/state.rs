//! The names of a simulated disk, the count of its operations and its faults.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::Fault;
use super::content::FileContent;
use crate::base::random::Random;
use crate::base::sync::RwLock;
use crate::base::sync::atomic::{AtomicU64, Ordering};

/// A file, whatever its names are.
pub(super) type Inode = Arc<RwLock<FileContent>>;

#[derive(Debug, Default)]
pub(super) struct DiskState {
    pub(super) names: BTreeMap<String, Inode>,
    /// The names that survive a power loss in any case.
    pub(super) durable_names: BTreeMap<String, Inode>,
    /// What leads from the durable names to the present ones.
    pub(super) name_changes: Vec<NameChange>,
    pub(super) locks: BTreeSet<String>,
    pub(super) operations: u64,
    pub(super) faults: BTreeMap<u64, Fault>,
    /// What every operation from this one on fails with.
    pub(super) fails_from: Option<(u64, Fault)>,
    pub(super) reads: Reads,
    pub(super) dead: bool,
    /// Bytes by which files may still grow.
    pub(super) room: Option<u64>,
    /// Bytes that all files may have together.
    pub(super) capacity: Option<u64>,
    pub(super) seed: u64,
}

/// Counts reads, which change nothing and are not kept from each other.
#[derive(Debug, Default)]
pub(super) struct Reads {
    count: AtomicU64,
    /// The read that fails, if any, and whether those behind it do.
    fails_at: u64,
    and_after: bool,
}

impl Reads {
    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// None fails at 0.
    pub(super) fn fail_at(&mut self, read: u64, and_after: bool) {
        (self.fails_at, self.and_after) = (read, and_after);
    }

    pub(super) fn begin(&self) -> io::Result<()> {
        let read = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let fails = read == self.fails_at || self.and_after && read > self.fails_at;
        if fails { Err(io_error()) } else { Ok(()) }
    }
}

#[derive(Clone, Debug)]
pub(super) enum NameChange {
    Create(String, Inode),
    Rename(String, String),
    Unlink(String),
}

impl DiskState {
    /// Counts an operation and says which fault is due in it.
    pub(super) fn begin(&mut self) -> io::Result<Option<(Fault, Random)>> {
        self.check_alive()?;
        self.operations += 1;
        let from = self.fails_from.filter(|&(from, _)| from <= self.operations);
        let fault = self.faults.remove(&self.operations).or(from.map(|(_, fault)| fault));
        let Some(fault) = fault else { return Ok(None) };
        self.dead = fault == Fault::Crash;
        let seed = Random::new(self.seed ^ self.operations.rotate_left(32)).next();
        Ok(Some((fault, Random::new(seed))))
    }

    pub(super) fn check_alive(&self) -> io::Result<()> {
        if self.dead { Err(dead()) } else { Ok(()) }
    }

    pub(super) fn node(&self, name: &str) -> io::Result<&Inode> {
        self.names.get(name).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("there is no simulated file {name:?}"))
        })
    }

    /// An empty file: a new one, or the one of this name cut to nothing.
    pub(super) fn create(&mut self, name: &str) -> io::Result<Inode> {
        if let Some(node) = self.names.get(name) {
            node.write().set_len(0)?;
            return Ok(Arc::clone(node));
        }
        let node = Inode::default();
        self.change(NameChange::Create(name.to_owned(), Arc::clone(&node)));
        Ok(node)
    }

    pub(super) fn change(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    /// Makes the names in a folder durable.
    pub(super) fn sync_names(&mut self, folder: &str) {
        self.name_changes.retain(|change| folder_of(change.name()) != folder);
        self.durable_names.retain(|name, _| folder_of(name) != folder);
        let own = self.names.iter().filter(|(name, _)| folder_of(name) == folder);
        self.durable_names.extend(own.map(|(name, node)| (name.clone(), Arc::clone(node))));
    }

    /// How much of a write there is room for, and the error where that isn't all.
    pub(super) fn take_room(
        &mut self,
        present: usize,
        offset: usize,
        wanted: usize,
    ) -> (usize, Option<io::Error>) {
        let others = self.capacity.map(|capacity| capacity.saturating_sub(self.used()));
        let free = others.map(|free| free.saturating_sub(present as u64));
        let Some(room) = self.room.into_iter().chain(free).min() else {
            return (wanted, None);
        };
        let limit = present.saturating_add(usize::try_from(room).unwrap_or(usize::MAX));
        let length = wanted.min(limit.saturating_sub(offset));
        if length > 0 {
            let growth = (offset + length).saturating_sub(present);
            self.room = self.room.map(|room| room - growth as u64);
        }
        (length, (length < wanted).then(full))
    }

    /// The bytes of all files but the one that is being changed, which is locked.
    fn used(&self) -> u64 {
        let mut counted = BTreeSet::new();
        let files = self.names.values().filter(|node| counted.insert(Arc::as_ptr(node)));
        files.filter_map(|node| Some(node.try_read()?.bytes().len() as u64)).sum()
    }
}

impl NameChange {
    /// A name that it changes; all are of one folder.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Create(name, _) | Self::Rename(name, _) | Self::Unlink(name) => name,
        }
    }

    pub(super) fn apply(&self, names: &mut BTreeMap<String, Inode>) {
        match self {
            Self::Create(name, node) => {
                names.insert(name.clone(), Arc::clone(node));
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            Self::Unlink(name) => {
                names.remove(name);
            }
        }
    }
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Self::Crash => dead(),
            Self::Io => io_error(),
            Self::Full => full(),
            Self::Interrupted => {
                io::Error::new(io::ErrorKind::Interrupted, "a simulated signal came in between")
            }
        }
    }
}

/// Makes some of the changes since the `durable` names, each by chance. What a change is of keeps
/// its name from before where that one was lost.
pub(super) fn apply_some(
    changes: &[&NameChange],
    durable: &BTreeMap<String, Inode>,
    names: &mut BTreeMap<String, Inode>,
    random: &mut Random,
) {
    let mut meant = durable.clone();
    for change in changes {
        let survives = random.coin();
        match change {
            NameChange::Rename(from, to) if survives => {
                if let Some(node) = meant.get(from) {
                    names.remove(from);
                    names.insert(to.clone(), Arc::clone(node));
                }
            }
            change if survives => change.apply(names),
            _ => {}
        }
        change.apply(&mut meant);
    }
}

/// The folder of the disk that a name is in.
pub(super) fn folder_of(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(folder, _)| folder)
}

pub(super) fn dead() -> io::Error {
    io::Error::other("the simulated process died")
}

fn full() -> io::Error {
    io::Error::new(io::ErrorKind::StorageFull, "the simulated disk is full")
}

fn io_error() -> io::Error {
    io::Error::other("a simulated input or output error")
}
