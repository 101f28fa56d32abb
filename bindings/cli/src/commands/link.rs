//! `forebear link`: says after the fact what caused an event.

use std::io::Write;

use clap::Args;
use forebear::{LinkKind, Linked};
use serde::Serialize;

use crate::args::Global;
use crate::failure::Outcome;
use crate::output::{Out, text};
use crate::place;

/// Say after the fact what caused an event
///
/// Neither of the two need be stored yet, but the store must be there. An event that named its parent itself
/// keeps it; what was refused is listed by `forebear links`.
#[derive(Debug, Args)]
#[command(after_help = "\
Prints what became of the link: accepted, repeat, refused or closing (it would lead round
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

pub(crate) fn run(args: &LinkArgs, global: &Global) -> Outcome {
    #[derive(Serialize)]
    struct Line<'a> {
        status: &'a str,
        child: String,
        parent: String,
        kind: &'a str,
    }

    let store = place::open_existing(global)?;
    let snapshot = store.snapshot();
    let child = place::find_or_name(&snapshot, &args.child)?;
    let parent = place::find_or_name(&snapshot, &args.parent)?;
    let linked = store.link(&child, &parent, args.kind)?;
    store.close()?;
    let mut out = Out::new();
    if global.json {
        out.json(&Line {
            status: linked.as_str(),
            child: child.to_string(),
            parent: parent.to_string(),
            kind: args.kind.as_str(),
        })?;
    } else {
        let why = match linked {
            Linked::Accepted => "",
            Linked::Repeat => " (it stood already)",
            Linked::Refused => " (it has another parent; see `forebear links`)",
            Linked::Closing => " (the parent goes back to the child; it is kept, never followed)",
        };
        let line = format!("{}: {child} {} by {parent}{why}", linked.as_str(), args.kind);
        writeln!(out, "{}", text::clean(&line))?;
    }
    out.finish()?;
    Ok(())
}
