//! A service on tokio: tasks await their writes, questions run where blocking is allowed,
//! and a task is fed by a subscription.
//!
//! `cargo run --example tokio_service`

use forebear::{Durability, Event, Filter, Result, StartFrom, Store, StoredEvent};
use tokio::sync::mpsc;
use tokio::task;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let store = forebear::builder()
        .durability(Durability::Flush)
        .open(folder.path().join("events.forebear"))?;

    let (mut failures, stop) = failures(&store)?;
    let workers: Vec<_> = (0..4).map(|number| task::spawn(work(store.clone(), number))).collect();
    for worker in workers {
        worker.await??;
    }
    // The subscription has each failure once, as soon as it is stored.
    for _ in 0..4 {
        let event = failures.recv().await.expect("a failure for each worker");
        let causes = why(&store, &event).await?;
        println!("{} failed: {}", event.instance(), causes.join(" < "));
    }
    stop.stop();

    // Closing waits for the writer's thread.
    task::spawn_blocking(move || store.close()).await??;
    Ok(())
}

/// Appends a step after the other; no thread waits while the disk works or the queue is full.
async fn work(store: Store, number: u32) -> Result<()> {
    let mut cause = None;
    for step in 0..10 {
        let kind = if step == 9 { "error" } else { "step" };
        let event = Event::new(kind)
            .instance(format!("worker-{number}"))
            .parent_opt(cause.clone())
            .label("step", step.to_string());
        cause = Some(store.write_async(event).await?.events.remove(0).id);
    }
    Ok(())
}

/// The kinds of the events from a failure back to its root. A walk reads from mapped
/// memory and blocks where a page is not there yet, so it runs on the blocking pool.
async fn why(store: &Store, failure: &StoredEvent) -> anyhow::Result<Vec<String>> {
    let (snapshot, id) = (store.snapshot(), failure.id().clone());
    task::spawn_blocking(move || {
        let Some(chain) = snapshot.chain(id)? else { return Ok(Vec::new()) };
        chain.map(|event| Ok(event?.label("step").unwrap_or("?").to_owned())).collect()
    })
    .await?
}

/// A channel of all failures to come, filled by a thread that waits for them.
fn failures(store: &Store) -> Result<(mpsc::Receiver<StoredEvent>, forebear::SubscriptionHandle)> {
    let (sender, receiver) = mpsc::channel(16);
    let subscription = store.subscribe(Filter::new().errors(), StartFrom::Now)?;
    let handle = subscription.handle();
    std::thread::spawn(move || {
        for event in subscription {
            match event {
                Ok(event) => {
                    if sender.blocking_send(event).is_err() {
                        break; // Nobody listens any more.
                    }
                }
                Err(error) => eprintln!("{error:#}"),
            }
        }
    });
    Ok((receiver, handle))
}
