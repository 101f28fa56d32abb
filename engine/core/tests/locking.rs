//! One writer at a time; files that their owner alone can read; what was
//! accepted is written when the store is closed or its last handle dropped.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use forebear::storage::SimulatedDisk;
use forebear::{Batch, Durability, Event, Store};

const FOLDER: &str = "FOREBEAR_LOCKING_FOLDER";
const OPENED: &str = "opened";

#[test]
fn a_second_writer_in_the_process_is_told_who_holds_the_store() {
    let (_folder, path) = folder();
    let store = Store::open(&path).expect("opens");
    assert_locked_by(&path, std::process::id());
    store.append(Event::new("note").id("kept")).expect("appends");
    drop(store);
    let store = Store::open(&path).expect("opens");
    assert!(store.snapshot().contains("kept").expect("answers"));
}

#[test]
fn a_second_writer_in_another_process_is_told_who_holds_the_store() {
    let (_folder, path) = folder();
    let mut other = other_process(&path);
    assert_locked_by(&path, other.id());
    other.kill().expect("kills");
    other.wait().expect("ends");
    Store::open(&path).expect("the lock ended with the process");
}

/// Runs in a process of its own, which holds the store until its input ends.
#[test]
fn hold_the_store() {
    let Ok(folder) = env::var(FOLDER) else {
        return;
    };
    let _store = Store::open(folder).expect("opens");
    println!("{OPENED}");
    std::io::stdin().read_to_end(&mut Vec::new()).expect("reads");
}

#[test]
fn a_simulated_disk_has_one_writer_too() {
    let disk = SimulatedDisk::new();
    let open = || Store::builder().open_on(Arc::new(disk.clone()));
    let store = open().expect("opens");
    let error = open().expect_err("is held");
    assert!(error.is_locked(), "{error}");
    drop(store);
    open().expect("opens");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_read_what_is_stored() {
    let (_folder, path) = folder();
    let store = Store::open(&path).expect("opens");
    for name in ["one", "two"] {
        store.append(Event::new("note").id(name)).expect("appends");
    }
    drop(store);
    assert_private(&path);

    // What recovery keeps beside the log is as secret as the log.
    let log = path.join("0000000001.log");
    let length = log.metadata().expect("is there").len();
    let file = std::fs::OpenOptions::new().write(true).open(&log).expect("opens");
    file.set_len(length - 1).expect("cuts");
    let store = Store::open(&path).expect("opens");
    assert_eq!(store.recovery().cut.len(), 1);
    assert_private(&path);
}

#[test]
fn dropping_the_last_handle_writes_what_was_accepted() {
    let (_folder, path) = folder();
    let store = Store::open(&path).expect("opens");
    let clone = store.clone();
    for number in 0..100 {
        let batch = Batch::from(Event::new("note").id(format!("{number}")));
        // The receipt is dropped too: nobody waits for the batch.
        let receipt = clone.submit(batch.durability(Durability::Buffered));
        receipt.expect("is accepted");
    }
    drop(clone);
    drop(store);
    let store = Store::open(&path).expect("opens");
    assert_eq!(store.snapshot().stats().expect("counts").events, 100);
    assert!(store.recovery().is_clean());
}

#[test]
fn a_closed_store_refuses_writes_from_every_handle_and_its_snapshots_still_read() {
    let (_folder, path) = folder();
    let store = Store::open(&path).expect("opens");
    store.append(Event::new("note").id("kept")).expect("appends");
    let (clone, snapshot) = (store.clone(), store.snapshot());
    store.close().expect("closes");

    let error = clone.append(Event::new("late")).expect_err("is closed");
    assert!(error.is_closed(), "{error}");
    assert!(clone.flush().expect_err("is closed").is_closed());
    let kept = snapshot.get("kept").expect("reads").expect("is stored");
    assert_eq!(kept.kind(), "note");

    let again = Store::open(&path).expect("the lock ended with the close");
    assert!(again.recovery().is_clean(), "{:?}", again.recovery());
}

fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    (folder, path)
}

fn assert_locked_by(path: &Path, process: u32) {
    let error = Store::open(path).expect_err("is held");
    assert!(error.is_locked(), "{error}");
    let message = error.to_string();
    assert!(message.contains(&process.to_string()), "{message}");
}

fn other_process(path: &Path) -> Child {
    let mut process = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "hold_the_store", "--nocapture"])
        .env(FOLDER, path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts");
    let output = process.stdout.as_mut().expect("is piped");
    let opened = BufReader::new(output).lines().any(|line| line.expect("is text").contains(OPENED));
    assert!(opened, "the other process opens the store");
    process
}

#[cfg(unix)]
fn assert_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;

    let mode = |path: &Path| path.metadata().expect("is there").permissions().mode() & 0o777;
    assert_eq!(mode(path), 0o700);
    let mut files = 0;
    for entry in std::fs::read_dir(path).expect("lists") {
        let file = entry.expect("lists").path();
        let expected = if file.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&file), expected, "{}", file.display());
        files += 1;
    }
    assert!(files >= 4, "the lock, the manifest, the log and the spool");
}
