//! `forebear relationships` and `forebear check`.

use std::time::Duration;

use clap::Args;
use forebear::{
    RelationshipType, SessionCorrelation, SessionFilter, SessionProblem, SessionReads, Snapshot,
    SpawnReason,
};
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// List how sessions belong together, and how long after the call each child began
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: objects with `parent`, `child`, `type`, `spawn_reason`, `delegation_type`,
`created`, `completed`, `metadata`, `spawn_delay_ms` (from the relationship's making to the
child's beginning) and `child_duration_ms`.

Examples:
  forebear relationships --type parent/child --json
  forebear relationships --reason task_tool --since yesterday")]
pub(crate) struct RelationshipsArgs {
    /// Those that a session has to those below it: its name, or the beginning of it
    parent: Option<String>,
    /// How: parent/child, sibling, continuation or `wave_member`
    #[arg(long = "type", value_name = "TYPE")]
    relationship_type: Option<RelationshipType>,
    /// Why: `subagent_delegation`, `wave_orchestration`, `task_tool` or continuation
    #[arg(long, value_name = "REASON")]
    reason: Option<SpawnReason>,
    /// Made at this time or later: as for `forebear events`
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<i64>,
    /// Made before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    until: Option<i64>,
}

/// Check that sessions go back to each other without circles, gaps and doubles
#[derive(Debug, Args)]
#[command(after_help = "\
Looks for sessions that come from themselves, in circles, from relationships with a child
that nothing is stored of, and for two sessions with one path. With --json: objects with
`problem` (self_reference, unknown_child, cycle or duplicate_path) and what it is about. The
exit code is 1 where something was found.

Example:
  forebear check")]
pub(crate) struct CheckArgs {}

impl Run for RelationshipsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let mut out = Out::paged(global);
        let mut found = false;
        if let Some(parent) = &self.parent {
            let parent = place::find_session(&snapshot, parent)?;
            found = self.list(&mut out, &snapshot, &parent, None, global)?;
        } else {
            for session in &snapshot.sessions(SessionFilter::new()) {
                let session = session?.id;
                found |= self.list(&mut out, &snapshot, &session, None, global)?;
                for above in snapshot.session_parents(&session) {
                    let above = above?.parent;
                    // That of a session is listed with it.
                    if snapshot.session(&above)?.is_none() {
                        found |= self.list(&mut out, &snapshot, &above, Some(&session), global)?;
                    }
                }
            }
        }
        out.finish()?;
        if !found {
            return Err(CommandFailure::NothingFound("no relationship matches".to_owned()));
        }
        Ok(())
    }
}

impl RelationshipsArgs {
    /// Lists those that a session has to those below it, or to the one that is given; whether
    /// there are any.
    fn list(
        &self,
        out: &mut Out,
        snapshot: &Snapshot,
        parent: &str,
        child: Option<&str>,
        global: &Global,
    ) -> Result<bool, CommandFailure> {
        let mut found = false;
        for correlation in &snapshot.session_correlations(parent) {
            let correlation = correlation?;
            let is_it = child.is_none_or(|child| correlation.relationship.child == child);
            if is_it && self.takes(&correlation) {
                print(out, &correlation, global)?;
                found = true;
            }
        }
        Ok(found)
    }

    fn takes(&self, correlation: &SessionCorrelation) -> bool {
        let relationship = &correlation.relationship;
        let made = relationship.created_ns;
        self.relationship_type.is_none_or(|wanted| relationship.relationship_type == wanted)
            && self.reason.is_none_or(|wanted| relationship.spawn_reason == Some(wanted))
            && self.since.is_none_or(|since| made.is_some_and(|made| made >= since))
            && self.until.is_none_or(|until| made.is_some_and(|made| made < until))
    }
}

fn print(out: &mut Out, correlation: &SessionCorrelation, global: &Global) -> CommandResult {
    #[derive(Serialize)]
    struct Line<'a> {
        #[serde(flatten)]
        relationship: &'a forebear::StoredRelationship,
        spawn_delay_ms: Option<u64>,
        child_duration_ms: Option<u64>,
    }

    let SessionCorrelation { relationship, spawn_delay, child_duration, .. } = correlation;
    if global.json {
        out.json(&Line {
            relationship,
            spawn_delay_ms: spawn_delay.map(millis),
            child_duration_ms: child_duration.map(millis),
        })?;
        return Ok(());
    }
    let why = relationship.spawn_reason.map_or(String::new(), |why| format!(", {why}"));
    let line = format!(
        "{} → {}  ({}{why})",
        text::clean(&relationship.parent),
        text::clean(&relationship.child),
        relationship.relationship_type,
    );
    draw::plain(out, &line, 0)?;
    Ok(())
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

impl Run for CheckArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let mut out = Out::paged(global);
        let mut found = 0_u64;
        for problem in &snapshot.session_problems() {
            let problem = problem?;
            found += 1;
            if global.json {
                out.json(&Problem::from(&problem))?;
            } else {
                draw::plain(&mut out, &text::clean(&in_words(&problem)), 0)?;
            }
        }
        if found == 0 && !global.json {
            draw::plain(&mut out, "sessions are sound: no circle, no gap, no path twice", 0)?;
        }
        out.finish()?;
        if found > 0 {
            let found = text::counted(found, "problem", "problems");
            return Err(CommandFailure::Failed(format!(
                "expected sessions without circles and gaps, found {found}"
            )));
        }
        Ok(())
    }
}

/// A problem as JSON.
#[derive(Debug, Serialize)]
#[serde(tag = "problem", rename_all = "snake_case")]
enum Problem<'a> {
    SelfReference { session: &'a str },
    UnknownChild { parent: &'a str, child: &'a str },
    Cycle { session: &'a str },
    DuplicatePath { session: &'a str, other: &'a str, path: &'a str },
    Other { text: String },
}

impl<'a> From<&'a SessionProblem> for Problem<'a> {
    fn from(problem: &'a SessionProblem) -> Self {
        match problem {
            SessionProblem::SelfReference { session } => Self::SelfReference { session },
            SessionProblem::UnknownChild { parent, child } => Self::UnknownChild { parent, child },
            SessionProblem::Cycle { session } => Self::Cycle { session },
            SessionProblem::DuplicatePath { session, other, path } => {
                Self::DuplicatePath { session, other, path }
            }
            other => Self::Other { text: format!("{other:?}") },
        }
    }
}

fn in_words(problem: &SessionProblem) -> String {
    match problem {
        SessionProblem::SelfReference { session } => format!("{session} comes from itself"),
        SessionProblem::UnknownChild { parent, child } => {
            format!("{parent} led to {child}, of which nothing is stored")
        }
        SessionProblem::Cycle { session } => format!("the way up from {session} is a circle"),
        SessionProblem::DuplicatePath { session, other, path } => {
            format!("{session} and {other} have one path, {path}")
        }
        other => format!("{other:?}"),
    }
}
