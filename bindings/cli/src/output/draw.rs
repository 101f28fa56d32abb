//! Pictures of events: a line for each, on a rail that shows the lineage.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use forebear::{ChainEnd, EventId, LinkKind, StoredEvent};

use crate::output::{Out, gist, json, json_text, text, time};

/// Columns of a kind; longer ones are cut.
const KIND_COLUMNS: usize = 17;

/// Columns of a time difference.
const DIFFERENCE_COLUMNS: usize = 8;

/// Columns that are left for the kind where the rail is long.
const MIN_KIND_COLUMNS: usize = 12;

/// Columns that are left for the gist even where there is no room for it.
const MIN_GIST_COLUMNS: usize = 12;

/// Bytes of a payload that is shown beneath its event.
const SHOWN_PAYLOAD_BYTES: usize = 64 << 10;

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const RED: Style = AnsiColor::Red.on_default();
const LINK: Style = AnsiColor::Magenta.on_default();

/// The colour of a kind.
pub(crate) fn kind_style(event: &StoredEvent) -> Style {
    if event.kind() == "error" || event.label("is_error") == Some("true") {
        return RED;
    }
    match event.kind() {
        "tool_use" => AnsiColor::Yellow.on_default(),
        "user_message" => AnsiColor::Green.on_default(),
        "assistant_message" => AnsiColor::Cyan.on_default(),
        "thinking" => AnsiColor::Blue.on_default(),
        _ => DIM,
    }
}

/// What a picture shows of an event. It does without the payload, so that a
/// large tree can be drawn in little memory.
pub(crate) struct Row {
    kind: String,
    id: String,
    time_ns: i64,
    gist: String,
    style: Style,
}

impl Row {
    /// The row for an event.
    pub(crate) fn new(event: &StoredEvent) -> Self {
        Self {
            kind: text::clean(event.kind()).into_owned(),
            id: text::short_id(event.id()),
            time_ns: event.time_ns(),
            gist: gist::of_event(event),
            style: kind_style(event),
        }
    }

    /// The event's time.
    pub(crate) fn time_ns(&self) -> i64 {
        self.time_ns
    }

    /// Prints it after its rail: kind, id, time since its cause, gist. The rail
    /// and the kind together take `lead` columns, if that is enough for them;
    /// `mark` stands before the gist.
    pub(crate) fn draw(
        &self,
        out: &mut Out,
        rail: &str,
        lead: usize,
        since_ns: Option<i64>,
        mark: &str,
    ) -> io::Result<()> {
        let kind_columns = lead.saturating_sub(text::width(rail)).max(MIN_KIND_COLUMNS);
        let kind = text::fit(&self.kind, kind_columns);
        let id = format!("{:<8}", self.id);
        let difference =
            since_ns.map(|since| time::difference(since, self.time_ns)).unwrap_or_default();
        let difference = format!("{difference:>DIFFERENCE_COLUMNS$}");
        let used =
            [rail, &kind, &id, &difference, mark].into_iter().map(text::width).sum::<usize>();
        let room = out.columns().saturating_sub(used + 4);
        let gist = text::cut(&self.gist, room.max(MIN_GIST_COLUMNS));
        let line = format!(
            "{}{} {} {}  {}{}",
            out.paint(DIM, rail),
            out.paint(self.style, kind),
            out.paint(DIM, id),
            out.paint(DIM, difference),
            out.paint(LINK, mark),
            out.paint(gist_style(self.style), gist),
        );
        writeln!(out, "{}", line.trim_end())
    }
}

/// Columns of a chain's rail and kind.
pub(crate) const CHAIN_LEAD: usize = KIND_COLUMNS + 2;

/// Prints what joins two events of a chain, where it is not the usual link.
pub(crate) fn joint(
    out: &mut Out,
    kind: LinkKind,
    upwards: bool,
    instance: &str,
) -> io::Result<()> {
    let words = match (kind, upwards) {
        (LinkKind::Spawned, true) => "spawned by",
        (LinkKind::Spawned, false) => "spawned",
        (LinkKind::Continues, true) => "continues from",
        (LinkKind::Continues, false) => "continued by",
        _ => return Ok(()),
    };
    let instance = text::clean(instance);
    let instance = text::cut(&instance, 40);
    let of = if instance.is_empty() { "" } else { "  in " };
    let line = format!(
        "{}{}",
        out.paint(LINK, format_args!("╞═ {words}")),
        out.paint(DIM, format_args!("{of}{instance}")),
    );
    writeln!(out, "{line}")
}

/// Says in words, after its rail, how a walk ended and what to do next.
pub(crate) fn end(
    out: &mut Out,
    rail: &str,
    end: &ChainEnd,
    top: &StoredEvent,
    steps: u64,
) -> io::Result<()> {
    let parent = end.parent().map(EventId::to_string).unwrap_or_default();
    let parent = text::clean(&parent).into_owned();
    let on = end.parent().map(text::short_id).unwrap_or_default();
    let steps = text::counted(steps, "step", "steps");
    let words = match end {
        ChainEnd::Root => {
            format!("root: it began here, {steps} back, at {} UTC", time::clock(top.time_ns()))
        }
        ChainEnd::Missing(_) => format!(
            "missing: the parent {parent} was never stored; import what holds it \
             (`forebear missing` lists all such parents)"
        ),
        ChainEnd::Expired(_) => {
            format!("expired: the parent {parent} was removed by retention; an archive may hold it")
        }
        ChainEnd::Cycle(_) => format!(
            "cycle: the parent {parent} goes back to this very event; \
             `forebear links` lists the links that are not followed"
        ),
        ChainEnd::DepthLimit(_) => format!(
            "depth limit after {steps}: go on with `forebear chain {on}`, or give --max-depth"
        ),
        ChainEnd::Stopped(_) => {
            format!("stopped as asked, after {steps}: go on with `forebear chain {on}`")
        }
        ChainEnd::Damaged(_) => format!(
            "damaged: the parent {parent} is lost; \
             what recovery kept of it lies in the store's folder"
        ),
        other => format!("{}: {parent}", other.as_str()),
    };
    let style = if *end == ChainEnd::Root { DIM } else { LINK };
    let line = format!("{}{}", out.paint(DIM, rail), out.paint(style, words));
    writeln!(out, "{line}")
}

/// Prints the line above a picture: when it begins, and whose it is.
pub(crate) fn heading(out: &mut Out, when: &str, instance: &str) -> io::Result<()> {
    let instance = text::clean(instance);
    let instance = text::cut(&instance, 40);
    let line = format!("{}  {}", out.paint(BOLD, when), out.paint(DIM, instance));
    writeln!(out, "{}", line.trim_end())
}

/// Prints a line that is about the picture, not of it.
pub(crate) fn remark(out: &mut Out, words: &str) -> io::Result<()> {
    let line = out.paint(DIM, text::clean(words)).to_string();
    writeln!(out, "{line}")
}

/// Prints a line as it is, once it is harmless.
pub(crate) fn plain(out: &mut Out, line: &str) -> io::Result<()> {
    writeln!(out, "{}", text::clean(line))
}

/// Prints a payload beneath its event: JSON spread out, other text as it is.
pub(crate) fn payload(out: &mut Out, rail: &str, payload: &[u8]) -> io::Result<()> {
    let shown = match json::as_json(payload) {
        Some(json) if payload.len() <= SHOWN_PAYLOAD_BYTES => json_text::indent(json.get()),
        _ => {
            let end = payload.len().min(SHOWN_PAYLOAD_BYTES);
            String::from_utf8_lossy(&payload[..end]).into_owned()
        }
    };
    for line in text::clean_lines(&shown).lines() {
        let line = format!("{}{line}", out.paint(DIM, rail));
        writeln!(out, "{}", line.trim_end())?;
    }
    if payload.len() > SHOWN_PAYLOAD_BYTES {
        let line = format!(
            "{rail}… {} in all; `forebear show --raw` prints them",
            text::bytes(payload.len() as u64)
        );
        let line = out.paint(DIM, line).to_string();
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Prints an event as a line of a list: time of day, id, kind, gist; the day
/// goes on a line of its own where it is another than `day`, which it becomes.
pub(crate) fn list_row(out: &mut Out, event: &StoredEvent, day: &mut String) -> io::Result<()> {
    let this_day = time::day(event.time_ns());
    if *day != this_day {
        let line = out.paint(DIM, format_args!("{this_day} (UTC)")).to_string();
        writeln!(out, "{line}")?;
        *day = this_day;
    }
    let kind = text::fit(&text::clean(event.kind()), KIND_COLUMNS);
    let id = format!("{:<8}", text::short_id(event.id()));
    let mark = if event.is_version() { "version: " } else { "" };
    let used = 2 + 8 + 2 + text::width(&id) + 2 + KIND_COLUMNS + 2 + mark.len();
    let gist = gist::of_event(event);
    let gist = text::cut(&gist, out.columns().saturating_sub(used).max(MIN_GIST_COLUMNS));
    let style = kind_style(event);
    let line = format!(
        "  {}  {}  {}  {}{}",
        time::time_of_day(event.time_ns()),
        out.paint(DIM, id),
        out.paint(style, kind),
        out.paint(DIM, mark),
        out.paint(gist_style(style), gist),
    );
    writeln!(out, "{}", line.trim_end())
}

/// What a failure says stands out, too.
fn gist_style(kind_style: Style) -> Style {
    if kind_style == RED { RED } else { Style::new() }
}

/// A bar of up to `columns`, for `value` out of `most`, in eighths of a column.
pub(crate) fn bar(value: u64, most: u64, columns: usize) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let full = columns as u128 * 8;
    let eighths = (u128::from(value) * full).div_ceil(u128::from(most.max(1)));
    let eighths = usize::try_from(eighths.min(full)).unwrap_or(0);
    format!("{}{}", "█".repeat(eighths / 8), EIGHTHS[eighths % 8])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_in_proportion() {
        assert_eq!(bar(10, 10, 4), "████");
        assert_eq!(bar(5, 10, 4), "██");
        assert_eq!(bar(1, 1_000_000, 4), "▏");
        assert_eq!(bar(0, 10, 4), "");
        assert_eq!(bar(u64::MAX, u64::MAX, 4), "████");
        assert_eq!(bar(0, 0, 4), "");
    }
}
