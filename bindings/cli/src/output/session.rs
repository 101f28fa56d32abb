//! What is shown of a session.

use anstyle::{AnsiColor, Style};
use forebear::{Session, SessionStatus, Tokens};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::output::draw::{DIM, RED};
use crate::output::{text, time};

/// Columns of a session's name.
const NAME_COLUMNS: usize = 48;

/// A session.
#[derive(Serialize)]
pub(crate) struct SessionLine<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    session_type: &'static str,
    status: &'static str,
    parent: Option<&'a str>,
    source_app: Option<&'a str>,
    start: Option<String>,
    end: Option<String>,
    duration_ms: Option<u64>,
    agents: u64,
    tokens: TokensLine,
    events: u64,
    errors: u64,
    open_calls: u64,
    model: Option<&'a str>,
    project: Option<&'a str>,
    wave_id: Option<&'a str>,
    metadata: Option<&'a RawValue>,
}

/// What messages took.
#[derive(Serialize)]
pub(crate) struct TokensLine {
    input: u64,
    output: u64,
    cache_read: u64,
    cache_written: u64,
}

impl<'a> SessionLine<'a> {
    pub(crate) fn new(session: &'a Session) -> Self {
        let duration = session.duration();
        Self {
            id: &session.id,
            session_type: session.session_type.as_str(),
            status: session.status.as_str(),
            parent: session.parent.as_deref(),
            source_app: session.source_app.as_deref(),
            start: session.start_ns.map(time::rfc3339),
            end: session.end_ns.map(time::rfc3339),
            duration_ms: duration.map(|length| length.as_millis().try_into().unwrap_or(u64::MAX)),
            agents: session.agents,
            tokens: TokensLine::from(session.tokens),
            events: session.events,
            errors: session.errors,
            open_calls: session.open_calls,
            model: session.model.as_deref(),
            project: session.project.as_deref(),
            wave_id: session.wave_id.as_deref(),
            metadata: session.metadata.as_deref().and_then(|json| serde_json::from_str(json).ok()),
        }
    }
}

impl From<Tokens> for TokensLine {
    fn from(tokens: Tokens) -> Self {
        let Tokens { input, output, cache_read, cache_written } = tokens;
        Self { input, output, cache_read, cache_written }
    }
}

/// The colour of a status.
pub(crate) fn status_style(status: SessionStatus) -> Style {
    match status {
        SessionStatus::Active => AnsiColor::Green.on_default(),
        SessionStatus::Failed => RED,
        SessionStatus::Timeout | SessionStatus::Cancelled => AnsiColor::Yellow.on_default(),
        _ => DIM,
    }
}

/// A session's name; an agent's, below the session that it belongs to, by itself.
pub(crate) fn short_name(id: &str, above: Option<&str>) -> String {
    let own = above.and_then(|above| id.strip_prefix(above)?.strip_prefix('/'));
    text::cut(&text::clean(own.unwrap_or(id)), NAME_COLUMNS).into_owned()
}

/// How long a session took, and what there is to say of it in figures.
pub(crate) fn figures(session: &Session) -> String {
    let mut figures = Vec::new();
    if let Some(length) = session.duration() {
        figures.push(time::took(length));
    }
    figures.push(text::counted(session.events, "event", "events"));
    if session.errors > 0 {
        figures.push(text::counted(session.errors, "error", "errors"));
    }
    let tokens = session.tokens;
    let all = [tokens.input, tokens.output, tokens.cache_read, tokens.cache_written];
    let all = all.into_iter().fold(0, u64::saturating_add);
    if all > 0 {
        figures.push(text::counted(all, "token", "tokens"));
    }
    if session.agents > 0 {
        figures.push(text::counted(session.agents, "agent", "agents"));
    }
    figures.join(", ")
}
