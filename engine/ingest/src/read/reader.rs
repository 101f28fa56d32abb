//! The one reader of files: what of a file the store has, and reading on.

use std::fs::File;
use std::io::{self, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forebear_core::{Error, Quarantined, Result, Time, limits};
use serde::de::IgnoredAny;

use crate::adapter::{Adapter, SourceFile, Unit};
use crate::choice::Choice;
use crate::importer::Importer;
use crate::read::lines::{Line, LineContent, LineStart, Lines};
use crate::read::parsing::Parsing;
use crate::read::parts::{LineParts, PartContent};
use crate::read::position::{ReadPosition, source_name};
use crate::read::prefix::PrefixDigest;
use crate::read::seen::FileStamp;
use crate::read::source::{FileSource, LineSource};
use crate::registry::{Recognised, read_head};

/// Reads one file, for an import or a follower.
///
/// What lies before `taken` is in the store; what lies before `fed` was shown to the
/// parser. To go on where an earlier process ended, all before `taken` is read and
/// shown to the parser again, and nothing of it stored: that gives the digest to
/// compare and the parser's state, in one go.
#[derive(Debug)]
pub(crate) struct FileReader {
    path: PathBuf,
    /// The name its position is kept under.
    key: String,
    /// Its path, as quarantined input names it.
    name: String,
    /// What it is read as; none before its beginning was read.
    parsing: Option<Parsing>,
    /// Whether the file is a document, of which the lines are read that it stands for.
    is_document: bool,
    /// Of all before `line`.
    prefix: PrefixDigest,
    line: LineStart,
    fed: u64,
    taken: u64,
    /// The digest and the end of what lies before `taken`.
    digest: [u8; 32],
    window: Vec<u8>,
    linked: u64,
    /// Whether links may follow from what lies between `linked` and `taken`.
    said: bool,
    /// A position that the file should still hold, until it was read up to there;
    /// and those to try if it doesn't.
    goal: Option<ReadPosition>,
    others: Vec<ReadPosition>,
    resumed: Option<u64>,
    /// The position in the store.
    stored: Option<ReadPosition>,
    /// Up to where there is no more than a part of a line.
    pub(crate) scanned: u64,
    seen: FileStamp,
    /// Whether a change since would show in `seen`.
    settled: bool,
}

/// What becomes of a last line without a line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastLine {
    /// It waits for the rest, unless it is whole objects.
    Waits,
    /// It is a line, but an object that it ends in, which may be half-written, waits.
    Counts,
}

/// Why reading stopped: the file is tried again, or reported; the store's is an error of
/// the import or the follower.
#[derive(Debug)]
pub(crate) enum ReadFailure {
    File(io::Error),
    Store(Error),
}

pub(crate) type ReadResult<T> = std::result::Result<T, ReadFailure>;

impl From<io::Error> for ReadFailure {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

impl From<Error> for ReadFailure {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// How a turn of reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There is more to read.
    More,
    /// It does not hold the position: it is to be read anew, from its start.
    Again,
    /// At the end of the file.
    End,
}

impl FileReader {
    /// A file that is to be read from where one of the positions says, the first
    /// that it still holds; from its start if it holds none.
    pub(crate) fn new(path: &Path, seen: FileStamp, mut positions: Vec<ReadPosition>) -> Self {
        let mut name = path.to_string_lossy().into_owned();
        name.truncate(name.floor_char_boundary(limits::MAX_SOURCE_BYTES));
        positions.reverse();
        let mut source = Self {
            path: path.to_owned(),
            key: source_name(path),
            name,
            parsing: None,
            is_document: false,
            prefix: PrefixDigest::default(),
            line: LineStart::default(),
            fed: 0,
            taken: 0,
            digest: PrefixDigest::default().digest(),
            window: Vec::new(),
            linked: 0,
            said: false,
            goal: None,
            others: positions,
            resumed: None,
            stored: None,
            scanned: 0,
            seen,
            settled: false,
        };
        source.set_goal();
        source
    }

    fn set_goal(&mut self) {
        self.goal = self.others.pop();
        self.taken = self.goal.as_ref().map_or(0, |goal| goal.taken);
        self.linked = self.goal.as_ref().map_or(0, |goal| goal.linked);
    }

    /// The same file, to be read from its start for the next position there is.
    fn again(&self) -> Self {
        let mut positions = self.others.clone();
        positions.reverse();
        Self { settled: self.settled, ..Self::new(&self.path, self.seen, positions) }
    }

    /// From where it was read on; none if it was read from its start.
    pub(crate) fn resumed(&self) -> Option<u64> {
        self.resumed
    }

    /// Up to where it is in the store.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether a file of which the system says this now may be read on without reading
    /// again what was read: it only grew, and its end then is still where it was.
    pub(crate) fn goes_on(
        &self,
        file: &mut FileSource,
        seen: &FileStamp,
        unfinished: bool,
    ) -> io::Result<bool> {
        // These don't grow but are written anew, and go on only where a turn ended.
        if file.is_packed() || self.is_document() {
            return Ok(unfinished && *seen == self.seen);
        }
        let grew =
            if unfinished { seen.size >= self.line.offset } else { seen.size > self.seen.size };
        Ok(grew && seen.file == self.seen.file && self.holds_window(file)?)
    }

    /// Whether what is read are the lines that a document stands for.
    pub(crate) fn is_document(&self) -> bool {
        self.is_document
    }

    /// Whether something of it was read.
    pub(crate) fn has_begun(&self) -> bool {
        self.line != LineStart::default()
    }

    /// What the system said of it when it was opened, and whether a change since would
    /// show.
    pub(crate) fn seen(&self) -> (FileStamp, bool) {
        (self.seen, self.settled)
    }

    fn holds_window(&self, file: &mut FileSource) -> io::Result<bool> {
        let mut found = vec![0; self.window.len()];
        file.seek(SeekFrom::Start(self.taken - self.window.len() as u64))?;
        match file.read_exact(&mut found) {
            Ok(()) => Ok(found == self.window),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins to read on where it was left. A file of which nothing was taken yet is
    /// recognised anew, since its format may show only now.
    pub(crate) fn lines<'f>(
        &mut self,
        file: &'f mut FileSource,
        importer: &Importer,
    ) -> io::Result<Lines<LineSource<'f>>> {
        if self.fed == 0 {
            file.rewind()?;
            let choice = importer.choice();
            let before = self.format_before(choice);
            let head = read_head(&mut *file)?;
            let Recognised { adapter, is_document } = match before {
                Some(adapter) => Recognised::of(adapter, &self.path, &head),
                None => choice.format_of(&self.path, &head)?,
            };
            let source = SourceFile::new(&self.path, self.seen.modified_ns);
            self.parsing = Some(Parsing::new(adapter, &source));
            self.is_document = is_document;
        }
        let mut source = match &self.parsing {
            Some(parsing) if self.is_document => {
                LineSource::Unfolded(Cursor::new(self.unfold(file, parsing.adapter())?))
            }
            _ => LineSource::File(file),
        };
        source.seek(SeekFrom::Start(self.line.offset))?;
        let prefix = std::mem::take(&mut self.prefix);
        Ok(Lines::new(source, importer.max_payload_bytes(), self.line, prefix))
    }

    /// The lines that a document stands for.
    fn unfold(&self, file: &mut FileSource, adapter: &dyn Adapter) -> io::Result<Vec<u8>> {
        let document = file.document()?;
        let invalid = |reason: String| io::Error::new(ErrorKind::InvalidData, reason);
        // One that is being written may be whole the next time.
        serde_json::from_str::<IgnoredAny>(&document)
            .map_err(|error| invalid(format!("expected a whole JSON document: {error}")))?;
        adapter.unfold(&self.path, &document).map_err(invalid)
    }

    /// The format that it was read as before, up to the position it is to hold. Where
    /// another one is named now, it is read from its start.
    fn format_before(&mut self, choice: &Choice) -> Option<Arc<dyn Adapter>> {
        loop {
            let goal = self.goal.as_ref()?;
            if goal.taken == 0 {
                return None;
            }
            if let Some(adapter) = choice.before(&goal.format) {
                return Some(adapter);
            }
            self.set_goal();
        }
    }

    /// Reads some more, at least a line and not many more than so many bytes.
    ///
    /// A failure leaves the reader useless.
    pub(crate) fn turn<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        importer: &mut Importer,
        bytes: u64,
        last_line: LastLine,
    ) -> ReadResult<Turn> {
        let enough = self.line.offset.saturating_add(bytes);
        let turn = loop {
            let start = lines.place();
            if !self.reach_goal(start, lines) {
                break Turn::Again;
            }
            if start.offset >= enough {
                break Turn::More;
            }
            let before = self.goal_is_inside(start).then(|| lines.prefix().clone());
            let line = match lines.next()? {
                Some(line) => line,
                None if self.goal.is_some() => break Turn::Again,
                None => break Turn::End,
            };
            if let Some(before) = before
                && !self.reach_goal_inside(before, &line)
            {
                break Turn::Again;
            }
            let whole = if line.ended { None } else { self.whole_records(&line) };
            if line.ended || whole.is_some() || last_line == LastLine::Counts {
                self.line(importer, &line)?;
            }
            if !line.ended {
                self.end_unended(start, whole, lines);
                break if self.goal.is_some() { Turn::Again } else { Turn::End };
            }
            self.line = lines.place();
            self.taken = self.taken.max(self.line.offset);
            if importer.is_full() {
                self.mark_line(lines);
                self.store_position(importer, Turn::More)?;
                importer.submit()?;
            }
        };
        if turn == Turn::Again {
            *self = self.again();
            return Ok(turn);
        }
        if lines.place() == self.line {
            self.prefix = lines.prefix().clone();
            self.mark_line(lines);
        }
        self.scanned = lines.offset();
        self.store_position(importer, turn)?;
        Ok(turn)
    }

    /// Gives the position to the batch that is being filled, if it says more than the
    /// one in the store.
    fn store_position(&mut self, importer: &mut Importer, turn: Turn) -> Result<()> {
        if self.goal.is_some() {
            return Ok(());
        }
        let position = ReadPosition {
            seen: self.seen,
            settled: self.settled && turn == Turn::End,
            line: self.line,
            taken: self.taken,
            linked: if self.said { self.linked } else { self.taken },
            digest: self.digest,
            format: self.format().to_owned(),
        };
        let says_more = self.stored.as_ref().is_none_or(|stored| {
            let reached = |position: &ReadPosition| (position.taken, position.linked);
            reached(stored) != reached(&position) || position.settled && *stored != position
        });
        if says_more {
            importer.position(&self.key, position.clone())?;
            self.stored = Some(position);
        }
        Ok(())
    }

    /// The name of its format; empty before its beginning was read.
    pub(crate) fn format(&self) -> &str {
        self.parsing.as_ref().map_or("", |parsing| parsing.adapter().name())
    }

    /// The position in the store, or on its way there.
    pub(crate) fn position(&self) -> Option<&ReadPosition> {
        self.stored.as_ref().or(self.goal.as_ref())
    }

    /// Adds the links that follow from all that was read.
    pub(crate) fn link(&mut self, importer: &mut Importer) -> Result<()> {
        match &mut self.parsing {
            Some(parsing) => importer.link(parsing.parser()),
            None => Ok(()),
        }
    }

    /// Notes that all links up to the position given last are stored.
    pub(crate) fn is_linked(&mut self) {
        if let Some(stored) = &mut self.stored {
            stored.linked = stored.taken;
            (self.linked, self.said) = (stored.taken, false);
        }
    }

    /// Notes what the system says of the file now that it is opened.
    pub(crate) fn opened(&mut self, seen: FileStamp, now_ns: i64) {
        (self.seen, self.settled) = (seen, seen.has_settled(now_ns));
    }

    /// Whether a long last line still has no end, looking only at what is new of it;
    /// else a line that grows for hours would be read from its start each time.
    pub(crate) fn still_waits(&mut self, file: &mut FileSource) -> io::Result<bool> {
        if self.goal.is_some()
            || self.is_document()
            || self.scanned < self.line.offset + LONG_LINE_BYTES
        {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.scanned))?;
        let mut chunk = vec![0; LONG_LINE_BYTES as usize];
        let mut last = b' ';
        loop {
            let length = file.read(&mut chunk)?;
            let part = &chunk[..length];
            if memchr::memchr(b'\n', part).is_some() {
                return Ok(false);
            }
            if length == 0 {
                return Ok(last != b'}');
            }
            last =
                part.iter().rev().find(|byte| !byte.is_ascii_whitespace()).copied().unwrap_or(last);
            self.scanned += length as u64;
        }
    }

    /// Whether the file may still hold the goal; where it lies at this line's start,
    /// whether it does.
    fn reach_goal<R: Read>(&mut self, start: LineStart, lines: &mut Lines<R>) -> bool {
        let Some(goal) = &self.goal else {
            return true;
        };
        if start.offset < goal.line.offset {
            return true;
        }
        if start != goal.line {
            return false;
        }
        if goal.taken > start.offset {
            return true;
        }
        let prefix = lines.prefix();
        prefix.digest() == goal.digest && self.resume(prefix)
    }

    fn goal_is_inside(&self, start: LineStart) -> bool {
        self.goal.as_ref().is_some_and(|goal| goal.line == start && goal.taken > start.offset)
    }

    /// Whether a line, and what stands before it, holds the goal that lies inside it.
    fn reach_goal_inside(&mut self, before: PrefixDigest, line: &Line<'_>) -> bool {
        let (Some(goal), LineContent::Bytes(bytes)) = (&self.goal, &line.content) else {
            return false;
        };
        let Some(taken) = bytes.get(..(goal.taken - line.offset) as usize) else {
            return false;
        };
        let mut prefix = before;
        prefix.add(taken);
        prefix.digest() == goal.digest && self.resume(&prefix)
    }

    /// Goes on from the goal, which the file holds.
    fn resume(&mut self, prefix: &PrefixDigest) -> bool {
        self.mark(prefix);
        self.resumed = Some(self.taken);
        self.stored = self.goal.take();
        true
    }

    /// Keeps the prefix up to the line that is next, unless more was taken.
    fn mark_line<R: Read>(&mut self, lines: &mut Lines<R>) {
        if self.taken == self.line.offset {
            self.mark(lines.prefix());
        }
    }

    /// Keeps the digest and the end of what lies before `taken`.
    fn mark(&mut self, prefix: &PrefixDigest) {
        self.digest = prefix.digest();
        self.window.clear();
        self.window.extend_from_slice(prefix.window());
    }

    /// Ends a turn at a last line without end, of which so many bytes are objects.
    fn end_unended<R: Read>(
        &mut self,
        start: LineStart,
        whole: Option<usize>,
        lines: &mut Lines<R>,
    ) {
        self.line = start;
        let Some((before, after)) = lines.prefixes_of_unended(whole.unwrap_or(0)) else {
            return;
        };
        let taken = start.offset + whole.unwrap_or(0) as u64;
        if taken > self.taken || self.taken == start.offset {
            self.taken = taken.max(self.taken);
            self.mark(&after);
        }
        self.prefix = before;
    }

    fn line(&mut self, importer: &mut Importer, line: &Line<'_>) -> Result<()> {
        let bytes = match line.content {
            LineContent::Bytes(bytes) => bytes,
            LineContent::TooLong(length) => {
                if line.offset + length > self.taken {
                    importer.report.lines += 1;
                    importer.report.bad_lines += 1;
                    let max = importer.max_payload_bytes();
                    let reason = format!("expected a line of at most {max} bytes, found {length}");
                    let input = self.quarantined(line, 0, &[], reason);
                    importer.quarantine(Quarantined { length, ..input })?;
                }
                return Ok(());
            }
        };
        // Taken out, so that it and the rest of `self` can change at once.
        let Some(mut parsing) = self.parsing.take() else {
            return Ok(());
        };
        let read = self.parts(importer, line, bytes, &mut parsing);
        self.parsing = Some(parsing);
        read
    }

    fn parts(
        &mut self,
        importer: &mut Importer,
        line: &Line<'_>,
        bytes: &[u8],
        parsing: &mut Parsing,
    ) -> Result<()> {
        let (mut records, mut bad, mut new) = (0, 0, false);
        let (adapter, max_bytes) = (parsing.shared_adapter(), importer.max_payload_bytes());
        for part in parts(bytes, &*adapter) {
            let (bytes, reason) = match part.content {
                PartContent::Record(record) => {
                    records += 1;
                    let end = line.offset + (part.at + record.len()) as u64;
                    if end <= self.fed {
                        continue;
                    }
                    self.fed = end;
                    let known = end <= self.taken;
                    new |= !known;
                    // Also of known ones: they may be what others answer, and nothing is
                    // said twice of them.
                    let (parsed, refused) = parsing.parse(record, max_bytes);
                    if !known || end > self.linked {
                        let may_link = if known {
                            importer.note_again(&parsed, &*adapter)
                        } else {
                            importer.add(parsed, &*adapter)?
                        };
                        self.said |= may_link || parsing.parser().has_links();
                    }
                    match refused {
                        Some(reason) if !known => (record.as_bytes(), reason),
                        _ => continue,
                    }
                }
                PartContent::Rubbish { unfinished: true, .. } if !line.ended => {
                    importer.report.waiting_lines += 1;
                    continue;
                }
                PartContent::Rubbish { bytes, reason, .. } => (bytes, reason),
            };
            if line.offset + (part.at + bytes.len()) as u64 > self.taken {
                (bad, new) = (bad + 1, true);
                importer.quarantine(self.quarantined(line, part.at, bytes, reason))?;
            }
        }
        if new {
            importer.report.lines += 1;
            importer.report.glued_lines += u64::from(records > 1);
            importer.report.bad_lines += u64::from(bad > 0);
        }
        Ok(())
    }

    /// Where the last of the records on a line without end ends, if there is nothing else
    /// on it. A line that is a record itself may go on.
    fn whole_records(&self, line: &Line<'_>) -> Option<usize> {
        let unit = self.parsing.as_ref()?.adapter().unit();
        match line.content {
            LineContent::Bytes(bytes) if unit == Unit::Object => whole_objects(bytes),
            LineContent::Bytes(_) | LineContent::TooLong(_) => None,
        }
    }

    fn quarantined(&self, line: &Line<'_>, at: usize, bytes: &[u8], reason: String) -> Quarantined {
        Quarantined {
            source: self.name.clone(),
            line: line.number,
            offset: line.offset + at as u64,
            length: bytes.len() as u64,
            reason,
            bytes: bytes.to_vec(),
        }
    }
}

/// Opens a file, and says how it looks and when that was asked.
pub(crate) fn open(path: &Path) -> io::Result<(FileSource, FileStamp, i64)> {
    let file = File::open(path)?;
    let now_ns = Time::now().ns();
    let seen = FileStamp::of(&file.metadata()?);
    Ok((FileSource::new(file)?, seen, now_ns))
}

fn parts<'l>(line: &'l [u8], adapter: &'l dyn Adapter) -> LineParts<'l> {
    match adapter.unit() {
        Unit::Object => LineParts::of_objects(line, Some(adapter)),
        Unit::Line => LineParts::whole(line),
    }
}

/// Where the last of the objects on a line ends, if there is nothing else on it.
fn whole_objects(bytes: &[u8]) -> Option<usize> {
    // Most lines that are cut off don't end like an object: no need to parse them.
    if bytes.trim_ascii_end().last() != Some(&b'}') {
        return None;
    }
    LineParts::of_objects(bytes, None).try_fold(None, |_, part| match part.content {
        PartContent::Record(object) => Some(Some(part.at + object.len())),
        PartContent::Rubbish { .. } => None,
    })?
}

/// A last line that is longer is not parsed anew each time it grows.
const LONG_LINE_BYTES: u64 = 64 << 10;
