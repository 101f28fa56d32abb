//! Events as they are stored.

mod support;

use std::io::{BufRead, Read};
use std::thread;
use std::time::{Duration, Instant};

use forebear::{Event, Retention};
use support::{Place, next_event};

#[test]
fn events_come_as_they_are_stored_and_a_client_goes_on_where_it_was() {
    let place = Place::with_three_events();
    let mut stream = place.stream("/api/stream", &["Accept-Encoding: gzip"]);
    place.post("/api/events", r#"{"kind":"note","id":"live","time":4,"payload":{"text":"hi"}}"#);
    let (kind, id, event) = next_event(&mut stream).expect("an event");
    assert_eq!((&*kind, &*id), ("", "4"));
    assert_eq!((&event["id"], &event["gist"]), (&"live".into(), &"hi".into()));
    drop(stream);
    place.post("/api/events", r#"[{"kind":"note","id":"b","time":5},{"kind":"note","id":"c"}]"#);
    let mut stream = place.stream("/api/stream", &["Last-Event-ID: 4"]);
    let ids = [next_event(&mut stream), next_event(&mut stream)].map(|event| {
        let (_, id, event) = event.expect("an event");
        (id, event["id"].as_str().expect("an id").to_owned())
    });
    assert_eq!(ids, [("5".to_owned(), "b".to_owned()), ("6".to_owned(), "c".to_owned())]);
    // From the beginning, and those alone that are wanted.
    let mut stream = place.stream("/api/stream?from=1&kind=error&session=s1", &[]);
    assert_eq!(next_event(&mut stream).expect("an event").2["id"], "failure");
    place.post("/api/events", r#"{"kind":"error","id":"other","session":"s2"}"#);
    place.post("/api/events", r#"{"kind":"error","id":"same","session":"s1"}"#);
    assert_eq!(next_event(&mut stream).expect("an event").2["id"], "same");
}

#[test]
fn a_payload_of_several_lines_is_one_event() {
    let place = Place::new();
    let mut stream = place.stream("/api/stream?detail=payload", &[]);
    place.post("/api/events", "{\"kind\":\"a\",\"payload\":{\n\"b\":\n1}}");
    let (_, _, event) = next_event(&mut stream).expect("an event");
    assert_eq!(event["payload"]["b"], 1);
}

#[test]
fn a_client_that_reads_late_misses_nothing() {
    let place = Place::new();
    let mut streams: Vec<_> = (0..4).map(|_| place.stream("/api/stream", &[])).collect();
    // More than the server keeps in memory.
    for part in 0..30 {
        let lines: Vec<_> = (0..1000)
            .map(|n| {
                format!(r#"{{"kind":"tick","id":"{part}-{n}","time":1,"payload":"{n:0300}"}}"#)
            })
            .collect();
        assert_eq!(place.post("/api/events", lines.join("\n")).status, 200);
    }
    for stream in &mut streams {
        for expected in 1..=30_000 {
            let (kind, id, _) = next_event(stream).expect("an event");
            assert_eq!((kind, id), (String::new(), expected.to_string()));
        }
    }
}

#[test]
fn what_expired_is_a_gap() {
    let place = Place::new();
    place.post("/api/events", r#"[{"kind":"a","id":"1"},{"kind":"a","id":"2"}]"#);
    let mut place = place;
    place.stop();
    {
        let store = forebear::open(place.store()).expect("it is free");
        store.seal().expect("sealed");
        store.append(Event::new("a").id("3")).expect("stored");
        store.retain(&Retention::new().max_bytes(0)).expect("dropped");
        store.close().expect("closed");
    }
    let place = Place::in_folder(place.folder, |options| options);
    let mut stream = place.stream("/api/stream?from=1", &[]);
    let (kind, _, gap) = next_event(&mut stream).expect("the gap");
    assert_eq!((&*kind, &gap["from"], &gap["to"]), ("gap", &1.into(), &3.into()));
    assert_eq!(next_event(&mut stream).expect("an event").2["id"], "3");
}

#[test]
fn streams_end_when_the_server_does() {
    let mut place = Place::new();
    let mut streams: Vec<_> = (0..3).map(|_| place.stream("/api/stream", &[])).collect();
    let begun = Instant::now();
    place.stop();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    for stream in &mut streams {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).expect("it ends");
        assert!(rest.ends_with(b"0\r\n\r\n"), "and says so");
    }
}

#[test]
fn who_reads_nothing_holds_up_nobody() {
    let place = Place::new();
    let silent: Vec<_> = (0..20).map(|_| place.stream("/api/stream?detail=payload", &[])).collect();
    let mut reads = place.stream("/api/stream", &[]);
    let payload = "x".repeat(100_000);
    for n in 0..100 {
        let line = format!(r#"{{"kind":"tick","id":"{n}","time":1,"payload":"{payload}"}}"#);
        assert_eq!(place.post("/api/events", line).status, 201);
    }
    for expected in 1..=100 {
        let (_, id, _) = next_event(&mut reads).expect("an event");
        assert_eq!(id, expected.to_string());
    }
    drop(silent);
    let gone = (0..100).any(|_| {
        thread::sleep(Duration::from_millis(100));
        place.get("/metrics").text().lines().any(|line| line == "forebear_streams 1")
    });
    assert!(gone, "streams of clients that have gone end");
    assert!(reads.fill_buf().is_ok());
}
