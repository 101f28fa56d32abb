//! What is shown of a session.

use anstyle::{AnsiColor, Style};
use forebear::{Session, SessionStatus};

use crate::output::draw::{DIM, RED};
use crate::output::{text, time};

/// Columns of a session's name.
const NAME_COLUMNS: usize = 48;

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
