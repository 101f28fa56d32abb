//! What no importer gets below: reading the lines, parsing them, writing as much.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use crate::import::Result;
use crate::import::sqlite::SqliteLine;
use crate::scale::disk;

/// Reads all lines: how many.
pub(crate) fn read(source: &Path) -> Result<u64> {
    let mut lines = 0;
    each_line(source, |_| {
        lines += 1;
        Ok(())
    })?;
    Ok(lines)
}

/// Reads the fields of all lines: how many could be read.
pub(crate) fn parse(source: &Path) -> Result<u64> {
    let mut lines = 0;
    each_line(source, |line| {
        lines += u64::from(serde_json::from_str::<SqliteLine<'_>>(line).is_ok());
        Ok(())
    })?;
    Ok(lines)
}

/// Writes as many bytes to one file and syncs it.
pub(crate) fn write(source: &Path, folder: &Path) -> Result<u64> {
    let path = folder.join("copy");
    let mut out = File::create(&path)?;
    let chunk = vec![b'x'; 512 << 10];
    let mut left = disk::bytes(source, "")?;
    while left > 0 {
        let length = left.min(chunk.len() as u64);
        out.write_all(&chunk[..length as usize])?;
        left -= length;
    }
    out.sync_data()?;
    std::fs::remove_file(path)?;
    Ok(0)
}

/// Shows `visit` each line of each file that is text and not blank.
pub(crate) fn each_line(source: &Path, mut visit: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut line = Vec::new();
    for file in disk::files(source)? {
        let mut reader = BufReader::with_capacity(256 << 10, File::open(file)?);
        while next(&mut reader, &mut line)? {
            if let Ok(text) = std::str::from_utf8(line.trim_ascii())
                && !text.is_empty()
            {
                visit(text)?;
            }
        }
    }
    Ok(())
}

fn next(reader: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    Ok(reader.read_until(b'\n', line)? > 0)
}
