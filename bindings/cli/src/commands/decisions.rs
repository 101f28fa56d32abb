//! `forebear decisions`: what was decided, why, and what came of it?

use std::io::Write;

use anstyle::Style;
use clap::Args;
use forebear::answers::{Decision, DecisionsQuery, decisions};

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::formats;
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// Lines of a text that are shown.
const LINES: usize = 3;

/// Columns of what a line is about.
const NAME_COLUMNS: usize = 10;

/// Show what was decided in a session, why, and what came of it
///
/// The agents that were started or asked, plans, questions to the user and their answers, what
/// the user did not allow, and what a service states: events of the kind `spawn_decision`.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: one object with `session`, `decisions` and `complete`. Each decision has `kind`
(agent, plan, question, denied, stated), `event`, `time`, `instance`, `tool`, `what`,
`reasoning`, `request`, `result` (`event`, `end`, `text`, `took_ns`) and `agents` (`session`,
`events`, `errors`, `tokens`, `took_ns`); null where there is none. The exit code is 3 where
there is no such session, and where nothing was decided.

Examples:
  forebear decisions 0fae0449
  forebear decisions 0fae0449 --json | jq '.decisions[] | select(.kind == \"denied\")'")]
pub(crate) struct DecisionsArgs {
    /// The session: its name, or the beginning of it; an event of it; or SESSION/AGENT
    session: String,

    /// Print all texts in full
    #[arg(long)]
    full: bool,
}

impl Run for DecisionsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let session = place::find_session(&snapshot, &self.session)?;
        let found = decisions(&snapshot, formats::readings(), &DecisionsQuery::session(&session))?;
        let found = found.ok_or_else(|| {
            CommandFailure::NothingFound(format!("nothing is stored of the session {session:?}"))
        })?;
        let mut out = Out::paged(global);
        if global.json {
            out.json(&found)?;
        } else {
            for (at, decision) in found.decisions.iter().enumerate() {
                if at > 0 {
                    writeln!(out)?;
                }
                self.draw(&mut out, decision)?;
            }
            if !found.complete {
                let words = "not all of the session was read: it is longer than an answer may \
                             read, or part of it is damaged";
                draw::remark(&mut out, words)?;
            }
        }
        out.finish()?;
        if found.decisions.is_empty() {
            let words = format!("nothing was decided in the session {session:?}");
            return Err(CommandFailure::NothingFound(words));
        }
        Ok(())
    }
}

impl DecisionsArgs {
    fn draw(&self, out: &mut Out, decision: &Decision) -> CommandResult {
        let tool = decision.tool.as_deref().unwrap_or_default();
        let lead = format!("{} {tool}", decision.kind.as_str());
        let when = format!(
            "  {} {}  {}  in {}",
            time::clock(decision.time_ns),
            time::zone_name(decision.time_ns),
            text::typed_id(&decision.event),
            decision.instance,
        );
        let (lead, when) = (text::clean(lead.trim_end()), text::clean(&when));
        draw::line(out, &[(draw::BOLD, &lead), (draw::DIM, &when)])?;
        self.lines(out, "what", &decision.what)?;
        if let Some(request) = &decision.request {
            self.lines(out, "asked", &request.text)?;
        }
        if let Some(reasoning) = &decision.reasoning {
            self.lines(out, "because", &reasoning.text)?;
        }
        if let Some(result) = &decision.result {
            let words =
                format!("{}, after {}: {}", result.end, time::took(result.took), result.text);
            self.lines(out, "came of it", &words)?;
        }
        for agent in &decision.agents {
            let lasted =
                agent.took.map_or_else(String::new, |length| format!(", {}", time::took(length)));
            let words = format!(
                "{}: {}, {}, {} tokens out{lasted}",
                agent.session,
                text::counted(agent.events, "event", "events"),
                text::counted(agent.errors, "error", "errors"),
                text::thousands(agent.tokens.output),
            );
            self.lines(out, "agent", &words)?;
        }
        Ok(())
    }

    fn lines(&self, out: &mut Out, name: &str, words: &str) -> CommandResult {
        let most = if self.full { usize::MAX } else { LINES };
        let room = out.columns().saturating_sub(NAME_COLUMNS + 3);
        let words = text::clean_lines(words.trim());
        let lines = words.lines().flat_map(|line| text::wrap(line.trim_end(), room, 0));
        let mut name = text::fit(name, NAME_COLUMNS);
        for line in lines.take(most) {
            draw::line(out, &[(draw::DIM, &format!("  {name} ")), (Style::new(), &line)])?;
            name = " ".repeat(NAME_COLUMNS);
        }
        Ok(())
    }
}
