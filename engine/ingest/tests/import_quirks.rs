//! What a transcript may look like and still come in: nothing on it makes an
//! import fail, and what is not an event is kept in the quarantine.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;

use forebear::ingest::{ImportReport, IngestOptions, import};
use forebear::{EventId, Filter, Quarantined, Snapshot, Stats, Store, StoredEvent, limits};

#[test]
fn the_last_line_needs_no_line_feed() {
    let found = imported(b"{\"uuid\":\"a\"}\n{\"uuid\":\"b\",\"parentUuid\":\"a\"}");
    assert_eq!((found.report.events, found.report.lines, found.report.bad_lines), (2, 2, 0));
    assert_eq!(found.snapshot.root("b").unwrap(), Some(EventId::from("a")));
}

#[test]
fn carriage_returns_blank_lines_and_byte_order_marks_are_no_content() {
    let found = imported(b"\xef\xbb\xbf{\"uuid\":\"a\"}\r\n\r\n   \r\n\t{\"uuid\":\"b\"} \r\n\n");
    assert_eq!((found.report.events, found.report.lines, found.report.bad_lines), (2, 2, 0));
    assert_eq!(found.payload("a"), b"{\"uuid\":\"a\"}");
    assert_eq!(found.payload("b"), b"{\"uuid\":\"b\"}");
    // Where the lines were turned round, the mark stands at the beginning of another.
    let found = imported(b"{\"uuid\":\"a\"}\n\xef\xbb\xbf{\"uuid\":\"b\"}");
    assert_eq!((found.report.events, found.report.bad_lines), (2, 0));
}

#[test]
fn objects_around_runs_of_nul_come_in() {
    let mut file = b"{\"uuid\":\"a\"}\n".to_vec();
    file.extend([0; 5000]);
    file.extend(b"\n");
    file.extend([0; 3000]);
    file.extend(b"{\"uuid\":\"b\"}\n{\"uuid\":\"c\",\"cut\":\"o");
    file.extend([0; 10]);
    file.extend(b"{\"uuid\":\"d\"}");
    let found = imported(&file);
    assert_eq!((found.report.events, found.report.lines, found.report.bad_lines), (3, 4, 3));
    assert_eq!(found.places(), [(2, 13, 5000), (3, 5014, 3000), (4, 8027, 30)]);
}

#[test]
fn lone_surrogates_do_not_spoil_a_line() {
    let line = br#"{"uuid":"a","type":"user","message":{"content":"\ud800 \udc00x"},"gitBranch":"b\ud83d","\ud800":1}"#;
    let found = imported(line);
    assert_eq!((found.report.events, found.report.bad_lines), (1, 0));
    assert_eq!(found.payload("a"), line);
    let event = found.snapshot.get("a").unwrap().unwrap();
    assert_eq!(event.label("branch"), Some("b\u{fffd}"));
}

#[test]
fn ids_that_differ_in_a_lone_surrogate_are_two() {
    let found = imported(
        b"{\"uuid\":\"a\\ud800\"}\n{\"uuid\":\"a\\ud801\"}\n{\"uuid\":\"b\",\"parentUuid\":\"a\\uD801\"}",
    );
    assert_eq!((found.report.events, found.report.versions), (3, 0));
    assert_eq!(found.snapshot.root("b").unwrap(), Some(EventId::from("a\\ud801")));
}

#[test]
fn of_equal_keys_the_last_counts() {
    let found = imported(
        br#"{"uuid":"a","parentUuid":"p","type":"user","uuid":"b","parentUuid":"q","type":"x"}"#,
    );
    let event = found.snapshot.get("b").unwrap().unwrap();
    assert_eq!(event.parent(), Some(&EventId::from("q")));
    assert_eq!(event.kind(), "x");
    assert!(!found.snapshot.contains("a").unwrap());
}

#[test]
fn unknown_types_and_unexpected_values_come_in() {
    let found = imported(
        br#"{"uuid":"a","type":"brand-new","future":{"x":[1]},"message":7,"toolUseResult":"text","snapshot":[]}
{"uuid":"b","type":{},"sessionId":5,"timestamp":12,"isSidechain":"yes","data":null}
{"uuid":7,"type":"odd"}
{}
"#,
    );
    assert_eq!((found.report.events, found.report.without_id, found.report.bad_lines), (2, 2, 0));
    assert_eq!(found.snapshot.get("a").unwrap().unwrap().kind(), "brand-new");
    let event = found.snapshot.get("b").unwrap().unwrap();
    assert_eq!((event.kind(), event.session()), ("unknown", Some("5e55")));
}

#[test]
fn nesting_has_no_limit() {
    let depth = 100_000;
    let (open, close) = ("[".repeat(depth), "]".repeat(depth));
    let line = format!(
        "{{\"uuid\":\"a\",\"message\":{{\"content\":[{{\"type\":\"tool_use\",\"input\":{open}{close}}}]}},\"x\":{open}{close}}}"
    );
    let objects = format!("{}{{\"uuid\":\"b\"}}{}", "{\"a\":".repeat(depth), "}".repeat(depth));
    let cut_off = "[{\"a\":".repeat(depth);
    let found = imported(format!("{line}\n{objects}\n{cut_off}\n").as_bytes());
    assert_eq!((found.report.events, found.report.without_id, found.report.bad_lines), (1, 1, 1));
    assert_eq!(found.payload("a"), line.as_bytes());
}

#[test]
fn several_objects_may_be_glued_together() {
    let found = imported(b"{\"uuid\":\"a\"}{\"uuid\":\"b\"}  {\"uuid\":\"c\"}\n{\"uuid\":\"d\"}\n");
    let report = &found.report;
    assert_eq!((report.events, report.lines, report.glued_lines, report.bad_lines), (4, 2, 1, 0));
    assert_eq!(found.payload("c"), b"{\"uuid\":\"c\"}");
}

#[test]
fn an_object_before_rubbish_counts_and_the_rest_is_kept() {
    let found = imported(b"{\"uuid\":\"a\"}\n{\"uuid\":\"b\"} // why? {\n");
    assert_eq!((found.report.events, found.report.bad_lines, found.report.quarantined), (2, 1, 1));
    let kept = &found.quarantined()[0];
    assert_eq!((kept.line, kept.offset, kept.length), (2, 26, 9));
    assert_eq!(kept.bytes, b"// why? {");
    assert!(kept.source.ends_with("5e55.jsonl"), "{}", kept.source);
    assert!(kept.reason.starts_with("expected a JSON object"), "{}", kept.reason);
}

#[test]
fn what_is_cut_off_or_no_object_is_kept() {
    let lines: [&[u8]; 8] = [
        b"{\"uuid\":\"a\",\"message\":{\"content\":\"half",
        b"{\"uuid\":\"b\",\"text\":\"\xff\xfe\"}",
        b"{\"uuid\":\"c\",\"x\":NaN}",
        b"[{\"uuid\":\"d\"}]",
        b"\"text\"",
        b"12",
        b"null",
        b"\xff\xfe{\0\"\0",
    ];
    let found = imported(&lines.join(&b'\n'));
    let report = &found.report;
    assert_eq!((report.events, report.without_id), (0, 0));
    assert_eq!((report.lines, report.bad_lines), (8, 8));
    let kept = found.quarantined();
    for (n, line) in lines[..7].iter().enumerate() {
        assert_eq!(kept[n].bytes, *line);
        assert_eq!((kept[n].line, kept[n].length), (n as u64 + 1, line.len() as u64));
    }
}

#[test]
fn a_record_behind_one_that_a_crash_cut_off_comes_in() {
    let found = imported(
        b"{\"uuid\":\"a\",\"parentUuid\":null}\n\
          {\"type\":\"pr-link\",\"prNu{\"parentUuid\":\"a\",\"uuid\":\"b\"}\n\
          {\"type\":\"progress\",\"data\":{\"message\":{\"uuid\":\"inner\",\"type\":\"user\"}\n\
          {\"type\":\"pr-link\",\"n\":{\"parentUuid\":\"b\",\"uuid\":\"c\"}{\"parentUuid\":\"c\",\"uuid\":\"d\"}\n",
    );
    assert_eq!((found.report.events, found.report.lines, found.report.bad_lines), (4, 4, 3));
    assert_eq!(found.places(), [(2, 31, 23), (3, 84, 67), (4, 152, 22)]);
    assert_eq!(found.snapshot.depth("d").unwrap(), Some(3));
    assert!(!found.snapshot.contains("inner").unwrap());
}

#[test]
fn half_a_last_line_waits_for_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("5e55.jsonl");
    let store = forebear::in_memory().unwrap();
    let whole = "{\"uuid\":\"a\"}\n{\"uuid\":\"b\"} {\"uuid\":\"c\",\"parentUuid\":\"a\",\"x\":\"\u{e9}\"}\n";
    let mut stored = 0;
    for end in 0..=whole.len() {
        fs::write(&file, &whole.as_bytes()[..end]).unwrap();
        let report = import_paths(&store, [file.clone()]);
        stored += report.events;
        let of = (report.bad_lines, report.quarantined);
        assert_eq!(of, (0, 0), "{:?}", &whole.as_bytes()[..end]);
    }
    assert_eq!(stored, 3);
    assert_eq!(store.snapshot().depth("c").unwrap(), Some(1));
    fs::write(&file, &whole.as_bytes()[..whole.len() - 4]).unwrap();
    let report = import_paths(&forebear::in_memory().unwrap(), [file]);
    assert_eq!((report.events, report.waiting_lines, report.bad_lines), (2, 1, 0));
}

#[test]
fn invalid_text_between_glued_objects_spoils_only_itself() {
    let found = imported(b"{\"uuid\":\"a\"}{\"uuid\":\"b\",\"x\":\"\xff\"}{\"uuid\":\"c\"}");
    let report = &found.report;
    assert_eq!((report.events, report.glued_lines, report.bad_lines), (2, 1, 1));
    assert_eq!(found.places(), [(1, 12, 20)]);
}

#[test]
fn rubbish_that_stands_together_is_one_piece_however_long() {
    for unit in [&b"x\0"[..], b"1 ", b"\0 ", b"[] null"] {
        let mut file = b"{\"uuid\":\"a\"}".to_vec();
        file.extend(unit.repeat(100_000));
        file.extend(b"{\"uuid\":\"b\"}\n");
        let found = imported(&file);
        let report = &found.report;
        assert_eq!((report.events, report.bad_lines, report.quarantined), (2, 1, 1), "{unit:?}");
        let kept = &found.quarantined()[0];
        let rubbish = file[12..file.len() - 13].trim_ascii_end();
        assert_eq!((kept.line, kept.offset), (1, 12));
        assert!(kept.bytes == rubbish, "{unit:?}");
        assert!(kept.reason.contains("000 faults"), "{}", kept.reason);
    }
}

#[test]
fn rubbish_between_many_objects_fills_a_bounded_number_of_pieces() {
    let objects: Vec<_> = (0..1000).map(|n| format!("1{{\"uuid\":\"{n}\"}}")).collect();
    let found = imported(objects.concat().as_bytes());
    let report = &found.report;
    assert_eq!((report.events, report.bad_lines, report.quarantined), (1000, 1, 65));
}

#[test]
fn a_line_over_the_limit_is_kept_by_its_place_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("5e55.jsonl");
    let long = format!("{{\"uuid\":\"b\",\"x\":\"{}\"}}", "x".repeat(300_000));
    fs::write(&file, format!("{{\"uuid\":\"a\"}}\n{long}\n{{\"uuid\":\"c\"}}\n")).unwrap();
    let store = forebear::builder()
        .max_payload_bytes(100_000)
        .open(folder.path().join("events.forebear"))
        .unwrap();
    for news in [1, 0] {
        let report = import_again(&store, &file);
        assert_eq!((report.lines, report.bad_lines, report.quarantined), (3, 1, news));
    }
    let snapshot = store.snapshot();
    assert_eq!(snapshot.stats().unwrap().events, 2);
    let kept = &snapshot.quarantined().page().unwrap().items[0];
    assert_eq!((kept.line, kept.offset, kept.length), (2, 13, long.len() as u64));
    assert!(kept.bytes.is_empty());
}

#[test]
fn a_line_of_100_mb_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("5e55.jsonl");
    let long = format!("{{\"uuid\":\"b\",\"x\":\"{}\"}}", "x".repeat(100_000_000));
    fs::write(&file, format!("{{\"uuid\":\"a\"}}\n{long}\n{{\"uuid\":\"c\"}}")).unwrap();
    let store = forebear::open(folder.path().join("events.forebear")).unwrap();
    let report = import_paths(&store, [file.clone()]);
    assert_eq!((report.events, report.bad_lines), (3, 0));
    let event = store.snapshot().get("b").unwrap().unwrap();
    assert!(event.payload().unwrap() == long.as_bytes());
    assert_eq!(import_again(&store, &file).repeats, 3);
}

#[test]
fn long_values_are_cut_and_long_ids_are_kept_in_quarantine() {
    let long = "\u{e9}".repeat(3000);
    let found = imported(
        format!(
            "{{\"uuid\":\"a\",\"type\":\"{long}\",\"sessionId\":\"{long}\",\"agentId\":\"{long}\",\"version\":\"{long}\"}}\n\
             {{\"uuid\":\"{long}\"}}\n{{\"uuid\":\"b\",\"parentUuid\":\"{long}\"}}\n"
        )
        .as_bytes(),
    );
    assert_eq!((found.report.events, found.report.quarantined), (1, 2));
    let reasons: Vec<_> = found.quarantined().into_iter().map(|kept| kept.reason).collect();
    assert_eq!(
        reasons,
        ["uuid", "parentUuid"]
            .map(|field| format!("expected a {field} of at most 255 bytes, found one of 6000"))
    );
    let event = found.snapshot.get("a").unwrap().unwrap();
    assert_eq!(event.kind().len(), limits::MAX_KIND_BYTES);
    assert_eq!(event.instance().len(), limits::MAX_NAME_BYTES);
    assert_eq!(event.label("version").unwrap().len(), limits::MAX_LABEL_VALUE_BYTES);
}

#[test]
fn objects_without_a_uuid_are_events_too() {
    let file = br#"{"uuid":"a","type":"user"}
{"type":"summary","summary":"x","leafUuid":"a"}
{"type":"file-history-snapshot","messageId":"a","snapshot":{"timestamp":"2026-01-02T03:04:05Z"}}
{"type":"queue-operation"}
{"type":"queue-operation"}
"#;
    let found = imported(file);
    assert_eq!((found.report.events, found.report.without_id), (1, 4));
    let children = found.snapshot.children("a").page().unwrap().items;
    let kinds: Vec<_> = children.iter().map(|event| event.kind().to_owned()).collect();
    assert_eq!(kinds, ["summary", "file-history-snapshot"]);
    assert!(children.iter().all(StoredEvent::has_derived_id));
    assert_eq!(children[0].id().as_uuid().unwrap().get_version_num(), 8);
    // Equal objects are told apart by how often they came.
    assert_eq!(found.snapshot.stats().unwrap().derived_ids, 4);
}

#[test]
fn times_that_are_not_there_are_made_up_and_counted() {
    let found = imported(
        br#"{"uuid":"a","timestamp":"2026-01-02T03:04:05Z"}
{"uuid":"b"}
{"uuid":"c","timestamp":"not a time"}
"#,
    );
    assert_eq!(found.report.times_made_up, 2);
    let time = |id: &str| found.snapshot.get(id).unwrap().unwrap().time_ns();
    assert_eq!(time("a"), 1_767_323_045_000_000_000);
    assert_eq!((time("b"), time("c")), (time("a"), time("a")));
}

#[test]
fn equal_bytes_are_a_repeat_and_others_a_version() {
    let found = imported(b"{\"uuid\":\"a\",\"n\":1}\n{\"uuid\":\"a\",\"n\":2}\n{\"uuid\":\"a\",\"n\":1}\n{\"uuid\":\"a\",\"n\":2}\n");
    let report = &found.report;
    assert_eq!((report.events, report.versions, report.repeats), (1, 1, 2));
    assert_eq!(found.snapshot.versions("a").page().unwrap().items.len(), 2);
}

#[test]
fn a_stopped_import_keeps_what_was_read_and_the_next_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c"] {
        fs::write(
            folder.path().join(format!("{name}.jsonl")),
            format!("{{\"uuid\":\"{name}\"}}\n"),
        )
        .unwrap();
    }
    let store = forebear::in_memory().unwrap();
    let options = IngestOptions::new([folder.path()]);
    let report = import(&store, &options, |progress| {
        assert_eq!((progress.files_total, progress.bytes_total), (3, 39));
        if progress.files == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(report.interrupted);
    assert_eq!((report.files, report.events, report.bytes), (2, 2, 26));
    let report = import_paths(&store, [folder.path().to_owned()]);
    assert_eq!((report.files, report.unchanged_files, report.events), (1, 2, 1));
    assert_eq!(report.repeats, 0);
    assert!(!report.interrupted);
}

#[test]
fn a_missing_path_is_an_error_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.jsonl"), "{\"uuid\":\"a\"}").unwrap();
    let store = forebear::in_memory().unwrap();
    let paths = [folder.path().to_owned(), folder.path().join("missing")];
    let error =
        import(&store, &IngestOptions::new(paths), |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(error.io_kind(), Some(std::io::ErrorKind::NotFound));
    assert!(!store.snapshot().contains("a").unwrap());
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_read_is_passed_over_and_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("b.jsonl"), "{\"uuid\":\"b\"}").unwrap();
    let gone = folder.path().join("gone");
    std::os::unix::fs::symlink(gone, folder.path().join("a.jsonl")).unwrap();
    let store = forebear::in_memory().unwrap();
    let options = IngestOptions::new([folder.path()]);
    let report = import(&store, &options, |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((report.files, report.events, report.failed_files.len()), (1, 1, 1));
    assert!(report.failed_files[0].0.ends_with("a.jsonl"));
}

#[test]
fn a_file_is_read_once_however_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    fs::write(&file, "{\"uuid\":\"a\"}\nrubbish\n").unwrap();
    let store = forebear::in_memory().unwrap();
    let roundabout = folder.path().join(".").join("a.jsonl");
    let report = import_paths(&store, [folder.path().to_owned(), file, roundabout.clone()]);
    assert_eq!((report.files, report.events, report.quarantined), (1, 1, 1));
    assert_eq!(import_paths(&store, [roundabout]).quarantined, 0);
}

/// A store that a file was imported into.
struct Found {
    report: ImportReport,
    snapshot: Snapshot,
}

impl Found {
    fn payload(&self, id: &str) -> Vec<u8> {
        self.snapshot.get(id).unwrap().unwrap().payload().unwrap().to_vec()
    }

    fn quarantined(&self) -> Vec<Quarantined> {
        self.snapshot.quarantined().page().unwrap().items
    }

    /// Line, offset and length of each piece in the quarantine.
    fn places(&self) -> Vec<(u64, u64, u64)> {
        self.quarantined().iter().map(|kept| (kept.line, kept.offset, kept.length)).collect()
    }
}

/// Imports a file of this content, twice: the second time must change nothing.
fn imported(content: &[u8]) -> Found {
    let folder = tempfile::tempdir().unwrap();
    // In a project's folder a file is called after its session.
    let project = folder.path().join("projects/-work");
    fs::create_dir_all(&project).unwrap();
    let file = project.join("5e55.jsonl");
    fs::write(&file, content).unwrap();
    let store = forebear::in_memory().unwrap();
    let report = import_paths(&store, [file.clone()]);
    // Of bytes there are some more: how far the file was read.
    let stats = || {
        let mut stats: Stats = store.snapshot().stats().unwrap();
        stats.bytes = 0;
        stats
    };
    let before = (stats(), payloads(&store.snapshot()));
    let again = import_again(&store, &file);
    assert_eq!((again.events, again.versions, again.quarantined), (0, 0, 0));
    assert_eq!((again.lines, again.bad_lines), (report.lines, report.bad_lines));
    assert_eq!(before, (stats(), payloads(&store.snapshot())));
    assert_eq!(report.bytes, content.len() as u64);
    Found { report, snapshot: store.snapshot() }
}

fn import_paths(store: &Store, paths: impl IntoIterator<Item = PathBuf>) -> ImportReport {
    let report = import(store, &IngestOptions::new(paths), |_| ControlFlow::Continue(())).unwrap();
    assert!(report.failed_files.is_empty(), "{:?}", report.failed_files);
    report
}

/// Imports a file from its start, wherever it was left.
fn import_again(store: &Store, file: &PathBuf) -> ImportReport {
    let options = IngestOptions::new([file]).again(true);
    import(store, &options, |_| ControlFlow::Continue(())).unwrap()
}

fn payloads(snapshot: &Snapshot) -> Vec<Vec<u8>> {
    let events = snapshot.events(Filter::new()).limit(1000).page().unwrap().items;
    events.iter().map(|event| event.payload().unwrap().to_vec()).collect()
}
