//! `forebear segments`: the parts of the store, one by one.

use std::io::Write;

use clap::Args;
use forebear::SegmentInfo;

use crate::command::Run;
use crate::failure::CommandResult;
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// List the segments that the store is made of
#[derive(Debug, Args)]
#[command(after_help = "\
A segment is sealed once it is full, and archived or dropped as one.
With --json: objects with `number`, `first_seq`, `events`, `lost`, `from` and `to` (times
of its events, null if there are none), `raw_bytes` (of its log), `stored_bytes`, `ratio`
and `state`: sealed, full or active.

Example:
  forebear segments --json | jq 'select(.state == \"sealed\") | .stored_bytes'")]
pub(crate) struct SegmentsArgs {}

impl Run for SegmentsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let segments = place::snapshot(global)?.segments();
        let mut out = Out::paged(global);
        if !global.json {
            let heading = out.paint(draw::BOLD, text::cut(HEADING, out.columns())).to_string();
            writeln!(out, "{heading}")?;
        }
        for segment in &segments {
            if global.json {
                out.json(segment)?;
            } else {
                let line = row(segment);
                writeln!(out, "{}", text::cut(&line, out.columns()))?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

fn row(segment: &SegmentInfo) -> String {
    let at = |ns: Option<i64>| ns.map_or_else(|| "-".to_owned(), time::clock);
    let ratio = segment.ratio().map_or_else(String::new, |ratio| format!("{ratio:.1}x"));
    let lost = match segment.lost {
        0 => String::new(),
        lost => format!(", {} lost", text::thousands(lost)),
    };
    format!(
        "{:>6}  {:>11}  {:<19}  {:<19}  {:>9}  {:>9}  {ratio:>6}  {}{lost}",
        segment.number,
        text::thousands(segment.events),
        at(segment.from_ns),
        at(segment.to_ns),
        text::bytes(segment.raw_bytes),
        text::bytes(segment.stored_bytes),
        segment.state.as_str(),
    )
}

const HEADING: &str = "number       events  from                 to                         log     \
                       stored   ratio  state";
