//! `forebear chain`: why did this happen?

use clap::Args;
use forebear::{Chain, Detail, LinkKind, limits};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::commands::chain_picture::{
    ChainPicture, Shown, has_dropped, note_lost, print_upwards, walk,
};
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::Out;
use crate::output::json::EndLine;
use crate::place;
use crate::select::FoldArgs;

/// Show what caused an event, back to the root
///
/// Draws the walk from the event up to its root: kind, id, time since its cause,
/// and what the payload says. The last line says how the walk ended. The tools' own notes are
/// counted and not shown, unless asked for.
#[derive(Debug, Args)]
#[command(after_help = "\
Exits 1 where damage ends the walk or an event on it can't be read whole; what can be is
shown.

With --json: an event on each line, in the last `end`: {\"kind\", \"parent\", \"id\"}, where `kind` is
root, missing, expired, cycle, depth_limit, stopped or damaged, `parent` the event the
walk did not go on to, and `id` the topmost event that it reached. Where it goes on in an
archive, {\"also\": ARCHIVE} follows, and the events and the end there.

Examples:
  forebear chain 5f0c
  forebear chain 5f0c --short
  forebear chain 5f0c --root-first --payload
  forebear chain 5f0c --stop-at spawned          only within the agent
  forebear chain 5f0c --json --max-depth 100 | jq -r .kind")]
pub(crate) struct ChainArgs {
    /// The event: its id, or the beginning of it
    id: String,

    /// Begin with the root
    #[arg(long)]
    root_first: bool,

    /// Edges to follow at most
    #[arg(long, value_name = "EDGES", default_value_t = limits::DEFAULT_MAX_DEPTH)]
    max_depth: u64,

    /// Stop before a link of this kind: caused, continues or spawned
    #[arg(long, value_name = "LINK")]
    stop_at: Option<LinkKind>,

    /// Print the payloads too
    #[arg(long)]
    payload: bool,

    #[command(flatten)]
    fold: FoldArgs,

    #[command(flatten)]
    also: AlsoArgs,
}

impl Run for ChainArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        if self.root_first && !self.also.is_empty() {
            return Err(CommandFailure::Usage(
                "a walk goes on in an archive from below: leave out --root-first or --also"
                    .to_owned(),
            ));
        }
        let (snapshot, id) = self.also.find(&snapshot, &self.id)?;
        let detail = if global.json && !self.payload { Detail::Labels } else { Detail::Payload };
        let limited = |chain: Chain| {
            let chain = chain.max_depth(self.max_depth).detail(detail);
            match self.stop_at {
                Some(kind) => chain.stop_at(kind),
                None => chain,
            }
        };
        let chain = limited(walk(&snapshot, &id)?);
        let (mut out, mut unread) = (Out::paged(global), UnreadParts::default());
        let shown = Shown { payload: self.payload, fold: &self.fold };
        let end = if !global.json {
            let (out, unread, has_dropped) = (&mut out, &mut unread, has_dropped(&snapshot));
            ChainPicture { out, shown, has_dropped, unread }.draw(chain, self.root_first)?
        } else if self.root_first {
            print_downwards(&mut out, chain, shown, &mut unread)?;
            None
        } else {
            print_upwards(&mut out, chain, shown, &mut unread)?
        };
        if let Some(end) = end {
            let out = (&mut out, global.json);
            self.also.go_on(&snapshot, &end, limited, shown, out, &mut unread)?;
        }
        out.finish()?;
        unread.finish()
    }
}

fn print_downwards(
    out: &mut Out,
    chain: Chain,
    shown: Shown<'_>,
    unread: &mut UnreadParts,
) -> CommandResult {
    let events = chain.root_first()?;
    let end = events.end().clone();
    unread.add(events.damage());
    let mut top = None;
    for event in events {
        let event = event?;
        unread.add(event.damage());
        if shown.fold.picks(&event) {
            out.json(&event.json().payload(shown.payload))?;
        }
        top.get_or_insert_with(|| event.id().clone());
    }
    note_lost(Some(&end), unread);
    out.json_end(&EndLine::new(&end, top.as_ref()))?;
    Ok(())
}
