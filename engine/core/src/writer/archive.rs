//! Archives: folders that segments go to before they are dropped.
//!
//! An archive is a store of its own without a log: the same segments under the same
//! names, and a manifest that says so. Its files are durable before its manifest
//! names them, and that is before the store's own forgets them, so that a segment is
//! in one of the two at any time. What a crash left half done is done again.

use std::io::ErrorKind;
use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::format::StoreId;
use crate::base::kinds::NamedKind;
use crate::manifest::Sealed;
use crate::manifest::{self, LogStart, Manifest, Read, idx_name, seg_name, segment_of};
use crate::storage::Storage;

/// Adds segments to the archive at `path`, which is `to`. They are durable there
/// when this returns. Those that it has already are left as they are.
pub(crate) fn archive(
    from: &dyn Storage,
    to: &dyn Storage,
    path: &Path,
    store: StoreId,
    kinds: Vec<NamedKind>,
    going: &[Sealed],
) -> Result<()> {
    let Some(first) = going.first() else { return Ok(()) };
    let failed = |action: &'static str, name: &str| {
        let place = path.join(name);
        move |error| Error::io(action, place, error)
    };
    let mut manifest = match read(to, path)? {
        Some(manifest) => manifest,
        None => Manifest {
            active: LogStart {
                segment: first.segment,
                first_seq: first.first_seq,
                previous: before(from, first)?,
            },
            archive: true,
            ..Manifest::new(store, Vec::new())
        },
    };
    manifest.kinds = kinds;
    check(path, store, &manifest, going)?;
    let new: Vec<&Sealed> =
        going.iter().filter(|sealed| sealed.segment >= manifest.active.segment).collect();
    let (Some(begin), Some(last)) = (new.first(), new.last()) else { return Ok(()) };
    if before(from, begin)? != manifest.active.previous {
        return Err(Error::foreign(format!(
            "the folder {}: expected an archive whose last block comes before segment {}, found \
             another past; choose another folder",
            path.display(),
            begin.segment
        )));
    }
    for sealed in &new {
        for name in [seg_name(sealed.segment), idx_name(sealed.segment)] {
            // What was linked or copied before a crash may not be whole.
            match to.unlink(&name) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(failed("remove", &name)(error));
                }
                _ => {}
            }
            match from.link_to(&name, to) {
                // The index can be made again from the segment.
                Err(error)
                    if error.kind() == ErrorKind::NotFound && name == idx_name(sealed.segment) => {}
                Err(error) => return Err(failed("copy to", &name)(error)),
                Ok(()) => {}
            }
        }
    }
    // The archive has them before its manifest says so, and that is on disk before the store's
    // own lets them go.
    to.sync_dir().map_err(failed("sync the folder of", ""))?;
    manifest.active =
        LogStart { segment: last.segment + 1, first_seq: last.end_seq(), previous: last.last };
    manifest.sealed.extend(new.into_iter().cloned());
    manifest.write(to)
}

/// The manifest of the archive; none where the folder is to become one.
fn read(to: &dyn Storage, path: &Path) -> Result<Option<Manifest>> {
    match Manifest::read(to)? {
        Read::Sound(manifest) => Ok(Some(manifest)),
        Read::Damaged(reason) => Err(Error::damaged(format!(
            "the manifest of the archive at {} can't be used: {reason}; restore it from a copy, or \
             choose another folder",
            path.display()
        ))),
        Read::Absent => {
            let names = to.list().map_err(|error| Error::io("list", path, error))?;
            let is_ours = |name: &String| {
                name == manifest::NEXT
                    || [".seg", ".idx"].iter().any(|end| segment_of(name, end).is_some())
            };
            match names.iter().find(|name| !is_ours(name)) {
                None => Ok(None),
                Some(other) => Err(Error::foreign(format!(
                    "expected an archive or an empty folder at {}, found one with other files in \
                     it, such as {other:?}; choose another folder",
                    path.display()
                ))),
            }
        }
    }
}

/// Refuses what is no archive of this store, or does not go up to these segments.
fn check(path: &Path, store: StoreId, archive: &Manifest, going: &[Sealed]) -> Result<()> {
    let refused = |what: String| {
        Err(Error::foreign(format!("the folder {}: {what}; choose another folder", path.display())))
    };
    if archive.store != store {
        return refused("expected an archive of this store, found one of another".to_owned());
    }
    if !archive.archive {
        return refused("expected an archive, found a store that is written to".to_owned());
    }
    let next = archive.active;
    for sealed in going {
        let known = archive.sealed.binary_search_by_key(&sealed.segment, |known| known.segment);
        let fits = match known {
            Ok(at) => archive.sealed[at].footer == sealed.footer,
            // Behind the last, or else before the first.
            Err(_) if sealed.segment == next.segment => sealed.first_seq == next.first_seq,
            Err(_) => sealed.segment > next.segment && sealed.segment != going[0].segment,
        };
        if !fits {
            return refused(format!(
                "expected an archive that goes on with segment {} (events from {} on), found one \
                 that goes on with segment {} (events from {} on)",
                sealed.segment, sealed.first_seq, next.segment, next.first_seq
            ));
        }
    }
    Ok(())
}

/// The digest of the block before a segment's first.
fn before(from: &dyn Storage, sealed: &Sealed) -> Result<[u8; 32]> {
    let name = seg_name(sealed.segment);
    let file = crate::segment::file::SegFile::open(from, &name, Some(&sealed.footer))?;
    Ok(file.footer().before)
}
