//! Walking a chain of causes: why did this fail?
//!
//! `cargo run --example walk_chain`

use forebear::{CommonCause, Event, LinkKind};

fn main() -> forebear::Result<()> {
    let store = forebear::in_memory()?;
    // Events can arrive in any order: here the failure comes first.
    store.append_batch([
        Event::new("error").id("failure").parent("compile"),
        Event::new("tool_use").id("compile").parent("start"),
        Event::new("user_message")
            .id("start")
            .parent("delegate")
            .link(LinkKind::Spawned)
            .instance("worker-1"),
        Event::new("tool_use").id("delegate").parent("ask"),
        Event::new("tool_use").id("search").parent("ask"),
        Event::new("user_message").id("ask").payload("please build it"),
    ])?;
    let snapshot = store.snapshot();

    println!("From the failure to what led to it:");
    let Some(mut chain) = snapshot.chain("failure")? else {
        return Ok(());
    };
    for event in chain.by_ref() {
        let event = event?;
        let link = event.link().map_or("", LinkKind::as_str);
        println!("  {:>2} {:<10} {:<14} {link}", event.depth(), event.id(), event.kind());
    }
    println!("The walk ended: {}", chain.end().map_or("not yet", |end| end.as_str()));

    println!("Root first, within the agent alone:");
    if let Some(chain) = store.chain("failure")? {
        for event in chain.stop_at(LinkKind::Spawned).root_first()? {
            println!("  {}", event?.id());
        }
    }

    if let Some(CommonCause::Found(cause)) = snapshot.common_cause("failure", "search")? {
        println!("The failure and the search have in common: {}", cause.id());
    }
    Ok(())
}
