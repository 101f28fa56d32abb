//! `forebear stats`: figures of the whole store.

use std::collections::BTreeMap;
use std::io::Write;

use anstyle::Style;
use clap::Args;
use forebear::{CountBy, EventId, Filter};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::{Out, draw, text};
use crate::place;

/// What transcripts call the ways in which an event names its parent, in the
/// order of the link kinds.
const FIELDS: [&str; 3] = ["parent", "logical", "spawned"];

/// Show figures of the whole store
#[derive(Debug, Args)]
#[command(after_help = "\
Events that came without an id of their own are counted in `without_id` alone: those that
are stored, equal objects being one, whereas `import` reports the objects it came across.
With --json, one object: events, versions, without_id, segments, bytes, roots, max_depth,
deepest, deepest_root, max_children, missing_parents, cycles, refused_links, quarantined,
parents_by_field (parent, logical, spawned: how many events follow from their parent in
this way), types (events by what transcripts call them), sessions.

Example:
  forebear stats --json | jq .types")]
pub(crate) struct StatsArgs {}

#[derive(Serialize)]
struct StatsFigures {
    events: u64,
    versions: u64,
    without_id: u64,
    segments: u64,
    bytes: u64,
    roots: u64,
    max_depth: u64,
    deepest: Option<String>,
    deepest_root: Option<String>,
    max_children: u64,
    missing_parents: u64,
    cycles: u64,
    refused_links: u64,
    quarantined: u64,
    parents_by_field: BTreeMap<&'static str, u64>,
    types: BTreeMap<String, u64>,
    sessions: u64,
}

impl Run for StatsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let stats = snapshot.stats()?;
        let first = Filter::new().without_versions().without_derived_ids();
        let types = snapshot.counts(CountBy::Label("type".to_owned()), first).page()?;
        let mut unread = UnreadParts::default();
        stats.damaged.iter().cloned().for_each(|damage| unread.add_text(damage));
        unread.add(&types.damaged);
        let types = types.items;
        let deepest_root = match &stats.deepest {
            Some(id) => unread.pass(snapshot.root(id))?.flatten(),
            None => None,
        };
        let figures = StatsFigures {
            events: stats.events,
            versions: stats.versions,
            without_id: stats.derived_ids,
            segments: stats.segments,
            bytes: stats.bytes,
            roots: stats.roots,
            max_depth: stats.max_depth,
            deepest: stats.deepest.as_ref().map(EventId::to_string),
            deepest_root: deepest_root.map(|id| id.to_string()),
            max_children: stats.max_children,
            missing_parents: stats.missing_parents,
            cycles: stats.cycles,
            refused_links: stats.refused_links,
            quarantined: stats.quarantined,
            parents_by_field: FIELDS
                .into_iter()
                .zip(stats.links)
                .filter(|(_, count)| *count > 0)
                .collect(),
            types: types.into_iter().map(|count| (count.value, count.count)).collect(),
            sessions: stats.sessions,
        };
        let mut out = Out::paged(global);
        if global.json {
            out.json(&figures)?;
        } else {
            draw_figures(&mut out, &figures)?;
        }
        out.finish()?;
        unread.finish()
    }
}

fn draw_figures(out: &mut Out, figures: &StatsFigures) -> CommandResult {
    let deepest = figures.deepest.as_ref().map_or_else(String::new, |id| {
        format!("`forebear chain {}`", text::typed_id(&EventId::from(id)))
    });
    let rows = [
        ("events", figures.events, "with ids of their own"),
        ("versions", figures.versions, "of them, with other content"),
        ("without id", figures.without_id, "events with no id of their own"),
        ("sessions", figures.sessions, ""),
        ("roots", figures.roots, "events that nothing caused"),
        ("max depth", figures.max_depth, deepest.as_str()),
        ("max children", figures.max_children, "of one event"),
        ("missing parents", figures.missing_parents, "`forebear missing`"),
        ("cycles", figures.cycles, "`forebear links --cycles`"),
        ("refused links", figures.refused_links, "`forebear links --refused`"),
        ("quarantined", figures.quarantined, "`forebear quarantine`"),
        ("segments", figures.segments, ""),
    ];
    for (name, figure, remark) in rows {
        let remark = if figure == 0 { "" } else { remark };
        figure_row(out, name, &text::thousands(figure), remark)?;
    }
    figure_row(out, "size", &text::bytes(figures.bytes), "")?;
    table(out, "parents", figures.parents_by_field.iter().map(|(name, count)| (*name, *count)))?;
    table(out, "types", figures.types.iter().map(|(name, count)| (name.as_str(), *count)))?;
    Ok(())
}

fn figure_row(out: &mut Out, name: &str, figure: &str, remark: &str) -> CommandResult {
    let (name_columns, figure_columns) = if out.columns() < 80 { (18, 11) } else { (24, 14) };
    let name = text::fit(&text::clean(name), name_columns);
    let lead = format!("{name}{figure:>figure_columns$}  ");
    let beneath = " ".repeat(text::width(&lead));
    draw::beside(out, (Style::new(), &lead), &beneath, draw::DIM, remark)?;
    Ok(())
}

fn table<'a>(
    out: &mut Out,
    heading: &str,
    rows: impl Iterator<Item = (&'a str, u64)>,
) -> CommandResult {
    for (at, (name, count)) in rows.enumerate() {
        if at == 0 {
            let line = out.paint(draw::BOLD, heading).to_string();
            writeln!(out, "\n{line}")?;
        }
        figure_row(out, &format!("  {name}"), &text::thousands(count), "")?;
    }
    Ok(())
}
