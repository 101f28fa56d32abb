//! Tailing: a thread is told of each event as it is stored, remembers how far it is, and
//! is stopped by another.
//!
//! `cargo run --example subscribe`

use std::thread;

use forebear::{Event, Filter, Result, StartFrom};

fn main() -> Result<()> {
    let store = forebear::in_memory()?;
    store.append(Event::new("request").id("before").instance("api"))?;

    // From the oldest event on; `StartFrom::Now` begins with the next one.
    let mut subscription = store.subscribe(Filter::new().instance("api"), StartFrom::Start)?;
    let follower = thread::spawn(move || -> Result<u64> {
        // Waits for the next one, and ends once the store is closed and all was read.
        for event in subscription.by_ref() {
            match event {
                Ok(event) => println!("{:>3} {}", event.seq(), event.id()),
                // Events expired before they were read, or can't be read: the rest follows.
                Err(error) if error.is_expired() || error.is_damaged() => eprintln!("{error:#}"),
                Err(error) => return Err(error),
            }
        }
        // Where to begin the next time, as `StartFrom::Seq`.
        Ok(subscription.next_seq())
    });

    for number in 0..5 {
        let instance = if number % 2 == 0 { "api" } else { "worker" };
        store.append(Event::new("request").id(format!("event {number}")).instance(instance))?;
    }

    // One that is stopped ends at once, whatever there is left.
    let endless = store.subscribe(Filter::new(), StartFrom::Now)?;
    let handle = endless.handle();
    let waiting = thread::spawn(move || endless.count());
    handle.stop();
    println!("stopped after {} events", waiting.join().expect("it does not panic"));

    store.close()?;
    let next = follower.join().expect("the follower does not panic")?;
    println!("everything before sequence number {next} was seen");
    Ok(())
}
