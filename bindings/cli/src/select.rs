//! Options that several commands have: which events, and how many.

use clap::Args;
use forebear::answers::{Named, find_named};
use forebear::{Cursor, Filter, Snapshot};

use crate::failure::CommandFailure;
use crate::output::time;
use crate::parse::key_value;
use crate::place;

/// Which events a command is about.
#[derive(Debug, Args)]
#[command(next_help_heading = "Which events")]
pub(crate) struct FilterArgs {
    /// Of this instance: an agent, process or thread
    #[arg(long, value_name = "NAME")]
    instance: Option<String>,

    /// Of this session: its name, or the beginning of it
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

    /// At this time or later: RFC 3339, a date, `yesterday`, integer nanoseconds, or so long ago (`2h`, `3d`)
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<i64>,

    /// Before this time; as --since
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<i64>,

    /// Leave out later versions of events
    #[arg(long)]
    without_versions: bool,

    /// With the revisions that newer ones replace
    #[arg(long)]
    superseded: bool,
}

impl FilterArgs {
    /// The filter, its root looked up.
    pub(crate) fn filter(&self, snapshot: &Snapshot) -> Result<Filter, CommandFailure> {
        let mut filter = Filter::new();
        if let Some(instance) = &self.instance {
            filter = filter.instance(instance);
        }
        if let Some(session) = &self.session {
            // One that is not there matches nothing, which the command says.
            filter = match find_named(snapshot, session)? {
                Named::Session(name) => filter.session(name),
                Named::Sessions(_) => filter.session(place::session_named(snapshot, session)?),
                _ => filter.session(session),
            };
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
        if self.superseded {
            filter = filter.with_superseded();
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
