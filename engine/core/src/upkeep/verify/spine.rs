//! Checking spine entries: against the log that they were made from, and against
//! each other.

use super::is_finding;
use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::row::{Flags, NONE};
use crate::log::index::{Anchor, Index, NOW};
use crate::manifest::seg_name;
use crate::seal::spine::{Spine, absent_parent, followed};
use crate::segment::file::SegFile;
use crate::segment::spine::Entry;
use crate::view::View;

/// The spines of a segment and of those before it.
pub(super) struct SpineCheck<'c> {
    view: &'c View,
    /// Which of the sealed segments is checked, and its entries.
    number: usize,
    first_seq: u64,
    entries: &'c [Entry],
    /// Segments before it: those opened last.
    open: Vec<(usize, Option<SegFile>)>,
}

/// An entry of another segment, as far as it can be read.
#[derive(Clone, Copy)]
enum EarlierEntry {
    Here(Entry),
    Earlier(Entry),
    /// Expired, or unreadable, which is reported for its own segment.
    Gone,
}

impl<'c> SpineCheck<'c> {
    pub(super) fn new(view: &'c View, number: usize, entries: &'c [Entry]) -> Self {
        let first_seq = view.sealed[number].first_seq;
        Self { view, number, first_seq, entries, open: Vec::new() }
    }

    /// What is wrong with the entry of a row.
    pub(super) fn wrong(
        &mut self,
        file: &SegFile,
        index: &Index,
        laid_out: &Spine,
        row: u32,
        entry: &Entry,
    ) -> Result<Option<String>> {
        let Some(expected) = laid_out.entries.get(row as usize) else {
            return Ok(Some("expected none, the log has no such row".to_owned()));
        };
        if let Some(wrong) = differs(expected, entry) {
            return Ok(Some(wrong));
        }
        match misplaced(file, row) {
            Ok(None) => {}
            Err(error) if !is_finding(&error) => return Err(error),
            Err(error) => return Ok(Some(format!("{error:#}"))),
            wrong => return wrong,
        }
        match self.names(file, index, laid_out, row, (expected, entry)) {
            Ok(None) => {}
            Err(error) if !is_finding(&error) => return Err(error),
            Err(error) => return Ok(Some(format!("{error:#}"))),
            wrong => return wrong,
        }
        Ok(self.lineage(row, entry))
    }

    /// Checks the texts and the ids of an entry.
    #[expect(clippy::unused_self, reason = "one of the checks of an entry")]
    fn names(
        &self,
        file: &SegFile,
        index: &Index,
        laid_out: &Spine,
        row: u32,
        (expected, entry): (&Entry, &Entry),
    ) -> Result<Option<String>> {
        for (what, expected, found) in [
            ("kind", expected.kind, entry.kind),
            ("instance", expected.instance, entry.instance),
            ("session", expected.session, entry.session),
        ] {
            let text = laid_out.texts.get(expected as usize).map(|&number| &**index.text(number));
            let found = if found == NONE { None } else { Some(file.text(found)?) };
            if text != found {
                return Ok(Some(format!("expected the {what} {text:?}, found {found:?}")));
            }
        }
        if entry.flags.has(Flags::LOST) {
            return Ok(None);
        }
        let compare = |what: &str, expected: Option<EventId>, found: Option<EventId>| {
            let shown = |id: Option<EventId>| id.map_or("none".to_owned(), |id| id.to_string());
            (expected != found)
                .then(|| format!("expected the {what} {}, found {}", shown(expected), shown(found)))
        };
        let anchor = match index.firm_position(row, NOW).anchor {
            Anchor::Earlier(_, id) => Some(id),
            Anchor::Row(_) => None,
        };
        let found_anchor = if entry.anchor < file.footer().first_seq {
            file.anchor_id(entry.anchor)?
        } else {
            None
        };
        Ok(compare("id", Some(index.id(row)), Some(file.id(row, entry)?))
            .or(compare("parent", absent_parent(index, row), file.parent_id(row)?))
            .or(compare("topmost ancestor", anchor, found_anchor)))
    }

    /// Checks that the depth falls by one towards the parent, and that the skip pointer
    /// leads to an ancestor.
    fn lineage(&mut self, row: u32, entry: &Entry) -> Option<String> {
        let parent_seq = followed(entry);
        if parent_seq == 0 {
            return (entry.skip != 0).then(|| {
                format!("expected no skip pointer above the topmost, found {}", entry.skip)
            });
        }
        let own_seq = self.first_seq + u64::from(row);
        let above = self.at(parent_seq);
        if let EarlierEntry::Here(above) | EarlierEntry::Earlier(above) = above
            && (above.depth.checked_add(1) != Some(entry.depth) || above.anchor != entry.anchor)
        {
            return Some(format!(
                "expected its parent {parent_seq} one step above event {own_seq} at depth {} \
                 below {}, found it at depth {} below {}",
                entry.depth, entry.anchor, above.depth, above.anchor
            ));
        }
        let (skip, may_be_parent) = self.skip_pointer(parent_seq, above)?;
        let fits = entry.skip == skip
            || (may_be_parent && entry.skip == parent_seq)
            || (entry.skip != 0 && entry.skip < self.view.first_seq());
        (!fits).then(|| format!("expected a skip pointer to {skip}, found one to {}", entry.skip))
    }

    /// Where the skip pointer of an entry with this parent leads, and whether it may lead to
    /// the parent instead: what comes into it may have expired before it was sealed.
    /// None where that can't be told, since what it goes by can't be read.
    fn skip_pointer(&mut self, parent_seq: u64, parent: EarlierEntry) -> Option<(u64, bool)> {
        let gone = |seq: u64, to: u64| (seq < self.view.first_seq()).then_some((to, true));
        let (EarlierEntry::Here(above) | EarlierEntry::Earlier(above)) = parent else {
            return gone(parent_seq, parent_seq);
        };
        if above.skip == 0 {
            return Some((parent_seq, false));
        }
        let expired = gone(above.skip, parent_seq);
        let middle = self.at(above.skip);
        let (EarlierEntry::Here(half) | EarlierEntry::Earlier(half)) = middle else {
            return expired;
        };
        let far_seq = if half.skip == 0 { above.skip } else { half.skip };
        let end = self.at(far_seq);
        let (EarlierEntry::Here(far) | EarlierEntry::Earlier(far)) = end else {
            return (far_seq < self.view.first_seq()).then_some((far_seq, true));
        };
        let earlier =
            [parent, middle, end].iter().any(|known| matches!(known, EarlierEntry::Earlier(_)));
        let even = above.depth.checked_sub(half.depth) == half.depth.checked_sub(far.depth);
        Some((if even { far_seq } else { parent_seq }, earlier))
    }

    fn at(&mut self, seq: u64) -> EarlierEntry {
        if let Some(row) = seq.checked_sub(self.first_seq) {
            return self
                .entries
                .get(row as usize)
                .map_or(EarlierEntry::Gone, |&entry| EarlierEntry::Here(entry));
        }
        let Some(number) = self.view.number_of(seq).filter(|&number| number < self.number) else {
            return EarlierEntry::Gone;
        };
        let sealed = &self.view.sealed[number];
        let position = self.open.iter().position(|&(open, _)| open == number);
        let at = position.unwrap_or_else(|| {
            if self.open.len() >= OPEN_MAX {
                self.open.remove(0);
            }
            let storage = self.view.segments.storage();
            let file = SegFile::open(storage, &seg_name(sealed.segment), Some(&sealed.footer));
            self.open.push((number, file.ok()));
            self.open.len() - 1
        });
        let file = self.open[at].1.as_ref();
        let entry = file.and_then(|file| file.entry((seq - sealed.first_seq) as u32).ok());
        entry.map_or(EarlierEntry::Gone, EarlierEntry::Earlier)
    }
}

/// Whether the table of slots, the row's entry and that of its parent agree.
fn misplaced(file: &SegFile, row: u32) -> Result<Option<String>> {
    let slot = file.slot(row)?;
    let slotted = file.at_slot(slot)?;
    if slotted.row != row {
        return Ok(Some(format!("expected it in slot {slot}, found that of row {}", slotted.row)));
    }
    let Some((parent, found)) = slotted.parent else { return Ok(None) };
    let expected = file.slot(parent)?;
    Ok((found != expected).then(|| {
        format!("expected its parent, row {parent}, in slot {expected}, found slot {found} named")
    }))
}

/// How an entry differs from its log, apart from its texts and its skip pointer.
fn differs(expected: &Entry, found: &Entry) -> Option<String> {
    let numbers = [
        ("parent", expected.parent, found.parent),
        ("topmost ancestor", expected.anchor, found.anchor),
        ("depth", u64::from(expected.depth), u64::from(found.depth)),
        ("flags", u64::from(expected.flags.bits()), u64::from(found.flags.bits())),
    ];
    if expected.key != found.key {
        return Some("expected the id of its record, found another".to_owned());
    }
    if expected.time_ns != found.time_ns {
        return Some(format!("expected the time {}, found {}", expected.time_ns, found.time_ns));
    }
    let (what, expected, found) =
        numbers.into_iter().find(|(_, expected, found)| expected != found)?;
    Some(format!("expected the {what} {expected}, found {found}"))
}

/// Segments before the one that is checked that are open at a time.
const OPEN_MAX: usize = 16;
