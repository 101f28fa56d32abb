//! What a graph shows of an event.

use forebear::StoredEvent;
use forebear_wire::redact::Redactor;
use forebear_wire::{gist, id, text};

/// Characters of a gist that a node has room for.
const GIST_CHARS: usize = 60;

/// The lines of an event's node: its kind and its id, and what it says.
pub(crate) fn lines(event: &StoredEvent, redactor: &mut Redactor) -> [String; 2] {
    let short = id::short_uuid(event.id()).unwrap_or_else(|| event.id().to_string());
    let gist = redactor.text(&gist::of_event(event)).into_owned();
    let cut: String = gist.chars().take(GIST_CHARS).collect();
    let gist = if cut.len() < gist.len() { format!("{cut}…") } else { gist };
    [format!("{} {short}", event.kind()), gist].map(|line| text::clean(&line).into_owned())
}

/// Whether it failed, as labels say.
pub(crate) fn is_error(event: &StoredEvent) -> bool {
    event.kind() == "error" || event.label("is_error") == Some("true")
}
