//! `forebear chain`: why did this happen?

use clap::Args;
use forebear::{Chain, ChainEnd, Detail, EventId, LinkKind, Snapshot, StoredEvent, limits};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::json::EndLine;
use crate::output::{Out, draw, text};
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

/// Draws chains.
pub(crate) struct ChainPicture<'o> {
    pub(crate) out: &'o mut Out,
    /// Whether the payloads are drawn too.
    pub(crate) payload: bool,
    /// Whether the store's beginning was dropped.
    pub(crate) has_dropped: bool,
    /// Which events are drawn beside the one asked for.
    pub(crate) fold: &'o FoldArgs,
    pub(crate) unread: &'o mut UnreadParts,
}

impl ChainPicture<'_> {
    /// Draws a chain. It returns the number of events drawn.
    pub(crate) fn draw(&mut self, chain: Chain, root_first: bool) -> Result<u64, CommandFailure> {
        if root_first { self.downwards(chain) } else { self.upwards(chain) }
    }

    fn upwards(&mut self, mut chain: Chain) -> Result<u64, CommandFailure> {
        let (mut drawn, mut steps, mut folded) = (0, 0, 0);
        let mut below: Option<StoredEvent> = None;
        loop {
            let above = chain.next().transpose()?;
            if let Some(event) = &above {
                self.unread.add(event.damage());
            }
            if let Some(below) = below.take() {
                let is_first = steps == 0;
                steps += 1;
                if is_first || self.fold.shows(&below) {
                    self.folded(&mut folded)?;
                    let rail = if is_first { Rail::Top } else { Rail::Between };
                    let cause_ns = above.as_ref().map(StoredEvent::time_ns);
                    draw_event(self.out, rail, &below, cause_ns, self.payload)?;
                    drawn += 1;
                } else {
                    folded += 1;
                }
                if let (Some(above), Some(kind)) = (&above, below.link())
                    && kind != LinkKind::Caused
                {
                    self.folded(&mut folded)?;
                    draw::joint(self.out, kind, true, above.instance())?;
                }
                if above.is_none() {
                    self.folded(&mut folded)?;
                    if let Some(end) = chain.end() {
                        draw::end(self.out, "└ ", end, &below, steps - 1, self.has_dropped)?;
                    }
                }
            } else if let Some(event) = &above {
                head(self.out, event)?;
            }
            below = above;
            if below.is_none() {
                break;
            }
        }
        self.unread.add(chain.damage());
        note_lost(chain.end(), self.unread);
        Ok(drawn)
    }

    fn downwards(&mut self, chain: Chain) -> Result<u64, CommandFailure> {
        let events = chain.root_first()?;
        let steps = events.len().saturating_sub(1) as u64;
        let end = events.end().clone();
        self.unread.add(events.damage());
        note_lost(Some(&end), self.unread);
        let mut events = events.peekable();
        let (mut drawn, mut folded) = (0, 0);
        let mut above_ns = None;
        while let Some(event) = events.next().transpose()? {
            self.unread.add(event.damage());
            if above_ns.is_none() {
                head(self.out, &event)?;
                draw::end(self.out, "┌ ", &end, &event, steps, self.has_dropped)?;
            } else if let Some(kind) = event.link()
                && kind != LinkKind::Caused
            {
                self.folded(&mut folded)?;
                draw::joint(self.out, kind, false, event.instance())?;
            }
            let is_last = events.peek().is_none();
            if is_last || self.fold.shows(&event) {
                self.folded(&mut folded)?;
                let rail = if is_last { Rail::Bottom } else { Rail::Between };
                draw_event(self.out, rail, &event, above_ns, self.payload)?;
                drawn += 1;
            } else {
                folded += 1;
            }
            above_ns = Some(event.time_ns());
        }
        Ok(drawn)
    }

    /// Says how many events were left out since the one that was drawn last.
    fn folded(&mut self, count: &mut u64) -> CommandResult {
        if *count > 0 {
            let words = text::counted(*count, "event", "events");
            draw::line(self.out, &[(draw::DIM, &format!("┊ {words} not shown"))])?;
            *count = 0;
        }
        Ok(())
    }
}

/// Whether the store's beginning was dropped or archived: the first event ever has number 1.
pub(crate) fn has_dropped(snapshot: &Snapshot) -> bool {
    snapshot.first_seq() > 1
}

/// The walk up from an event that is stored.
pub(crate) fn walk(snapshot: &Snapshot, id: &EventId) -> Result<Chain, CommandFailure> {
    snapshot
        .chain(id)?
        .ok_or_else(|| CommandFailure::NothingFound(format!("no event has the id {id}")))
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

/// A walk that ended damaged without meeting what is.
fn note_lost(end: Option<&ChainEnd>, unread: &mut UnreadParts) {
    if let Some(ChainEnd::Damaged(Some(parent))) = end
        && unread.is_empty()
    {
        unread.add_text(format!("the parent {parent} is not found, in a store that lost events"));
    }
}

fn head(out: &mut Out, event: &StoredEvent) -> Result<(), CommandFailure> {
    draw::heading(out, event.time_ns(), event.instance())?;
    Ok(())
}

/// Where an event stands in the picture.
#[derive(Clone, Copy)]
enum Rail {
    Top,
    Between,
    Bottom,
}

fn draw_event(
    out: &mut Out,
    rail: Rail,
    event: &StoredEvent,
    since_ns: Option<i64>,
    payload: bool,
) -> CommandResult {
    let (rail, beneath) = match rail {
        Rail::Top => ("┌ ", "│   "),
        Rail::Between => ("├ ", "│   "),
        Rail::Bottom => ("└ ", "    "),
    };
    draw::DrawnRow::new(event).draw(out, rail, draw::CHAIN_LEAD, since_ns, "")?;
    if payload && let Some(bytes) = event.payload() {
        draw::payload(out, beneath, bytes)?;
    }
    Ok(())
}
