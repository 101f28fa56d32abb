//! `forebear verify`, `rebuild` and `backup`: is all as it was written, and copies.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::global::Global;
use crate::output::{Out, draw, text};
use crate::place;

/// Check every file against its digests and against all others
#[derive(Debug, Args)]
#[command(after_help = "\
Checks each page and block, that blocks follow each other from the first segment to the
last, that the spine says what the records say, and that each index and filter holds just
that. Prints what is not as it was written, and exits 1 if there is any.
With --json: {\"file\", \"reason\"} for each finding, and last {\"segments\", \"expired\",
\"blocks\", \"events\", \"bytes\", \"findings\"}.

Example:
  forebear verify && echo all is well")]
pub(crate) struct VerifyArgs {}

/// Make indexes that are missing or damaged again, from the segments
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"segments\", \"made\", \"failed\"}: how many segments there are, the files that
were written anew, and {\"file\", \"reason\"} for each segment that is damaged itself.
Exits 1 if there is any.

Example:
  forebear rebuild")]
pub(crate) struct RebuildArgs {}

/// Make a lost or damaged manifest again, and take damaged segments from a copy
#[derive(Debug, Args)]
#[command(after_help = "\
The manifest is made from the segments and the logs. With --from every byte of the segments is
read, and a damaged or missing one is taken from the backup or archive in FOLDER that has it.
Changes nothing where all is sound, and removes nothing: files that were replaced, or are no part
of the store as it was found, are in the folder `damaged` in it, and the manifest that can't be
used is kept beside the new one.
With --json: {\"manifest\", \"segments\", \"unreadable\", \"restored\", \"moved\", \"notes\"}.

Examples:
  forebear repair && forebear verify
  forebear repair --from /backups/events.forebear")]
pub(crate) struct RepairArgs {
    /// A backup or an archive of the store
    #[arg(long, value_name = "FOLDER")]
    from: Option<PathBuf>,
}

/// Copy the store to an empty folder, while it is in use
#[derive(Debug, Args)]
#[command(after_help = "\
The copy is a store of its own, as it was at one moment. Sealed files are linked where the
file system can (they never change), so that a backup to the same disk takes next to no
room; one to another disk is a copy in full.
Reads every byte of it, and exits 1 where something is damaged: the copy is made all the same.
With --json: {\"segments\", \"events\", \"bytes\", \"damaged\"}, the last a list of
{\"file\", \"reason\"}.

Example:
  forebear backup /backup/events-2026-03-01.forebear")]
pub(crate) struct BackupArgs {
    /// The folder, which is made if it is missing
    folder: PathBuf,
}

impl Run for VerifyArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let mut out = Out::paged(global);
        let mut written: io::Result<()> = Ok(());
        let verified = snapshot.verify(&mut |finding| {
            if written.is_ok() {
                written = if global.json {
                    out.json(&finding)
                } else {
                    draw::plain(&mut out, &finding.to_string(), HANG)
                };
            }
        })?;
        written?;
        if global.json {
            out.json(&verified)?;
        } else if verified.is_sound() {
            writeln!(
                out,
                "sound: {}, {}, {}, {}",
                text::counted(verified.segments, "sealed segment", "sealed segments"),
                text::counted(verified.blocks, "block", "blocks"),
                text::counted(verified.events, "event", "events"),
                text::bytes(verified.bytes)
            )?;
        }
        out.finish()?;
        match verified.findings {
            0 => Ok(()),
            findings => Err(CommandFailure::Failed(format!(
                "found {} not as written",
                text::counted(findings, "thing", "things")
            ))),
        }
    }
}

impl Run for RebuildArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let store = place::open_existing(global)?;
        let rebuilt = store.rebuild()?;
        place::close(store)?;
        let failed = rebuilt.failed.len() as u64;
        let mut out = Out::new();
        if global.json {
            out.json(&rebuilt)?;
        } else {
            for name in &rebuilt.made {
                draw::plain(&mut out, &format!("made again: {name}"), HANG)?;
            }
            for finding in &rebuilt.failed {
                draw::plain(&mut out, &finding.to_string(), HANG)?;
            }
            let made = text::counted(rebuilt.made.len() as u64, "file", "files");
            let segments = text::counted(rebuilt.segments, "segment", "segments");
            writeln!(out, "{segments}, {made} made again")?;
        }
        out.finish()?;
        match failed {
            0 => Ok(()),
            failed => Err(CommandFailure::Failed(format!(
                "{} damaged; `forebear verify` says where",
                text::counted(failed, "segment is", "segments are")
            ))),
        }
    }
}

impl Run for RepairArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let repaired = place::repair(global, self.from.as_deref())?;
        let mut out = Out::new();
        if global.json {
            out.json(&repaired)?;
        } else {
            let segments = text::counted(repaired.segments, "sealed segment", "sealed segments");
            let line = match &repaired.manifest {
                None => format!("the manifest is sound: {segments}"),
                Some(reason) => format!("the manifest was made again ({reason}): {segments}"),
            };
            draw::plain(&mut out, &line, HANG)?;
            for name in &repaired.unreadable {
                draw::plain(&mut out, &format!("can't be read: {name}"), HANG)?;
            }
            for name in &repaired.restored {
                draw::plain(&mut out, &format!("taken from the copy: {name}"), HANG)?;
            }
            for name in &repaired.moved {
                draw::plain(&mut out, &format!("kept in the folder `damaged`: {name}"), HANG)?;
            }
            for note in &repaired.notes {
                draw::plain(&mut out, note, HANG)?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

impl Run for BackupArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        // What expires before it is copied is left out by the next attempt.
        let reader = place::reader(global)?;
        let backup = reader.ask(|snapshot| snapshot.backup(&self.folder))?;
        let mut out = Out::new();
        if global.json {
            out.json(&backup)?;
        } else {
            let line = format!(
                "copied to {}: {}, {}, {}",
                self.folder.display(),
                text::counted(backup.segments, "segment", "segments"),
                text::counted(backup.events, "event", "events"),
                text::bytes(backup.bytes)
            );
            writeln!(out, "{}", text::clean(&line))?;
        }
        out.finish()?;
        if backup.damaged.is_empty() {
            return Ok(());
        }
        for finding in &backup.damaged {
            warn(&format!("forebear: damaged, and so is the copy: {finding}"));
        }
        let files = text::counted(backup.damaged.len() as u64, "damaged file", "damaged files");
        Err(CommandFailure::Failed(format!(
            "the copy has {files}; `forebear verify` says where, and an earlier backup may have \
             them whole"
        )))
    }
}

/// Columns before what a line goes on with.
const HANG: usize = 2;
