//! What stands in the store's folder and is no regular file is refused: nothing waits for
//! a FIFO, and no symlink leads out of the store.

#![cfg(unix)]

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use forebear::{Event, Reader, Result, Spool, Store};

const SEALED: [&str; 2] = ["0000000001.seg", "0000000001.idx"];
const LOG: &str = "0000000002.log";
/// No answer after so long is a hang.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_fifo_or_a_symlink_in_place_of_a_file_is_refused_and_not_waited_for() {
    for name in ["MANIFEST", LOG, SEALED[0], SEALED[1], "LOCK"] {
        for make in [fifo, elsewhere] {
            let place = Place::new();
            make(&place.path().join(name), &place.outside());
            let path = place.path();
            let read = in_time(move || read_all(&path));
            let path = place.path();
            let written = in_time(move || {
                let store = Store::open(path)?;
                store.append(Event::new("note").id("more").parent("sealed"))?;
                store.close()
            });
            // The index can be made again, and no reader needs the lock.
            assert_eq!(read.is_ok(), [SEALED[1], "LOCK"].contains(&name), "{name}: {read:?}");
            if ["MANIFEST", LOG, "LOCK"].contains(&name) {
                let error = written.expect_err(name);
                assert!(format!("{error:#}").contains("expected a regular file"), "{error:#}");
            } else {
                // What stood in a segment is lost to damage, and nothing else is.
                written.expect(name);
            }
            assert!(name != SEALED[0] || read.is_err_and(|error| error.is_damaged()), "{name}");
            assert_eq!(fs::read(place.outside()).expect("reads"), b"outside");
        }
    }
}

#[test]
fn a_symlink_handed_in_is_set_aside_unread_and_those_behind_it_are_taken() {
    for make in [fifo, elsewhere] {
        let place = Place::new();
        let spool = Spool::open(place.path()).expect("opens");
        let first = "0000000000000001-0000000000000001-00000001.batch";
        make(&place.path().join("spool").join(first), &place.outside());
        let ticket = spool.submit(Event::new("note").id("behind")).expect("hands in");
        let path = place.path();
        let quarantined = in_time(move || {
            let store = Store::open(path)?;
            while !ticket.is_drained()? || store.snapshot().quarantined().page()?.items.is_empty() {
                thread::sleep(Duration::from_millis(5));
            }
            assert!(store.snapshot().contains("behind")?);
            store.snapshot().quarantined().page()
        });
        let items = quarantined.expect("answers").items;
        assert!(items[0].reason.contains("expected a regular file"), "{items:?}");
        assert!(items[0].bytes.is_empty(), "{items:?}");
        assert_eq!(fs::read(place.outside()).expect("reads"), b"outside");
    }
}

#[test]
fn a_spool_that_is_a_symlink_is_not_followed() {
    let place = Place::new();
    let elsewhere = place.path().with_file_name("elsewhere");
    fs::create_dir(&elsewhere).expect("makes");
    fs::remove_dir_all(place.path().join("spool")).expect("removes");
    symlink(&elsewhere, place.path().join("spool")).expect("links");
    let error = Spool::open(place.path()).expect_err("is refused");
    assert!(format!("{error:#}").contains("a symlink"), "{error:#}");
    let store = Store::open(place.path()).expect("opens");
    store.append(Event::new("note")).expect("appends");
    assert_eq!(fs::read_dir(&elsewhere).expect("lists").count(), 0);
}

#[test]
fn a_sparse_log_longer_than_any_is_reported_at_once() {
    let place = Place::new();
    let file = File::options().write(true).open(place.path().join(LOG)).expect("opens");
    file.set_len(1 << 40).expect("grows");
    let begun = Instant::now();
    for outcome in [read_all(&place.path()), Store::open(place.path()).map(drop)] {
        let error = outcome.expect_err("is refused");
        assert!(error.is_damaged() && error.to_string().contains("at most"), "{error}");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
}

/// A store with a sealed segment and an active log, and a file beside it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a folder"));
        fs::write(place.outside(), b"outside").expect("writes");
        let store = Store::open(place.path()).expect("opens");
        store.append(Event::new("note").id("sealed")).expect("appends");
        store.seal().expect("seals");
        store.append(Event::new("note").id("active")).expect("appends");
        store.close().expect("closes");
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("store")
    }

    fn outside(&self) -> PathBuf {
        self.0.path().join("outside")
    }
}

fn fifo(at: &Path, _outside: &Path) {
    let _ = fs::remove_file(at);
    assert!(Command::new("mkfifo").arg(at).status().expect("runs").success());
}

fn elsewhere(at: &Path, outside: &Path) {
    let _ = fs::remove_file(at);
    symlink(outside, at).expect("links");
}

fn read_all(path: &Path) -> Result<()> {
    let snapshot = Reader::open(path)?.snapshot()?;
    assert!(snapshot.get("sealed")?.is_some() && snapshot.get("active")?.is_some());
    Ok(())
}

/// What a call gives, which must not take for ever.
fn in_time<T: Send + 'static>(call: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let (done, outcome) = mpsc::channel();
    thread::spawn(move || done.send(call()));
    outcome.recv_timeout(PATIENCE).expect("it does not hang")
}
