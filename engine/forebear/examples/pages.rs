//! Listings by the page and item by item: every one is a query with a limit and a cursor.
//!
//! `cargo run --example pages`

use forebear::{CountBy, Cursor, Detail, Event, Filter, Result};

fn main() -> Result<()> {
    let store = forebear::in_memory()?;
    store.append(Event::new("request").id("ask"))?;
    store.append_batch((0..2500).map(|number| {
        let kind = if number % 10 == 0 { "error" } else { "step" };
        Event::new(kind).id(format!("step {number}")).parent("ask").instance("worker")
    }))?;
    let snapshot = store.snapshot();

    // A page, as a service would answer a request with it. The cursor is text for the client.
    let errors = snapshot.events(Filter::new().errors()).limit(100).detail(Detail::Columns);
    let first = errors.page()?;
    let cursor = first.next.map(|next| next.to_string()).expect("there are 250");
    println!("{} errors, the rest behind {cursor}", first.items.len());

    // The next request brings it back.
    let cursor: Cursor = cursor.parse()?;
    let second = errors.clone().after(cursor).page()?;
    println!("{} more, from {} on", second.items.len(), second.items[0].id());

    // Another listing's cursor is an error, and so is this one's of another filter.
    let wrong = snapshot.children("ask").after(cursor).page().expect_err("it is of another");
    println!("{wrong}");

    // All of them, read a page at a time.
    let mut children = 0;
    for child in snapshot.children("ask").detail(Detail::Columns) {
        child?;
        children += 1;
    }
    println!("{children} children");

    for count in snapshot.counts(CountBy::Kind, Filter::new()).page()?.items {
        println!("{:>5} {}", count.count, count.value);
    }
    Ok(())
}
