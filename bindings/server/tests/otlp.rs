//! Requests of OpenTelemetry's exporters.

mod support;

use serde_json::{Value, json};
use support::{Place, each};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

fn span(id: &str, parent: &str, attributes: &Value) -> Value {
    json!({"traceId": TRACE, "spanId": id, "parentSpanId": parent, "name": format!("span {id}"),
        "kind": 1, "startTimeUnixNano": "1772366400000000000",
        "endTimeUnixNano": "1772366401000000000", "attributes": attributes})
}

fn request(spans: &[Value]) -> String {
    let service =
        json!({"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]});
    json!({"resourceSpans": [{"resource": service, "scopeSpans": [{"spans": spans}]}]}).to_string()
}

fn send(place: &Place, path: &str, body: &[u8]) -> support::Reply {
    let lines = [&*place.bearer(), "Content-Type: application/json"];
    place.ask("POST", path, &lines, body)
}

#[test]
fn spans_are_events_with_parents_in_any_order_and_are_stored_once() {
    let place = Place::new();
    let tool = json!([{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}},
        {"key": "gen_ai.tool.name", "value": {"stringValue": "search"}}]);
    let child = span("b7ad6b7169203331", "00f067aa0ba902b7", &tool);
    let reply = send(&place, "/v1/traces", request(std::slice::from_ref(&child)).as_bytes());
    assert_eq!((reply.status, reply.text()), (200, "{}".to_owned()), "{reply:?}");
    let named = json!([{"key": "session.id", "value": {"stringValue": "talk"}}]);
    let root = span("00f067aa0ba902b7", "", &named);
    assert_eq!(send(&place, "/v1/traces", request(&[root]).as_bytes()).status, 200);
    let later = span("00f067aa0ba902b8", "00f067aa0ba902b7", &json!([]));
    assert_eq!(send(&place, "/v1/traces", request(&[later]).as_bytes()).status, 200);

    let page = place.json("/api/events?kind=tool_use");
    let id = page["items"][0]["id"].as_str().expect("an id");
    assert_eq!(page["items"][0]["labels"]["tool"], "search");
    let chain = place.json(&format!("/api/events/{id}/chain"));
    assert_eq!(each(&chain, "kind"), ["tool_use", "span 00f067aa0ba902b7"]);
    // One span names the session: those after it are of that, and the one before belongs to it.
    assert_eq!(each(&place.json("/api/events?session=talk"), "id").len(), 2);
    let tree = place.json("/api/sessions/talk/tree");
    assert_eq!(each(&tree, "id"), ["talk", TRACE]);

    // Again, in another order and encoding, through a collector that says more of the resource.
    let mut again = child;
    again["startTimeUnixNano"] = json!(1_772_366_400_000_000_000_u64);
    again["attributes"] = json!([tool[1], tool[0]]);
    again["droppedAttributesCount"] = json!(0);
    let more = request(&[again]).replace("\"shop\"", "\"the shop\"");
    assert_eq!(send(&place, "/v1/traces", more.as_bytes()).status, 200);
    assert_eq!(place.json("/api/stats")["events"], 3);
    assert_eq!(place.json("/api/stats")["versions"], 0);
}

#[test]
fn log_records_hang_on_their_spans() {
    let place = Place::new();
    let root = span("00f067aa0ba902b7", "", &json!([]));
    send(&place, "/v1/traces", request(&[root]).as_bytes());
    let log = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "5",
        "severityNumber": 17, "body": {"stringValue": "the disk is full"}, "traceId": TRACE,
        "spanId": "00f067aa0ba902b7"}]}]}]});
    for body in [log.to_string(), log.to_string().replace("\"5\"", "5")] {
        assert_eq!(send(&place, "/v1/logs", body.as_bytes()).status, 200);
    }
    let found = place.json("/api/events?errors");
    assert_eq!(each(&found, "id").len(), 1, "{found}");
    let id = found["items"][0]["id"].as_str().expect("an id");
    let chain = place.json(&format!("/api/events/{id}/chain"));
    assert_eq!(each(&chain, "id").len(), 2);
}

#[test]
fn metrics_are_refused_politely() {
    let place = Place::new();
    let body = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "n",
        "sum": {"dataPoints": [{"asInt": "1"}, {"asInt": "2"}]}}]}]}]});
    let reply = send(&place, "/v1/metrics", body.to_string().as_bytes());
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json()["partialSuccess"]["rejectedDataPoints"], "2");
    assert_eq!(place.json("/api/stats")["events"], 0);
}

#[test]
fn garbage_is_refused_and_quarantined() {
    let place = Place::new();
    let bearer = place.bearer();
    for (path, kind, encoding, body) in [
        ("/v1/traces", "application/json", "", &b"{\"resourceSpans\":["[..]),
        ("/v1/traces", "application/json", "", b"{\"other\":[]}"),
        ("/v1/logs", "application/x-protobuf", "", b"\xff\xfe garbage"),
        ("/v1/logs", "application/x-protobuf", "gzip", b"no gzip"),
    ] {
        let kind = format!("Content-Type: {kind}");
        let encoding = format!("Content-Encoding: {encoding}");
        let reply = place.ask("POST", path, &[&bearer, &kind, &encoding], body);
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    let reply = place.ask("POST", "/v1/traces", &[&bearer, "Content-Type: text/plain"], b"x");
    assert_eq!(reply.status, 415);
    let mut place = place;
    place.stop();
    let store = forebear::open(place.store()).expect("it is free");
    let quarantined = store.snapshot().quarantined().page().expect("it is read").items;
    assert_eq!(quarantined.len(), 4);
    assert!(quarantined.iter().any(|input| input.bytes == b"no gzip"));
    assert!(quarantined.iter().all(|input| input.source.starts_with("otlp resource")));
}

#[test]
fn the_token_before_the_path_is_enough() {
    let place = Place::new();
    let path = format!("/t/{}/v1/traces", place.token);
    let lines = ["Content-Type: application/json"];
    assert_eq!(place.ask("POST", &path, &lines, b"{\"resourceSpans\":[]}").status, 200);
    assert_eq!(place.ask("POST", "/v1/traces", &lines, b"{\"resourceSpans\":[]}").status, 401);
}
