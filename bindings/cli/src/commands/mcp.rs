//! `forebear mcp`: answers for models, over the Model Context Protocol.

use std::path::PathBuf;

use clap::Args;
use forebear_mcp::ServeOptions;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::place;
use crate::usual_folders::usual_folders;

/// Answer models over the Model Context Protocol, on standard input and output
///
/// Made to be started by a tool such as Claude Code, Codex or Cursor. Its tools only read:
/// why something failed, what to go on with, where it was said, what caused what. It starts
/// without a store, and ends when its input is closed.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  claude mcp add forebear -- forebear mcp --follow
  forebear mcp --store /srv/events.forebear")]
pub(crate) struct McpArgs {
    /// Import and follow transcripts beside answering, if no other process does: those of the
    /// usual folders, or these files and folders
    #[arg(long, value_name = "PATH", num_args = 0..)]
    follow: Option<Vec<PathBuf>>,

    /// Leave secrets (keys, tokens, passwords in URLs) in what is answered
    #[arg(long)]
    no_redact: bool,
}

impl Run for McpArgs {
    /// What was read of the input is gone.
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let mut options = ServeOptions::new(place::store_path(global)?).redact(!self.no_redact);
        if let Some(paths) = &self.follow {
            place::make_folder_of_store(global)?;
            options = options.follow(if paths.is_empty() {
                usual_folders()?.into_iter().map(|folder| folder.path).collect()
            } else {
                paths.clone()
            });
        }
        forebear_mcp::serve(&options).map_err(|error| {
            CommandFailure::Failed(format!("answering on standard input: {error}"))
        })
    }
}
