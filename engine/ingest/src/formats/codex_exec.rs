//! What `codex exec --json` prints: one run of the Codex CLI after the other, a line for each
//! thing that happens.
//!
//! Lines have no times, and no ids but those of items, which begin anew with each run. The
//! first line of a run names the thread: `{"type":"thread.started","thread_id":…}`. An item
//! that is started and then completed is a call and its result; tokens are counted over the
//! whole thread.

use std::collections::VecDeque;
use std::sync::Arc;

use forebear_core::{Event, EventId, Tokens, Usage, limits};
use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Access, Call, CallFamily, CallResult, FileUse, Interruption, Payload, PayloadReader, Plan,
    PlanItem, PlanState, Reading, Role, Text,
};

use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
use crate::formats::common::equal::{EqualOnes, content};
use crate::formats::common::labels::{SUBTYPE, TYPE};
use crate::formats::common::reading::{cut_text, label_text};
use crate::formats::common::tokens::{self, TokenNames, counts, without_cached};
use crate::formats::common::values::{is, label_value, text};
use crate::parsed::Parsed;
use forebear_readings::keys::{TOOL, TOOL_USE_ID};

/// What `codex exec --json` prints, `codex-exec`.
#[derive(Clone, Copy, Debug, Default)]
pub struct CodexExec;

impl Adapter for CodexExec {
    fn name(&self) -> &'static str {
        "codex-exec"
    }

    fn source_app(&self) -> Option<&'static str> {
        Some("codex-cli")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let (mut line_type, mut has_thread, mut has_item, mut is_other) = Default::default();
        JsonCursor::new(line).object(|key, value| match key {
            "type" => line_type = value.text(),
            "thread_id" => has_thread = true,
            "item" => has_item = value.is_object(),
            "data" | "payload" | "parentId" => is_other = true,
            _ => {}
        });
        let line_type: Option<JsonStr<'_>> = line_type;
        let line_type = line_type.map(JsonStr::decode).unwrap_or_default();
        match &*line_type {
            _ if is_other => Confidence::No,
            THREAD_STARTED if has_thread => Confidence::Certain,
            "item.started" | "item.updated" | "item.completed" if has_item => Confidence::Likely,
            "turn.started" | "turn.completed" | "turn.failed" => Confidence::Likely,
            _ => Confidence::No,
        }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(Runs {
            file: file.stem(),
            thread: None,
            run: 0,
            last: None,
            open: VecDeque::new(),
            equal: EqualOnes::default(),
            total: Tokens::default(),
            turns: 0,
            time_ns: file.modified_ns,
        })
    }

    fn payloads(&self) -> Option<Arc<dyn PayloadReader>> {
        Some(Arc::new(ExecReader))
    }
}

/// Reads the runs of one file.
#[derive(Debug)]
struct Runs {
    /// Its name, which tells lines apart that stand before the first run.
    file: String,
    thread: Option<String>,
    run: u64,
    last: Option<EventId>,
    /// Items that were started, the newest at the end.
    open: VecDeque<(String, EventId)>,
    equal: EqualOnes,
    /// What the thread took by the turn before.
    total: Tokens,
    turns: u64,
    time_ns: i64,
}

/// What was found on a line.
#[derive(Debug, Default)]
struct ExecFields<'t> {
    line_type: Option<JsonStr<'t>>,
    thread: Option<JsonStr<'t>>,
    message: Option<JsonStr<'t>>,
    usage: Option<Tokens>,
    item: Option<ExecItem<'t>>,
}

#[derive(Debug, Default)]
struct ExecItem<'t> {
    id: Option<JsonStr<'t>>,
    type_name: Option<JsonStr<'t>>,
    text: Option<JsonStr<'t>>,
    message: Option<JsonStr<'t>>,
    status: Option<JsonStr<'t>>,
    command: Option<JsonStr<'t>>,
    output: Option<JsonStr<'t>>,
    exit_code: Option<i64>,
    server: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    arguments: Option<&'t str>,
    query: Option<JsonStr<'t>>,
    prompt: Option<JsonStr<'t>>,
    error: Option<JsonStr<'t>>,
    paths: Vec<JsonStr<'t>>,
    todos: Vec<(JsonStr<'t>, bool)>,
}

impl Runs {
    /// Begins a run where the line does.
    fn observe(&mut self, fields: &ExecFields<'_>) {
        if !is(fields.line_type, THREAD_STARTED) {
            return;
        }
        let thread = fields.thread.map(|thread| text(thread, limits::MAX_NAME_BYTES));
        if thread != self.thread {
            (self.total, self.turns, self.last) = (Tokens::default(), 0, None);
        }
        self.thread = thread;
        self.run += 1;
        self.open.clear();
    }

    /// What a turn took: the thread's total is told, and begins anew where it is less.
    fn usage(&mut self, fields: &ExecFields<'_>) -> Option<Usage> {
        let total = fields.usage?;
        let before = std::mem::replace(&mut self.total, total);
        self.turns += 1;
        let grew = total.input >= before.input
            && total.cache_read >= before.cache_read
            && total.output >= before.output;
        let before = if grew { before } else { Tokens::default() };
        let thread = self.thread.as_deref().unwrap_or(&self.file);
        let message = cut_text(format!("{thread} turn {}", self.turns), limits::MAX_NAME_BYTES);
        let took = Tokens {
            input: total.input - before.input,
            output: total.output - before.output,
            cache_read: total.cache_read - before.cache_read,
            cache_written: 0,
        };
        tokens::usage(message, without_cached(took))
    }

    /// The id of an event: of an item that of its run, and what became of it.
    fn identify(&mut self, event: Event, fields: &ExecFields<'_>, object: &str) -> Event {
        let of = self.thread.as_deref().unwrap_or(&self.file);
        let run = self.run.to_le_bytes();
        let parts = [of.as_bytes(), &run, object.as_bytes()];
        let number = self.equal.number(&content(&parts)).to_le_bytes();
        match fields.item.as_ref().and_then(|item| item.id) {
            Some(id) if !is(fields.line_type, "item.updated") => {
                let stage = fields.line_type.map(JsonStr::decode).unwrap_or_default();
                let id = id.decode_exactly();
                let parts = [of.as_bytes(), &run, id.as_bytes(), stage.as_bytes(), &number];
                event.derived_id(ITEM_DOMAIN, &content(&parts))
            }
            _ => event.derived_id(
                LINE_DOMAIN,
                &content(&[of.as_bytes(), &run, object.as_bytes(), &number]),
            ),
        }
    }

    /// How an item's call is named in the thread: items begin anew with each run.
    fn call_name(&self, item: &ExecItem<'_>) -> Option<String> {
        let id = label_value(item.id?);
        Some(if self.run > 1 { cut_text(format!("run {} {id}", self.run), 1024) } else { id })
    }
}

impl Parser for Runs {
    fn parse(&mut self, object: &str) -> Result<Parsed, String> {
        let fields = ExecFields::read(object);
        self.observe(&fields);
        let mut event = Event::new(kind(&fields)).payload(object).time_ns(self.time_ns);
        event = self.identify(event, &fields, object);
        let call = fields.item.as_ref().filter(|item| item.is_call());
        let call_name = call.and_then(|item| self.call_name(item));
        let started = call_name.as_ref().and_then(|name| {
            let at = self.open.iter().position(|(open, _)| open == name)?;
            Some(self.open[at].1.clone())
        });
        if let Some(parent) = started.or_else(|| self.last.clone()) {
            event = event.parent(parent);
        }
        if event.as_kind() == TOOL_USE
            && let Some(name) = &call_name
        {
            if self.open.len() == MAX_OPEN {
                self.open.pop_front();
            }
            self.open.push_back((name.clone(), event.as_id().clone()));
        }
        self.last = Some(event.as_id().clone());
        if let Some(line_type) = fields.line_type {
            event = event.label(TYPE, label_value(line_type));
        }
        if let Some(item) = &fields.item {
            if let Some(type_name) = item.type_name {
                event = event.label(SUBTYPE, label_value(type_name));
            }
            if let Some(name) = call_name {
                event = event.label(TOOL_USE_ID, name);
                if let Some(tool) = item.tool_name() {
                    event = event.label(TOOL, label_text(&tool));
                }
            }
        }
        if let Some(usage) = self.usage(&fields) {
            event = event.usage(usage);
        }
        if let Some(thread) = &self.thread {
            event = event.session(thread.as_str()).instance(thread.as_str());
        }
        Ok(Parsed::new(event).time_made_up(true))
    }
}

impl<'t> ExecFields<'t> {
    fn read(object: &'t str) -> Self {
        let mut fields = Self::default();
        JsonCursor::new(object).object(|key, value| match key {
            "type" => fields.line_type = value.text(),
            "thread_id" => fields.thread = value.text(),
            "message" => fields.message = value.text(),
            "error" => value.object(|key, value| {
                if key == "message" {
                    fields.message = value.text();
                }
            }),
            "usage" => fields.usage = counts(value, &TOKENS),
            "item" => fields.item = ExecItem::read(value),
            _ => {}
        });
        fields
    }
}

impl<'t> ExecItem<'t> {
    fn read(value: &mut JsonCursor<'t>) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let mut item = Self::default();
        value.object(|key, value| match key {
            "id" => item.id = value.text(),
            "type" => item.type_name = value.text(),
            "text" => item.text = value.text(),
            "message" => item.message = value.text(),
            "status" => item.status = value.text(),
            "command" => item.command = value.text(),
            "aggregated_output" => item.output = value.text(),
            "exit_code" => item.exit_code = value.integer(),
            "server" => item.server = value.text(),
            "tool" => item.tool = value.text(),
            "arguments" => item.arguments = Some(value.raw()),
            "query" => item.query = value.text(),
            "prompt" => item.prompt = value.text(),
            "error" => value.object(|key, value| {
                if key == "message" {
                    item.error = value.text();
                }
            }),
            "changes" => value.array(|change| {
                change.object(|key, value| {
                    if key == "path" {
                        item.paths.extend(value.text());
                    }
                });
            }),
            "items" => value.array(|todo| {
                let (mut text, mut done) = (None, false);
                todo.object(|key, value| match key {
                    "text" => text = value.text(),
                    "completed" => done = value.is_true(),
                    _ => {}
                });
                item.todos.extend(text.map(|text| (text, done)));
            }),
            _ => {}
        });
        Some(item)
    }

    fn is_call(&self) -> bool {
        self.type_name.is_some_and(|name| CALLS.contains(&&*name.decode()))
    }

    /// The name of the tool.
    fn tool_name(&self) -> Option<Text<'t>> {
        match (self.server, self.tool) {
            (Some(server), Some(tool)) => {
                Some(format!("mcp__{}__{}", server.decode(), tool.decode()).into())
            }
            (None, Some(tool)) => Some(tool.into()),
            _ => self.type_name.map(Text::from),
        }
    }

    fn call(&self) -> Call<'t> {
        let type_name = self.type_name.map(JsonStr::decode).unwrap_or_default();
        let (family, target) = match &*type_name {
            "command_execution" => (CallFamily::Shell, self.command),
            "file_change" => (CallFamily::Edit, self.paths.first().copied()),
            "web_search" => (CallFamily::Web, self.query),
            "collab_tool_call" => (CallFamily::Agent, self.prompt),
            _ => (CallFamily::Other, None),
        };
        Call {
            id: self.id.map(Text::from),
            tool: self.tool_name(),
            family,
            input: self.arguments.map(Text::from).or(target.map(Text::from)),
            target: target.map(Text::from),
            cwd: None,
        }
    }

    fn result(&self) -> CallResult<'t> {
        let mut result = CallResult {
            call_id: self.id.map(Text::from),
            is_error: is(self.status, "failed") || self.error.is_some(),
            exit_code: self.exit_code,
            interruption: is(self.status, "declined").then_some(Interruption::Refused),
            ..CallResult::default()
        };
        result.text.extend(self.output.or(self.error));
        result
    }
}

/// What kind of event a line is.
fn kind(fields: &ExecFields<'_>) -> String {
    let line_type = fields.line_type.map(JsonStr::decode).unwrap_or_default();
    let item_type = fields.item.as_ref().and_then(|item| item.type_name);
    let item_type = item_type.map(JsonStr::decode).unwrap_or_default();
    let kind = match (&*line_type, &*item_type) {
        ("turn.failed" | "error", _) | (_, "error") => "error",
        ("item.completed", item) if CALLS.contains(&item) => "tool_result",
        ("item.started", item) if CALLS.contains(&item) => TOOL_USE,
        ("item.completed", "agent_message") => "assistant_message",
        ("item.completed", "reasoning") => "thinking",
        (_, "todo_list" | "plan") => "plan",
        ("", _) => "unknown",
        _ => return text(JsonStr::plain(&line_type), limits::MAX_KIND_BYTES),
    };
    kind.to_owned()
}

/// Reads payloads.
#[derive(Debug)]
struct ExecReader;

impl PayloadReader for ExecReader {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let fields = ExecFields::read(payload.text());
        let mut reading = Reading::default();
        let Some(item) = &fields.item else {
            let has_failed = matches!(payload.kind(), "error");
            reading.error = fields.message.filter(|_| has_failed).map(Text::from);
            reading.bookkeeping = !has_failed;
            return reading;
        };
        let is_completed = is(fields.line_type, "item.completed");
        match &*item.type_name.map(JsonStr::decode).unwrap_or_default() {
            "agent_message" => {
                reading.role = Some(Role::Assistant);
                reading.text.extend(item.text);
                reading.bookkeeping = !is_completed;
            }
            "reasoning" => {
                reading.role = Some(Role::Assistant);
                reading.thinking.extend(item.text);
                reading.bookkeeping = !is_completed;
            }
            "plan" => reading.plan = Some(Plan { text: item.text.map(Text::from), items: vec![] }),
            "todo_list" => {
                let items = item.todos.iter().map(|(text, done)| PlanItem {
                    id: None,
                    text: Text::from(*text),
                    state: if *done { PlanState::Done } else { PlanState::Open },
                });
                reading.plan = Some(Plan { text: None, items: items.collect() });
                reading.bookkeeping = true;
            }
            "error" => reading.error = item.message.map(Text::from),
            _ if item.is_call() => {
                reading.calls.push(item.call());
                if is_completed {
                    reading.role = Some(Role::Tool);
                    reading.results.push(item.result());
                    let paths = item
                        .paths
                        .iter()
                        .map(|path| FileUse { path: Text::from(*path), access: Access::Written });
                    reading.files.extend(paths);
                } else {
                    reading.role = Some(Role::Assistant);
                }
            }
            _ => reading.bookkeeping = true,
        }
        reading
    }

    fn adds(&self) -> Option<&'static [&'static str]> {
        Some(&["mcp"])
    }
}

/// Counts as they are told: what was read from the cache is input too.
const TOKENS: TokenNames = TokenNames {
    input: &["input_tokens"],
    output: &["output_tokens"],
    cache_read: &["cached_input_tokens"],
    cache_written: &[],
};
const THREAD_STARTED: &str = "thread.started";
const TOOL_USE: &str = "tool_use";
/// Items that are calls of tools, with what came of them.
const CALLS: &[&str] =
    &["command_execution", "file_change", "mcp_tool_call", "collab_tool_call", "web_search"];
/// Items that are remembered to find what completes them.
const MAX_OPEN: usize = 256;
const ITEM_DOMAIN: &str = "forebear codex exec item v1";
const LINE_DOMAIN: &str = "forebear codex exec line v1";
