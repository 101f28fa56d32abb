//! `forebear slow`: where did the time go?

use std::io::Write;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use forebear::answers::{Budget, SlowQuery, SlowReport, TimeSpent, slow};

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::formats;
use crate::global::Global;
use crate::output::{Out, draw, text, time as times};
use crate::place;

/// Tools, calls, turns and steps that are shown.
const SHOWN: usize = 10;

/// Show where the time of a session went
///
/// What tools took, what the model took, and how long the user was waited for; the slowest
/// calls and turns; and what the newest answer waited for. Agents that work at the same time
/// are not added.
#[derive(Debug, Args)]
#[command(after_help = "\
Percentiles are given of tools with 20 calls or more. Waiting for the user (for a request, an
answer, a permission) counts apart and is no call's. Of all sessions, without SESSION, there
is no path.

With --json: one object with `session`, `sessions`, `time`, `tools`, `slowest`,
`critical_path`, `turns`, `days` and `complete`; lengths of time are in nanoseconds (`_ns`).
The exit code is 3 where there is no such session.

Examples:
  forebear slow 0fae0449
  forebear slow --json | jq '.tools[] | [.tool, .p95_ns]'")]
pub(crate) struct SlowArgs {
    /// The session: its name, or the beginning of it; an event of it; or SESSION/AGENT; all of
    /// them unless named
    session: Option<String>,

    /// How long to look at most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = times::parse_length)]
    within: Duration,
}

impl Run for SlowArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let query = match &self.session {
            Some(text) => SlowQuery::session(place::find_session(&snapshot, text)?),
            None => SlowQuery::all(),
        };
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX).time(self.within);
        let report = slow(&snapshot, formats::readings(), &query.budget(budget))?;
        let report = report.filter(|report| report.sessions > 0);
        let report =
            report.ok_or_else(|| CommandFailure::NothingFound("there is no session".into()))?;
        let mut out = Out::paged(global);
        if global.json {
            out.json(&report)?;
        } else {
            draw_report(&mut out, &report)?;
        }
        out.finish()?;
        Ok(())
    }
}

fn draw_report(out: &mut Out, report: &SlowReport) -> CommandResult {
    let of = match &report.session {
        Some(session) => format!("session {session}"),
        None => text::counted(report.sessions, "session", "sessions"),
    };
    draw::line(out, &[(draw::BOLD, &text::clean(&of))])?;
    writeln!(out, "  {}", spent(report.time))?;
    if !report.tools.is_empty() {
        heading(out, "tools")?;
        let header = format!(
            "  {:>7} {:>6} {:>8} {:>8} {:>8} {:>8}  tool",
            "calls", "errors", "total", "p50", "p95", "max"
        );
        draw::line(out, &[(draw::DIM, &header)])?;
    }
    for tool in report.tools.iter().take(SHOWN) {
        let if_any = |length: Option<Duration>| length.map_or_else(|| "-".to_owned(), times::took);
        let line = format!(
            "  {:>7} {:>6} {:>8} {:>8} {:>8} {:>8}  {}",
            text::thousands(tool.calls),
            text::thousands(tool.errors),
            times::took(tool.total),
            if_any(tool.p50),
            if_any(tool.p95),
            times::took(tool.max),
            text::clean(&tool.tool),
        );
        draw::line(out, &[(Style::new(), &line)])?;
    }
    more(out, report.tools.len())?;
    if !report.slowest.is_empty() {
        heading(out, "slowest calls")?;
    }
    for call in report.slowest.iter().take(SHOWN) {
        let style = if call.is_error { draw::RED } else { Style::new() };
        let lead = format!("  {:>8}  {:<8}  ", times::took(call.took), text::short_id(&call.event));
        let words = format!("{}: {}", call.tool, call.about);
        draw::line(out, &[(draw::DIM, &lead), (style, &text::clean(&words))])?;
    }
    if !report.critical_path.is_empty() {
        heading(out, "what the newest answer waited for, the longest")?;
        let mut longest: Vec<_> = report.critical_path.iter().collect();
        longest.sort_by_key(|step| std::cmp::Reverse(step.took));
        longest.truncate(SHOWN);
        longest.sort_by_key(|step| step.from_ns);
        for step in longest {
            let what = step.tool.as_deref().unwrap_or(step.on.as_str());
            let line = format!(
                "  {}  {:>8}  {:<8}  {}{}",
                times::time_of_day(step.from_ns),
                times::took(step.took),
                text::short_id(&step.event),
                "  ".repeat(step.depth as usize),
                text::clean(what),
            );
            draw::line(out, &[(Style::new(), &line)])?;
        }
    }
    if report.turns.len() > 1 {
        heading(out, "longest turns")?;
        for turn in report.turns.iter().take(SHOWN) {
            let lead = format!(
                "  {}  {:>8}  ",
                times::clock(turn.from_ns),
                times::took(turn.time.total())
            );
            draw::line(out, &[(draw::DIM, &lead), (Style::new(), &text::clean(&turn.about))])?;
        }
    }
    if report.days.len() > 1 {
        heading(out, "by day")?;
        for day in &report.days {
            let line = format!("  {}  {}", times::day(day.day_ns), spent(day.time));
            draw::line(out, &[(Style::new(), &line)])?;
        }
    }
    if !report.complete {
        draw::remark(out, "not all was read: give more --within, or part of it is damaged")?;
    }
    Ok(())
}

fn heading(out: &mut Out, words: &str) -> CommandResult {
    writeln!(out)?;
    draw::line(out, &[(draw::BOLD, words)])?;
    Ok(())
}

fn more(out: &mut Out, all: usize) -> CommandResult {
    if all > SHOWN {
        draw::remark(out, &format!("  and {} more: --json", all - SHOWN))?;
    }
    Ok(())
}

fn spent(time: TimeSpent) -> String {
    format!(
        "tools {}, model {}, waiting for the user {}",
        times::took(time.tools),
        times::took(time.model),
        times::took(time.user)
    )
}
