//! What is shown of a session.

use std::io;

use anstyle::Style;
use forebear::{EventId, Session, SessionStatus};

use crate::output::draw::{self, DIM, RED};
use crate::output::{Out, text, time};

/// Columns of a session's name in a list, unless it is longer.
const LISTED_NAME_COLUMNS: usize = 17;

/// Columns of a project and of a model in a list.
const NAMES_COLUMNS: usize = 20;

/// Columns that a title has at least.
const MIN_TITLE_COLUMNS: usize = 20;

/// Columns of a session's name.
const NAME_COLUMNS: usize = 48;

/// The colour of a status.
pub(crate) fn status_style(status: SessionStatus) -> Style {
    match status {
        SessionStatus::Active => draw::GREEN,
        SessionStatus::Failed => RED,
        SessionStatus::Timeout | SessionStatus::Cancelled => draw::ORANGE,
        _ => DIM,
    }
}

/// A session's name; an agent's, below the session that it belongs to, by itself.
pub(crate) fn short_name(id: &str, above: Option<&str>) -> String {
    let own = above.and_then(|above| id.strip_prefix(above)?.strip_prefix('/'));
    text::cut(&text::clean(own.unwrap_or(id)), NAME_COLUMNS).into_owned()
}

/// Prints a session on a line of a list: its short name, when it began, its status, its title,
/// and of what it came to as much as leaves the title some room.
pub(crate) fn draw_listed(out: &mut Out, session: &Session) -> io::Result<()> {
    let when = session.start_ns.map_or("no time".to_owned(), time::short);
    // A name that is cut is taken by no command, so a long one takes room of the title.
    let name = text::cut(&listed_name(&session.id), NAME_COLUMNS).into_owned();
    let name = text::fit(&name, LISTED_NAME_COLUMNS.max(text::width(&name)));
    let lead = [
        (Style::new(), format!("{name}  ")),
        (DIM, format!("{when:<11}  ")),
        (status_style(session.status), format!("{:<9}  ", session.status.as_str())),
    ];
    let short_of = |name: &str| format!("  {}", text::cut(&text::clean(name), NAMES_COLUMNS));
    let folder = session.project.as_deref().and_then(|path| path.rsplit(['/', '\\']).next());
    let folder = folder.map(short_of).unwrap_or_default();
    let model = session.model.as_deref().map(short_model).map(short_of).unwrap_or_default();
    let errors = match session.errors {
        0 => String::new(),
        count => format!("  {}", text::counted(count, "error", "errors")),
    };
    let (input, output) = (session.tokens.input, session.tokens.output);
    let tokens = match (input, output) {
        (0, 0) => String::new(),
        _ => format!("  {} in {} out", text::short_number(input), text::short_number(output)),
    };
    let events = format!("  {}", text::counted(session.events, "event", "events"));
    // As they stand on the line, each with its rank among them.
    let mut tail =
        [(2, DIM, folder), (3, DIM, model), (1, RED, errors), (4, DIM, tokens), (5, DIM, events)];
    let taken: usize = lead.iter().map(|(_, text)| text::width(text)).sum();
    let title = text::clean(session.title.as_deref().unwrap_or_default()).into_owned();
    let least = text::width(&title).min(MIN_TITLE_COLUMNS);
    let mut room = out.columns().saturating_sub(taken + least);
    for rank in 1..=tail.len() {
        for (_, _, words) in tail.iter_mut().filter(|(own, ..)| *own == rank) {
            match room.checked_sub(text::width(words)) {
                Some(left) => room = left,
                None => words.clear(),
            }
        }
    }
    let title = text::cut(&title, room + least).into_owned();
    let tail = tail.into_iter().map(|(_, style, words)| (style, words));
    let pieces: Vec<(Style, String)> =
        lead.into_iter().chain([(Style::new(), title)]).chain(tail).collect();
    let pieces: Vec<(Style, &str)> = pieces.iter().map(|(style, text)| (*style, &**text)).collect();
    draw::line(out, &pieces)
}

/// A model's name without its maker and the day of its release.
fn short_model(model: &str) -> &str {
    let model = model.strip_prefix("claude-").unwrap_or(model);
    match model.rsplit_once('-') {
        Some((name, day)) if day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit()) => {
            name
        }
        _ => model,
    }
}

/// A session's name as short as every command takes it: of a UUID the beginning.
fn listed_name(id: &str) -> String {
    let (session, agent) = id.split_once('/').map_or((id, None), |(id, agent)| (id, Some(agent)));
    let short = forebear_wire::id::short_uuid(&EventId::from(session));
    let session = short.unwrap_or_else(|| session.to_owned());
    text::clean(&agent.map_or(session.clone(), |agent| format!("{session}/{agent}"))).into_owned()
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
