//! `forebear chain`: why did this happen?

use clap::Args;
use forebear::{Chain, ChainEnd, Detail, EventId, LinkKind, Snapshot, limits};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::commands::chain_picture::{ChainPicture, has_dropped, note_lost, walk};
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
        let mut chain = walk(&snapshot, &id)?.max_depth(self.max_depth).detail(detail);
        if let Some(kind) = self.stop_at {
            chain = chain.stop_at(kind);
        }
        let (mut out, mut unread) = (Out::paged(global), UnreadParts::default());
        if global.json {
            print_json(&mut out, chain, self, &mut unread)?;
        } else {
            let has_dropped = has_dropped(&snapshot);
            let mut picture = ChainPicture {
                out: &mut out,
                payload: self.payload,
                has_dropped,
                fold: &self.fold,
                unread: &mut unread,
            };
            picture.draw(chain, self.root_first)?;
        }
        if !self.also.is_empty()
            && let Some(end) = end_of(&snapshot, &id, self)?
        {
            let shown = (self.payload, &self.fold);
            self.also.go_on(&snapshot, &end, global, shown, &mut out, &mut unread)?;
        }
        out.finish()?;
        unread.finish()
    }
}

/// How the walk ends that was asked for.
fn end_of(
    snapshot: &Snapshot,
    id: &EventId,
    args: &ChainArgs,
) -> Result<Option<ChainEnd>, CommandFailure> {
    let mut chain = walk(snapshot, id)?.max_depth(args.max_depth).detail(Detail::Ids);
    if let Some(kind) = args.stop_at {
        chain = chain.stop_at(kind);
    }
    chain.by_ref().try_for_each(|event| event.map(drop))?;
    Ok(chain.end().cloned())
}

fn print_json(
    out: &mut Out,
    mut chain: Chain,
    args: &ChainArgs,
    unread: &mut UnreadParts,
) -> CommandResult {
    let mut top = None;
    let end = if args.root_first {
        let events = chain.root_first()?;
        let end = events.end().clone();
        unread.add(events.damage());
        for event in events {
            let event = event?;
            unread.add(event.damage());
            if args.fold.picks(&event) {
                out.json(&event.json().payload(args.payload))?;
            }
            top.get_or_insert_with(|| event.id().clone());
        }
        Some(end)
    } else {
        for event in chain.by_ref() {
            let event = event?;
            unread.add(event.damage());
            if args.fold.picks(&event) {
                out.json(&event.json().payload(args.payload))?;
            }
            top = Some(event.id().clone());
        }
        unread.add(chain.damage());
        chain.end().cloned()
    };
    note_lost(end.as_ref(), unread);
    if let Some(end) = end {
        out.json_end(&EndLine::new(&end, top.as_ref()))?;
    }
    Ok(())
}
