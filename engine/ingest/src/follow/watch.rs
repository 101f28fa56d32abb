//! The system's notifications of changed files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::follow::signal::FollowSignal;
use crate::read::seen::{FileId, FileStamp};

/// Watches folders. What the system can't watch, or would report this machine's changes of
/// alone, has to be polled.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    /// The folders that are watched, and which folder each was: one that is made anew
    /// under its name is another.
    watched: BTreeMap<PathBuf, WatchedPath>,
    /// What was at the paths when they were last watched.
    found: Vec<Option<WatchedPath>>,
    /// Whether everything that is there is watched.
    complete: bool,
}

impl Watch {
    pub(crate) fn new(signal: Arc<FollowSignal>) -> Self {
        let report = move |event: notify::Result<notify::Event>| match event {
            // Reading a file is no change, and is what a follower does itself.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) if !event.need_rescan() => signal.changed(event.paths),
            Ok(_) | Err(_) => signal.changed(Vec::new()),
        };
        let watcher = notify::recommended_watcher(report).ok();
        Self { watcher, watched: BTreeMap::new(), found: Vec::new(), complete: false }
    }

    /// Watches what is there of these; whatever was not there before is tried anew.
    pub(crate) fn ensure(&mut self, paths: &[PathBuf]) {
        self.found = paths.iter().map(|path| WatchedPath::at(path)).collect();
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.complete = true;
        for path in paths {
            let Ok(real) = fs::canonicalize(path) else {
                continue;
            };
            // A file may be replaced by another: its folder reports that.
            let (folder, mode) = if real.is_dir() {
                (real.as_path(), RecursiveMode::Recursive)
            } else {
                (real.parent().unwrap_or(&real), RecursiveMode::NonRecursive)
            };
            if is_remote(folder) {
                self.complete = false;
                continue;
            }
            let now = WatchedPath::at(folder);
            if now.is_none() || self.watched.get(folder).copied() == now {
                continue;
            }
            if self.watched.remove(folder).is_some() {
                // What was watched under the name may be gone, and its watch with it.
                let _ = watcher.unwatch(folder);
            }
            match watcher.watch(folder, mode) {
                Ok(()) => self.watched.extend(now.map(|now| (folder.to_owned(), now))),
                Err(_) => self.complete = false,
            }
        }
    }

    /// Whether something else is at the paths than when they were last watched: they
    /// came, went or were replaced, which nothing that is watched need report.
    pub(crate) fn has_moved(&self, paths: &[PathBuf]) -> bool {
        !paths.iter().map(|path| WatchedPath::at(path)).eq(self.found.iter().copied())
    }

    /// Whether the system reports all changes.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
    }
}

/// What is at a path that is to be followed. Which file does not matter, since its
/// folder reports changes; a folder may have the number of one that went, so its age
/// counts too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum WatchedPath {
    File,
    Folder(FileId, Option<SystemTime>),
}

impl WatchedPath {
    fn at(path: &Path) -> Option<Self> {
        let metadata = fs::metadata(path).ok()?;
        let folder = || Self::Folder(FileStamp::of(&metadata).file, metadata.created().ok());
        Some(if metadata.is_dir() { folder() } else { Self::File })
    }
}

/// Whether a folder lies on a file system that others may write to without this
/// system knowing.
fn is_remote(folder: &Path) -> bool {
    let Ok(mounts) = fs::read_to_string("/proc/self/mounts") else {
        return false;
    };
    let mounts = mounts.lines().filter_map(|mount| {
        let mut fields = mount.split(' ').skip(1);
        // Blanks in paths are written as octal escapes.
        let point = fields.next()?.replace("\\040", " ");
        folder.starts_with(&point).then_some((point.len(), fields.next()?))
    });
    // Of several mounted at one point, the last is seen.
    mounts
        .max_by_key(|(length, _)| *length)
        .is_some_and(|(_, kind)| kind.starts_with("fuse.") || REMOTE.contains(&kind))
}

const REMOTE: [&str; 11] =
    ["9p", "afs", "ceph", "cifs", "fuse", "glusterfs", "lustre", "nfs", "nfs4", "smb3", "virtiofs"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_folders_are_not_remote() {
        assert!(!is_remote(Path::new("/proc")));
    }
}
