//! `forebear quarantine`: input that could not be understood.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use forebear::ingest::IngestOptions;
use forebear::{Quarantined, Snapshot};
use serde::Serialize;

use crate::command::Run;
use crate::commands::import;
use crate::failure::{CommandFailure, CommandResult, UnreadParts, warn};
use crate::global::Global;
use crate::output::{Out, draw, text};
use crate::place;

/// Columns before what is said of a piece.
const INDENT: usize = 7;

/// List input that could not be understood, show what it was, or read it again
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: objects with `n`, `source`, `line`, `offset`, `length`, `reason` and `kept`,
which is false where the bytes were too many to be kept. `retry` prints what `import` does.

Examples:
  forebear quarantine
  forebear quarantine show 1 > line.txt
  forebear quarantine retry")]
pub(crate) struct QuarantineArgs {
    #[command(subcommand)]
    command: Option<QuarantineCommand>,
}

#[derive(Debug, Subcommand)]
enum QuarantineCommand {
    /// List them all, as without a command
    List,
    /// Print the bytes as they came in
    Show {
        /// The number in the list
        n: u64,
    },
    /// Read the files they came from again, from their start
    ///
    /// What can be understood by now, since the file was mended or forebear learnt to, is
    /// stored; what is known already is not stored twice. The list stays as it is: it says
    /// what was found when.
    Retry {
        /// Only the file that this one came from
        n: Option<u64>,
    },
}

impl Run for QuarantineArgs {
    fn writes(&self) -> bool {
        matches!(self.command, Some(QuarantineCommand::Retry { .. }))
    }

    fn run(&self, global: &Global) -> CommandResult {
        match self.command {
            Some(QuarantineCommand::Show { n }) => show(&place::snapshot(global)?, n, global),
            Some(QuarantineCommand::Retry { n }) => retry(n, global),
            Some(QuarantineCommand::List) | None => list(&place::snapshot(global)?, global),
        }
    }
}

fn retry(wanted: Option<u64>, global: &Global) -> CommandResult {
    let target = place::open_existing_or_hand_in(global)?;
    let (mut files, mut gone) = (BTreeSet::new(), BTreeSet::new());
    each(&target.snapshot(global)?, |n, input| {
        if wanted.is_none_or(|wanted| wanted == n) {
            let path = PathBuf::from(input.source);
            if path.is_file() {
                files.insert(path)
            } else {
                gone.insert(path)
            };
        }
        Ok(wanted != Some(n))
    })?;
    for path in &gone {
        warn(&format!("forebear: {} is not there any more", path.display()));
    }
    if files.is_empty() {
        return Err(CommandFailure::NothingFound(
            "there is no file to read again; `forebear quarantine` lists where input came from"
                .to_owned(),
        ));
    }
    import::import(target, &IngestOptions::new(files).again(true), global)
}

fn list(snapshot: &Snapshot, global: &Global) -> CommandResult {
    #[derive(Serialize)]
    struct QuarantineLine<'a> {
        n: u64,
        #[serde(flatten)]
        input: &'a Quarantined,
    }

    let mut out = Out::paged(global);
    let mut listed = 0;
    each(snapshot, |n, input| {
        listed = n;
        let kept = input.bytes.len() as u64 == input.length;
        if global.json {
            out.json(&QuarantineLine { n, input: &input })?;
        } else {
            let line = format!(
                "{n:>5}  {}:{} (byte {}, {})",
                input.source,
                input.line,
                text::thousands(input.offset),
                text::bytes(input.length),
            );
            draw::plain(&mut out, &line, INDENT)?;
            let lost = if kept { "" } else { "; not kept" };
            draw::remark(&mut out, &format!("{:INDENT$}{}{lost}", "", input.reason))?;
        }
        Ok(true)
    })?;
    out.finish()?;
    if listed == 0 && !global.json {
        warn("forebear: nothing is quarantined");
    }
    Ok(())
}

fn show(snapshot: &Snapshot, wanted: u64, global: &Global) -> CommandResult {
    let mut found = None;
    each(snapshot, |n, input| {
        if n == wanted {
            found = Some(input);
        }
        Ok(n < wanted)
    })?;
    let Some(input) = found else {
        return Err(CommandFailure::NothingFound(format!(
            "nothing quarantined has the number {wanted}; `forebear quarantine` lists the numbers"
        )));
    };
    if input.bytes.is_empty() && input.length > 0 {
        return Err(CommandFailure::NothingFound(format!(
            "its {} were too many to be kept: they stand in {} from byte {} on",
            text::bytes(input.length),
            input.source,
            input.offset
        )));
    }
    let mut out = Out::paged(global);
    out.raw(&input.bytes)?;
    if out.is_terminal() {
        draw::plain(&mut out, "", 0)?;
    }
    out.finish()?;
    Ok(())
}

/// Goes through the list, with numbers from 1, until told to stop.
fn each(
    snapshot: &Snapshot,
    mut visit: impl FnMut(u64, Quarantined) -> Result<bool, CommandFailure>,
) -> CommandResult {
    let (mut n, mut unread) = (0, UnreadParts::default());
    for input in snapshot.quarantined() {
        let Some(input) = unread.pass(input)? else { continue };
        n += 1;
        if !visit(n, input)? {
            break;
        }
    }
    unread.finish()
}
