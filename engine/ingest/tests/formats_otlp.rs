//! Lines of OpenTelemetry's exporters: spans in any order and encoding, logs of agents, and what
//! both read as by the conventions that programs have.

#![allow(clippy::unwrap_used)]

mod support {
    pub(crate) mod files;
}

use forebear::ingest::Registry;
use forebear::readings::{Payload, Reading};
use forebear::{EventId, Filter, SessionReads, Store, StoredEvent, Tokens};
use serde_json::{Value, json};
use support::files::{files, imported};

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn attributes(values: &Value) -> Value {
    let list = values.as_object().unwrap().iter().map(|(key, value)| {
        let value = match value {
            Value::String(text) => json!({"stringValue": text}),
            Value::Number(number) => json!({"intValue": number.to_string()}),
            Value::Bool(truth) => json!({"boolValue": truth}),
            other => json!({"stringValue": other.to_string()}),
        };
        json!({"key": key, "value": value})
    });
    list.collect()
}

fn span(n: u64, parent: u64, name: &str, values: &Value) -> Value {
    let mut span = json!({"traceId": TRACE, "spanId": format!("{n:016x}"), "name": name, "kind": 1,
        "startTimeUnixNano": (1_750_000_000_000_000_000 + n).to_string(),
        "endTimeUnixNano": (1_750_000_000_000_000_500 + n).to_string(),
        "attributes": attributes(values)});
    if parent > 0 {
        span["parentSpanId"] = json!(format!("{parent:016x}"));
    }
    span
}

fn request(spans: &[Value]) -> String {
    json!({"resourceSpans": [{"resource": {"attributes": attributes(&json!({"service.name": "shop"}))},
        "scopeSpans": [{"scope": {"name": "x"}, "spans": spans}]}]})
    .to_string()
}

fn logs(records: &[Value]) -> String {
    json!({"resourceLogs": [{"resource": {"attributes": attributes(&json!({"service.name": "claude-code"}))},
        "scopeLogs": [{"scope": {"name": "x"}, "logRecords": records}]}]})
    .to_string()
}

fn log(n: u64, body: &str, values: &Value) -> Value {
    json!({"timeUnixNano": (1_750_000_000_000_000_000 + n).to_string(), "body": {"stringValue": body},
        "attributes": attributes(values)})
}

fn store_of(lines: &[String]) -> Store {
    let folder = files(&[("spans.jsonl", &(lines.join("\n") + "\n"))]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.bad_lines, &*report.read_as[0].1), (0, "otlp"), "{report:?}");
    assert_eq!(imported(&store, &folder).stored, 0, "a second time adds nothing");
    store
}

fn events(store: &Store) -> Vec<StoredEvent> {
    store.snapshot().events(Filter::new()).into_iter().map(Result::unwrap).collect()
}

fn of_kind(store: &Store, kind: &str) -> StoredEvent {
    let mut found: Vec<_> = events(store).into_iter().filter(|one| one.kind() == kind).collect();
    assert_eq!(found.len(), 1, "{kind}");
    found.remove(0)
}

fn reading<R>(event: &StoredEvent, of: impl Fn(&Reading<'_>) -> R) -> R {
    let readings = Registry::default().readings();
    of(&readings.read(event.payload_type(), &Payload::of_stored(event)))
}

fn id_of(n: u64) -> EventId {
    let mut content = u128::from_str_radix(TRACE, 16).unwrap().to_be_bytes().to_vec();
    content.extend(n.to_be_bytes());
    EventId::derived("otlp span", &content)
}

#[test]
fn spans_are_a_chain_in_whatever_order_and_encoding_they_come() {
    let spans: Vec<Value> = (1..=4).map(|n| span(n, n - 1, "step", &json!({}))).collect();
    let mut other = spans.clone();
    other[1]["traceId"] = json!(TRACE.to_uppercase());
    other[2]["spanId"] = json!("AAAAAAAAAAM=");
    other[2]["startTimeUnixNano"] = json!(1_750_000_000_000_000_003_u64);
    other[0]["parentSpanId"] = json!("0000000000000000");
    let snake = request(&spans)
        .replace("resourceSpans", "resource_spans")
        .replace("scopeSpans", "scope_spans")
        .replace("traceId", "trace_id")
        .replace("parentSpanId", "parent_span_id")
        .replace("spanId", "span_id")
        .replace("startTimeUnixNano", "start_time_unix_nano")
        .replace("stringValue", "string_value");
    let old = request(&spans).replace("scopeSpans", "instrumentationLibrarySpans");
    let apart =
        |spans: &[Value]| spans.iter().map(|one| request(std::slice::from_ref(one))).collect();
    let mut backwards: Vec<String> = apart(&spans);
    backwards.reverse();
    for lines in
        [vec![request(&spans)], apart(&spans), backwards, apart(&other), vec![snake], vec![old]]
    {
        let store = store_of(&lines);
        let snapshot = store.snapshot();
        assert_eq!(events(&store).len(), 4, "{lines:?}");
        for n in 1..=4 {
            assert_eq!(snapshot.depth(id_of(n)).unwrap(), Some(n - 1), "{lines:?}");
            let event = snapshot.get(id_of(n)).unwrap().unwrap();
            assert_eq!(event.session(), Some(TRACE));
            assert_eq!(event.instance(), TRACE, "a service is no agent");
            assert_eq!(
                (event.label("service"), event.label("project")),
                (Some("shop"), Some("shop"))
            );
        }
    }
}

#[test]
fn a_span_s_start_and_its_end_are_one_event() {
    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "bash",
        "gen_ai.tool.call.id": "c1", "gen_ai.tool.call.arguments": "{\"command\":\"make\"}"});
    let mut ended = span(2, 1, "execute_tool bash", &tool);
    ended["status"] = json!({"code": 2, "message": "no rule"});
    let mut open = ended.clone();
    open.as_object_mut().unwrap().retain(|key, _| key != "endTimeUnixNano" && key != "status");
    let mut zero = open.clone();
    zero["endTimeUnixNano"] = json!("0");
    let root = span(1, 0, "root", &json!({}));
    for states in [[&open, &ended], [&zero, &ended], [&ended, &ended]] {
        let lines = [request(&[root.clone(), states[0].clone()]), request(&[states[1].clone()])];
        let store = store_of(&lines);
        assert_eq!(events(&store).len(), 2);
        let found = of_kind(&store, "tool_use");
        assert!(String::from_utf8_lossy(found.payload().unwrap()).contains("no rule"));
        let errors = Filter::new().errors().label("tool", "bash");
        assert_eq!(store.snapshot().events(errors).page().unwrap().items.len(), 1);
        for (key, value) in
            [("tool_use_id", "c1"), ("target", "make"), ("status", "error"), ("duration_ns", "500")]
        {
            assert_eq!(found.label(key), Some(value), "{key}");
        }
        assert_eq!(store.snapshot().session(TRACE).unwrap().unwrap().errors, 1);
        reading(&found, |reading| {
            assert_eq!(reading.results[0].text.to_string(), "no rule");
            assert_eq!(reading.results[0].duration_ns, Some(500));
        });
    }
    // What is told again without its end, after that, is older: it fails and counts no more.
    let store = store_of(&[request(&[ended.clone()]), request(&[open])]);
    let newest = store.snapshot().get(id_of(2)).unwrap().unwrap();
    assert!(String::from_utf8_lossy(newest.payload().unwrap()).contains("no rule"));
    assert_eq!(store.snapshot().session(TRACE).unwrap().unwrap().errors, 1);
}

#[test]
fn tokens_are_those_of_models_in_each_convention() {
    let semconv = json!({"gen_ai.operation.name": "chat", "gen_ai.response.id": "r1",
        "gen_ai.response.model": "m", "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 7, "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.cache_creation.input_tokens": 30});
    let older = json!({"gen_ai.operation.name": "text_completion", "gen_ai.request.model": "m",
        "gen_ai.usage.prompt_tokens": 100, "gen_ai.usage.completion_tokens": 7,
        "gen_ai.usage.cache_read_input_tokens": 60, "gen_ai.usage.cache_creation_input_tokens": 30});
    let apart = json!({"gen_ai.operation.name": "chat", "llm.model_name": "m",
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 60, "gen_ai.usage.cache_creation.input_tokens": 30});
    let inference = json!({"openinference.span.kind": "LLM", "llm.model_name": "m",
        "llm.token_count.prompt": 100, "llm.token_count.completion": 7,
        "llm.token_count.prompt_details.cache_read": 60,
        "llm.token_count.prompt_details.cache_write": 30});
    let sum = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 7});
    let expected = Tokens { input: 10, output: 7, cache_read: 60, cache_written: 30 };
    for values in [semconv, older, apart, inference] {
        let store = store_of(&[request(&[span(1, 0, "a", &sum), span(2, 1, "chat m", &values)])]);
        let session = store.snapshot().session(TRACE).unwrap().unwrap();
        assert_eq!(session.tokens, expected, "{values}");
        assert_eq!(of_kind(&store, "llm_request").label("model"), Some("m"));
    }
    let claude = log(
        1,
        "claude_code.api_request",
        &json!({"session.id": "s", "event.name": "api_request",
        "model": "m", "input_tokens": 100, "output_tokens": 7, "cache_read_tokens": 60,
        "cache_creation_tokens": 30, "request_id": "q", "duration_ms": 12}),
    );
    let store = store_of(&[logs(&[claude])]);
    let tokens = store.snapshot().session("s").unwrap().unwrap().tokens;
    assert_eq!(tokens, Tokens { input: 100, ..expected }, "its input is without the cache");
    let codex = log(
        1,
        "",
        &json!({"conversation.id": "t", "event.name": "codex.sse_event",
        "event.kind": "response.completed", "input_token_count": 70, "output_token_count": 7,
        "cached_token_count": 60}),
    );
    let store = store_of(&[logs(&[codex])]);
    let tokens = store.snapshot().session("t").unwrap().unwrap().tokens;
    assert_eq!(tokens, Tokens { cache_written: 0, ..expected });
}

#[test]
fn what_is_said_is_read_from_each_convention() {
    let asked = json!({"openinference.span.kind": "AGENT", "session.id": "talk", "input.value": "go on",
        "gen_ai.agent.name": "helper"});
    let messages = json!([{"role": "assistant", "parts": [{"type": "text", "content": "done"},
        {"type": "tool_call", "content": "no"}]}]);
    let answers = [
        json!({"gen_ai.operation.name": "chat", "gen_ai.output.messages": messages.to_string()}),
        json!({"openinference.span.kind": "LLM", "llm.output_messages.0.message.content": "done"}),
        json!({"gen_ai.operation.name": "chat", "gen_ai.completion.0.content": "done"}),
        json!({"openinference.span.kind": "LLM", "output.value": "done"}),
    ];
    for answer in answers {
        // The one that names the session comes first here, and last in the next line.
        let lines = [
            request(&[span(1, 0, "agent", &asked), span(2, 1, "chat", &answer)]),
            request(&[span(3, 1, "chat", &answer)]),
        ];
        let store = store_of(&lines);
        let session = store.snapshot().session("talk").unwrap().unwrap();
        assert_eq!(session.events, 3, "a trace has one session");
        let asked = of_kind(&store, "agent");
        assert_eq!(asked.label("role"), Some("user"));
        reading(&asked, |reading| assert_eq!(reading.text.to_string(), "go on"));
        let said = store.snapshot().get(id_of(3)).unwrap().unwrap();
        reading(&said, |reading| assert_eq!(reading.text.to_string(), "done"));
    }
}

#[test]
fn logs_of_agents_are_steps_of_their_sessions() {
    let records = [
        log(
            1,
            "claude_code.user_prompt",
            &json!({"session.id": "s", "event.name": "user_prompt", "prompt": "fix it"}),
        ),
        log(
            2,
            "claude_code.tool_decision",
            &json!({"session.id": "s", "event.name": "tool_decision", "tool_name": "Bash"}),
        ),
        log(
            3,
            "claude_code.tool_result",
            &json!({"session.id": "s", "event.name": "tool_result",
            "tool_name": "Bash", "tool_use_id": "toolu_1", "success": "false", "error": "Exit code 2", "duration_ms": 90}),
        ),
        log(
            4,
            "claude_code.tool_result",
            &json!({"session.id": "s", "event.name": "tool_result",
            "tool_name": "Read", "success": "true", "duration_ms": 3}),
        ),
    ];
    let lines =
        [logs(&records[..2]), logs(&records[2..]), json!({"resourceMetrics": []}).to_string()];
    let store = store_of(&lines);
    let snapshot = store.snapshot();
    let session = snapshot.session("s").unwrap().unwrap();
    assert_eq!((session.events, session.errors), (4, 1));
    let of = |tool: &str| {
        let page = snapshot.events(Filter::new().kind("tool_result").label("tool", tool)).page();
        page.unwrap().items.remove(0)
    };
    assert_eq!(snapshot.depth(of("Read").id().clone()).unwrap(), Some(3), "one after the other");
    let failed = of("Bash");
    assert_eq!(
        (failed.label("is_error"), failed.label("tool_use_id")),
        (Some("true"), Some("toolu_1"))
    );
    reading(&failed, |reading| assert_eq!(reading.results[0].duration_ns, Some(90_000_000)));
    assert_eq!(of_kind(&store, "user_message").label("title"), Some("fix it"));
    assert_eq!(of_kind(&store, "tool_decision").label("bookkeeping"), Some("true"));
    // A record of a span hangs on that.
    let mut of_span = log(5, "it broke", &json!({}));
    of_span["traceId"] = json!(TRACE);
    of_span["spanId"] = json!(format!("{:016x}", 1));
    of_span["severityNumber"] = json!(17);
    let store = store_of(&[logs(&[of_span]), request(&[span(1, 0, "root", &json!({}))])]);
    let error = of_kind(&store, "log");
    assert_eq!((error.parent(), error.label("is_error")), (Some(&id_of(1)), Some("true")));
}

#[test]
fn a_request_that_was_printed_for_people_is_read_as_one() {
    let spans: Vec<Value> = (1..=3).map(|n| span(n, n - 1, "step", &json!({}))).collect();
    let value: Value = serde_json::from_str(&request(&spans)).unwrap();
    let folder = files(&[("trace.jsonl", &serde_json::to_string_pretty(&value).unwrap())]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.events, &*report.read_as[0].1), (3, "otlp"), "{report:?}");
}

#[test]
fn a_line_of_very_many_spans_is_refused_or_read_in_bounds() {
    let of = |count: u64| {
        let spans: Vec<Value> = (1..=count).map(|n| span(n, n - 1, "step", &json!({}))).collect();
        let mut value: Value = serde_json::from_str(&request(&spans)).unwrap();
        value["resourceSpans"][0]["resource"]["attributes"] =
            attributes(&json!({"service.name": "x".repeat(100_000)}));
        value.to_string()
    };
    let folder = files(&[("a.jsonl", &(of(5_000) + "\n"))]);
    let store = forebear::in_memory().unwrap();
    assert_eq!(imported(&store, &folder).events, 5_000);
    assert_eq!(store.snapshot().depth(id_of(5_000)).unwrap(), Some(4_999));
    let folder = files(&[(
        "b.jsonl",
        &(of(20_001) + "\n" + &request(&[span(1, 0, "x", &json!({}))]) + "\n"),
    )]);
    let store = forebear::in_memory().unwrap();
    let report = imported(&store, &folder);
    assert_eq!((report.events, report.bad_lines), (1, 1), "{report:?}");
}

#[test]
fn a_line_costs_its_bytes_however_many_records_share_a_long_resource() {
    let of = |count: u64, resource_bytes: usize| {
        let spans: Vec<Value> = (1..=count).map(|n| span(n, n - 1, "step", &json!({}))).collect();
        let mut value: Value = serde_json::from_str(&request(&spans)).unwrap();
        // Line feeds are escapes, each of which is decoded.
        value["resourceSpans"][0]["resource"]["attributes"] =
            attributes(&json!({"service.name": "x\n".repeat(resource_bytes / 3),
                "session.id": "y\n".repeat(resource_bytes / 3)}));
        let folder = files(&[("a.jsonl", &(value.to_string() + "\n"))]);
        let (store, start) = (forebear::in_memory().unwrap(), std::time::Instant::now());
        assert_eq!(imported(&store, &folder).events, count);
        (store, start.elapsed())
    };
    let apart = of(4_000, 3_000).1 + of(1, 4_000_000).1;
    let (store, together) = of(4_000, 4_000_000);
    // Read again for each, the resource takes thousands of times as long.
    assert!(together < 30 * apart, "{together:?} and {apart:?} apart");
    let event = store.snapshot().get(id_of(4_000)).unwrap().unwrap();
    assert_eq!(event.session().map(str::len), Some(1024));
}

#[test]
fn a_step_that_says_it_had_no_error_did_not_fail() {
    let store = store_of(&[request(&[
        span(1, 0, "fine", &json!({"error": false})),
        span(2, 1, "well", &json!({"error": "false"})),
        span(3, 1, "ill", &json!({"error": true})),
    ])]);
    for (kind, has_failed) in [("fine", false), ("well", false), ("ill", true)] {
        let event = of_kind(&store, kind);
        assert_eq!(event.label("is_error").is_some(), has_failed, "{kind}");
        assert_eq!(reading(&event, |reading| reading.error.is_some()), has_failed, "{kind}");
    }
}
