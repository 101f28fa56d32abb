//! `list_sessions`: what was worked on.

use forebear::{SessionFilter, SessionReads, SessionStatus};
use forebear_wire::cap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::Answered;
use crate::question::Question;
use crate::reply::Reply;
use crate::tools::Ask;
use crate::tools::listed::ListedPage;
use crate::{line, schema};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionsToolArgs {
    /// Only with this status
    #[serde(default)]
    status: Option<Status>,
    /// Only of this program, such as claude-code
    #[serde(default)]
    app: Option<String>,
    /// Only those that work together under this wave
    #[serde(default)]
    wave: Option<String>,
    /// Only that ended at this time or later: RFC 3339, a date, or how long ago (2h, 3d)
    #[serde(default)]
    since: Option<String>,
    /// Only that began before this time
    #[serde(default)]
    until: Option<String>,
    /// Sessions at most
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    /// The `next` of an earlier reply
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    max_bytes: MaxBytes,
}

/// How a session stands.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Active,
    Completed,
    Failed,
    Timeout,
    Cancelled,
}

impl From<Status> for SessionStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Completed => Self::Completed,
            Status::Failed => Self::Failed,
            Status::Timeout => Self::Timeout,
            Status::Cancelled => Self::Cancelled,
        }
    }
}

impl Ask for SessionsToolArgs {
    const NAME: &'static str = "list_sessions";
    const TITLE: &'static str = "Sessions";
    const DESCRIPTION: &'static str = "List sessions of agents, those that something was stored \
        of last first: title, project, model, status, counts of events and errors. Use it to \
        find the session that a question is about.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "sessions": {"type": "array", "items": schema::session()},
                "next": schema::next(),
            }),
            &["sessions"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let mut filter = SessionFilter::new();
        if let Some(status) = self.status {
            filter = filter.status(status.into());
        }
        if let Some(app) = args::given(self.app.as_ref()) {
            filter = filter.source_app(app);
        }
        if let Some(wave) = args::given(self.wave.as_ref()) {
            filter = filter.wave(wave);
        }
        if let Some(since) = args::time_ns("since", self.since.as_ref())? {
            filter = filter.since_ns(since);
        }
        if let Some(until) = args::time_ns("until", self.until.as_ref())? {
            filter = filter.until_ns(until);
        }
        let after = args::cursor(self.cursor.as_ref())?;
        let query = question.snapshot.sessions(filter).after(after);
        let draw = |session: &_, _| Ok(draw(question, session, ""));
        let fetch = |limit| query.clone().limit(limit).page();
        let listed = ListedPage::fetch(question, limit, fetch, draw)?;
        Ok(listed.into_reply("sessions", "no session matches"))
    }
}

/// A session as a value, without what it has no value of, and as a line.
pub(super) fn draw(
    question: &Question<'_>,
    session: &impl Serialize,
    lead: &str,
) -> (Value, String) {
    // No session is refused: its keys are texts.
    let mut value = serde_json::to_value(session).unwrap_or_default();
    question.redact_value(&mut value);
    if let Value::Object(members) = &mut value {
        // What tools note of a session can be of any length.
        members.remove("metadata");
        members.retain(|_, member| !member.is_null());
        for name in ["title", "project"] {
            if let Some(Value::String(text)) = members.get_mut(name) {
                *text = cap::start(text, NAME_BYTES);
            }
        }
    }
    let line = format!("{lead}{}", line::of_session(&value));
    (value, line)
}

fn default_limit() -> usize {
    20
}

/// Bytes of a title and of a folder.
const NAME_BYTES: usize = 200;
