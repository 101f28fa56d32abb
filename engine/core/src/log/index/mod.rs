//! The index of a log, in memory.
//!
//! It is a pure function of the log's records in order: recovery and the writer build it by the
//! same calls. What changes an earlier answer carries the commit at which it became known, and
//! queries take a commit, so that a snapshot keeps its answers while the writer goes on.

mod asserted;
mod asserting;
mod child_lists;
mod contents;
mod cross_ref;
mod cycle_edges;
mod dictionary;
mod forest;
mod ids;
mod links;
mod lists;
mod missing;
mod postings;
mod rows;
mod state;
mod strings;
mod usage;

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher;
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::base::error::{Error, Result};
use crate::base::row::{Flags, NONE};
use crate::base::state::KindId;
use crate::log::fields::ArchivedEventMeta;
use crate::log::record::{SettingsMeta, SupersedesMeta};

pub(crate) use asserted::{Made, Verdict, weigh};
pub(crate) use cross_ref::{CrossRef, VersionOf};
pub(crate) use cycle_edges::FoundCycleEdge;
pub(crate) use dictionary::{Dictionary, Dimension, InternedEvent};
pub(crate) use forest::FragmentPosition;
pub(crate) use ids::LookUp;
pub(crate) use links::{Anchor, FirmPosition, Parent, StoredLink};
pub(crate) use missing::MissingEntry;
pub(crate) use postings::Postings;
pub(crate) use rows::{NOW, Row};
pub(crate) use state::{StatePlaces, States};
pub(crate) use usage::SeenUsage;

/// The index of one log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: Vec<Row>,
    /// Ids that are not UUIDs. A row has the number of its own.
    texts: Vec<Arc<str>>,
    /// The rows of events, hashed by id.
    ids: HashTable<u32>,
    /// The later versions of an event, in the order in which they were stored.
    versions: HashMap<u32, Vec<u32>, RandomState>,
    /// The rows of versions by event and fingerprint.
    version_contents: HashMap<(u32, u64), Vec<u32>, RandomState>,
    /// The fingerprints of events whose id came a second time.
    event_contents: HashMap<u32, u64, RandomState>,
    dictionary: Dictionary,
    /// The rows of each list of the dictionary, and of those that have none there.
    lists: Vec<Postings>,
    all: Postings,
    errors: Postings,
    children: child_lists::ChildLists,
    /// All links, asserted ones among them.
    forest: forest::Forest,
    /// The links that events name themselves, once there are others.
    firm: Option<Box<forest::Forest>>,
    /// The cross-segment references of rows.
    cross_ref: HashMap<u32, CrossRef, RandomState>,
    /// The children of events of earlier segments, by sequence number.
    children_of_earlier: HashMap<u64, Vec<u32>, RandomState>,
    marks: cycle_edges::CycleMarks,
    missing: missing::Missing,
    asserted: asserted::AssertedLinks,
    asserted_count: u32,
    /// Cycle edges in the order in which they were found.
    cycle_edges: Vec<FoundCycleEdge>,
    /// The offset of quarantined input in the log, and the commit of each.
    quarantined: Vec<(u64, u32)>,
    quarantined_before: HashSet<[u8; 16], RandomState>,
    states: States,
    /// The tokens that rows report, in order of rows.
    usages: Vec<(u32, SeenUsage)>,
    /// The rows that replace others, in order, and what they replace.
    revisions: Vec<(u32, SupersedesMeta)>,
    /// By sequence number, the row that replaces a row of this log or an earlier one.
    superseded: HashMap<u64, u32, RandomState>,
    /// The newest settings that the log's records have.
    settings: SettingsMeta,
    /// The types that payloads have.
    payload_types: BTreeSet<u32>,
    /// Whether the log's blocks are of format 1, in which every instance has a scope of
    /// its own.
    is_of_format_1: bool,
    /// Events and versions that were lost to damage.
    lost: u32,
    hasher: RandomState,
    /// The lists of the event being added; kept for its memory.
    scratch: Vec<u32>,
}

/// Where and at which commit a record entered the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entered {
    /// The offset of the record.
    pub(crate) offset: u64,
    /// The commit. Blocks are numbered from 1.
    pub(crate) commit: u32,
}

impl Index {
    /// An empty index with room for this many events.
    pub(crate) fn with_room(events: usize) -> Self {
        let mut index = Self::default();
        index.reserve(events);
        index
    }

    /// Takes notice of the format of the log's blocks, which all have the same.
    pub(crate) fn set_format(&mut self, format: u32) {
        self.is_of_format_1 = format == 1;
    }

    /// Notes what a row replaces, itself where another tells the same. Older snapshots don't see
    /// that row.
    pub(crate) fn supersede(&mut self, row: u32, supersedes: SupersedesMeta) {
        if supersedes.of_event {
            self.rows[row as usize].flags.set(Flags::REVISION, true);
        }
        self.superseded.insert(supersedes.seq, row);
        self.revisions.push((row, supersedes));
    }

    /// The row that replaces the one with this sequence number.
    pub(crate) fn superseded_by(&self, seq: u64) -> Option<u32> {
        self.superseded.get(&seq).copied()
    }

    /// The rows that replace others, in order, and what they replace.
    pub(crate) fn revisions(&self) -> &[(u32, SupersedesMeta)] {
        &self.revisions
    }

    /// What a row replaces.
    pub(crate) fn supersedes(&self, row: u32) -> impl Iterator<Item = SupersedesMeta> {
        let first = self.revisions.partition_point(|&(of, _)| of < row);
        let of_row = self.revisions[first..].iter().take_while(move |&&(of, _)| of == row);
        of_row.map(|&(_, supersedes)| supersedes)
    }

    /// The settings as the log's records have them: those of a store without any, where none
    /// does.
    pub(crate) fn settings(&self) -> &SettingsMeta {
        &self.settings
    }

    pub(crate) fn set_settings(&mut self, settings: SettingsMeta) {
        self.settings = settings;
    }

    /// Reserves room for this many more events.
    pub(crate) fn reserve(&mut self, events: usize) {
        self.rows.reserve(events);
        self.children.reserve(events);
        self.forest.reserve(events);
        let mut ids = std::mem::take(&mut self.ids);
        ids.reserve(events, |&row| self.hasher.hash_one(self.id(row)));
        self.ids = ids;
    }

    /// Adds an event, or a version where the id is known. Returns its row.
    pub(crate) fn add_event(
        &mut self,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
        entered: Entered,
        cross_ref: Option<CrossRef>,
    ) -> Result<u32> {
        let mut lists = std::mem::take(&mut self.scratch);
        lists.clear();
        let seen = self.dictionary.see(fields, &mut lists);
        let content = || Ok((fields, payload));
        let row = seen.and_then(|seen| {
            let found = self.look_up(&seen);
            self.add_seen(&seen, &lists, found, entered, cross_ref, content)
        });
        self.scratch = lists;
        row
    }

    /// Adds an event that was looked up before, as [`add_event`](Self::add_event) does.
    /// `content` returns its fields and payload and is called for a version alone.
    pub(crate) fn add_seen<'r>(
        &mut self,
        seen: &InternedEvent,
        lists: &[u32],
        found: LookUp,
        entered: Entered,
        cross_ref: Option<CrossRef>,
        content: impl FnOnce() -> Result<(&'r ArchivedEventMeta, Option<&'r [u8]>)>,
    ) -> Result<u32> {
        let InternedEvent { id, kind, instance, session, error, .. } = seen;
        let row = self.next_row()?;
        let first = match found.first {
            None if found.rows < self.rows.len() => self.find_hashed(found.hash, id),
            first => first,
        };
        let content = first.map(|_| content()).transpose()?;
        let version_of = cross_ref.as_ref().and_then(|cross_ref| cross_ref.version_of.as_ref());
        let mut flags = Flags::default();
        flags.set(Flags::DERIVED, seen.derived);
        flags.set(Flags::VERSION, first.is_some() || version_of.is_some());
        flags.set(Flags::CROSS_REF, cross_ref.is_some());
        flags.set(Flags::ERROR, *error);
        flags.set(Flags::OWN_SCOPE, seen.own_scope || self.is_of_format_1);
        flags.set_link(version_of.map_or(seen.link, |of| of.link));
        let version_of_earlier = version_of.is_some();
        let named = match &cross_ref {
            Some(cross_ref) if version_of_earlier => cross_ref.parent_id.clone(),
            _ => seen.parent.clone(),
        };
        let id_bytes = if let Some(first) = first {
            flags.set(Flags::TEXT, self.rows[first as usize].flags.has(Flags::TEXT));
            self.rows[first as usize].id
        } else {
            self.id_bytes(id, &mut flags)
        };
        self.push_row(Row {
            id: id_bytes,
            time_ns: seen.time_ns,
            offset: entered.offset,
            parent: NONE,
            linked_at: NONE,
            first: first.unwrap_or(row),
            kind: *kind,
            instance: *instance,
            session: *session,
            flags,
        });
        self.post(row, lists, *error);
        if seen.payload_type != NONE {
            self.payload_types.insert(seen.payload_type);
        }
        if let Some(usage) = &seen.usage {
            self.usages.push((row, **usage));
        }
        if let (Some(first), Some((fields, payload))) = (first, content) {
            let fingerprint = self.fingerprint(fields, payload);
            self.versions.entry(first).or_default().push(row);
            self.version_contents.entry((first, fingerprint)).or_default().push(row);
        } else {
            self.add_id(row, found.hash);
            if version_of_earlier {
                self.rows[row as usize].flags.set(Flags::NAMED, named.is_some());
            } else {
                let is_cross_ref = cross_ref.is_some();
                let named = named.clone();
                self.link_arrival(row, id, named, found.parent, is_cross_ref, entered.commit);
            }
            if let Some(cross_ref) = cross_ref {
                if !version_of_earlier && cross_ref.parent != 0 {
                    self.children_of_earlier.entry(cross_ref.parent).or_default().push(row);
                }
                self.cross_ref.insert(row, CrossRef { parent_id: named, ..cross_ref });
            }
        }
        Ok(row)
    }

    /// Adds rows for events and versions that were lost to damage.
    pub(crate) fn add_lost(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let row = self.next_row()?;
            self.push_row(Row::lost(row));
            self.lost += 1;
        }
        Ok(())
    }

    /// Records quarantined input. Returns whether it was new.
    pub(crate) fn add_quarantined(&mut self, key: [u8; 16], entered: Entered) -> bool {
        let new = self.quarantined_before.insert(key);
        if new {
            self.quarantined.push((entered.offset, entered.commit));
        }
        new
    }

    /// Whether this input was quarantined before.
    pub(crate) fn knows_quarantined(&self, key: &[u8; 16]) -> bool {
        self.quarantined_before.contains(key)
    }

    /// The keys of all quarantined input, in no order.
    pub(crate) fn quarantine_keys(&self) -> impl Iterator<Item = &[u8; 16]> {
        self.quarantined_before.iter()
    }

    /// The offsets of quarantined input in the log, as of a commit.
    pub(crate) fn quarantined(&self, at: u32) -> &[(u64, u32)] {
        &self.quarantined[..self.quarantined.partition_point(|&(_, since)| since <= at)]
    }

    /// The state that the log's records have.
    pub(crate) fn states(&self) -> &States {
        &self.states
    }

    /// Adds a record of state; `carried_for` is the segment that it was carried over for.
    pub(crate) fn add_state(
        &mut self,
        kind: KindId,
        key: &str,
        carried_for: Option<u64>,
        entered: Entered,
    ) {
        self.states.add(kind, key, carried_for, entered);
    }

    /// The tokens that rows report, in order of rows.
    pub(crate) fn usages(&self) -> &[(u32, SeenUsage)] {
        &self.usages
    }

    /// The types that payloads have, by the numbers of their texts.
    pub(crate) fn payload_types(&self) -> impl Iterator<Item = u32> {
        self.payload_types.iter().copied()
    }

    /// The cross-segment reference of a row.
    pub(crate) fn cross_ref(&self, row: u32) -> Option<&CrossRef> {
        self.cross_ref.get(&row)
    }

    /// All cross-segment references, by row.
    pub(crate) fn cross_refs(&self) -> impl Iterator<Item = (u32, &CrossRef)> {
        self.cross_ref.iter().map(|(&row, cross_ref)| (row, cross_ref))
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    /// About how many bytes of memory the index takes. O(1).
    pub(crate) fn memory_bytes(&self) -> usize {
        self.rows.len() * ROW_BYTES
            + self.dictionary.memory_bytes()
            + self.cross_ref.len() * TEXT_BYTES
            + self.missing.entries().len() * TEXT_BYTES
            + self.states.memory_bytes()
            + self.revisions.len() * REVISION_BYTES
            + self.usages.len() * size_of::<(u32, SeenUsage)>()
    }

    /// Events and versions that were lost to damage.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    fn next_row(&self) -> Result<u32> {
        u32::try_from(self.rows.len()).ok().filter(|&row| row < MAX_ROWS).ok_or_else(|| {
            Error::too_many("events in one log", MAX_ROWS as usize, self.rows.len() + 1)
        })
    }

    fn push_row(&mut self, row: Row) {
        self.rows.push(row);
        self.children.push();
        self.forest.push();
        if let Some(firm) = &mut self.firm {
            firm.push();
        }
    }
}

/// About how much memory a row takes with its places in lists, and how much a text or the like.
const ROW_BYTES: usize = 150;
const TEXT_BYTES: usize = 96;
/// About how much memory a row takes that replaces another.
const REVISION_BYTES: usize = 64;
/// The most rows of an index. Greater numbers stand for nodes of moved rows, [`NONE`] and
/// [`NOW`].
const MAX_ROWS: u32 = 1 << 31;
