//! Threads that share a store, and tasks that await their receipts.
//!
//! A receipt is an ordinary future: any runtime polls it. Here a few lines of
//! the standard library do.
//!
//! `cargo run --example threads`

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use forebear::{Durability, Event, EventId, Filter, Result};

fn main() -> Result<()> {
    let store = forebear::builder().durability(Durability::Flush).open(folder())?;
    let request = store.append(Event::new("user_message").instance("main"))?.id;

    let workers: Vec<_> = (0..4)
        .map(|number| {
            // A handle is cheap to clone; all of them write to the one store.
            let (store, request) = (store.clone(), request.clone());
            thread::spawn(move || -> Result<()> {
                let instance = format!("worker-{number}");
                let mut cause = request;
                for step in 0..100 {
                    let event = Event::new("tool_use")
                        .instance(&instance)
                        .parent(cause)
                        .label("step", step.to_string());
                    cause = EventId::from(&event);
                    if step % 2 == 0 {
                        store.append(event)?;
                    } else {
                        // The same from a task: nothing blocks while the disk works.
                        block_on(store.submit(event)?)?;
                    }
                }
                Ok(())
            })
        })
        .collect();
    for worker in workers {
        match worker.join() {
            Ok(outcome) => outcome?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    let snapshot = store.snapshot();
    println!("{} events, {} deep", snapshot.stats()?.events, snapshot.stats()?.max_depth);
    for event in snapshot.events(Filter::new().instance("worker-2")).limit(3).page()?.items {
        println!("worker-2: step {}, depth {}", event.label("step").unwrap_or("?"), event.depth());
    }
    store.close()
}

/// A new folder for this run.
fn folder() -> std::path::PathBuf {
    std::env::temp_dir().join(format!("forebear-threads-{}", std::process::id()))
}

/// Runs a future on this thread.
fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
