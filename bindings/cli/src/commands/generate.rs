//! `forebear completions` and `forebear man`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, Command, Subcommand};
use clap_complete::Shell;

use crate::failure::{CommandFailure, CommandResult};
use crate::output::Out;

/// Print a shell's completions
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forebear completions bash > ~/.local/share/bash-completion/completions/forebear
  forebear completions fish > ~/.config/fish/completions/forebear.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Print the manual page, or write one for each command to a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  forebear man | man -l -
  forebear man ~/.local/share/man/man1")]
pub(crate) struct ManArgs {
    /// The folder; it is made if there is none
    dir: Option<PathBuf>,
}

/// A command on the program itself, of which none touches a store.
#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    Completions(CompletionsArgs),
    Man(ManArgs),
}

impl Generate {
    /// Does it for the program's command line.
    pub(crate) fn run(&self, program: &mut Command) -> CommandResult {
        match self {
            Self::Completions(args) => completions(args, program),
            Self::Man(args) => man(args, program),
        }
    }
}

fn completions(args: &CompletionsArgs, program: &mut Command) -> CommandResult {
    // Into memory first, as the generator doesn't bear a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, program, "forebear", &mut script);
    print(&script)
}

fn man(args: &ManArgs, program: &Command) -> CommandResult {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(program.clone()).render(&mut page)?;
        return print(&page);
    };
    let written: io::Result<()> =
        fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(program.clone(), dir));
    written.map_err(|error| {
        CommandFailure::Failed(format!("writing manual pages to {}: {error}", dir.display()))
    })
}

fn print(bytes: &[u8]) -> CommandResult {
    let mut out = Out::new();
    out.write_all(bytes)?;
    out.finish()?;
    Ok(())
}
