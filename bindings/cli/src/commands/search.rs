//! `forebear search`: where was it said?

use std::io::Write;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use forebear::answers::{Budget, Match, Search, SearchQuery, search};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, UnreadParts, warn};
use crate::formats;
use crate::global::Global;
use crate::output::json::NextLine;
use crate::output::{Out, draw, text, time};
use crate::place;
use crate::select::{FilterArgs, PageArgs};

/// Matches that are listed unless asked for more.
const LISTED: usize = 20;

/// Find where something was said
///
/// Looks through what was said, thought, called and given back, the newest first, and prints
/// each match as it is found, with what stands around it. Case matters only where a capital
/// letter is asked for.
#[derive(Debug, Args)]
#[command(after_help = "\
Without a match the exit code is 3. With --json: events with `snippet`, `match` (where in it
the match begins and ends, in bytes) and `title` (of the session); the last has `next`, for
--after, and `searched` ({\"events\", \"bytes\"}) where there may be more.

Examples:
  forebear search 'connection refused'
  forebear search 'panicked at .*rs' --regex --since 2d
  forebear search TODO --session 5f0c8a4e-… --kind assistant_message --json")]
pub(crate) struct SearchArgs {
    /// What to look for
    text: String,
    /// Take it for a regular expression
    #[arg(long)]
    regex: bool,
    #[command(flatten)]
    filter: FilterArgs,
    /// How long to look at most
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time::parse_length)]
    within: Duration,
    #[command(flatten)]
    page: PageArgs,
}

/// A match as JSON: the event's keys and what was found.
#[derive(Serialize)]
struct MatchLine<'a> {
    #[serde(flatten)]
    event: forebear::EventJson<'a>,
    snippet: &'a str,
    #[serde(rename = "match")]
    at: (usize, usize),
    title: Option<&'a str>,
}

/// Where to go on, and what was looked through so far.
#[derive(Serialize)]
struct SearchEndLine {
    #[serde(flatten)]
    next: NextLine,
    searched: Searched,
}

#[derive(Serialize)]
struct Searched {
    events: u64,
    bytes: u64,
}

impl Run for SearchArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX).time(self.within);
        let query = SearchQuery::new(&self.text)
            .regex(self.regex)
            .filter(self.filter.filter(&snapshot)?)
            .after(self.page.after)
            .budget(budget);
        let mut matches = search(&snapshot, formats::readings(), &query)?;
        let mut out = Out::paged(global);
        let limit = self.page.limit_or(LISTED);
        let mut found = 0;
        let mut above = MatchHeading::default();
        for one in matches.by_ref().take(limit) {
            let one = one?;
            found += 1;
            if global.json {
                let event = one.event.json().payload(false);
                let Match { snippet, at, title, .. } = &one;
                let title = title.as_deref();
                out.json(&MatchLine { event, snippet, at: *at, title })?;
            } else {
                above.draw(&mut out, &one)?;
            }
        }
        let complete = finish(&mut out, &matches, global)?;
        out.finish()?;
        let mut unread = UnreadParts::default();
        unread.add(matches.damaged());
        if found > 0 || !unread.is_empty() {
            return unread.finish();
        }
        let (text, within) = (&self.text, time::took(self.within));
        Err(CommandFailure::NothingFound(if complete {
            format!("nothing says {text:?}")
        } else {
            format!("nothing says {text:?} as far as {within} went: go on, or give more --within")
        }))
    }
}

/// Says where to go on, where not all was looked through; whether all was.
fn finish(out: &mut Out, matches: &Search<'_>, global: &Global) -> Result<bool, CommandFailure> {
    let Some(next) = matches.cursor()? else { return Ok(true) };
    let (events, bytes) = matches.searched();
    if global.json {
        out.json_end(&SearchEndLine { next: next.into(), searched: Searched { events, bytes } })?;
        return Ok(false);
    }
    let words = format!(
        "not all was searched: {}, {}; go on with --after {next}",
        text::counted(events, "event", "events"),
        text::bytes(bytes),
    );
    if out.is_terminal() {
        draw::remark(out, &words)?;
    } else {
        warn(&words);
    }
    Ok(false)
}

/// What stands above a match already: its session and its day.
#[derive(Default)]
struct MatchHeading {
    session: Option<String>,
    day: String,
}

impl MatchHeading {
    fn draw(&mut self, out: &mut Out, found: &Match) -> CommandResult {
        let event = &found.event;
        let session = event.session().unwrap_or("(no session)");
        let day = time::day(event.time_ns());
        if self.session.as_deref() != Some(session) || self.day != day {
            if self.session.is_some() {
                writeln!(out)?;
            }
            let title = found.title.as_deref().unwrap_or(session);
            let short = format!("  {}", text::cut(&text::clean(session), 8));
            let pieces = [
                (draw::BOLD, text::clean(title).into_owned()),
                (draw::DIM, if title == session { String::new() } else { short }),
                (draw::DIM, format!("  {day} ({})", time::zone_name(event.time_ns()))),
            ];
            let tail: usize = pieces[1..].iter().map(|(_, piece)| text::width(piece)).sum();
            let title = text::cut(&pieces[0].1, out.columns().saturating_sub(tail)).into_owned();
            draw::line(
                out,
                &[(pieces[0].0, &title), (draw::DIM, &pieces[1].1), (draw::DIM, &pieces[2].1)],
            )?;
            (self.session, self.day) = (Some(session.to_owned()), day);
        }
        let lead = format!(
            "  {}  {:<8}  {}  ",
            time::time_of_day(event.time_ns()),
            text::short_id(event.id()),
            text::fit(&text::clean(event.kind()), 12),
        );
        let (begin, end) = found.at;
        let (before, said, after) =
            (&found.snippet[..begin], &found.snippet[begin..end], &found.snippet[end..]);
        // What stands before the match gives way, so that the match is seen.
        let room = out.columns().saturating_sub(text::width(&lead));
        let said = text::cut(&text::clean(said), room).into_owned();
        let for_before = room.saturating_sub(text::width(&said)) / 2;
        let before = ending(&text::clean(before), for_before);
        draw::line(
            out,
            &[
                (draw::DIM, &lead),
                (Style::new(), &before),
                (draw::ORANGE.bold(), &said),
                (Style::new(), &text::clean(after)),
            ],
        )?;
        Ok(())
    }
}

/// The end of a text in so many columns, with `…` where there was more.
fn ending(text: &str, columns: usize) -> String {
    if text::width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = 0;
    let mut begin = text.len();
    for (at, c) in text.char_indices().rev() {
        kept += text::width(c.encode_utf8(&mut [0; 4]));
        if kept + 1 > columns {
            break;
        }
        begin = at;
    }
    format!("…{}", text[begin..].trim_start())
}
