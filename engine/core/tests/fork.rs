//! In a forked child, each call of the store that it inherited returns at once and says
//! what to do, and the parent's lock stays the parent's.

#![cfg(unix)]

use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs};

use forebear::{Batch, Durability, Event, Reader, Retention, Spool, Store};
use fork::Fork;

const FOLDER: &str = "FOREBEAR_FORK_FOLDER";
const CASE: &str = "FOREBEAR_FORK_CASE";
/// No answer after so long is a hang.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn every_call_in_a_forked_child_returns_at_once_and_says_what_to_do() {
    run("refused");
}

#[test]
fn a_forked_child_reads() {
    run("reads");
}

#[test]
fn the_lock_is_free_once_the_parent_has_closed_the_store() {
    run("closed");
}

#[test]
fn a_child_that_was_refused_holds_no_lock_of_a_parent_that_was_killed() {
    run("killed");
}

/// Runs in a process of its own, which forks.
#[test]
fn fork_with_an_open_store() {
    let (Ok(folder), Ok(case)) = (env::var(FOLDER), env::var(CASE)) else { return };
    let path = Path::new(&folder).join("store");
    let store = Store::open(&path).expect("opens");
    store.append(Event::new("note").id("before")).expect("appends");
    let snapshot = store.snapshot();
    // Busy while the child is forked off: its locks may be held then.
    let busy = store.clone();
    thread::spawn(move || while busy.append(Event::new("busy")).is_ok() {});
    match case.as_str() {
        "refused" => in_child(move || {
            let receipt = store.submit(Event::new("note"));
            let errors = [
                receipt.map(drop),
                store.append(Event::new("note")).map(drop),
                store.write(Batch::new().durability(Durability::Buffered)).map(drop),
                store.flush(),
                store.seal(),
                store.retain(&Retention::new().max_events(1)).map(drop),
                store.set_retention(None),
                store.rebuild().map(drop),
                store.drain_spool().map(drop),
                store.clone().close(),
            ];
            for outcome in errors {
                let error = outcome.expect_err("is refused");
                assert!(error.is_closed(), "{error}");
                let told = error.to_string();
                assert!(told.contains("`Reader`") && told.contains("fork"), "{told}");
            }
            drop(store);
        }),
        "reads" => in_child(move || {
            assert!(snapshot.contains("before").expect("answers"));
            assert!(store.snapshot().contains("before").expect("answers"));
            let reader = Reader::open(&path).expect("opens").snapshot().expect("reads");
            assert!(reader.contains("before").expect("answers"));
            // As any other process does.
            assert!(Store::open(&path).is_err_and(|error| error.is_locked()));
            let spool = Spool::open(&path).expect("opens");
            let ticket = spool.submit(Event::new("note").id("handed in")).expect("hands in");
            assert!(ticket.wait(PATIENCE).expect("waits"), "the parent takes it in");
        }),
        "closed" => {
            let child = forked(|| wait_for(&file(&folder, "closed")));
            store.close().expect("closes");
            Store::open(&path).expect("the child, which is there still, holds no lock");
            fs::write(file(&folder, "closed"), "").expect("writes");
            ended_well(child);
        }
        "killed" => {
            let path = path.clone();
            forked(move || {
                store.append(Event::new("note")).expect_err("is refused");
                fs::write(file(&folder, "refused"), "").expect("writes");
                // The parent has ended, with the store open.
                let begun = Instant::now();
                let opened = loop {
                    match Store::open(&path) {
                        Err(error) if error.is_locked() && begun.elapsed() < PATIENCE => {}
                        outcome => break outcome,
                    }
                };
                opened.expect("nobody holds it").append(Event::new("own")).expect("appends");
                fs::write(file(&folder, "done"), "").expect("writes");
            });
            wait_for(&file(&env::var(FOLDER).expect("is set"), "refused"));
            std::process::abort();
        }
        other => panic!("{other}"),
    }
}

/// Runs a case in a process that forks.
fn run(case: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut process = Command::new(env::current_exe().expect("this test"))
        .args(["--exact", "fork_with_an_open_store", "--nocapture"])
        .env(FOLDER, folder.path())
        .env(CASE, case)
        .spawn()
        .expect("starts");
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = process.try_wait().expect("answers") {
            break status;
        }
        if begun.elapsed() > 3 * PATIENCE {
            process.kill().expect("kills");
            panic!("{case} hangs");
        }
        thread::sleep(Duration::from_millis(10));
    };
    if case == "killed" {
        wait_for(&folder.path().join("done"));
    } else {
        assert!(status.success(), "{case}: {status}");
    }
}

/// Runs this in a forked child and waits for its end.
fn in_child(work: impl FnOnce()) {
    let child = forked(work);
    ended_well(child);
}

/// Forks; the child runs this and ends, at the latest once patience is lost.
fn forked(work: impl FnOnce()) -> i32 {
    match fork::fork().expect("forks") {
        Fork::Parent(child) => child,
        Fork::Child => {
            thread::spawn(|| {
                thread::sleep(PATIENCE);
                eprintln!("the child hangs");
                exit(2);
            });
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            exit(i32::from(outcome.is_err()));
        }
    }
}

fn ended_well(child: i32) {
    let status = fork::waitpid(child).expect("waits");
    assert_eq!(status, 0, "the child's end");
}

fn file(folder: &str, name: &str) -> PathBuf {
    Path::new(folder).join(name)
}

fn wait_for(file: &Path) {
    let begun = Instant::now();
    while !file.exists() {
        assert!(begun.elapsed() < PATIENCE, "{} does not come", file.display());
        thread::sleep(Duration::from_millis(5));
    }
}
