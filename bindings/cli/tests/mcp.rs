//! `forebear mcp` as a client of the protocol sees it. Clients of other makers ask the same
//! in `bindings/mcp/tests/clients`.

#![cfg(feature = "mcp")]
#![allow(clippy::unwrap_used)]
#![allow(clippy::needless_pass_by_value)] // `json!` at a call reads better than a reference to it

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::time::{Duration, Instant};

use common::Place;
use serde_json::{Value, json};

const TOOLS: [&str; 10] = [
    "get_failure_chain",
    "get_parent_chain",
    "get_child_events",
    "smart_resume_context",
    "search_events",
    "list_sessions",
    "session_tree",
    "get_event",
    "analyze_performance",
    "audit_decisions",
];

/// A server, and the replies that came so far.
struct Server {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    replies: BTreeMap<u64, Value>,
    asked: u64,
    /// Bytes of the newest reply.
    bytes: usize,
    is_stateless: bool,
}

impl Server {
    /// One that was initialized, as of 2025-11-25.
    fn start(place: &Place, args: &[&str]) -> Self {
        let mut server = Self::spawn(place, args, false);
        let hello = server.request(
            "initialize",
            json!({"protocolVersion": "2025-11-25", "capabilities": {},
                "clientInfo": {"name": "test", "version": "1"}}),
        );
        assert_eq!(hello["result"]["protocolVersion"], "2025-11-25", "{hello}");
        assert_eq!(hello["result"]["serverInfo"]["name"], "forebear", "{hello}");
        server.send(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}).to_string());
        server
    }

    fn spawn(place: &Place, args: &[&str], is_stateless: bool) -> Self {
        let args: Vec<&str> = ["mcp"].into_iter().chain(args.iter().copied()).collect();
        let mut child = place
            .command(&args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        let input = child.stdin.take();
        let output = BufReader::new(child.stdout.take().unwrap());
        let replies = BTreeMap::new();
        Self { child, input, output, replies, asked: 0, bytes: 0, is_stateless }
    }

    fn send(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").expect("writes");
    }

    fn request(&mut self, method: &str, mut params: Value) -> Value {
        self.asked += 1;
        if self.is_stateless {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
        let id = self.asked;
        let message = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.send(&message.to_string());
        self.reply(id)
    }

    /// The reply to a request; each line of the output has to be a message.
    fn reply(&mut self, id: u64) -> Value {
        loop {
            if let Some(reply) = self.replies.remove(&id) {
                return reply;
            }
            let mut line = String::new();
            let read = self.output.read_line(&mut line).expect("reads");
            assert!(read > 0, "the server ended without a reply to {id}");
            let message: Value = serde_json::from_str(&line).expect("nothing but JSON");
            assert_eq!(message["jsonrpc"], "2.0", "{message}");
            self.bytes = read;
            if let Some(id) = message["id"].as_u64() {
                self.replies.insert(id, message);
            }
        }
    }

    fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let reply = self.request("tools/call", json!({"name": tool, "arguments": arguments}));
        assert!(reply["result"].is_object(), "{tool}: {reply}");
        reply["result"].clone()
    }

    /// What a call that works answers.
    fn ask(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments);
        assert_ne!(result["isError"], true, "{tool}: {result}");
        assert!(!text(&result).is_empty(), "{tool}: {result}");
        let answer = result["structuredContent"].clone();
        assert!(answer.is_object(), "{tool}: {result}");
        answer
    }

    /// The words of a call that fails.
    fn refused(&mut self, tool: &str, arguments: Value) -> String {
        let result = self.call(tool, arguments);
        assert_eq!(result["isError"], true, "{tool}: {result}");
        text(&result).to_owned()
    }

    /// Closes the input and waits for the end.
    fn end(mut self) {
        drop(self.input.take());
        let since = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{status}");
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(30), "it goes on without a client");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that has ended already can't be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap_or_default()
}

/// A chain of `depth` events below a request, ids that are UUIDs, ending in a failure.
fn deep(depth: usize, payload: &str) -> Place {
    let place = Place::new();
    let line = |number: usize| {
        let kind = match number {
            0 => "user_message",
            last if last + 1 == depth => "error",
            _ => "tool_use",
        };
        let mut event = json!({
            "id": id(number), "kind": kind, "session": "s1", "instance": "s1",
            "time": 1_772_366_400_000_000_000_u64 + number as u64 * 1_000_000_000,
            "labels": {"number": number.to_string()},
            "payload": {"text": format!("{number} {payload}")},
        });
        if number > 0 {
            event["parent"] = id(number - 1).into();
        }
        format!("{event}\n")
    };
    let lines: Vec<String> = (0..depth).map(line).collect();
    let lines = lines.concat();
    let said = place.run_with(&["append", "--json"], lines);
    assert_eq!(said.code, 0, "{said:?}");
    place
}

fn id(number: usize) -> String {
    // Spread over the digits that ids are shortened to.
    let begin = (number as u32).wrapping_mul(2_654_435_761);
    format!("{begin:08x}-0000-4000-8000-{number:012x}")
}

fn ids(answer: &Value) -> Vec<String> {
    let events = answer["events"].as_array().unwrap();
    events.iter().map(|event| event["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn both_eras_list_the_tools_and_answer_with_each() {
    let place = Place::with_three_events();
    let stateful = Server::start(&place, &[]);
    let mut stateless = Server::spawn(&place, &[], true);
    let found = stateless.request("server/discover", json!({}));
    assert!(found["result"]["supportedVersions"].to_string().contains("2026-07-28"), "{found}");
    for mut server in [stateful, stateless] {
        let listed = server.request("tools/list", json!({}));
        let tools = listed["result"]["tools"].as_array().unwrap().clone();
        let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(names, TOOLS);
        for tool in &tools {
            assert!(tool["title"].is_string() && tool["outputSchema"].is_object(), "{tool}");
            for (hint, value) in [
                ("readOnlyHint", true),
                ("idempotentHint", true),
                ("openWorldHint", false),
                ("destructiveHint", false),
            ] {
                assert_eq!(tool["annotations"][hint], value, "{hint} of {tool}");
            }
        }
        let why = server.ask("get_failure_chain", json!({"id": "failure"}));
        assert_eq!(why["failure"]["id"], "failure", "{why}");
        let chain = server.ask("get_parent_chain", json!({"id": "failure"}));
        assert_eq!(ids(&chain), ["failure", "call", "ask"]);
        assert_eq!((&chain["steps"], &chain["end"]["kind"]), (&json!(2), &json!("root")));
        let agent = server.ask("get_parent_chain", json!({"id": "failure", "within_agent": true}));
        assert_eq!(
            (ids(&agent), &agent["end"]["kind"]),
            (vec!["failure".to_owned()], &json!("stopped"))
        );
        let children = server.ask("get_child_events", json!({"id": "ask"}));
        assert_eq!(ids(&children), ["call"]);
        let below = server.ask("get_child_events", json!({"id": "ask", "recursive": true}));
        assert_eq!(ids(&below), ["call", "failure"]);
        let resume = server.ask("smart_resume_context", json!({"session": "s1"}));
        assert!(resume["text"].as_str().unwrap().contains("why?"), "{resume}");
        let said = server.ask("search_events", json!({"text": "make"}));
        assert_eq!((ids(&said), &said["complete"]), (vec!["call".to_owned()], &json!(true)));
        let errors = server.ask("search_events", json!({"errors": true}));
        assert_eq!(ids(&errors), ["failure"]);
        let sessions = server.ask("list_sessions", json!({}));
        assert_eq!(sessions["sessions"][0]["id"], "s1", "{sessions}");
        let tree = server.ask("session_tree", json!({"session": "s"}));
        assert_eq!(tree["sessions"][0]["below"], 0, "{tree}");
        let event = server.ask("get_event", json!({"id": "call"}));
        assert_eq!(event["payload"]["command"], "make", "{event}");
        assert_eq!(event["event"]["time"], "2026-03-01T12:00:03.2Z", "{event}");
        server.end();
    }
}

#[test]
fn a_long_chain_folds_in_the_middle_and_can_be_had_whole() {
    let place = deep(1000, &"x".repeat(300));
    let mut server = Server::start(&place, &[]);
    let whole: Vec<String> = (0..1000).rev().map(id).collect();
    for max_bytes in [2_000, 5_000, 20_000, 200_000] {
        let chain = server.ask("get_parent_chain", json!({"id": id(999), "max_bytes": max_bytes}));
        assert!(server.bytes <= max_bytes, "{} of {max_bytes}", server.bytes);
        let events = chain["events"].as_array().unwrap();
        let fold = events.iter().find(|event| event["omitted"].is_u64()).expect("a fold");
        let shown = events.len() - 1;
        assert_eq!(fold["omitted"].as_u64().unwrap() as usize + shown, 1000);
        assert_eq!((&chain["steps"], &chain["end"]["kind"]), (&json!(999), &json!("root")));
        assert!(whole[0].starts_with(events[0]["id"].as_str().unwrap()), "{}", events[0]);
        if max_bytes >= 5_000 {
            let top = events.last().unwrap()["id"].as_str().unwrap();
            assert!(whole[999].starts_with(top), "both ends are shown: {top}");
        }
    }
    // What was folded is asked for as the fold says, until all is there.
    let mut gathered = Vec::new();
    let mut wanted = vec![(id(999), 10_000)];
    while let Some((from, depth)) = wanted.pop() {
        let chain = server.ask("get_parent_chain", json!({"id": from, "max_depth": depth}));
        let events = chain["events"].as_array().unwrap();
        let fold = events.iter().position(|event| event["omitted"].is_u64());
        let (head, tail) = events.split_at(fold.unwrap_or(events.len()));
        gathered.extend(head.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
        // What stands behind the fold is asked for again, which is shorter to write.
        if let Some(fold) = tail.first() {
            let left = depth.min(9_999) - head.len() as u64;
            wanted.push((fold["from"].as_str().unwrap().to_owned(), left));
        }
    }
    assert_eq!(gathered.len(), 1000);
    for (short, id) in gathered.iter().zip(&whole) {
        assert!(id.starts_with(short.as_str()) && short.len() == 8, "{short} of {id}");
    }
    server.end();
}

#[test]
fn every_reply_stays_within_its_bytes() {
    let place = deep(997, &"some \"words\" and more ".repeat(40));
    let mut server = Server::start(&place, &[]);
    let (first, last) = (id(0), id(996));
    let calls = [
        ("get_failure_chain", json!({"session": "s1"})),
        ("get_parent_chain", json!({"id": last, "full": true})),
        ("get_child_events", json!({"id": first, "recursive": true, "limit": 200})),
        ("smart_resume_context", json!({})),
        ("search_events", json!({"text": "words", "limit": 200, "full": true})),
        ("search_events", json!({"limit": 200})),
        ("list_sessions", json!({})),
        ("session_tree", json!({"session": "s1"})),
        ("get_event", json!({"id": last})),
        ("analyze_performance", json!({"session": "s1", "limit": 200})),
        ("audit_decisions", json!({"session": "s1", "limit": 200})),
    ];
    for max_bytes in [3_000, 20_000, 60_000] {
        for (tool, arguments) in &calls {
            let mut arguments = arguments.clone();
            arguments["max_bytes"] = max_bytes.into();
            server.ask(tool, arguments);
            assert!(server.bytes <= max_bytes, "{tool}: {} of {max_bytes}", server.bytes);
        }
    }
    server.ask("search_events", json!({"limit": 200}));
    assert!((10_000..=20_000).contains(&server.bytes), "unless told: {}", server.bytes);
    let words = server.refused("get_parent_chain", json!({"id": last, "max_bytes": 300_000}));
    assert!(words.contains("from 2000 to 200000"), "{words}");
    server.end();
}

#[test]
fn listings_go_on_where_the_bytes_ended_them() {
    let place = deep(300, &"y".repeat(200));
    let mut server = Server::start(&place, &[]);
    for (tool, arguments) in [
        ("search_events", json!({"limit": 100, "max_bytes": 6_000})),
        ("search_events", json!({"text": "yyy", "limit": 7, "max_bytes": 8_000})),
        ("get_child_events", json!({"id": id(0), "recursive": true, "max_bytes": 6_000})),
    ] {
        let mut all = Vec::new();
        let mut arguments = arguments;
        loop {
            let answer = server.ask(tool, arguments.clone());
            all.extend(ids(&answer));
            let Some(next) = answer["next"].as_str() else { break };
            arguments["cursor"] = next.into();
        }
        let expected: Vec<String> = match tool {
            "get_child_events" => (1..300).map(id).collect(),
            _ => (0..300).rev().map(id).collect(),
        };
        assert_eq!(all.len(), expected.len(), "{tool}");
        for (short, id) in all.iter().zip(&expected) {
            assert!(id.starts_with(short.as_str()), "{tool}: {short} of {id}");
        }
    }
    let words = server.refused("search_events", json!({"cursor": "nonsense"}));
    assert!(words.contains("`next` of an earlier reply"), "{words}");
    server.end();
}

#[test]
fn a_long_payload_comes_in_pieces() {
    let place = Place::new();
    let words: Vec<String> = (0..5000).map(|number| format!("w{number}é\u{1b}")).collect();
    let payload = words.join("\n");
    let line = json!({"kind": "note", "id": "long", "payload_text": payload}).to_string();
    assert_eq!(place.run_with(&["append", "--json"], line).code, 0);
    let mut server = Server::start(&place, &[]);
    let (mut gathered, mut offset) = (String::new(), 0);
    loop {
        let answer = server.ask("get_event", json!({"id": "long", "offset": offset}));
        assert!(server.bytes <= 20_000, "{}", server.bytes);
        gathered.push_str(answer["payload_text"].as_str().unwrap());
        let Some(next) = answer["next_offset"].as_u64() else { break };
        offset = next;
    }
    assert_eq!(gathered, payload);
    server.end();
}

#[test]
fn without_a_store_the_tools_say_what_to_do_and_then_answer() {
    let place = Place::new();
    let mut server = Server::start(&place, &[]);
    let listed = server.request("tools/list", json!({}));
    assert_eq!(listed["result"]["tools"].as_array().unwrap().len(), TOOLS.len());
    let words = server.refused("list_sessions", json!({}));
    assert!(words.contains("there is no store at") && words.contains("forebear import"), "{words}");
    assert!(!place.store().exists(), "asking made a store");
    let line = r#"{"kind":"note","id":"n","session":"s","payload":"made meanwhile"}"#;
    assert_eq!(place.run_with(&["append", "--json"], line).code, 0);
    let found = server.ask("search_events", json!({"text": "meanwhile"}));
    assert_eq!(ids(&found), ["n"]);
    server.end();
}

#[test]
fn following_fills_the_store_beside_answering() {
    let place = Place::new();
    let folder = place.path().join("transcripts");
    std::fs::create_dir_all(&folder).unwrap();
    let line = |uuid: &str, parent: &str, text: &str| {
        format!(
            "{{\"type\":\"user\",\"uuid\":\"{uuid}\",\"parentUuid\":{parent},\"sessionId\":\"s\",\
             \"timestamp\":\"2026-03-01T12:00:00Z\",\"message\":{{\"role\":\"user\",\"content\":\"{text}\"}}}}\n"
        )
    };
    let (a, b) = (id(1), id(2));
    let file = folder.join("s.jsonl");
    std::fs::write(&file, line(&a, "null", "first words")).unwrap();
    let mut server = Server::start(&place, &["--follow", folder.to_str().unwrap()]);
    let mut wait_for = |words: &str| {
        let since = Instant::now();
        loop {
            let result = server.call("search_events", json!({"text": words}));
            if text(&result).contains(words) {
                return;
            }
            assert!(since.elapsed() < Duration::from_secs(30), "{words}: {result}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    wait_for("first words");
    let mut all = std::fs::read_to_string(&file).unwrap();
    all.push_str(&line(&b, &format!("\"{a}\""), "second words"));
    std::fs::write(&file, all).unwrap();
    wait_for("second words");
    // Another server reads what this one writes.
    let mut other = Server::start(&place, &["--follow", folder.to_str().unwrap()]);
    let found = other.ask("search_events", json!({"text": "second words"}));
    assert_eq!(ids(&found).len(), 1);
    other.end();
    server.end();
}

#[test]
fn secrets_are_redacted_unless_asked_not_to() {
    let place = Place::new();
    let token = format!("ghp{}{}", "_", "a1B2c3D4".repeat(5));
    let lines = [
        json!({"kind": "user_message", "id": "ask", "session": "s", "payload": {"text": format!("use {token} now")}}),
        json!({"kind": "tool_use", "id": "call", "parent": "ask", "session": "s", "labels": {"env": token},
            "payload": {"command": format!("curl https://me:{token}@example.com")}}),
        json!({"kind": "error", "id": "failure", "parent": "call", "session": "s",
            "payload": format!("{token} was refused")}),
        json!({"kind": "spawn_decision", "id": "decision", "parent": "ask", "session": "s",
            "payload": {"reason": format!("it has {token}")}}),
    ];
    let lines = lines.map(|line| format!("{line}\n")).concat();
    assert_eq!(place.run_with(&["append", "--json"], lines).code, 0);
    let calls = [
        ("get_failure_chain", json!({"id": "failure"})),
        ("get_parent_chain", json!({"id": "failure", "full": true})),
        ("get_child_events", json!({"id": "ask", "full": true})),
        ("smart_resume_context", json!({"session": "s"})),
        ("search_events", json!({"text": "use"})),
        ("search_events", json!({"text": "B2c3D4a1B2"})),
        ("get_event", json!({"id": "call"})),
        ("get_event", json!({"id": "failure"})),
        ("audit_decisions", json!({"session": "s"})),
    ];
    let mut server = Server::start(&place, &[]);
    for (tool, arguments) in &calls {
        let result = server.call(tool, arguments.clone()).to_string();
        assert!(!result.contains("c3D4a1B2"), "{tool}: {result}");
        assert!(result.contains("[redacted "), "{tool}: {result}");
        assert!(result.contains("\"redacted\":"), "{tool}: {result}");
    }
    server.end();
    let mut server = Server::start(&place, &["--no-redact"]);
    let result = server.call("get_event", json!({"id": "failure"})).to_string();
    assert!(result.contains(&token) && !result.contains("redacted"), "{result}");
    server.end();
}

/// A session of a service with so many stated decisions, and calls of a known length.
fn audited(decisions: usize) -> Place {
    let place = Place::new();
    let mut lines = String::new();
    for number in 0..decisions {
        let line = json!({
            "kind": "spawn_decision", "id": id(number), "session": "service",
            "time": 1_772_366_400_000_000_000_u64 + number as u64 * 2_000_000_000,
            "payload": {"reason": format!("reason {number} {}", "of many words ".repeat(80))},
        });
        lines = format!("{lines}{line}\n");
    }
    assert_eq!(place.run_with(&["append", "--json"], lines).code, 0);
    place
}

#[test]
fn decisions_are_paged_to_the_end_and_times_add_up() {
    let place = audited(60);
    let mut server = Server::start(&place, &[]);
    let mut arguments = json!({"session": "service", "max_bytes": 6_000});
    let mut reasons = Vec::new();
    let mut pages = 0;
    loop {
        let answer = server.ask("audit_decisions", arguments.clone());
        assert!(server.bytes <= 6_000, "{}", server.bytes);
        for decision in answer["decisions"].as_array().unwrap() {
            assert_eq!(decision["kind"], "stated", "{decision}");
            let what = decision["what"].as_str().unwrap();
            reasons.push(what.split(' ').nth(1).unwrap().to_owned());
        }
        pages += 1;
        let Some(next) = answer["next"].as_str() else { break };
        arguments["cursor"] = next.into();
    }
    let expected: Vec<String> = (0..60).map(|number| number.to_string()).collect();
    assert_eq!(reasons, expected);
    assert!(pages > 5, "{pages}");
    let none = server.ask("audit_decisions", json!({"session": "service", "kinds": ["plan"]}));
    assert_eq!(none["decisions"], json!([]), "{none}");
    let few = server.ask("audit_decisions", json!({"limit": 3, "kinds": ["stated"]}));
    assert_eq!(few["decisions"].as_array().unwrap().len(), 3, "{few}");
    for cursor in ["soon", "5:nowhere"] {
        let words = server.refused("audit_decisions", json!({"cursor": cursor}));
        assert!(words.contains("expected as cursor"), "{words}");
    }
    let spent = server.ask("analyze_performance", json!({"session": "serv"}));
    assert_eq!(spent["session"], "service", "{spent}");
    assert_eq!(spent["time"]["model_ms"], 59 * 2_000, "{spent}");
    assert!(spent["complete"] == true && spent["days"][0]["day"].is_string(), "{spent}");
    let all = server.ask("analyze_performance", json!({}));
    assert!(all["session"].is_null() && all["sessions"] == 1, "{all}");
    server.end();
}

#[test]
fn what_makes_no_sense_is_refused_with_what_to_do() {
    let place = deep(40, "z");
    let mut server = Server::start(&place, &[]);
    for (tool, arguments, expected) in [
        ("get_event", json!({"id": "5f0c5f0c-0000"}), "search_events"),
        ("get_event", json!({"id": "no such id"}), "no event has the id"),
        ("get_event", json!({"id": ""}), "expected the id of an event"),
        ("get_event", json!({}), "missing field `id`"),
        ("get_event", json!({"id": 5}), "inputSchema"),
        ("get_event", json!({"id": id(0), "other": 1}), "unknown field"),
        ("get_event", json!({"id": id(0), "offset": 1_000_000}), "expected an offset up to"),
        ("get_parent_chain", json!({"id": "nowhere"}), "no event has the id"),
        ("get_child_events", json!({"id": id(0), "limit": 0}), "expected limit from 1 to 200"),
        ("session_tree", json!({"session": "other"}), "list_sessions"),
        ("smart_resume_context", json!({"session": "other"}), "list_sessions"),
        ("analyze_performance", json!({"session": "other"}), "list_sessions"),
        ("audit_decisions", json!({"session": "other"}), "list_sessions"),
        ("audit_decisions", json!({"kinds": ["odd"]}), "unknown variant"),
        ("search_events", json!({"text": "(", "regex": true}), "expected"),
        ("search_events", json!({"since": "soon"}), "since: expected"),
        ("list_sessions", json!({"status": "odd"}), "unknown variant"),
    ] {
        let words = server.refused(tool, arguments.clone());
        assert!(words.contains(expected), "{tool} {arguments}: {words}");
    }
    let reply = server.request("tools/call", json!({"name": "drop_table", "arguments": {}}));
    assert!(reply["error"]["message"].as_str().unwrap().contains("get_event"), "{reply}");
    server.end();
}

#[test]
fn garbage_does_not_end_it() {
    let place = Place::with_three_events();
    let mut server = Server::start(&place, &[]);
    for garbage in [
        "",
        "not JSON",
        "{\"jsonrpc\":",
        "[]",
        "\u{1}\u{2}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\"}",
        &"[".repeat(100_000),
        &format!("\"{}\"", "x".repeat(3 << 20)),
    ] {
        server.send(garbage);
    }
    let chain = server.ask("get_parent_chain", json!({"id": "failure"}));
    assert_eq!(ids(&chain).len(), 3);
    server.end();
}

#[test]
fn it_ends_with_its_client_and_says_nothing_but_messages() {
    let place = Place::with_three_events();
    // Closed before anything was asked.
    Server::spawn(&place, &[], false).end();
    let mut server = Server::start(&place, &[]);
    for number in 0..50_u64 {
        let message = json!({"jsonrpc": "2.0", "id": 1000 + number, "method": "tools/call",
            "params": {"name": "get_parent_chain", "arguments": {"id": "failure"}}});
        server.send(&message.to_string());
    }
    for number in 0..50 {
        let reply = server.reply(1000 + number);
        assert_eq!(ids(&reply["result"]["structuredContent"]).len(), 3);
    }
    server.end();
}
