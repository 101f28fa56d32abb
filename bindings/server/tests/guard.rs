//! Who gets in, and what those who don't can do.

mod support;

use std::fs;
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use support::{Place, read_reply};

#[test]
fn nobody_gets_in_without_the_token() {
    let place = Place::with_three_events();
    let (token, wrong) = (&place.token, "0".repeat(64));
    let cookie = cookie_of(&place);
    for lines in [
        vec![],
        vec![format!("Authorization: Bearer {wrong}")],
        vec![format!("Authorization: Basic {token}")],
        vec![format!("Authorization: {token}")],
        vec!["Authorization: Bearer".to_owned()],
        vec![format!("Cookie: {}", cookie.replace('=', "=0"))],
        vec![format!("Cookie: forebear_{}={token}", place.address.port())],
        vec![format!("Authorization: Bearer {wrong}"), format!("Cookie: {cookie}")],
        vec![format!("Authorization: Bearer {}", cookie.split_once('=').expect("a pair").1)],
    ] {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        for path in ["/api/events", "/api/events/ask/payload", "/api/stream", "/metrics", "/no"] {
            let reply = place.ask("GET", path, &lines, b"");
            assert_eq!(reply.status, 401, "{lines:?} {path}: {reply:?}");
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
            assert!(!reply.text().contains("why?"));
        }
        let reply = place.ask("POST", "/api/events", &lines, br#"{"kind":"a","id":"x"}"#);
        assert_eq!(reply.status, 401);
    }
    for path in [format!("/t/{wrong}/events"), "/t//events".to_owned(), "/t/".to_owned()] {
        assert_eq!(place.ask("POST", &path, &[], b"{}").status, 401, "{path}");
    }
    // The token before the path opens nothing but hooks and exporters.
    for path in ["/api/events", "/metrics", "/mcp", "/login", "/api/stream"] {
        let reply = place.ask("GET", &format!("/t/{token}{path}"), &[], b"");
        assert_eq!(reply.status, 404, "{path}: {reply:?}");
    }
    assert_eq!(place.get("/api/events/x").status, 404);
}

#[test]
fn health_needs_no_token_and_says_nothing() {
    let mut place = Place::new();
    let reply = place.ask("GET", "/health", &[], b"");
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    let reply = place.ask("GET", "/", &[], b"");
    assert_eq!(
        (reply.status, reply.header("content-type")),
        (200, Some("text/html; charset=utf-8"))
    );
    place.stop();
}

#[test]
fn foreign_names_and_pages_are_sent_away() {
    let place = Place::with_three_events();
    let (bearer, port) = (place.bearer(), place.address.port());
    let host = |host: &str| {
        let host = format!("Host: {host}");
        place.send("GET", "/api/events", &[&host, &bearer, "Connection: close"], b"").status
    };
    for name in ["127.0.0.1", "localhost", "[::1]", "LOCALHOST"] {
        assert_eq!(host(&format!("{name}:{port}")), 200, "{name}");
    }
    for name in ["evil.com", "evil.com:80", "127.0.0.1.evil.com", "localhost:1", "localhost", ""] {
        assert_eq!(host(name), 403, "{name}");
    }
    let lines = ["Connection: close", &bearer];
    assert_eq!(place.send("GET", "/api/events", &lines, b"").status, 400, "no Host");
    let ours = format!("Host: 127.0.0.1:{port}");
    let lines = [&*ours, "Host: evil.com", &bearer, "Connection: close"];
    assert_eq!(place.send("GET", "/api/events", &lines, b"").status, 400, "two of them");
    let lines = [&*ours, &bearer, "Connection: close"];
    assert_eq!(place.send("GET", "http://evil.com/api/events", &lines, b"").status, 400);

    for origin in ["http://evil.com", "null", "http://localhost:5173", "https://127.0.0.1", ""] {
        let origin = format!("Origin: {origin}");
        for (path, lines) in [("/api/events", vec![&*bearer, &origin]), ("/health", vec![&origin])]
        {
            let reply = place.ask("GET", path, &lines, b"");
            assert_eq!(reply.status, 403, "{origin} {path}");
            assert!(reply.header("access-control-allow-origin").is_none());
        }
    }
    let own = format!("Origin: http://127.0.0.1:{port}");
    assert_eq!(place.ask("GET", "/api/events", &[&bearer, &own], b"").status, 200);
    let prefixed = format!("/t/{}/events", place.token);
    let reply = place.ask("POST", &prefixed, &["Origin: http://evil.com"], b"{}");
    assert_eq!(reply.status, 403);
    let reply = place.ask("OPTIONS", &prefixed, &["Origin: http://localhost:5173"], b"");
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), Some("http://localhost:5173"));
}

#[test]
fn a_proxys_name_is_answered_to_where_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = Place::in_folder(folder, |options| options.host("events.example.org"));
    let lines = ["Host: events.example.org", &place.bearer(), "Connection: close"];
    assert_eq!(place.send("GET", "/api/events", &lines, b"").status, 200);
    let lines = [lines[0], lines[1], lines[2], "Origin: https://events.example.org"];
    assert_eq!(place.send("GET", "/api/events", &lines, b"").status, 200);
}

#[test]
fn the_cookie_is_our_own_pages_alone() {
    let place = Place::with_three_events();
    let cookie = format!("Cookie: a=b; {}", cookie_of(&place));
    let own = format!("Origin: http://{}", place.address);
    let event = br#"{"kind":"note"}"#;
    assert_eq!(place.ask("GET", "/api/events", &[&cookie], b"").status, 200);
    assert_eq!(place.ask("POST", "/api/events", &[&cookie, &own], event).status, 201);
    // A form of another page sends cookies, and either no Origin or its own.
    assert_eq!(place.ask("POST", "/api/events", &[&cookie], event).status, 403);
    let lines = [&*cookie, "Origin: http://localhost:3000"];
    assert_eq!(place.ask("POST", "/api/events", &lines, event).status, 403);
    for (site, status) in
        [("same-origin", 200), ("none", 200), ("same-site", 403), ("cross-site", 403)]
    {
        let site = format!("Sec-Fetch-Site: {site}");
        assert_eq!(place.ask("GET", "/api/events", &[&cookie, &site], b"").status, status);
    }
    let reply = place.ask("POST", "/login", &[], b"wrong");
    assert!(reply.status == 401 && reply.header("set-cookie").is_none());
    let lines = ["Origin: http://evil.com"];
    assert_eq!(place.ask("POST", "/login", &lines, place.token.as_bytes()).status, 403);
}

#[test]
fn the_token_outlives_the_server() {
    let mut place = Place::new();
    let (token, file) = (place.token.clone(), place.store().join("serve-token"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    assert_eq!(fs::read_to_string(&file).expect("it is there").trim(), token);
    place.stop();
    let next = Place::in_folder(place.folder, |options| options);
    assert_eq!(next.token, token);
    let folder = tempfile::tempdir().expect("a folder");
    let other = folder.path().join("elsewhere");
    let third = Place::in_folder(folder, |options| options.token_file(&other));
    assert!(other.exists() && !third.store().join("serve-token").exists());
    assert!(third.token != token);
}

#[test]
fn every_reply_is_protected() {
    let place = Place::new();
    for (path, lines) in
        [("/", vec![]), ("/api/events", vec![]), ("/api/events", vec![place.bearer()])]
    {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let reply = place.ask("GET", path, &lines, b"");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            // The page is asked for again each time, and kept as long as it is the same.
            ("cache-control", if path == "/" { "no-cache" } else { "no-store" }),
        ] {
            assert_eq!(reply.header(name), Some(value), "{path}: {name}");
        }
        let policy = reply.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'self'; object-src 'none'"), "{policy}");
    }
}

#[test]
fn a_body_without_end_is_cut_off() {
    let place = Place::new();
    let told = format!("Content-Length: {}", 1_u64 << 40);
    let host = format!("Host: {}", place.address);
    let reply = place.send("POST", "/api/events", &[&host, &place.bearer(), &told], b"[");
    assert_eq!(reply.status, 413, "{reply:?}");

    let mut stream = place.connect();
    let (host, bearer) = (place.address, place.bearer());
    let chunked = "Transfer-Encoding: chunked";
    write!(stream, "POST /api/events HTTP/1.1\r\nHost: {host}\r\n{bearer}\r\n{chunked}\r\n\r\n")
        .expect("it is sent");
    let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
    let mut sent = 0;
    while sent < 200 && stream.write_all(&chunk).is_ok() {
        sent += 1;
    }
    assert!(sent < 200, "it goes on reading");
    // Without a token nothing of a body is read.
    let reply = place.ask("POST", "/api/events", &[], &vec![b' '; 8 << 20]);
    assert!(reply.status == 401 || reply.status == 0, "{reply:?}");
    assert_eq!(place.get("/api/events").status, 200);
}

#[test]
fn a_head_without_end_is_cut_off() {
    let place = Place::new();
    let mut stream = place.connect();
    stream.write_all(b"GET / HTTP/1.1\r\n").expect("it is sent");
    let mut sent = 0;
    while sent < 1000 && stream.write_all(format!("X-{sent}: {:01000}\r\n", 0).as_bytes()).is_ok() {
        sent += 1;
    }
    let reply = read_reply(stream);
    assert!(sent < 1000 || reply.status == 431, "{reply:?}");
    assert_eq!(place.ask("GET", "/health", &[], b"").status, 200);
}

#[test]
fn connections_beyond_the_limit_are_sent_away_and_old_ones_live_on() {
    let place = Place::new();
    let mut old = place.connect();
    let ask = format!("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", place.address);
    let mut answer = move || {
        old.write_all(ask.as_bytes()).expect("it lives on");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            old.read_exact(&mut byte).expect("an answer");
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 200"));
    };
    answer();
    let idle: Vec<_> = (0..255).map(|_| place.connect()).collect();
    let begun = Instant::now();
    let reply = loop {
        let reply = read_reply(place.connect());
        if reply.status == 503 || begun.elapsed() > Duration::from_secs(10) {
            break reply;
        }
    };
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")), "{reply:?}");
    answer();
    drop(idle);
    let again = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        place.ask("GET", "/health", &[], b"").status == 200
    });
    assert!(again, "connections that ended leave their room to others");
}

/// The page's cookie, as a browser sends it.
fn cookie_of(place: &Place) -> String {
    let own = format!("Origin: http://{}", place.address);
    let reply = place.ask("POST", "/login", &[&own], place.token.as_bytes());
    assert_eq!(reply.status, 204, "{reply:?}");
    let cookie = reply.header("set-cookie").expect("a cookie");
    for word in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(word), "{cookie}");
    }
    cookie.split(';').next().expect("a pair").to_owned()
}
