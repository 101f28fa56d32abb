//! Reading files in turns.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use forebear_core::Result;

use crate::follow::follower::{Follower, Polled};
use crate::follow::tracked::Tracked;
use crate::read::moved::Moved;
use crate::read::position::{ReadPosition, source_name};
use crate::read::reader::{FileReader, LastLine, ReadFailure, ReadResult, Turn, open};
use crate::read::rows::{DatabaseRows, RowsPosition};
use crate::read::seen::FileStamp;
use crate::read::source::FileSource;

impl Follower {
    /// Reads what is queued, each file some in its turn.
    pub(super) fn read_all(&mut self) -> Result<Polled> {
        let (stored, mut bytes) = (self.importer.stored, 0);
        while bytes < POLL_BYTES && !self.signal.is_stopped() {
            while self.active.len() < MAX_ACTIVE
                && let Some(path) = self.waiting.pop_front()
            {
                self.active.push_back(path);
            }
            let Some(path) = self.active.pop_front() else {
                break;
            };
            bytes += self.read(&path)?;
            if self.files.get(&path).is_some_and(|file| file.queued) {
                self.active.push_back(path);
            }
            if self.touched.len() >= MAX_READY || self.importer.links_are_due() {
                self.finish_links()?;
            }
        }
        self.finish_links()?;
        let more = !self.active.is_empty() || !self.waiting.is_empty();
        if !more {
            self.moved = Moved::default();
        }
        Ok(Polled { bytes, events: self.importer.stored - stored, more })
    }

    /// Reads some of a file; returns how much.
    fn read(&mut self, path: &Path) -> Result<u64> {
        let Some(mut tracked) = self.files.remove(path) else {
            return Ok(0);
        };
        tracked.queued = false;
        let before = tracked.reader.as_ref().map_or(0, |reader| reader.scanned);
        match self.read_tracked(path, &mut tracked) {
            Ok(()) => {}
            Err(ReadFailure::Store(error)) => return Err(error),
            // A search finds it where it may have moved.
            Err(ReadFailure::File(error)) if error.kind() == io::ErrorKind::NotFound => {
                self.ready.remove(path);
                self.touched.remove(path);
                return Ok(0);
            }
            Err(ReadFailure::File(error)) => {
                self.read_errors += 1;
                self.ready.remove(path);
                self.touched.remove(path);
                tracked.failed(path, format!("{error:#}"), Instant::now());
            }
        }
        let after = tracked.reader.as_ref().map_or(0, |reader| reader.scanned);
        self.files.insert(path.to_owned(), tracked);
        Ok(after.saturating_sub(before))
    }

    fn read_tracked(&mut self, path: &Path, tracked: &mut Tracked) -> ReadResult<()> {
        let (mut file, seen, now_ns) = open(path)?;
        if file.is_database()
            && let Some(rows) = DatabaseRows::of(&self.importer, path)?
        {
            let known = RowsPosition::of(&self.store.snapshot(), path)?;
            let (seen, settled) = rows.read(&mut self.importer, path, known, true)?;
            (tracked.seen, tracked.settled) = (seen, settled);
            (tracked.taken, tracked.scanned) = (seen.size, seen.size);
            (tracked.retry, tracked.unfinished) = (None, false);
            return Ok(());
        }
        let unfinished = std::mem::take(&mut tracked.unfinished);
        let before = tracked.reader.take();
        let mut reader = match before {
            Some(reader) if reader.goes_on(&mut file, &seen, unfinished)? => reader,
            Some(reader) => {
                let known = reader.position().cloned();
                self.reader(path, seen, known)?
            }
            None => self.reader(path, seen, None)?,
        };
        if !unfinished || !reader.has_begun() {
            reader.opened(seen, now_ns);
        }
        let turn = self.turn(&mut reader, &mut file)?;
        tracked.unfinished = turn != Turn::End;
        tracked.queued = tracked.unfinished;
        (tracked.seen, tracked.settled) = reader.seen();
        if !file.is_packed() && !reader.is_document() {
            tracked.seen.size = tracked.seen.size.max(reader.scanned);
        }
        (tracked.taken, tracked.scanned) = (reader.taken(), reader.scanned);
        tracked.retry = None;
        tracked.used = Some(Instant::now());
        tracked.reader = Some(reader);
        self.ready.insert(path.to_owned());
        self.touched.insert(path.to_owned());
        Ok(())
    }

    fn turn(&mut self, reader: &mut FileReader, file: &mut FileSource) -> ReadResult<Turn> {
        if reader.still_waits(file)? {
            return Ok(Turn::End);
        }
        let is_packed = file.is_packed();
        let mut lines = reader.lines(file, &self.importer)?;
        let bytes = match reader.is_document() {
            true => u64::MAX,
            false if is_packed => PACKED_TURN_BYTES,
            false => TURN_BYTES,
        };
        reader.turn(&mut lines, &mut self.importer, bytes, LastLine::Waits)
    }

    /// A reader from where the file was left, if it still holds that.
    fn reader(
        &self,
        path: &Path,
        seen: FileStamp,
        known: Option<ReadPosition>,
    ) -> Result<Box<FileReader>> {
        let own = match known {
            Some(known) => Some(known),
            None => ReadPosition::of(&self.store.snapshot(), &source_name(path))?,
        };
        Ok(Box::new(FileReader::new(path, seen, self.moved.positions(own, seen.file))))
    }

    /// Adds the links that follow from what was read, and frees the readers of files that
    /// rest.
    pub(super) fn finish_links(&mut self) -> Result<()> {
        for path in &self.touched {
            if let Some(reader) = self.files.get_mut(path).and_then(|file| file.reader.as_mut()) {
                reader.link(&mut self.importer)?;
            }
        }
        self.importer.settle_links()?;
        for path in std::mem::take(&mut self.touched) {
            if let Some(reader) = self.files.get_mut(&path).and_then(|file| file.reader.as_mut()) {
                reader.is_linked();
            }
        }
        self.rest();
        Ok(())
    }

    fn rest(&mut self) {
        let now = Instant::now();
        let mut resting: Vec<_> = self
            .ready
            .iter()
            .filter_map(|path| {
                let file = self.files.get(path)?;
                (!file.unfinished).then(|| (file.used, path.clone()))
            })
            .collect();
        resting.sort_unstable();
        let too_many = self.ready.len().saturating_sub(MAX_READY);
        for (at, (used, path)) in resting.into_iter().enumerate() {
            let is_idle = used.is_none_or(|used| now.duration_since(used) >= READY_TIME);
            if at < too_many || is_idle {
                self.ready.remove(&path);
                if let Some(file) = self.files.get_mut(&path) {
                    file.reader = None;
                }
            }
        }
    }
}

/// Most bytes that a poll reads, and roughly those that a file's turn does.
const POLL_BYTES: u64 = 64 << 20;
const TURN_BYTES: u64 = 1 << 20;
/// Those of a packed file, which each turn unpacks from its start.
const PACKED_TURN_BYTES: u64 = 64 << 20;
/// Files that take turns. Those that wait come in as others are done.
const MAX_ACTIVE: usize = 32;
/// Files that are ready to be read on: 10 KB each, and some more for their agents.
const MAX_READY: usize = 64;
const READY_TIME: Duration = Duration::from_mins(10);
