//! `forebear hook`: the payload of a hook of Claude Code, from standard input.

use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use forebear::ingest::submit_hook;
use forebear::limits;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, complain};
use crate::global::Global;
use crate::place;

/// Take the payload of a Claude Code hook from standard input
///
/// Made to be called by the hooks themselves: it hands the payload in through the
/// store's spool, prints nothing to standard output and exits 0 whatever happens, so
/// that it never blocks the tool that calls it. What is wrong, it says on standard error.
/// Whoever has the store open for writing takes the payload in within a moment, else the
/// next command that opens the store.
#[derive(Debug, Args)]
#[command(after_help = "\
A PostToolUse hangs on its PreToolUse, a SubagentStart on the call that started it,
everything else on the session's last event.

In ~/.claude/settings.json, for each of PreToolUse, PostToolUse, SubagentStart and so on:
  \"hooks\": {\"PreToolUse\": [{\"hooks\": [{\"type\": \"command\", \"command\": \"forebear hook\"}]}]}")]
pub(crate) struct HookArgs {}

/// Whether this is a call of a hook, also where nothing else of it is understood.
pub(crate) fn is_called() -> bool {
    let mut args = std::env::args_os().skip(1);
    while let Some(arg) = args.next() {
        if arg == "--store" || arg == "--color" {
            args.next();
        } else if !arg.to_string_lossy().starts_with('-') {
            return arg == "hook";
        }
    }
    false
}

impl Run for HookArgs {
    fn writes(&self) -> bool {
        true
    }

    /// Reports what went wrong and succeeds; it is never the caller's concern.
    fn run(&self, global: &Global) -> CommandResult {
        // A panic was reported by the runtime.
        if let Ok(Err(failure)) = catch_unwind(AssertUnwindSafe(|| hand_in(global))) {
            let _ = failure.report();
        }
        Ok(())
    }
}

/// Says what is wrong with the command line, as no failure.
pub(crate) fn misused(error: &clap::Error) -> ExitCode {
    complain(error.render().to_string().trim_end());
    ExitCode::SUCCESS
}

fn hand_in(global: &Global) -> CommandResult {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time_ns = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX);
    let mut payload = Vec::new();
    let most = limits::MAX_BATCH_BYTES as u64;
    io::stdin().lock().take(most).read_to_end(&mut payload).map_err(|error| {
        CommandFailure::Failed(format!("reading the payload from standard input: {error}"))
    })?;
    submit_hook(&place::spool(global)?, payload, time_ns)?;
    Ok(())
}
