//! The index of the active log, in memory.
//!
//! A pure function of the log's records in order: recovery and the writer build
//! it by the same calls. What was learnt later than a commit can be told apart,
//! so that a snapshot goes on seeing the old answers.

mod claims;
mod family;
mod forest;
mod links;
mod missing;
mod postings;
mod rows;
mod strings;

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::error::{Error, Result};
use crate::id::EventId;
use crate::log::fields::ArchivedEventMeta;
use crate::log::record::link_kind;

pub(crate) use claims::Refused;
pub(crate) use forest::Position;
pub(crate) use links::Parent;
pub(crate) use missing::Entry as MissingEntry;
pub(crate) use postings::{Place, Postings};
pub(crate) use rows::{Flags, NONE, NOW, Row};

/// What rows can be listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Dimension {
    All,
    Errors,
    Kind(u32),
    Instance(u32),
    Session(u32),
    Label(u32, u32),
}

/// The index of one log.
#[derive(Debug, Default)]
pub(crate) struct Index {
    rows: Vec<Row>,
    /// For each row a hash of its content, to tell repeats from versions.
    fingerprints: Vec<u64>,
    /// Ids that are not UUIDs; a row's id holds the number.
    texts: Vec<Arc<str>>,
    /// The rows of events by id.
    ids: HashTable<u32>,
    /// The later versions of an event, in the order they were stored.
    versions: HashMap<u32, Vec<u32>, RandomState>,
    /// Rows of versions by event and fingerprint.
    version_contents: HashMap<(u32, u64), Vec<u32>, RandomState>,
    strings: strings::Strings,
    postings: HashMap<Dimension, Postings, RandomState>,
    /// The values that labels have, by key.
    label_values: HashMap<u32, Vec<u32>, RandomState>,
    family: family::Family,
    forest: forest::Forest,
    missing: missing::Missing,
    claims: claims::Claims,
    /// Rows whose link closes a cycle, and since which commit.
    closing: Vec<(u32, u32)>,
    /// Where quarantined input lies in the log, and since which commit.
    quarantined: Vec<(u64, u32)>,
    quarantined_before: HashSet<[u8; 16], RandomState>,
    /// Events and versions that were lost to damage.
    lost: u32,
    hasher: RandomState,
}

/// Where and when a record entered the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entered {
    /// Where the record begins in the log.
    pub(crate) offset: u64,
    /// The commit: blocks count from 1.
    pub(crate) commit: u32,
}

impl Index {
    /// Adds an event, or a version where the id is known; returns its row.
    pub(crate) fn add_event(
        &mut self,
        fields: &ArchivedEventMeta,
        payload: Option<&[u8]>,
        entered: Entered,
    ) -> Result<u32> {
        let id = EventId::from(&fields.id);
        let link = link_kind(fields.link)?;
        let row = self.next_row()?;
        let first = self.find(&id);
        let fingerprint = self.fingerprint(fields, payload);
        let mut flags = Flags::default();
        flags.set(Flags::DERIVED, fields.derived_id);
        flags.set(Flags::VERSION, first.is_some());
        flags.set(Flags::ERROR, is_error(fields));
        flags.set_link(link);
        let id_bytes = if let Some(first) = first {
            flags.set(Flags::TEXT, self.rows[first as usize].flags.has(Flags::TEXT));
            self.rows[first as usize].id
        } else {
            self.id_bytes(&id, &mut flags)
        };
        let kind = self.strings.intern(fields.kind());
        let instance = self.strings.intern(fields.instance());
        let session = fields.session().map_or(NONE, |text| self.strings.intern(text));
        self.push_row(Row {
            id: id_bytes,
            time_ns: fields.time_ns.to_native(),
            offset: entered.offset,
            parent: NONE,
            linked_at: NONE,
            first: first.unwrap_or(row),
            kind,
            instance,
            session,
            flags,
        });
        self.fingerprints.push(fingerprint);
        self.post(row, fields);
        if let Some(first) = first {
            self.versions.entry(first).or_default().push(row);
            self.version_contents.entry((first, fingerprint)).or_default().push(row);
        } else {
            self.add_id(row, &id);
            let parent = fields.parent_id();
            self.link_arrival(row, &id, parent, entered.commit);
        }
        Ok(row)
    }

    /// Leaves room for events and versions that were lost to damage.
    pub(crate) fn add_lost(&mut self, count: u64) -> Result<()> {
        for _ in 0..count {
            let row = self.next_row()?;
            self.push_row(Row::lost(row));
            self.fingerprints.push(0);
            self.lost += 1;
        }
        Ok(())
    }

    /// Books quarantined input; returns whether it was new.
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

    /// Where quarantined input lies in the log, as of a commit.
    pub(crate) fn quarantined(&self, at: u32) -> &[(u64, u32)] {
        &self.quarantined[..self.quarantined.partition_point(|&(_, since)| since <= at)]
    }

    /// The row of the event with this id. O(1).
    pub(crate) fn find(&self, id: &EventId) -> Option<u32> {
        self.ids.find(self.hasher.hash_one(id), |&row| self.has_id(row, id)).copied()
    }

    /// Rows of the event's copies whose content may equal this: the same
    /// fingerprint.
    pub(crate) fn candidates(&self, first: u32, fingerprint: u64) -> Vec<u32> {
        let first_copy = (self.fingerprints[first as usize] == fingerprint).then_some(first);
        let versions = self.version_contents.get(&(first, fingerprint));
        first_copy.into_iter().chain(versions.into_iter().flatten().copied()).collect()
    }

    /// The later versions of an event.
    pub(crate) fn versions(&self, first: u32) -> &[u32] {
        self.versions.get(&first).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    pub(crate) fn row(&self, row: u32) -> &Row {
        &self.rows[row as usize]
    }

    /// The id of a row's event.
    pub(crate) fn id(&self, row: u32) -> EventId {
        let row = self.row(row);
        if row.flags.has(Flags::TEXT) {
            let [a, b, c, d, ..] = row.id;
            EventId::from_text(Arc::clone(&self.texts[u32::from_le_bytes([a, b, c, d]) as usize]))
        } else {
            EventId::from_uuid_bytes(row.id)
        }
    }

    pub(crate) fn text(&self, number: u32) -> &Arc<str> {
        self.strings.text(number)
    }

    /// The number of a text, where any row has it.
    pub(crate) fn find_text(&self, text: &str) -> Option<u32> {
        self.strings.find(text)
    }

    pub(crate) fn postings(&self, dimension: Dimension) -> Option<&Postings> {
        self.postings.get(&dimension)
    }

    /// The values that the label with this key has.
    pub(crate) fn label_values(&self, key: u32) -> &[u32] {
        self.label_values.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Events and versions that were lost to damage.
    pub(crate) fn lost(&self) -> u32 {
        self.lost
    }

    /// A hash of what makes two events with one id the same: the payload, or
    /// the fields where there is none.
    pub(crate) fn fingerprint(&self, fields: &ArchivedEventMeta, payload: Option<&[u8]>) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        payload.is_some().hash(&mut hasher);
        match payload {
            Some(payload) => hasher.write(payload),
            None => hash_fields(fields, &mut hasher),
        }
        hasher.finish()
    }

    fn next_row(&self) -> Result<u32> {
        u32::try_from(self.rows.len()).ok().filter(|&row| row < MAX_ROWS).ok_or_else(|| {
            Error::limit("events in one log", MAX_ROWS as usize, self.rows.len() + 1)
        })
    }

    fn push_row(&mut self, row: Row) {
        self.rows.push(row);
        self.family.push();
        self.forest.push();
    }

    fn id_bytes(&mut self, id: &EventId, flags: &mut Flags) -> [u8; 16] {
        if let Some(uuid) = id.as_uuid() {
            return uuid.into_bytes();
        }
        flags.set(Flags::TEXT, true);
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&(self.texts.len() as u32).to_le_bytes());
        self.texts.push(id.as_text().unwrap_or_default().into());
        bytes
    }

    fn has_id(&self, row: u32, id: &EventId) -> bool {
        let row = self.row(row);
        if let Some(uuid) = id.as_uuid() {
            return !row.flags.has(Flags::TEXT) && row.id == *uuid.as_bytes();
        }
        let [a, b, c, d, ..] = row.id;
        row.flags.has(Flags::TEXT)
            && id.as_text() == Some(&*self.texts[u32::from_le_bytes([a, b, c, d]) as usize])
    }

    fn add_id(&mut self, row: u32, id: &EventId) {
        let hash = self.hasher.hash_one(id);
        // The table is taken out so that its rehashing can look at the rows.
        let mut ids = std::mem::take(&mut self.ids);
        ids.insert_unique(hash, row, |&other| self.hasher.hash_one(self.id(other)));
        self.ids = ids;
    }

    fn post(&mut self, row: u32, fields: &ArchivedEventMeta) {
        let Row { kind, instance, session, flags, .. } = self.rows[row as usize];
        self.post_one(Dimension::All, row);
        self.post_one(Dimension::Kind(kind), row);
        self.post_one(Dimension::Instance(instance), row);
        if session != NONE {
            self.post_one(Dimension::Session(session), row);
        }
        if flags.has(Flags::ERROR) {
            self.post_one(Dimension::Errors, row);
        }
        for (key, value) in fields.labels() {
            let (key, value) = (self.strings.intern(key), self.strings.intern(value));
            if self.post_one(Dimension::Label(key, value), row) {
                self.label_values.entry(key).or_default().push(value);
            }
        }
    }

    /// Adds a row to a list; returns whether it is the first.
    fn post_one(&mut self, dimension: Dimension, row: u32) -> bool {
        let postings = self.postings.entry(dimension).or_default();
        postings.insert(&self.rows, row);
        postings.len() == 1
    }
}

/// Whether two records without payloads say the same.
pub(crate) fn same_fields(a: &ArchivedEventMeta, b: &ArchivedEventMeta) -> bool {
    a.link == b.link
        && a.kind() == b.kind()
        && a.time_ns == b.time_ns
        && a.instance() == b.instance()
        && a.session() == b.session()
        && a.parent_id() == b.parent_id()
        && a.labels().eq(b.labels())
}

fn hash_fields(fields: &ArchivedEventMeta, hasher: &mut impl Hasher) {
    fields.link.hash(hasher);
    fields.kind().hash(hasher);
    fields.time_ns.to_native().hash(hasher);
    fields.instance().hash(hasher);
    fields.session().hash(hasher);
    fields.parent_id().hash(hasher);
    fields.labels().for_each(|label| label.hash(hasher));
}

fn is_error(fields: &ArchivedEventMeta) -> bool {
    fields.kind() == "error" || fields.labels().any(|label| label == ("is_error", "true"))
}

/// Most rows in one index: numbers from here on have other meanings.
const MAX_ROWS: u32 = 1 << 31;
