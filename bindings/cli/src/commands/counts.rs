//! `forebear count` and `forebear timeline`.

use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use clap::Args;
use forebear::{CountBy, Cursor, limits};

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::json::NextLine;
use crate::output::{Out, draw, text, time};
use crate::parse::at_least_one;
use crate::place;
use crate::select::FilterArgs;

/// Columns of the widest bar.
const BAR_COLUMNS: usize = 40;

/// Count events by kind, instance, session or a label
#[derive(Debug, Args)]
#[command(after_help = "\
The most frequent first, at most 1000. What to count by can be said with --by, too. With --json: objects with `value` and `count`.

Examples:
  forebear count kind
  forebear count label:tool --errors --since 1d")]
pub(crate) struct CountArgs {
    /// What to count by: kind, instance, session or label:KEY
    #[arg(value_name = "BY", required_unless_present = "by")]
    what: Option<By>,
    /// The same
    #[arg(long, value_name = "BY", conflicts_with = "what")]
    by: Option<By>,
    /// Values at most
    #[arg(short = 'n', long, value_name = "N", default_value_t = limits::MAX_PAGE, value_parser = at_least_one)]
    limit: usize,
    #[command(flatten)]
    filter: FilterArgs,
}

/// Count events over time
#[derive(Debug, Args)]
#[command(after_help = "\
Stretches without events are left out of --json: objects with `start` and `count`, the
last with `next`, for --after, if there are more than 1000.

Examples:
  forebear timeline
  forebear timeline --bucket 10m --kind tool_use --since 1d")]
pub(crate) struct TimelineArgs {
    /// How long a stretch is: 10s, 5m, 1h, 1d
    #[arg(long, value_name = "LENGTH", default_value = "1h", value_parser = time::parse_length)]
    bucket: Duration,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    page: crate::select::PageArgs,
}

#[derive(Clone, Debug)]
struct By(CountBy);

impl FromStr for By {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(Self(match text.split_once(':') {
            None if text == "kind" => CountBy::Kind,
            None if text == "instance" => CountBy::Instance,
            None if text == "session" => CountBy::Session,
            Some(("label", key)) if !key.is_empty() => CountBy::Label(key.to_owned()),
            _ => return Err("expected kind, instance, session or label:KEY".to_owned()),
        }))
    }
}

impl Run for CountArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let filter = self.filter.filter(&snapshot)?;
        // One of the two is required.
        let by = self.by.as_ref().or(self.what.as_ref()).map_or(CountBy::Kind, |by| by.0.clone());
        let page = snapshot.counts(by, filter).limit(self.limit.min(limits::MAX_PAGE)).page()?;
        let (counts, mut unread) = (page.items, UnreadParts::default());
        unread.add(&page.damaged);
        let mut out = Out::paged(global);
        let most = counts.iter().map(|count| count.count).max().unwrap_or(1);
        let names: Vec<_> = counts.iter().map(|count| text::clean(&count.value)).collect();
        let widest = names.iter().map(|name| text::width(name)).max().unwrap_or(0);
        let room = out.columns().saturating_sub(14);
        let name_columns = widest.min(room * 2 / 3);
        for (count, name) in counts.iter().zip(&names) {
            if global.json {
                out.json(count)?;
            } else {
                let line = format!(
                    "{:>10}  {}  {}",
                    text::thousands(count.count),
                    text::fit(name, name_columns),
                    draw_bar(&out, count.count, most, room.saturating_sub(name_columns)),
                );
                writeln!(out, "{}", line.trim_end())?;
            }
        }
        out.finish()?;
        if counts.is_empty() && unread.is_empty() {
            return Err(CommandFailure::NothingFound("no event matches".to_owned()));
        }
        unread.finish()
    }
}

impl Run for TimelineArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let filter = self.filter.filter(&pages.now())?;
        let mut after = self.page.after;
        let mut out = Out::paged(global);
        let (mut last, mut unread) = (None, UnreadParts::default());
        let mut left = self.page.limit_or(limits::MAX_PAGE);
        loop {
            let limit = left.min(limits::MAX_PAGE);
            let page = pages.ask(|snapshot| {
                snapshot.timeline(self.bucket, &filter).after(after).limit(limit).page()
            })?;
            left = left.saturating_sub(page.items.len());
            unread.add(&page.damaged);
            let most = page.items.iter().map(|bucket| bucket.count).max().unwrap_or(1);
            for bucket in &page.items {
                if global.json {
                    out.json(bucket)?;
                } else {
                    draw_gap(&mut out, last, bucket.start_ns, self.bucket)?;
                    let room = out.columns().saturating_sub(33);
                    let line = format!(
                        "{}  {:>10}  {}",
                        time::clock(bucket.start_ns),
                        text::thousands(bucket.count),
                        draw_bar(&out, bucket.count, most, room),
                    );
                    writeln!(out, "{line}")?;
                }
                last = Some(bucket.start_ns);
            }
            match page.next {
                Some(cursor) if left > 0 => after = Some(cursor),
                next => {
                    finish_timeline(&mut out, next, global)?;
                    break;
                }
            }
        }
        out.finish()?;
        if last.is_none() && unread.is_empty() {
            return Err(CommandFailure::NothingFound("no event matches".to_owned()));
        }
        unread.finish()
    }
}

/// Says that there were no events for a while.
fn draw_gap(out: &mut Out, last_ns: Option<i64>, start_ns: i64, bucket: Duration) -> CommandResult {
    let Some(last_ns) = last_ns else {
        return Ok(());
    };
    let between = Duration::from_nanos(last_ns.abs_diff(start_ns)).saturating_sub(bucket);
    if !between.is_zero() {
        draw::remark(out, &format!("        {} without events", time::took(between)))?;
    }
    Ok(())
}

fn finish_timeline(out: &mut Out, next: Option<Cursor>, global: &Global) -> CommandResult {
    let Some(cursor) = next else {
        return Ok(());
    };
    if global.json {
        out.json_end(&NextLine::from(cursor))?;
    } else {
        draw::remark(out, &format!("there may be more: --after {cursor}, or --all"))?;
    }
    Ok(())
}

fn draw_bar(out: &Out, value: u64, most: u64, room: usize) -> String {
    let bar = draw::bar(value, most, room.min(BAR_COLUMNS));
    out.paint(draw::TEAL, bar).to_string()
}
