//! Writing and following in an async runtime: nothing is lost, nothing waits for ever.

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use forebear::{
    Batch, Durability, Event, Filter, Reader, StartFrom, Store, StoredEvent, SubscriptionStream,
};
use futures_core::Stream;
use tokio::time::timeout;

const LONG: Duration = Duration::from_mins(1);

async fn next(stream: &mut SubscriptionStream) -> Option<forebear::Result<StoredEvent>> {
    timeout(LONG, stream.next()).await.expect("it is woken")
}

#[tokio::test]
async fn every_event_comes_once_and_in_order_and_the_stream_ends_with_the_store() {
    let store = Store::in_memory().expect("opens");
    let begin = || store.subscribe(Filter::new(), StartFrom::Start).expect("begins").into_stream();
    let mut streams: Vec<_> = (0..3).map(|_| begin()).collect();
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..500 {
            writer.write_async(Event::new("tick").id(format!("e{n}"))).await.expect("writes");
        }
    });
    for n in 0..500 {
        for stream in &mut streams {
            let event = next(stream).await.expect("it comes").expect("reads");
            assert_eq!((event.seq(), event.id().to_string()), (n + 1, format!("e{n}")));
        }
    }
    writing.await.expect("writes");
    store.close().expect("closes");
    for stream in &mut streams {
        assert!(next(stream).await.is_none());
        assert!(next(stream).await.is_none(), "it has ended for good");
        assert_eq!(stream.next_seq(), 501);
    }
}

#[tokio::test]
async fn it_is_stopped_from_another_thread_while_it_waits() {
    let store = Store::in_memory().expect("opens");
    let mut stream = store.subscribe(Filter::new(), StartFrom::Now).expect("begins").into_stream();
    let handle = stream.handle();
    let waiting = tokio::spawn(async move {
        // By the trait alone, as crates that extend streams do.
        let next = poll_fn(|context| Pin::new(&mut stream).poll_next(context));
        timeout(LONG, next).await.expect("it is woken").is_none()
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    std::thread::spawn(move || handle.stop()).join().expect("stops");
    assert!(waiting.await.expect("ends"));
}

#[tokio::test]
async fn what_another_process_writes_comes_though_nothing_signals_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("events.forebear");
    let store = Store::open(&path).expect("opens");
    let reader = Reader::open(&path).expect("opens");
    let begin = || reader.subscribe(Filter::new(), StartFrom::Now).expect("begins");
    let (mut any, mut durable) = (begin().into_stream(), begin().durable(true).into_stream());
    let writing = std::thread::spawn(move || {
        for n in 0..3 {
            std::thread::sleep(Duration::from_millis(15));
            let batch = Batch::from(Event::new("tick").id(format!("e{n}")));
            store.write(batch.durability(Durability::Flush)).expect("writes");
        }
        store
    });
    for n in 0..3 {
        for stream in [&mut any, &mut durable] {
            let event = next(stream).await.expect("it comes").expect("reads");
            assert_eq!(event.id().to_string(), format!("e{n}"));
        }
    }
    drop(writing.join().expect("writes"));
}

#[tokio::test]
async fn a_full_queue_holds_the_task_and_not_the_thread() {
    let store = Store::builder().queue_bytes(64 * 1024).in_memory().expect("opens");
    let tasks: Vec<_> = (0..64)
        .map(|task| {
            let store = store.clone();
            tokio::spawn(async move {
                for n in 0..20 {
                    let event = Event::new("bulk").id(format!("{task}.{n}"));
                    store.write_async(event.payload(vec![b'1'; 8 * 1024])).await.expect("writes");
                }
            })
        })
        .collect();
    // On one thread: a task that blocked it would keep the others from running.
    for task in tasks {
        timeout(LONG, task).await.expect("it has room in its turn").expect("writes");
    }
    assert_eq!(store.snapshot().events(Filter::new()).iter().count(), 64 * 20);
}
