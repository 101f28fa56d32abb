//! Pictures of events: a line for each, on a rail that shows the lineage.

use std::io::{self, Write};

use anstyle::{Ansi256Color, Color, Style};
use forebear::{ChainEnd, EventId, LinkKind, StoredEvent};
use forebear_wire::id;

use crate::output::{Out, gist, json, json_text, text, time};

/// Columns of a kind; longer ones are cut.
const KIND_COLUMNS: usize = 17;

/// Columns of a time difference.
const DIFFERENCE_COLUMNS: usize = 8;

/// Columns that are left for the kind where the rail is long.
const MIN_KIND_COLUMNS: usize = 12;

/// Columns of the output below which kinds have to do with less.
const NARROW_COLUMNS: usize = 80;

/// Columns that kinds do without where the output is narrow.
const SAVED_COLUMNS: usize = 5;

/// Columns of whose events they are, in a line about something else.
const INSTANCE_COLUMNS: usize = 40;

/// Columns of a session, a folder and a tool, in a line about a failure.
const SESSION_COLUMNS: usize = 16;

/// Bytes of a payload that is shown beneath its event.
const SHOWN_PAYLOAD_BYTES: usize = 64 << 10;

pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
// Of the palette of 256, whose colours no theme changes: those that can be read on black and on
// white alike, which of the 16 of a terminal few can.
pub(crate) const RED: Style = of_palette(RED_INDEX);
pub(crate) const GREEN: Style = of_palette(GREEN_INDEX);
pub(crate) const ORANGE: Style = of_palette(ORANGE_INDEX);
pub(crate) const TEAL: Style = of_palette(TEAL_INDEX);
const BLUE: Style = of_palette(BLUE_INDEX);
const LINK: Style = of_palette(PURPLE_INDEX);

const RED_INDEX: u8 = 196;
const GREEN_INDEX: u8 = 64;
const ORANGE_INDEX: u8 = 166;
const TEAL_INDEX: u8 = 30;
const BLUE_INDEX: u8 = 33;
const PURPLE_INDEX: u8 = 135;

const fn of_palette(index: u8) -> Style {
    Style::new().fg_color(Some(Color::Ansi256(Ansi256Color(index))))
}

/// The colour of a kind.
pub(crate) fn kind_style(event: &StoredEvent) -> Style {
    if event.kind() == "error" || event.label("is_error") == Some("true") {
        return RED;
    }
    match event.kind() {
        "tool_use" => ORANGE,
        "user_message" => GREEN,
        "assistant_message" => TEAL,
        "thinking" => BLUE,
        _ => DIM,
    }
}

/// What a picture shows of an event. It does without the payload, so that a
/// large tree can be drawn in little memory.
pub(crate) struct DrawnRow {
    kind: String,
    id: String,
    time_ns: i64,
    gist: String,
    style: Style,
}

impl DrawnRow {
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
        let saved = saved_columns(out);
        let kind_columns =
            lead.saturating_sub(text::width(rail)).max(MIN_KIND_COLUMNS).saturating_sub(saved);
        let difference =
            since_ns.map(|since| time::difference(since, self.time_ns)).unwrap_or_default();
        line(
            out,
            &[
                (DIM, rail),
                (self.style, &text::fit(&self.kind, kind_columns)),
                (DIM, &format!(" {:<8}", self.id)),
                (DIM, &format!(" {difference:>DIFFERENCE_COLUMNS$}  ")),
                (LINK, mark),
                (gist_style(self.style), &self.gist),
            ],
        )
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
    let instance = text::cut(&instance, INSTANCE_COLUMNS);
    let of = if instance.is_empty() { "" } else { "  in " };
    line(out, &[(LINK, "╞═ "), (LINK, words), (DIM, of), (DIM, &instance)])
}

/// Says in words, after its rail, how a walk ended and what to do next.
pub(crate) fn end(
    out: &mut Out,
    rail: &str,
    end: &ChainEnd,
    top: &StoredEvent,
    steps: u64,
    has_dropped: bool,
) -> io::Result<()> {
    let parent = end.parent().map(EventId::to_string).unwrap_or_default();
    let parent = text::clean(&parent).into_owned();
    let on = end.parent().map(text::typed_id).unwrap_or_default();
    let steps = text::counted(steps, "step", "steps");
    let words = match end {
        ChainEnd::Root => {
            format!(
                "root: it began here, {steps} back, at {} {}",
                time::clock(top.time_ns()),
                time::zone_name(top.time_ns())
            )
        }
        ChainEnd::Missing(_) => format!(
            "missing: the parent {parent} {}; import what holds it (`forebear missing` lists all \
             such parents)",
            absent(has_dropped)
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
        ChainEnd::Damaged(Some(_)) => format!(
            "damaged: the parent {parent} is lost or can't be read; \
             `forebear verify` says what is damaged"
        ),
        ChainEnd::Damaged(None) => {
            "damaged: the parent can't be read; `forebear verify` says what is damaged".to_owned()
        }
        other => format!("{}: {parent}", other.as_str()),
    };
    let style = if *end == ChainEnd::Root { DIM } else { LINK };
    let beneath = if rail.starts_with('┌') { "│ " } else { "  " };
    beside(out, (DIM, rail), beneath, style, &words)
}

/// What is known of a parent that isn't stored, where the store's beginning was dropped or
/// lies in an archive, and where it wasn't.
pub(crate) fn absent(has_dropped: bool) -> &'static str {
    if has_dropped {
        "is not stored: retention dropped or archived it, or it never came in"
    } else {
        "was never stored"
    }
}

/// Prints the line above a picture: when it begins, and whose it is.
pub(crate) fn heading(out: &mut Out, time_ns: i64, instance: &str) -> io::Result<()> {
    let when = format!("{} {}", time::clock(time_ns), time::zone_name(time_ns));
    let instance = text::clean(instance);
    let instance = text::cut(&instance, INSTANCE_COLUMNS);
    line(out, &[(BOLD, &when), (DIM, "  "), (DIM, &instance)])
}

/// Prints words that are about the picture, not of it.
pub(crate) fn remark(out: &mut Out, words: &str) -> io::Result<()> {
    for line in text::wrap(&text::clean(words), out.columns(), 0) {
        let line = out.paint(DIM, line).to_string();
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Prints words as they are, once they are harmless. Lines after the first begin
/// after `hang` columns.
pub(crate) fn plain(out: &mut Out, words: &str, hang: usize) -> io::Result<()> {
    for line in text::wrap(&text::clean(words), out.columns(), hang) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Prints words to the right of what leads to them; where they need more than a
/// line, the others stand to the right of `beneath`, which is as wide.
pub(crate) fn beside(
    out: &mut Out,
    (lead_style, lead): (Style, &str),
    beneath: &str,
    style: Style,
    words: &str,
) -> io::Result<()> {
    let room = out.columns().saturating_sub(text::width(lead));
    for (at, words) in text::wrap(&text::clean(words), room, 0).into_iter().enumerate() {
        let lead = if at == 0 { lead } else { beneath };
        let line = format!("{}{}", out.paint(lead_style, lead), out.paint(style, words));
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints pieces of a line, as many as there is room for: the last one that fits
/// is cut.
pub(crate) fn line(out: &mut Out, pieces: &[(Style, &str)]) -> io::Result<()> {
    let mut room = out.columns();
    let mut line = String::new();
    for (style, piece) in pieces {
        if room == 0 {
            break;
        }
        let piece = text::cut(piece, room);
        room = room.saturating_sub(text::width(&piece));
        line.push_str(&out.paint(*style, piece).to_string());
    }
    writeln!(out, "{}", line.trim_end())
}

/// What kinds do without in this output.
fn saved_columns(out: &Out) -> usize {
    if out.columns() < NARROW_COLUMNS { SAVED_COLUMNS } else { 0 }
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
        beside(out, (DIM, rail), rail, Style::new(), line)?;
    }
    if payload.len() > SHOWN_PAYLOAD_BYTES {
        let words = format!(
            "… {} in all; `forebear show --raw` prints them",
            text::bytes(payload.len() as u64)
        );
        beside(out, (DIM, rail), rail, DIM, &words)?;
    }
    Ok(())
}

/// Prints an event as a line of a list: time of day, id, kind, gist; the day
/// goes on a line of its own where it is another than `day`, which it becomes.
pub(crate) fn list_row(out: &mut Out, event: &StoredEvent, day: &mut String) -> io::Result<()> {
    let this_day = time::day(event.time_ns());
    if *day != this_day {
        let line = out
            .paint(DIM, format_args!("{this_day} ({})", time::zone_name(event.time_ns())))
            .to_string();
        writeln!(out, "{line}")?;
        *day = this_day;
    }
    let kind = text::fit(&text::clean(event.kind()), KIND_COLUMNS - saved_columns(out));
    let mark = if event.is_version() { "version: " } else { "" };
    let style = kind_style(event);
    let whose = if style == RED { whose(event) } else { String::new() };
    line(
        out,
        &[
            (Style::new(), &format!("  {}  ", time::time_of_day(event.time_ns()))),
            (DIM, &format!("{:<8}  ", text::short_id(event.id()))),
            (style, &kind),
            (DIM, "  "),
            (DIM, mark),
            (DIM, &whose),
            (gist_style(style), &gist::of_event(event)),
        ],
    )
}

/// Whose a failure is: the tool, the session and the folder that it worked in.
fn whose(event: &StoredEvent) -> String {
    let session = event.session().map(|session| {
        let short = id::short_uuid(&EventId::from(session));
        short.unwrap_or_else(|| text::cut(session, SESSION_COLUMNS).into_owned())
    });
    let folder = event.label("cwd").and_then(|path| path.rsplit(['/', '\\']).next());
    let folder = folder.map(|folder| text::cut(folder, SESSION_COLUMNS).into_owned());
    let tool = event.label("tool").map(|tool| text::cut(tool, SESSION_COLUMNS).into_owned());
    let words: Vec<String> = [session, folder, tool].into_iter().flatten().collect();
    let words = words.join(" ");
    if words.is_empty() { words } else { format!("{}: ", text::clean(&words)) }
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

    /// What a colour of the cube of 256 has of a channel, as light.
    fn light(level: u8) -> f64 {
        let value = f64::from([0, 95, 135, 175, 215, 255][usize::from(level)]) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    }

    #[test]
    fn colours_can_be_read_on_black_and_on_white() {
        for index in [RED_INDEX, GREEN_INDEX, ORANGE_INDEX, TEAL_INDEX, BLUE_INDEX, PURPLE_INDEX] {
            let cube = index - 16;
            let [red, green, blue] = [cube / 36, cube / 6 % 6, cube % 6].map(light);
            let light = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
            // As WCAG has it, which asks for 3 of large text.
            let (on_black, on_white) = ((light + 0.05) / 0.05, 1.05 / (light + 0.05));
            assert!(on_black > 3.4 && on_white > 3.4, "{index}: {on_black:.1} {on_white:.1}");
        }
    }

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
