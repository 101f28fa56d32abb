//! `forebear completions` and `forebear man`.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::args::Cli;
use crate::failure::{Failure, Outcome};
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

pub(crate) fn completions(args: &CompletionsArgs) -> Outcome {
    // Into memory first, as the generator doesn't bear a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "forebear", &mut script);
    print(&script)
}

pub(crate) fn man(args: &ManArgs) -> Outcome {
    let Some(dir) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).render(&mut page)?;
        return print(&page);
    };
    let written: io::Result<()> =
        fs::create_dir_all(dir).and_then(|()| clap_mangen::generate_to(Cli::command(), dir));
    written.map_err(|error| {
        Failure::Failed(format!("writing manual pages to {}: {error}", dir.display()))
    })
}

fn print(bytes: &[u8]) -> Outcome {
    let mut out = Out::new();
    out.write_all(bytes)?;
    out.finish()?;
    Ok(())
}
