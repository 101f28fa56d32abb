//! `forebear resume`: what does a model need to go on?

use clap::Args;
use forebear::answers::{ResumeQuery, resume_context};

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::formats;
use crate::global::Global;
use crate::output::Out;
use crate::place;

/// Print what a model needs to go on with a session
///
/// What is asked and what was asked first, the newest summary of what came before, what is
/// to do, calls without a result, failures that nothing repaired, files written, the last
/// steps of the branch that is active and what came before them in short, and the last word
/// of each agent. The same each time, and never longer than asked.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: one object with `session`, `text`, `left_out` (what there was no room for, and
how many) and `complete`. The exit code is 3 where there is no such session.

Examples:
  forebear resume 0fae0449
  forebear resume 0fae0449 --tokens 2000 > context.md")]
pub(crate) struct ResumeArgs {
    /// The session: its name, or the beginning of it; an event of it; or SESSION/AGENT
    session: String,

    /// How long the text may get; a token is taken for four bytes
    #[arg(long, value_name = "TOKENS", default_value_t = 8000)]
    tokens: usize,

    /// How many of the last steps to tell one by one
    #[arg(long, value_name = "STEPS", default_value_t = 50)]
    last: usize,
}

impl Run for ResumeArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let session = place::find_session(&snapshot, &self.session)?;
        let query = ResumeQuery::new(&session).tokens(self.tokens).last(self.last);
        let resume = resume_context(&snapshot, formats::readings(), &query)?.ok_or_else(|| {
            CommandFailure::NothingFound(format!("nothing is stored of the session {session:?}"))
        })?;
        let mut out = Out::paged(global);
        if global.json {
            out.json(&resume)?;
        } else {
            out.raw(resume.text.as_bytes())?;
        }
        out.finish()?;
        Ok(())
    }
}
