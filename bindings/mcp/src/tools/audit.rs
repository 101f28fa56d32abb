//! `audit_decisions`: what was decided, why, and what came of it.

use forebear::answers::{Decision, DecisionKind, Decisions, DecisionsQuery, decisions};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::line::{member, seconds};
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;
use crate::tools::performance::in_milliseconds;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AuditToolArgs {
    /// The session, with its agents: its name or the beginning of it; the newest unless given
    #[serde(default)]
    session: Option<String>,
    /// Only of these sorts; all unless given
    #[serde(default)]
    kinds: Vec<DecisionSort>,
    /// Decisions at most
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    /// The `next` of an earlier reply
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    max_bytes: MaxBytes,
}

/// A sort of decisions.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum DecisionSort {
    Agent,
    Plan,
    Question,
    Denied,
    Stated,
}

impl From<DecisionSort> for DecisionKind {
    fn from(sort: DecisionSort) -> Self {
        match sort {
            DecisionSort::Agent => Self::Agent,
            DecisionSort::Plan => Self::Plan,
            DecisionSort::Question => Self::Question,
            DecisionSort::Denied => Self::Denied,
            DecisionSort::Stated => Self::Stated,
        }
    }
}

impl Ask for AuditToolArgs {
    const NAME: &'static str = "audit_decisions";
    const TITLE: &'static str = "What was decided, and what came of it";
    const DESCRIPTION: &'static str = "List what was decided in a session, in order: agents that \
        were started or asked, plans, questions to the user and their answers, what the user did \
        not allow, and what a service stated (spawn_decision): with the reasoning and the \
        request above it, and what came of it (result, and of agents events, errors, tokens, \
        time). Use it to see why work went the way it did.";

    fn output() -> Map<String, Value> {
        let quote = |what: &str| {
            json!({"type": ["object", "null"], "description": what,
                "properties": {"event": {"type": "string"}, "text": {"type": "string"}}})
        };
        let agent = json!({
            "type": "object",
            "properties": {
                "session": schema::text("Its name as a session"),
                "events": schema::count("Its events"),
                "errors": schema::count("How many are errors"),
                "tokens": {"type": "object"},
                "took_ms": {"type": ["integer", "null"]},
            },
        });
        let decision = json!({
            "type": "object",
            "properties": {
                "kind": {"type": "string",
                    "enum": ["agent", "plan", "question", "denied", "stated"]},
                "event": schema::text("The event that tells of it; get_event has it in full"),
                "time": schema::time(),
                "instance": schema::text("Who decided"),
                "tool": schema::nullable("Of a call"),
                "what": schema::text("What was decided"),
                "reasoning": quote("The nearest words or thoughts of the model above it"),
                "request": quote("The nearest words of the user above it"),
                "result": {"type": ["object", "null"], "description": "What came of it",
                    "properties": {"event": {"type": "string"},
                        "end": {"type": "string", "description": "good, failed, refused, stopped"},
                        "text": {"type": "string"}, "took_ms": {"type": ["integer", "null"]}}},
                "agents": {"type": "array", "items": agent, "description": "Agents it started"},
                "agents_omitted": schema::count("Agents that there was no room for"),
            },
            "required": ["kind", "event", "time", "what"],
        });
        schema::object(
            json!({
                "session": {"type": "string"},
                "decisions": {"type": "array", "items": decision},
                "complete": {"type": "boolean", "description": "Whether all was read"},
                "next": schema::next(),
            }),
            &["session", "decisions", "complete"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let session = question.session_or_newest(args::given(self.session.as_ref()))?;
        let query = DecisionsQuery::session(&session);
        let Some(found) = decisions(question.snapshot, question.readings, &query)? else {
            return refused(format!("nothing is stored of the session {session:?}"));
        };
        let begin = match args::given(self.cursor.as_ref()) {
            Some(cursor) => place_after(&found, cursor)?,
            None => 0,
        };
        let kinds: Vec<DecisionKind> = self.kinds.iter().map(|sort| (*sort).into()).collect();
        let wanted = found.decisions.iter().enumerate().skip(begin);
        let wanted = wanted.filter(|(_, one)| kinds.is_empty() || kinds.contains(&one.kind));
        let mut reply = Reply::default();
        let (mut listed, mut last, mut next) = (Vec::new(), None, None);
        for (at, decision) in wanted {
            let is_first = listed.is_empty();
            let drawn =
                if listed.len() < limit { draw(question, decision, is_first)? } else { None };
            let Some((value, words)) = drawn else {
                next = last;
                break;
            };
            reply.line(words);
            listed.push(value);
            last = Some(at);
        }
        if listed.is_empty() {
            reply.line(match begin {
                0 => "nothing of the kind was decided",
                _ => "there is no more",
            });
        }
        if !found.complete {
            reply.line("not all of the session was read");
        }
        if let Some(at) = next {
            let cursor = format!("{at}:{}", found.decisions[at].event);
            reply.set("next", cursor.as_str());
            reply.line(format!("there is more: call again with cursor={cursor}"));
        }
        reply.set("session", session);
        reply.set("decisions", listed);
        reply.set("complete", found.complete);
        Ok(reply)
    }
}

/// Where the decisions go on behind the one that the cursor names by its place and its event.
/// They are in the order of their time: what comes late can move it.
fn place_after(found: &Decisions, cursor: &str) -> Answered<usize> {
    let decisions = &found.decisions;
    let named = cursor.split_once(':').and_then(|(place, event)| {
        let place: usize = place.parse().ok()?;
        let is_it = |at: &usize| decisions[*at].event.to_string() == event;
        let nearest = (0..decisions.len()).filter(is_it).min_by_key(|at| at.abs_diff(place));
        nearest.map(|at| at + 1)
    });
    match named {
        Some(place) => Ok(place),
        None => refused(format!(
            "expected as cursor the `next` of an earlier reply of the same session, found \
             {cursor:?}; leave it out to begin at the beginning"
        )),
    }
}

/// A decision as a value and in words; none where the reply has no room for it. One that
/// stands alone is cut until it fits.
fn draw(
    question: &Question<'_>,
    decision: &Decision,
    alone: bool,
) -> Answered<Option<(Value, String)>> {
    // No decision is refused: its keys are texts.
    let mut value = serde_json::to_value(decision).unwrap_or_default();
    question.redact_value(&mut value);
    question.ids.shorten(&mut value)?;
    in_milliseconds(&mut value);
    for bytes in [TEXT_BYTES, TEXT_BYTES / 4, TEXT_BYTES / 16] {
        let mut cut = value.clone();
        cut_texts(&mut cut, bytes);
        let words = told(&cut);
        let fits = question.takes(&cut, &words);
        if fits || alone && bytes == TEXT_BYTES / 16 {
            return Ok(Some((cut, words)));
        }
        if !alone {
            break;
        }
    }
    Ok(None)
}

fn cut_texts(value: &mut Value, bytes: usize) {
    for place in ["/what", "/reasoning/text", "/request/text", "/result/text"] {
        if let Some(Value::String(text)) = value.pointer_mut(place) {
            *text = cap::middle(&text::clean_lines(text), bytes, "");
        }
    }
    let most = bytes / BYTES_FOR_AN_AGENT;
    if let Some(agents) = value["agents"].as_array_mut().filter(|agents| agents.len() > most) {
        let omitted = agents.len() - most;
        agents.truncate(most);
        value["agents_omitted"] = omitted.into();
    }
}

/// A decision in words.
fn told(decision: &Value) -> String {
    let lead = format!("{} {}", member(decision, "kind"), member(decision, "tool"));
    let (when, event) = (seconds(decision), member(decision, "event"));
    let what = member(decision, "what");
    let mut lines = vec![format!("{when}  {event}  {}: {what}", lead.trim_end())];
    for (name, lead) in [("request", "asked"), ("reasoning", "because")] {
        if let Some(text) = decision[name]["text"].as_str() {
            lines.push(format!("  {lead}: {text}"));
        }
    }
    let result = &decision["result"];
    if !result.is_null() {
        let (event, end) = (member(result, "event"), member(result, "end"));
        lines.push(format!("  came of it ({event}, {end}): {}", member(result, "text")));
    }
    for agent in decision["agents"].as_array().into_iter().flatten() {
        let (events, errors) = (&agent["events"], &agent["errors"]);
        let session = member(agent, "session");
        lines.push(format!("  agent {session}: {events} events, {errors} errors"));
    }
    lines.join("\n")
}

fn default_limit() -> usize {
    20
}

/// Bytes of each text of a decision.
const TEXT_BYTES: usize = 640;

/// Bytes of a text that an agent's counts stand for, where room is short.
const BYTES_FOR_AN_AGENT: usize = 20;
