//! Copying a store while it is written to.

use std::io::ErrorKind;
use std::path::Path;

use crate::base::error::{Error, Result};
use crate::base::format::Digest;
use crate::log::scan::{ScanItem, Scanner};
use crate::log::view::LogView;
use crate::manifest::Sealed;
use crate::manifest::{self, FullLog, LogStart, Manifest, Read, idx_name, log_name, seg_name};
use crate::segment::file::SegFile;
use crate::segment::filters::{group_name, group_of};
use crate::storage::{Storage, copy};
use crate::upkeep::verify::Finding;
use crate::view::View;

/// What a backup holds.
///
/// ```
/// use forebear::{Event, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// let store = Store::open(folder.path().join("events.forebear"))?;
/// store.append(Event::new("started").id("boot"))?;
/// let copy = folder.path().join("copy.forebear");
/// let backup = store.snapshot().backup(&copy)?;
/// assert_eq!((backup.segments, backup.events), (1, 1));
/// assert!(Store::open(&copy)?.snapshot().contains("boot")?);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Backup {
    /// Segments, those that are not sealed included.
    pub segments: u64,
    /// Events and versions.
    pub events: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// What of them is damaged, and so is the copy: each page and chunk was read and checked
    /// against its digest.
    pub damaged: Vec<Finding>,
}

/// Copies a view to the folder at `path`, which must be empty. The copy is a store of its
/// own, and durable, when this returns.
pub(crate) fn backup(view: &View, path: &Path) -> Result<Backup> {
    let from = view.segments.storage();
    let Read::Sound(manifest) = Manifest::read(from)? else {
        return Err(Error::damaged(
            "expected a sound manifest to back up, found none; open the store for writing first, \
             which mends it",
        ));
    };
    let to = from.folder(path).map_err(|error| Error::io("open", path, error))?;
    let names = to.list().map_err(|error| Error::io("list", path, error))?;
    if let Some(other) = names.first() {
        return Err(Error::foreign(format!(
            "expected an empty folder at {}, found one with files in it, such as {other:?}; choose \
             another folder",
            path.display()
        )));
    }
    let mut damaged = Vec::new();
    let copied = copy_all(view, &manifest, from, &*to, path, &mut damaged);
    if copied.is_err() {
        // The next attempt reports what can't be removed now.
        let _ = clear(&*to);
    }
    copied?;
    Ok(Backup {
        segments: view.len() as u64,
        events: view.end_seq() - view.first_seq(),
        bytes: view.bytes(),
        damaged,
    })
}

fn copy_all(
    view: &View,
    manifest: &Manifest,
    from: &dyn Storage,
    to: &dyn Storage,
    path: &Path,
    damaged: &mut Vec<Finding>,
) -> Result<()> {
    sealed(view, from, to, damaged)?;
    let mut starts = Vec::new();
    for log in view.logs() {
        let start = start_of(log, manifest, view.sealed.last())?;
        let name = log_name(start.segment);
        copy(log.log.reader.file(), log.visible.log_end, to, &name)
            .map_err(|error| Error::io("copy", &name, error))?;
        let lost = log.index().lost();
        if lost > 0 {
            let reason = format!("{lost} events are lost to damage in it");
            damaged.push(Finding { file: name, reason });
        }
        starts.push((start, log.visible.log_end));
    }
    to.sync_dir().map_err(|error| Error::io("sync the folder", path, error))?;
    let active = match starts.pop() {
        Some((active, _)) => active,
        None if manifest.archive => manifest.active,
        None => return Err(Error::damaged("expected a log that is appended to, found none")),
    };
    let full = starts.pop().map(|(start, length)| FullLog { start, length });
    let copy = Manifest { sealed: view.sealed.to_vec(), full, active, ..manifest.clone() };
    copy.write(to)
}

/// Removes what a failed copy left in a folder that was empty.
fn clear(to: &dyn Storage) -> std::io::Result<()> {
    to.list()?.iter().try_for_each(|name| to.unlink(name))
}

/// Links or copies the files of sealed segments, and checks the copies.
fn sealed(
    view: &View,
    from: &dyn Storage,
    to: &dyn Storage,
    damaged: &mut Vec<Finding>,
) -> Result<()> {
    let mut groups = Vec::new();
    for sealed in &*view.sealed {
        let name = seg_name(sealed.segment);
        let linked = from
            .link_to(&name, to)
            .map_err(|error| view.segments.explain(Error::io("copy", &name, error), sealed))
            .and_then(|()| check(to, &name, sealed));
        match linked {
            Err(error) if error.is_damaged() => {
                damaged.push(Finding::of(&name, format!("{error:#}")));
            }
            linked => linked?,
        }
        groups.push(group_name(group_of(sealed.segment)));
        // A missing index is rebuilt when it is needed.
        optional(from, to, &idx_name(sealed.segment))?;
    }
    groups.dedup();
    groups.iter().try_for_each(|name| optional(from, to, name))
}

/// Checks each page and each chunk of a segment; fails with the first that is damaged.
fn check(to: &dyn Storage, name: &str, sealed: &Sealed) -> Result<()> {
    let file = SegFile::open(to, name, Some(&sealed.footer))?;
    (0..file.page_count()).try_for_each(|page| file.check_page(page))?;
    (0..file.footer().chunks).try_for_each(|chunk| file.check_stored(chunk))
}

fn optional(from: &dyn Storage, to: &dyn Storage, name: &str) -> Result<()> {
    match from.link_to(name, to) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("copy", name, error)),
        _ => Ok(()),
    }
}

/// The start of a log, as the copy's manifest names it.
fn start_of(log: &LogView, manifest: &Manifest, before: Option<&Sealed>) -> Result<LogStart> {
    let (segment, first_seq) = (log.log.segment, log.first_seq());
    let known = manifest.full.iter().map(|full| full.start).chain([manifest.active]);
    if let Some(start) = known.into_iter().find(|start| start.segment == segment) {
        return Ok(start);
    }
    // The store's own manifest may be newer than the view.
    if let Some(before) = before.filter(|before| before.segment + 1 == segment) {
        return Ok(LogStart { segment, first_seq, previous: before.last });
    }
    let previous = first_previous(log, manifest)?;
    Ok(LogStart { segment, first_seq, previous })
}

/// The digest that the first sound block of a log names.
fn first_previous(log: &LogView, manifest: &Manifest) -> Result<Digest> {
    let (file, name) = (log.log.reader.file(), log.log.reader.name());
    let mut scanner = Scanner::new(file, name, log.log.segment, Some(manifest.store), None)?;
    if let Some(ScanItem::Block(header)) = scanner.next()? {
        return Ok(header.previous);
    }
    Err(Error::damaged(format!(
        "{name}: expected a first block that names the one before, found none in the {} that the \
         store has gone on from; back it up again",
        manifest::NAME
    )))
}
