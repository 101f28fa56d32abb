//! Calls of tools, by what each tool is called with.

use std::borrow::Cow;

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Access, Call, CallFamily, FileUse, Plan, PlanItem, PlanState, Text};

/// What a call's input says.
#[derive(Debug, Default)]
pub(super) struct CallInput {
    pub(super) target: Option<String>,
    pub(super) cwd: Option<String>,
    /// The session of a command that is written to, and whether an interrupt is.
    pub(super) session: Option<String>,
    pub(super) interrupts: bool,
    pub(super) plan: Option<Plan<'static>>,
    pub(super) written: Vec<String>,
    pub(super) read: Option<String>,
}

/// What sort of tool one of this name is.
pub(super) fn family(name: &str) -> CallFamily {
    match name {
        "shell" | "shell_command" | "exec_command" | "container.exec" | "local_shell"
        | "local_shell_call" | "unified_exec" => CallFamily::Shell,
        "apply_patch" => CallFamily::Edit,
        "view_image" | "read_file" => CallFamily::Read,
        "list_dir" | "grep_files" => CallFamily::Search,
        "web_search" | "web_search_call" => CallFamily::Web,
        "update_plan" => CallFamily::Plan,
        "request_user_input" => CallFamily::Question,
        "spawn_agent" | "wait_agent" | "send_input" | "send_message" | "followup_task"
        | "close_agent" | "interrupt_agent" | "resume_agent" => CallFamily::Agent,
        _ => CallFamily::Other,
    }
}

impl CallInput {
    /// Reads the input of a tool: JSON, or the words of a patch.
    pub(super) fn read(tool: &str, input: &str) -> Self {
        let mut found = Self::default();
        if tool == "apply_patch" && !input.trim_start().starts_with('{') {
            found.take_patch(input);
            return found;
        }
        let mut best: Option<(usize, String)> = None;
        JsonCursor::new(input).object(|key, value| match key {
            "command" | "cmd" => {
                if let Some(command) = command(value) {
                    if tool == "apply_patch" || command.starts_with("apply_patch") {
                        found.take_patch(&command);
                    }
                    best = Some((0, command));
                }
            }
            "workdir" | "cwd" | "working_directory" => found.cwd = value.text().map(decoded),
            "session_id" => found.session = value.scalar().map(scalar),
            "chars" => {
                // An interrupt is told by its escape.
                let chars = value.string().map(JsonStr::decode).unwrap_or_default();
                found.interrupts = chars.contains('\u{3}');
            }
            "input" | "patch" if tool == "apply_patch" => {
                if let Some(patch) = value.text() {
                    found.take_patch(&patch.decode());
                }
            }
            "plan" => found.plan = Some(plan(value)),
            _ => {
                let rank =
                    1 + TARGETS.iter().position(|name| *name == key).unwrap_or(TARGETS.len());
                if let Some(text) = value.text()
                    && best.as_ref().is_none_or(|(known, _)| rank < *known)
                {
                    best = Some((rank, decoded(text)));
                }
            }
        });
        if tool == "view_image" || tool == "read_file" {
            found.read = best.as_ref().map(|(_, path)| path.clone());
        }
        found.target = found.target.take().or(best.map(|(_, text)| text));
        found
    }

    /// The paths of a patch.
    fn take_patch(&mut self, patch: &str) {
        for line in patch.lines() {
            let file = PATCHED.iter().find_map(|start| line.strip_prefix(start));
            if let Some(file) = file.map(str::trim).filter(|file| !file.is_empty()) {
                self.written.push(file.to_owned());
            }
        }
        self.target = self.written.first().cloned();
    }

    /// The files that it is about to read or write.
    pub(super) fn files<'p>(&self) -> Vec<FileUse<'p>> {
        let written = self.written.iter().map(|path| (path, Access::Written));
        let all = written.chain(self.read.iter().map(|path| (path, Access::Read)));
        all.map(|(path, access)| FileUse { path: path.clone().into(), access }).collect()
    }

    pub(super) fn call<'p>(
        &self,
        id: Option<Text<'p>>,
        tool: Text<'p>,
        input: Option<Text<'p>>,
    ) -> Call<'p> {
        let family = family(&tool.decode());
        Call {
            id,
            tool: Some(tool),
            family,
            input,
            target: self.target.clone().map(Into::into),
            cwd: self.cwd.clone().map(Into::into),
        }
    }
}

/// A command: a line, or words of which a shell's line is the last.
pub(super) fn command(value: &mut JsonCursor<'_>) -> Option<String> {
    if let Some(line) = value.text() {
        return Some(decoded(line));
    }
    let mut words: Vec<String> = Vec::new();
    value.array(|word| words.extend(word.string().map(decoded)));
    if let [shell, flag, line] = &*words
        && SHELLS.contains(&shell.rsplit('/').next().unwrap_or(shell))
        && matches!(flag.as_str(), "-c" | "-lc" | "-Command")
    {
        return Some(line.clone());
    }
    (!words.is_empty()).then(|| words.join(" "))
}

fn plan(value: &mut JsonCursor<'_>) -> Plan<'static> {
    let mut plan = Plan::default();
    value.array(|item| {
        let (mut step, mut status) = (None, None);
        item.object(|key, value| match key {
            "step" => step = value.text().map(decoded),
            "status" => status = value.text().map(decoded),
            _ => {}
        });
        if let Some(step) = step {
            let state = status.map_or(PlanState::Open, |word| PlanState::of_word(&word));
            plan.items.push(PlanItem { id: None, text: step.into(), state });
        }
    });
    plan
}

pub(super) fn decoded(text: JsonStr<'_>) -> String {
    text.decode().into_owned()
}

fn scalar(value: forebear_readings::json::Scalar<'_>) -> String {
    let text: Cow<'_, str> = crate::formats::common::values::scalar_text(value);
    text.into_owned()
}

const SHELLS: [&str; 6] = ["bash", "sh", "zsh", "powershell", "pwsh", "powershell.exe"];
const PATCHED: [&str; 4] =
    ["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];
/// Fields of inputs, those first that say best what a call is about.
const TARGETS: [&str; 12] = [
    "path",
    "file_path",
    "pattern",
    "query",
    "url",
    "task_name",
    "agent_type",
    "target",
    "id",
    "message",
    "prompt",
    "title",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_calls_are_about() {
        for (tool, input, expected) in [
            ("shell", r#"{"command":["bash","-lc","make test"]}"#, "make test"),
            ("shell", r#"{"command":["ls","-l"]}"#, "ls -l"),
            ("exec_command", r#"{"cmd":"make","workdir":"/w"}"#, "make"),
            ("view_image", r#"{"path":"/a.png"}"#, "/a.png"),
            ("apply_patch", "*** Begin Patch\n*** Update File: a.rs\n*** Add File: b.rs\n", "a.rs"),
            ("other", r#"{"x":"y","query":"q"}"#, "q"),
        ] {
            assert_eq!(CallInput::read(tool, input).target.as_deref(), Some(expected), "{input}");
        }
        let input = CallInput::read("write_stdin", r#"{"session_id":5,"chars":"\u0003"}"#);
        assert!(input.interrupts && input.session.as_deref() == Some("5"));
        let input = CallInput::read(
            "update_plan",
            r#"{"plan":[{"step":"a","status":"completed"},{"step":"b","status":"pending"}]}"#,
        );
        assert_eq!(input.plan.unwrap().items[0].state, PlanState::Done);
    }
}
