//! Calls of tools, by the names that tools have in most programs.

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{
    Access, Call, CallFamily, FileUse, Plan, PlanItem, PlanState, Reading, Text,
};

/// Adds a call to a reading, with the files that it is about and the plan that it makes.
/// `input` is what it is called with, as JSON.
pub(crate) fn add_call<'t>(
    reading: &mut Reading<'t>,
    id: Option<JsonStr<'t>>,
    tool: Option<JsonStr<'t>>,
    input: &'t str,
) {
    if reading.calls.len() == Reading::MAX_PARTS {
        reading.more = true;
        return;
    }
    let name = tool.map(JsonStr::decode).unwrap_or_default();
    let family = family(&name);
    let target = target(input, fields(family));
    let access = match family {
        CallFamily::Read => Some(Access::Read),
        CallFamily::Edit => Some(Access::Written),
        _ => None,
    };
    if let (Some(access), Some(path)) = (access, target) {
        reading.files.push(FileUse { path: Text::from(path), access });
    }
    if family == CallFamily::Plan {
        reading.plan = plan(input);
    }
    reading.calls.push(Call {
        id: id.map(Text::from),
        tool: tool.map(Text::from),
        family,
        input: (!input.is_empty()).then(|| Text::from(input)),
        target: target.map(Text::from),
        cwd: None,
    });
}

/// What sort of tool has this name.
pub(crate) fn family(name: &str) -> CallFamily {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "read" | "read_file" | "read_many_files" | "readfile" | "view" | "view_image" => {
            CallFamily::Read
        }
        "grep"
        | "grep_search"
        | "search_file_content"
        | "glob"
        | "find"
        | "ls"
        | "list"
        | "list_directory"
        | "codebase_search"
        | "semanticsearch" => CallFamily::Search,
        "write" | "write_file" | "edit" | "multiedit" | "replace" | "create" | "strreplace"
        | "applypatch" | "apply_patch" | "delete" | "patch" | "notebookedit" | "editnotebook" => {
            CallFamily::Edit
        }
        "bash" | "shell" | "execute" | "run_shell_command" | "run_terminal_cmd" | "exec" => {
            CallFamily::Shell
        }
        "web_fetch" | "webfetch" | "fetch" | "fetchurl" | "google_web_search" | "websearch"
        | "web_search" => CallFamily::Web,
        "task" | "agent" | "delegate_to_agent" | "spawn_agent" => CallFamily::Agent,
        "skill" | "activate_skill" => CallFamily::Skill,
        "todowrite" | "todo_write" | "write_todos" | "update_plan" | "updatetodos" => {
            CallFamily::Plan
        }
        "askuser" | "ask_user" | "askuserquestion" | "question" => CallFamily::Question,
        _ => CallFamily::Other,
    }
}

/// The fields of an input that say what a call is about, the best first.
fn fields(family: CallFamily) -> &'static [&'static str] {
    match family {
        CallFamily::Read | CallFamily::Edit => {
            &["file_path", "filePath", "path", "absolute_path", "notebook_path", "target_file"]
        }
        CallFamily::Search => {
            &["pattern", "query", "glob_pattern", "path", "dir_path", "directory_path"]
        }
        CallFamily::Shell => &["command", "cmd"],
        CallFamily::Web => &["url", "query", "search_term", "prompt"],
        CallFamily::Agent => &["description", "prompt", "message", "task"],
        CallFamily::Skill => &["skill", "name"],
        _ => &["path", "url", "query", "name", "description"],
    }
}

/// The best of these fields of an object that is there.
pub(crate) fn target<'t>(input: &'t str, fields: &[&str]) -> Option<JsonStr<'t>> {
    let mut best: Option<(usize, JsonStr<'t>)> = None;
    JsonCursor::new(input).object(|key, value| {
        if let Some(rank) = fields.iter().position(|field| *field == key)
            && best.is_none_or(|(known, _)| rank < known)
            && let Some(text) = value.text()
        {
            best = Some((rank, text));
        }
    });
    best.map(|(_, text)| text)
}

/// The list of what is to do that a call was given.
pub(crate) fn plan(input: &str) -> Option<Plan<'_>> {
    let mut plan = Plan::default();
    JsonCursor::new(input).object(|key, value| {
        if matches!(key, "todos" | "plan" | "items") {
            if value.is_object() {
                value.object(|key, value| {
                    if key == "todos" {
                        add_items(&mut plan, value);
                    }
                });
            } else {
                add_items(&mut plan, value);
            }
        }
    });
    (plan.text.is_some() || !plan.items.is_empty()).then_some(plan)
}

fn add_items<'t>(plan: &mut Plan<'t>, value: &mut JsonCursor<'t>) {
    if let Some(text) = value.text() {
        plan.text = Some(Text::from(text));
    }
    value.array(|item| {
        let (mut text, mut state) = (None, PlanState::Open);
        item.object(|key, value| match key {
            "content" | "text" | "description" | "step" | "title" => text = value.text().or(text),
            "status" | "state" => {
                let word = value.text().map(JsonStr::decode).unwrap_or_default();
                state = PlanState::of_word(&word);
            }
            _ => {}
        });
        if plan.items.len() < MAX_ITEMS {
            plan.items.extend(text.map(|text| PlanItem { id: None, text: text.into(), state }));
        }
    });
}

const MAX_ITEMS: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_say_what_they_are_about() {
        for (tool, input, family, target) in [
            ("read_file", r#"{"path":"b","file_path":"a"}"#, CallFamily::Read, Some("a")),
            ("Execute", r#"{"command":"ls"}"#, CallFamily::Shell, Some("ls")),
            ("Grep", r#"{"path":"src","pattern":"x"}"#, CallFamily::Search, Some("x")),
            ("mystery", "[]", CallFamily::Other, None),
            ("", "", CallFamily::Other, None),
        ] {
            let mut reading = Reading::default();
            add_call(&mut reading, None, Some(JsonStr::plain(tool)), input);
            let found = reading.calls[0].target.as_ref().map(|text| text.decode().into_owned());
            assert_eq!((reading.calls[0].family, found.as_deref()), (family, target), "{tool}");
        }
        let found = plan(r#"{"todos":[{"content":"a","status":"completed"},{"content":"b"}]}"#);
        let states: Vec<_> = found.unwrap().items.iter().map(|item| item.state).collect();
        assert_eq!(states, [PlanState::Done, PlanState::Open]);
    }
}
