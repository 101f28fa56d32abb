//! The commands, a file for each or for a few that are alike.

pub(crate) mod append;
pub(crate) mod append_line;
pub(crate) mod chain;
pub(crate) mod common;
pub(crate) mod counts;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod generate;
pub(crate) mod hook;
pub(crate) mod import;
pub(crate) mod link;
pub(crate) mod listings;
pub(crate) mod quarantine;
pub(crate) mod retain;
pub(crate) mod segments;
pub(crate) mod session_tree;
pub(crate) mod sessions;
pub(crate) mod show;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod tree;
pub(crate) mod upkeep;
pub(crate) mod watch;

use crate::args::{Cli, Command};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Does what was asked. What only reads begins anew where a segment expired under
/// it, unless something of the answer was seen already.
pub(crate) fn run(cli: &Cli) -> Outcome {
    for _ in 1..TRIES_MAX {
        match run_once(cli) {
            Err(Failure::Expired(_)) if !cli.command.writes() && output::take_back() => {}
            outcome => return outcome,
        }
    }
    run_once(cli)
}

fn run_once(cli: &Cli) -> Outcome {
    let global = &cli.global;
    match &cli.command {
        Command::Demo(args) => demo::run(args, global),
        Command::Import(args) => import::run(args, global),
        Command::Watch(args) => watch::run(args, global),
        Command::Status(args) => status::run(args, global),
        Command::Append(args) => append::run(args, global),
        Command::Hook(_) => {
            hook::run(global);
            Ok(())
        }
        Command::Link(args) => link::run(args, global),
        Command::Show(args) => show::run(args, global),
        Command::Chain(args) => chain::run(args, global),
        Command::Children(args) => listings::children(args, global),
        Command::Tree(args) => tree::run(args, global),
        Command::Siblings(args) => listings::siblings(args, global),
        Command::Common(args) => common::run(args, global),
        Command::Recent(args) => listings::recent(args, global),
        Command::Events(args) => listings::events(args, global),
        Command::Tail(args) => tail::run(args, global),
        Command::Roots(args) => listings::roots(args, global),
        Command::Missing(args) => listings::missing(args, global),
        Command::Links(args) => listings::links(args, global),
        Command::Count(args) => counts::count(args, global),
        Command::Timeline(args) => counts::timeline(args, global),
        Command::Export(args) => export::run(args, global),
        Command::Quarantine(args) => quarantine::run(args, global),
        Command::Stats(args) => stats::run(args, global),
        Command::Segments(args) => segments::run(args, global),
        Command::Sessions(args) => sessions::sessions(args, global),
        Command::Session(args) => sessions::session(args, global),
        Command::SessionTree(args) => session_tree::run(args, global),
        Command::Waves(args) => sessions::waves(args, global),
        Command::Relate(args) => sessions::relate(args, global),
        Command::Seal(args) => retain::seal(args, global),
        Command::Retain(args) => retain::retain(args, global),
        Command::Verify(args) => upkeep::verify(args, global),
        Command::Rebuild(args) => upkeep::rebuild(args, global),
        Command::Backup(args) => upkeep::backup(args, global),
        Command::Completions(args) => generate::completions(args),
        Command::Man(args) => generate::man(args),
    }
}

/// How often a command is tried that needs what expires meanwhile.
const TRIES_MAX: usize = 5;
