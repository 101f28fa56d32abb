//! `forebear common`: what do two events have in common?

use clap::Args;
use forebear::{ChainEnd, CommonCause};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, draw, text};
use crate::place;

/// Show the nearest event that two events both go back to
#[derive(Debug, Args)]
#[command(after_help = "\
Where one is an ancestor of the other, that is the one. Where there is none the exit code
is 3. With --json: the event, or {\"end\": {\"kind\", \"a\", \"b\"}}, where `kind` is none, or how
a walk ended before its root (missing, expired, damaged), so that there may be one.

Example:
  forebear common 8c1d 5f0c")]
pub(crate) struct CommonArgs {
    /// An event: its id, or the beginning of it
    a: String,
    /// Another
    b: String,
    /// Print the payload too
    #[arg(long)]
    payload: bool,
}

#[derive(Serialize)]
struct CommonEndLine {
    end: LinkEnds,
}

#[derive(Serialize)]
struct LinkEnds {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    a: Option<ChainEnd>,
    #[serde(skip_serializing_if = "Option::is_none")]
    b: Option<ChainEnd>,
}

impl Run for CommonArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let a = place::find(&snapshot, &self.a)?;
        let b = place::find(&snapshot, &self.b)?;
        let common = snapshot.common_cause(&a, &b)?;
        let mut out = Out::paged(global);
        let (ends, why) = match common {
            Some(CommonCause::Found(event)) => {
                if global.json {
                    out.json(&event.json().payload(self.payload))?;
                } else {
                    draw::list_row(&mut out, &event, &mut String::new())?;
                    let above = |depth: Option<u64>| {
                        let edges = depth.unwrap_or_default().saturating_sub(event.depth());
                        text::counted(edges, "step", "steps")
                    };
                    let words = format!(
                        "{} above {}, {} above {}",
                        above(snapshot.depth(&a)?),
                        text::short_id(&a),
                        above(snapshot.depth(&b)?),
                        text::short_id(&b),
                    );
                    draw::remark(&mut out, &words)?;
                    if self.payload
                        && let Some(bytes) = event.payload()
                    {
                        draw::payload(&mut out, "  ", bytes)?;
                    }
                }
                out.finish()?;
                return Ok(());
            }
            Some(CommonCause::Unknown(end_a, end_b)) => {
                let why = format!(
                    "no common cause is known: the walk from {} ends {}, that from {} ends {}",
                    text::short_id(&a),
                    words(&end_a),
                    text::short_id(&b),
                    words(&end_b)
                );
                (LinkEnds::unknown(end_a, end_b), why)
            }
            _ => (
                LinkEnds { kind: "none", a: None, b: None },
                "they have no cause in common: each goes back to a root of its own".to_owned(),
            ),
        };
        if global.json {
            out.json(&CommonEndLine { end: ends })?;
        }
        out.finish()?;
        Err(CommandFailure::NothingFound(why))
    }
}

impl LinkEnds {
    fn unknown(a: ChainEnd, b: ChainEnd) -> Self {
        // What was there once and is gone says more than what never was.
        let kind = ["expired", "damaged", "missing"]
            .into_iter()
            .find(|kind| a.as_str() == *kind || b.as_str() == *kind);
        Self { kind: kind.unwrap_or(a.as_str()), a: Some(a), b: Some(b) }
    }
}

fn words(end: &ChainEnd) -> String {
    match end.parent() {
        Some(parent) => format!("before {parent} ({})", end.as_str()),
        None => format!("at its {}", end.as_str()),
    }
}
