//! Lists of events, and of links that stand out.

use clap::Args;
use forebear::listing::{Events, Listing};
use forebear::{
    Cursor, Detail, EventId, Filter, LinkKind, MissingParent, Page, Query, RefusedLink, Snapshot,
    StoredEvent, limits,
};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, UnreadParts, warn};
use crate::global::Global;
use crate::output::json::NextLine;
use crate::output::places::{Above, PlacedEvent, SessionPlaces};
use crate::output::{Out, draw, page_size, text};
use crate::parse::at_least_one;
use crate::place::{self, Paging};
use crate::select::{FilterArgs, PageArgs};

/// List what an event directly caused
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  forebear children 5f0c\n  forebear children 5f0c --all --json"
)]
pub(crate) struct ChildrenArgs {
    #[command(flatten)]
    of: RelativesArgs,
}

/// List the other events with the same cause
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  forebear siblings 5f0c")]
pub(crate) struct SiblingsArgs {
    #[command(flatten)]
    of: RelativesArgs,
}

/// Whose relatives to list, and how
#[derive(Debug, Args)]
struct RelativesArgs {
    /// The event: its id, or the beginning of it
    id: String,
    /// Print the payloads too
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// List the newest events, of all or of one instance
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  forebear recent\n  forebear recent worker-1 -n 5")]
pub(crate) struct RecentArgs {
    /// The instance: an agent, process or thread
    instance: Option<String>,
    /// How many
    #[arg(
        short = 'n',
        long,
        alias = "number",
        value_name = "N",
        default_value_t = 20,
        value_parser = at_least_one
    )]
    limit: usize,
    /// Print the payloads too
    #[arg(long)]
    payload: bool,
}

/// List events by what they are, newest first
#[derive(Debug, Args)]
#[command(after_help = "\
50 are listed unless asked otherwise. Without a match the exit code is 3. With --json, `next` of
the last event says that there may be more, and is for --after.

Examples:
  forebear events --errors --since 2h
  forebear events --kind tool_use --label tool=Bash --limit 10
  forebear events --session 5f0c8a4e-… --oldest-first --all --json")]
pub(crate) struct EventsArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// Only of sessions so far below the topmost: 0 are those that none led to
    #[arg(long, value_name = "N")]
    depth: Option<u64>,
    /// Oldest first
    #[arg(long)]
    oldest_first: bool,
    /// Print the payloads too
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// List events that nothing caused
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  forebear roots --all")]
pub(crate) struct RootsArgs {
    /// Also those that came without an id of their own, such as a transcript's bookkeeping
    #[arg(long)]
    derived: bool,
    /// Print the payloads too
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// List parents that events name and that are not stored
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: objects with `id`, `children` (how many events name it) and `first_child`.

Example:
  forebear missing")]
pub(crate) struct MissingArgs {
    /// Also those that only events without an id of their own name
    #[arg(long)]
    derived: bool,
    #[command(flatten)]
    page: PageArgs,
}

/// List links that were refused, and links that would close a cycle
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: objects with `status` (refused or cycle-edge), `child`, `parent`, `kind` and, for
a refused link, `instead`, the parent that the child has. --after takes `next` of the
last link of the kind it came with.

Examples:
  forebear links
  forebear links --refused --json")]
pub(crate) struct LinksArgs {
    /// Refused links only
    #[arg(long, conflicts_with = "cycles")]
    refused: bool,
    /// Links that close a cycle only
    #[arg(long)]
    cycles: bool,
    #[command(flatten)]
    page: PageArgs,
}

impl Run for ChildrenArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let nothing = "it caused nothing that is stored";
        relatives(&self.of, global, nothing, |snapshot, id| snapshot.children(id))
    }
}

impl Run for SiblingsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let nothing = "nothing else with the same cause is stored";
        relatives(&self.of, global, nothing, |snapshot, id| snapshot.siblings(id))
    }
}

fn relatives<L: Listing<Item = StoredEvent>>(
    args: &RelativesArgs,
    global: &Global,
    nothing: &str,
    list: impl Fn(&Snapshot, &EventId) -> Query<L>,
) -> CommandResult {
    let pages = place::pages(global)?;
    let id = place::find(&pages.now(), &args.id)?;
    let mut listing = Printer::new(global, args.payload);
    let listed = listing.pages(args.page, |after, limit| {
        pages.ask(|snapshot| list(snapshot, &id).after(after).limit(limit).page())
    })?;
    listing.finish(listed, nothing)
}

impl Run for RootsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let mut listing = Printer::new(global, self.payload);
        let listed = listing.pages(self.page, |after, limit| {
            let mut page =
                pages.ask(|snapshot| snapshot.roots().after(after).limit(limit).page())?;
            page.items.retain(|event| self.derived || !event.has_derived_id());
            Ok(page)
        })?;
        listing.finish(listed, "no roots")
    }
}

impl Run for RecentArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let mut filter = Filter::new();
        if let Some(instance) = &self.instance {
            filter = filter.instance(instance);
        }
        let pages = place::pages(global)?;
        let mut listing = Printer::new(global, self.payload);
        listing.places = Some(SessionPlaces::default());
        let newest = |snapshot: &Snapshot| snapshot.events(&filter);
        let (listed, _) = listing.events(&pages, newest, None, self.limit)?;
        listing.found(listed, "no events, or no instance of this name")
    }
}

impl Run for EventsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let filter = self.filter.filter(&pages.now())?;
        let limit = self.page.limit_or(LISTED);
        let mut listing = Printer::new(global, self.payload);
        listing.places = Some(SessionPlaces::default());
        listing.depth = self.depth;
        let query = |snapshot: &Snapshot| {
            let events = snapshot.events(&filter);
            if self.oldest_first { events.oldest_first() } else { events }
        };
        let (listed, next) = listing.events(&pages, query, self.page.after, limit)?;
        listing.next(next)?;
        listing.found(listed, "no event matches")
    }
}

impl Run for MissingArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let mut listing = Printer::new(global, false);
        let fetch = |snapshot: &Snapshot, after: Option<Cursor>, limit| {
            let mut page = snapshot.missing_parents().after(after).limit(limit).page()?;
            if !self.derived {
                let mut items = Vec::new();
                for missing in page.items {
                    match named_by_event(snapshot, &missing) {
                        Ok(false) => {}
                        Err(error) if !error.is_damaged() => return Err(error),
                        // What can't be told apart is listed.
                        _ => items.push(missing),
                    }
                }
                page.items = items;
            }
            Ok(page)
        };
        let listed = listing.any_pages(
            self.page,
            |after, limit| pages.ask(|snapshot| fetch(snapshot, after, limit)),
            |listing, missing| {
                if global.json {
                    listing.out.json(&missing)?;
                } else {
                    let named = text::counted(missing.children, "event names it", "events name it");
                    let line = format!(
                        "{}  {named}, {} first",
                        text::clean(&missing.id.to_string()),
                        text::short_id(&missing.first_child),
                    );
                    listing.line(&line)?;
                }
                Ok(())
            },
        )?;
        listing.finish(listed, "no parent is missing")
    }
}

impl Run for LinksArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let pages = place::pages(global)?;
        let mut listing = Printer::new(global, false);
        let mut listed = 0;
        if !self.cycles {
            listed += listing.any_pages(
                self.page,
                |after, limit| {
                    let refused = |snapshot: &Snapshot| {
                        snapshot.refused_links().after(after).limit(limit).page()
                    };
                    pages.ask(refused)
                },
                |listing, refused| {
                    let RefusedLink { link, parent: instead, .. } = &refused;
                    let ends = (link.child(), link.parent(), link.kind());
                    listing.link("refused", &refused, ends, instead.as_ref())
                },
            )?;
        }
        if !self.refused {
            listed += listing.any_pages(
                self.page,
                |after, limit| {
                    let edges = |snapshot: &Snapshot| {
                        snapshot.cycle_edges().after(after).limit(limit).page()
                    };
                    pages.ask(edges)
                },
                |listing, edge| {
                    let ends = (&edge.child, &edge.parent, edge.kind);
                    listing.link("cycle-edge", &edge, ends, None)
                },
            )?;
        }
        listing.finish(listed, "no link was refused and none closes a cycle")
    }
}

/// Whether an event with an id of its own names this parent.
fn named_by_event(snapshot: &Snapshot, missing: &MissingParent) -> forebear::Result<bool> {
    let first = snapshot.get(&missing.first_child)?;
    if first.is_some_and(|event| !event.has_derived_id()) {
        return Ok(true);
    }
    for child in snapshot.children(&missing.id).detail(Detail::Ids) {
        if !child?.has_derived_id() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Prints a listing, as JSON or as lines to look at.
pub(super) struct Printer {
    pub(super) out: Out,
    json: bool,
    payload: bool,
    /// The day of the event listed last.
    day: String,
    /// Where the sessions of events stand, where that is told.
    places: Option<SessionPlaces>,
    /// How far below the topmost sessions are whose events are listed.
    depth: Option<u64>,
    /// What was left out for damage.
    pub(super) unread: UnreadParts,
}

impl Printer {
    fn new(global: &Global, payload: bool) -> Self {
        Self { out: Out::paged(global), ..Self::flowing(global, payload) }
    }

    /// One that is not paged, since it comes bit by bit.
    pub(super) fn flowing(global: &Global, payload: bool) -> Self {
        let (out, day, unread) = (Out::new(), String::new(), UnreadParts::default());
        let (places, depth) = (None, None);
        Self { out, json: global.json, payload, day, places, depth, unread }
    }

    /// Lists up to `limit` events and says where the next ones begin.
    fn events(
        &mut self,
        pages: &Paging,
        query: impl Fn(&Snapshot) -> Query<Events>,
        mut after: Option<Cursor>,
        limit: usize,
    ) -> Result<(u64, Option<Cursor>), CommandFailure> {
        let with_payload = self.payload || !self.json;
        let (detail, mut size) = if with_payload {
            (Detail::Payload, page_size::FIRST)
        } else {
            (Detail::Labels, limits::MAX_PAGE)
        };
        let mut left = limit;
        let mut listed = 0;
        loop {
            let page = pages.ask(|snapshot| {
                query(snapshot).detail(detail).limit(left.min(size)).after(after).page()
            })?;
            if with_payload {
                size = page_size::next(page.items.iter());
            }
            self.unread.add(&page.damaged);
            for event in &page.items {
                let above = self.above(pages, event)?;
                let is_at = |depth| above.as_ref().is_some_and(|above| above.depth() == depth);
                if self.depth.is_none_or(is_at) {
                    self.placed_event(event, above)?;
                    listed += 1;
                    left = left.saturating_sub(1);
                }
            }
            match page.next {
                Some(cursor) if left > 0 => after = Some(cursor),
                next => return Ok((listed, next)),
            }
        }
    }

    /// Lists a page of events, or all of them.
    fn pages(
        &mut self,
        page: PageArgs,
        fetch: impl Fn(Option<Cursor>, usize) -> forebear::Result<Page<StoredEvent>>,
    ) -> Result<u64, CommandFailure> {
        self.any_pages(page, fetch, |listing, event| listing.event(&event))
    }

    fn any_pages<T>(
        &mut self,
        page: PageArgs,
        fetch: impl Fn(Option<Cursor>, usize) -> forebear::Result<Page<T>>,
        print: impl Fn(&mut Self, T) -> CommandResult,
    ) -> Result<u64, CommandFailure> {
        let mut after = page.after;
        let mut listed = 0;
        let mut left = page.limit_or(limits::MAX_PAGE);
        loop {
            let Page { items, next, damaged } = fetch(after, left.min(limits::MAX_PAGE))?;
            self.unread.add(&damaged);
            for item in items {
                print(self, item)?;
                listed += 1;
                left = left.saturating_sub(1);
            }
            // A page without an --all or a --limit is one, however much of it was left out.
            let is_one = !page.all && page.limit.is_none();
            if next.is_none() || left == 0 || is_one {
                self.next(next)?;
                return Ok(listed);
            }
            after = next;
        }
    }

    /// What is above the session of an event, where it is told or asked for.
    fn above(
        &mut self,
        pages: &Paging,
        event: &StoredEvent,
    ) -> Result<Option<Above>, CommandFailure> {
        let wanted = self.json || self.depth.is_some();
        match self.places.as_mut().filter(|_| wanted) {
            Some(places) => Ok(places.of(&pages.now(), event)?),
            None => Ok(None),
        }
    }

    pub(super) fn event(&mut self, event: &StoredEvent) -> CommandResult {
        self.placed_event(event, None)
    }

    fn placed_event(&mut self, event: &StoredEvent, above: Option<Above>) -> CommandResult {
        if self.json {
            let line = event.json().payload(self.payload);
            self.out.json(&PlacedEvent::new(line, above))?;
            return Ok(());
        }
        draw::list_row(&mut self.out, event, &mut self.day)?;
        if self.payload
            && let Some(bytes) = event.payload()
        {
            draw::payload(&mut self.out, "      ", bytes)?;
        }
        Ok(())
    }

    fn link(
        &mut self,
        status: &'static str,
        object: &impl Serialize,
        (child, parent, kind): (&EventId, &EventId, LinkKind),
        instead: Option<&EventId>,
    ) -> CommandResult {
        #[derive(Serialize)]
        struct LinkStatusLine<'a, L> {
            status: &'static str,
            #[serde(flatten)]
            object: &'a L,
        }

        if self.json {
            self.out.json(&LinkStatusLine { status, object })?;
            return Ok(());
        }
        let instead =
            instead.map_or_else(String::new, |id| format!(", has {} instead", text::short_id(id)));
        let line = format!(
            "{status}  {} {kind} by {}{instead}",
            text::short_id(child),
            text::short_id(parent),
        );
        self.line(&line)
    }

    fn line(&mut self, line: &str) -> CommandResult {
        let columns = self.out.columns();
        draw::plain(&mut self.out, &text::cut(line, columns), 0)?;
        Ok(())
    }

    /// Says where the listing goes on.
    fn next(&mut self, next: Option<Cursor>) -> CommandResult {
        let Some(cursor) = next else {
            return Ok(());
        };
        if self.json {
            self.out.json_end(&NextLine::from(cursor))?;
        } else {
            draw::remark(&mut self.out, &format!("there may be more: --after {cursor}, or --all"))?;
        }
        Ok(())
    }

    /// The end of a listing that may as well be empty.
    fn finish(self, listed: u64, empty: &str) -> CommandResult {
        let quiet = self.json || !self.unread.is_empty();
        self.out.finish()?;
        if listed == 0 && !quiet {
            warn(&format!("forebear: {empty}"));
        }
        self.unread.finish()
    }

    /// The end of a search.
    pub(super) fn found(self, listed: u64, empty: &str) -> CommandResult {
        self.out.finish()?;
        if listed == 0 && self.unread.is_empty() {
            return Err(CommandFailure::NothingFound(empty.to_owned()));
        }
        self.unread.finish()
    }
}

/// Events that are listed unless asked otherwise.
const LISTED: usize = 50;
