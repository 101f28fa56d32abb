//! Importing and following beside answering.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use forebear::Store;
use forebear::ingest::{Follower, IngestOptions, StopHandle};

/// A thread that follows files as soon as no other process writes to the store. Dropped, it
/// ends once what was read is written.
#[derive(Debug)]
pub struct Following {
    state: Arc<Mutex<FollowState>>,
    /// Dropped, it ends the waiting for the store.
    ended: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct FollowState {
    has_ended: bool,
    stop: Option<StopHandle>,
}

impl Following {
    /// Starts it. `open` opens the store, which is asked for again every few seconds as long as
    /// another process has it ([`is_locked`](forebear::Error::is_locked)); `close` is called
    /// with it in the end. Files that can't be read are told of on standard error.
    pub fn start(
        open: impl Fn() -> forebear::Result<Store> + Send + 'static,
        close: impl Fn(Store) -> forebear::Result<()> + Send + 'static,
        paths: Vec<PathBuf>,
    ) -> io::Result<Self> {
        let state = Arc::<Mutex<FollowState>>::default();
        let (ended, end) = mpsc::channel();
        let shared = Arc::clone(&state);
        let thread =
            thread::Builder::new().name("forebear-follow".to_owned()).spawn(move || {
                let mut told = false;
                loop {
                    match follow(&open, &close, &paths, &shared) {
                        Ok(()) => return,
                        Err(error) if error.is_locked() => {
                            if !told {
                                eprintln!("forebear: {error:#}; reading what it writes");
                            }
                            told = true;
                        }
                        Err(error) => {
                            eprintln!("forebear: following has ended: {error:#}");
                            return;
                        }
                    }
                    // A process that ends leaves the store to this one.
                    if end.recv_timeout(TRY_EVERY) != Err(RecvTimeoutError::Timeout) {
                        return;
                    }
                }
            })?;
        Ok(Self { state, ended: Some(ended), thread: Some(thread) })
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        drop(self.ended.take());
        let stop = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.has_ended = true;
            state.stop.take()
        };
        if let Some(stop) = stop {
            stop.stop();
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported by the runtime.
            let _ = thread.join();
        }
    }
}

fn follow(
    open: &impl Fn() -> forebear::Result<Store>,
    close: &impl Fn(Store) -> forebear::Result<()>,
    paths: &[PathBuf],
    shared: &Mutex<FollowState>,
) -> forebear::Result<()> {
    let store = open()?;
    let mut follower = Follower::new(&store, IngestOptions::new(paths))?;
    {
        let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
        if state.has_ended {
            return close(store);
        }
        state.stop = Some(follower.stop_handle());
    }
    let mut reported = BTreeSet::new();
    let run = follower.run(|status| {
        for (path, why) in &status.failing {
            if reported.len() < MAX_REPORTED && reported.insert(path.clone()) {
                eprintln!("forebear: {}: {why}", path.display());
            }
        }
    });
    drop(follower);
    run.and(close(store))
}

/// How often a store that another process writes to is asked for.
const TRY_EVERY: Duration = Duration::from_secs(5);
/// Files that can't be read are reported one by one up to so many.
const MAX_REPORTED: usize = 1000;
