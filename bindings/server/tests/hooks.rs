//! What the sender and the page of the multi-agent observability server ask.

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};
use support::{Place, each};

fn post(place: &Place, call: &Value) -> support::Reply {
    let path = format!("/t/{}/events", place.token);
    let lines = ["Content-Type: application/json", "User-Agent: Claude-Code-Hook/1.0"];
    place.ask("POST", &path, &lines, call.to_string().as_bytes())
}

fn call(hook: &str, payload: &Value, timestamp: u64) -> Value {
    json!({"source_app": "shop", "session_id": "s1", "hook_event_type": hook, "payload": payload,
        "timestamp": timestamp, "model_name": "opus", "summary": "in short", "chat": [1, 2]})
}

fn recent(place: &Place) -> Value {
    let path = format!("/t/{}/events/recent?limit=10", place.token);
    let lines = ["Origin: http://localhost:5173"];
    let reply = place.ask("GET", &path, &lines, b"");
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:5173"));
    reply.json()
}

#[test]
fn a_failed_tool_leads_to_the_prompt() {
    let place = Place::new();
    let tool = |more: &Value| {
        let mut payload = json!({"session_id": "s1", "tool_name": "Bash", "tool_use_id": "t1"});
        payload.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
        payload
    };
    let prompt = call("UserPromptSubmit", &json!({"prompt": "go"}), 1_772_366_400_000);
    let before =
        call("PreToolUse", &tool(&json!({"tool_input": {"command": "make"}})), 1_772_366_401_000);
    let failed =
        call("PostToolUseFailure", &tool(&json!({"error": "it broke"})), 1_772_366_402_000);
    for (number, sent) in [&prompt, &before, &failed].into_iter().enumerate() {
        let reply = post(&place, sent);
        assert_eq!(reply.status, 200, "{reply:?}");
        let told = reply.json();
        assert_eq!(told["id"], number as u64 + 1);
        for key in ["source_app", "session_id", "hook_event_type", "timestamp", "summary"] {
            assert_eq!(told[key], sent[key], "{key}");
        }
        assert!(told.get("chat").is_none());
    }
    // The same again is the same.
    assert_eq!(post(&place, &before).json()["id"], 2);

    let failure = &place.json("/api/events?kind=PostToolUseFailure")["items"][0];
    let id = failure["id"].as_str().expect("an id");
    assert_eq!(failure["labels"]["is_error"], "true");
    let chain = place.json(&format!("/api/events/{id}/chain"));
    assert_eq!(each(&chain, "kind"), ["PostToolUseFailure", "PreToolUse", "UserPromptSubmit"]);
    assert_eq!(place.json("/api/sessions/s1")["source_app"], "shop");

    let recent = recent(&place);
    let kinds: Vec<_> =
        recent.as_array().expect("an array").iter().map(|e| &e["hook_event_type"]).collect();
    assert_eq!(kinds, ["UserPromptSubmit", "PreToolUse", "PostToolUseFailure"]);
    assert_eq!(recent[1]["payload"]["tool_input"]["command"], "make");
    assert_eq!(recent[1]["model_name"], "opus");
    let path = format!("/t/{}/events/filter-options", place.token);
    let options = place.ask("GET", &path, &[], b"").json();
    assert_eq!(
        options,
        json!({"source_apps": ["shop"], "session_ids": ["s1"],
        "hook_event_types": ["PostToolUseFailure", "PreToolUse", "UserPromptSubmit"]})
    );
}

#[test]
fn what_is_missing_is_said_as_that_server_says_it() {
    let place = Place::new();
    for key in ["source_app", "session_id", "hook_event_type", "payload"] {
        let mut sent = call("Stop", &json!({}), 1);
        sent.as_object_mut().expect("an object").remove(key);
        let reply = post(&place, &sent);
        assert_eq!(reply.json(), json!({"error": "Missing required fields"}), "{key}");
        assert_eq!(reply.status, 400);
    }
    let path = format!("/t/{}/events", place.token);
    let reply = place.ask("POST", &path, &[], b"no JSON");
    assert_eq!((reply.status, reply.json()), (400, json!({"error": "Invalid request"})));
    let path = format!("/t/{}/events/77/respond", place.token);
    let reply = place.ask("POST", &path, &[], b"{}");
    assert_eq!((reply.status, reply.json()), (404, json!({"error": "Event not found"})));
    let reply = place.ask("GET", &format!("/t/{}/", place.token), &[], b"");
    assert_eq!((reply.status, reply.text()), (200, "Multi-Agent Observability Server".to_owned()));
}

#[test]
fn the_stream_tells_of_each_call_as_it_comes() {
    let place = Place::new();
    post(&place, &call("SessionStart", &json!({}), 1000));
    let mut socket = open_socket(&place, "stream");
    let initial = read_message(&mut socket);
    assert_eq!(
        (&initial["type"], &initial["data"][0]["hook_event_type"]),
        (&json!("initial"), &json!("SessionStart"))
    );
    post(&place, &call("UserPromptSubmit", &json!({"prompt": "go"}), 2000));
    let event = read_message(&mut socket);
    assert_eq!((&event["type"], &event["data"]["id"]), (&json!("event"), &json!(2)));

    // A question, its answer, and the agent that waits for it.
    let agent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = agent.local_addr().expect("an address").port();
    let mut asked = call("HumanInTheLoop", &json!({}), 3000);
    asked["humanInTheLoop"] = json!({"question": "may I?", "type": "permission",
        "responseWebSocketUrl": format!("ws://localhost:{port}")});
    let told = post(&place, &asked).json();
    assert_eq!(told["humanInTheLoopStatus"], json!({"status": "pending"}));
    assert_eq!(read_message(&mut socket)["data"]["humanInTheLoop"]["question"], "may I?");
    let waits = thread::spawn(move || {
        let (mut stream, _) = agent.accept().expect("the answer comes");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("a head");
            head.push(byte[0]);
        }
        stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\n\r\n").expect("it is read");
        read_message(&mut stream)
    });
    let path = format!("/t/{}/events/{}/respond", place.token, told["id"]);
    let reply = place.ask("POST", &path, &[], br#"{"permission":true}"#);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["humanInTheLoopStatus"]["status"], "responded");
    assert_eq!(waits.join().expect("an answer")["permission"], true);
    let event = read_message(&mut socket);
    assert_eq!(event["data"]["humanInTheLoopStatus"]["response"]["permission"], true);
    let newest = recent(&place);
    assert_eq!(newest.as_array().map(Vec::len), Some(3));
    assert_eq!(newest[2]["humanInTheLoopStatus"]["status"], "responded");
}

#[test]
fn an_answer_goes_to_this_machine_alone() {
    let place = Place::new();
    for socket in ["ws://10.0.0.1:1/", "ws://evil.com/", "http://localhost:1/", "file:///etc", "x"]
    {
        let mut asked = call("HumanInTheLoop", &json!({"for": socket}), 3000);
        asked["humanInTheLoop"] = json!({"question": "?", "responseWebSocketUrl": socket});
        let told = post(&place, &asked).json();
        let path = format!("/t/{}/events/{}/respond", place.token, told["id"]);
        let begun = std::time::Instant::now();
        assert_eq!(place.ask("POST", &path, &[], b"{}").status, 200, "it is stored");
        assert!(begun.elapsed().as_secs() < 4, "{socket}: nothing is connected to");
    }
}

fn open_socket(place: &Place, path: &str) -> TcpStream {
    let mut stream = place.connect();
    let (token, host) = (&place.token, place.address);
    write!(
        stream,
        "GET /t/{token}/{path} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://localhost:5173\r\n\
         Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    .expect("it is sent");
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).expect("a head");
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("text");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert!(head.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    stream
}

/// The next text, in one frame, masked or not.
fn read_message(stream: &mut TcpStream) -> Value {
    let mut head = [0; 2];
    stream.read_exact(&mut head).expect("a frame");
    assert_eq!(head[0], 0x81, "a whole text");
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            stream.read_exact(&mut length).expect("a length");
            usize::from(u16::from_be_bytes(length))
        }
        127 => {
            let mut length = [0; 8];
            stream.read_exact(&mut length).expect("a length");
            usize::try_from(u64::from_be_bytes(length)).expect("a length")
        }
        short => usize::from(short),
    };
    let mut mask = [0; 4];
    if head[1] & 0x80 != 0 {
        stream.read_exact(&mut mask).expect("a mask");
    }
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).expect("a text");
    let unmasked = bytes.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask);
    serde_json::from_slice(&unmasked.collect::<Vec<_>>()).expect("JSON")
}
