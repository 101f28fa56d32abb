//! The commands, a file for each or for a few that are alike.
//!
//! A command is a struct of its arguments that implements [`Run`], a line in the list
//! below, and a line in `docs/commands.md`.

pub(crate) mod alert_runner;
pub(crate) mod alerts;
pub(crate) mod also;
pub(crate) mod append;
pub(crate) mod chain;
pub(crate) mod chain_picture;
pub(crate) mod common;
pub(crate) mod counts;
pub(crate) mod decisions;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod generate;
pub(crate) mod hook;
pub(crate) mod import;
pub(crate) mod link;
pub(crate) mod listings;
#[cfg(feature = "mcp")]
pub(crate) mod mcp;
pub(crate) mod quarantine;
pub(crate) mod relationships;
pub(crate) mod resume;
pub(crate) mod retain;
pub(crate) mod search;
pub(crate) mod segments;
#[cfg(feature = "serve")]
pub(crate) mod serve;
mod session_set;
pub(crate) mod session_tree;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod show;
pub(crate) mod slow;
pub(crate) mod stats;
pub(crate) mod status;
pub(crate) mod tail;
pub(crate) mod transcript;
pub(crate) mod tree;
pub(crate) mod upkeep;
pub(crate) mod usage;
pub(crate) mod watch;
pub(crate) mod why;

use clap::Subcommand;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output;

/// Makes the enum of all commands, in the order in which `--help` lists them.
macro_rules! commands {
    ($($(#[$attribute:meta])* $name:ident($args:ty),)*) => {
        /// A command on a store.
        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($(#[$attribute])* $name($args),)*
        }

        impl Command {
            fn asked(&self) -> &dyn Run {
                match self {
                    $($(#[$attribute])* Command::$name(args) => args,)*
                }
            }
        }
    };
}

commands! {
    Demo(demo::DemoArgs),
    Setup(setup::SetupArgs),
    Import(import::ImportArgs),
    Watch(watch::WatchArgs),
    Status(status::StatusArgs),
    Append(append::AppendArgs),
    Hook(hook::HookArgs),
    Link(link::LinkArgs),
    Why(why::WhyArgs),
    Resume(resume::ResumeArgs),
    Search(search::SearchArgs),
    #[cfg(feature = "mcp")]
    Mcp(mcp::McpArgs),
    #[cfg(feature = "serve")]
    Serve(serve::ServeArgs),
    Slow(slow::SlowArgs),
    Decisions(decisions::DecisionsArgs),
    Usage(usage::UsageArgs),
    Alerts(alerts::AlertsArgs),
    Transcript(transcript::TranscriptArgs),
    Show(show::ShowArgs),
    Chain(chain::ChainArgs),
    Children(listings::ChildrenArgs),
    Tree(tree::TreeArgs),
    Siblings(listings::SiblingsArgs),
    Common(common::CommonArgs),
    Recent(listings::RecentArgs),
    Events(listings::EventsArgs),
    Tail(tail::TailArgs),
    Roots(listings::RootsArgs),
    Missing(listings::MissingArgs),
    Links(listings::LinksArgs),
    Count(counts::CountArgs),
    Timeline(counts::TimelineArgs),
    Export(export::ExportArgs),
    Quarantine(quarantine::QuarantineArgs),
    Stats(stats::StatsArgs),
    Sessions(sessions::SessionsArgs),
    Session(sessions::SessionArgs),
    SessionTree(session_tree::SessionTreeArgs),
    Waves(sessions::WavesArgs),
    Relate(sessions::RelateArgs),
    Relationships(relationships::RelationshipsArgs),
    Check(relationships::CheckArgs),
    Segments(segments::SegmentsArgs),
    Seal(retain::SealArgs),
    Retain(retain::RetainArgs),
    Verify(upkeep::VerifyArgs),
    Rebuild(upkeep::RebuildArgs),
    Repair(upkeep::RepairArgs),
    Backup(upkeep::BackupArgs),
}

impl Command {
    /// Does what was asked. What only reads begins anew where a segment expired under
    /// it, unless something of the answer was seen already.
    pub(crate) fn run(&self, global: &Global) -> CommandResult {
        let asked = self.asked();
        for _ in 1..TRIES_MAX {
            match asked.run(global) {
                Err(CommandFailure::Expired(_)) if !asked.writes() && output::take_back() => {}
                outcome => return outcome,
            }
        }
        asked.run(global)
    }
}

/// How often a command is tried that needs what expires meanwhile.
const TRIES_MAX: usize = 5;
