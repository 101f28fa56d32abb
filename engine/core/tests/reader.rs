//! What a reader sees while a store is written, rotated, sealed and retained.

mod support {
    pub(crate) mod random;
}

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use forebear::storage::{Fault, SimulatedDisk, Storage};
use forebear::{Batch, Durability, Event, Filter, Reader, Retention, Snapshot, StartFrom, Store};
use support::random::Random;

fn event(n: u64) -> Event {
    let event = Event::new("step").id(format!("event {n}")).time_ns(n.cast_signed());
    let event = event.instance(format!("instance {}", n % 3)).payload(format!("payload {n}"));
    if n == 0 { event } else { event.parent(format!("event {}", n - 1)) }
}

fn store_on(disk: &SimulatedDisk) -> Store {
    let builder = Store::builder().segment_events(50);
    builder.open_on(Arc::new(disk.clone())).expect("opens")
}

fn count(reader: &Reader) -> u64 {
    reader.ask(|snapshot| Ok(snapshot.stats()?.events)).expect("answers")
}

#[test]
fn every_write_that_returned_is_seen_through_rotation_and_sealing() {
    let disk = SimulatedDisk::new();
    let store = store_on(&disk);
    let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
    for n in 0..400 {
        let batch = Batch::from(event(n)).durability(Durability::Flush);
        store.write(batch).expect("writes");
        let snapshot = reader.snapshot().expect("reads");
        let found = snapshot.get(format!("event {n}")).expect("answers");
        assert_eq!(found.expect("was written").seq(), n + 1);
        if n % 60 == 0 {
            let chain = snapshot.chain(format!("event {n}")).expect("answers");
            assert_eq!(chain.expect("is there").count() as u64, n + 1);
            assert_eq!(snapshot.stats().expect("counts").events, n + 1);
        }
    }
    store.seal().expect("seals");
    assert_eq!(count(&reader), 400);
    let before = reader.snapshot().expect("reads");
    store.retain(&Retention::new().max_events(100)).expect("retains");
    let after = reader.snapshot().expect("reads");
    assert!(after.get("event 0").expect("answers").is_none());
    assert!(after.get("event 399").expect("answers").is_some());
    // The old snapshot has the segments that it had opened, or says that they went.
    match before.get("event 1") {
        Ok(found) => assert!(found.is_some()),
        Err(error) => assert!(error.is_expired(), "{error}"),
    }
    assert!(reader.warnings().is_empty());
}

#[test]
fn a_block_that_is_not_whole_is_left_for_the_next_time() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    store.append(event(0)).expect("appends");
    let log = "0000000001.log";
    let before = disk.read(log).expect("is there").len();
    store.append(event(1)).expect("appends");
    let whole = disk.read(log).expect("is there");
    let torn = disk.kill();
    torn.truncate(log, before).expect("cuts");
    let reader = Reader::open_on(Arc::new(torn.clone())).expect("opens");
    for length in before..whole.len() {
        torn.write(log, &whole[..length]);
        let reader = Reader::open_on(Arc::new(torn.clone())).expect("opens");
        assert_eq!(count(&reader), 1, "{length} bytes");
    }
    // What is read goes on in the same file, bit by bit.
    let file = torn.open(log).expect("opens");
    file.set_len(before as u64).expect("cuts");
    drop(reader);
    let reader = Reader::open_on(Arc::new(torn.clone())).expect("opens");
    for at in before..whole.len() {
        assert_eq!(count(&reader), 1, "{at} bytes");
        file.write_at(&whole[at..=at], at as u64).expect("writes");
    }
    assert_eq!(count(&reader), 2);
    // A log that is cut and written anew is followed from its beginning.
    file.set_len(before as u64).expect("cuts");
    assert_eq!(count(&reader), 1);
}

#[test]
fn rot_is_passed_over_and_told_and_nothing_is_written() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    for n in 0..10 {
        store.append(event(n)).expect("appends");
    }
    drop(store);
    let rotten = disk.kill();
    rotten.flip_bit("0000000001.log", 2000, 3).expect("flips");
    let before = rotten.read("0000000001.log").expect("is there");
    let reader = Reader::open_on(Arc::new(rotten.clone())).expect("opens");
    assert_eq!(count(&reader), 9);
    assert_eq!(reader.warnings().len(), 1);
    assert_eq!(rotten.operations(), 0, "nothing is written");
    assert_eq!(rotten.read("0000000001.log").expect("is there"), before);
}

#[test]
fn a_subscription_tells_each_event_once_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::builder().segment_events(50).open(&path).expect("opens");
    let reader = Reader::open(&path).expect("opens");
    let mut all = reader.subscribe(Filter::new(), StartFrom::Start).expect("begins");
    let mut some =
        reader.subscribe(Filter::new().instance("instance 1"), StartFrom::Now).expect("begins");
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut random = Random::new(1);
            for n in 0..1000 {
                let batch = Batch::from(event(n)).durability(Durability::Flush);
                store.write(batch).expect("writes");
                if random.below(50) == 0 {
                    thread::sleep(Duration::from_millis(15));
                }
            }
        });
        scope.spawn(|| {
            for n in 0..1000 {
                let event = all.next().expect("goes on").expect("is read");
                assert_eq!(event.seq(), n + 1);
                assert_eq!(event.id().to_string(), format!("event {n}"));
            }
        });
        scope.spawn(|| {
            for n in (0..1000).filter(|n| n % 3 == 1) {
                let event = some.next().expect("goes on").expect("is read");
                assert_eq!(event.id().to_string(), format!("event {n}"));
            }
        });
    });
    assert!(all.next_timeout(Duration::from_millis(30)).is_none());
    // What goes before it was read is told once.
    let mut late = reader.subscribe(Filter::new(), StartFrom::Seq(2)).expect("begins");
    store.seal().expect("seals");
    store.retain(&Retention::new().max_events(100)).expect("retains");
    assert!(late.next().expect("goes on").is_err_and(|error| error.is_expired()));
    let mut last = late.next_seq() - 1;
    assert!(last >= 900, "{last}");
    while let Some(event) = late.next_timeout(Duration::ZERO) {
        last += 1;
        assert_eq!(event.expect("is read").seq(), last);
    }
    assert_eq!(last, 1000);
}

#[test]
fn an_event_is_told_within_a_tenth_of_a_second() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::open(&path).expect("opens");
    let reader = Reader::open(&path).expect("opens");
    let mut events = reader.subscribe(Filter::new(), StartFrom::Now).expect("begins");
    let done = AtomicBool::new(false);
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0..30 {
                store.append(event(n)).expect("appends");
                sender.send(Instant::now()).expect("is received");
                thread::sleep(Duration::from_millis(20));
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut delays: Vec<Duration> = Vec::new();
        for _ in 0..30 {
            events.next().expect("goes on").expect("is read");
            let told = Instant::now();
            delays.push(told.saturating_duration_since(receiver.recv().expect("was sent")));
        }
        delays.sort_unstable();
        println!("told after {:?}, at most {:?}", delays[15], delays[29]);
        // The best of them: the machine may be busy with other things.
        assert!(delays[0] < Duration::from_millis(100), "{delays:?}");
    });
}

#[test]
fn durable_events_are_those_that_a_power_loss_leaves() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
    let mut events =
        reader.subscribe(Filter::new(), StartFrom::Start).expect("begins").durable(true);
    let flushed = |n| Batch::from(event(n)).durability(Durability::Flush);
    for n in 0..5 {
        store.write(flushed(n)).expect("writes");
        // No block comes after it that would say it is on disk.
        let told = events.next_timeout(Duration::from_secs(9)).expect("comes").expect("is read");
        for seed in 0..20 {
            let after = Arc::new(disk.power_loss(seed));
            let after = Store::builder().open_on(after).expect("opens").snapshot();
            assert!(after.contains(told.id().clone()).expect("answers"), "event {n}, seed {seed}");
        }
    }
    store.write(flushed(5)).expect("writes");
    disk.fail_at(disk.operations() + 1, Fault::Io);
    thread::sleep(Duration::from_millis(60));
    for _ in 0..3 {
        assert!(events.next_timeout(Duration::ZERO).is_none(), "it could not be synced");
        thread::sleep(Duration::from_millis(60));
    }
}

#[test]
fn what_the_writer_calls_durable_is_told_at_once() {
    let disk = SimulatedDisk::new();
    let store = Store::builder().open_on(Arc::new(disk.clone())).expect("opens");
    let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
    let mut events = reader.subscribe(Filter::new(), StartFrom::Now).expect("begins").durable(true);
    assert!(events.next_timeout(Duration::ZERO).is_none());
    store.append(event(0)).expect("appends");
    store.append(event(1)).expect("appends");
    let begun = disk.operations();
    assert!(events.next_timeout(Duration::from_secs(9)).is_some());
    store.close().expect("closes");
    let by_the_writer = disk.operations() - begun;
    assert!(events.next_timeout(Duration::from_secs(9)).is_some());
    assert!(by_the_writer > 0 && disk.operations() - begun == by_the_writer, "nobody synced");
}

#[test]
fn a_manifest_that_can_not_be_read_stops_no_reader_that_has_read_one_before() {
    let disk = SimulatedDisk::new();
    let store = store_on(&disk);
    store.append_batch((0..120).map(event)).expect("appends");
    store.append(event(120)).expect("appends");
    store.seal().expect("seals");
    let reader = Reader::open_on(Arc::new(disk.clone())).expect("opens");
    assert_eq!(count(&reader), 121);
    let sound = disk.read("MANIFEST").expect("is there");
    let mut seen = 0;
    for damaged in [&sound[..100], b"", b"something else"] {
        disk.write("MANIFEST", damaged);
        store.append(event(count(&reader))).expect("appends");
        let warnings = reader.warnings_after(seen);
        assert_eq!(warnings.len(), 1, "it is told once");
        seen = warnings[0].number();
        let rows = count(&reader);
        assert!(reader.ask(|snapshot| snapshot.contains("event 5")).expect("answers"));
        assert!(reader.warnings_after(seen).is_empty());
        let error = Reader::open_on(Arc::new(disk.clone())).expect_err("it has read none");
        assert!(error.is_damaged() || error.is_foreign(), "{error}");
        assert_eq!(disk.read("MANIFEST").expect("is there"), damaged, "nothing is written");
        disk.write("MANIFEST", &*sound);
        assert_eq!(count(&reader), rows);
    }
    // It is sound again a moment later: nobody hears of it.
    disk.write("MANIFEST", &sound[..200]);
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(10));
            disk.write("MANIFEST", &*sound);
        });
        Reader::open_on(Arc::new(disk.clone())).expect("waits for it");
    });
    // The next rotation writes another.
    disk.write("MANIFEST", &sound[..200]);
    store.seal().expect("seals");
    store.append(event(500)).expect("appends");
    assert!(reader.ask(|snapshot| snapshot.contains("event 500")).expect("answers"));
}

#[test]
fn a_log_that_is_lost_is_told_and_not_read_as_empty() {
    let disk = SimulatedDisk::new();
    let store = store_on(&disk);
    store.append_batch((0..120).map(event)).expect("appends");
    store.seal().expect("seals");
    store.append(event(120)).expect("appends");
    drop(store);
    let log = disk.list().expect("lists").into_iter().rfind(|name| name.contains(".log"));
    let lost = disk.kill();
    lost.remove(&log.expect("there is one")).expect("removes");
    let error = Reader::open_on(Arc::new(lost)).expect_err("a part of it is gone");
    assert!(error.is_damaged() && error.to_string().contains(".log"), "{error}");
}

#[test]
fn an_index_that_is_lost_is_made_in_memory_where_the_store_is_only_read() {
    let disk = SimulatedDisk::new();
    let store = store_on(&disk);
    store.append_batch((0..120).map(event)).expect("appends");
    store.seal().expect("seals");
    drop(store);
    let harms: [fn(&SimulatedDisk); 2] = [
        |disk| disk.remove("0000000001.idx").expect("removes"),
        |disk| disk.flip_bit("0000000001.idx", 5000, 1).expect("flips"),
    ];
    for harm in harms {
        let damaged = disk.kill();
        harm(&damaged);
        let before = damaged.list().expect("lists");
        let reader = Reader::open_on(Arc::new(damaged.clone())).expect("opens");
        let of_instance = Filter::new().instance("instance 1");
        let recent = reader.ask(|snapshot| snapshot.events(&of_instance).limit(100).page());
        assert_eq!(recent.expect("answers").items.len(), 40);
        let warnings = reader.warnings();
        assert!(
            warnings.iter().any(|warning| warning.to_string().contains("0000000001.idx")),
            "{warnings:?}"
        );
        assert_eq!(damaged.list().expect("lists"), before);
        assert_eq!(damaged.operations(), 0, "nothing is written");
    }
}

/// A map of what is cut off would kill the process: of logs only what is durable is mapped, and
/// sealed files once they are known to be as long as they should be.
#[test]
fn files_that_are_cut_under_a_reader_are_errors_and_kill_nobody() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::builder().segment_events(50).open(&path).expect("opens");
    store.append_batch((0..50).map(event)).expect("appends");
    store.seal().expect("seals");
    store.append_batch((50..90).map(event)).expect("appends");
    let reader = Reader::open(&path).expect("opens");
    let snapshot = reader.snapshot().expect("reads");
    store.close().expect("closes");
    let cut = |name: &str, length: u64| {
        let file = std::fs::File::options().write(true).open(path.join(name)).expect("opens");
        file.set_len(length).expect("cuts");
    };
    cut("0000000002.log", 300);
    for n in 50..90 {
        let found = snapshot.get(format!("event {n}"));
        assert!(found.is_err_and(|error| error.is_damaged() || error.io_kind().is_some()), "{n}");
    }
    assert_eq!(count(&reader), 50, "it is read anew");
    let reader = Reader::open(&path).expect("opens");
    cut("0000000001.idx", 100);
    assert!(reader.ask(|snapshot| snapshot.contains("event 7")).expect("is made again"));
    let reader = Reader::open(&path).expect("opens");
    cut("0000000001.seg", 5000);
    let error = reader.ask(|snapshot| snapshot.contains("event 7")).expect_err("it is cut");
    assert!(error.is_damaged() && error.to_string().contains("0000000001.seg"), "{error}");
}

/// What a killed writer left half written is cut off by the next one, while readers have the log
/// mapped up to where it was durable.
#[test]
fn a_reader_of_a_mapped_log_outlives_the_recovery_that_cuts_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::open(&path).expect("opens");
    for n in 0..200 {
        let batch = Batch::from(event(n).payload(vec![b'x'; 3000]));
        let durability = if n % 50 == 49 { Durability::Sync } else { Durability::Flush };
        store.write(batch.durability(durability)).expect("appends");
    }
    let reader = Reader::open(&path).expect("opens");
    let walked = |reader: &Reader| {
        let walk = |snapshot: &Snapshot| Ok(snapshot.chain("event 199")?.expect("stored").count());
        reader.ask(walk).expect("walks")
    };
    assert_eq!(walked(&reader), 200);
    #[cfg(target_os = "linux")]
    assert!(mapped_bytes(|file| file.ends_with("0000000001.log")) >= 400_000);
    store.close().expect("closes");
    let log = path.join("0000000001.log");
    let whole = std::fs::read(&log).expect("reads");
    let mut file = std::fs::File::options().append(true).open(&log).expect("opens");
    file.write_all(&whole[..1000]).expect("writes half a block");
    assert_eq!(walked(&reader), 200);
    let again = Store::open(&path).expect("recovers");
    assert_eq!(std::fs::read(&log).expect("reads"), whole, "it was cut");
    assert_eq!(walked(&reader), 200);
    again.append(event(200)).expect("appends");
    assert!(reader.ask(|snapshot| snapshot.contains("event 200")).expect("reads"));
}

#[test]
fn a_segment_that_is_lost_is_told_with_what_to_do() {
    let disk = SimulatedDisk::new();
    let store = store_on(&disk);
    store.append_batch((0..120).map(event)).expect("appends");
    store.append(event(120)).expect("appends");
    store.seal().expect("seals");
    drop(store);
    let lost = disk.kill();
    lost.remove("0000000001.seg").expect("removes");
    let reader = Reader::open_on(Arc::new(lost.clone())).expect("opens");
    let error = reader.ask(|snapshot| snapshot.contains("none")).expect_err("it is not known");
    assert!(error.is_damaged() && error.to_string().contains("0000000001.seg"), "{error}");
    assert!(error.to_string().contains("restore it from a copy"), "{error}");
    let store = store_on(&lost);
    store.retain(&Retention::new().max_events(0)).expect("drops what is lost");
    store.append(event(7)).expect("goes on");
}

/// Bytes of maps of such files that are in memory, as the kernel counts them.
#[cfg(target_os = "linux")]
fn mapped_bytes(of: impl Fn(&str) -> bool) -> u64 {
    let maps = std::fs::read_to_string("/proc/self/smaps").expect("reads");
    let (mut ours, mut bytes) = (false, 0);
    for line in maps.lines() {
        let name = line.rsplit(' ').next().unwrap_or_default();
        if line.split(' ').next().is_some_and(|range| range.contains('-')) {
            ours = of(name);
        } else if ours && let Some(rest) = line.strip_prefix("Rss:") {
            let kib = rest.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
            bytes += kib * 1024;
        }
    }
    bytes
}

#[cfg(target_os = "linux")]
#[test]
fn mapped_pages_stay_within_the_budget_and_those_used_last_stay_longest() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::builder().segment_events(500).open(&path).expect("opens");
    let mut random = Random::new(3);
    let mut noise = |n: u64| {
        let bytes: Vec<u8> = (0..1000).map(|_| random.next() as u8).collect();
        event(n).payload(bytes)
    };
    for n in 0..40 {
        store.append_batch((n * 500..n * 500 + 500).map(&mut noise)).expect("appends");
    }
    store.seal().expect("seals");
    store.close().expect("closes");
    let folder_name = path.to_str().expect("is text").to_owned();
    let read_all = |reader: &Reader| {
        let mut most = 0;
        for n in (0..20_000).step_by(3) {
            let id = format!("event {n}");
            let found = reader.ask(|snapshot| snapshot.get(&id)).expect("answers");
            assert_eq!(found.expect("is there").seq(), n + 1);
            if n % 300 == 0 {
                most = most.max(mapped_bytes(|name| name.starts_with(&folder_name)));
            }
        }
        most
    };
    let free = read_all(&Reader::open(&path).expect("opens"));
    assert!(free > 16 << 20, "all of it is in memory, not {free} bytes");
    let budget = 8 << 20;
    let reader = Reader::builder().map_budget(budget).open(&path).expect("opens");
    let most = read_all(&reader);
    println!("{free} bytes at most without a budget, {most} with one of {budget}");
    // Between two looks at it 64 segments are asked for.
    assert!(most < budget + (4 << 20), "{most} of {budget} bytes");
    let of = |file: &str| mapped_bytes(|name| name == format!("{folder_name}/{file}"));
    // The first has the root, which every answer names, and the four behind it are asked
    // whether they have a late parent of it.
    assert_eq!(of("0000000007.idx"), 0, "used longest ago");
    assert!(of("0000000040.idx") > 0, "used last");
}

#[cfg(unix)]
#[test]
fn a_store_that_can_not_be_written_is_read_and_left_as_it_is() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let store = Store::builder().segment_events(50).open(&path).expect("opens");
    store.append_batch((0..120).map(event)).expect("appends");
    store.append(event(120)).expect("appends");
    store.close().expect("closes");
    let names = || {
        let files = std::fs::read_dir(&path).expect("lists").map(|entry| entry.expect("is there"));
        let mut files: Vec<_> = files
            .filter(|file| file.path().is_file())
            .map(|file| (file.file_name(), std::fs::read(file.path()).expect("reads")))
            .collect();
        files.sort();
        files
    };
    let mode = |folder: u32, file: u32| {
        for entry in std::fs::read_dir(&path).expect("lists") {
            let permissions = std::fs::Permissions::from_mode(file);
            let path = entry.expect("is there").path();
            if path.is_file() {
                std::fs::set_permissions(path, permissions).expect("sets");
            }
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(folder)).expect("sets");
    };
    let before = names();
    mode(0o500, 0o400);
    let reader = Reader::open(&path).expect("opens");
    assert_eq!(count(&reader), 121);
    assert_eq!(names(), before);
    mode(0o700, 0o600);
}
