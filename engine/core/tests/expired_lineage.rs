//! Roots and depths go on counting what has expired, also over links that were learnt
//! late.

use std::collections::{HashMap, HashSet};

use forebear::{CommonCause, CountBy, Detail, Event, Filter, LinkKind, Retention, Snapshot, Store};

#[path = "support/random.rs"]
mod random;

use random::Random;

/// Of events in the order in which they were stored: their numbers, and their parents.
#[derive(Default)]
struct Model {
    /// The parent that an event names or was linked to.
    parents: HashMap<u64, u64>,
    /// When each event was stored.
    stored: HashMap<u64, usize>,
    /// Events that expired when their parent had not been stored.
    cut_off: HashSet<u64>,
    /// Events that came when their parent had expired: nobody knows that it was there.
    blind: HashSet<u64>,
    /// The first that has not expired.
    first: usize,
}

/// Where an event lies, and how the walk from it ends.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    root: u64,
    depth: u64,
    walk: Vec<u64>,
    end: &'static str,
    beyond: Option<u64>,
}

impl Model {
    fn parent(&self, event: u64) -> Option<u64> {
        self.parents.get(&event).copied().filter(|_| !self.cut_off.contains(&event))
    }

    fn holds(&self, event: u64) -> bool {
        self.stored.get(&event).is_some_and(|&at| at >= self.first)
    }

    fn place(&self, event: u64) -> Place {
        let (mut root, mut depth) = (event, 0);
        while let Some(parent) = self.parent(root).filter(|up| self.stored.contains_key(up)) {
            if self.blind.contains(&root) {
                break;
            }
            (root, depth) = (parent, depth + 1);
        }
        let mut walk = vec![event];
        let mut at = event;
        let (end, beyond) = loop {
            match self.parent(at) {
                None => break ("root", None),
                Some(parent) if self.holds(parent) => {
                    walk.push(parent);
                    at = parent;
                }
                Some(parent) if self.stored.contains_key(&parent) && !self.blind.contains(&at) => {
                    break ("expired", Some(parent));
                }
                Some(parent) => break ("missing", Some(parent)),
            }
        };
        Place { root, depth, walk, end, beyond }
    }

    fn drop_before(&mut self, first: usize) {
        let going = self.stored.iter().filter(|&(_, &at)| at < first).map(|(&event, _)| event);
        let waits = |event: &u64| {
            self.parents.get(event).is_some_and(|parent| !self.stored.contains_key(parent))
        };
        let cut_off: Vec<u64> = going.filter(waits).collect();
        self.cut_off.extend(cut_off);
        self.first = first;
    }
}

#[test]
fn roots_and_depths_stay_as_they_are_when_segments_go() {
    for seed in 0..12 {
        history(seed);
    }
}

/// Random trees, whose events come in any order within a window, over tiny segments that
/// are dropped one by one.
fn history(seed: u64) {
    let mut random = Random::new(seed);
    let folder = tempfile::tempdir().expect("a folder");
    let builder = || Store::builder().seal_in_background(false).segment_events(1000);
    let mut store = builder().open(folder.path()).expect("opens");
    let mut model = Model::default();
    let (count, reach) = (20 + random.below(100), 1 + random.below(8));
    let mut order: Vec<(u64, u64)> =
        (0..count).map(|event| (event + random.below(1 + 2 * reach), event)).collect();
    order.sort_unstable();
    let mut ends = Vec::new();
    for (at, &(_, number)) in order.iter().enumerate() {
        let mut event = Event::new("e").id(id(number)).time_ns(number.cast_signed());
        let parent = (random.below(10) > 0 && number > 0)
            .then(|| number.saturating_sub(1 + random.below(reach)));
        if let Some(parent) = parent {
            model.parents.insert(number, parent);
            if model.stored.contains_key(&parent) && !model.holds(parent) {
                model.blind.insert(number);
            }
            // What an asserted link says goes with its segment, which has to be the child's.
            if !model.stored.contains_key(&parent) && random.below(4) == 0 {
                store.link(id(number), id(parent), LinkKind::Spawned).expect("links");
            } else {
                event = event.parent(id(parent));
            }
        }
        store.append(event).expect("appends");
        model.stored.insert(number, at);
        if random.below(5) == 0 {
            store.seal().expect("seals");
            ends.push(at + 1);
        }
        if random.below(12) == 0 {
            drop(store);
            store = builder().open(folder.path()).expect("opens");
        }
        if random.below(8) == 0 && !ends.is_empty() {
            let how_many = 1 + random.below(2.min(ends.len() as u64)) as usize;
            drop_oldest(&store, &mut model, &mut ends, how_many);
            check(&store.snapshot(), &model, seed);
        }
    }
    check(&store.snapshot(), &model, seed);
    while !ends.is_empty() {
        drop_oldest(&store, &mut model, &mut ends, 1);
        check(&store.snapshot(), &model, seed);
    }
}

fn drop_oldest(store: &Store, model: &mut Model, ends: &mut Vec<usize>, how_many: usize) {
    let first = ends[how_many - 1];
    let keep = (model.stored.len() - first) as u64;
    let gone = store.retain(&Retention::new().max_events(keep)).expect("drops");
    assert_eq!(gone.segments, how_many as u64);
    model.drop_before(first);
    ends.drain(..how_many);
}

fn check(snapshot: &Snapshot, model: &Model, seed: u64) {
    let held: Vec<u64> = model.stored.keys().copied().filter(|&event| model.holds(event)).collect();
    let mut trees: HashMap<u64, HashSet<String>> = HashMap::new();
    for &event in &held {
        let what = format!("event {event} of seed {seed}");
        let place = model.place(event);
        let root = snapshot.root(id(event)).expect("reads").expect("is there");
        let depth = snapshot.depth(id(event)).expect("reads").expect("is there");
        assert_eq!((root.to_string(), depth), (id(place.root), place.depth), "{what}");
        let chain = snapshot.chain(id(event)).expect("reads").expect("is there");
        let mut chain = chain.detail(Detail::Columns);
        let walk: Vec<_> = chain.by_ref().map(|event| event.expect("reads")).collect();
        let depths: Vec<u64> = walk.iter().map(forebear::StoredEvent::depth).collect();
        let ids: Vec<String> = walk.iter().map(|event| event.id().to_string()).collect();
        assert_eq!(ids, place.walk.iter().map(|&up| id(up)).collect::<Vec<_>>(), "{what}");
        assert_eq!(depths, (0..=depth).rev().take(ids.len()).collect::<Vec<_>>(), "{what}");
        let end = chain.end().expect("it has ended");
        let beyond = end.parent().map(ToString::to_string);
        assert_eq!((end.as_str(), beyond), (place.end, place.beyond.map(id)), "{what}");
        if place.walk.last() == Some(&place.root) {
            trees.entry(place.root).or_default().insert(id(event));
        }
    }
    for (root, tree) in trees {
        let filter = Filter::new().root(id(root));
        let events = snapshot.events(&filter).limit(1000).page().expect("lists").items;
        let listed: HashSet<String> = events.iter().map(|event| event.id().to_string()).collect();
        assert_eq!(listed, tree, "the tree of event {root} of seed {seed}");
        let counts = snapshot.counts(CountBy::Kind, &filter).page().expect("counts").items;
        assert_eq!(counts[0].count, tree.len() as u64, "the tree of event {root} of seed {seed}");
    }
    for (&a, &b) in held.iter().zip(held.iter().cycle().skip(held.len() / 2)) {
        let (up_a, up_b) = (model.place(a), model.place(b));
        let met = up_a.walk.iter().find(|up| up_b.walk.contains(up));
        let cause = snapshot.common_cause(id(a), id(b)).expect("reads").expect("are there");
        let what = format!("events {a} and {b} of seed {seed}: {cause:?}");
        match (cause, met) {
            (CommonCause::Found(event), Some(&met)) => {
                assert_eq!(event.id().to_string(), id(met), "{what}");
            }
            (CommonCause::None, None) => {
                assert_eq!((up_a.end, up_b.end), ("root", "root"), "{what}");
            }
            (CommonCause::Unknown(end_a, end_b), None) => {
                assert_eq!((end_a.as_str(), end_b.as_str()), (up_a.end, up_b.end), "{what}");
            }
            _ => panic!("{what}"),
        }
    }
}

fn id(number: u64) -> String {
    format!("event {number}")
}
