//! Finding files that have something new.

use std::collections::{BTreeSet, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use forebear_core::{Result, Snapshot, Time};

use crate::follow::follower::{Follower, MAX_FAILING};
use crate::follow::tracked::Tracked;
use crate::read::find::{FileToRead, FilesFound, is_database_by_name_alone};
use crate::read::moved::Moved;
use crate::read::position::{ReadPosition, source_name};
use crate::read::rows::RowsPosition;
use crate::read::seen::{FileId, FileStamp, LOG_SUFFIX};

impl Follower {
    /// Searches for all files, and queues those that may have something new.
    pub(super) fn search(&mut self) -> Result<()> {
        let found = FilesFound::find_present(&self.options.paths, self.importer.choice());
        self.failed =
            found.failed.iter().map(|(path, error)| (path.clone(), format!("{error:#}"))).collect();
        self.failed.truncate(MAX_FAILING);
        self.searches += 1;
        let snapshot = self.store.snapshot();
        let mut new = HashSet::new();
        for file in found.found {
            self.check(&snapshot, file, &mut new)?;
        }
        self.find_moved(&snapshot, &new)?;
        let search = self.searches;
        self.files.retain(|_, file| file.search == search);
        self.ready.retain(|path| self.files.contains_key(path));
        self.touched.retain(|path| self.files.contains_key(path));
        Ok(())
    }

    /// Checks files that the system reports as changed, and those that are due to be tried
    /// again; returns whether to search for more.
    pub(super) fn check_changed(&mut self, paths: &BTreeSet<PathBuf>) -> Result<bool> {
        let snapshot = self.store.snapshot();
        let (mut new, mut search) = (HashSet::new(), false);
        let now = Instant::now();
        let due =
            self.files.iter().filter(|(_, file)| file.retry.is_some() && !file.is_put_off(now));
        let due: Vec<PathBuf> = due.map(|(path, _)| path.clone()).collect();
        for path in paths.iter().chain(&due) {
            let path = &database_of_log(path);
            let examined = fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real)));
            let Ok((metadata, real)) = examined else {
                // One that is to be tried again has gone: it is found when it is back.
                if self.files.get(path).is_some_and(|file| file.retry.is_some()) {
                    self.files.remove(path);
                }
                continue;
            };
            if metadata.is_dir() {
                search = true;
                continue;
            }
            let is_taken =
                || self.importer.choice().takes_file(path) && !is_database_by_name_alone(path);
            if metadata.is_file() && (self.files.contains_key(&real) || is_taken()) {
                let seen = FileStamp::of_file(&real, &metadata);
                let file = FileToRead { path: real, named: false, seen };
                self.check(&snapshot, file, &mut new)?;
            }
        }
        self.find_moved(&snapshot, &new)?;
        Ok(search)
    }

    /// Queues a file if it may have something new. Adds it to `new` if it was not
    /// known under its name.
    fn check(
        &mut self,
        snapshot: &Snapshot,
        file: FileToRead,
        new: &mut HashSet<FileId>,
    ) -> Result<()> {
        let now_ns = Time::now().ns();
        let FileToRead { path, seen, .. } = file;
        if let Some(tracked) = self.files.get_mut(&path) {
            tracked.search = self.searches;
            if tracked.queued
                || tracked.is_put_off(Instant::now())
                || !tracked.may_have_changed(&seen, now_ns)
            {
                return Ok(());
            }
            if tracked.seen.file != seen.file {
                new.insert(seen.file);
            }
            tracked.seen.size = seen.size;
            tracked.queued = true;
            self.waiting.push_back(path);
            return Ok(());
        }
        let known = ReadPosition::of(snapshot, &source_name(&path))?;
        if known.as_ref().is_none_or(|known| known.seen.file != seen.file) {
            new.insert(seen.file);
        }
        let has_room = self.files.len() < MAX_FILES;
        let tracked = match known {
            Some(known) if known.is_current(&seen) => Tracked::unchanged(seen, known.taken),
            None if RowsPosition::of(snapshot, &path)?
                .is_some_and(|known| known.is_current(&seen)) =>
            {
                Tracked::unchanged(seen, seen.size)
            }
            _ => Tracked { seen, queued: true, ..Tracked::default() },
        };
        if tracked.queued {
            self.waiting.push_back(path.clone());
        } else if !has_room {
            self.overflowed = true;
            return Ok(());
        }
        self.files.insert(path, Tracked { search: self.searches, ..tracked });
        Ok(())
    }

    /// Finds under which names files that are new under theirs were read before.
    fn find_moved(&mut self, snapshot: &Snapshot, new: &HashSet<FileId>) -> Result<()> {
        if new.is_empty() {
            return Ok(());
        }
        // What is not remembered from before this run is in the store alone.
        let mut moved = if self.searches <= 1 || self.overflowed {
            Moved::find(snapshot, new)?
        } else {
            Moved::default()
        };
        for (path, tracked) in &self.files {
            if new.contains(&tracked.seen.file) {
                let position =
                    tracked.reader.as_ref().and_then(|reader| reader.position().cloned());
                let position = match position {
                    Some(position) => Some(position),
                    None => ReadPosition::of(snapshot, &source_name(path))?,
                };
                if let Some(position) = position {
                    moved.add(position);
                }
            }
        }
        self.moved.merge(moved);
        Ok(())
    }
}

/// The database that a log belongs to, which is what others write to first; any other path
/// as it is.
fn database_of_log(path: &Path) -> PathBuf {
    let database = path.to_str().and_then(|path| path.strip_suffix(LOG_SUFFIX));
    database.map_or_else(|| path.to_owned(), PathBuf::from)
}

/// Files that are remembered. What rests beyond that is looked up in the store each
/// time that all are searched for.
const MAX_FILES: usize = 50_000;
