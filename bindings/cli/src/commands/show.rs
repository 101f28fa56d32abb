//! `forebear show`: one event, with all there is to know about it.

use std::io::Write;

use anstyle::Style;
use clap::Args;
use forebear::{Detail, EventId, Scope, Snapshot, StoredEvent};

use crate::command::Run;
use crate::commands::also::AlsoArgs;
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// Show one event: its fields, its place in the lineage and its payload
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forebear show 5f0c
  forebear show 5f0c --json --payload
  forebear show 5f0c --versions
  forebear show 5f0c --raw > payload.json")]
pub(crate) struct ShowArgs {
    /// The event: its id, or the beginning of it
    id: String,
    /// Show its later versions too
    #[arg(long)]
    versions: bool,
    /// Add the payload to --json
    #[arg(long)]
    payload: bool,
    /// Print the payload alone, byte for byte
    #[arg(long, conflicts_with_all = ["versions", "json"])]
    raw: bool,
    #[command(flatten)]
    also: AlsoArgs,
}

impl Run for ShowArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let (snapshot, id) = self.also.find(&snapshot, &self.id)?;
        let event = snapshot
            .get_lossy(&id)?
            .ok_or_else(|| CommandFailure::NothingFound(format!("no event has the id {id}")))?;
        let (mut out, mut unread) = (Out::paged(global), UnreadParts::default());
        unread.add(event.damage());
        if self.raw {
            match event.payload() {
                Some(payload) => out.raw(payload)?,
                None if unread.is_empty() => {
                    let message = format!("the event {id} has no payload");
                    return Err(CommandFailure::NothingFound(message));
                }
                None => {}
            }
        } else if global.json {
            out.json(&event.json().payload(self.payload))?;
        } else {
            draw_event(&mut out, &snapshot, &event, &mut unread)?;
        }
        if self.versions {
            each_version(&snapshot, &id, event.seq(), &mut unread, |version, unread| {
                if global.json {
                    out.json(&version.json().payload(self.payload))?;
                } else {
                    writeln!(out)?;
                    draw_event(&mut out, &snapshot, version, unread)?;
                }
                Ok(())
            })?;
        }
        out.finish()?;
        unread.finish()
    }
}

fn each_version(
    snapshot: &Snapshot,
    id: &EventId,
    shown: u64,
    unread: &mut UnreadParts,
    mut visit: impl FnMut(&StoredEvent, &mut UnreadParts) -> CommandResult,
) -> CommandResult {
    for event in snapshot.versions(id) {
        if let Some(event) = unread.pass(event)?
            && event.seq() != shown
        {
            visit(&event, unread)?;
        }
    }
    Ok(())
}

fn draw_event(
    out: &mut Out,
    snapshot: &Snapshot,
    event: &StoredEvent,
    unread: &mut UnreadParts,
) -> CommandResult {
    let version = match (event.is_version(), event.is_revision()) {
        (true, _) => "  (a later version)",
        (false, true) => "  (a newer revision)",
        (false, false) => "",
    };
    let kind = text::clean(event.kind());
    let kind = text::cut(&kind, out.columns() - version.len());
    let kind = out.paint(draw::kind_style(event).bold(), kind).to_string();
    writeln!(out, "{kind}{version}")?;
    field(out, "id", &event.id().to_string())?;
    field(out, "time", &time::rfc3339(event.time_ns()))?;
    let of_its_own = if event.scope() == Scope::Own { "  (its own scope)" } else { "" };
    field(out, "instance", &format!("{}{of_its_own}", event.instance()))?;
    field(out, "session", event.session().unwrap_or_default())?;
    if let (Some(parent), Some(link)) = (event.parent(), event.link()) {
        let gone = match unread.pass(snapshot.contains(parent))? {
            Some(true) => "",
            Some(false) => "  (not stored)",
            None => "  (damaged)",
        };
        field(out, link_words(link), &format!("{parent}{gone}"))?;
    }
    let place = format!("{}  ({} up)", event.root(), text::counted(event.depth(), "step", "steps"));
    field(out, "root", &place)?;
    let children = snapshot.children(event.id()).detail(Detail::Ids).page()?;
    unread.add(&children.damaged);
    let more = if children.next.is_some() { " or more" } else { "" };
    field(out, "children", &format!("{}{more}", children.items.len()))?;
    if !event.is_version() {
        let versions = snapshot.versions(event.id()).detail(Detail::Ids).page()?;
        unread.add(&versions.damaged);
        let later = versions.items.iter().filter(|event| event.is_version()).count();
        if later > 0 {
            field(out, "versions", &format!("{later} later ones: --versions"))?;
        }
    }
    field(out, "number", &event.seq().to_string())?;
    for (key, value) in event.labels() {
        field(out, &format!("· {key}"), value)?;
    }
    field(out, "payload type", event.payload_type().unwrap_or_default())?;
    if let Some(payload) = event.payload() {
        let size = text::bytes(payload.len() as u64);
        field(out, "payload", &size)?;
        draw::payload(out, "  ", payload)?;
    }
    Ok(())
}

fn link_words(link: forebear::LinkKind) -> &'static str {
    match link {
        forebear::LinkKind::Continues => "continues",
        forebear::LinkKind::Spawned => "spawned by",
        _ => "caused by",
    }
}

fn field(out: &mut Out, name: &str, value: &str) -> CommandResult {
    if value.is_empty() {
        return Ok(());
    }
    let name = format!("  {}", text::fit(&text::clean(name), 16));
    let beneath = " ".repeat(text::width(&name));
    draw::beside(out, (draw::DIM, &name), &beneath, Style::new(), value)?;
    Ok(())
}
