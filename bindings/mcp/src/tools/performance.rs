//! `analyze_performance`: where the time went.

use forebear::answers::{SlowQuery, slow};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::line::{member, seconds};
use crate::question::{Question, cost};
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PerformanceToolArgs {
    /// The session, with its agents: its name or the beginning of it; all of them unless given
    #[serde(default)]
    session: Option<String>,
    /// Tools, calls, turns, days and steps at most, of each
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for PerformanceToolArgs {
    const NAME: &'static str = "analyze_performance";
    const TITLE: &'static str = "Where the time went";
    const DESCRIPTION: &'static str = "Say where the time of a session went: tools, the model, \
        waiting for the user; per tool how many calls, errors, p50, p95 and max (of 20 calls or \
        more); the slowest calls and turns; what the newest answer waited for. Use it when work \
        took long. Agents that work at the same time are not added.";

    fn output() -> Map<String, Value> {
        let ms = |what: &str| json!({"type": ["integer", "null"], "description": what});
        let list = |what: &str, members: Value| {
            json!({"type": "array", "description": what,
                "items": {"type": "object", "properties": members}})
        };
        let spent = json!({
            "type": "object",
            "properties": {
                "tools_ms": ms("Calls of tools, those of agents among them"),
                "model_ms": ms("The model"),
                "user_ms": ms("Waiting for the user, which makes nothing slow"),
            },
        });
        schema::object(
            json!({
                "session": schema::nullable("The session; null where all were looked at"),
                "sessions": schema::count("Sessions that were looked at"),
                "time": spent,
                "tools": list("Those first whose calls took most", json!({
                    "tool": schema::text("Its name"), "calls": schema::count("Calls with a result"),
                    "errors": schema::count("How many failed"), "total_ms": ms("All of them"),
                    "p50_ms": ms("Of 20 calls or more"), "p95_ms": ms("Of 20 calls or more"),
                    "max_ms": ms("The longest")})),
                "slowest": list("The calls that took longest", json!({
                    "event": schema::text("The call"), "result": schema::text("Its result"),
                    "time": schema::time(), "tool": {"type": "string"}, "about": {"type": "string"},
                    "took_ms": ms("What it took"), "is_error": {"type": "boolean"}})),
                "critical_path": list("What the newest answer waited for, in order", json!({
                    "event": schema::text("What ended the wait"), "from": schema::time(),
                    "took_ms": ms("What it took"),
                    "on": {"type": "string", "enum": ["tools", "model", "user"]},
                    "tool": schema::nullable("Of a call"), "instance": {"type": "string"},
                    "depth": schema::count("Agents between the session and who did it")})),
                "turns": list("The turns that took longest", json!({
                    "request": schema::nullable("The request that begins it"),
                    "about": {"type": "string"}, "from": schema::time(), "time": spent,
                    "calls": schema::count("Calls"), "errors": schema::count("How many failed")})),
                "days": list("By day in UTC, the newest first", json!({
                    "day": schema::time(), "time": spent,
                    "calls": schema::count("Calls"), "errors": schema::count("How many failed")})),
                "omitted": {"type": "object", "additionalProperties": {"type": "integer"},
                    "description": "What there was no room for, by list"},
                "complete": {"type": "boolean", "description": "Whether all was read"},
            }),
            &["session", "sessions", "time", "tools", "slowest", "complete"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let query = match args::given(self.session.as_ref()) {
            Some(session) => SlowQuery::session(question.session(session)?),
            None => SlowQuery::all(),
        };
        let Some(report) = slow(question.snapshot, question.readings, &query)? else {
            return refused("nothing of this session is stored; list_sessions lists what is");
        };
        // No report is refused: its keys are texts.
        let mut value = serde_json::to_value(&report).unwrap_or_default();
        question.redact_value(&mut value);
        question.ids.shorten(&mut value)?;
        in_milliseconds(&mut value);
        if let Value::Array(days) = &mut value["days"] {
            days.reverse();
        }
        Ok(reply(question, value, limit))
    }
}

/// The reply to a report: its sums, and of its lists as much as there is room for.
fn reply(question: &Question<'_>, mut value: Value, limit: usize) -> Reply {
    let mut reply = Reply::default();
    let lists = LISTS.map(|list| value[list.name].take());
    let of = match value["session"].as_str() {
        Some(session) => format!("session {session}"),
        None => text::counted(value["sessions"].as_u64().unwrap_or(0), "session", "sessions"),
    };
    let words = format!("{}: {}", text::clean(&of), spent(&value["time"]));
    question.takes_or_fills(&value, &words);
    question.takes_bytes(OTHERS_BYTES);
    for name in ["session", "sessions", "time", "complete"] {
        reply.set(name, value[name].take());
    }
    reply.line(words);
    let mut omitted = Map::new();
    for (list, items) in LISTS.into_iter().zip(lists) {
        let Value::Array(items) = items else { continue };
        // No list takes all the room from those after it.
        let least = question.left() - question.left() * list.share / 100;
        let (all, mut listed) = (items.len(), Vec::new());
        for mut item in items.into_iter().take(limit) {
            if let Some(Value::String(about)) = item.get_mut("about") {
                *about = cap::start(about, ABOUT_BYTES);
            }
            let line = format!("  {}", text::clean(&(list.line)(&item)));
            let needed = cost(&item, &line);
            if question.left() < least + needed || !question.takes_bytes(needed) {
                break;
            }
            if listed.is_empty() {
                reply.line(list.heading);
            }
            reply.line(line);
            listed.push(item);
        }
        if listed.len() < all {
            omitted.insert(list.name.to_owned(), (all - listed.len()).into());
        }
        reply.set(list.name, listed);
    }
    if !omitted.is_empty() {
        let left: Vec<String> =
            omitted.iter().map(|(name, count)| format!("{count} of {name}")).collect();
        reply
            .line(format!("left out: {}; a larger limit and max_bytes have them", left.join(", ")));
        reply.set("omitted", omitted);
    }
    reply
}

/// Lengths of time in milliseconds: in nanoseconds they can be larger than what clients keep.
pub(super) fn in_milliseconds(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(in_milliseconds),
        Value::Object(members) => {
            let names: Vec<String> =
                members.keys().filter(|name| name.ends_with("_ns")).cloned().collect();
            for name in names {
                let length = members.remove(&name).unwrap_or_default();
                let length = length.as_u64().map(|ns| ns / 1_000_000);
                members.insert(format!("{}_ms", name.trim_end_matches("_ns")), length.into());
            }
            members.values_mut().for_each(in_milliseconds);
        }
        _ => {}
    }
}

/// A list of the report.
struct ReportList {
    name: &'static str,
    /// What stands above it.
    heading: &'static str,
    /// Its share of the room that is left for it, in percent.
    share: usize,
    /// A line for each of its items.
    line: fn(&Value) -> String,
}

const LISTS: [ReportList; 5] = [
    ReportList {
        name: "tools",
        heading: "tools (calls, errors, total, p50, p95, max):",
        share: 40,
        line: |tool| {
            format!(
                "{}  {} calls, {} errors, {}, {}, {}, {}",
                member(tool, "tool"),
                tool["calls"],
                tool["errors"],
                took(&tool["total_ms"]),
                took(&tool["p50_ms"]),
                took(&tool["p95_ms"]),
                took(&tool["max_ms"]),
            )
        },
    },
    ReportList {
        name: "slowest",
        heading: "slowest calls:",
        share: 40,
        line: |call| {
            let failed = if call["is_error"] == true { "  ERROR" } else { "" };
            format!(
                "{}  {}  {}{failed}: {}",
                took(&call["took_ms"]),
                member(call, "event"),
                member(call, "tool"),
                member(call, "about"),
            )
        },
    },
    ReportList {
        name: "critical_path",
        heading: "what the newest answer waited for:",
        share: 40,
        line: |step| {
            let what = step["tool"].as_str().unwrap_or_else(|| member(step, "on"));
            let (event, instance) = (member(step, "event"), member(step, "instance"));
            format!("{}  {event}  {what}  {instance}", took(&step["took_ms"]))
        },
    },
    ReportList {
        name: "turns",
        heading: "longest turns:",
        share: 60,
        line: |turn| {
            let (request, about) = (member(turn, "request"), member(turn, "about"));
            format!("{}  {request}: {about}", spent(&turn["time"]))
        },
    },
    ReportList {
        name: "days",
        heading: "by day:",
        share: 100,
        line: |day| {
            let when = seconds(&json!({"time": day["day"]}));
            format!("{}  {}", when.get(..10).unwrap_or(&when), spent(&day["time"]))
        },
    },
];

fn spent(time: &Value) -> String {
    format!(
        "tools {}, model {}, waiting for the user {}",
        took(&time["tools_ms"]),
        took(&time["model_ms"]),
        took(&time["user_ms"])
    )
}

fn took(ms: &Value) -> String {
    match ms.as_u64() {
        None => "-".to_owned(),
        Some(ms @ 0..1_000) => format!("{ms}ms"),
        Some(ms) => format!("{}.{}s", ms / 1_000, ms / 100 % 10),
    }
}

fn default_limit() -> usize {
    10
}

/// Bytes of what a call or a turn is about.
const ABOUT_BYTES: usize = 160;

/// Bytes of what stands beside the lists: their names, headings, and what was left out.
const OTHERS_BYTES: usize = 700;
