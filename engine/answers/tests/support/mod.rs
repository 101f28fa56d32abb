//! Histories written by hand: a line a step, in a format of their own, so that what the
//! answers say of them goes by readings alone.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::sync::Arc;

use forebear::readings::{
    Access, Call, CallFamily, CallResult, FileUse, Interruption, Mishap, Payload, PayloadReader,
    Plan, PlanItem, PlanState, Reading, Readings, Role,
};
use forebear::{Event, LinkKind, Scope, Snapshot, Store};

/// Reads `WORD REST`: `user`, `queue`, `model`, `think`, `call ID TOOL TARGET`, `good ID TEXT`,
/// `took ID NS TEXT`, `fail ID TEXT`, `code ID CODE TEXT`, `bad ID TEXT` (of no weight),
/// `refuse ID TEXT`,
/// `stop`, `service TEXT`, `note`, `summary TEXT`, `todo STATE TEXT`.
#[derive(Debug)]
pub(crate) struct Lines;

impl PayloadReader for Lines {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let mut reading =
            Reading { cwd: payload.label("cwd").map(Into::into), ..Reading::default() };
        let (word, rest) = payload.text().split_once(' ').unwrap_or((payload.text(), ""));
        let (id, text) = rest.split_once(' ').unwrap_or((rest, ""));
        let result = |text: &'p str| CallResult {
            call_id: Some(id.into()),
            text: text.into(),
            ..CallResult::default()
        };
        match word {
            "user" => (reading.role, reading.text) = (Some(Role::User), rest.into()),
            "queue" => {
                (reading.role, reading.text) = (Some(Role::User), rest.into());
                (reading.bookkeeping, reading.queued) = (true, true);
            }
            "model" => (reading.role, reading.text) = (Some(Role::Assistant), rest.into()),
            "think" => (reading.role, reading.thinking) = (Some(Role::Assistant), rest.into()),
            "call" => {
                let (tool, target) = text.split_once(' ').unwrap_or((text, ""));
                let family = match tool {
                    "Bash" => CallFamily::Shell,
                    "Edit" | "Write" => CallFamily::Edit,
                    "Read" => CallFamily::Read,
                    "Grep" => CallFamily::Search,
                    "Task" => CallFamily::Agent,
                    "Ask" => CallFamily::Question,
                    _ => CallFamily::Other,
                };
                if family == CallFamily::Edit {
                    let file = FileUse { path: target.into(), access: Access::Written };
                    reading.files.push(file);
                }
                reading.role = Some(Role::Assistant);
                reading.calls.push(Call {
                    id: Some(id.into()),
                    tool: Some(tool.into()),
                    family,
                    input: Some(text.into()),
                    target: Some(target.into()),
                    ..Call::default()
                });
            }
            "good" => reading.results.push(result(text)),
            "took" => {
                let (ns, text) = text.split_once(' ').unwrap_or((text, ""));
                let duration_ns = ns.parse().ok();
                reading.results.push(CallResult { duration_ns, ..result(text) });
            }
            "fail" => reading.results.push(CallResult { is_error: true, ..result(text) }),
            "bad" => reading.results.push(CallResult {
                is_error: true,
                mishap: Some(Mishap::BadInput),
                ..result(text)
            }),
            "code" => {
                let (code, text) = text.split_once(' ').unwrap_or((text, ""));
                reading.results.push(CallResult { exit_code: code.parse().ok(), ..result(text) });
            }
            "refuse" => {
                reading.results.push(CallResult {
                    is_error: true,
                    interruption: Some(Interruption::Refused),
                    ..result(text)
                });
                if !text.is_empty() {
                    (reading.role, reading.text) = (Some(Role::User), text.into());
                }
            }
            "stop" => {
                reading.interruption = Some(Interruption::Stopped);
                reading.role = Some(Role::User);
            }
            "service" => reading.error = Some(rest.into()),
            "summary" => reading.summary = Some(rest.into()),
            "todo" => {
                let state = PlanState::of_word(id);
                let item = PlanItem { id: None, text: text.into(), state };
                reading.plan = Some(Plan { text: None, items: vec![item] });
                reading.role = Some(Role::Assistant);
            }
            _ => reading.bookkeeping = true,
        }
        reading
    }

    fn is_of(&self, _payload: &Payload<'_>) -> bool {
        true
    }
}

/// What payloads of these histories read as.
pub(crate) fn readings() -> Readings {
    Readings::default().with("lines", Arc::new(Lines))
}

/// A store with a history in it.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) store: Store,
    last: Vec<(String, String)>,
    steps: i64,
}

impl History {
    pub(crate) fn new() -> Self {
        let store = forebear::in_memory().expect("memory is there");
        Self { store, last: Vec::new(), steps: 0 }
    }

    /// Of the session `s` these steps, a line each: the event `1` is the first.
    pub(crate) fn of(lines: &str) -> Self {
        let mut history = Self::new();
        history.add("s", lines);
        history
    }

    /// Steps of a session, or of an agent (`SESSION/AGENT`), each caused by the one before.
    pub(crate) fn add(&mut self, who: &str, lines: &str) -> &mut Self {
        self.add_after(who, None, lines)
    }

    /// Steps of an agent that is spawned by this event.
    pub(crate) fn spawn(&mut self, who: &str, by: &str, lines: &str) -> &mut Self {
        self.add_after(who, Some(by), lines)
    }

    fn add_after(&mut self, who: &str, spawned_by: Option<&str>, lines: &str) -> &mut Self {
        let mut spawned_by = spawned_by;
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.steps += 1;
            let id = self.steps.to_string();
            let (session, agent) = who.split_once('/').unwrap_or((who, who));
            let kind = match line.split(' ').next() {
                Some("service") => "error",
                Some("fail" | "code" | "good" | "bad" | "refuse") => "result",
                _ => "step",
            };
            let mut event = Event::new(kind)
                .id(&*id)
                .session(session)
                .instance(agent)
                .time_ns(self.steps * 1_000_000_000)
                .payload(line.to_owned());
            if line.starts_with("fail") || line.starts_with("code") || line.starts_with("bad") {
                event = event.label("is_error", "true");
            }
            if line.starts_with("refuse") || line.starts_with("stop") {
                event = event.label("interrupted", "stopped");
            }
            if agent != session {
                event = event.scope(Scope::Own);
            }
            if let Some(asked) = line.strip_prefix("user ") {
                let title: String = asked.chars().take(40).collect();
                event = event.label("title", title).label("title_by", "request");
            }
            let before = self.last.iter().find(|(of, _)| of == who).map(|(_, id)| id.clone());
            if let Some(call) = spawned_by.take() {
                event = event.parent(call).link(LinkKind::Spawned);
            } else if let Some(before) = before {
                event = event.parent(&*before);
            }
            self.store.append(event).expect("the event is sound");
            self.last.retain(|(of, _)| of != who);
            self.last.push((who.to_owned(), id));
        }
        self
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        self.store.snapshot()
    }
}
