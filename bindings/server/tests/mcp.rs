//! The Model Context Protocol beside the other routes.

mod support;

use serde_json::json;
use support::Place;

#[test]
fn tools_are_asked_over_http() {
    let place = Place::with_three_events();
    let bearer = place.bearer();
    let lines = [
        &*bearer,
        "Content-Type: application/json",
        "Accept: application/json, text/event-stream",
        "MCP-Protocol-Version: 2025-06-18",
    ];
    let ask = |body: &serde_json::Value| {
        let reply = place.ask("POST", "/mcp", &lines, body.to_string().as_bytes());
        assert_eq!(reply.status, 200, "{reply:?} {}", reply.text());
        reply.json()
    };
    let tools = ask(&json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    assert!(tools["result"]["tools"].as_array().is_some_and(|tools| tools.len() > 5));
    let call = json!({"name": "get_parent_chain", "arguments": {"id": "failure"}});
    let chain = ask(&json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": call}));
    let events = &chain["result"]["structuredContent"]["events"];
    assert_eq!(events.as_array().map(Vec::len), Some(3), "{chain}");

    let port = place.address.port();
    let foreign = ["Origin: http://evil.com"];
    assert_eq!(place.ask("POST", "/mcp", &[&lines[..], &foreign].concat(), b"{}").status, 403);
    assert_eq!(place.ask("POST", "/mcp", &lines[1..], b"{}").status, 401);
    let own = format!("Origin: http://localhost:{port}");
    let host = format!("Host: localhost:{port}");
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let length = format!("Content-Length: {}", body.len());
    let more = [&*host, &own, &length, "Connection: close"];
    assert_eq!(
        place.send("POST", "/mcp", &[&lines[..], &more].concat(), body.as_bytes()).status,
        200
    );
}
