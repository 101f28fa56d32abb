//! `forebear demo`: what the program is for, on a transcript that it brings along.

use clap::Args;

use crate::args::Global;
use crate::failure::Outcome;

/// Show what forebear does, on a small transcript that it brings along
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {}

pub(crate) fn run(_: &DemoArgs, _: &Global) -> Outcome {
    Ok(())
}
