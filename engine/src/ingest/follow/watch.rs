//! Being told by the system which files change.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::ingest::follow::signal::Signal;

/// What is watched. Where the system can't watch something, or would tell of this
/// machine's changes alone, files are looked at in turn.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    /// Whether everything that is there is watched.
    complete: bool,
}

impl Watch {
    pub(crate) fn new(signal: Arc<Signal>) -> Self {
        let tell = move |event: notify::Result<notify::Event>| match event {
            // Reading a file is no change, and is what a follower does itself.
            Ok(event) if matches!(event.kind, EventKind::Access(_)) => {}
            Ok(event) if !event.need_rescan() => signal.changed(event.paths),
            Ok(_) | Err(_) => signal.changed(Vec::new()),
        };
        let watcher = notify::recommended_watcher(tell).ok();
        Self { watcher, watched: BTreeSet::new(), complete: false }
    }

    /// Watches what is there of these; whatever was not there before is tried anew.
    pub(crate) fn ensure(&mut self, paths: &[PathBuf]) {
        let Some(watcher) = &mut self.watcher else {
            return;
        };
        self.complete = true;
        for path in paths {
            let Ok(real) = fs::canonicalize(path) else {
                continue;
            };
            // A file may be replaced by another: its folder tells.
            let (folder, mode) = if real.is_dir() {
                (real.as_path(), RecursiveMode::Recursive)
            } else {
                (real.parent().unwrap_or(&real), RecursiveMode::NonRecursive)
            };
            if is_remote(folder) {
                self.complete = false;
            } else if !self.watched.contains(folder) {
                match watcher.watch(folder, mode) {
                    Ok(()) => _ = self.watched.insert(folder.to_owned()),
                    Err(_) => self.complete = false,
                }
            }
        }
    }

    /// Whether the system tells of all changes.
    pub(crate) fn is_complete(&self) -> bool {
        self.complete
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
