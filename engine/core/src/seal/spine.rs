//! Builds the spine: the place of every row of a frozen log in the lineage.

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::link::LinkKind;
use crate::base::row::{Flags, NONE};
use crate::log::index::{Anchor, FirmPosition, Index, NOW, StoredLink};
use crate::segment::spine::Entry;

/// What the sealed segments before the new one contribute.
pub(crate) trait EarlierSegments {
    /// The spine entry with this sequence number; none where it has expired.
    fn entry(&self, seq: u64) -> Result<Option<Entry>>;

    /// The dictionary to reuse; none to make a new one.
    fn dictionary(&self) -> Option<Vec<u8>>;
}

/// The spine of a log and the texts that it refers to.
#[derive(Debug)]
pub(crate) struct Spine {
    /// An entry for each row. `record` is set once the record has its address in the heap.
    pub(crate) entries: Vec<Entry>,
    /// By the segment's number of a text, that of the index.
    pub(crate) texts: Vec<u32>,
}

impl Spine {
    /// Builds the spine of a frozen log. O(rows log rows), for the union-find.
    pub(crate) fn new(
        index: &Index,
        first_seq: u64,
        earlier: &dyn EarlierSegments,
    ) -> Result<Self> {
        let mut spine = Self::laid_out(index, first_seq);
        SkipPointers { first_seq, entries: &mut spine.entries, earlier }.fill()?;
        Ok(spine)
    }

    /// The spine without skip pointers: the one field that takes earlier segments to know.
    pub(crate) fn laid_out(index: &Index, first_seq: u64) -> Self {
        let (texts, numbers) = used_texts(index);
        let rows = 0..index.rows().len() as u32;
        let entries = rows.map(|row| entry(index, row, first_seq, &numbers)).collect();
        Self { entries, texts }
    }
}

/// The parent that a row names, where that is in no row of this log.
pub(crate) fn absent_parent(index: &Index, row: u32) -> Option<EventId> {
    if index.row(row).flags.has(Flags::LOST) {
        return None;
    }
    match index.stored_link(row, NOW) {
        StoredLink::Earlier(_, id) | StoredLink::Awaited(id) => Some(id),
        _ => None,
    }
}

fn entry(index: &Index, row: u32, first_seq: u64, numbers: &[u32]) -> Entry {
    let own = index.row(row);
    if own.flags.has(Flags::LOST) {
        return Entry::lost();
    }
    // A version has the lineage of its event.
    let event = index.row(own.first).flags;
    let link = index.stored_link(row, NOW);
    let FirmPosition { anchor, depth } = index.firm_position(row, NOW);
    let mut flags = own.flags;
    flags.set(Flags::NAMED, event.has(Flags::NAMED));
    flags.set(Flags::CYCLE, matches!(link, StoredLink::Cycle(_)));
    // The spine has named links alone; asserted ones are in the index, which can change
    // the parent of a row without a byte of the spine.
    flags.set(Flags::HISTORY, false);
    let superseded = index.superseded_by(first_seq + u64::from(row)).is_some();
    flags.set(Flags::SUPERSEDED, superseded);
    flags.set_link(if event.has(Flags::NAMED) { event.link() } else { LinkKind::default() });
    let seq = |row: u32| first_seq + u64::from(row);
    let number = |number: u32| numbers.get(number as usize).copied().unwrap_or(NONE);
    Entry {
        key: if own.flags.has(Flags::TEXT) { index.id(row).key() } else { own.id },
        parent: match link {
            StoredLink::Row(parent) | StoredLink::Cycle(parent) => seq(parent),
            StoredLink::Earlier(parent, _) => parent,
            StoredLink::None | StoredLink::Awaited(_) => 0,
        },
        anchor: match anchor {
            Anchor::Row(anchor) => seq(anchor),
            Anchor::Earlier(anchor, _) => anchor,
        },
        skip: 0,
        time_ns: own.time_ns,
        depth,
        kind: number(own.kind),
        instance: number(own.instance),
        session: number(own.session),
        record: NONE,
        flags,
    }
}

/// The texts that rows and payloads use, by their ascending numbers in the index, and the segment's number
/// for each number of the index.
fn used_texts(index: &Index) -> (Vec<u32>, Vec<u32>) {
    let mut numbers = Vec::new();
    let of_rows = index.rows().iter().flat_map(|row| [row.kind, row.instance, row.session]);
    for number in of_rows.chain(index.payload_types()).filter(|&number| number != NONE) {
        let at = number as usize;
        if numbers.len() <= at {
            numbers.resize(at + 1, NONE);
        }
        numbers[at] = 0;
    }
    let mut texts = Vec::new();
    for (at, number) in numbers.iter_mut().enumerate() {
        if *number != NONE {
            *number = texts.len() as u32;
            texts.push(at as u32);
        }
    }
    (texts, numbers)
}

/// Skew-binary skip pointers (Myers, "An applicative random-access stack", 1983): with one for
/// each entry, any ancestor is reached in O(log depth) steps over parents and skip pointers.
struct SkipPointers<'a> {
    first_seq: u64,
    entries: &'a mut [Entry],
    earlier: &'a dyn EarlierSegments,
}

impl SkipPointers<'_> {
    fn fill(&mut self) -> Result<()> {
        // The path up to a row whose skip pointer is known: a parent may be a later row.
        let mut path = Vec::new();
        for row in 0..self.entries.len() {
            path.push(row);
            while let Some(&top) = path.last() {
                match self.parent_row(top)? {
                    Some(parent) if self.is_open(parent) => path.push(parent),
                    _ => {
                        self.entries[top].skip = self.skip_pointer(top)?;
                        path.pop();
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the skip pointer of a row is not known yet.
    fn is_open(&self, row: usize) -> bool {
        let entry = &self.entries[row];
        entry.skip == 0 && followed(entry) != 0
    }

    /// The row of the parent, if it is in this log.
    fn parent_row(&self, row: usize) -> Result<Option<usize>> {
        let entry = &self.entries[row];
        let Some(parent) = followed(entry).checked_sub(self.first_seq) else {
            return Ok(None);
        };
        match self.entries.get(parent as usize) {
            // This check is what ends the walk in `fill`: each step up lowers the depth by one,
            // so that no row comes twice even if the index is wrong.
            Some(above) if above.depth.checked_add(1) == Some(entry.depth) => {
                Ok(Some(parent as usize))
            }
            above => Err(Error::damaged(format!(
                "expected the parent of sequence number {} one step above its depth {}, found {:?}",
                self.first_seq + row as u64,
                entry.depth,
                above.map(|above| above.depth)
            ))),
        }
    }

    fn skip_pointer(&self, row: usize) -> Result<u64> {
        let parent_seq = followed(&self.entries[row]);
        if parent_seq == 0 {
            return Ok(0);
        }
        let Some(parent) = self.entry(parent_seq)? else {
            return Ok(parent_seq);
        };
        // An anchor stands for its own skip pointer.
        if parent.skip == 0 {
            return Ok(parent_seq);
        }
        let Some(middle) = self.entry(parent.skip)? else {
            return Ok(parent_seq);
        };
        let far_seq = if middle.skip == 0 { parent.skip } else { middle.skip };
        let Some(far) = self.entry(far_seq)? else {
            return Ok(parent_seq);
        };
        let even = parent.depth.checked_sub(middle.depth) == middle.depth.checked_sub(far.depth);
        Ok(if even { far_seq } else { parent_seq })
    }

    fn entry(&self, seq: u64) -> Result<Option<Entry>> {
        match seq.checked_sub(self.first_seq) {
            Some(row) => Ok(self.entries.get(row as usize).copied()),
            None => self.earlier.entry(seq),
        }
    }
}

/// The parent that walks follow: that of a cycle edge is none, 0.
pub(crate) fn followed(entry: &Entry) -> u64 {
    if entry.flags.has(Flags::CYCLE) { 0 } else { entry.parent }
}
