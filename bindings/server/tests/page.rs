//! The page, and what it asks of the server beside the API for everybody.

mod support;

use support::Place;

#[test]
fn the_page_needs_no_token_and_is_kept_as_long_as_it_is_the_same() {
    let place = Place::with_three_events();
    let ask = |path: &str, lines: &[&str]| place.ask("GET", path, lines, b"");
    for path in ["/", "/sessions", "/s/a%2Fb", "/e/ask", "/store"] {
        let reply = ask(path, &[]);
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        assert_eq!(reply.header("cache-control"), Some("no-cache"), "{path}");
    }
    let first = ask("/", &[]);
    let known = format!("If-None-Match: {}", first.header("etag").expect("it has a digest"));
    assert_eq!(ask("/sessions", &[&known]).status, 304);
    let html = first.text();
    let script =
        html.split('"').find(|part| part.starts_with("/assets/index-")).expect("it has a script");
    let reply = ask(script, &[]);
    assert_eq!(reply.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(reply.header("cache-control").is_some_and(|kept| kept.ends_with("immutable")));

    // Neither what is none of its files nor what would change something.
    assert_eq!(ask("/assets/../../Cargo.toml", &[]).status, 401);
    assert_eq!(ask("/s/", &[]).status, 401);
    assert_eq!(place.ask("POST", "/sessions", &[], b"").status, 401);
    assert_eq!(place.post("/sessions", "").status, 404);
}

#[test]
fn sessions_come_as_columns_and_events_as_words() {
    let place = Place::with_three_events();
    let rows = place.json("/api/sessions/s1/rows?limit=2");
    assert_eq!(rows["id"], serde_json::json!(["ask", "call"]));
    let next = rows["next"].as_str().expect("it goes on");
    let rest = place.json(&format!("/api/sessions/s1/rows?after={next}"));
    assert_eq!(rest["id"], serde_json::json!(["failure"]));
    assert!(rest["next"].is_null());
    assert_eq!(place.get("/api/sessions/nowhere/rows").status, 404);

    let said = place.json(&format!("/api/texts?seq={},999999", rest["seq"][0]));
    assert_eq!(said["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(said["items"][0]["gist"], "it broke");
    assert_eq!(place.get("/api/texts?seq=one").status, 400);
}
