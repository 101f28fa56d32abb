//! Payloads of Claude Code's hooks: one object for each call of a hook, which has
//! no id, no time and names no cause.
//!
//! | of the event | is |
//! |---|---|
//! | id | of `PreToolUse` a `UUIDv8` of session, `tool_use_id` and the hook's name; of others of the bytes and when or how often they came |
//! | parent | of a call's result its `PreToolUse`; of `SubagentStart` (`spawned`) the call whose result names the agent, until then the oldest that waits; else the last event of the agent or of the session |
//! | kind | `hook_event_name` |
//! | session, instance | `session_id`; `agent_id`, else the session |
//!
//! What the transcript of the session tells as well counts once: see `twins`.

mod live;
mod past;

use std::collections::VecDeque;

use forebear_core::{Event, EventId, LinkKind, limits};
use forebear_sessions::{Session, SessionPatch, SessionStatus};
use serde_json::Value;

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{
    AGENT, AGENT_CALL, AGENT_RESULT, AGENT_TYPE, HOOK, MODEL, PROJECT, PROMPT_DIGEST, TYPE,
};
use crate::formats::common::project::{project, transcripts_folder};
use crate::formats::common::twins::{
    CALL_DOMAIN, FORMAT, POST_TOOL_USE, POST_TOOL_USE_FAILURE, PRE_TOOL_USE, SOURCE_APP,
    USER_PROMPT_SUBMIT, of_call, prompt_digest,
};
use crate::formats::common::usual;
use crate::formats::common::values::{is, label_value, scalar_time, text};
use crate::formats::hook::past::Past;
use crate::parsed::Parsed;
use forebear_readings::json::{JsonCursor, JsonStr, Scalar};
use forebear_readings::keys::{BOOKKEEPING, IS_ERROR, TOOL, TOOL_USE_ID};

pub use self::live::{HookCall, HookDecoder, append_hook, append_hook_call, submit_hook};

/// Payloads of Claude Code's hooks, `hook`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hook;

impl Adapter for Hook {
    fn name(&self) -> &'static str {
        FORMAT
    }

    fn source_app(&self) -> Option<&'static str> {
        Some(SOURCE_APP)
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut has_name, mut has_session) = (false, false);
        JsonCursor::new(line).object(|key, _| match key {
            "hook_event_name" => has_name = true,
            "session_id" => has_session = true,
            _ => {}
        });
        if has_name && has_session { Confidence::Certain } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Payloads::new(file.modified_ns))
    }
}

/// Reads a file of payloads, a line each.
#[derive(Debug)]
struct Payloads {
    /// The sessions met last, the newest at the end.
    sessions: VecDeque<(String, Past)>,
    equal: EqualOnes,
    last_time_ns: i64,
}

/// What was found in a payload.
#[derive(Debug, Default)]
struct HookFields<'t> {
    session: Option<JsonStr<'t>>,
    hook: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    tool_use_id: Option<JsonStr<'t>>,
    agent: Option<JsonStr<'t>>,
    agent_type: Option<JsonStr<'t>>,
    /// The agent that a call started, as its result says.
    result_agent: Option<JsonStr<'t>>,
    /// Of a call that starts an agent.
    subagent_type: Option<JsonStr<'t>>,
    /// How a session began, and why one ended.
    source: Option<JsonStr<'t>>,
    reason: Option<JsonStr<'t>>,
    cwd: Option<JsonStr<'t>>,
    transcript: Option<JsonStr<'t>>,
    model: Option<JsonStr<'t>>,
    prompt: Option<JsonStr<'t>>,
    timestamp: Option<Scalar<'t>>,
}

impl Payloads {
    fn new(modified_ns: i64) -> Self {
        Self { sessions: VecDeque::new(), equal: EqualOnes::default(), last_time_ns: modified_ns }
    }

    /// The past of a session, taken out.
    fn take(&mut self, session: &str) -> Past {
        let at = self.sessions.iter().position(|(known, _)| known == session);
        at.and_then(|at| self.sessions.remove(at)).map(|(_, past)| past).unwrap_or_default()
    }
}

impl Parser for Payloads {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = HookFields::read(object);
        let session = fields.session_name()?;
        let mut past = self.take(&session);
        let number = u64::from(self.equal.number(object.as_bytes()));
        let event = fields.event(object, &session, self.last_time_ns, number, &past);
        self.last_time_ns = event.as_time_ns();
        let links = past.note_event(&event, &session);
        if self.sessions.len() == MAX_SESSIONS {
            self.sessions.pop_front();
        }
        self.sessions.push_back((session, past));
        let time_made_up = fields.time_ns().is_none();
        let parsed = fields.says(event, time_made_up).time_made_up(time_made_up);
        Ok(links.into_iter().fold(parsed, Parsed::link))
    }
}

impl<'t> HookFields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "session_id" => fields.session = value.text(),
            "hook_event_name" => fields.hook = value.text(),
            "tool_name" => fields.tool = value.text(),
            "tool_use_id" => fields.tool_use_id = value.text(),
            "agent_id" => fields.agent = value.text(),
            "agent_type" => fields.agent_type = value.text(),
            "source" => fields.source = value.text(),
            "reason" => fields.reason = value.text(),
            "cwd" => fields.cwd = value.text(),
            "transcript_path" => fields.transcript = value.text(),
            "model" => fields.model = value.text(),
            "prompt" => fields.prompt = value.text(),
            "timestamp" => fields.timestamp = value.scalar(),
            "tool_response" => value.object(|key, value| {
                if matches!(key, "agentId" | "agent_id") {
                    fields.result_agent = value.text();
                }
            }),
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

    /// What the session's transcript says too.
    fn project(&self) -> Option<String> {
        let transcript = self.transcript.map(JsonStr::decode);
        let folder = transcript.as_deref().and_then(transcripts_folder);
        project(folder, &self.cwd?.decode())
    }

    fn time_ns(&self) -> Option<i64> {
        self.timestamp.and_then(|value| scalar_time(value, None))
    }

    /// What the hook says of the session or of its agent. `Stop` ends a turn, not the
    /// session.
    fn says(&self, event: Event, time_made_up: bool) -> Parsed {
        let patch = self.patch(&event, (!time_made_up).then_some(event.as_time_ns()));
        let parsed = Parsed::new(event);
        match patch {
            Some(patch) => parsed.session(patch),
            None => parsed,
        }
    }

    fn patch(&self, event: &Event, time_ns: Option<i64>) -> Option<SessionPatch> {
        let session = event.as_session().unwrap_or_default();
        let agent = || {
            let name = Session::name_of(session, event.as_instance(), event.as_scope())?;
            (name != session).then_some(name)
        };
        let ended = |name: String| {
            let patch = SessionPatch::new(name).status(SessionStatus::Completed);
            match time_ns {
                Some(time_ns) => patch.end_ns(time_ns),
                None => patch,
            }
        };
        Some(match event.as_kind() {
            "SessionStart" => {
                // What comes says how long it is active.
                let patch = SessionPatch::new(session).without_status();
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
            SUBAGENT_START => SessionPatch::new(agent()?).without_status().without_end(),
            "SubagentStop" => ended(agent()?),
            _ => return None,
        })
    }

    fn event(&self, object: &str, session: &str, time_ns: i64, number: u64, past: &Past) -> Event {
        let hook = self.hook.map_or_else(String::new, |hook| text(hook, limits::MAX_KIND_BYTES));
        let agent = self.agent.map(|agent| text(agent, limits::MAX_NAME_BYTES));
        let instance = agent.unwrap_or_else(|| session.to_owned());
        let tool_use_id = self.tool_use_id.map(label_value);
        let mut event = Event::new(hook.as_str()).payload(object);
        event = match &tool_use_id {
            Some(call) if is_of_a_call(&hook) => {
                event.derived_id(CALL_DOMAIN, &of_call(session, call, &hook))
            }
            _ => event.derived_id(
                ID_DOMAIN,
                &content(&[session.as_bytes(), object.as_bytes(), &number.to_le_bytes()]),
            ),
        };
        let pre = tool_use_id
            .as_ref()
            .map(|call| EventId::derived(CALL_DOMAIN, &of_call(session, call, PRE_TOOL_USE)));
        let agent_type =
            if is(self.hook, PRE_TOOL_USE) { self.subagent_type } else { self.agent_type };
        let last = || past.last_of(&instance).or_else(|| past.last_of(session)).cloned();
        let parent = match hook.as_str() {
            PRE_TOOL_USE => last(),
            // Which call it is of may turn out otherwise later, unless it says so itself: a
            // link can be replaced, a parent can't.
            SUBAGENT_START => {
                if pre.is_some() {
                    event = event.link(LinkKind::Spawned);
                }
                pre
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
            (AGENT_RESULT, self.result_agent),
            (AGENT_CALL, self.tool_use_id.filter(|_| self.result_agent.is_some())),
            (MODEL, self.model),
        ] {
            if let Some(value) = value {
                event = event.label(key, label_value(value));
            }
        }
        if hook == POST_TOOL_USE_FAILURE || hook == "StopFailure" {
            event = event.label(IS_ERROR, "true");
        }
        if let Some(project) = self.project() {
            event = event.label(PROJECT, project);
        }
        if hook == USER_PROMPT_SUBMIT
            && let Some(digest) = self.prompt.and_then(|prompt| prompt_digest(&prompt.decode()))
        {
            event = event.label(PROMPT_DIGEST, digest);
        }
        if !STEPS.contains(&hook.as_str()) {
            event = event.label(BOOKKEEPING, "true");
        }
        let event = event.label(TYPE, HOOK).time_ns(self.time_ns().unwrap_or(time_ns));
        usual::by_actor(event, instance, session)
    }
}

/// Whether a call has one such event, so that its id follows from the call.
fn is_of_a_call(hook: &str) -> bool {
    matches!(hook, PRE_TOOL_USE | POST_TOOL_USE | POST_TOOL_USE_FAILURE)
}

const SUBAGENT_START: &str = "SubagentStart";

/// Hooks that tell a step of what happened. All others are notes beside it.
const STEPS: [&str; 8] = [
    USER_PROMPT_SUBMIT,
    PRE_TOOL_USE,
    POST_TOOL_USE,
    POST_TOOL_USE_FAILURE,
    "PermissionDenied",
    SUBAGENT_START,
    "Stop",
    "StopFailure",
];

/// Why a session ended, in its metadata.
const END_REASON: &str = "end_reason";

/// Sessions of a file that are remembered.
const MAX_SESSIONS: usize = 256;

/// Keeps the ids of all other hooks apart from other derived ids.
const ID_DOMAIN: &str = "forebear hook payload v1";
