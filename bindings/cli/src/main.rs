//! `forebear`: the command line of the event-lineage database.

mod args;
mod commands;
mod failure;
mod output;
mod place;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.global.color.write_global();
    match commands::run(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}
