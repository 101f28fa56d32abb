//! A service that logs what it does with an `EventLogger`, and asks why a request failed.
//!
//! `cargo run --example logger`

use forebear::context::{Context, WithParent};
use forebear::{Event, EventLogger, Filter};
use tokio::task;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let store = forebear::in_memory()?;
    let logger = EventLogger::new(store.clone()).session("orders").instance("service");

    let orders = ["ada", "bob", "eve"].map(|who| task::spawn(order(logger.clone(), who)));
    for order in orders {
        // What an order came to is in the store.
        let _ = order.await?;
    }

    let snapshot = store.snapshot();
    let errors = snapshot.events(Filter::new().errors().kind("charge")).page()?.items;
    for error in errors {
        println!("{} failed: {}", error.kind(), error.label("error").unwrap_or("?"));
        for event in snapshot.chain(error.id().clone())?.expect("it is stored") {
            let event = event?;
            println!("  {} {}", event.kind(), event.label("who").unwrap_or_default());
        }
    }
    Ok(())
}

/// One request: everything below follows from its event.
async fn order(logger: EventLogger, who: &'static str) -> anyhow::Result<()> {
    let request = logger.span_async(Event::new("request").label("who", who)).await?;
    let work = logger.clone();
    request
        .record_async(async move {
            work.log_async(Event::new("reserve")).await?;
            // A task that is spawned takes the context along.
            let charge = charge(work.clone(), who).in_context(Context::current());
            task::spawn(charge).await??;
            work.log_async(Event::new("ship")).await?;
            anyhow::Ok(())
        })
        .await
}

async fn charge(logger: EventLogger, who: &str) -> anyhow::Result<()> {
    let span = logger.span_async(Event::new("charge").label("who", who)).await?;
    span.record_async(async {
        task::yield_now().await;
        anyhow::ensure!(who != "eve", "the card was refused");
        Ok(())
    })
    .await
}
