//! Alerts while files are followed: each stored as an event, and a command run for it, once.

use std::collections::HashSet;
use std::io;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use forebear::answers::{Alert, AlertRule, AlertsQuery, alerts};
use forebear::ingest::FollowStatus;
use forebear::{EventId, Store, Time};

use crate::commands::alerts::line;
use crate::commands::status;
use crate::failure::{CommandFailure, CommandResult, warn};

/// Looks now and then, and runs a command for what is new.
#[derive(Debug)]
pub(crate) struct AlertRunner {
    rules: Vec<AlertRule>,
    command: Option<String>,
    /// Sessions that ended before are left out: what was the matter then is old.
    since_ns: i64,
    next: Instant,
    /// Alerts that are stored, whoever stored them.
    stored: HashSet<EventId>,
    running: Vec<Child>,
}

impl AlertRunner {
    /// Looks from where the last follower ended; of a store that nobody followed, from now.
    pub(crate) fn new(
        store: &Store,
        rules: &[AlertRule],
        command: Option<&str>,
    ) -> Result<Self, CommandFailure> {
        let last = FollowStatus::last(&store.snapshot())?;
        let from_ns = last.map_or_else(|| Time::now().ns(), |last| last.time_ns);
        Ok(Self {
            rules: rules.to_vec(),
            command: command.map(str::to_owned),
            since_ns: from_ns.saturating_sub(BEFORE_NS),
            next: Instant::now(),
            stored: HashSet::new(),
            running: Vec::new(),
        })
    }

    /// Looks, if it is time to. An alert is stored before its command runs, so that the command
    /// runs once at most, however often the follower is started.
    pub(crate) fn look(&mut self, store: &Store) -> CommandResult {
        self.running.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
        if self.rules.is_empty() || Instant::now() < self.next {
            return Ok(());
        }
        self.next = Instant::now() + LOOK_TIME;
        let snapshot = store.snapshot();
        let query = AlertsQuery::rules(self.rules.iter().copied())
            .since_ns(self.since_ns)
            .lags(status::lags(&snapshot, &self.rules)?);
        for alert in alerts(&snapshot, &query)?.alerts.iter().rev() {
            if self.stored.contains(&alert.id()) || self.running.len() >= RUNNING_MAX {
                continue;
            }
            if alert.record(store)? {
                warn(&format!("forebear: alert: {}", line(alert)));
                self.run(alert);
            }
            self.stored.insert(alert.id());
        }
        Ok(())
    }

    /// Waits for the commands that run.
    pub(crate) fn finish(mut self) {
        for child in &mut self.running {
            // What is gone has ended.
            let _ = child.wait();
        }
    }

    /// What an alert says comes from transcripts, so it is handed over beside the command line
    /// and never in it.
    fn run(&mut self, alert: &Alert) {
        let Some(command) = &self.command else { return };
        let event = alert.event.as_ref().map(ToString::to_string);
        let mut shell = if cfg!(windows) { Command::new("cmd") } else { Command::new("sh") };
        let started = shell
            .args([if cfg!(windows) { "/C" } else { "-c" }, command])
            .env("FOREBEAR_ALERT_ID", alert.id().to_string())
            .env("FOREBEAR_ALERT_RULE", alert.rule.to_string())
            .env("FOREBEAR_ALERT_ABOUT", without_nul(&alert.subject))
            .env("FOREBEAR_ALERT_EVENT", without_nul(&event.unwrap_or_default()))
            .env("FOREBEAR_ALERT_TEXT", without_nul(&alert.text))
            .stdin(Stdio::null())
            // Standard output is the follower's own.
            .stdout(io::stderr())
            .spawn();
        match started {
            Ok(child) => self.running.push(child),
            Err(error) => warn(&format!("forebear: running {command:?}: {error}")),
        }
    }
}

/// A text as the environment takes it.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// How often it looks.
const LOOK_TIME: Duration = Duration::from_secs(5);

/// How long before the last follower ended sessions may have ended that are looked at: a call
/// that hangs is told from one that takes long some time after the session's last event.
const BEFORE_NS: i64 = 3600 * 1_000_000_000;

/// Commands that run at a time; alerts beyond them wait.
const RUNNING_MAX: usize = 16;
