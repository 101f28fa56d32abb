//! The bytes of a file: as they stand, or unpacked as they are read.

use std::fmt;
use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use zstd::stream::read::Decoder;

use crate::read::sniff::SQLITE;

/// A file that is read from wherever it was left.
#[derive(Debug)]
pub(crate) enum FileSource {
    Plain(File),
    /// One of `SQLite`.
    Database(File),
    Packed(Packed),
}

/// What lines are read from: a file, or what the document that it holds stands for.
#[derive(Debug)]
pub(crate) enum LineSource<'f> {
    File(&'f mut FileSource),
    Unfolded(Cursor<Vec<u8>>),
}

/// A file in zstd, of which what it holds is read. It can't be entered in the middle: to go
/// to a place, all before it is unpacked again.
pub(crate) struct Packed {
    file: File,
    decoder: Decoder<'static, BufReader<File>>,
    at: u64,
}

impl FileSource {
    pub(crate) fn new(mut file: File) -> io::Result<Self> {
        let mut start = Vec::with_capacity(SQLITE.len());
        (&mut file).take(SQLITE.len() as u64).read_to_end(&mut start)?;
        file.rewind()?;
        if start == SQLITE {
            return Ok(Self::Database(file));
        }
        if !start.starts_with(ZSTD) {
            return Ok(Self::Plain(file));
        }
        let decoder = decoder(&file)?;
        Ok(Self::Packed(Packed { file, decoder, at: 0 }))
    }

    /// All of it, as a text of at most [`MAX_DOCUMENT_BYTES`].
    pub(crate) fn document(&mut self) -> io::Result<String> {
        self.rewind()?;
        let mut document = String::new();
        self.take(MAX_DOCUMENT_BYTES + 1).read_to_string(&mut document)?;
        if document.len() as u64 > MAX_DOCUMENT_BYTES {
            let reason = format!(
                "expected a JSON document of at most {MAX_DOCUMENT_BYTES} bytes, found a longer \
                 one; write its records on a line each"
            );
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        if document.starts_with('\u{feff}') {
            document.drain(..'\u{feff}'.len_utf8());
        }
        Ok(document)
    }

    pub(crate) fn is_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }

    pub(crate) fn is_packed(&self) -> bool {
        matches!(self, Self::Packed(_))
    }
}

impl Read for FileSource {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) | Self::Database(file) => file.read(bytes),
            Self::Packed(packed) => packed.read(bytes),
        }
    }
}

impl Read for LineSource<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(bytes),
            Self::Unfolded(lines) => lines.read(bytes),
        }
    }
}

impl Seek for LineSource<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Unfolded(lines) => lines.seek(to),
        }
    }
}

impl Seek for FileSource {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match (self, to) {
            (Self::Plain(file) | Self::Database(file), to) => file.seek(to),
            (Self::Packed(packed), SeekFrom::Start(offset)) => packed.go_to(offset),
            (Self::Packed(_), _) => Err(ErrorKind::Unsupported.into()),
        }
    }
}

impl Packed {
    fn go_to(&mut self, offset: u64) -> io::Result<u64> {
        if offset < self.at {
            self.decoder = decoder(&self.file)?;
            self.at = 0;
        }
        let to_skip = offset - self.at;
        let skipped = io::copy(&mut self.by_ref().take(to_skip), &mut io::sink())?;
        if skipped < to_skip {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(self.at)
    }
}

impl Read for Packed {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let length = self.decoder.read(bytes).map_err(|error| {
            let reason = format!(
                "expected a whole zstd archive, found one that is cut off or damaged after {} \
                 unpacked bytes ({error}); it is read again once it changes",
                self.at
            );
            io::Error::new(ErrorKind::InvalidData, reason)
        })?;
        self.at += length as u64;
        if self.at > MAX_UNPACKED_BYTES {
            let reason = format!("expected at most {MAX_UNPACKED_BYTES} bytes when unpacked");
            return Err(io::Error::new(ErrorKind::InvalidData, reason));
        }
        Ok(length)
    }
}

impl fmt::Debug for Packed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Packed")
            .field("file", &self.file)
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}

/// The part of a path that names the file, without the ending of what it is packed in.
pub(crate) fn unpacked_path(path: &Path) -> &Path {
    let is_packed = path.extension().is_some_and(|suffix| suffix.eq_ignore_ascii_case("zst"));
    let stem = path.as_os_str().to_str().filter(|_| is_packed);
    stem.map_or(path, |path| Path::new(&path[..path.len() - ".zst".len()]))
}

fn decoder(file: &File) -> io::Result<Decoder<'static, BufReader<File>>> {
    let mut file = file.try_clone()?;
    file.rewind()?;
    let mut decoder = Decoder::new(file)?;
    decoder.window_log_max(MAX_WINDOW_LOG)?;
    Ok(decoder)
}

/// A longer document is not read: it lies in memory as it is, and once more as lines.
const MAX_DOCUMENT_BYTES: u64 = 64 << 20;
/// How a frame of zstd begins.
const ZSTD: &[u8; 4] = b"\x28\xb5\x2f\xfd";
/// Most memory that unpacking takes, as a power of 2: 32 MiB. Tools pack with 2 MiB.
const MAX_WINDOW_LOG: u32 = 25;
/// No file of lines is as long; what claims to be is an archive made to fill disks.
const MAX_UNPACKED_BYTES: u64 = 64 << 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_file_reads_as_what_is_in_it_from_any_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl.zst");
        let text: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
        let (a, b) = text.split_at(400_000);
        let mut packed = zstd::encode_all(a, 3).unwrap();
        packed.extend(zstd::encode_all(b, 3).unwrap());
        std::fs::write(&path, &packed).unwrap();
        let mut source = FileSource::new(File::open(&path).unwrap()).unwrap();
        assert!(source.is_packed());
        for from in [0, 1_000_000, 400_000, 5] {
            source.seek(SeekFrom::Start(from)).unwrap();
            let mut found = Vec::new();
            source.read_to_end(&mut found).unwrap();
            assert!(found == text[from as usize..], "from {from}");
        }
        std::fs::write(&path, &packed[..packed.len() - 1000]).unwrap();
        let mut source = FileSource::new(File::open(&path).unwrap()).unwrap();
        let error = source.read_to_end(&mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("cut off"), "{error}");
    }

    #[test]
    fn names_lose_what_says_how_a_file_is_packed() {
        for (path, expected) in [("/a/b.jsonl.zst", "/a/b.jsonl"), ("c.jsonl", "c.jsonl")] {
            assert_eq!(unpacked_path(Path::new(path)), Path::new(expected));
        }
    }
}
