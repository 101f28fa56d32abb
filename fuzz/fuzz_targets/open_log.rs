//! Opens a store whose log holds arbitrary bytes: it may refuse, it may cut and
//! pass over, but it must not panic, hang or run out of memory; and a store that
//! opens must take events and give them back after it was closed.
//!
//! The first byte of the input says what the log holds: the rest of the input;
//! a sound log changed by the input; or the same with every digest made right
//! again, so that what lies behind the digests is reached too.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use forebear::listing::Listing;
use forebear::storage::{SimulatedDisk, Storage};
use forebear::{
    Batch, CountBy, Durability, Event, Filter, Link, LinkKind, Page, Quarantined, Query, Result,
    Snapshot, Store,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((mode, input)) = input.split_first() else {
        return;
    };
    let log = match mode % 3 {
        0 => input.to_vec(),
        1 => changed(&SOUND.log, input),
        _ => resealed(changed(&SOUND.log, input)),
    };
    let disk = SOUND.disk.power_loss(0);
    disk.write(&SOUND.log_name, log);
    let Ok(store) = open(&disk) else {
        return;
    };
    // Bytes that say something impossible may be reported, but not panic.
    let _ = read_everything(&store.snapshot());
    let Ok(appended) = store.append(Event::new("after").id("after").payload("after")) else {
        return;
    };
    store.close().expect("closing a store that took an event");
    let store = open(&disk).expect("opening a store that was closed");
    let again = store
        .append(Event::new("after").id("after").payload("after"))
        .expect("appending what was appended");
    assert_eq!((again.seq, again.status.as_str()), (appended.seq, "repeat"));
});

/// A store that was closed in order, and its log.
struct Sound {
    disk: SimulatedDisk,
    log_name: String,
    log: Vec<u8>,
}

static SOUND: LazyLock<Sound> = LazyLock::new(|| {
    let disk = SimulatedDisk::new();
    let store = open(&disk).expect("an empty disk");
    for block in 0..4 {
        store.write(batch(block)).expect("a sound batch");
    }
    store.close().expect("nothing fails here");
    let names = disk.list().expect("nothing fails here");
    let log_name =
        names.into_iter().find(|name| name.ends_with(".log")).expect("a store has a log");
    let log = disk.read(&log_name).expect("it is listed");
    Sound { disk, log_name, log }
});

fn batch(block: u32) -> Batch {
    let id = |number: u32| format!("{block}/{number}");
    let mut batch = Batch::new()
        .durability(if block == 2 { Durability::Flush } else { Durability::Sync })
        .event(Event::new("root").id(id(0)).session("s").time_ns(i64::from(block)))
        .event(Event::new("child").id(id(1)).parent(id(0)).label("key", "value").time_ns(5))
        .event(Event::new("child").id(id(1)).payload("another version").time_ns(6))
        .event(Event::new("waits").id(id(2)).parent("never stored").time_ns(7))
        .event(Event::new("round").id(id(3)).parent(id(3)).payload(vec![7; 100]).time_ns(8))
        .link(Link::new(id(0), "0/1", LinkKind::Continues))
        .link(Link::new(id(0), id(2), LinkKind::Spawned).strength(200))
        .link(Link::new(id(1), id(2), LinkKind::Spawned));
    batch = batch.quarantine(Quarantined {
        source: "file".into(),
        line: 1,
        offset: 0,
        length: 3,
        reason: "expected an object".into(),
        bytes: b"bad".to_vec(),
    });
    batch
}

fn open(disk: &SimulatedDisk) -> Result<Store> {
    forebear::builder().open_on(Arc::new(disk.clone()))
}

/// The log after as many changes as the input has, five bytes each.
fn changed(log: &[u8], input: &[u8]) -> Vec<u8> {
    let mut log = log.to_vec();
    for change in input.chunks_exact(5) {
        if log.is_empty() {
            break;
        }
        let at = usize::from(u16::from_le_bytes([change[1], change[2]])) % log.len();
        let (length, value) = (usize::from(change[3]), change[4]);
        let end = (at + length).min(log.len());
        match change[0] % 6 {
            0 => log[at] = value,
            1 => log[at] ^= 1 << (value % 8),
            2 => log[at..end].fill(value),
            3 => drop(log.drain(at..end)),
            4 if log.len() < LOG_BYTES_MAX => {
                let copied = log[at..end].to_vec();
                let to = usize::from(value) * 16 % log.len();
                log.splice(to..to, copied);
            }
            _ => log.truncate(at.max(usize::from(value))),
        }
    }
    log
}

/// The log with the digests that its blocks must bear, and each block's offset
/// and the digest before it where the format wants them.
fn resealed(mut log: Vec<u8>) -> Vec<u8> {
    let mut at = 0;
    let mut previous = [0; 32];
    while let Some(header) = log.get(at..at + HEADER_BYTES) {
        let body_len = u64::from_le_bytes(header[48..56].try_into().expect("eight bytes"));
        let end = (at + HEADER_BYTES) as u64;
        let Some(end) = end.checked_add(body_len).filter(|end| *end <= log.len() as u64) else {
            break;
        };
        log[at + 40..at + 48].copy_from_slice(&(at as u64).to_le_bytes());
        log[at + 80..at + 112].copy_from_slice(&previous);
        let mut hasher = blake3::Hasher::new();
        hasher.update(&log[at..at + DIGEST_AT]);
        hasher.update(&log[at + HEADER_BYTES..end as usize]);
        previous = *hasher.finalize().as_bytes();
        log[at + DIGEST_AT..at + HEADER_BYTES].copy_from_slice(&previous);
        at = end as usize;
    }
    log
}

/// Asks everything that can be asked.
fn read_everything(snapshot: &Snapshot) -> Result<()> {
    let stats = snapshot.stats()?;
    let oldest_first = snapshot.events(Filter::new()).oldest_first().limit(100);
    let events = first_pages(oldest_first)?;
    for event in &events {
        let id = event.id();
        snapshot.get(id)?;
        snapshot.versions(id).page()?;
        snapshot.children(id).page()?;
        snapshot.siblings(id).page()?;
        snapshot.descendants(id).page()?;
        snapshot.ancestor_at(id, 1)?;
        snapshot.common_cause(id, "0/1")?;
        snapshot.asserted_link(id)?;
        if let Some(mut chain) = snapshot.chain(id)? {
            let walked = chain.by_ref().collect::<Result<Vec<_>>>()?;
            assert!(walked.len() as u64 <= stats.events + stats.derived_ids);
            assert!(chain.end().is_some());
            chain.root_first()?.try_for_each(|event| event.map(drop))?;
        }
    }
    first_pages(snapshot.roots())?;
    first_pages(snapshot.missing_parents())?;
    first_pages(snapshot.refused_links())?;
    first_pages(snapshot.cycle_edges())?;
    first_pages(snapshot.quarantined())?;
    for by in [CountBy::Kind, CountBy::Instance, CountBy::Session, CountBy::Label("key".into())] {
        snapshot.counts(by, Filter::new()).page()?;
    }
    snapshot.timeline(Duration::from_nanos(1), Filter::new()).page()?;
    snapshot.resolve("0")?;
    Ok(())
}

/// The items of the first pages; a listing of more is not read to its end.
fn first_pages<L: Listing>(mut query: Query<L>) -> Result<Vec<L::Item>> {
    let mut items = Vec::new();
    for _ in 0..10 {
        let Page { items: more, next, damaged } = query.page()?;
        if let Some(damage) = damaged.into_iter().next() {
            return Err(damage);
        }
        items.extend(more);
        if next.is_none() {
            break;
        }
        query = query.after(next);
    }
    Ok(items)
}

/// Changes make the log no longer than this.
const LOG_BYTES_MAX: usize = 64 << 10;
/// The header of a block, and where its digest stands: see `docs/format.md`.
const HEADER_BYTES: usize = 144;
const DIGEST_AT: usize = 112;
