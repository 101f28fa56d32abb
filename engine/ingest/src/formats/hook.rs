//! Payloads of Claude Code's hooks: one object for each call of a hook, which has
//! no id, no time and names no cause.
//!
//! | of the event | is |
//! |---|---|
//! | id | of `PreToolUse` a `UUIDv8` of session, `tool_use_id` and the hook's name; of others of the bytes and when or how often they came |
//! | parent | of what a call came to its `PreToolUse`; of `SubagentStart` the oldest call of an agent that waits (`spawned`); else the last event of the agent or of the session |
//! | kind | `hook_event_name` |
//! | session, instance | `session_id`; `agent_id`, else the session |

use forebear_core::{
    Appended, Batch, Decoder, Detail, Error, Event, EventId, Filter, Foreign, LinkKind, Session,
    SessionPatch, SessionStatus, Snapshot, Spool, Store, Ticket, limits,
};
use std::collections::VecDeque;

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::formats::equal::{EqualOnes, content};
use crate::formats::labels::{
    AGENT, AGENT_TYPE, HOOK, IS_ERROR, MODEL, PROJECT, TOOL, TOOL_USE_ID, TYPE,
};
use crate::formats::values::{cut, is, label_value, last_name, scalar_time, text};
use crate::formats::{Adapter, Format, ReadEvent};
use crate::json::{Cursor, JsonStr, Scalar};

/// What happened in a session before: enough to say what caused the next event.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    /// The last event of each agent, and under the session's name of the session.
    last: VecDeque<(String, EventId)>,
    /// Calls that start an agent and have neither an agent nor a result: the
    /// agent's type, the call's id and its event.
    calls: VecDeque<(String, String, EventId)>,
}

/// Reads a file of payloads, a line each.
#[derive(Debug)]
pub(crate) struct Hooks {
    /// The sessions met last, the newest at the end.
    sessions: VecDeque<(String, Past)>,
    equal: EqualOnes,
    last_time_ns: i64,
}

/// What was found in a payload.
#[derive(Debug, Default)]
struct Fields<'t> {
    session: Option<JsonStr<'t>>,
    hook: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    tool_use_id: Option<JsonStr<'t>>,
    agent: Option<JsonStr<'t>>,
    agent_type: Option<JsonStr<'t>>,
    /// Of a call that starts an agent.
    subagent_type: Option<JsonStr<'t>>,
    /// How a session began, and why one ended.
    source: Option<JsonStr<'t>>,
    reason: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    model: Option<JsonStr<'t>>,
    timestamp: Option<Scalar<'t>>,
}

/// Appends the payload of a hook of Claude Code, which came at this time (in
/// nanoseconds since the Unix epoch). It hangs on what the store knows of the
/// session: the result of a call on the call, an agent's start on the call that
/// started it, anything else on the last event.
///
/// The same payload with the same time is a repeat. An error if it is not an
/// object with `session_id` and `hook_event_name`. O(1): it looks at the newest
/// events of the session.
///
/// ```
/// use forebear::{EventId, Store, ingest};
///
/// let store = Store::in_memory()?;
/// let asked = r#"{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"go"}"#;
/// let before = r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Bash","tool_use_id":"t"}"#;
/// let after = r#"{"session_id":"s","hook_event_name":"PostToolUse","tool_name":"Bash","tool_use_id":"t"}"#;
/// let asked = ingest::append_hook(&store, asked, 1)?;
/// let before = ingest::append_hook(&store, before, 2)?;
/// let after = ingest::append_hook(&store, after, 3)?;
/// let snapshot = store.snapshot();
/// let parent = |id: &EventId| snapshot.get(id).map(|e| e.and_then(|e| e.parent().cloned()));
/// assert_eq!(parent(&after.id)?, Some(before.id.clone()));
/// assert_eq!(parent(&before.id)?, Some(asked.id));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn append_hook(store: &Store, payload: &str, time_ns: i64) -> forebear_core::Result<Appended> {
    let read = hook_event(&store.snapshot(), payload, time_ns)?;
    let mut written = store.write(read.add_to(Batch::new()))?;
    written.events.pop().ok_or_else(|| Error::invalid("expected the event of a hook, found none"))
}

/// Hands in the payload of a hook of Claude Code, which came at this time (in
/// nanoseconds since the Unix epoch), for a process that has a [`HookDecoder`] to take in
/// as [`append_hook`] does. A payload that is none is quarantined then. Two syncs, and
/// nothing is read.
///
/// An example is at [`HookDecoder`].
pub fn submit_hook(
    spool: &Spool,
    payload: impl Into<Vec<u8>>,
    time_ns: i64,
) -> forebear_core::Result<Ticket> {
    spool.submit_foreign(HookDecoder::NAME, payload, time_ns)
}

/// Takes in payloads of hooks that [`submit_hook`] handed in.
///
/// ```
/// use std::sync::Arc;
/// use forebear::ingest::{HookDecoder, submit_hook};
/// use forebear::{Filter, Spool, Store};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let payload = r#"{"session_id":"s","hook_event_name":"SessionStart"}"#;
/// submit_hook(&Spool::open(&path)?, payload, 1)?;
/// let builder = Store::builder().decoder(HookDecoder::NAME, Arc::new(HookDecoder));
/// let store = builder.open(&path)?;
/// store.drain_spool()?;
/// let page = store.snapshot().events(&Filter::new().session("s"))?;
/// assert_eq!(page.items[0].kind(), "SessionStart");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HookDecoder;

impl HookDecoder {
    /// The name that payloads of hooks are handed in under.
    pub const NAME: &'static str = "hook";
}

impl Decoder for HookDecoder {
    fn decode(&self, foreign: &Foreign<'_>, snapshot: &Snapshot) -> forebear_core::Result<Batch> {
        let payload = std::str::from_utf8(foreign.bytes)
            .map_err(|_| Error::invalid("expected a hook's payload, found other bytes"))?;
        Ok(hook_event(snapshot, payload, foreign.time_ns)?.add_to(Batch::new()))
    }
}

/// The event that a payload which came at this time stands for, by what the store
/// knows of its session, and what it says of that one.
fn hook_event(
    snapshot: &Snapshot,
    payload: &str,
    time_ns: i64,
) -> forebear_core::Result<ReadEvent> {
    // The reader of fields takes what is well formed for granted.
    let well_formed = serde_json::from_str::<IgnoredAny>(payload);
    well_formed.map_err(|error| Error::invalid(format!("expected a hook's payload: {error}")))?;
    let read = event(payload, time_ns, |session| Past::of(snapshot, session))?;
    // What is said again was said before what came since.
    let known = read.says_something() && snapshot.get(read.event.as_id())?.is_some();
    Ok(if known { read.unsaid() } else { read })
}

/// The event that a payload which came at this time stands for, in a session with
/// this past.
fn event(
    object: &str,
    time_ns: i64,
    past: impl FnOnce(&str) -> forebear_core::Result<Past>,
) -> forebear_core::Result<ReadEvent> {
    let fields = Fields::read(object);
    let session = fields.session_name().map_err(Error::invalid)?;
    let past = past(&session)?;
    // Told apart from others with the same bytes by when it came.
    let event = fields.event(object, session.clone(), time_ns, time_ns.cast_unsigned(), &past);
    let instance = event.as_instance().to_owned();
    let mut read = fields.says(ReadEvent::new(event, false));
    let name = if instance == session { &session } else { &instance };
    if past.last_of(name).is_none()
        && let Some(name) = Session::name_of(&session, &instance)
        && let Some(app) = Format::Hook.source_app()
    {
        read = read.session(SessionPatch::new(name).source_app(app));
    }
    Ok(read)
}

impl Past {
    /// What a store knows of a session: its newest events, as far as they matter.
    pub(crate) fn of(snapshot: &Snapshot, session: &str) -> forebear_core::Result<Self> {
        let filter = Filter::new().session(session).detail(Detail::Labels).limit(PAST_EVENTS);
        let page = snapshot.events(&filter)?;
        let mut past = Self::default();
        for event in page.items.iter().rev() {
            let label = |key| event.label(key).map(str::to_owned);
            past.note(&Seen {
                id: event.id(),
                instance: event.instance(),
                session,
                hook: label(HOOK).as_deref(),
                agent_type: label(AGENT_TYPE).as_deref(),
                tool_use_id: label(TOOL_USE_ID).as_deref(),
                tool: label(TOOL).as_deref(),
            });
        }
        Ok(past)
    }

    fn note_event(&mut self, event: &Event, session: &str) {
        let label = |key| event.as_label(key);
        self.note(&Seen {
            id: event.as_id(),
            instance: event.as_instance(),
            session,
            hook: label(HOOK),
            agent_type: label(AGENT_TYPE),
            tool_use_id: label(TOOL_USE_ID),
            tool: label(TOOL),
        });
    }

    fn note(&mut self, seen: &Seen<'_>) {
        for name in [seen.instance, seen.session] {
            self.last.retain(|(known, _)| known != name);
            self.last.push_back((name.to_owned(), seen.id.clone()));
        }
        while self.last.len() > MAX_AGENTS {
            self.last.pop_front();
        }
        let tool_use_id = seen.tool_use_id.unwrap_or_default();
        match seen.hook {
            Some(PRE_TOOL_USE) if seen.tool.is_some_and(starts_agents) => {
                if self.calls.len() == MAX_AGENTS {
                    self.calls.pop_front();
                }
                let agent_type = seen.agent_type.unwrap_or_default().to_owned();
                self.calls.push_back((agent_type, tool_use_id.to_owned(), seen.id.clone()));
            }
            Some(POST_TOOL_USE | POST_TOOL_USE_FAILURE | "PermissionDenied") => {
                self.calls.retain(|(_, id, _)| id != tool_use_id);
            }
            Some(SUBAGENT_START) => {
                if let Some(at) = self.waiting_call(seen.agent_type.unwrap_or_default()) {
                    self.calls.remove(at);
                }
            }
            // The turn is over: no call waits any more.
            Some("UserPromptSubmit" | "Stop" | "SessionStart" | "SessionEnd")
                if seen.instance == seen.session =>
            {
                self.calls.clear();
            }
            _ => {}
        }
    }

    /// The oldest call of an agent of this type that waits, else of any.
    fn waiting_call(&self, agent_type: &str) -> Option<usize> {
        let same = self.calls.iter().position(|(known, ..)| known == agent_type);
        same.or_else(|| (!self.calls.is_empty()).then_some(0))
    }

    fn last_of(&self, name: &str) -> Option<&EventId> {
        self.last.iter().find(|(known, _)| known == name).map(|(_, event)| event)
    }
}

/// What the past remembers of an event.
struct Seen<'e> {
    id: &'e EventId,
    instance: &'e str,
    session: &'e str,
    hook: Option<&'e str>,
    agent_type: Option<&'e str>,
    tool_use_id: Option<&'e str>,
    tool: Option<&'e str>,
}

impl Hooks {
    pub(crate) fn new(modified_ns: i64) -> Self {
        Self { sessions: VecDeque::new(), equal: EqualOnes::default(), last_time_ns: modified_ns }
    }

    /// The past of a session, taken out.
    fn take(&mut self, session: &str) -> Past {
        let at = self.sessions.iter().position(|(known, _)| known == session);
        at.and_then(|at| self.sessions.remove(at)).map(|(_, past)| past).unwrap_or_default()
    }
}

impl Adapter for Hooks {
    fn event(&mut self, object: &str) -> Result<ReadEvent, String> {
        let fields = Fields::read(object);
        let session = fields.session_name()?;
        let mut past = self.take(&session);
        let number = u64::from(self.equal.number(object.as_bytes()));
        let event = fields.event(object, session.clone(), self.last_time_ns, number, &past);
        self.last_time_ns = event.as_time_ns();
        past.note_event(&event, &session);
        if self.sessions.len() == MAX_SESSIONS {
            self.sessions.pop_front();
        }
        self.sessions.push_back((session, past));
        Ok(fields.says(ReadEvent::new(event, fields.time_ns().is_none())))
    }
}

impl<'t> Fields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        Cursor::new(object).object(|key, value| match key {
            "session_id" => fields.session = value.text(),
            "hook_event_name" => fields.hook = value.text(),
            "tool_name" => fields.tool = value.text(),
            "tool_use_id" => fields.tool_use_id = value.text(),
            "agent_id" => fields.agent = value.text(),
            "agent_type" => fields.agent_type = value.text(),
            "source" => fields.source = value.text(),
            "reason" => fields.reason = value.text(),
            "cwd" => fields.cwd = value.text(),
            "model" => fields.model = value.text(),
            "timestamp" => fields.timestamp = value.scalar(),
            "tool_input" => value.object(|key, value| {
                if key == "subagent_type" {
                    fields.subagent_type = value.text();
                }
            }),
            _ => {}
        });
        fields
    }

    fn session_name(&self) -> Result<String, String> {
        match (self.session, self.hook) {
            (Some(session), Some(_)) => Ok(text(session, limits::MAX_NAME_BYTES)),
            _ => Err("expected a hook's payload with session_id and hook_event_name".to_owned()),
        }
    }

    fn time_ns(&self) -> Option<i64> {
        self.timestamp.and_then(|value| scalar_time(value, None))
    }

    /// What the hook says of the session or of its agent. `Stop` ends a turn, not the
    /// session.
    fn says(&self, read: ReadEvent) -> ReadEvent {
        let event = &read.event;
        let session = event.as_session().unwrap_or_default();
        let time_ns = (!read.time_made_up).then_some(event.as_time_ns());
        let agent = || {
            let name = Session::name_of(session, event.as_instance())?;
            (name != session).then_some(name)
        };
        let ended = |name: String| {
            let patch = SessionPatch::new(name).status(SessionStatus::Completed);
            match time_ns {
                Some(time_ns) => patch.end_ns(time_ns),
                None => patch,
            }
        };
        let patch = match event.as_kind() {
            "SessionStart" => {
                let patch = SessionPatch::new(session).status(SessionStatus::Active);
                let patch = patch.without_end().metadata_member(END_REASON, None);
                // One that is resumed or compacted began before.
                let goes_on = is(self.source, "resume") || is(self.source, "compact");
                match time_ns {
                    Some(time_ns) if !goes_on => patch.start_ns(time_ns),
                    _ => patch,
                }
            }
            "SessionEnd" => {
                let reason = self.reason.map(|reason| Value::String(label_value(reason)));
                let reason = reason.map(|reason| reason.to_string());
                ended(session.to_owned()).metadata_member(END_REASON, reason)
            }
            // It may have stopped before.
            SUBAGENT_START => match agent() {
                Some(name) => SessionPatch::new(name).without_status().without_end(),
                None => return read,
            },
            "SubagentStop" => match agent() {
                Some(name) => ended(name),
                None => return read,
            },
            _ => return read,
        };
        read.session(patch)
    }

    fn event(
        &self,
        object: &str,
        session: String,
        time_ns: i64,
        number: u64,
        past: &Past,
    ) -> Event {
        let hook = self.hook.map_or_else(String::new, |hook| text(hook, limits::MAX_KIND_BYTES));
        let agent = self.agent.map(|agent| text(agent, limits::MAX_NAME_BYTES));
        let instance = agent.unwrap_or_else(|| session.clone());
        let tool_use_id = self.tool_use_id.map(label_value);
        let mut event = Event::new(hook.as_str()).payload(object);
        event = match &tool_use_id {
            Some(call) if is_of_a_call(&hook) => {
                event.derived_id(CALL_DOMAIN, &of_call(&session, call, &hook))
            }
            _ => event.derived_id(
                ID_DOMAIN,
                &content(&[session.as_bytes(), object.as_bytes(), &number.to_le_bytes()]),
            ),
        };
        let pre = tool_use_id
            .as_ref()
            .map(|call| EventId::derived(CALL_DOMAIN, &of_call(&session, call, PRE_TOOL_USE)));
        let agent_type =
            if is(self.hook, PRE_TOOL_USE) { self.subagent_type } else { self.agent_type };
        let waiting = || {
            let agent_type = agent_type.map(label_value).unwrap_or_default();
            past.waiting_call(&agent_type).map(|at| past.calls[at].2.clone())
        };
        let last = || past.last_of(&instance).or_else(|| past.last_of(&session)).cloned();
        let parent = match hook.as_str() {
            PRE_TOOL_USE => last(),
            SUBAGENT_START => {
                event = event.link(LinkKind::Spawned);
                pre.or_else(waiting).or_else(last)
            }
            _ => pre.or_else(last),
        };
        if let Some(parent) = parent
            && parent != *event.as_id()
        {
            event = event.parent(parent);
        }
        for (key, value) in [
            (HOOK, self.hook),
            (TOOL, self.tool),
            (TOOL_USE_ID, self.tool_use_id),
            (AGENT, self.agent),
            (AGENT_TYPE, agent_type),
            (MODEL, self.model),
        ] {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if hook == POST_TOOL_USE_FAILURE || hook == "StopFailure" {
            event = event.label(IS_ERROR, "true");
        }
        if let Some(project) = self.cwd.and_then(|cwd| last_name(&cwd.decode())) {
            event = event.label(PROJECT, cut(project.into(), limits::MAX_LABEL_VALUE_BYTES));
        }
        event
            .label(TYPE, HOOK)
            .time_ns(self.time_ns().unwrap_or(time_ns))
            .instance(instance)
            .session(session)
    }
}

/// Whether a call has one such event, so that its id follows from the call.
fn is_of_a_call(hook: &str) -> bool {
    matches!(hook, PRE_TOOL_USE | POST_TOOL_USE | POST_TOOL_USE_FAILURE)
}

fn of_call(session: &str, tool_use_id: &str, hook: &str) -> Vec<u8> {
    content(&[session.as_bytes(), tool_use_id.as_bytes(), hook.as_bytes()])
}

/// Whether a tool starts agents, under its name of today or the one before.
fn starts_agents(tool: &str) -> bool {
    matches!(tool, "Task" | "Agent")
}

const PRE_TOOL_USE: &str = "PreToolUse";
const POST_TOOL_USE: &str = "PostToolUse";
const POST_TOOL_USE_FAILURE: &str = "PostToolUseFailure";
const SUBAGENT_START: &str = "SubagentStart";

/// Why a session ended, in its metadata.
const END_REASON: &str = "end_reason";

/// Events of a session that are looked at to say what caused the next.
const PAST_EVENTS: usize = 200;
/// Agents of a session, and calls that start one, that are remembered.
const MAX_AGENTS: usize = 64;
/// Sessions of a file that are remembered.
const MAX_SESSIONS: usize = 256;

/// Keeps the ids of calls' events apart from other derived ids.
const CALL_DOMAIN: &str = "forebear hook call v1";
/// Keeps the ids of all other hooks apart from other derived ids.
const ID_DOMAIN: &str = "forebear hook payload v1";
