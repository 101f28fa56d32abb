//! `forebear session set`.

use std::io::Write;

use clap::Args;
use forebear::{Batch, SessionBatch, SessionPatch, SessionReads, SessionStatus, SessionWrites};

use crate::failure::CommandResult;
use crate::global::Global;
use crate::output::{Out, text};
use crate::place::{self, WriteTarget};

/// Say how a session is doing, or more of it
///
/// What is not given stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "\
While another process has the store open, it is handed in through the store's spool, and
the command ends once that process has taken it in.

Examples:
  forebear session set nightly --status failed --note \"the disk was full\"
  forebear session set worker-2 --wave rollout-7")]
pub(crate) struct SetArgs {
    /// The session's name; an agent's is SESSION/AGENT
    id: String,
    /// How it is doing: active, completed, failed, timeout or cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<SessionStatus>,
    /// The wave that it is one of
    #[arg(long, value_name = "ID")]
    wave: Option<String>,
    /// All that is to be said beside, as a JSON object, in place of what there was
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
    /// A note, kept as `note` in its metadata
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl SetArgs {
    pub(super) fn run(&self, global: &Global) -> CommandResult {
        let mut patch = SessionPatch::new(&self.id);
        if let Some(status) = self.status {
            patch = patch.status(status);
        }
        if let Some(wave) = &self.wave {
            patch = patch.wave(wave);
        }
        if let Some(metadata) = &self.metadata {
            patch = patch.metadata(metadata);
        }
        if let Some(note) = &self.note {
            let note = serde_json::Value::from(note.as_str()).to_string();
            patch = patch.metadata_member("note", Some(note));
        }
        patch.validate()?;
        let target = place::open_existing_or_hand_in(global)?;
        match &target {
            WriteTarget::Store(store) => store.upsert_session(patch)?,
            WriteTarget::Spool(spool) => {
                let ticket = spool.submit(Batch::new().session(patch))?;
                place::finish_handing_in(spool, Some(&ticket), true)?;
            }
        }
        let stored = target.snapshot(global)?.session(&self.id)?;
        if let WriteTarget::Store(store) = target {
            place::close(store)?;
        }
        let mut out = Out::new();
        if let Some(session) = stored {
            if global.json {
                out.json(&session)?;
            } else {
                let line = format!("{}: {}", session.id, session.status.as_str());
                writeln!(out, "{}", text::clean(&line))?;
            }
        }
        out.finish()?;
        Ok(())
    }
}
