//! Rebuilding what is derived from segments: their indexes, and the filters of groups.

use std::io::ErrorKind;

use crate::base::error::{Error, Result};
use crate::manifest::Sealed;
use crate::manifest::{idx_name, seg_name};
use crate::segment::file::SegFile;
use crate::segment::filters::{group_name, group_of};
use crate::segment::heap::ChunkCache;
use crate::segment::index::have_same_entries;
use crate::segment::open_index;
use crate::upkeep::verify::Finding;
use crate::view::View;

/// What was rebuilt from segments, and what could not be.
///
/// ```
/// use forebear::{Event, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("started"))?;
/// store.seal()?;
/// let rebuilt = store.rebuild()?;
/// assert_eq!((rebuilt.segments, rebuilt.made.len()), (1, 0), "all was as it should be");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Rebuilt {
    /// Segments that were checked.
    pub segments: u64,
    /// Files that were missing or damaged and were written anew.
    pub made: Vec<String>,
    /// Segments from which no index could be made.
    pub failed: Vec<Finding>,
}

/// Checks the indexes of all sealed segments, and rebuilds those that are missing or
/// differ.
pub(crate) fn rebuild(view: &View) -> Result<Rebuilt> {
    view.kinds().expect_all("to make indexes again")?;
    let mut rebuilt = Rebuilt::default();
    for sealed in &*view.sealed {
        rebuilt.segments += 1;
        match index(view, sealed) {
            Ok(None) => {}
            Ok(Some(name)) => rebuilt.made.push(name),
            Err(error) if error.is_damaged() || is_missing(&error) => {
                let file = seg_name(sealed.segment);
                rebuilt.failed.push(Finding { file, reason: format!("{error:#}") });
            }
            Err(error) => return Err(error),
        }
    }
    let mut groups: Vec<u64> = view.sealed.iter().map(|s| group_of(s.segment)).collect();
    groups.dedup();
    for group in groups {
        if view.segments.repair_group(&view.sealed, group)? {
            rebuilt.made.push(group_name(group));
        }
    }
    Ok(rebuilt)
}

/// Rebuilds the index of a segment where it differs from what the segment yields; returns
/// its name then.
fn index(view: &View, sealed: &Sealed) -> Result<Option<String>> {
    let storage = view.segments.storage();
    let file = SegFile::open(storage, &seg_name(sealed.segment), Some(&sealed.footer))?;
    let bytes = open_index::rebuild(&file, &ChunkCache::new(CACHE_BYTES), &view.kinds())?;
    let name = idx_name(sealed.segment);
    match open_index::read_file(storage, &name, bytes.len() as u64) {
        Ok(mut found) => {
            if let (length, None) = open_index::check_file(&file, &found)? {
                found.truncate(length);
                // One that can't be opened is not as it should be either.
                if have_same_entries(&name, found, bytes.clone(), true).unwrap_or(false) {
                    return Ok(None);
                }
            }
        }
        Err(error) if !is_missing(&error) => return Err(error),
        Err(_) => {}
    }
    open_index::write_rebuilt(storage, &file, &name, &bytes)?;
    view.segments.close(sealed.segment);
    Ok(Some(name))
}

fn is_missing(error: &Error) -> bool {
    error.io_kind() == Some(ErrorKind::NotFound)
}

/// Decoded chunks that are kept while an index is made.
const CACHE_BYTES: usize = 8 << 20;
