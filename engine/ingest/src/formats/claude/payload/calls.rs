//! Calls of tools, by what each tool is called with.

use forebear_readings::json::{Cursor, JsonStr};
use forebear_readings::{Call, CallFamily, Plan, PlanItem, PlanState, Reading, Text};

/// What was found of a call.
#[derive(Debug, Default)]
pub(super) struct Fields<'p> {
    pub(super) id: Option<JsonStr<'p>>,
    pub(super) name: Option<JsonStr<'p>>,
    /// The input, as it stands.
    pub(super) input: Option<&'p str>,
}

impl<'p> Fields<'p> {
    /// Adds the call, and the plan that it hands in.
    pub(super) fn add_to(self, said: &mut Reading<'p>) {
        let name = self.name.map(JsonStr::decode).unwrap_or_default();
        let family = family(&name);
        if let Some(input) = self.input
            && matches!(family, CallFamily::Plan | CallFamily::Question)
        {
            said.plan = plan(&name, input).or(said.plan.take());
        }
        said.calls.push(Call {
            id: self.id.map(Into::into),
            tool: self.name.map(Into::into),
            family,
            input: self.input.map(Text::from),
            target: self.input.and_then(target),
            cwd: None,
        });
    }
}

/// What sort of tool one of this name is.
pub(super) fn family(name: &str) -> CallFamily {
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
    Cursor::new(input).object(|key, value| {
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
    Cursor::new(input).object(|key, value| match key {
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

fn todo<'p>(item: &mut Cursor<'p>) -> Option<PlanItem<'p>> {
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
