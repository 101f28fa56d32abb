//! `forebear sessions`, `session`, `waves` and `relate`.

use std::io::Write;

use anstyle::Style;
use clap::{Args, Subcommand};
use forebear::{
    Batch, Cursor, DelegationType, Relationship, RelationshipType, Session, SessionBatch,
    SessionFilter, SessionPlace, SessionReads, SessionStatus, SessionType, SessionWrites, Snapshot,
    SpawnReason, StoredRelationship, Wave, limits,
};
use serde::Serialize;

use crate::command::Run;
use crate::commands::session_set::SetArgs;
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::global::Global;
use crate::output::json::NextLine;
use crate::output::session::{draw_listed, figures, short_name, status_style};
use crate::output::{Out, draw, text, time};
use crate::place::{self, WriteTarget};
use crate::select::PageArgs;

/// List sessions, those that something was stored of last first
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: objects with `id`, `type`, `status`, `parent`, `source_app`, `start`, `end`,
`duration_ms`, `agents`, `tokens`, `events`, `errors`, `open_calls`, `model`, `project`,
`wave_id`, `metadata`, `title`, `decided_by` (the event that the status follows from),
`waits_for` (user or tool), `depth` (sessions above it) and `path`; the last has `next`, for
--after, if there are more than 1000.

Examples:
  forebear sessions --since yesterday
  forebear sessions --errors --project shop --sort errors
  forebear sessions --status failed --json | jq -r .id")]
pub(crate) struct SessionsArgs {
    /// With this status: active, completed, failed, timeout or cancelled
    #[arg(long, value_name = "STATUS")]
    status: Option<SessionStatus>,
    /// Of this type: main, subagent, wave, continuation, isolated or task
    #[arg(long = "type", value_name = "TYPE")]
    session_type: Option<SessionType>,
    /// Of this program
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Of this wave
    #[arg(long, value_name = "ID")]
    wave: Option<String>,
    /// Whose project's folder has this in its path
    #[arg(long, value_name = "TEXT")]
    project: Option<String>,
    /// Only those with errors
    #[arg(long)]
    errors: bool,
    /// In the order of: last (when something was stored last), start, errors, events or tokens;
    /// the largest first
    #[arg(long, value_name = "ORDER", default_value = "last")]
    sort: SessionOrder,
    /// That ended at this time or later: as for `forebear events`
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<i64>,
    /// That began at this time or later
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    started_since: Option<i64>,
    /// That began before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<i64>,
    #[command(flatten)]
    page: PageArgs,
}

/// What sessions are listed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum SessionOrder {
    Last,
    Start,
    Errors,
    Events,
    Tokens,
}

/// Show a session: what it took, where it comes from and what came of it
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: the object that `forebear sessions` prints, with `depth`, `path`, `parents`
and `children` (at most 1000), which are objects with `parent`, `child`, `type`,
`spawn_reason`, `delegation_type`, `created`, `completed` and `metadata`.

Example:
  forebear session 0fae0449-64d3-4788-8622-d3a47d82c14b")]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct SessionArgs {
    /// The session's name, or the beginning of it; an agent's is SESSION/AGENT
    #[arg(required = true)]
    id: Option<String>,
    #[command(subcommand)]
    change: Option<SessionChange>,
}

/// What is changed of a session.
#[derive(Debug, Subcommand)]
enum SessionChange {
    Set(SetArgs),
}

/// List waves: sessions that work together, by their `wave_id`
#[derive(Debug, Args)]
#[command(after_help = "\
Those that began last come first; a session can be in several. With --json: objects with
`id`, `sessions`, `events`, `start`, `end`, and how many sessions are `running`, `done` and
`failed`; the last has `next`, for --after, if there are more than 1000.

Example:
  forebear waves --json | jq -r .id")]
pub(crate) struct WavesArgs {
    #[command(flatten)]
    page: PageArgs,
}

/// Say how two sessions belong together
///
/// Said again of the same two, it changes what is given and keeps the rest.
#[derive(Debug, Args)]
#[command(after_help = "\
While another process has the store open, the relationship is handed in through the
store's spool, and the command ends once that process has taken it in.

Examples:
  forebear relate lead worker --reason wave_orchestration --delegation parallel
  forebear relate monday tuesday --type continuation")]
pub(crate) struct RelateArgs {
    /// The session that the other one comes from
    parent: String,
    /// The other one
    child: String,
    /// How: parent/child, sibling, continuation or `wave_member`
    #[arg(long = "type", value_name = "TYPE")]
    relationship_type: Option<RelationshipType>,
    /// Why: `subagent_delegation`, `wave_orchestration`, `task_tool` or continuation
    #[arg(long, value_name = "REASON")]
    reason: Option<SpawnReason>,
    /// How the work was given: parallel, sequential or isolated
    #[arg(long, value_name = "HOW")]
    delegation: Option<DelegationType>,
    /// What else there is to say, as JSON
    #[arg(long, value_name = "JSON")]
    metadata: Option<String>,
}

impl Run for SessionsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let mut filter = SessionFilter::new();
        if let Some(status) = self.status {
            filter = filter.status(status);
        }
        if let Some(session_type) = self.session_type {
            filter = filter.session_type(session_type);
        }
        if let Some(app) = &self.app {
            filter = filter.source_app(app);
        }
        if let Some(wave) = &self.wave {
            filter = filter.wave(wave);
        }
        if let Some(since) = self.since {
            filter = filter.since_ns(since);
        }
        if let Some(since) = self.started_since {
            filter = filter.started_since_ns(since);
        }
        if let Some(until) = self.until {
            filter = filter.until_ns(until);
        }
        let mut out = Out::paged(global);
        let found = match self.sort {
            SessionOrder::Last => self.list(&mut out, &snapshot, filter, global)?,
            _ => self.list_sorted(&mut out, &snapshot, filter, global)?,
        };
        out.finish()?;
        if !found {
            return Err(CommandFailure::NothingFound("no session matches".to_owned()));
        }
        Ok(())
    }
}

impl SessionsArgs {
    /// Lists them as they are stored, page by page.
    fn list(
        &self,
        out: &mut Out,
        snapshot: &Snapshot,
        filter: SessionFilter,
        global: &Global,
    ) -> Result<bool, CommandFailure> {
        let mut sessions = snapshot.sessions(filter).after(self.page.after);
        let (mut left, mut found) = (self.page.limit.unwrap_or(usize::MAX), false);
        loop {
            let page = sessions.clone().limit(left.min(limits::MAX_PAGE)).page()?;
            for session in page.items.iter().filter(|session| self.takes(session)) {
                found = true;
                left -= 1;
                print(out, snapshot, session, global)?;
            }
            match page.next {
                // What was left out makes no page shorter.
                Some(cursor) if left > 0 && (self.page.all || self.page.limit.is_some()) => {
                    sessions = sessions.after(cursor);
                }
                next => {
                    finish(out, next, global)?;
                    return Ok(found);
                }
            }
        }
    }

    /// Lists all of them in another order.
    fn list_sorted(
        &self,
        out: &mut Out,
        snapshot: &Snapshot,
        filter: SessionFilter,
        global: &Global,
    ) -> Result<bool, CommandFailure> {
        if self.page.after.is_some() {
            return Err(CommandFailure::Usage(
                "--after goes on in the usual order alone: leave out --sort".to_owned(),
            ));
        }
        let mut sessions = Vec::new();
        for session in &snapshot.sessions(filter) {
            let session = session?;
            if self.takes(&session) {
                sessions.push(session);
            }
        }
        let key = |session: &Session| match self.sort {
            SessionOrder::Start => session.start_ns.unwrap_or(i64::MIN),
            SessionOrder::Errors => count(session.errors),
            SessionOrder::Events => count(session.events),
            SessionOrder::Tokens => {
                count(session.tokens.input.saturating_add(session.tokens.output))
            }
            SessionOrder::Last => 0,
        };
        sessions.sort_by_key(|session| std::cmp::Reverse(key(session)));
        let limit = self.page.limit_or(limits::MAX_PAGE);
        for session in sessions.iter().take(limit) {
            print(out, snapshot, session, global)?;
        }
        if sessions.len() > limit {
            let words = "there are more: give a larger --limit, or --all";
            if global.json {
                warn(&format!("forebear: {words}"));
            } else {
                draw::remark(out, words)?;
            }
        }
        Ok(!sessions.is_empty())
    }

    fn takes(&self, session: &Session) -> bool {
        let project = session.project.as_deref().unwrap_or_default();
        (!self.errors || session.errors > 0)
            && self.project.as_ref().is_none_or(|text| project.contains(text.as_str()))
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn print(out: &mut Out, snapshot: &Snapshot, session: &Session, global: &Global) -> CommandResult {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        session: &'a Session,
        depth: u64,
        path: &'a str,
    }

    if global.json {
        let SessionPlace { depth, path, .. } = snapshot.session_place(&session.id)?;
        out.json(&Line { session, depth, path: &path })?;
        return Ok(());
    }
    draw_listed(out, session)?;
    Ok(())
}

impl Run for SessionArgs {
    fn writes(&self) -> bool {
        self.change.is_some()
    }

    fn run(&self, global: &Global) -> CommandResult {
        match (&self.change, &self.id) {
            (Some(SessionChange::Set(set)), _) => set.run(global),
            (None, Some(id)) => show(id, global),
            // Refused before: one of the two is required.
            (None, None) => Ok(()),
        }
    }
}

/// Prints all that is known of a session.
fn show(id: &str, global: &Global) -> CommandResult {
    {
        #[derive(Serialize)]
        struct SessionLine<'a> {
            #[serde(flatten)]
            session: &'a Session,
            depth: u64,
            path: &'a str,
            parents: &'a [StoredRelationship],
            children: &'a [StoredRelationship],
        }

        let snapshot = place::snapshot(global)?;
        let id = &place::find_session(&snapshot, id)?;
        let session = snapshot.session(id)?.ok_or_else(|| unknown(id))?;
        let SessionPlace { depth, path, .. } = snapshot.session_place(id)?;
        let parents = snapshot.session_parents(id).page()?.items;
        let children = snapshot.session_children(id).page()?;
        let mut out = Out::paged(global);
        if global.json {
            out.json(&SessionLine {
                session: &session,
                depth,
                path: &path,
                parents: &parents,
                children: &children.items,
            })?;
        } else {
            draw_session(&mut out, &session)?;
            let texts = [
                ("path", Some(&path)),
                ("app", session.source_app.as_ref()),
                ("title", session.title.as_ref()),
                ("model", session.model.as_ref()),
                ("project", session.project.as_ref()),
                ("wave", session.wave_id.as_ref()),
                ("metadata", session.metadata.as_ref()),
            ];
            for (name, text) in texts {
                if let Some(text) = text {
                    draw::plain(&mut out, &format!("  {name:<10}{}", text::clean(text)), 12)?;
                }
            }
            let tokens = session.tokens;
            let tokens = format!(
                "  {:<10}{} in, {} out, {} read from a cache, {} written to it",
                "tokens",
                text::thousands(tokens.input),
                text::thousands(tokens.output),
                text::thousands(tokens.cache_read),
                text::thousands(tokens.cache_written),
            );
            draw::plain(&mut out, &tokens, 12)?;
            for (word, found) in [("from", &parents), ("led to", &children.items)] {
                for relationship in found {
                    let other =
                        if word == "from" { &relationship.parent } else { &relationship.child };
                    let why =
                        relationship.spawn_reason.map_or(String::new(), |why| format!(", {why}"));
                    let kind = relationship.relationship_type;
                    let line = format!("  {word:<10}{}  ({kind}{why})", text::clean(other));
                    draw::plain(&mut out, &line, 12)?;
                }
            }
            if children.next.is_some() {
                draw::remark(&mut out, "and more: see `forebear session-tree`")?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

impl Run for WavesArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let mut out = Out::paged(global);
        let mut waves = snapshot.waves().after(self.page.after);
        let mut left = self.page.limit_or(limits::MAX_PAGE);
        loop {
            let page = waves.clone().limit(left.min(limits::MAX_PAGE)).page()?;
            left = left.saturating_sub(page.items.len());
            for wave in &page.items {
                if global.json {
                    out.json(wave)?;
                } else {
                    let Wave { id, sessions, events, start_ns, running, done, failed, .. } = wave;
                    let when = start_ns.map_or("no time".to_owned(), time::clock);
                    let line = format!(
                        "{when:<19}  {}  {}, {}, {running} running, {done} done, {failed} failed",
                        text::clean(id),
                        text::counted(*sessions, "session", "sessions"),
                        text::counted(*events, "event", "events"),
                    );
                    draw::plain(&mut out, &line, 0)?;
                }
            }
            match page.next {
                Some(cursor) if left > 0 => waves = waves.after(cursor),
                next => {
                    finish(&mut out, next, global)?;
                    break;
                }
            }
        }
        out.finish()?;
        Ok(())
    }
}

impl Run for RelateArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        if self.parent == self.child {
            return Err(forebear::Error::invalid(format!(
                "expected two sessions, found {:?} twice: none comes from itself",
                self.parent
            ))
            .into());
        }
        let mut relationship = Relationship::new(&self.parent, &self.child);
        if let Some(kind) = self.relationship_type {
            relationship = relationship.relationship_type(kind);
        }
        if let Some(reason) = self.reason {
            relationship = relationship.reason(reason);
        }
        if let Some(delegation) = self.delegation {
            relationship = relationship.delegation(delegation);
        }
        if let Some(metadata) = &self.metadata {
            relationship = relationship.metadata(metadata);
        }
        let target = place::open_existing_or_hand_in(global)?;
        match &target {
            WriteTarget::Store(store) => store.relate(relationship)?,
            // What it came to shows once it is taken in.
            WriteTarget::Spool(spool) => {
                let ticket = spool.submit(Batch::new().relate(relationship))?;
                place::finish_handing_in(spool, Some(&ticket), true)?;
            }
        }
        let stored = related(&target.snapshot(global)?, &self.parent, &self.child)?;
        if let WriteTarget::Store(store) = target {
            place::close(store)?;
        }
        let mut out = Out::new();
        if let Some(stored) = stored {
            if global.json {
                out.json(&stored)?;
            } else {
                let line =
                    format!("{} → {}: {}", self.parent, self.child, stored.relationship_type);
                writeln!(out, "{}", text::clean(&line))?;
            }
        }
        out.finish()?;
        Ok(())
    }
}

/// How a session belongs to another. A session has fewer that it comes from than
/// that come from it.
fn related(
    snapshot: &Snapshot,
    parent: &str,
    child: &str,
) -> Result<Option<StoredRelationship>, CommandFailure> {
    for stored in snapshot.session_parents(child) {
        let stored = stored?;
        if stored.parent == parent {
            return Ok(Some(stored));
        }
    }
    Ok(None)
}

/// That there is no session with this name.
fn unknown(id: &str) -> CommandFailure {
    CommandFailure::NothingFound(format!("no session has the name {id}"))
}

fn draw_session(out: &mut Out, session: &Session) -> CommandResult {
    let when = session.start_ns.map_or("no time".to_owned(), time::clock);
    draw::line(
        out,
        &[
            (draw::DIM, &format!("{when:<19}  ")),
            (status_style(session.status), &format!("{:<9}  ", session.status.as_str())),
            (Style::new(), &short_name(&session.id, None)),
            (draw::DIM, &format!("  {}", figures(session))),
        ],
    )?;
    Ok(())
}

/// Says where a listing goes on.
fn finish(out: &mut Out, next: Option<Cursor>, global: &Global) -> CommandResult {
    let Some(cursor) = next else { return Ok(()) };
    if global.json {
        out.json_end(&NextLine::from(cursor))?;
    } else {
        draw::remark(out, &format!("there may be more: --after {cursor}, or --all"))?;
    }
    Ok(())
}
