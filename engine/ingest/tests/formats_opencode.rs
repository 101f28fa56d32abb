//! OpenCode's database and its older documents: the same events from both, once, while the
//! database is written to.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;

use forebear::ingest::{Follower, ImportReport, IngestOptions, Registry, import};
use forebear::readings::Payload;
use forebear::{Filter, SessionReads, Store, StoredEvent};
use rusqlite::{Connection, params};
use serde_json::{Value, json};

fn database(path: &Path) -> Connection {
    let database = Connection::open(path).unwrap();
    database
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             CREATE TABLE session (id TEXT PRIMARY KEY, parent_id TEXT, directory TEXT, title TEXT,
                 time_created INTEGER, time_updated INTEGER);
             CREATE TABLE message (id TEXT PRIMARY KEY, session_id TEXT, time_created INTEGER,
                 time_updated INTEGER, data TEXT);
             CREATE TABLE part (id TEXT PRIMARY KEY, message_id TEXT, session_id TEXT,
                 time_created INTEGER, time_updated INTEGER, data TEXT);
             CREATE TABLE account (token TEXT);",
        )
        .unwrap();
    database
}

fn add_session(database: &Connection, id: &str, parent: Option<&str>) {
    database
        .execute(
            "INSERT INTO session VALUES (?1, ?2, '/home/me/work', 'Talk', 1, 1)",
            params![id, parent],
        )
        .unwrap();
}

fn put(database: &Connection, session: &str, id: &str, time: i64, data: &Value) {
    database
        .execute(
            "INSERT INTO message VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET time_updated = ?4, data = ?5",
            params![id, session, time, now(), data.to_string()],
        )
        .unwrap();
}

fn put_part(database: &Connection, message: &str, id: &str, data: &Value) {
    database
        .execute(
            "INSERT INTO part VALUES (?1, ?2, 'ses_1', 1, ?3, ?4)
             ON CONFLICT (id) DO UPDATE SET time_updated = ?3, data = ?4",
            params![id, message, now(), data.to_string()],
        )
        .unwrap();
}

fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_millis()).unwrap()
}

fn user(time: i64) -> Value {
    json!({"role": "user", "time": {"created": time}})
}

fn answer(time: i64, completed: Option<i64>, output: u64) -> Value {
    let mut time = json!({"created": time});
    if let Some(completed) = completed {
        time["completed"] = json!(completed);
    }
    let tokens =
        json!({"input": 5, "output": output, "reasoning": 0, "cache": {"read": 2, "write": 1}});
    json!({"role": "assistant", "time": time, "parentID": "msg_1", "modelID": "m", "tokens": tokens})
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

#[test]
fn the_database_and_the_documents_are_the_same_events_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let database = database(&path);
    add_session(&database, "ses_1", None);
    put(&database, "ses_1", "msg_1", 1000, &user(1000));
    put_part(&database, "msg_1", "prt_1", &text("go"));
    put(&database, "ses_1", "msg_2", 2000, &answer(2000, Some(2500), 7));
    put_part(
        &database,
        "msg_2",
        "prt_2",
        &json!({"type": "tool", "callID": "c", "tool": "bash",
        "state": {"status": "completed", "input": {"command": "make"}, "output": "no", "metadata": {"exit": 2}}}),
    );
    put(&database, "ses_1", "msg_3", 3000, &answer(3000, Some(3500), 8));
    put_part(&database, "msg_3", "prt_3", &text("done"));
    // The write-ahead log isn't in the database yet, and the writer has it open.
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, folder.path(), false);
    assert_eq!((report.stored, report.read_as.len(), report.bad_lines), (4, 1, 0), "{report:?}");
    assert_eq!(imported(&store, folder.path(), true).stored, 0);
    let last = of_kind(&store, "assistant_message");
    assert_eq!(store.snapshot().depth(last[0].id().clone()).unwrap(), Some(3), "a chain");
    let session = store.snapshot().session("ses_1").unwrap().unwrap();
    let tokens = session.tokens;
    assert_eq!(
        (tokens.input, tokens.output, tokens.cache_read, tokens.cache_written),
        (10, 15, 4, 2)
    );

    let storage = folder.path().join("storage");
    let document = |place: &str, value: &Value| {
        let path = storage.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, serde_json::to_string_pretty(value).unwrap()).unwrap();
    };
    let row = |id: &str, data: Value| {
        let mut row = json!({"id": id, "sessionID": "ses_1"});
        row.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
        row
    };
    document("message/ses_1/msg_1.json", &row("msg_1", user(1000)));
    document("message/ses_1/msg_3.json", &row("msg_3", answer(3000, Some(3500), 8)));
    let mut part = row("prt_1", text("go"));
    part["messageID"] = json!("msg_1");
    document("part/msg_1/prt_1.json", &part);
    let mut part = row("prt_3", text("done"));
    part["messageID"] = json!("msg_3");
    document("part/msg_3/prt_3.json", &part);
    let report = imported(&store, &storage, true);
    assert_eq!((report.stored, report.versions, report.read_as.len()), (0, 0, 2), "{report:?}");
    assert_eq!(report.left_out_files, 0, "parts are read with their messages");
    // Both together, in a store of their own.
    let other = forebear::in_memory().unwrap();
    imported(&other, folder.path(), false);
    assert_eq!(ids(&other), ids(&store));
    let alone = forebear::in_memory().unwrap();
    imported(&alone, &storage.join("message/ses_1/msg_1.json"), false);
    assert_eq!(ids(&alone).len(), 1);
    assert!(ids(&store).contains(&ids(&alone)[0]));
}

#[test]
fn a_message_that_is_streamed_is_one_event_the_newest_state() {
    let folder = tempfile::tempdir().unwrap();
    let database = database(&folder.path().join("opencode.db"));
    add_session(&database, "ses_1", None);
    put(&database, "ses_1", "msg_1", 1000, &user(1000));
    put_part(&database, "msg_1", "prt_1", &text("go"));
    let store = forebear::in_memory().unwrap();
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    let mut poll = || while follower.poll_once().unwrap().more {};
    poll();
    for length in 1..4 {
        put(&database, "ses_1", "msg_2", 2000, &answer(2000, None, length));
        put_part(&database, "msg_2", "prt_2", &text(&"x".repeat(length as usize)));
        poll();
    }
    assert_eq!(payloads(&store, "assistant_message").len(), 1, "open, it is told once");
    put(&database, "ses_1", "msg_2", 2000, &answer(2000, Some(3000), 9));
    poll();
    let told = payloads(&store, "assistant_message");
    assert_eq!(told.len(), 1, "complete, it is one event still");
    assert!(told[0].contains("xxx") && told[0].contains("completed"));
    let tokens = store.snapshot().session("ses_1").unwrap().unwrap().tokens;
    assert_eq!(tokens.output, 9);

    // What is deleted stays; a follower that starts anew reads nothing again.
    let before = events(&store).len();
    database.execute("DELETE FROM message WHERE id = 'msg_1'", []).unwrap();
    poll();
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    assert_eq!(follower.poll_once().unwrap().events, 0);
    assert_eq!(events(&store).len(), before);
}

#[test]
fn a_database_that_is_replaced_is_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode-dev.db");
    let store = forebear::in_memory().unwrap();
    for (id, new) in [("msg_1", 2), ("msg_9", 1)] {
        for file in [path.clone(), folder.path().join("opencode-dev.db-wal")] {
            if let Ok(mut file) = fs::OpenOptions::new().write(true).open(&file) {
                // In place, as a copy over it does.
                std::io::Write::write_all(&mut file, b"").unwrap();
                file.set_len(0).unwrap();
            }
        }
        let database = database(&path);
        add_session(&database, "ses_1", None);
        put(&database, "ses_1", id, 5, &answer(5, Some(6), 1));
        drop(database);
        assert_eq!(imported(&store, folder.path(), false).stored, new);
    }
}

#[test]
fn a_minimal_table_a_task_s_session_and_a_database_of_another_tool() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let small = Connection::open(&path).unwrap();
    small
        .execute_batch(
            "CREATE TABLE message (id TEXT, session_id TEXT, data TEXT);
             INSERT INTO message VALUES ('msg_1', 'ses_1', '{}'), ('msg_2', 'ses_1', 'no object');",
        )
        .unwrap();
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &path, false);
    assert_eq!((report.stored, report.bad_lines, report.quarantined), (1, 1, 1));
    let report = imported(&store, &path, true);
    assert_eq!((report.stored, report.quarantined), (0, 0));

    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE message (a TEXT)").unwrap();
    let report = imported(&store, folder.path(), true);
    assert_eq!((report.read_as.len(), report.left_out.len()), (1, 1), "{report:?}");
    assert!(report.left_out[0].1.contains("no known tool"), "{report:?}");

    let path = folder.path().join("tasks.db");
    let tasks = database(&path);
    add_session(&tasks, "ses_1", None);
    add_session(&tasks, "ses_2", Some("ses_1"));
    put(&tasks, "ses_1", "msg_7", 1, &answer(1, Some(2), 1));
    put_part(
        &tasks,
        "msg_7",
        "prt_7",
        &json!({"type": "tool", "callID": "c", "tool": "task",
        "state": {"status": "completed", "input": {"prompt": "look"}, "output": "x", "metadata": {"sessionId": "ses_2"}}}),
    );
    put(
        &tasks,
        "ses_2",
        "msg_8",
        2,
        &json!({"role": "assistant", "time": {"created": 2},
        "error": {"name": "APIError", "data": {"message": "broke"}}}),
    );
    let store = forebear::in_memory().unwrap();
    imported(&store, &path, false);
    let error = of_kind(&store, "error").remove(0);
    let snapshot = store.snapshot();
    let chain: Vec<_> =
        snapshot.chain(error.id().clone()).unwrap().unwrap().map(Result::unwrap).collect();
    assert!(chain.iter().any(|event| event.kind() == "tool_use"), "over the task that started it");
    assert_eq!(snapshot.session("ses_2").unwrap().unwrap().parent.as_deref(), Some("ses_1"));
    let reader = Registry::default().find("opencode").unwrap().payloads().unwrap();
    let reading = reader.read(&Payload::of_stored(&error));
    assert_eq!(reading.error.unwrap().decode(), "broke");
}

#[test]
fn rows_bear_the_labels_that_events_of_files_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let database = database(&path);
    add_session(&database, "ses_1", None);
    put(&database, "ses_1", "msg_1", 1000, &user(1000));
    put_part(&database, "msg_1", "prt_1", &text("go on"));
    for (n, exit) in [(2, 2), (3, 0)] {
        let message = format!("msg_{n}");
        put(&database, "ses_1", &message, n * 1000, &answer(n * 1000, Some(n * 1000 + 500), 7));
        put_part(
            &database,
            &message,
            &format!("prt_{n}"),
            &json!({"type": "tool", "callID": format!("c{n}"), "tool": "bash",
                "state": {"status": "completed", "input": {"command": "make"}, "output": "x", "metadata": {"exit": exit}}}),
        );
    }
    let store = forebear::in_memory().unwrap();
    imported(&store, &path, false);
    let snapshot = store.snapshot();
    let count = |filter: Filter| snapshot.events(filter).page().unwrap().items.len();
    assert_eq!(count(Filter::new().label("tool", "bash")), 2);
    assert_eq!(count(Filter::new().label("tool", "bash").errors()), 1);
    assert_eq!(count(Filter::new().label("role", "user")), 1);
    let failed = snapshot.events(Filter::new().errors()).page().unwrap().items.remove(0);
    for (key, value) in
        [("tool_use_id", "c2"), ("target", "make"), ("exit_code", "2"), ("is_error", "true")]
    {
        assert_eq!(failed.label(key), Some(value), "{key}");
    }
    let titled = Filter::new().label("title", "go on").label("title_by", "request");
    assert_eq!(count(titled), 1);
}

#[test]
fn a_bad_row_costs_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let database = database(&path);
    add_session(&database, "ses_1", None);
    put(&database, "ses_1", "msg_1", 1000, &answer(1000, Some(2000), 1));
    put(&database, "ses_1", "msg_4", 4000, &answer(4000, Some(5000), 1));
    put_part(&database, "msg_4", "prt_4", &text("fine"));
    database
        .execute_batch(
            "INSERT INTO message VALUES (NULL, 'ses_1', 1, 1, '{}'),
                 ('msg_2', 'ses_1', 'yesterday', 'today', '{}'),
                 (CAST(x'6d73675fff' AS TEXT), 'ses_1', 2, 2, '{}');
             INSERT INTO session VALUES (NULL, NULL, NULL, NULL, 1, 1),
                 ('ses_9', NULL, NULL, NULL, 'then', 'now');
             INSERT INTO part VALUES ('prt_1', 'msg_1', 'ses_1', 1, 'soon', '{}');",
        )
        .unwrap();
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &path, false);
    assert_eq!(of_kind(&store, "assistant_message").len(), 1, "of the three that are answers");
    assert_eq!((report.stored, report.bad_lines), (2, 6), "{report:?}");
    let report = imported(&store, &path, true);
    assert_eq!((report.stored, report.quarantined), (0, 0));
}

#[test]
fn many_open_messages_are_remembered_as_far_as_a_checkpoint_holds_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let database = database(&path);
    add_session(&database, "ses_1", None);
    let name = |n: i64| format!("msg_{}{n:04}", "x".repeat(40));
    for n in 0..400 {
        put(&database, "ses_1", &name(n), 1000 + n, &answer(1000 + n, None, 1));
    }
    put(&database, "ses_1", &"y".repeat(9000), 9000, &answer(9000, None, 1));
    let store = forebear::in_memory().unwrap();
    let mut follower = Follower::new(&store, IngestOptions::new([folder.path()])).unwrap();
    while follower.poll_once().unwrap().more {}
    assert_eq!(follower.status().failing, []);
    let told = || {
        let stored = events(&store).len();
        (stored, store.snapshot().stats().unwrap().versions)
    };
    assert_eq!(told(), (402, 0));
    // The first and the last of them are complete: both are told, each once.
    for n in [0, 399] {
        put(&database, "ses_1", &name(n), 1000 + n, &answer(1000 + n, Some(2000), 5));
    }
    while follower.poll_once().unwrap().more {}
    assert_eq!(events(&store).len(), 402);
    let tokens = store.snapshot().session("ses_1").unwrap().unwrap().tokens;
    assert_eq!(tokens.output, 401 + 2 * 4);
}

#[test]
fn a_row_that_was_committed_late_is_not_missed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("opencode.db");
    let database = database(&path);
    add_session(&database, "ses_1", None);
    put(&database, "ses_1", "msg_1", 1000, &answer(1000, Some(2000), 1));
    let store = forebear::in_memory().unwrap();
    imported(&store, &path, false);
    // Changed 4 s before the newest row that was read, and seen only now.
    put(&database, "ses_1", "msg_0", 500, &answer(500, Some(600), 1));
    database
        .execute("UPDATE message SET time_updated = time_updated - 4000 WHERE id = 'msg_0'", [])
        .unwrap();
    assert_eq!(imported(&store, &path, false).stored, 1);
    assert_eq!(of_kind(&store, "assistant_message").len(), 2);
}

#[test]
fn an_id_that_leads_out_of_the_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    fs::create_dir_all(&secret).unwrap();
    fs::write(secret.join("key.json"), r#"{"type":"text","text":"s3cret"}"#).unwrap();
    let messages = folder.path().join("storage/message/ses_1");
    fs::create_dir_all(&messages).unwrap();
    fs::create_dir_all(folder.path().join("storage/part")).unwrap();
    for (name, id, session) in [
        ("msg_1.json", "msg_/../../../secret", "ses_1"),
        ("msg_2.json", "msg_2", "../../secret/ses"),
        ("msg_3.json", "msg_3", "ses_1"),
    ] {
        let message = json!({"id": id, "sessionID": session, "role": "user"});
        fs::write(messages.join(name), message.to_string()).unwrap();
    }
    let store = forebear::in_memory().unwrap();
    let options = IngestOptions::new([folder.path().join("storage")]);
    let report = import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.failed_files.len(), report.stored), (2, 1), "{report:?}");
    assert!(report.failed_files.iter().all(|(_, why)| why.contains("letters, digits")));
}

fn imported(store: &Store, path: &Path, again: bool) -> ImportReport {
    let options = IngestOptions::new([path]).again(again);
    let report = import(store, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(report.failed_files, []);
    report
}

fn of_kind(store: &Store, kind: &str) -> Vec<StoredEvent> {
    events(store).into_iter().filter(|event| event.kind() == kind).collect()
}

fn payloads(store: &Store, kind: &str) -> Vec<String> {
    let events = of_kind(store, kind);
    let text = |event: &StoredEvent| String::from_utf8(event.payload().unwrap().to_vec()).unwrap();
    events.iter().map(text).collect()
}

fn ids(store: &Store) -> Vec<String> {
    let mut ids: Vec<_> = events(store).iter().map(|event| event.id().to_string()).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

fn events(store: &Store) -> Vec<StoredEvent> {
    let snapshot = store.snapshot();
    let mut events: Vec<_> =
        snapshot.events(Filter::new()).into_iter().map(Result::unwrap).collect();
    events.sort_by_key(StoredEvent::seq);
    events
}
