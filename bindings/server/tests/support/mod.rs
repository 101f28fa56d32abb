//! A server on a store of its own, and a plain HTTP client.

#![allow(dead_code)] // each test file uses its share

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use forebear_server::{HttpOptions, HttpServer};
use serde_json::Value;

/// A server on a store of its own.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) server: Option<HttpServer>,
    pub(crate) token: String,
    pub(crate) address: SocketAddr,
}

/// A reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self::in_folder(tempfile::tempdir().expect("a folder"), |options| options)
    }

    pub(crate) fn in_folder(
        folder: tempfile::TempDir,
        change: impl FnOnce(HttpOptions) -> HttpOptions,
    ) -> Self {
        let options = change(HttpOptions::new(folder.path().join("events.forebear")));
        let server = HttpServer::start(&options).expect("it starts");
        let (token, address) = (server.token().to_owned(), server.address());
        Self { folder, server: Some(server), token, address }
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("events.forebear")
    }

    /// Three events: a request, a call it caused, and the call's failure.
    pub(crate) fn with_three_events() -> Self {
        let place = Self::new();
        let reply = place.post(
            "/api/events",
            concat!(
                r#"{"kind":"user_message","id":"ask","time":1,"session":"s1","payload":{"text":"why?"}}"#,
                "\n",
                r#"{"kind":"tool_use","id":"call","parent":"ask","time":2,"session":"s1","labels":{"tool":"Bash"},"payload":{"command":"make"}}"#,
                "\n",
                r#"{"kind":"error","id":"failure","parent":"call","link":"spawned","time":3,"session":"s1","payload":"it broke"}"#,
            ),
        );
        assert_eq!(reply.status, 200, "{reply:?}");
        place
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.ask("GET", path, &[&self.bearer()], b"")
    }

    /// The JSON of a path, which is there.
    pub(crate) fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        reply.json()
    }

    pub(crate) fn post(&self, path: &str, body: impl AsRef<[u8]>) -> Reply {
        self.ask("POST", path, &[&self.bearer()], body.as_ref())
    }

    pub(crate) fn bearer(&self) -> String {
        format!("Authorization: Bearer {}", self.token)
    }

    /// Asks with these lines in the head beside `Host`, `Connection` and the body's length.
    pub(crate) fn ask(&self, method: &str, path: &str, lines: &[&str], body: &[u8]) -> Reply {
        let host = format!("Host: {}", self.address);
        let length = format!("Content-Length: {}", body.len());
        let own: [&str; 3] = [&host, "Connection: close", &length];
        self.send(method, path, &[&own[..], lines].concat(), body)
    }

    /// Asks with these lines in the head and no others.
    pub(crate) fn send(&self, method: &str, path: &str, lines: &[&str], body: &[u8]) -> Reply {
        let mut stream = self.connect();
        let head = format!("{method} {path} HTTP/1.1\r\n{}\r\n\r\n", lines.join("\r\n"));
        stream.write_all(head.as_bytes()).expect("it is sent");
        // The server may answer before it has all of it.
        let _ = stream.write_all(body);
        read_reply(stream)
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_mins(1))).expect("it can be set");
        stream
    }

    /// Opens a stream of events and passes over its head.
    pub(crate) fn stream(&self, path: &str, lines: &[&str]) -> BufReader<TcpStream> {
        let mut stream = self.connect();
        let more = [lines, &[""]].concat().join("\r\n");
        let (host, bearer) = (self.address, self.bearer());
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n{more}\r\n")
            .expect("it is sent");
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).expect("a line") > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_lowercase().contains("text/event-stream"), "{head}");
        reader
    }

    pub(crate) fn stop(&mut self) {
        self.server.take().expect("it runs").stop().expect("it closes");
    }
}

/// The next event of a stream: its type, its id and its data.
pub(crate) fn next_event(stream: &mut impl BufRead) -> Option<(String, String, Value)> {
    let (mut kind, mut id, mut data) = (String::new(), String::new(), String::new());
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        // The sizes of chunks are digits alone.
        let line = line.trim_end();
        if let Some(word) = line.strip_prefix("event: ") {
            word.clone_into(&mut kind);
        } else if let Some(number) = line.strip_prefix("id: ") {
            number.clone_into(&mut id);
        } else if let Some(json) = line.strip_prefix("data: ") {
            data.push_str(json);
        } else if line.is_empty() && !data.is_empty() {
            return Some((kind, id, serde_json::from_str(&data).expect("JSON")));
        }
    }
}

pub(crate) fn read_reply(mut stream: TcpStream) -> Reply {
    let mut bytes = Vec::new();
    // One that was sent away may be cut off.
    let _ = stream.read_to_end(&mut bytes);
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(bytes.len());
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let body = bytes.get(end + 4..).unwrap_or_default();
    let is_chunked = head.to_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { without_chunks(body) } else { body.to_vec() };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head, body }
}

fn without_chunks(mut body: &[u8]) -> Vec<u8> {
    let mut whole = Vec::new();
    while let Some(end) = body.windows(2).position(|two| two == b"\r\n") {
        let length = str::from_utf8(&body[..end]).expect("a number");
        let length = usize::from_str_radix(length, 16).expect("a number");
        if length == 0 {
            break;
        }
        whole.extend_from_slice(&body[end + 2..end + 2 + length]);
        body = &body[end + 4 + length..];
    }
    whole
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {self:?}, {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The values of a key in the items of a page.
pub(crate) fn each<'v>(page: &'v Value, key: &str) -> Vec<&'v str> {
    let items = page["items"].as_array().expect("items");
    items.iter().filter_map(|item| item[key].as_str()).collect()
}
