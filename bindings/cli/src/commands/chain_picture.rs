//! Chains as they are drawn.

use forebear::{Chain, ChainEnd, EventId, LinkKind, Snapshot, StoredEvent};

use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::output::json::EndLine;
use crate::output::{Out, draw, text};
use crate::select::FoldArgs;

/// What is shown of a chain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// Whether the payloads are, too.
    pub(crate) payload: bool,
    /// Which events are, beside the one asked for.
    pub(crate) fold: &'a FoldArgs,
}

/// Draws chains.
pub(crate) struct ChainPicture<'o> {
    pub(crate) out: &'o mut Out,
    pub(crate) shown: Shown<'o>,
    /// Whether the store's beginning was dropped.
    pub(crate) has_dropped: bool,
    pub(crate) unread: &'o mut UnreadParts,
}

impl ChainPicture<'_> {
    /// Draws a chain, and says how it ended.
    pub(crate) fn draw(
        &mut self,
        chain: Chain,
        root_first: bool,
    ) -> Result<Option<ChainEnd>, CommandFailure> {
        if root_first { self.downwards(chain) } else { self.upwards(chain) }
    }

    fn upwards(&mut self, mut chain: Chain) -> Result<Option<ChainEnd>, CommandFailure> {
        let (mut steps, mut folded) = (0, 0);
        let mut below: Option<StoredEvent> = None;
        loop {
            let above = chain.next().transpose()?;
            if let Some(event) = &above {
                self.unread.add(event.damage());
            }
            if let Some(below) = below.take() {
                let is_first = steps == 0;
                steps += 1;
                if is_first || self.shown.fold.shows(&below) {
                    self.folded(&mut folded)?;
                    let rail = if is_first { Rail::Top } else { Rail::Between };
                    let cause_ns = above.as_ref().map(StoredEvent::time_ns);
                    draw_event(self.out, rail, &below, cause_ns, self.shown.payload)?;
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
        Ok(chain.end().cloned())
    }

    fn downwards(&mut self, chain: Chain) -> Result<Option<ChainEnd>, CommandFailure> {
        let events = chain.root_first()?;
        let steps = events.len().saturating_sub(1) as u64;
        let end = events.end().clone();
        self.unread.add(events.damage());
        note_lost(Some(&end), self.unread);
        let mut events = events.peekable();
        let mut folded = 0;
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
            if is_last || self.shown.fold.shows(&event) {
                self.folded(&mut folded)?;
                let rail = if is_last { Rail::Bottom } else { Rail::Between };
                draw_event(self.out, rail, &event, above_ns, self.shown.payload)?;
            } else {
                folded += 1;
            }
            above_ns = Some(event.time_ns());
        }
        Ok(Some(end))
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

/// Prints a chain upwards as JSON, its end in the last object, and says how it ended.
pub(crate) fn print_upwards(
    out: &mut Out,
    mut chain: Chain,
    shown: Shown<'_>,
    unread: &mut UnreadParts,
) -> Result<Option<ChainEnd>, CommandFailure> {
    let mut top = None;
    for event in chain.by_ref() {
        let event = event?;
        unread.add(event.damage());
        if shown.fold.picks(&event) {
            out.json(&event.json().payload(shown.payload))?;
        }
        top = Some(event.id().clone());
    }
    unread.add(chain.damage());
    let end = chain.end().cloned();
    note_lost(end.as_ref(), unread);
    if let Some(end) = &end {
        out.json_end(&EndLine::new(end, top.as_ref()))?;
    }
    Ok(end)
}

/// A walk that ended damaged without meeting what is.
pub(crate) fn note_lost(end: Option<&ChainEnd>, unread: &mut UnreadParts) {
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
