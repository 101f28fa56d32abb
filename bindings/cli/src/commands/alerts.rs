//! `forebear alerts`: what is the matter.

use clap::Args;
use forebear::answers::{Alert, AlertRule, AlertsQuery, alerts};
use forebear_wire::alert_line::AlertLine;

use crate::command::Run;
use crate::commands::status;
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::place;

/// List what is the matter, by rules: what failed, hangs, or takes too much
///
/// Looks at the sessions, the newest first, and writes nothing. `forebear watch --alert RULE
/// --run COMMAND` does so all the time and runs a command for each alert, once.
#[derive(Debug, Args)]
#[command(after_help = "\
Rules, with the bounds that they have unless another is given:
  failed           a session failed
  timeout          a session waits for a call whose result doesn't come
  error-rate=20    of a hundred events of a session so many are errors (of 20 or more)
  open-call=10m    a call has no result for as long, in a session that waits for it
  tokens=10000000  a session took more tokens
  wave-stuck=1h    sessions of a wave did not end, and nothing came of any for as long
  orphan-agent     an agent whose first event names no cause that is stored
  lag=30s          what is written to a followed file is not stored for as long

With --json, an object on each line: id (of the event that `watch --alert` stores), rule,
about (the session, wave or file), event (that decided it), time, text. The exit code is 3
where there is none.

Examples:
  forebear alerts --since 1d
  forebear alerts --rule failed --rule tokens=2000000 --json | jq -r .about")]
pub(crate) struct AlertsArgs {
    /// Look by this rule; given several times, by each of them [default: by all]
    #[arg(long = "rule", value_name = "RULE")]
    rules: Vec<AlertRule>,

    /// Leave out sessions that ended before this time: RFC 3339, a date, or so long ago (`2h`, `3d`)
    #[arg(long, value_name = "TIME", value_parser = time::parse, allow_hyphen_values = true)]
    since: Option<i64>,
}

impl Run for AlertsArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let snapshot = place::snapshot(global)?;
        let rules = if self.rules.is_empty() { &AlertRule::ALL[..] } else { &self.rules };
        let mut query =
            AlertsQuery::rules(rules.iter().copied()).lags(status::lags(&snapshot, rules)?);
        if let Some(since_ns) = self.since {
            query = query.since_ns(since_ns);
        }
        let found = alerts(&snapshot, &query)?;
        let mut out = Out::paged(global);
        for alert in &found.alerts {
            if global.json {
                out.json(&AlertLine::from(alert))?;
            } else {
                draw::plain(&mut out, &line(alert), 0)?;
            }
        }
        out.finish()?;
        if !found.complete {
            warn(
                "forebear: not all was looked at: the sessions that something was stored of last were",
            );
        }
        if found.alerts.is_empty() {
            return Err(CommandFailure::NothingFound(
                "nothing is the matter by these rules".to_owned(),
            ));
        }
        Ok(())
    }
}

/// An alert in a line.
pub(crate) fn line(alert: &Alert) -> String {
    let Alert { rule, subject, event, time_ns, text, .. } = alert;
    let event = event.as_ref().map(|event| format!(" [{}]", text::short_id(event)));
    let (clock, event) = (time::clock(*time_ns), event.unwrap_or_default());
    format!("{clock}  {:<12}  {subject}: {text}{event}", rule.name())
}
