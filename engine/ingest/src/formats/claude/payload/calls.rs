//! Calls of tools, by what each tool is called with.

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Call, CallFamily, Plan, PlanItem, PlanState, Reading, Text};

/// Adds a call, and the plan that it hands in.
pub(super) fn add_call<'p>(
    said: &mut Reading<'p>,
    id: Option<JsonStr<'p>>,
    tool: Option<JsonStr<'p>>,
    input: &'p str,
) {
    let name = tool.map(JsonStr::decode).unwrap_or_default();
    let family = family(&name);
    if matches!(family, CallFamily::Plan | CallFamily::Question) {
        said.plan = plan(&name, input).or(said.plan.take());
    }
    said.calls.push(Call {
        id: id.map(Into::into),
        tool: tool.map(Into::into),
        family,
        input: (!input.is_empty()).then(|| Text::from(input)),
        target: target(input),
        cwd: None,
    });
}

/// What sort of tool one of this name is.
fn family(name: &str) -> CallFamily {
    match name {
        "Read" | "NotebookRead" => CallFamily::Read,
        "Grep" | "Glob" | "LS" | "LSP" => CallFamily::Search,
        "Edit" | "Write" | "MultiEdit" | "NotebookEdit" => CallFamily::Edit,
        "Bash" | "PowerShell" => CallFamily::Shell,
        "WebFetch" | "WebSearch" | "web_search" | "web_fetch" => CallFamily::Web,
        "Task" | "Agent" | "SendMessage" | "TaskOutput" | "AgentOutputTool" | "Workflow"
        | "TeamCreate" | "TaskStop" => CallFamily::Agent,
        "Skill" | "SlashCommand" => CallFamily::Skill,
        "TodoWrite" | "TaskCreate" | "TaskUpdate" | "TaskList" | "TaskGet" => CallFamily::Plan,
        "AskUserQuestion" | "ExitPlanMode" => CallFamily::Question,
        _ => CallFamily::Other,
    }
}

/// The field of an input that says best what the call is about; none where it has no text.
fn target(input: &str) -> Option<Text<'_>> {
    let mut best: Option<(usize, JsonStr<'_>)> = None;
    JsonCursor::new(input).object(|key, value| {
        let rank = TARGETS.iter().position(|name| *name == key).unwrap_or(TARGETS.len());
        if let Some(text) = value.text()
            && best.is_none_or(|(known, _)| rank < known)
        {
            best = Some((rank, text));
        }
    });
    best.map(|(_, text)| text.into())
}

fn plan<'p>(name: &str, input: &'p str) -> Option<Plan<'p>> {
    let mut plan = Plan::default();
    let (mut subject, mut id, mut status) = (None, None, None);
    JsonCursor::new(input).object(|key, value| match key {
        "plan" => plan.text = value.text().map(Into::into),
        "todos" => value.array(|item| plan.items.extend(todo(item))),
        "subject" => subject = value.text(),
        "taskId" => id = value.text(),
        "status" => status = value.text(),
        _ => {}
    });
    if matches!(name, "TaskCreate" | "TaskUpdate") {
        let state = status.map_or(PlanState::Open, state);
        let text = subject.map_or(Text::from(""), Into::into);
        plan.items.push(PlanItem { id: id.map(Into::into), text, state });
    }
    (plan != Plan::default()).then_some(plan)
}

fn todo<'p>(item: &mut JsonCursor<'p>) -> Option<PlanItem<'p>> {
    let (mut text, mut id, mut status) = (None, None, None);
    item.object(|key, value| match key {
        "content" => text = value.text(),
        "id" => id = value.text(),
        "status" => status = value.text(),
        _ => {}
    });
    let state = status.map_or(PlanState::Open, state);
    Some(PlanItem { id: id.map(Into::into), text: text?.into(), state })
}

fn state(word: JsonStr<'_>) -> PlanState {
    PlanState::of_word(&word.decode())
}

/// Fields of inputs, those first that say best what a call is about.
const TARGETS: [&str; 16] = [
    "command",
    "file_path",
    "notebook_path",
    "pattern",
    "query",
    "url",
    "description",
    "subject",
    "skill",
    "to",
    "recipient",
    "path",
    "task_id",
    "taskId",
    "bash_id",
    "prompt",
];
