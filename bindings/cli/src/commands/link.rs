//! `forebear link`: says after the fact what caused an event.

use std::io::Write;

use clap::Args;
use forebear::{Batch, Link, LinkKind, Linked, Snapshot, StoredEvent};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, text};
use crate::place::{self, WriteTarget};

/// Say after the fact what caused an event
///
/// Neither of the two need be stored yet, but the store must be there. An event that named
/// its parent itself keeps it; what was refused is listed by `forebear links`. While
/// another process writes to the store, the link is handed in through the store's spool,
/// and the command ends once that process has taken it in.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints what became of the link: accepted, repeat, refused or cycle-edge (it would lead round
in a circle). With --json: {\"status\", \"child\", \"parent\", \"kind\"}.

Examples:
  forebear link 8c1d 5f0c
  forebear link 8c1d 5f0c --kind spawned")]
pub(crate) struct LinkArgs {
    /// The event that was caused: its id, or the beginning of it
    child: String,
    /// The event that caused it: its id, or the beginning of it
    parent: String,
    /// How it follows: caused, continues or spawned
    #[arg(long, value_name = "LINK", default_value_t = LinkKind::Caused)]
    kind: LinkKind,
}

impl Run for LinkArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        #[derive(Serialize)]
        struct LinkLine<'a> {
            status: &'a str,
            child: String,
            parent: String,
            kind: &'a str,
        }

        let target = place::open_existing_or_hand_in(global)?;
        let before = target.snapshot(global)?;
        let child = place::find_or_name(&before, &self.child)?;
        let parent = place::find_or_name(&before, &self.parent)?;
        let linked = match target {
            WriteTarget::Store(store) => {
                let linked = store.link(&child, &parent, self.kind)?;
                place::close(store)?;
                linked
            }
            WriteTarget::Spool(spool) => {
                let link = Link::new(child.clone(), parent.clone(), self.kind);
                let ticket = spool.submit(Batch::from(link.clone()))?;
                place::finish_handing_in(&spool, Some(&ticket), true)?;
                match became(&place::snapshot(global)?, &link)? {
                    Linked::Accepted if stands(&before, &link)? => Linked::Repeat,
                    became => became,
                }
            }
        };
        let mut out = Out::new();
        if global.json {
            out.json(&LinkLine {
                status: linked.as_str(),
                child: child.to_string(),
                parent: parent.to_string(),
                kind: self.kind.as_str(),
            })?;
        } else {
            let why = match linked {
                Linked::Accepted => "",
                Linked::Repeat => " (it stood already)",
                Linked::Refused => " (it has another parent; see `forebear links`)",
                Linked::CycleEdge => {
                    " (the parent goes back to the child; it is kept, never followed)"
                }
            };
            let line = format!("{}: {child} {} by {parent}{why}", linked.as_str(), self.kind);
            writeln!(out, "{}", text::clean(&line))?;
        }
        out.finish()?;
        Ok(())
    }
}

/// Whether the child follows from the parent in just this way.
fn stands(snapshot: &Snapshot, link: &Link) -> Result<bool, CommandFailure> {
    let stored = snapshot.get(link.child().clone())?;
    let named = |event: &StoredEvent| {
        event.parent() == Some(link.parent()) && event.link() == Some(link.kind())
    };
    Ok(stored.as_ref().is_some_and(named))
}

/// What became of a link that another process took in. O(links that don't stand) where
/// this one doesn't.
fn became(snapshot: &Snapshot, link: &Link) -> Result<Linked, CommandFailure> {
    for edge in snapshot.cycle_edges() {
        let edge = edge?;
        if (&edge.child, &edge.parent) == (link.child(), link.parent()) {
            return Ok(Linked::CycleEdge);
        }
    }
    for refused in snapshot.refused_links() {
        if refused?.link == *link {
            return Ok(Linked::Refused);
        }
    }
    // It stands, or waits for the child.
    Ok(Linked::Accepted)
}
