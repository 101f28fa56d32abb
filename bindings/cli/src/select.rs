//! Options that several commands have: which events, and how many.

use clap::Args;
use forebear::answers::{NamedSession, find_session, session_filter};
use forebear::readings::keys;
use forebear::{Cursor, Filter, LinkKind, Snapshot, StoredEvent};

use crate::failure::CommandFailure;
use crate::output::time;
use crate::parse::{at_least_one, key_value};
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

    /// Of another kind than this; given several times, than any of them
    #[arg(long, value_name = "KIND")]
    not_kind: Vec<String>,

    /// With this label; given several times, with all of them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    label: Vec<(String, String)>,

    /// Without this label; given several times, without any of them
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value)]
    not_label: Vec<(String, String)>,

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
        // A session that is not there matches nothing, which the command says.
        let mut filter = match &self.session {
            Some(text) => match find_session(snapshot, text)? {
                NamedSession::Nothing => Filter::new().session(text),
                _ => session_filter(snapshot, &place::find_session(snapshot, text)?)?,
            },
            None => Filter::new(),
        };
        if let Some(instance) = &self.instance {
            filter = filter.instance(instance);
        }
        for kind in &self.kind {
            filter = filter.kind(kind);
        }
        for kind in &self.not_kind {
            filter = filter.without_kind(kind);
        }
        for (key, value) in &self.label {
            filter = filter.label(key, value);
        }
        for (key, value) in &self.not_label {
            filter = filter.without_label(key, value);
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

/// Which events of a lineage are shown one by one.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What is shown")]
pub(crate) struct FoldArgs {
    /// Events of this kind; given several times, of any of them. The others are counted
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,

    /// Errors only; the others are counted
    #[arg(long)]
    errors: bool,

    /// What was asked, what failed, and where agents were started; the others are counted
    #[arg(long)]
    short: bool,

    /// With the tools' own notes too, such as the progress of hooks
    #[arg(long)]
    bookkeeping: bool,
}

impl FoldArgs {
    /// Whether an event is shown.
    pub(crate) fn shows(&self, event: &StoredEvent) -> bool {
        let is_note = event.label(keys::BOOKKEEPING) == Some("true");
        if is_note && !self.bookkeeping && self.kind.is_empty() {
            return false;
        }
        self.picks(event)
    }

    /// Whether an event is one of those that were asked for, the tools' own notes among them.
    pub(crate) fn picks(&self, event: &StoredEvent) -> bool {
        let is_error = event.kind() == "error" || event.label(keys::IS_ERROR) == Some("true");
        let has_kind = self.kind.is_empty() || self.kind.iter().any(|kind| kind == event.kind());
        let matters = is_error
            || event.kind() == "user_message"
            || event.link().is_some_and(|link| link != LinkKind::Caused);
        has_kind && (is_error || !self.errors) && (matters || !self.short)
    }
}

/// How far a listing goes, where a page holds at most 1000.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "How many")]
pub(crate) struct PageArgs {
    /// Go on where an earlier page ended: the `next` of --json
    #[arg(long, value_name = "CURSOR")]
    pub(crate) after: Option<Cursor>,

    /// So many at most [default: a page, of 1000 or as the command says]
    #[arg(long, short = 'n', value_name = "N", value_parser = at_least_one, conflicts_with = "all")]
    pub(crate) limit: Option<usize>,

    /// All of them, instead of one page
    #[arg(long)]
    pub(crate) all: bool,
}

impl PageArgs {
    /// How many are wanted, where a page has so many.
    pub(crate) fn limit_or(self, page: usize) -> usize {
        if self.all { usize::MAX } else { self.limit.unwrap_or(page) }
    }
}
