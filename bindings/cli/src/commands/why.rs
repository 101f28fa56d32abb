//! `forebear why`: why did it fail?

use std::env;
use std::io::Write;

use anstyle::Style;
use clap::Args;
use forebear::answers::{
    Earlier, FailureChain, FailureReport, ListedFailure, Outcome as End, Quote, WhyEnd, WhyQuery,
    failure_chain,
};
use forebear::readings::{Readings, keys};
use forebear::{ChainEnd, Detail, EventId, Filter, Snapshot};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::commands::chain_picture::{self, Shown};
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::formats;
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place::{self, EventOrSession};
use crate::select::FoldArgs;

/// Lines of an error that are shown.
const ERROR_LINES: usize = 20;

/// Lines of a call's input, and of what was said, that are shown.
const QUOTE_LINES: usize = 4;

/// Failures that are listed.
const LISTED: usize = 12;

/// Columns of what a line is about.
const NAME_COLUMNS: usize = 10;

/// Show which failure mattered, and why it happened
///
/// Names the failure that mattered of an event's or a session's, with the call that gave it,
/// the decision to make that call, and the request that all of it goes back to; whether it
/// was repaired; and where such a failure was seen before. Without a name it takes the newest
/// session that worked in this folder, else the newest of the store.
#[derive(Debug, Args)]
#[command(after_help = "\
What becomes of a failure: `repaired` by a later call of the same sort on the same target,
`interrupted` by the user, `open` where nothing followed, `answered` where the turn ended with
words, `passed` where it went on and ended without. Minor ones (a grep that finds nothing, a
file that has to be read first) are listed and never named.

With --json: one object with `session`, `failure`, `call`, `decision`, `request`, `earlier`,
`outcome`, `decided_by`, `repaired_by`, `retries`, `end`, `errors`, `counts` and `complete`;
null where there is none. Where no failure mattered the exit code is 3.

Examples:
  forebear why
  forebear why 5f0c
  forebear why 0fae0449-64d3-4788-8622-d3a47d82c14b --full
  forebear why --json | jq -r .request.text")]
pub(crate) struct WhyArgs {
    /// An event or a session: its id, or the beginning of it
    name: Option<String>,

    /// Print all texts in full, and every failure
    #[arg(long)]
    full: bool,

    #[command(flatten)]
    also: AlsoArgs,
}

impl Run for WhyArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let report = self.ask(&snapshot, formats::readings())?;
        let mut out = Out::paged(global);
        if global.json {
            out.json(&report)?;
        } else {
            let mut picture = Picture {
                out: &mut out,
                full: self.full,
                has_dropped: chain_picture::has_dropped(&snapshot),
            };
            picture.draw(&report)?;
        }
        let mut unread = UnreadParts::default();
        if let Some(WhyEnd { kind: "expired" | "missing", parent: Some(parent), .. }) =
            report.failure.as_ref().map(|chain| &chain.end)
            && !self.also.is_empty()
        {
            let end = ChainEnd::Expired(parent.clone());
            let fold = FoldArgs::default();
            let (shown, out) = (Shown { payload: false, fold: &fold }, (&mut out, global.json));
            self.also.go_on(&snapshot, &end, |chain| chain, shown, out, &mut unread)?;
        }
        out.finish()?;
        if !unread.is_empty() {
            return unread.finish();
        }
        match report.failure {
            Some(_) => Ok(()),
            None => Err(CommandFailure::NothingFound(nothing(&report))),
        }
    }
}

impl WhyArgs {
    fn ask(
        &self,
        snapshot: &Snapshot,
        readings: &Readings,
    ) -> Result<FailureReport, CommandFailure> {
        let ask = |query| failure_chain(snapshot, readings, &query).map_err(CommandFailure::from);
        let Some(name) = &self.name else {
            let here = env::current_dir().ok().and_then(|here| here.to_str().map(str::to_owned));
            if let Some(here) = here {
                let worked_here = Filter::new().label(keys::CWD, &here);
                let events = snapshot.events(worked_here).limit(1).detail(Detail::Ids).page()?;
                if !events.items.is_empty() {
                    return ask(WhyQuery::newest_in(here));
                }
            }
            return ask(WhyQuery::newest());
        };
        ask(match place::find_event_or_session(snapshot, name)? {
            EventOrSession::Event(id) => WhyQuery::event(id),
            EventOrSession::Session(name) => WhyQuery::session(name),
        })
    }
}

/// What there is to say where no failure is named.
fn nothing(report: &FailureReport) -> String {
    if report.all.is_empty() {
        return match &report.session {
            Some(session) => format!("nothing failed in session {session}"),
            None => "nothing failed".to_owned(),
        };
    }
    let all = report.all.len() as u64;
    if report.count(End::Repaired) as u64 == all {
        return format!("{}, all repaired", text::counted(all, "error", "errors"));
    }
    format!("no failure of the last turn mattered: {}", counts(report))
}

/// How many failures came to what.
fn counts(report: &FailureReport) -> String {
    let outcomes = [End::Open, End::Answered, End::Passed, End::Interrupted, End::Repaired];
    let counted = outcomes.into_iter().filter_map(|outcome| {
        let count = report.count(outcome);
        (count > 0).then(|| format!("{} {outcome}", text::thousands(count as u64)))
    });
    counted.collect::<Vec<_>>().join(", ")
}

struct Picture<'o> {
    out: &'o mut Out,
    full: bool,
    /// Whether the store's beginning was dropped.
    has_dropped: bool,
}

impl Picture<'_> {
    fn draw(&mut self, report: &FailureReport) -> CommandResult {
        if let Some(chain) = &report.failure {
            self.draw_chain(report.session.as_deref(), chain)?;
        }
        self.draw_others(report)
    }

    fn draw_chain(&mut self, session: Option<&str>, chain: &FailureChain) -> CommandResult {
        let what = match (&chain.call, chain.outcome) {
            (Some(call), Some(_)) if !call.tool.is_empty() => format!("{} failed", call.tool),
            (_, Some(_)) => format!("{} ", chain.failure.kind()),
            (_, None) => chain.failure.kind().to_owned(),
        };
        let what = match chain.outcome {
            Some(End::Interrupted) => what.replace(" failed", " was stopped"),
            _ => what,
        };
        let at = chain.failure.time_ns();
        let when = format!("  {} {}", time::clock(at), time::zone_name(at));
        let id = format!("  {}", text::typed_id(chain.failure.id()));
        let what = text::clean(what.trim_end()).into_owned();
        draw::line(
            self.out,
            &[(draw::RED.bold(), &what), (Style::new(), &when), (draw::DIM, &id)],
        )?;
        if let Some(session) = session {
            self.lines("in", Style::new(), &format!("session {session}"), 1)?;
        }
        if let Some(request) = &chain.request {
            let lead = if chain.end.by_time { "asked?" } else { "asked" };
            self.quote(lead, request, draw::GREEN)?;
        }
        if let Some(decision) = &chain.decision {
            let lead = if decision.thought { "thought" } else { "decided" };
            self.quote(lead, decision, draw::TEAL)?;
        }
        if let Some(call) = &chain.call {
            let input = call.target.as_deref().filter(|_| !self.full).unwrap_or(&call.input);
            let lead = format!("{}  {}", call.tool, text::typed_id(call.event.id()));
            self.lines("called", draw::BOLD, &lead, 1)?;
            self.lines("", Style::new(), input, QUOTE_LINES)?;
        }
        if !chain.text.is_empty() {
            self.lines("failed", draw::RED, &chain.text, ERROR_LINES)?;
        }
        if let Some(outcome) = chain.outcome {
            self.lines("then", Style::new(), &came_of(chain, outcome), QUOTE_LINES)?;
        }
        if let Some(earlier) = &chain.earlier {
            self.lines("before", Style::new(), &seen(earlier), 2)?;
        }
        if let Some(words) = way(&chain.end, chain.request.is_some(), self.has_dropped) {
            self.lines("way", draw::DIM, &words, QUOTE_LINES)?;
        }
        Ok(())
    }

    fn draw_others(&mut self, report: &FailureReport) -> CommandResult {
        let named = report.failure.as_ref().map(|chain| chain.failure.id());
        let others: Vec<&ListedFailure> =
            report.all.iter().filter(|listed| Some(&listed.event) != named).collect();
        if others.is_empty() {
            return self.incomplete(report);
        }
        if named.is_some() {
            writeln!(self.out)?;
        }
        let before = match (named.is_some(), others.len()) {
            (true, 1) => "other",
            (true, _) => "others",
            (false, 1) => "failure",
            (false, _) => "failures",
        };
        let words = format!("{} {before} of the session: {}", others.len(), counts(report));
        draw::remark(self.out, &words)?;
        let mut shown: Vec<&ListedFailure> = others.clone();
        if !self.full {
            // Those that were not repaired say more.
            shown.sort_by_key(|listed| (listed.outcome == End::Repaired, listed.minor));
            shown.truncate(LISTED);
            shown.sort_by_key(|listed| std::cmp::Reverse(listed.time_ns));
        }
        for listed in &shown {
            self.draw_listed(listed)?;
        }
        if shown.len() < others.len() {
            let words = format!("  and {} more: --full", others.len() - shown.len());
            draw::remark(self.out, &words)?;
        }
        self.incomplete(report)
    }

    fn draw_listed(&mut self, listed: &ListedFailure) -> CommandResult {
        let outcome = if listed.minor { "minor" } else { listed.outcome.as_str() };
        let style = match listed.outcome {
            End::Repaired => draw::DIM,
            _ if listed.minor => draw::DIM,
            _ => Style::new(),
        };
        let tool = text::clean(listed.tool.as_deref().unwrap_or("")).into_owned();
        draw::line(
            self.out,
            &[
                (Style::new(), &format!("  {}  ", time::time_of_day(listed.time_ns))),
                (draw::DIM, &format!("{:<8}  ", text::short_id(&listed.event))),
                (style, &text::fit(outcome, 11)),
                (draw::DIM, &format!("  {}  ", text::fit(&tool, 8))),
                (style, &text::clean(&listed.line)),
            ],
        )?;
        Ok(())
    }

    fn incomplete(&mut self, report: &FailureReport) -> CommandResult {
        if !report.complete {
            let words = "not all of the session was read: it is longer than an answer may read, \
                         or part of it is damaged";
            draw::remark(self.out, words)?;
        }
        Ok(())
    }

    fn quote(&mut self, name: &str, quote: &Quote, style: Style) -> CommandResult {
        let lead = format!(
            "{}  {}",
            time::time_of_day(quote.event.time_ns()),
            text::typed_id(quote.event.id())
        );
        self.lines(name, draw::DIM, &lead, 1)?;
        self.lines("", style, &quote.text, QUOTE_LINES)
    }

    /// Lines of a text that say what it is about, each broken between words, at most so many.
    fn lines(&mut self, name: &str, style: Style, words: &str, most: usize) -> CommandResult {
        let most = if self.full { usize::MAX } else { most };
        let room = self.out.columns().saturating_sub(NAME_COLUMNS + 2);
        let words = text::clean_lines(words.trim_matches('\n'));
        let mut lines = words.lines().flat_map(|line| text::wrap(line.trim_end(), room, 0));
        let mut name = text::fit(name, NAME_COLUMNS);
        let mut shown = 0;
        for line in lines.by_ref().take(most) {
            draw::line(self.out, &[(draw::DIM, &format!("  {name}")), (style, &line)])?;
            name = " ".repeat(NAME_COLUMNS);
            shown += 1;
        }
        let left = lines.count() as u64;
        if left > 0 && shown == most {
            let words = format!("… {} more: --full", text::counted(left, "line", "lines"));
            draw::line(self.out, &[(draw::DIM, &format!("  {name}{words}"))])?;
        }
        Ok(())
    }
}

/// What came of it, in words.
fn came_of(chain: &FailureChain, outcome: End) -> String {
    let by = chain.decided_by.as_ref().filter(|by| *by != chain.failure.id()).map(text::typed_id);
    let by = by.map(|by| format!(" ({by})")).unwrap_or_default();
    let tried = match chain.retries {
        0 => String::new(),
        1 => ", tried again once without success".to_owned(),
        often => format!(", tried again {often} times without success"),
    };
    match outcome {
        End::Repaired => {
            let bypass = chain.repaired_by.as_ref().is_some_and(|repair| repair.bypass);
            let how = if bypass { ", going past the checks that stopped it" } else { "" };
            format!("repaired{by}{how}{tried}")
        }
        End::Interrupted => format!("interrupted: the user stopped it{by}{tried}"),
        End::Open => format!("open: nothing came after it{by}{tried}"),
        End::Answered => {
            format!("answered: the turn ended with words{by}, nothing repaired it{tried}")
        }
        _ => format!("passed: the turn went on and ended without words{by}{tried}"),
    }
}

/// Where such a failure was seen before, in words.
fn seen(earlier: &Earlier) -> String {
    if earlier.count <= 1 {
        return "never seen before".to_owned();
    }
    let at_least = if earlier.complete { "" } else { "at least " };
    format!(
        "{at_least}{} like it in {}, first at {} {} ({})",
        text::counted(earlier.count, "failure", "failures"),
        text::counted(earlier.sessions.max(1), "session", "sessions"),
        time::clock(earlier.first_ns),
        time::zone_name(earlier.first_ns),
        text::typed_id(&earlier.first),
    )
}

/// How the walk ended, where that is not simply at the request.
fn way(end: &WhyEnd, has_request: bool, has_dropped: bool) -> Option<String> {
    let parent = end.parent.as_ref().map(EventId::to_string).unwrap_or_default();
    let by_time = if end.by_time {
        "; the request is the newest before it: by time, not by cause"
    } else {
        ""
    };
    let words = match end.kind {
        "request" => return None,
        "root" if has_request && !end.by_time => return None,
        "root" => format!("ends at a root, {} up", text::counted(end.steps, "step", "steps")),
        "missing" => format!("ends at the parent {parent}, which {}", draw::absent(has_dropped)),
        "expired" => format!("ends at the parent {parent}, which retention removed"),
        "budget" => "ends where it got longer than an answer may read".to_owned(),
        kind => format!("ends at the parent {parent}: {kind}"),
    };
    Some(format!("{words}{by_time}"))
}
