//! A log that is read ahead by a second thread opens as it was written.

use std::path::Path;

use forebear::{Batch, Event, Filter, Result, Snapshot, Store, StoredEvent};

const EVENTS: usize = 4000;

/// Events of many kinds: text ids, children before parents, versions, payloads of
/// several sizes, and batches from one event to hundreds.
fn write(folder: &Path) -> Result<Store> {
    let store = Store::open(folder)?;
    let mut batch = Batch::new();
    for number in 0..EVENTS {
        let mut event = Event::new(["ask", "answer", "error"][number % 3])
            .id(format!("event-{number}"))
            .time_ns((number as u32 * 7919 % 1000).into())
            .instance(format!("agent-{}", number % 16))
            .label("tool", format!("tool-{}", number % 5))
            .payload(vec![b'x'; if number == 2500 { 5 << 20 } else { number % 700 }]);
        if number % 50 > 0 {
            // Every seventh names a parent that is stored later.
            let parent = if number % 7 == 0 { number + 1 } else { number - 1 };
            event = event.parent(format!("event-{parent}"));
        }
        if number % 2 == 0 {
            event = event.session("session");
        }
        batch = batch.event(event);
        if number % 100 == 9 {
            batch = batch.event(Event::new("again").id(format!("event-{}", number - 5)));
        }
        if batch.len() > number / 20 || number + 1 == EVENTS {
            store.write(std::mem::take(&mut batch))?;
        }
    }
    Ok(store)
}

/// What a snapshot says of an event; none where it does not hold it.
fn view(snapshot: &Snapshot, number: usize) -> Result<Option<String>> {
    let Some(event) = snapshot.get(format!("event-{number}"))? else { return Ok(None) };
    let labels: Vec<_> = event.labels().collect();
    let rest = (event.parent(), event.root(), event.depth(), event.session(), labels);
    let payload = event.payload().map_or(0, <[u8]>::len);
    Ok(Some(format!("{} {} {} {rest:?} {payload}", event.seq(), event.kind(), event.instance())))
}

fn views(snapshot: &Snapshot) -> Result<Vec<Option<String>>> {
    (0..EVENTS).map(|number| view(snapshot, number)).collect()
}

/// The log, longer than what one thread reads alone.
fn log(folder: &Path) -> std::path::PathBuf {
    folder.join("0000000001.log")
}

#[test]
fn a_long_log_opens_as_it_was_written() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = write(folder.path())?;
    let before = views(&store.snapshot())?;
    let filter = Filter::new().label("tool", "tool-3");
    let listed = |store: &Store| -> Result<Vec<u64>> {
        Ok(store
            .snapshot()
            .events(&filter)
            .limit(1000)
            .page()?
            .items
            .iter()
            .map(StoredEvent::seq)
            .collect())
    };
    let listed_before = listed(&store)?;
    assert_eq!(listed_before.len(), EVENTS / 5);
    store.close()?;
    let store = Store::open(folder.path())?;
    assert!(store.recovery().is_clean());
    let snapshot = store.snapshot();
    assert_eq!(views(&snapshot)?, before);
    assert_eq!(listed(&store)?, listed_before);
    for number in 0..EVENTS {
        let versions = snapshot.versions(format!("event-{number}")).page()?.items.len();
        assert_eq!(versions, if number % 100 == 4 { 2 } else { 1 });
    }
    Ok(())
}

#[test]
fn damage_in_a_long_log_costs_the_block_it_is_in() -> Result<()> {
    let folder = tempfile::tempdir().expect("a folder");
    let store = write(folder.path())?;
    let before = views(&store.snapshot())?;
    store.close()?;
    let bytes = std::fs::read(log(folder.path())).expect("a log");
    assert!(bytes.len() > 5 << 20);
    for at in [5000, bytes.len() / 2, bytes.len() - 4000] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        std::fs::write(log(folder.path()), &damaged).expect("written");
        let store = Store::open(folder.path())?;
        assert_eq!(store.recovery().skipped.len(), 1);
        let after = views(&store.snapshot())?;
        let lost = after.iter().filter(|view| view.is_none()).count();
        // What is left has the place it had, with or without what was above it.
        let seq = |view: &str| view.split(' ').next().map(str::to_owned);
        for (after, before) in after.iter().zip(&before).filter(|(after, _)| after.is_some()) {
            assert_eq!(after.as_deref().and_then(seq), before.as_deref().and_then(seq));
        }
        assert!((1..1000).contains(&lost), "{lost} lost");
        store.close()?;
    }
    Ok(())
}
