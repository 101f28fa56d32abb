//! What is asked and what is stored over HTTP.

mod support;

use forebear_server::HttpServer;
use serde_json::json;
use support::{Place, each};

#[test]
fn events_are_listed_a_page_at_a_time() {
    let place = Place::with_three_events();
    let page = place.json("/api/events");
    assert_eq!(each(&page, "id"), ["failure", "call", "ask"]);
    assert_eq!(page["items"][1]["labels"]["tool"], "Bash");
    assert_eq!(page["items"][0]["gist"], "it broke");
    assert!(page["items"][0].get("payload").is_none() && page["next"].is_null());

    let (mut path, mut seen) = ("/api/events?limit=1&oldest_first".to_owned(), Vec::new());
    loop {
        let page = place.json(&path);
        seen.extend(each(&page, "id").into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/events?limit=1&oldest_first&after={next}");
    }
    assert_eq!(seen, ["ask", "call", "failure"]);

    let ids = |query: &str| -> Vec<String> {
        let page = place.json(&format!("/api/events?{query}"));
        each(&page, "id").into_iter().map(str::to_owned).collect()
    };
    assert_eq!(ids("kind=error&kind=tool_use"), ["failure", "call"]);
    assert_eq!(ids("label=tool%3DBash"), ["call"]);
    assert_eq!(ids("errors"), ["failure"]);
    assert_eq!(ids("root=ask&since=2&until=3"), ["call"]);
    assert_eq!(ids("session=s1&instance=none"), [""; 0]);
    let page = place.json("/api/events?detail=payload&limit=1");
    assert_eq!(page["items"][0]["payload"], "it broke");
}

#[test]
fn what_is_asked_wrongly_is_said() {
    let place = Place::with_three_events();
    for (path, status, said) in [
        ("/api/events?kin=error", 400, "unknown parameter \"kin\"; expected"),
        ("/api/events?limit=0", 400, "limit of 1 to 1000"),
        ("/api/events?limit=x", 400, "limit"),
        ("/api/events?after=x", 400, "after"),
        ("/api/events?since=soon", 400, "since"),
        ("/api/events?label=x", 400, "KEY=VALUE"),
        ("/api/events?detail=all", 400, "columns"),
        ("/api/events/nowhere", 404, "nowhere"),
        ("/api/events/nowhere/chain", 404, "nowhere"),
        ("/api/counts?by=colour", 400, "label:KEY"),
        ("/api/common?a=ask", 400, "two events"),
        ("/api/search", 400, "q"),
        ("/api/sessions/nowhere", 404, "nowhere"),
        ("/api/nothing", 404, "docs/serve.md"),
        ("/../../etc/passwd", 404, ""),
        ("/%2e%2e/%2e%2e/etc/passwd", 404, ""),
        ("/api/events/..%2f..%2f..%2fetc%2fpasswd/payload", 404, "passwd"),
    ] {
        let reply = place.get(path);
        assert_eq!(reply.status, status, "{path}: {reply:?}");
        assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{path}");
        let problem = reply.json();
        assert_eq!(problem["status"], status);
        assert!(problem["detail"].as_str().expect("words").contains(said), "{path}: {problem}");
    }
    let reply = place.ask("DELETE", "/api/events", &[&place.bearer()], b"");
    assert_eq!(reply.status, 405);
}

#[test]
fn an_event_leads_up_and_down() {
    let place = Place::with_three_events();
    assert_eq!(place.json("/api/events/call")["parent"], "ask");
    let chain = place.json("/api/events/failure/chain");
    assert_eq!(each(&chain, "id"), ["failure", "call", "ask"]);
    assert_eq!(chain["end"], json!({"kind": "root", "parent": null, "id": "ask"}));
    let chain = place.json("/api/events/failure/chain?stop_at=spawned&detail=columns");
    assert_eq!(each(&chain, "id"), ["failure"]);
    let chain = place.json("/api/events/failure/chain?max_depth=1");
    assert_eq!((each(&chain, "id").len(), &chain["end"]["kind"]), (2, &json!("depth_limit")));
    assert_eq!(each(&place.json("/api/events/ask/children"), "id"), ["call"]);
    assert_eq!(each(&place.json("/api/events/call/siblings"), "id").len(), 0);
    let tree = place.json("/api/events/ask/tree?order=breadth");
    assert_eq!(each(&tree, "id"), ["call", "failure"]);
    assert_eq!(tree["items"][1]["below"], 2);
    assert_eq!(place.json("/api/common?a=failure&b=call")["event"]["id"], "call");
    assert_eq!(each(&place.json("/api/roots"), "id"), ["ask"]);
    assert_eq!(place.json("/api/missing")["items"], json!([]));
}

#[test]
fn a_long_chain_is_told_in_parts() {
    let place = Place::new();
    let text = "x".repeat(9000);
    let lines: Vec<_> = (0..300)
        .map(|n| {
            let parent = if n > 0 { format!(r#","parent":"e{}""#, n - 1) } else { String::new() };
            format!(r#"{{"kind":"step","id":"e{n}","time":{n}{parent},"payload":"{text}"}}"#)
        })
        .collect();
    assert_eq!(place.post("/api/events", lines.join("\n")).status, 200);
    let (mut seen, mut next) = (0, Some("e299".to_owned()));
    while let Some(id) = next {
        let reply = place.get(&format!("/api/events/{id}/chain?detail=payload"));
        assert!(reply.body.len() < 2 << 20, "{} bytes", reply.body.len());
        let chain = reply.json();
        seen += each(&chain, "id").len();
        next = chain["next"].as_str().map(str::to_owned);
        assert_eq!(next.is_none(), chain["end"]["kind"] == "root");
    }
    assert_eq!(seen, 300);
    let page = place.json("/api/events?detail=payload&limit=1000");
    assert!(each(&page, "id").len() < 300 && page["next"].is_string());
}

#[test]
fn a_payload_comes_as_it_was_and_is_never_a_page() {
    let place = Place::new();
    let html = "<img src=x onerror=alert(1)>";
    let line = format!(r#"{{"kind":"a","id":"html","time":1,"payload_text":"{html}"}}"#);
    assert_eq!(place.post("/api/events", line).status, 201);
    let long = "long ".repeat(200_000);
    let line = format!(r#"{{"kind":"a","id":"long","time":2,"payload_text":"{long}"}}"#);
    assert_eq!(place.post("/api/events", line).status, 201);
    let line = r#"{"kind":"a","id":"bytes","time":3,"payload_base64":"//4A"}"#;
    assert_eq!(place.post("/api/events", line).status, 201);

    let reply = place.get("/api/events/html/payload");
    assert_eq!((reply.status, reply.text()), (200, html.to_owned()));
    assert_eq!(reply.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    let tag = reply.header("etag").expect("a tag").to_owned();
    let known = format!("If-None-Match: {tag}");
    let reply = place.ask("GET", "/api/events/html/payload", &[&place.bearer(), &known], b"");
    assert_eq!((reply.status, reply.body.len()), (304, 0));
    assert_eq!(place.get("/api/events/long/payload").text(), long);
    let reply = place.get("/api/events/bytes/payload");
    assert_eq!((reply.body, reply.head.contains("attachment")), (vec![0xff, 0xfe, 0], true));
    let event = place.json("/api/events/long?detail=payload");
    assert_eq!(event["payload_bytes"], 1_000_000);
    assert!(event.get("payload_text").is_none(), "too long to be told within a reply");
}

#[test]
fn answers_are_given() {
    let place = Place::with_three_events();
    let why = place.json("/api/failure/failure");
    assert_eq!(why["failure"]["id"], "failure");
    assert!(place.json("/api/failure")["complete"].is_boolean());
    let found = place.json("/api/search?q=broke");
    assert_eq!((each(&found, "id"), &found["next"]), (vec!["failure"], &json!(null)));
    assert_eq!(found["items"][0]["snippet"], "it broke");
    assert_eq!(found["searched"]["events"], 3);
    assert_eq!(place.json("/api/resume/s1")["session"], "s1");
    assert!(place.json("/api/sessions/s1/metrics").is_object());
    assert!(place.json("/api/sessions/s1/decisions").is_object());
    assert!(place.json("/api/slow").is_object());
    let reply = place.get("/api/sessions/s1/transcript");
    assert_eq!(reply.status, 200, "{reply:?}");
    let session = place.json("/api/sessions/s1");
    assert_eq!((&session["events"], &session["depth"]), (&json!(3), &json!(0)));
    assert_eq!(each(&place.json("/api/sessions"), "id"), ["s1"]);
    assert_eq!(each(&place.json("/api/sessions/s1/tree"), "id"), ["s1"]);
    assert_eq!(place.json("/api/sessions/s1/timeline")["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(place.json("/api/waves")["items"], json!([]));
    let counts = place.json("/api/counts?by=kind&errors");
    assert_eq!(counts["items"], json!([{"value": "error", "count": 1}]));
    assert_eq!(place.json("/api/timeline?bucket=1s")["items"][0]["count"], 3);
}

#[test]
fn figures_of_the_store_and_the_server_are_told() {
    let place = Place::with_three_events();
    assert_eq!(place.json("/api/stats")["events"], 3);
    assert_eq!(place.json("/api/segments")["items"][0]["events"], 3);
    let health = place.json("/api/health");
    assert_eq!((&health["well"], &health["read_only"]), (&json!(true), &json!(null)));
    let metrics = place.get("/metrics");
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    for line in ["forebear_events 3", "forebear_writable 1", "forebear_queue_batches 0"] {
        assert!(metrics.text().lines().any(|found| found == line), "{line}: {}", metrics.text());
    }
}

#[test]
fn alerts_are_found_by_the_rules_that_are_asked_for() {
    let place = Place::with_three_events();
    let spent =
        r#"{"kind":"answer","id":"spent","session":"s1","usage":{"message":"m","output":50}}"#;
    assert_eq!(place.post("/api/events", spent).status, 201);
    let found = place.json("/api/alerts?rule=tokens=49");
    assert_eq!(found["complete"], true);
    assert_eq!((each(&found, "about"), each(&found, "rule")), (vec!["s1"], vec!["tokens=49"]));
    assert_eq!(place.json("/api/alerts?rule=tokens=50")["items"], json!([]));
    assert!(place.json("/api/alerts")["items"].is_array());
    let reply = place.get("/api/alerts?rule=nonsense");
    assert_eq!(reply.status, 400);
    assert!(reply.text().contains("expected failed, timeout"), "{reply:?}");
}

#[test]
fn events_are_stored_once() {
    let place = Place::new();
    let one = r#"{"kind":"note","id":"n","time":1,"payload":1}"#;
    let reply = place.post("/api/events", one);
    assert_eq!(reply.status, 201);
    assert_eq!(reply.json(), json!({"id": "n", "seq": 1, "status": "new"}));
    let reply = place.post("/api/events", one);
    assert_eq!((reply.status, reply.json()["status"].clone()), (200, json!("repeat")));

    let reply = place.post("/api/events", format!("[{one}, {{\"kind\":1}}]"));
    let answers = reply.json();
    assert_eq!((reply.status, &answers[0]["status"]), (200, &json!("repeat")));
    assert_eq!(answers[1]["line"], 2);
    let reply = place.post("/api/events", format!("{one}\n{{\"kind\n{one}\n"));
    let answers = reply.json();
    assert_eq!(answers.as_array().map(Vec::len), Some(3), "{answers}");
    assert_eq!((&answers[1]["line"], &answers[2]["status"]), (&json!(2), &json!("repeat")));
    for (body, said) in [("", "nothing"), ("{\"kin\":1}", "unknown key"), ("[1", "array")] {
        let reply = place.post("/api/events", body);
        assert_eq!(reply.status, 400, "{body}");
        assert!(reply.text().contains(said), "{body}: {}", reply.text());
    }
    for durability in ["sync", "flush", "buffered"] {
        let line = format!(r#"{{"kind":"note","id":"{durability}","time":1}}"#);
        let reply = place.post(&format!("/api/events?durability={durability}"), line);
        assert_eq!(reply.status, 201, "{reply:?}");
    }
    let reply = place.post("/api/events?durability=maybe", one);
    assert_eq!(reply.status, 400);
}

#[test]
fn links_are_stored() {
    let place = Place::new();
    place.post("/api/events", "[{\"kind\":\"a\",\"id\":\"a\"},{\"kind\":\"b\",\"id\":\"b\"}]");
    let reply = place.post("/api/links", r#"{"child":"b","parent":"a","kind":"spawned"}"#);
    assert_eq!((reply.status, reply.json()), (200, json!({"links": ["accepted"]})));
    assert_eq!(place.json("/api/events/b")["link"], "spawned");
    assert_eq!(place.post("/api/links", r#"{"child":"b"}"#).status, 400);
    assert_eq!(place.post("/api/links", r#"{"child":"b","parent":"a","kind":"x"}"#).status, 400);
}

#[test]
fn beside_another_writer_it_reads_and_says_who() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = forebear::open(folder.path().join("events.forebear")).expect("a store");
    store.append(forebear::Event::new("note").id("theirs").time_ns(1)).expect("stored");
    let place = Place::in_folder(folder, |options| options);
    let why = place.server.as_ref().and_then(HttpServer::why_read_only).expect("why");
    assert!(why.contains(&format!("process {}", std::process::id())), "{why}");
    assert_eq!(place.json("/api/events/theirs")["kind"], "note");
    let reply = place.post("/api/events", r#"{"kind":"note"}"#);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
    assert!(reply.text().contains("process"), "{}", reply.text());
    assert_eq!(place.json("/api/health")["read_only"], why);
    assert_eq!(place.get("/health").status, 200);
    store.close().expect("closed");
    // It takes over by itself.
    for _ in 0..300 {
        let reply = place.post("/api/events", r#"{"kind":"note","id":"ours","time":2}"#);
        if reply.status == 201 {
            assert_eq!(place.json("/api/events/ours")["seq"], 2);
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("it did not take over");
}
