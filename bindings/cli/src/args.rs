//! What can be said on the command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use forebear::{Cursor, Filter, Snapshot};

use crate::commands::{
    append, chain, common, counts, demo, export, generate, hook, import, link, listings,
    quarantine, retain, segments, session_tree, sessions, show, stats, status, tail, tree, upkeep,
    watch,
};
use crate::failure::Failure;
use crate::output::time;
use crate::place;

/// Why did this happen? Keeps events that name their cause, and shows the chain
/// of causes behind any of them.
#[derive(Debug, Parser)]
#[command(
    name = "forebear",
    version,
    after_help = "Start with `forebear demo`. Each command's --help has examples.",
    after_long_help = PROGRAM_HELP,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes, before or after its name.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// The store's folder [default: forebear/events.forebear in the platform's data folder]
    #[arg(
        long,
        global = true,
        env = "FOREBEAR_STORE",
        hide_env_values = true,
        value_name = "PATH"
    )]
    pub(crate) store: Option<PathBuf>,

    /// Print JSON, one object on each line
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Print straight to the terminal, not through a pager (`FOREBEAR_PAGER`, else `PAGER`, else less)
    #[arg(long, global = true)]
    pub(crate) no_pager: bool,

    /// When to use colours; `auto` heeds `NO_COLOR` and pipes
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Tells the whole program.
    pub(crate) fn write_global(self) {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Demo(demo::DemoArgs),
    Import(import::ImportArgs),
    Watch(watch::WatchArgs),
    Status(status::StatusArgs),
    Append(append::AppendArgs),
    Hook(hook::HookArgs),
    Link(link::LinkArgs),
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
    Segments(segments::SegmentsArgs),
    Seal(retain::SealArgs),
    Retain(retain::RetainArgs),
    Verify(upkeep::VerifyArgs),
    Rebuild(upkeep::RebuildArgs),
    Backup(upkeep::BackupArgs),
    Completions(generate::CompletionsArgs),
    Man(generate::ManArgs),
}

impl Command {
    /// Whether it may write to the store, or take what can be read once.
    pub(crate) fn writes(&self) -> bool {
        matches!(
            self,
            Command::Append(_)
                | Command::Import(_)
                | Command::Link(_)
                | Command::Seal(_)
                | Command::Retain(_)
                | Command::Rebuild(_)
        )
    }
}

/// Which events a command is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
pub(crate) struct FilterArgs {
    /// Of this instance: an agent, process or thread
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,

    /// Of this session
    #[arg(long, value_name = "NAME")]
    session: Option<String>,

    /// Of this kind; given several times, of any of them
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,

    /// With this label; given several times, with all of them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    label: Vec<(String, String)>,

    /// Of this task, as its source or its target
    #[arg(long, value_name = "ID")]
    task: Option<String>,

    /// That go back to this root (an id or its beginning)
    #[arg(long, value_name = "ID")]
    root: Option<String>,

    /// Errors only: of the kind `error`, or with the label `is_error=true`
    #[arg(long)]
    errors: bool,

    /// At this time or later: RFC 3339, a date, integer nanoseconds, or so long ago (`2h`, `3d`)
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<i64>,

    /// Before this time; as --since
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<i64>,

    /// Leave out later versions of events
    #[arg(long)]
    without_versions: bool,
}

impl FilterArgs {
    /// The filter, its root looked up.
    pub(crate) fn filter(&self, snapshot: &Snapshot) -> Result<Filter, Failure> {
        let mut filter = Filter::new();
        if let Some(instance) = &self.instance {
            filter = filter.instance(instance);
        }
        if let Some(session) = &self.session {
            filter = filter.session(session);
        }
        for kind in &self.kind {
            filter = filter.kind(kind);
        }
        for (key, value) in &self.label {
            filter = filter.label(key, value);
        }
        if let Some(task) = &self.task {
            filter = filter.label_of_any(["source_task", "target_task"], task);
        }
        if let Some(root) = &self.root {
            filter = filter.root(place::find(snapshot, root)?);
        }
        if self.errors {
            filter = filter.errors();
        }
        if let Some(since) = self.since {
            filter = filter.since_ns(since);
        }
        if let Some(until) = self.until {
            filter = filter.until_ns(until);
        }
        if self.without_versions {
            filter = filter.without_versions();
        }
        Ok(filter)
    }
}

/// How far a listing goes, where a page holds at most 1000.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "How many")]
pub(crate) struct PageArgs {
    /// Go on where an earlier page ended: the `next` of --json
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,

    /// All of them, instead of one page
    #[arg(long)]
    pub(crate) all: bool,
}

/// Reads `key=value`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// Reads how many there are to be.
pub(crate) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("expected at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("expected a whole number from 1 on".to_owned()),
    }
}

const PROGRAM_HELP: &str = "\
Ids: a UUID can be shortened to any beginning that only one event has.

Times: printed as RFC 3339 in UTC; read as that, as a date, as integer nanoseconds
since the Unix epoch, or as how long ago (`90m`, `2h`, `3d`).

JSON: an event is an object with the keys
  id, parent, link (caused, continues, spawned), root, depth, seq, time, kind,
  instance, session, labels
where parent, link and session are null if there is none. `version` is true on a
later version of an event, `derived_id` on an event that came without an id.
With --payload, `payload` is the payload as the JSON it is; one that is not JSON
comes as `payload_text` or, where it is not UTF-8, as `payload_base64`. A listing
that does not end with the page ends with {\"next\": CURSOR}, for --after.

Exit codes:
  0  done
  1  failed
  2  usage: the command line, or an id that fits several events
  3  nothing found: no event has the id, or a search matched nothing

What finds nothing: `chain`, `children`, `common`, `show`, `siblings`, `tree` and --root
exit 3 where no event has the id; `common` also where there is none, `count`, `events`,
`export`, `recent`, `tail` (without -f) and `timeline` where no event matches, `session`,
`session-tree` and `sessions` where there is no such session, `show --raw` where there is no
payload, `quarantine show` and `quarantine retry` where there is nothing of that number, and
`status` where nothing was ever imported or followed. `children`, `links`, `missing`,
`quarantine`, `roots`, `siblings`, `tree` and `waves` list what there is, be it nothing,
and exit 0.

Examples:
  forebear demo
  forebear import
  forebear events --errors --since 2h
  forebear chain 5f0c
  forebear chain 5f0c --json --payload | jq .payload.message";
