//! Commands that run on after their call was answered: what is written to one later gives
//! what came of it.

use std::collections::VecDeque;

use forebear_core::Event;
use forebear_readings::json::JsonStr;
use forebear_readings::{Text, Texts};

use super::calls::CallInput;
use super::output::CallOutput;
use super::{CodexPayload, TOOL_USE};
use crate::formats::common::values::label_value;
use forebear_readings::keys::{IS_ERROR, TOOL};

/// The calls of a file that run commands or write to them, the newest.
#[derive(Debug, Default)]
pub(super) struct Running(VecDeque<RunningCommand>);

#[derive(Debug)]
struct RunningCommand {
    call: String,
    tool: String,
    /// The session that it runs on in, or is written to.
    session: Option<String>,
    interrupted: bool,
}

impl Running {
    /// Takes notice of a call or of an output; labels one that is a command's and not that
    /// of the call which wrote to it.
    pub(super) fn note(&mut self, event: Event, payload: &CodexPayload<'_>) -> Event {
        let Some(call) = payload.call_id.map(label_value) else { return event };
        if event.as_kind() == TOOL_USE {
            self.call(call, payload);
            return event;
        }
        let output = payload.output.iter().chain(&payload.texts);
        let text: Texts<'_> = output.map(|text: &JsonStr<'_>| Text::from(*text)).collect();
        if text.is_empty() {
            return event;
        }
        let Some(at) = self.0.iter().rposition(|known| known.call == call) else { return event };
        let output = CallOutput::of(text);
        if self.0[at].tool != WRITE {
            self.0[at].session = output.runs_on;
            return event;
        }
        let session = &self.0[at].session;
        let mut commands = self.0.iter().rev().filter(|known| known.tool != WRITE);
        let command = commands.find(|known| known.session.is_some() && known.session == *session);
        let Some(command) = command else { return event };
        let event = event.label(TOOL, &command.tool);
        // The agent itself stopped it.
        let stopped = command.interrupted && output.exit_code == Some(INTERRUPTED);
        if stopped { event.label(IS_ERROR, "false") } else { event }
    }

    fn call(&mut self, call: String, payload: &CodexPayload<'_>) {
        let Some(tool) = payload.name.map(label_value) else { return };
        let mut session = None;
        if tool == WRITE
            && let Some(arguments) = payload.arguments
        {
            let input = CallInput::read(&tool, &arguments.decode());
            session = input.session;
            if input.interrupts && session.is_some() {
                let running = self.0.iter_mut().filter(|known| known.session == session);
                running.for_each(|known| known.interrupted = true);
            }
        }
        if self.0.len() == MAX_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back(RunningCommand { call, tool, session, interrupted: false });
    }
}

/// The tool that writes to a command.
const WRITE: &str = "write_stdin";
/// The exit code of what was interrupted.
const INTERRUPTED: i64 = 130;
/// Calls that are remembered.
const MAX_KNOWN: usize = 256;
