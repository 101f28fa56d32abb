//! An index answers as the index of the log does that it was built from.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use super::*;
use crate::base::event::{Event, Quarantined};
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind};
use crate::base::random::Random;
use crate::base::row::{Flags, NONE, Place};
use crate::log::encoded::{Encoded, Encoder};
use crate::log::index::{Anchor, CrossRef, Dimension, Entered, NOW, StoredLink};
use crate::log::record::{SupersedesMeta, quarantine_key};
use crate::segment::index::lists::List;

/// A log's index with the spine that sealing would give it.
pub(crate) struct IndexedLog {
    pub(crate) index: Index,
    pub(crate) entries: Vec<Entry>,
}

/// Bytes in memory.
#[derive(Debug)]
pub(crate) struct Plain(pub(crate) Arc<Vec<u8>>);

impl IndexBytes for Plain {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let from = usize::try_from(offset).map_err(io::Error::other)?;
        let found = self.0.get(from..).and_then(|rest| rest.get(..out.len()));
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

pub(crate) const FIRST_SEQ: u64 = 1000;

impl IndexedLog {
    pub(crate) fn of(index: Index) -> Self {
        let seq = |row: u32| FIRST_SEQ + u64::from(row);
        let entries = (0..index.rows().len() as u32)
            .map(|row| {
                let from = *index.row(row);
                if from.flags.has(Flags::LOST) {
                    return Entry::lost();
                }
                let position = index.firm_position(row, NOW);
                Entry {
                    key: index.id(row).key(),
                    parent: match index.stored_link(row, NOW) {
                        StoredLink::Row(parent) => seq(parent),
                        StoredLink::Earlier(parent, _) => parent,
                        _ => 0,
                    },
                    anchor: match position.anchor {
                        Anchor::Row(row) => seq(row),
                        Anchor::Earlier(anchor, _) => anchor,
                    },
                    skip: 0,
                    time_ns: from.time_ns,
                    depth: position.depth,
                    kind: from.kind,
                    instance: from.instance,
                    session: from.session,
                    record: row,
                    flags: from.flags,
                }
            })
            .collect();
        Self { index, entries }
    }

    pub(crate) fn build(&self, quarantined: &[u64]) -> Vec<u8> {
        let versions = (0..self.entries.len() as u32)
            .filter(|&row| self.entries[row as usize].flags.has(Flags::VERSION))
            .map(|row| (row, [row as u8; 8]))
            .collect();
        build(
            &self.index,
            &self.entries,
            FIRST_SEQ,
            Extra {
                versions,
                quarantined,
                slots: &self.slots(),
                format: 2,
                state: StateOf {
                    kinds: &Kinds::default(),
                    reduced: &AllReduced::new(),
                    value: &|at| Ok(at.to_be_bytes().to_vec()),
                },
            },
        )
        .expect("builds")
    }

    pub(crate) fn open(&self, bytes: Vec<u8>) -> Result<SegmentIndex> {
        let rows = self.entries.len() as u32;
        SegmentIndex::open("1.idx", Plain(Arc::new(bytes)), 2, FIRST_SEQ, rows)
    }

    /// Rows stand in the spine the other way round.
    pub(crate) fn slots(&self) -> Vec<u32> {
        (0..self.entries.len() as u32).rev().collect()
    }

    pub(crate) fn in_slot(&self) -> impl Fn(u32) -> Result<([u8; 16], u32)> {
        |slot| {
            let row = self.entries.len() - 1 - slot as usize;
            Ok((self.entries[row].key, row as u32))
        }
    }

    pub(crate) fn key_of(&self) -> impl Fn(u32) -> Result<[u8; 16]> {
        |row| Ok(self.entries[row as usize].key)
    }

    pub(crate) fn time_of(&self) -> impl Fn(u32) -> Result<i64> {
        |row| Ok(self.entries[row as usize].time_ns)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "it is made for the call")]
pub(crate) fn add(
    index: &mut Index,
    event: Event,
    commit: u32,
    cross_ref: Option<CrossRef>,
) -> u32 {
    let payload = event.payload.clone();
    let mut encoder = Encoder::new(1);
    encoder.event(&event);
    let record = encoder.finish().remove(0);
    let fields = record.as_event().expect("reads");
    let entered = Entered { offset: 0, commit };
    index.add_event(fields, payload.as_deref(), entered, cross_ref).expect("is added")
}

/// A log with something of everything.
fn mixed(count: u32) -> IndexedLog {
    let mut random = Random::new(7);
    let mut index = Index::default();
    let ids: Vec<EventId> = (0..count)
        .map(|n| if n % 5 == 0 { EventId::from(format!("text {n}")) } else { random.id() })
        .collect();
    for n in 0..count {
        let kind = ["message", "call", "error"][random.below(3) as usize];
        let mut event = Event::new(kind)
            .id(&ids[n as usize])
            .time_ns(random.below(u64::from(count) / 3).cast_signed() - 50)
            .instance(format!("instance {}", random.below(7)))
            .label("same", "value")
            .label("unique", format!("{n}"));
        if n % 3 != 0 {
            event = event.session(format!("session {}", n / 100));
        }
        let near = random.below(u64::from(count)) as usize;
        event = match random.below(10) {
            0 | 1 => event,
            2 => event.parent(format!("missing {}", random.below(9))),
            3 => event.parent(&ids[0]),
            _ => event.parent(&ids[near]),
        };
        let cross_ref = (n % 50 == 49).then(|| CrossRef {
            parent: 7,
            parent_id: None,
            anchor: 3,
            anchor_id: "far".into(),
            depth: 4,
            session: None,
            version_of: None,
        });
        let event = if cross_ref.is_some() { event.parent("elsewhere") } else { event };
        add(&mut index, event, n + 1, cross_ref);
        if n % 20 == 19 {
            let again = Event::new("again").id(&ids[near.min(n as usize)]).payload(format!("{n}"));
            add(&mut index, again.time_ns(5), n + 1, None);
            let asserted = Link::new(&ids[n as usize], &ids[near], LinkKind::Spawned).order(-3);
            index.assert_link(asserted, n + 1);
            let asserted = Link::new(format!("waits {}", n % 60), "p", LinkKind::Spawned);
            index.assert_link(asserted.strength(n as u8), n + 1);
            index.mark_cycle_edge(ids[n as usize].clone(), "beyond".into(), n + 1);
            let input = Encoded::quarantined(Quarantined {
                source: "file".into(),
                line: u64::from(n),
                offset: u64::from(n),
                length: 1,
                reason: "why".into(),
                bytes: vec![n as u8],
            });
            let key = quarantine_key(input.as_quarantined().expect("reads"), &[n as u8]);
            index.add_quarantined(key, Entered { offset: 0, commit: n + 1 });
        }
        if n == 30 {
            index.add_lost(3).expect("is added");
        }
    }
    IndexedLog::of(index)
}

#[test]
fn the_same_log_gives_the_same_bytes() {
    assert!(mixed(2000).build(&[1, 2]) == mixed(2000).build(&[1, 2]));
}

#[test]
fn ids_are_found_and_no_others() {
    let sealed = mixed(3000);
    let index = sealed.open(sealed.build(&[])).expect("opens");
    let mut expected: BTreeMap<[u8; 16], Vec<u32>> = BTreeMap::new();
    for (row, entry) in (0u32..).zip(&sealed.entries) {
        if !entry.flags.has(Flags::LOST) {
            expected.entry(entry.key).or_default().push(row);
        }
    }
    for (key, rows) in &expected {
        assert_eq!(&index.rows_of(key, None, 99, sealed.in_slot()).expect("reads"), rows);
        let rest = index.rows_of(key, Some(rows[0]), 99, sealed.in_slot()).expect("reads");
        assert_eq!(rest, rows[1..]);
        let mut other = *key;
        other[3] ^= 1;
        assert!(index.rows_of(&other, None, 1, sealed.in_slot()).expect("reads").is_empty());
    }
    let sorted: Vec<u32> = expected.values().flatten().copied().collect();
    let (low, high) = ([0x40; 16], [0x9f; 16]);
    let between: Vec<u32> =
        expected.range(low..=high).flat_map(|(_, rows)| rows).copied().collect();
    let of_range = |from, high, most| index.rows_between(from, high, most, sealed.in_slot());
    assert_eq!(of_range((&low, 0), &high, 9999).expect("reads"), between);
    assert_eq!(of_range((&low, 0), &high, 5).expect("reads"), between[..5]);
    assert_eq!(of_range((&[0; 16], 0), &[0xff; 16], 99_999).expect("reads"), sorted);
    let at = sorted[1234];
    let key = sealed.entries[at as usize].key;
    assert_eq!(of_range((&key, at), &[0xff; 16], 3).expect("reads"), sorted[1234..1237]);
    for row in (0..sealed.entries.len() as u32).filter(|&row| sealed.index.row(row).first != row) {
        let key = sealed.entries[row as usize].key;
        let with = |digest: u8| index.versions_with(&key, [digest; 8], sealed.key_of());
        assert!(with(row as u8).expect("reads").contains(&row));
        assert!(!with(row as u8 ^ 1).expect("reads").contains(&row));
    }
}

#[test]
fn lists_have_the_rows_of_the_log_in_both_directions() {
    let sealed = mixed(3000);
    let index = sealed.open(sealed.build(&[])).expect("opens");
    let begin = Place { time_ns: i64::MIN, row: 0 };
    let end = Place { time_ns: i64::MAX, row: u32::MAX };
    let check = |dim: Dim<'_>, rows: &[u32]| {
        let list = index.list(dim).expect("reads").expect("is there");
        assert_eq!(list.len() as usize, rows.len(), "{dim:?}");
        let time_of = || sealed.time_of();
        assert_eq!(index.forwards(&list, begin, 9999, time_of()).expect("reads"), rows);
        let mut back = index.backwards(&list, end, 9999, time_of()).expect("reads");
        back.reverse();
        assert_eq!(back, rows, "{dim:?}");
        for at in (0..rows.len()).step_by(rows.len() / 5 + 1) {
            let place = Place { time_ns: sealed.entries[rows[at] as usize].time_ns, row: rows[at] };
            let on = &rows[at..rows.len().min(at + 200)];
            assert_eq!(index.forwards(&list, place, 200, time_of()).expect("reads"), on);
            let mut back = index.backwards(&list, place, 200, time_of()).expect("reads");
            back.reverse();
            assert_eq!(back, rows[at.saturating_sub(200)..at]);
            assert!(index.contains(&list, rows[at], time_of()).expect("reads"));
        }
        let holds: BTreeSet<u32> = rows.iter().copied().collect();
        for row in (0..sealed.entries.len() as u32).step_by(97) {
            let contains = index.contains(&list, row, time_of()).expect("reads");
            assert_eq!(contains, holds.contains(&row), "{dim:?} {row}");
        }
    };
    let mut values = BTreeMap::new();
    for dimension in sealed.index.dimensions() {
        let postings = sealed.index.postings(dimension).expect("is there");
        let rows: Vec<u32> = postings.forwards(sealed.index.rows(), begin).collect();
        let text = |number: u32| &**sealed.index.text(number);
        match dimension {
            Dimension::All => check(Dim::All, &rows),
            Dimension::Errors => check(Dim::Errors, &rows),
            Dimension::Kind(kind) => check(Dim::Kind(text(kind)), &rows),
            Dimension::Instance(number) => {
                check(Dim::Instance(text(number)), &rows);
                values.insert(text(number).to_owned(), rows.len() as u32);
            }
            Dimension::Session(number) => check(Dim::Session(text(number)), &rows),
            Dimension::Label(_, value) if value % 40 != 0 => {}
            Dimension::Label(key, value) => check(Dim::Label(text(key), text(value)), &rows),
        }
    }
    let values: Vec<(String, u32)> = values.into_iter().collect();
    assert_eq!(index.values(Values::Instances, None, 99).expect("reads"), values);
    let after = index.values(Values::Instances, Some(&values[2].0), 2).expect("reads");
    assert_eq!(after, values[3..5]);
    assert_eq!(index.values(Values::Labels("unique"), None, 9999).expect("reads").len(), 3000);
    assert!(index.list(Dim::Kind("no such")).expect("reads").is_none());
    let mut by_anchor: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    let all = sealed.index.postings(Dimension::All).expect("is there");
    for row in all.forwards(sealed.index.rows(), begin) {
        by_anchor.entry(sealed.entries[row as usize].anchor).or_default().push(row);
    }
    for (&anchor, rows) in &by_anchor {
        check(Dim::Root(anchor), rows);
    }
}

#[test]
fn children_are_those_of_the_log_in_its_order() {
    let sealed = mixed(3000);
    let index = sealed.open(sealed.build(&[])).expect("opens");
    let mut cross_segment: BTreeMap<[u8; 16], Vec<u32>> = BTreeMap::new();
    let mut longest = 0;
    for row in 0..sealed.entries.len() as u32 {
        let link = |child: u32| sealed.index.stored_link(child, NOW);
        let children: Vec<u32> = sealed
            .index
            .named_children(row, NOW)
            .filter(|&child| link(child) == StoredLink::Row(row))
            .collect();
        longest = longest.max(children.len());
        let list = index.children(row).expect("reads");
        assert_eq!(list.as_ref().map_or(0, List::len) as usize, children.len());
        if let Some(list) = list {
            assert_eq!(index.children_after(&list, None, 9999).expect("reads"), children);
            let after = index.children_after(&list, Some(children[0]), 1).expect("reads");
            assert_eq!(after, children[1..children.len().min(2)]);
        }
        let flags = sealed.entries[row as usize].flags;
        if let StoredLink::Earlier(_, id) | StoredLink::Awaited(id) = link(row)
            && !flags.has(Flags::VERSION)
        {
            cross_segment.entry(id.key()).or_default().push(row);
        }
    }
    assert!(longest > 64, "a list with groups of its own");
    for (key, rows) in &cross_segment {
        let list = index.children_of_absent(key).expect("reads").expect("is there");
        assert_eq!(&index.children_after(&list, None, 9999).expect("reads"), rows);
    }
    assert!(index.children_of_absent(&[0; 16]).expect("reads").is_none());
}

#[test]
fn links_and_sequences_come_back_in_order() {
    let sealed = mixed(3000);
    let quarantined: Vec<u64> = (0..300).map(|n| n * 1_000_000).collect();
    let index = sealed.open(sealed.build(&quarantined)).expect("opens");
    let refused: Vec<Link> = sealed.index.refused(NOW).iter().map(|r| r.link.clone()).collect();
    let kept = index.links(Standing::Refused, 0, 9999).expect("reads");
    assert!(kept.iter().map(|kept| &kept.link).eq(&refused) && !refused.is_empty());
    assert_eq!(index.links(Standing::Refused, 2, 3).expect("reads"), kept[2..5]);
    for (standing, count) in [
        (Standing::Stands, sealed.index.all_standing().count()),
        (Standing::Marked, sealed.index.all_marks().len()),
    ] {
        assert_eq!(index.links_len(standing) as usize, count);
        assert_eq!(index.links(standing, 0, 9999).expect("reads").len(), count);
        assert!(count > 0);
    }
    for (link, made) in sealed.index.all_standing() {
        let at = index.links_at(LinkEnd::Child, &link.child, None, 9).expect("reads");
        assert_eq!((&at[0].link, at[0].standing, at[0].made), (link, Standing::Stands, made));
        let at = index.links_at(LinkEnd::Parent, &link.parent, None, 99).expect("reads");
        assert!(at.iter().any(|kept| kept.link == *link));
    }
    let cycle_edges = index.links(Standing::Cycle, 0, 9999).expect("reads");
    assert!(!cycle_edges.is_empty());
    let awaited = index.awaited(0, 9999).expect("reads");
    let still = sealed.index.missing().iter().filter(|entry| entry.until == NONE);
    let still: Vec<&EventId> = still.map(|entry| &entry.id).collect();
    assert!(awaited.iter().map(|parent| &parent.id).all(|id| still.contains(&id)));
    assert!(awaited.len() >= 9, "all that are named missing");
    assert_eq!(index.awaited(1, 2).expect("reads"), awaited[1..3]);
    assert_eq!(index.quarantined(0, 9999).expect("reads"), quarantined);
    assert_eq!(index.quarantined(130, 5).expect("reads"), quarantined[130..135]);
    assert!(index.quarantined(300, 5).expect("reads").is_empty());
    for key in sealed.index.quarantine_keys() {
        assert!(index.knows_quarantined(key).expect("reads"));
        let mut other = *key;
        other[0] ^= 1;
        assert!(!index.knows_quarantined(&other).expect("reads"));
    }
}

#[test]
fn what_replaces_rows_is_found_and_nothing_else() {
    let mut log = Index::default();
    for number in 0..6 {
        add(&mut log, Event::new("step").id(format!("event {number}")), number + 1, None);
    }
    for (row, seq) in [(2, 7), (3, 5), (5, 11)] {
        log.supersede(row, SupersedesMeta { seq, of_event: true, is_error: false });
    }
    let sealed = IndexedLog::of(log);
    let index = sealed.open(sealed.build(&[])).expect("opens");
    for seq in 0..20 {
        let by = [(5, 3), (7, 2), (11, 5)].into_iter().find(|&(of, _)| of == seq);
        assert_eq!(index.superseded_by(seq).expect("reads"), by.map(|(_, row)| row), "{seq}");
    }
    let none = IndexedLog::of(Index::default());
    let none = none.open(none.build(&[])).expect("opens");
    assert_eq!(none.superseded_by(u64::MAX).expect("reads"), None);
}

#[test]
fn an_empty_log_has_an_index() {
    let sealed = IndexedLog::of(Index::default());
    let index = sealed.open(sealed.build(&[])).expect("opens");
    assert!(index.list(Dim::All).expect("reads").is_none_or(|list| list.len() == 0));
    assert!(index.children(0).expect("reads").is_none());
    assert!(SegmentIndex::open("1.idx", Plain(Arc::new(sealed.build(&[]))), 2, 1, 0).is_err());
}

/// redb checks none of its pages; this is about what happens should the checks in
/// front of it fail: an error or wrong rows, and no end of the process.
#[test]
fn damaged_and_short_bytes_are_errors_or_wrong_answers() {
    let sealed = mixed(300);
    let bytes = sealed.build(&[1]);
    std::panic::set_hook(Box::new(|_| {}));
    let attempt = |bytes: Vec<u8>| {
        let Ok(index) = sealed.open(bytes) else { return };
        let rows = index.list(Dim::All).ok().flatten().map(|list| {
            let begin = Place { time_ns: i64::MIN, row: 0 };
            index.forwards(&list, begin, 9999, sealed.time_of())
        });
        if let Some(Ok(rows)) = rows {
            assert!(rows.iter().all(|&row| (row as usize) < sealed.entries.len()));
        }
        let _ = index.rows_of(&sealed.entries[5].key, None, 9, sealed.in_slot());
        let _ = index.rows_between((&[0; 16], 0), &[0xff; 16], 9999, sealed.in_slot());
        let _ = index.links(Standing::Refused, 0, 99);
    };
    let mut random = Random::new(1);
    for _ in 0..2000 {
        let mut bytes = bytes.clone();
        let at = random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << random.below(8);
        attempt(bytes);
    }
    (0..bytes.len()).step_by(4096 / 3).for_each(|length| attempt(bytes[..length].to_vec()));
    let _ = std::panic::take_hook();
}
