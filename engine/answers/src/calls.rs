//! Calls and what came of them, as far as answers go by them.

use std::collections::BTreeSet;

use forebear_core::StoredEvent;
use forebear_readings::{
    Access, Call, CallFamily, CallResult, Interruption, Reading, Role, failure, failure_of_call,
};

use crate::command::{CommandLine, says_fail};
use crate::signature;

/// Bytes of a failure's text that its first line is looked for in.
const LOOKED_AT_BYTES: usize = 8 << 10;

/// Bytes of a result that are looked through for words of failure.
const SEARCHED_BYTES: usize = 256 << 10;

/// A call of a story.
#[derive(Debug, Default)]
pub(crate) struct CallAt {
    pub(crate) id: String,
    pub(crate) tool: String,
    pub(crate) family: CallFamily,
    /// What it is about: what the same done again has in common with it.
    pub(crate) targets: BTreeSet<String>,
    /// Whether its good end may hide a failure.
    pub(crate) masks: bool,
    /// Whether it goes past checks.
    pub(crate) bypasses: bool,
    /// The batch of calls that it is of, among those of its agent.
    pub(crate) batch: u32,
    pub(crate) part: u32,
    /// Its result, by its place in the story.
    pub(crate) result: Option<u32>,
    /// Of a command its line, by which its failure is weighed.
    command: Option<String>,
}

/// What came of a call, or a failure or a stop that is no call's.
#[derive(Clone, Debug, Default)]
pub(crate) struct ResultAt {
    /// The call, by its place in the story.
    pub(crate) call: Option<u32>,
    pub(crate) part: u32,
    pub(crate) end: CallEnd,
    /// Of a failure its first line.
    pub(crate) line: String,
    pub(crate) exit_code: Option<i64>,
    /// What the call took, as far as the result says so.
    pub(crate) duration_ns: Option<u64>,
    pub(crate) interruption: Option<Interruption>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CallEnd {
    #[default]
    Good,
    Failed {
        minor: bool,
    },
    /// The user refused or stopped it.
    Interrupted,
    /// It says that it is good, and its text that it is not.
    Unsure,
}

/// What an event says, in order.
#[derive(Debug)]
pub(crate) enum StepSaid {
    Request,
    Text,
    Thinking,
    Call(CallAt),
    Result(SaidResult),
    Failed(ResultAt),
    Stopped(ResultAt),
    Other,
}

/// A result before its call is known.
#[derive(Debug)]
pub(crate) struct SaidResult {
    pub(crate) call_id: Option<String>,
    result: CallResult<'static>,
    kind: String,
    says_fail: bool,
    line: String,
}

/// What an event says.
pub(crate) fn said(event: &StoredEvent, reading: &Reading<'_>) -> Vec<StepSaid> {
    let mut said = Vec::new();
    if reading.summary.is_some() {
        return said;
    }
    let failed = failure(event.kind(), reading);
    let of_call = !reading.results.is_empty() || !reading.calls.is_empty();
    match reading.role {
        _ if failed.is_some() && !of_call => {
            let text = reading.error_words(LOOKED_AT_BYTES);
            let minor = failed.is_some_and(|failed| failed.minor);
            said.push(StepSaid::Failed(ResultAt {
                end: CallEnd::Failed { minor },
                line: signature::first_line(&text).to_owned(),
                ..ResultAt::default()
            }));
            return said;
        }
        Some(Role::Assistant) => {
            if !reading.thinking.is_blank() {
                said.push(StepSaid::Thinking);
            }
            if !reading.text.is_blank() {
                said.push(StepSaid::Text);
            }
        }
        None if !of_call && reading.interruption.is_none() => said.push(StepSaid::Other),
        _ => {}
    }
    said.extend(reading.calls.iter().map(|call| StepSaid::Call(call_at(call, reading))));
    said.extend(reading.results.iter().map(|result| StepSaid::Result(said_result(event, result))));
    if reading.interruption.is_some() && reading.results.is_empty() {
        let text = reading.text.start(LOOKED_AT_BYTES);
        let line = signature::first_line(&text).to_owned();
        said.push(StepSaid::Stopped(ResultAt {
            end: CallEnd::Interrupted,
            line,
            ..ResultAt::default()
        }));
    } else if reading.role == Some(Role::User) && !reading.text.is_blank() {
        said.push(StepSaid::Request);
    }
    said
}

fn call_at(call: &Call<'_>, reading: &Reading<'_>) -> CallAt {
    let text = |text: Option<&forebear_readings::Text<'_>>| {
        text.map(|text| text.decode().into_owned()).unwrap_or_default()
    };
    let target = text(call.target.as_ref());
    let mut at = CallAt {
        id: text(call.id.as_ref()),
        tool: text(call.tool.as_ref()),
        family: call.family,
        ..CallAt::default()
    };
    match call.family {
        CallFamily::Shell => {
            let line = CommandLine::read(&target);
            (at.targets, at.masks, at.bypasses) = (line.does, line.masks, line.bypasses);
            at.command = Some(target);
        }
        CallFamily::Edit => {
            let cwd = text(call.cwd.as_ref().or(reading.cwd.as_ref()));
            let written = reading.files.iter().filter(|file| file.access == Access::Written);
            at.targets = written.map(|file| path(&file.path.decode(), &cwd)).collect();
            if at.targets.is_empty() || reading.calls.len() > 1 {
                at.targets = BTreeSet::from([path(&target, &cwd)]);
            }
        }
        // A plan that was refused is told in other words the next time.
        CallFamily::Plan | CallFamily::Question => at.targets = BTreeSet::from([String::new()]),
        _ => at.targets = BTreeSet::from([target]),
    }
    at
}

/// A path as it is within the folder that it was said in.
fn path(path: &str, cwd: &str) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    let within = path.strip_prefix(cwd).and_then(|rest| rest.strip_prefix('/'));
    within.filter(|_| !cwd.is_empty()).unwrap_or(path).to_owned()
}

fn said_result(event: &StoredEvent, result: &CallResult<'_>) -> SaidResult {
    let failed = result.has_failed();
    let line = if failed || result.interruption.is_some() {
        signature::first_line(&result.text.start(LOOKED_AT_BYTES)).to_owned()
    } else {
        String::new()
    };
    SaidResult {
        call_id: result.call_id.as_ref().map(|id| id.decode().into_owned()),
        says_fail: !failed && says_fail(&result.text.start(SEARCHED_BYTES)),
        line,
        kind: event.kind().to_owned(),
        result: CallResult {
            is_error: result.is_error,
            exit_code: result.exit_code,
            interruption: result.interruption,
            mishap: result.mishap,
            duration_ns: result.duration_ns,
            ..CallResult::default()
        },
    }
}

/// A result once its call is known.
pub(crate) fn result_of(
    said: SaidResult,
    call: Option<u32>,
    call_at: Option<&CallAt>,
    part: u32,
) -> ResultAt {
    let SaidResult { result, kind, says_fail, line, .. } = said;
    let exit_code = result.exit_code;
    let (interruption, duration_ns) = (result.interruption, result.duration_ns);
    let reading = Reading { results: vec![result], ..Reading::default() };
    let failed = match call_at {
        Some(at) => {
            let target = at.command.as_deref().map(Into::into);
            let call = Call { family: at.family, target, ..Call::default() };
            failure_of_call(&kind, &reading, &call)
        }
        None => failure(&kind, &reading),
    };
    let end = match failed {
        _ if interruption.is_some() => CallEnd::Interrupted,
        Some(failed) => CallEnd::Failed { minor: failed.minor },
        // The pipe's end is good, what it let through is not.
        None if says_fail && call_at.is_some_and(|call| call.masks) => CallEnd::Unsure,
        None => CallEnd::Good,
    };
    ResultAt { call, part, end, line, exit_code, duration_ns, interruption }
}
