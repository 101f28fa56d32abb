//! Late parents: those that were stored after their child's segment was full.

use crate::base::error::Result;
use crate::segment::late::LATE_SEGMENTS;
use crate::view::View;
use crate::view::joins::Join;

impl View {
    /// The join from an event to its late parent, where a later segment has it in its table
    /// of late parents; the event itself may have expired. Others are looked up by the
    /// parent's id. O(log n) in a few small tables.
    pub(crate) fn late_join(&self, child: u64) -> Result<Option<Join>> {
        let behind = self.sealed.partition_point(|sealed| sealed.first_seq <= child);
        self.late_join_from(behind, child)
    }

    /// The same, searching the segments from this number on, none of which has the child.
    pub(crate) fn late_join_from(&self, number: usize, child: u64) -> Result<Option<Join>> {
        let asked = self.sealed[number..].iter().take(LATE_SEGMENTS);
        for sealed in asked.filter(|sealed| sealed.reach <= child) {
            let opened = self.segments.open(sealed);
            match opened.and_then(|segment| segment.late_parent(child)) {
                Ok(Some(late)) => {
                    let parent = sealed.first_seq + u64::from(late.row);
                    return Ok(Some(Join::new(child, parent, late.anchor, late.depth)));
                }
                // The table is an accelerator: without it the parent is looked up by id.
                Ok(None) => {}
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Whether sources from this number on may have asserted links.
    pub(crate) fn has_asserted_from(&self, number: usize) -> bool {
        number < self.sealed.asserted_end() || self.logs().any(|log| log.index().has_asserted())
    }

    /// Whether any source marks a cycle edge.
    pub(crate) fn has_marks(&self) -> bool {
        self.sealed.marks_end() > 0 || self.logs().any(|log| log.index().has_marks())
    }

    /// Whether a source may have asserted links.
    pub(crate) fn may_assert(&self, number: usize) -> bool {
        self.sealed.get(number).is_none_or(|sealed| sealed.asserted_links > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use crate::base::state::KindId;
    use crate::segment::file::SegFile;
    use crate::segment::footer::LATE;
    use crate::storage::SimulatedDisk;
    use crate::view::View;
    use crate::{Event, Retention, Snapshot, Store};

    fn store() -> Store {
        let disk = Arc::new(SimulatedDisk::new());
        Store::builder().seal_in_background(false).open_on(disk).expect("opens")
    }

    /// Appends events, each with its parent, and seals them.
    fn segment(store: &Store, events: &[(&str, &str)]) {
        for (id, parent) in events {
            let event = Event::new("e").id(*id);
            let event = if parent.is_empty() { event } else { event.parent(*parent) };
            store.append(event).expect("appends");
        }
        store.seal().expect("seals");
    }

    fn drop_oldest(store: &Store) {
        let segments = store.snapshot().segments();
        let rest = segments[1..].iter().map(|segment| segment.events).sum();
        let gone = store.retain(&Retention::new().max_events(rest)).expect("drops");
        assert_eq!(gone.segments, 1);
    }

    fn place(snapshot: &Snapshot, id: &str) -> (String, u64) {
        let root = snapshot.root(id).expect("reads").expect("is there");
        (root.to_string(), snapshot.depth(id).expect("reads").expect("is there"))
    }

    fn written(view: &View) -> usize {
        let names = view.state_names(KindId::LINEAGE, None, 1000, 0..view.len());
        names.expect("reads").len()
    }

    #[test]
    fn a_damaged_table_is_done_without() {
        let disk = SimulatedDisk::new();
        let open = || {
            let builder = Store::builder().seal_in_background(false);
            builder.open_on(Arc::new(disk.clone())).expect("opens")
        };
        let store = open();
        segment(&store, &[("child", "late"), ("top", ""), ("below", "top")]);
        segment(&store, &[("late", ""), ("later", "below"), ("awaits", "later yet")]);
        segment(&store, &[("later yet", "top"), ("last", "awaits")]);
        store.close().expect("closes");
        let name = "0000000002.seg";
        let table = SegFile::open(&disk, name, None).expect("opens").footer().section(LATE);
        assert!(!table.is_empty());
        disk.flip_bit(name, table.start as usize, 3).expect("flips");
        let store = open();
        assert_eq!(place(&store.snapshot(), "below"), ("top".to_owned(), 1));
        assert_eq!(place(&store.snapshot(), "child"), ("late".to_owned(), 1));
        assert_eq!(place(&store.snapshot(), "later yet"), ("top".to_owned(), 1));
        let gone = store.retain(&Retention::new().max_events(5)).expect("drops");
        assert_eq!(gone.segments, 1);
        assert_eq!(place(&store.snapshot(), "later yet"), ("top".to_owned(), 1));
    }

    #[test]
    fn a_segment_knows_who_waited_for_its_events_also_when_those_have_expired() {
        let store = store();
        segment(&store, &[("child", "late"), ("lone", "never")]);
        segment(&store, &[("late", ""), ("below", "child")]);
        segment(&store, &[("further below", "below")]);
        let before = store.snapshot();
        let join = before.view.late_join(1).expect("reads").expect("was waited for");
        assert_eq!((join.parent, join.above, join.edges), (3, 3, 1));
        assert_eq!(before.view.late_join(2).expect("reads"), None);
        drop_oldest(&store);
        let after = store.snapshot();
        assert_eq!(written(&after.view), 0, "the second segment has it");
        assert_eq!(place(&after, "below"), ("late".to_owned(), 2));
        assert_eq!(place(&after, "further below"), ("late".to_owned(), 3));
        drop_oldest(&store);
        let after = store.snapshot();
        assert!(written(&after.view) > 0, "none is left that has it");
        assert_eq!(place(&after, "further below"), ("late".to_owned(), 3));
    }

    #[test]
    fn a_link_that_closes_a_cycle_is_no_late_parents() {
        let store = store();
        segment(&store, &[("child", "late")]);
        segment(&store, &[("late", "child")]);
        let snapshot = store.snapshot();
        assert_eq!(snapshot.view.late_join(1).expect("reads"), None);
        let chain = snapshot.chain("late").expect("reads");
        let mut chain = chain.expect("is there");
        assert_eq!(chain.by_ref().count(), 2);
        assert_eq!(chain.end().expect("it has ended").as_str(), "cycle");
    }

    #[test]
    fn asserted_links_of_any_segment_are_found_and_the_strongest_wins() {
        let store = store();
        segment(&store, &[("child", ""), ("a", ""), ("b", "")]);
        let link = |parent: &str, strength: u8| {
            crate::Link::new("child", parent, crate::LinkKind::Spawned).strength(strength)
        };
        let parent = || place(&store.snapshot(), "child").0;
        assert_eq!(parent(), "child");
        store.write(link("a", 1)).expect("links");
        assert_eq!(parent(), "a", "in the log");
        segment(&store, &[("other", "")]);
        assert_eq!(parent(), "a", "in a segment");
        segment(&store, &[("another", "")]);
        assert_eq!(parent(), "a", "in a segment before one without");
        store.write(link("b", 2)).expect("links");
        segment(&store, &[("one more", "")]);
        assert_eq!(parent(), "b");
    }
}
