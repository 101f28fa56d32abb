//! The lines of a file, one at a time, in memory that does not grow with it.

use std::io::{self, ErrorKind, Read};

use crate::read::prefix::PrefixDigest;

/// Reads lines in memory bounded by the longest line that is let through, and digests
/// what was read.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    max_line_bytes: usize,
    /// What was read last; `start..end` of it has not been handed out.
    chunk: Box<[u8]>,
    start: usize,
    end: usize,
    /// A line that does not lie in one chunk.
    joined: Vec<u8>,
    /// Where `chunk[start]` stands in the file.
    offset: u64,
    number: u64,
    /// Of all bytes handed out but `chunk[digested..start]`.
    prefix: PrefixDigest,
    digested: usize,
    /// The prefix before the line that was handed out last, where that has no end.
    before_unended: Option<PrefixDigest>,
}

/// Where a line begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LineStart {
    /// In bytes from the beginning of the file.
    pub(crate) offset: u64,
    /// How many lines stand before it.
    pub(crate) lines: u64,
}

/// A line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line<'l> {
    /// From 1.
    pub(crate) number: u64,
    /// Where it begins in the file, in bytes.
    pub(crate) offset: u64,
    /// Whether a line feed ends it. Only a file's last line may have none.
    pub(crate) ended: bool,
    pub(crate) content: LineContent<'l>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LineContent<'l> {
    Bytes(&'l [u8]),
    /// It is longer than what is let through: so many bytes, not kept.
    TooLong(u64),
}

impl<R: Read> Lines<R> {
    /// Reads on from where a line begins, which is where the reader stands. Lines
    /// longer than `max_line_bytes` are read through and not kept.
    pub(crate) fn new(
        reader: R,
        max_line_bytes: usize,
        start: LineStart,
        prefix: PrefixDigest,
    ) -> Self {
        let lines = Self::with_chunk(reader, max_line_bytes, CHUNK_BYTES);
        Self { offset: start.offset, number: start.lines, prefix, ..lines }
    }

    fn with_chunk(reader: R, max_line_bytes: usize, chunk_bytes: usize) -> Self {
        Self {
            reader,
            max_line_bytes,
            chunk: vec![0; chunk_bytes].into_boxed_slice(),
            start: 0,
            end: 0,
            joined: Vec::new(),
            offset: 0,
            number: 0,
            prefix: PrefixDigest::default(),
            digested: 0,
            before_unended: None,
        }
    }

    /// Where the next line begins.
    pub(crate) fn place(&self) -> LineStart {
        LineStart { offset: self.offset, lines: self.number }
    }

    /// How many bytes were handed out, line feeds included.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The digest of all that was handed out.
    pub(crate) fn prefix(&mut self) -> &PrefixDigest {
        self.prefix.add(&self.chunk[self.digested..self.start]);
        self.digested = self.start;
        &self.prefix
    }

    /// After a line without end: the digest of what is before it, and with so many of its
    /// bytes.
    pub(crate) fn prefixes_of_unended(
        &mut self,
        bytes: usize,
    ) -> Option<(PrefixDigest, PrefixDigest)> {
        let before = self.before_unended.take()?;
        let mut after = before.clone();
        after.add(&self.joined[..bytes.min(self.joined.len())]);
        Some((before, after))
    }

    /// The next line; none at the end. A last line needs no line feed.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        if self.start == self.end && self.fill()? == 0 {
            return Ok(None);
        }
        if self.joined.capacity() > CHUNK_BYTES {
            self.joined = Vec::new();
        }
        self.joined.clear();
        let offset = self.offset;
        self.number += 1;
        if let Some(length) = memchr::memchr(b'\n', &self.chunk[self.start..self.end])
            && length <= self.max_line_bytes
        {
            let start = self.start;
            self.consume(length + 1);
            return Ok(Some(Line {
                number: self.number,
                offset,
                ended: true,
                content: LineContent::Bytes(&self.chunk[start..start + length]),
            }));
        }
        let before = self.prefix().clone();
        let (length, ended) = self.join()?;
        self.before_unended = (!ended).then_some(before);
        let content = if length > self.max_line_bytes as u64 {
            LineContent::TooLong(length)
        } else {
            LineContent::Bytes(&self.joined)
        };
        Ok(Some(Line { number: self.number, offset, ended, content }))
    }

    /// Gathers the chunks of a line and returns its length and whether it ended;
    /// keeps nothing of a line that is too long.
    fn join(&mut self) -> io::Result<(u64, bool)> {
        let mut length = 0;
        loop {
            let rest = &self.chunk[self.start..self.end];
            let line_feed = memchr::memchr(b'\n', rest);
            let part = &rest[..line_feed.unwrap_or(rest.len())];
            length += part.len() as u64;
            if length > self.max_line_bytes as u64 {
                self.joined = Vec::new();
            } else {
                self.joined.extend_from_slice(part);
            }
            let part_length = part.len();
            if line_feed.is_some() {
                self.consume(part_length + 1);
                return Ok((length, true));
            }
            self.consume(part_length);
            if self.fill()? == 0 {
                return Ok((length, false));
            }
        }
    }

    fn consume(&mut self, bytes: usize) {
        self.start += bytes;
        self.offset += bytes as u64;
    }

    /// Reads the next chunk; 0 at the end of the file.
    fn fill(&mut self) -> io::Result<usize> {
        self.prefix();
        loop {
            match self.reader.read(&mut self.chunk) {
                Ok(length) => {
                    (self.start, self.end, self.digested) = (0, length, 0);
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

const CHUNK_BYTES: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &[u8], max: usize, chunk: usize) -> Vec<(u64, u64, Result<Vec<u8>, u64>)> {
        let mut lines = Lines::with_chunk(text, max, chunk);
        let mut found = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            let content = match line.content {
                LineContent::Bytes(bytes) => Ok(bytes.to_vec()),
                LineContent::TooLong(length) => Err(length),
            };
            found.push((line.number, line.offset, content));
        }
        assert_eq!(lines.offset(), text.len() as u64);
        assert_eq!(lines.prefix().digest(), *blake3::hash(text).as_bytes());
        found
    }

    #[test]
    fn a_line_without_end_can_be_taken_back() {
        let text = b"one\ntwo two\nthree {";
        for chunk in 1..30 {
            let mut lines = Lines::with_chunk(&text[..], 100, chunk);
            let mut ended = Vec::new();
            while let Some(line) = lines.next().unwrap() {
                ended.push(line.ended);
            }
            assert_eq!(ended, [true, true, false], "chunks of {chunk}");
            let (before, after) = lines.prefixes_of_unended(5).unwrap();
            assert_eq!(before.digest(), *blake3::hash(&text[..12]).as_bytes());
            assert_eq!(after.digest(), *blake3::hash(&text[..17]).as_bytes());
            assert_eq!(after.window(), &text[..17]);
        }
    }

    #[test]
    fn lines_and_offsets_are_the_same_however_the_chunks_fall() {
        let text = b"one\n\ntwo two\r\nthree three three\nlast";
        let expected = [
            (1, 0, Ok(b"one".to_vec())),
            (2, 4, Ok(b"".to_vec())),
            (3, 5, Ok(b"two two\r".to_vec())),
            (4, 14, Ok(b"three three three".to_vec())),
            (5, 32, Ok(b"last".to_vec())),
        ];
        for chunk in 1..40 {
            assert_eq!(all(text, 100, chunk), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_and_measured() {
        let text = b"1234\n123456789\n12345\n123456";
        let expected = [
            (1, 0, Ok(b"1234".to_vec())),
            (2, 5, Err(9)),
            (3, 15, Ok(b"12345".to_vec())),
            (4, 21, Err(6)),
        ];
        for chunk in 1..30 {
            assert_eq!(all(text, 5, chunk), expected, "chunks of {chunk}");
        }
    }

    #[test]
    fn an_empty_file_has_no_lines_and_a_line_feed_is_one() {
        assert_eq!(all(b"", 5, 4), []);
        assert_eq!(all(b"\n", 5, 4), [(1, 0, Ok(Vec::new()))]);
    }
}
