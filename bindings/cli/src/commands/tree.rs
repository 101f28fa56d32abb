//! `forebear tree`: what came of this?

use std::collections::HashMap;

use clap::Args;
use forebear::listing::Descendants;
use forebear::{
    Cursor, Descendant, Detail, EventId, LinkKind, Query, Snapshot, StoredEvent, TreeOrder, limits,
};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::draw::DrawnRow;
use crate::output::json::NextLine;
use crate::output::{Out, draw, page_size, text};
use crate::parse::at_least_one;
use crate::place;
use crate::select::FoldArgs;

/// Columns of the rails and the kind.
const LEAD: usize = 24;

/// Show what came of an event: its descendants
///
/// An only child stands straight below its parent; branches go to the right,
/// and the longest goes straight on. What an agent did that the event started is
/// always a branch. The tools' own notes are counted and not shown, unless asked for.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the event and its descendants, an object on each line with `below`, the
edges between it and the event asked for; the last has `next` if there are more.

Examples:
  forebear tree 5f0c
  forebear tree 5f0c --short
  forebear tree 5f0c --max-depth 2 --breadth-first
  forebear tree 5f0c --json | jq -r '[.below, .kind] | @tsv'")]
pub(crate) struct TreeArgs {
    /// The event: its id, or the beginning of it
    id: String,

    /// Edges below the event at most
    #[arg(long, value_name = "EDGES", default_value_t = limits::DEFAULT_MAX_DEPTH)]
    max_depth: u64,

    /// Descendants at most
    #[arg(long, value_name = "N", default_value_t = limits::MAX_PAGE, value_parser = at_least_one)]
    limit: usize,

    /// All children first, then all grandchildren, and so on
    #[arg(long)]
    breadth_first: bool,

    /// Go on where an earlier page ended: the `next` of --json
    #[arg(long, value_name = "CURSOR", requires = "json")]
    after: Option<Cursor>,

    /// Print the payloads too (with --json)
    #[arg(long)]
    payload: bool,

    #[command(flatten)]
    fold: FoldArgs,

    #[command(flatten)]
    also: AlsoArgs,
}

impl Run for TreeArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let (snapshot, id) = self.also.find(&snapshot, &self.id)?;
        let detail = if global.json && !self.payload { Detail::Labels } else { Detail::Payload };
        let order =
            if self.breadth_first { TreeOrder::BreadthFirst } else { TreeOrder::DepthFirst };
        let below = snapshot.descendants(&id).max_depth(self.max_depth).detail(detail);
        let below = below.order(order).after(self.after);
        let (mut out, mut unread) = (Out::paged(global), UnreadParts::default());
        if global.json {
            print_json(&mut out, &snapshot, &id, below, self, &mut unread)?;
        } else {
            draw_tree(&mut out, &snapshot, &id, below, (self.limit, &self.fold), &mut unread)?;
        }
        out.finish()?;
        unread.finish()
    }
}

/// Draws an event and what came of it.
pub(crate) fn draw_tree(
    out: &mut Out,
    snapshot: &Snapshot,
    id: &EventId,
    below: Query<Descendants>,
    (limit, fold): (usize, &FoldArgs),
    unread: &mut UnreadParts,
) -> CommandResult {
    let root = get(snapshot, id)?;
    unread.add(root.damage());
    draw::heading(out, root.time_ns(), root.instance())?;
    let mut nodes = vec![TreeNode::new(&root)];
    // An event that isn't shown leaves its place to the nearest above it that is.
    let mut left_to: HashMap<EventId, EventId> = HashMap::new();
    let mut folded = 0;
    let more = each_page(below, limit, unread, |descendant| {
        let mut node = TreeNode::new(&descendant.event);
        let parent = node.parent.as_ref().and_then(|parent| left_to.get(parent));
        node.parent = parent.cloned().or(node.parent);
        if fold.shows(&descendant.event) {
            nodes.push(node);
        } else if let Some(parent) = node.parent {
            left_to.insert(node.id, parent);
            folded += 1;
        }
        Ok(())
    })?;
    let below = text::counted(nodes.len() as u64 - 1 + folded, "event", "events");
    let hidden = match folded {
        0 => String::new(),
        _ => format!(", {} of them not shown", text::thousands(folded)),
    };
    DrawnTree::new(nodes).draw(out)?;
    let words = if more.is_some() {
        format!(
            "{below} below{hidden}, and more: give a larger --limit, or draw the `forebear tree` of one of them"
        )
    } else {
        format!("{below} below{hidden}")
    };
    draw::remark(out, &words)?;
    Ok(())
}

fn print_json(
    out: &mut Out,
    snapshot: &Snapshot,
    id: &EventId,
    below: Query<Descendants>,
    args: &TreeArgs,
    unread: &mut UnreadParts,
) -> CommandResult {
    if args.after.is_none() {
        let root = get(snapshot, id)?;
        unread.add(root.damage());
        out.json(&root.json().below(0).payload(args.payload))?;
    }
    let more = each_page(below, args.limit, unread, |Descendant { event, below, .. }| {
        if args.fold.picks(&event) {
            out.json(&event.json().below(below).payload(args.payload))?;
        }
        Ok(())
    })?;
    if let Some(cursor) = more {
        out.json_end(&NextLine::from(cursor))?;
    }
    Ok(())
}

fn get(snapshot: &Snapshot, id: &EventId) -> Result<StoredEvent, CommandFailure> {
    snapshot
        .get_lossy(id)?
        .ok_or_else(|| CommandFailure::NothingFound(format!("no event has the id {id}")))
}

/// Goes through up to `limit` descendants and says where the next ones begin.
fn each_page(
    mut query: Query<Descendants>,
    limit: usize,
    unread: &mut UnreadParts,
    mut each: impl FnMut(Descendant) -> CommandResult,
) -> Result<Option<Cursor>, CommandFailure> {
    let mut left = limit;
    let mut size = page_size::FIRST;
    loop {
        query = query.limit(left.min(size));
        let page = query.page()?;
        size = page_size::next(page.items.iter().map(|descendant| &descendant.event));
        left = left.saturating_sub(page.items.len());
        unread.add(&page.damaged);
        page.items.into_iter().try_for_each(&mut each)?;
        match page.next {
            Some(cursor) if left > 0 => query = query.after(cursor),
            next => return Ok(next),
        }
    }
}

/// Events and their children among them.
struct DrawnTree {
    nodes: Vec<TreeNode>,
    parents: Vec<usize>,
    children: Vec<Vec<usize>>,
    /// How many events each stands for, itself included.
    sizes: Vec<usize>,
}

struct TreeNode {
    id: EventId,
    parent: Option<EventId>,
    link: Option<LinkKind>,
    row: DrawnRow,
}

impl TreeNode {
    fn new(event: &StoredEvent) -> Self {
        Self {
            id: event.id().clone(),
            parent: event.parent().cloned(),
            link: event.link(),
            row: DrawnRow::new(event),
        }
    }
}

impl DrawnTree {
    /// The event asked for first, and each event after its parent.
    fn new(nodes: Vec<TreeNode>) -> Self {
        let places: HashMap<&EventId, usize> =
            nodes.iter().enumerate().rev().map(|(place, node)| (&node.id, place)).collect();
        let mut parents = vec![0; nodes.len()];
        let mut children = vec![Vec::new(); nodes.len()];
        for (place, node) in nodes.iter().enumerate().skip(1) {
            // One whose parent is not here hangs from the event asked for.
            let parent = node.parent.as_ref().and_then(|id| places.get(id).copied());
            let parent = parent.filter(|parent| *parent < place).unwrap_or(0);
            parents[place] = parent;
            children[parent].push(place);
        }
        let mut sizes = vec![1; nodes.len()];
        for place in (1..nodes.len()).rev() {
            sizes[parents[place]] += sizes[place];
        }
        Self { nodes, parents, children, sizes }
    }

    fn draw(&self, out: &mut Out) -> CommandResult {
        let widest = out.columns() / 4;
        let mut waiting = vec![(0, String::new(), String::new())];
        while let Some((place, rail, rest)) = waiting.pop() {
            let node = &self.nodes[place];
            let since = (place > 0).then(|| self.nodes[self.parents[place]].row.time_ns());
            let mark = match node.link {
                Some(LinkKind::Spawned) if place > 0 => "spawned: ",
                Some(LinkKind::Continues) if place > 0 => "continues: ",
                _ => "",
            };
            node.row.draw(out, &format!("{rail}● "), LEAD, since, mark)?;

            let straight = self.straight(place);
            let branches: Vec<usize> = self.children[place]
                .iter()
                .copied()
                .filter(|child| Some(*child) != straight)
                .collect();
            // The last to be drawn is put in first.
            if let Some(child) = straight {
                waiting.push((child, rest.clone(), rest.clone()));
            }
            let narrow = text::width(&rest) < widest;
            for (nth, child) in branches.iter().enumerate().rev() {
                let last = nth + 1 == branches.len() && straight.is_none();
                let (first, below) = if last { ("└─", "  ") } else { ("├─", "│ ") };
                let below = if narrow { below } else { "" };
                waiting.push((*child, format!("{rest}{first}"), format!("{rest}{below}")));
            }
        }
        Ok(())
    }

    /// The child that stands straight below: the one from which most follows,
    /// unless it is the first of another agent or nothing follows from any of
    /// several.
    fn straight(&self, place: usize) -> Option<usize> {
        let children = &self.children[place];
        let most = children
            .iter()
            .copied()
            .filter(|child| self.nodes[*child].link != Some(LinkKind::Spawned))
            .max_by_key(|child| (self.sizes[*child], *child))?;
        (children.len() == 1 || self.sizes[most] > 1).then_some(most)
    }
}
