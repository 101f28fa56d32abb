//! `forebear session-tree`: which session started which.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use forebear::{
    Cursor, RelationshipType, SessionFilter, SessionNode, SessionReads, Snapshot, limits,
};

use crate::command::Run;
use crate::commands::tail::stop_on_ctrl_c;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::draw::DIM;
use crate::output::json::NextLine;
use crate::output::session::{figures, short_name, status_style};
use crate::output::{Out, draw, text};
use crate::parse::at_least_one;
use crate::place;

/// Show which session started which, with what each took
///
/// Without ID: the trees of the sessions that something was stored of last.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: an object on each line, as `forebear sessions` prints it, with `below` (how far
below the session asked for), `path` and `total` (`sessions`, `events`, `errors`, `tokens` of
it and all below it); the last has `next` if there are more.

Examples:
  forebear session-tree
  forebear session-tree 0fae0449-64d3-4788-8622-d3a47d82c14b
  forebear session-tree --watch")]
pub(crate) struct SessionTreeArgs {
    /// The session's name, or the beginning of it
    id: Option<String>,

    /// Sessions of a tree at most
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    limit: usize,

    /// Go on where an earlier page ended: the `next` of --json
    #[arg(long, value_name = "CURSOR", requires_all = ["json", "id"])]
    after: Option<Cursor>,

    /// Draw it anew whenever something was stored, until Ctrl-C
    #[arg(long, conflicts_with_all = ["json", "after"])]
    watch: bool,
}

impl Run for SessionTreeArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        if self.watch {
            return watch(self, global);
        }
        let snapshot = place::snapshot(global)?;
        let mut out = Out::paged(global);
        let found = show(&mut out, &snapshot, self, global)?;
        out.finish()?;
        if found {
            Ok(())
        } else {
            Err(CommandFailure::NothingFound("there are no sessions".to_owned()))
        }
    }
}

/// Draws the trees again and again.
fn watch(args: &SessionTreeArgs, global: &Global) -> CommandResult {
    let stop = stop_on_ctrl_c();
    let reader = place::reader(global)?;
    let mut seen = place::last_warning(&reader);
    let mut drawn = None;
    while !stop.load(Ordering::Relaxed) {
        let snapshot = reader.snapshot()?;
        let mut lines = Vec::new();
        for id in roots(&snapshot, args)? {
            lines.push(tree(&snapshot, &id, args)?.0);
        }
        if drawn.as_ref() != Some(&lines) {
            let mut out = Out::new();
            if out.is_terminal() {
                // To the upper left corner, and nothing left below it.
                out.write_all(b"\x1b[H\x1b[2J")?;
            }
            for nodes in &lines {
                draw_tree(&mut out, nodes)?;
            }
            out.finish()?;
            drawn = Some(lines);
        }
        seen = place::report_warnings(&reader, seen);
        // Ctrl-C is heeded soon, and what is active ends some time without an event.
        for _ in 0..WATCH_STEPS {
            if !stop.load(Ordering::Relaxed) {
                thread::sleep(WATCH_STEP);
            }
        }
    }
    Ok(())
}

/// Shows the trees; whether there was any.
fn show(
    out: &mut Out,
    snapshot: &Snapshot,
    args: &SessionTreeArgs,
    global: &Global,
) -> Result<bool, CommandFailure> {
    let roots = roots(snapshot, args)?;
    for id in &roots {
        let (nodes, next) = tree(snapshot, id, args)?;
        if !global.json {
            draw_tree(out, &nodes)?;
            if next.is_some() {
                draw::remark(out, "and more: give a larger --limit")?;
            }
            continue;
        }
        for node in &nodes {
            out.json(node)?;
        }
        if let Some(next) = next {
            out.json_end(&NextLine::from(next))?;
        }
    }
    Ok(!roots.is_empty())
}

/// The sessions whose trees are wanted.
fn roots(snapshot: &Snapshot, args: &SessionTreeArgs) -> Result<Vec<String>, CommandFailure> {
    if let Some(id) = &args.id {
        return Ok(vec![place::find_session(snapshot, id)?]);
    }
    let mut roots = Vec::new();
    for session in snapshot.sessions(SessionFilter::new()).limit(NEWEST).page()?.items {
        // The topmost that anything is known of: a circle has none.
        let place = snapshot.session_place(&session.id)?;
        let top = match session.parent {
            Some(_) if !place.cycle => place.root,
            _ => session.id,
        };
        if !roots.contains(&top) {
            roots.push(top);
        }
    }
    Ok(roots)
}

/// The sessions of a tree, and where the next ones begin.
fn tree(
    snapshot: &Snapshot,
    id: &str,
    args: &SessionTreeArgs,
) -> Result<(Vec<SessionNode>, Option<Cursor>), CommandFailure> {
    let mut nodes = Vec::new();
    let mut after = args.after;
    loop {
        let wanted = (args.limit - nodes.len()).min(limits::MAX_PAGE);
        let page = snapshot.session_tree(id).limit(wanted).after(after).page()?;
        nodes.extend(page.items);
        after = page.next;
        if after.is_none() || nodes.len() >= args.limit {
            return Ok((nodes, after));
        }
    }
}

fn draw_tree(out: &mut Out, nodes: &[SessionNode]) -> CommandResult {
    // Whether another one follows at each level, from the last to the first.
    let mut follows: Vec<bool> = Vec::new();
    let mut lasts = Vec::with_capacity(nodes.len());
    for node in nodes.iter().rev() {
        let below = usize::try_from(node.below).unwrap_or(usize::MAX).min(RAILS_MAX);
        follows.resize(follows.len().max(below + 1), false);
        lasts.push(!follows[below]);
        follows.truncate(below + 1);
        follows[below] = true;
    }
    let mut rails: Vec<&str> = Vec::new();
    for (node, last) in nodes.iter().zip(lasts.into_iter().rev()) {
        let below = usize::try_from(node.below).unwrap_or(usize::MAX).min(RAILS_MAX);
        let rail = if below == 0 {
            String::new()
        } else {
            rails.truncate(below - 1);
            rails.resize(below - 1, "  ");
            let rail = format!("{}{}", rails.concat(), if last { "└─" } else { "├─" });
            rails.push(if last { "  " } else { "│ " });
            rail
        };
        let session = &node.session;
        let above = node.relationship.as_ref().map(|found| found.parent.as_str());
        let kind = match node.relationship.as_ref().map(|found| found.relationship_type) {
            Some(RelationshipType::ParentChild) | None => String::new(),
            Some(kind) => format!("  ({kind})"),
        };
        let name = short_name(&session.id, above);
        draw::line(
            out,
            &[
                (DIM, &format!("{rail}● ")),
                (Style::new(), &name),
                (status_style(session.status), &format!("  {}", session.status)),
                (DIM, &format!("  {}{kind}", figures(session))),
            ],
        )?;
    }
    if let Some(first) = nodes.first()
        && first.total.sessions > 1
    {
        let total = first.total;
        let words = format!(
            "{}, {}, {} in all",
            text::counted(total.sessions, "session", "sessions"),
            text::counted(total.events, "event", "events"),
            text::counted(total.errors, "error", "errors"),
        );
        draw::remark(out, &words)?;
    }
    Ok(())
}

/// Sessions whose trees are drawn where none is named.
const NEWEST: usize = 50;
/// Levels of a tree that have a rail of their own.
const RAILS_MAX: usize = 40;
/// How often the store is looked at, and how soon Ctrl-C is heeded.
const WATCH_STEPS: u32 = 10;
const WATCH_STEP: Duration = Duration::from_millis(100);
