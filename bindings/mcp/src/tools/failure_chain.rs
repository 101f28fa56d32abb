//! `get_failure_chain`: which failure mattered, and why it happened.

use forebear::answers::{FailureReport, Outcome as End, WhyQuery, failure_chain};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MaxBytes};
use crate::failure::Answered;
use crate::line::{self, member};
use crate::question::{Question, cost, make_brief};
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailureChainToolArgs {
    /// A failure, or any event of it: its id or the beginning of it
    #[serde(default)]
    id: Option<String>,
    /// The session whose failure is wanted: its name or the beginning of it
    #[serde(default)]
    session: Option<String>,
    /// Without id and session: the newest session with a failure that worked in this folder
    #[serde(default)]
    project: Option<String>,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for FailureChainToolArgs {
    const NAME: &'static str = "get_failure_chain";
    const TITLE: &'static str = "Why it failed";
    const DESCRIPTION: &'static str = "Name the failure that mattered, with the call that gave it, \
        the decision to make that call and the request that all of it goes back to, whether it \
        was repaired, and where such a failure was seen before. Begin here when something went \
        wrong: of an event, of a session, or the newest failure of all.";

    fn output() -> Map<String, Value> {
        let quote = |what: &str| {
            json!({"type": ["object", "null"], "description": what,
                "properties": {"id": {"type": "string"}, "text": {"type": "string"}}})
        };
        schema::object(
            json!({
                "session": {"type": ["string", "null"]},
                "failure": quote("The event that tells of it, and its words"),
                "call": quote("The call that failed: its tool and its input"),
                "decision": quote("What the model said or thought before it"),
                "request": quote("What the user had asked for"),
                "outcome": {"type": ["string", "null"],
                    "enum": ["repaired", "interrupted", "open", "answered", "passed", null]},
                "decided_by": schema::nullable("The event that the outcome follows from"),
                "repaired_by": {"type": ["object", "null"]},
                "retries": {"type": ["integer", "null"], "description": "Times that it was tried again and failed"},
                "earlier": {"type": ["object", "null"],
                    "description": "Failures of the same signature before: first, count, sessions"},
                "end": {"type": ["object", "null"], "description": "How the walk to the request ended"},
                "errors": {"type": "array", "items": {"type": "object",
                        "properties": {"id": {"type": "string"}, "line": {"type": "string"},
                            "outcome": {"type": "string"}, "minor": {"type": "boolean"}},
                        "required": ["id", "line", "outcome"]},
                    "description": "All failures of the session, the newest first"},
                "errors_omitted": schema::count("Failures that there was no room for"),
                "counts": {"type": "object", "additionalProperties": {"type": "integer"},
                    "description": "Failures by outcome"},
                "complete": {"type": "boolean", "description": "Whether all was read"},
            }),
            &[
                "session", "failure", "call", "decision", "request", "outcome", "errors", "counts",
                "complete",
            ],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let query = self.query(question)?;
        let report = failure_chain(question.snapshot, question.readings, &query)?;
        // No report is refused: its keys are texts.
        let mut value = serde_json::to_value(&report).unwrap_or_default();
        question.redact_value(&mut value);
        question.ids.shorten(&mut value)?;
        let errors = value["errors"].take();
        // What a command was called with is its input, too.
        if let Value::Object(members) = &mut value["call"] {
            members.remove("target");
        }
        let (mut cut, mut words) = (Value::Null, String::new());
        for percent in [100, 50, 20] {
            cut = value.clone();
            cut_texts(question, &mut cut, percent);
            words = told(&report, &cut);
            if cost(&cut, &words) <= question.left() {
                break;
            }
        }
        question.takes_or_fills(&cut, &words);
        let mut reply = Reply::default();
        reply.line(words);
        if let Value::Object(members) = cut {
            members.into_iter().for_each(|(name, member)| reply.set(&name, member));
        }
        list(question, &mut reply, errors);
        Ok(reply)
    }
}

impl FailureChainToolArgs {
    fn query(&self, question: &Question<'_>) -> Answered<WhyQuery> {
        if let Some(id) = args::given(self.id.as_ref()) {
            return Ok(WhyQuery::event(question.ids.find(question, id)?));
        }
        if let Some(session) = args::given(self.session.as_ref()) {
            return Ok(WhyQuery::session(question.session(session)?));
        }
        Ok(match args::given(self.project.as_ref()) {
            Some(project) => WhyQuery::newest_in(project),
            None => WhyQuery::newest(),
        })
    }
}

/// Cuts the texts of the report to their shares of the room, of which all together have so
/// many percent.
fn cut_texts(question: &Question<'_>, value: &mut Value, percent: usize) {
    for (name, of, share) in TEXTS {
        let id = member(&value[*name], "id").to_owned();
        if let Value::Object(members) = &mut value[*name] {
            make_brief(members);
            // Texts stand in both forms.
            let room = question.left() / 2 * share / 100 * percent / 100;
            if let Some(Value::String(text)) = members.get_mut(*of) {
                let more = format!(": get_event id={id}");
                *text = cap::middle(&text::clean_lines(text), room, &more);
            }
        }
    }
}

/// The report in words.
fn told(report: &FailureReport, value: &Value) -> String {
    let mut lines = Vec::new();
    if let Some(session) = value["session"].as_str() {
        lines.push(format!("session {session}"));
    }
    let failure = &value["failure"];
    if failure.is_null() {
        lines.push(match report.all.len() {
            0 => "nothing failed".to_owned(),
            all if report.count(End::Repaired) == all => format!("{all} failures, all repaired"),
            _ => "no failure of the last turn mattered".to_owned(),
        });
    }
    for (name, lead) in [("request", "asked"), ("decision", "decided"), ("call", "called")] {
        let quote = &value[name];
        if quote.is_null() {
            continue;
        }
        let words = if name == "call" {
            format!("{} {}", member(quote, "tool"), member(quote, "input"))
        } else {
            member(quote, "text").to_owned()
        };
        lines.push(format!("{lead} ({}, {}): {words}", member(quote, "id"), line::seconds(quote)));
    }
    if !failure.is_null() {
        let (id, time) = (member(failure, "id"), line::seconds(failure));
        lines.push(format!("failed ({id}, {time}): {}", member(failure, "text")));
    }
    if let Some(outcome) = value["outcome"].as_str() {
        let by = member(value, "decided_by");
        let tried = value["retries"].as_u64().unwrap_or(0);
        let tried = if tried > 0 { format!(", tried again {tried} times") } else { String::new() };
        lines.push(format!("then: {outcome} ({by}){tried}"));
    }
    if value["earlier"]["count"].as_u64().unwrap_or(0) > 1 {
        let earlier = &value["earlier"];
        lines.push(format!(
            "before: {} like it in {} sessions, first {}",
            earlier["count"],
            earlier["sessions"],
            member(&earlier["first"], "id"),
        ));
    }
    if value["end"]["by_time"] == true {
        lines.push("the request is the newest before it: by time, not by cause".to_owned());
    }
    if value["complete"] == false {
        lines.push("not all of the session was read".to_owned());
    }
    lines.join("\n")
}

/// Lists the session's failures, as many as there is room for.
fn list(question: &Question<'_>, reply: &mut Reply, errors: Value) {
    let Value::Array(errors) = errors else { return };
    let all = errors.len();
    let mut listed = Vec::new();
    for mut error in errors {
        if let Some(Value::String(text)) = error.get_mut("line") {
            *text = cap::start(&text::clean_lines(text), LINE_BYTES);
        }
        let minor = if error["minor"] == true { ", minor" } else { "" };
        let line = format!(
            "{}  {}  {}{minor}  {}  {}",
            line::seconds(&error),
            member(&error, "id"),
            member(&error, "outcome"),
            member(&error, "tool"),
            member(&error, "line"),
        );
        if !question.takes_bytes(cost(&error, &line)) {
            break;
        }
        if listed.is_empty() {
            reply.line("failures of the session, the newest first:");
        }
        reply.line(line);
        listed.push(error);
    }
    let omitted = all - listed.len();
    reply.set("errors", listed);
    if omitted > 0 {
        reply.set("errors_omitted", omitted);
        reply.line(format!(
            "… {omitted} more: search_events errors=true session=… lists them, or a larger \
             max_bytes"
        ));
    }
}

/// Texts of the report, and the share of the room that each may take, in percent.
const TEXTS: &[(&str, &str, usize)] = &[
    ("failure", "text", 25),
    ("call", "input", 15),
    ("decision", "text", 10),
    ("request", "text", 15),
];

/// Bytes of a failure's line.
const LINE_BYTES: usize = 160;
