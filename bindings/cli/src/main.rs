//! `forebear`: the command line of the event-lineage database.

mod args;
mod command;
mod commands;
mod failure;
mod formats;
mod global;
mod output;
mod parse;
mod place;
mod select;
mod setup;
mod usual_folders;

use std::env;
use std::io::{self, IsTerminal};
use std::process::ExitCode;

use crate::args::Cli;
use crate::commands::hook;
use crate::output::{text, time};

fn main() -> ExitCode {
    // Dates on the command line are read as times are shown.
    if io::stdout().is_terminal() && env::args_os().all(|arg| arg != "--utc") {
        time::use_local_zone();
    }
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) if error.use_stderr() && hook::is_called() => return hook::misused(&error),
        Err(error) => return usage(&error),
    };
    cli.global.color.write_global();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::let_go();
            failure.report()
        }
    }
}

/// Prints help, or what is wrong with the command line. That quotes arguments,
/// and an argument may well come from a transcript.
fn usage(error: &clap::Error) -> ExitCode {
    let harmless = env::args_os().all(|arg| !arg.to_string_lossy().chars().any(text::is_unsafe));
    if harmless || !error.use_stderr() {
        error.exit();
    }
    failure::warn(error.render().to_string().trim_end());
    ExitCode::from(2)
}
