//! Putting sound copies in the place of damaged segments.

use std::io::ErrorKind;

use crate::base::error::{Error, Result};
use crate::base::sync::now_ns;
use crate::manifest::{Manifest, Sealed, seg_name};
use crate::segment::file::SegFile;
use crate::storage::{Storage, copy};
use crate::upkeep::repair::{FOLDER, Repaired};

/// Checks each page and chunk of every segment, and replaces those that are damaged or missing by
/// the files of the folder `from` that have the footers which the manifest names. What is replaced
/// goes to the folder `damaged`; what can't be is told.
pub(super) fn mend_segments(
    storage: &dyn Storage,
    manifest: &Manifest,
    from: &dyn Storage,
    repaired: &mut Repaired,
) -> Result<()> {
    for entry in &manifest.sealed {
        let name = seg_name(entry.segment);
        let Some(harm) = harm(storage, entry)? else { continue };
        if let Some(other) = self::harm(from, entry)? {
            repaired.notes.push(format!(
                "{name} stays as it is ({harm}): the other folder has none that could take its \
                 place ({other})"
            ));
            continue;
        }
        keep(storage, &name, repaired)?;
        take(storage, from, &name)?;
        repaired.unreadable.retain(|unreadable| *unreadable != name);
        repaired.restored.push(name);
    }
    Ok(())
}

/// Why a folder's file of a segment is not as it was sealed; none where it is.
fn harm(storage: &dyn Storage, entry: &Sealed) -> Result<Option<String>> {
    let check = || {
        let file = SegFile::open(storage, &seg_name(entry.segment), Some(&entry.footer))?;
        (0..file.page_count()).try_for_each(|page| file.check_page(page))?;
        file.check_padding(storage)?;
        (0..file.footer().chunks).try_for_each(|chunk| file.check_stored(chunk))
    };
    match check() {
        Ok(()) => Ok(None),
        // What can't be read is as bad as what is wrong.
        Err(error) if error.is_damaged() || error.io_kind().is_some() => {
            Ok(Some(format!("{error:#}")))
        }
        Err(error) => Err(error),
    }
}

/// Gives the file of a segment that is about to be replaced a name in the folder `damaged`.
fn keep(storage: &dyn Storage, name: &str, repaired: &mut Repaired) -> Result<()> {
    let failed = |error| Error::io("keep in the folder `damaged`", name, error);
    let file = match storage.open(name) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(failed)?,
    };
    let folder =
        storage.subfolder(FOLDER).map_err(|error| Error::io("make the folder", FOLDER, error))?;
    match storage.link_to(name, &*folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let kept = format!("{name}.{}", now_ns());
            copy(&*file, file.len().map_err(failed)?, &*folder, &kept).map_err(failed)?;
        }
        linked => linked.map_err(failed)?,
    }
    folder.sync_dir().map_err(|error| Error::io("sync the folder", FOLDER, error))?;
    repaired.moved.push(name.to_owned());
    Ok(())
}

/// Has a copy of another folder's file take the place of a segment.
fn take(storage: &dyn Storage, from: &dyn Storage, name: &str) -> Result<()> {
    let next = format!("{name}.next");
    let file = from.open(name).map_err(|error| Error::io("open the copy of", name, error))?;
    let length = file.len().map_err(|error| Error::io("read the length of", name, error))?;
    copy(&*file, length, storage, &next).map_err(|error| Error::io("copy", name, error))?;
    storage.rename(&next, name).map_err(|error| Error::io("rename", &next, error))?;
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", name, error))
}
