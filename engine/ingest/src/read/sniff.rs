//! What a file is by its first bytes, where it is no text.

/// Why a file that begins so can't be read as text, and what to do.
pub(crate) fn not_text(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(SQLITE) {
        return Some("found an SQLite database of no known tool; export it as lines of JSON");
    }
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") || is_utf_16(head) {
        return Some(
            "found text in UTF-16, expected UTF-8; convert it (`iconv -f UTF-16 -t UTF-8`)",
        );
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some("found a tar archive, which is not unpacked; unpack it (`tar xf`)");
    }
    ARCHIVES.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, why)| *why)
}

/// Whether every second byte at the beginning is NUL, as where ASCII is in UTF-16
/// without a mark.
fn is_utf_16(head: &[u8]) -> bool {
    let (pairs, _) = head[..head.len().min(64)].as_chunks::<2>();
    let zeros = |at: usize| pairs.iter().filter(|pair| pair[at] == 0 && pair[1 - at] != 0).count();
    pairs.len() >= 4 && (zeros(0) == pairs.len() || zeros(1) == pairs.len())
}

/// How a database of `SQLite` begins.
pub(crate) const SQLITE: &[u8] = b"SQLite format 3\0";

const ARCHIVES: &[(&[u8], &str)] = &[
    (b"\x1f\x8b", "found a gzip archive, which is not unpacked; unpack it (`gunzip`, `tar xzf`)"),
    (b"PK\x03\x04", "found a zip archive, which is not unpacked; unpack it (`unzip`)"),
    (b"PK\x05\x06", "found an empty zip archive"),
    (b"BZh", "found a bzip2 archive, which is not unpacked; unpack it (`bunzip2`)"),
    (b"\xfd7zXZ\0", "found an xz archive, which is not unpacked; unpack it (`unxz`)"),
    (b"7z\xbc\xaf\x27\x1c", "found a 7z archive, which is not unpacked; unpack it (`7z x`)"),
    (b"\x28\xb5\x2f\xfd", "found a zstd archive, which is not unpacked; unpack it (`unzstd`)"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_text_is_named() {
        let mut tar = vec![b'a'; 600];
        tar[257..262].copy_from_slice(b"ustar");
        for (head, says) in [
            (&b"SQLite format 3\0..."[..], "SQLite"),
            (b"\xff\xfe{\0", "UTF-16"),
            (b"\xfe\xff\0{", "UTF-16"),
            (b"{\0\"\0a\0\"\0:\0", "UTF-16"),
            (b"\0{\0\"\0a\0\"\0:", "UTF-16"),
            (b"\x1f\x8b\x08", "gzip"),
            (b"PK\x03\x04", "zip"),
            (&tar, "tar"),
        ] {
            assert!(not_text(head).is_some_and(|why| why.contains(says)), "{says}");
        }
        for head in [&b""[..], b"{\"a\":1}", b"\0\0\0\0\0\0\0\0\0\0{}", b"text", b"\xef\xbb\xbf{}"]
        {
            assert_eq!(not_text(head), None, "{head:?}");
        }
    }
}
