//! Copies of transcripts: under ids of their own and with other words, so that no
//! copy is a repeat of another and none compresses by another.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::scale::disk;

/// Writes copies into a folder until it has so many bytes; returns how many.
pub(crate) fn write_copies(
    transcripts: &Path,
    folder: &Path,
    bytes: u64,
) -> Result<u64, Box<dyn std::error::Error>> {
    let is_transcript = |file: &PathBuf| file.extension().is_some_and(|e| e == "jsonl");
    let files = disk::files(transcripts)?.into_iter().filter(is_transcript);
    let originals = files.map(fs::read).collect::<io::Result<Vec<_>>>()?;
    if originals.iter().all(Vec::is_empty) {
        return Err(format!("there are no transcripts in {}", transcripts.display()).into());
    }
    let mut written = 0;
    for copy in 0_u32.. {
        for (number, original) in originals.iter().enumerate() {
            if written >= bytes {
                return Ok(written);
            }
            let mut text = original.clone();
            renumber_uuids(&mut text, copy);
            other_words(&mut text, copy);
            let file = folder.join(format!("{copy:05}-{number:04}.jsonl"));
            let mut out = BufWriter::new(File::create(file)?);
            out.write_all(&text)?;
            out.flush()?;
            written += text.len() as u64;
        }
    }
    Ok(written)
}

/// Turns each UUID of a text into another, the same one each time.
fn renumber_uuids(text: &mut [u8], copy: u32) {
    let mut at = 0;
    while at + UUID_BYTES <= text.len() {
        if !is_uuid(&text[at..at + UUID_BYTES]) {
            at += 1;
            continue;
        }
        let digits = &mut text[at..at + 8];
        let number = digits.iter().fold(0_u32, |number, digit| {
            number << 4 | char::from(*digit).to_digit(16).unwrap_or_default()
        });
        let other = format!("{:08x}", number ^ copy.wrapping_mul(0x9e37_79b1));
        digits.copy_from_slice(other.as_bytes());
        at += UUID_BYTES;
    }
}

fn is_uuid(text: &[u8]) -> bool {
    text.iter().enumerate().all(|(at, byte)| match at {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
    })
}

/// Turns each word between two spaces, which is prose and no key, into another of
/// the same length.
fn other_words(text: &mut [u8], copy: u32) {
    let mut from = 0;
    for at in 0..text.len() {
        if text[at].is_ascii_lowercase() {
            continue;
        }
        let is_prose = text[at] == b' ' && from > 0 && text[from - 1] == b' ';
        if is_prose {
            let mut state = copy;
            for letter in &mut text[from..at] {
                state = (state ^ u32::from(*letter)).wrapping_mul(0x0100_0193);
                *letter = b'a' + (state >> 16) as u8 % 26;
            }
        }
        from = at + 1;
    }
}

const UUID_BYTES: usize = 36;
