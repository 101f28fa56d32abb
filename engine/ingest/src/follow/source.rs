//! A file that is being read: what of it the store has, and reading on.

use forebear_core::{Quarantined, Result, limits};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::follow::position::{Position, source_name};
use crate::follow::seen::Seen;
use crate::formats::{Adapter, Choice, Format, read_head};
use crate::intake::Intake;
use crate::lines::{Line, LineContent, LineStart, Lines};
use crate::objects::{PieceContent, Pieces};
use crate::trail::Trail;

/// A file that is being read.
///
/// What lies before `taken` is in the store; what lies before `fed` was shown to the
/// adapter. To go on where an earlier process ended, all before `taken` is read and
/// shown to the adapter again, and nothing of it stored: that gives the digest to
/// compare and the adapter's state, in one go.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    /// The name its position is kept under.
    key: String,
    /// Its path, as quarantined input names it.
    name: String,
    /// What reads it, and what that is called; none before it is looked at.
    adapter: Option<Box<dyn Adapter>>,
    format: Option<Format>,
    /// Of all before `line`.
    trail: Trail,
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
    goal: Option<Position>,
    others: Vec<Position>,
    resumed: Option<u64>,
    /// The position in the store.
    stored: Option<Position>,
    /// Up to where there is no more than a part of a line.
    pub(crate) looked: u64,
    seen: Seen,
    /// Whether a change since would show in `seen`.
    settled: bool,
}

/// What becomes of a last line without a line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LastLine {
    /// It waits for the rest, unless it is whole objects.
    Waits,
    /// It is a line.
    Counts,
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

impl Source {
    /// A file that is to be read from where one of the positions says, the first
    /// that it still holds; from its start if it holds none.
    pub(crate) fn new(path: &Path, seen: Seen, mut positions: Vec<Position>) -> Self {
        let mut name = path.to_string_lossy().into_owned();
        name.truncate(name.floor_char_boundary(limits::MAX_SOURCE_BYTES));
        positions.reverse();
        let mut source = Self {
            path: path.to_owned(),
            key: source_name(path),
            name,
            adapter: None,
            format: None,
            trail: Trail::default(),
            line: LineStart::default(),
            fed: 0,
            taken: 0,
            digest: Trail::default().digest(),
            window: Vec::new(),
            linked: 0,
            said: false,
            goal: None,
            others: positions,
            resumed: None,
            stored: None,
            looked: 0,
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

    /// Whether a file that looks like this now may be read on without another look at
    /// what was read: it only grew, and its end then is still where it was.
    pub(crate) fn goes_on(
        &self,
        file: &mut File,
        seen: &Seen,
        unfinished: bool,
    ) -> io::Result<bool> {
        let grew =
            if unfinished { seen.size >= self.line.offset } else { seen.size > self.seen.size };
        Ok(grew && seen.file == self.seen.file && self.holds_window(file)?)
    }

    /// Whether something of it was read.
    pub(crate) fn has_begun(&self) -> bool {
        self.line != LineStart::default()
    }

    /// How it looked when it was opened, and whether a change since would show.
    pub(crate) fn seen(&self) -> (Seen, bool) {
        (self.seen, self.settled)
    }

    fn holds_window(&self, file: &mut File) -> io::Result<bool> {
        let mut found = vec![0; self.window.len()];
        file.seek(SeekFrom::Start(self.taken - self.window.len() as u64))?;
        match file.read_exact(&mut found) {
            Ok(()) => Ok(found == self.window),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Begins to read on where it was left. A file of which nothing was taken yet is
    /// looked at anew to know its format, since that may show only now.
    pub(crate) fn lines<F: Read + Seek>(
        &mut self,
        mut file: F,
        intake: &Intake,
    ) -> io::Result<Lines<F>> {
        if self.fed == 0 {
            file.seek(SeekFrom::Start(0))?;
            let choice = intake.choice();
            let format = match self.format_before(choice) {
                Some(format) => format,
                None => choice.format_of(&self.path, &read_head(&mut file)?)?,
            };
            self.adapter = Some(format.adapter(&self.path, self.seen.modified_ns, &choice.mapping));
            self.format = Some(format);
        }
        file.seek(SeekFrom::Start(self.line.offset))?;
        let trail = std::mem::take(&mut self.trail);
        Ok(Lines::new(file, intake.max_payload_bytes(), self.line, trail))
    }

    /// The format that it was read as before, up to the position it is to hold. Where
    /// another one is named now, it is read from its start.
    fn format_before(&mut self, choice: &Choice) -> Option<Format> {
        loop {
            let goal = self.goal.as_ref()?;
            let before = goal.format.parse().ok();
            let is_wanted = choice.format.is_none() || choice.format == before;
            if goal.taken == 0 {
                return None;
            }
            if before.is_some() && is_wanted {
                return before;
            }
            self.set_goal();
        }
    }

    /// Reads some more, at least a line and not many more than so many bytes.
    ///
    /// A failure of the file leaves the source useless; one of the store is an error.
    pub(crate) fn turn<R: Read>(
        &mut self,
        lines: &mut Lines<R>,
        intake: &mut Intake,
        bytes: u64,
        last_line: LastLine,
    ) -> Result<io::Result<Turn>> {
        let enough = self.line.offset.saturating_add(bytes);
        let turn = loop {
            let start = lines.place();
            if !self.reach_goal(start, lines) {
                break Turn::Again;
            }
            if start.offset >= enough {
                break Turn::More;
            }
            let before = self.goal_is_inside(start).then(|| lines.trail().clone());
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) if self.goal.is_some() => break Turn::Again,
                Ok(None) => break Turn::End,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(before) = before
                && !self.reach_goal_inside(before, &line)
            {
                break Turn::Again;
            }
            let whole = if line.ended { None } else { whole_objects(&line) };
            if line.ended || whole.is_some() || last_line == LastLine::Counts {
                self.line(intake, &line)?;
            }
            if !line.ended {
                self.end_unended(start, whole, lines);
                break if self.goal.is_some() { Turn::Again } else { Turn::End };
            }
            self.line = lines.place();
            self.taken = self.taken.max(self.line.offset);
            if intake.is_full() {
                self.mark_line(lines);
                self.store_position(intake, Turn::More)?;
                intake.submit()?;
            }
        };
        if turn == Turn::Again {
            *self = self.again();
            return Ok(Ok(turn));
        }
        if lines.place() == self.line {
            self.trail = lines.trail().clone();
            self.mark_line(lines);
        }
        self.looked = lines.offset();
        self.store_position(intake, turn)?;
        Ok(Ok(turn))
    }

    /// Gives the position to the batch that is being filled, if it says more than the
    /// one in the store.
    fn store_position(&mut self, intake: &mut Intake, turn: Turn) -> Result<()> {
        if self.goal.is_some() {
            return Ok(());
        }
        let position = Position {
            seen: self.seen,
            settled: self.settled && turn == Turn::End,
            line: self.line,
            taken: self.taken,
            linked: if self.said { self.linked } else { self.taken },
            digest: self.digest,
            format: self.format.map(|format| format.to_string()).unwrap_or_default(),
        };
        let says_more = self.stored.as_ref().is_none_or(|stored| {
            let reached = |position: &Position| (position.taken, position.linked);
            reached(stored) != reached(&position) || position.settled && *stored != position
        });
        if says_more {
            intake.position(&self.key, position.clone())?;
            self.stored = Some(position);
        }
        Ok(())
    }

    /// The position in the store, or on its way there.
    pub(crate) fn position(&self) -> Option<&Position> {
        self.stored.as_ref().or(self.goal.as_ref())
    }

    /// Adds the links that follow from all that was read.
    pub(crate) fn link(&mut self, intake: &mut Intake) -> Result<()> {
        self.adapter.as_deref_mut().map_or(Ok(()), |adapter| intake.link(adapter))
    }

    /// Notes that all links up to the position given last are stored.
    pub(crate) fn is_linked(&mut self) {
        if let Some(stored) = &mut self.stored {
            stored.linked = stored.taken;
            (self.linked, self.said) = (stored.taken, false);
        }
    }

    /// Notes what the system says of the file now that it is opened.
    pub(crate) fn opened(&mut self, seen: Seen, now_ns: i64) {
        (self.seen, self.settled) = (seen, seen.has_settled(now_ns));
    }

    /// Whether a long last line still has no end, looking only at what is new of it;
    /// else a line that grows for hours would be read from its start each time.
    pub(crate) fn still_waits(&mut self, file: &mut File) -> io::Result<bool> {
        if self.goal.is_some() || self.looked < self.line.offset + LONG_LINE_BYTES {
            return Ok(false);
        }
        file.seek(SeekFrom::Start(self.looked))?;
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
            self.looked += length as u64;
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
        let trail = lines.trail();
        trail.digest() == goal.digest && self.resume(trail)
    }

    fn goal_is_inside(&self, start: LineStart) -> bool {
        self.goal.as_ref().is_some_and(|goal| goal.line == start && goal.taken > start.offset)
    }

    /// Whether a line, and what stands before it, holds the goal that lies inside it.
    fn reach_goal_inside(&mut self, before: Trail, line: &Line<'_>) -> bool {
        let (Some(goal), LineContent::Bytes(bytes)) = (&self.goal, &line.content) else {
            return false;
        };
        let Some(taken) = bytes.get(..(goal.taken - line.offset) as usize) else {
            return false;
        };
        let mut trail = before;
        trail.add(taken);
        trail.digest() == goal.digest && self.resume(&trail)
    }

    /// Goes on from the goal, which the file holds.
    fn resume(&mut self, trail: &Trail) -> bool {
        self.mark(trail);
        self.resumed = Some(self.taken);
        self.stored = self.goal.take();
        true
    }

    /// Keeps the trail up to the line that is next, unless more was taken.
    fn mark_line<R: Read>(&mut self, lines: &mut Lines<R>) {
        if self.taken == self.line.offset {
            self.mark(lines.trail());
        }
    }

    /// Keeps the digest and the end of what lies before `taken`.
    fn mark(&mut self, trail: &Trail) {
        self.digest = trail.digest();
        self.window.clear();
        self.window.extend_from_slice(trail.window());
    }

    /// Ends a turn at a last line without end, of which so many bytes are objects.
    fn end_unended<R: Read>(
        &mut self,
        start: LineStart,
        whole: Option<usize>,
        lines: &mut Lines<R>,
    ) {
        self.line = start;
        let Some((before, after)) = lines.trails_of_unended(whole.unwrap_or(0)) else {
            return;
        };
        let taken = start.offset + whole.unwrap_or(0) as u64;
        if taken > self.taken || self.taken == start.offset {
            self.taken = taken.max(self.taken);
            self.mark(&after);
        }
        self.trail = before;
    }

    fn line(&mut self, intake: &mut Intake, line: &Line<'_>) -> Result<()> {
        let bytes = match line.content {
            LineContent::Bytes(bytes) => bytes,
            LineContent::TooLong(length) => {
                if line.offset + length > self.taken {
                    intake.report.lines += 1;
                    intake.report.bad_lines += 1;
                    let max = intake.max_payload_bytes();
                    let reason = format!("expected a line of at most {max} bytes, found {length}");
                    let input = self.quarantined(line, 0, &[], reason);
                    intake.quarantine(Quarantined { length, ..input })?;
                }
                return Ok(());
            }
        };
        let Some(mut adapter) = self.adapter.take() else {
            return Ok(());
        };
        let read = self.pieces(intake, line, bytes, adapter.as_mut());
        self.adapter = Some(adapter);
        read
    }

    fn pieces(
        &mut self,
        intake: &mut Intake,
        line: &Line<'_>,
        bytes: &[u8],
        adapter: &mut dyn Adapter,
    ) -> Result<()> {
        let (mut objects, mut bad, mut new) = (0, 0, false);
        for piece in Pieces::new(bytes) {
            let (bytes, reason) = match piece.content {
                PieceContent::Object(object) => {
                    objects += 1;
                    let end = line.offset + (piece.at + object.len()) as u64;
                    if end <= self.fed {
                        continue;
                    }
                    self.fed = end;
                    let read = adapter.event(object);
                    let known = end <= self.taken;
                    new |= !known;
                    match read {
                        Ok(_) if known && end <= self.linked => continue,
                        Ok(read) => {
                            let has_clues = adapter.has_clues();
                            let says_something = if known {
                                has_clues && intake.note_again(&read)
                            } else {
                                intake.event(read, has_clues)?
                            };
                            self.said |= says_something || adapter.has_links();
                            continue;
                        }
                        Err(_) if known => continue,
                        Err(reason) => (object.as_bytes(), reason),
                    }
                }
                PieceContent::Rubbish { bytes, reason } => (bytes, reason),
            };
            if line.offset + (piece.at + bytes.len()) as u64 > self.taken {
                (bad, new) = (bad + 1, true);
                intake.quarantine(self.quarantined(line, piece.at, bytes, reason))?;
            }
        }
        if new {
            intake.report.lines += 1;
            intake.report.glued_lines += u64::from(objects > 1);
            intake.report.bad_lines += u64::from(bad > 0);
        }
        Ok(())
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

/// Where the last of the objects on a line ends, if there is nothing else on it.
fn whole_objects(line: &Line<'_>) -> Option<usize> {
    let LineContent::Bytes(bytes) = line.content else {
        return None;
    };
    // Most lines that are cut off don't end like an object: no need to parse them.
    if bytes.trim_ascii_end().last() != Some(&b'}') {
        return None;
    }
    Pieces::new(bytes).try_fold(None, |_, piece| match piece.content {
        PieceContent::Object(object) => Some(Some(piece.at + object.len())),
        PieceContent::Rubbish { .. } => None,
    })?
}

/// A last line that is longer is not parsed anew each time it grows.
const LONG_LINE_BYTES: u64 = 64 << 10;
