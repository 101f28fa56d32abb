//! How a transcript is marked up.

use std::fmt::Write as _;

use crate::cut;
use crate::fences::{code, fenced, missing};

/// How a transcript is marked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TranscriptStyle {
    /// Plain text; of thoughts and results the beginning and the end.
    Text,
    /// Markdown, with thoughts and results folded.
    Markdown,
    /// One page of HTML that needs nothing from elsewhere, with thoughts and results folded.
    /// Nothing that an event says is taken for markup.
    Html,
}

/// A piece of a transcript, its texts cleaned.
#[derive(Debug)]
pub(crate) enum Piece {
    Head {
        session: String,
        title: Option<String>,
        about: Vec<String>,
    },
    Turn {
        number: u32,
        time: String,
    },
    TurnEnd,
    User {
        id: String,
        time: String,
        text: String,
    },
    Assistant {
        id: String,
        time: String,
        text: String,
    },
    Thinking {
        id: String,
        text: String,
    },
    Call {
        id: String,
        time: String,
        tool: String,
        about: String,
        input: String,
        /// None where there is none.
        result: Option<String>,
        /// How it ended, unless well.
        end: &'static str,
    },
    Failed {
        id: String,
        time: String,
        text: String,
    },
    Note {
        id: String,
        time: String,
        what: String,
        text: String,
    },
    Agent {
        name: String,
        steps: usize,
    },
    AgentEnd,
    Compaction {
        summary: String,
    },
    Foot {
        complete: bool,
    },
}

impl Piece {
    pub(crate) fn note(id: String, time: String, what: &str, text: String) -> Self {
        Self::Note { id, time, what: what.to_owned(), text }
    }
}

impl TranscriptStyle {
    pub(crate) fn write(self, piece: &Piece, depth: usize) -> String {
        match self {
            Self::Text => text(piece, depth),
            Self::Markdown => markdown(piece, depth),
            Self::Html => html(piece),
        }
    }
}

const CUT_OFF: &str = "Not all of the session was read: it is longer than may be read at once, \
                       or part of it is damaged.";

fn text(piece: &Piece, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let said = |lead: &str, text: &str| {
        let mut lines = String::new();
        for line in format!("{lead}{}", text.trim_end()).lines() {
            lines.push_str(format!("{indent}{line}").trim_end());
            lines.push('\n');
        }
        lines + "\n"
    };
    match piece {
        Piece::Head { session, title, about } => {
            let title = title.as_ref().map_or(String::new(), |title| format!(": {title}"));
            format!("Session {session}{title}\n{}\n\n", about.join("\n"))
        }
        Piece::Turn { number, time } => format!("==== Turn {number}, {time} ====\n\n"),
        Piece::TurnEnd | Piece::AgentEnd | Piece::Foot { complete: true } => String::new(),
        Piece::User { id, time, text } => said(&format!("[{time} {id}] user: "), text),
        Piece::Assistant { id, time, text } => said(&format!("[{time} {id}] assistant: "), text),
        Piece::Thinking { id, text } => {
            said(&format!("[{id}] thinking: "), &cut::middle(text.trim(), FOLDED_BYTES))
        }
        Piece::Call { id, time, tool, about, input, result, end } => {
            let about = if about.trim().is_empty() { input } else { about };
            let about = cut::middle(about.trim(), FOLDED_BYTES);
            let mut words = format!("{about}\n");
            if !end.is_empty() {
                let _ = writeln!(words, "  ({end})");
            }
            if let Some(result) = result {
                for line in cut::middle(result.trim(), FOLDED_BYTES).lines() {
                    let _ = writeln!(words, "  | {line}");
                }
            }
            said(&format!("[{time} {id}] {tool}: "), &words)
        }
        Piece::Failed { id, time, text } => said(&format!("[{time} {id}] failed: "), text),
        Piece::Note { id, time, what, text } => {
            said(&format!("[{time} {id}] {what}: "), &cut::middle(text.trim(), FOLDED_BYTES))
        }
        Piece::Agent { name, steps } => said(&format!("---- agent {name}, {steps} steps ----"), ""),
        Piece::Compaction { summary } => {
            let summary = cut::middle(summary.trim(), FOLDED_BYTES);
            format!("---- what came before was summed up ----\n{summary}\n\n")
        }
        Piece::Foot { complete: false } => format!("{CUT_OFF}\n"),
    }
}

fn markdown(piece: &Piece, depth: usize) -> String {
    match piece {
        Piece::Head { session, title, about } => {
            let title = title.as_ref().unwrap_or(session);
            let mut head = format!("# {}\n\n", plain(title));
            for line in std::iter::once(&format!("Session {session}")).chain(about) {
                let _ = writeln!(head, "- {}", plain(line));
            }
            head + "\n"
        }
        Piece::Turn { number, time } => format!("## Turn {number} · {time}\n\n"),
        Piece::TurnEnd | Piece::Foot { complete: true } => String::new(),
        Piece::User { id, time, text } => {
            format!("**User** · {time} · {}\n\n{}\n", code(id), quoted(text))
        }
        Piece::Assistant { id, time, text } => {
            format!("**Assistant** · {time} · {}\n\n{}\n\n", code(id), closed(text.trim()))
        }
        Piece::Thinking { text, .. } => folded_markdown("Thinking", &[("", text)]),
        Piece::Call { id, time, tool, about, input, result, end } => {
            let end = if end.is_empty() { String::new() } else { format!(" · {end}") };
            let line = cut::end(&cut::one_line(about), SUMMARY_BYTES);
            let summary = format!("{tool}: {line} · {time} · {id}{end}");
            let result = result.as_deref().unwrap_or_default();
            folded_markdown(&summary, &[("", input), ("Result", result)])
        }
        Piece::Failed { id, time, text } => {
            format!("**Failed** · {time} · {}\n\n{}\n", code(id), fenced(text))
        }
        Piece::Note { id, time, what, text } => {
            let fenced = if text.trim().is_empty() { String::new() } else { fenced(text) };
            format!("**{}** · {time} · {}\n\n{fenced}\n", plain(what), code(id))
        }
        Piece::Agent { name, steps } => format!(
            "<details><summary>Agent {} · {steps} steps · level {}</summary>\n\n",
            markup(name),
            depth + 1
        ),
        Piece::AgentEnd => "</details>\n\n".to_owned(),
        Piece::Compaction { summary } => {
            format!(
                "---\n\n{}",
                folded_markdown("What came before was summed up", &[("", summary)])
            )
        }
        Piece::Foot { complete: false } => format!("*{CUT_OFF}*\n"),
    }
}

/// A text on a line of Markdown that nothing of is taken for markup.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in cut::one_line(text).chars() {
        if matches!(c, '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|') {
            plain.push('\\');
        }
        plain.push(c);
    }
    plain
}

/// Markdown whose tags of HTML are none.
fn escaped_tags(text: &str) -> String {
    text.replace('<', "&lt;")
}

/// The same without a fence that is open at its end.
fn closed(text: &str) -> String {
    let mut closed = escaped_tags(text);
    if let Some(fence) = missing(text) {
        closed.push('\n');
        closed.push_str(&fence);
    }
    closed
}

fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for line in text.trim().lines() {
        let _ = writeln!(quoted, "> {}", escaped_tags(line));
    }
    quoted
}

fn folded_markdown(summary: &str, texts: &[(&str, &str)]) -> String {
    let mut folded = format!("<details><summary>{}</summary>\n\n", markup(summary));
    for (name, text) in texts.iter().filter(|(_, text)| !text.trim().is_empty()) {
        if !name.is_empty() {
            let _ = writeln!(folded, "{name}:\n");
        }
        let _ = writeln!(folded, "{}", fenced(text));
    }
    folded + "</details>\n\n"
}

fn html(piece: &Piece) -> String {
    match piece {
        Piece::Head { session, title, about } => {
            let title = markup(title.as_ref().unwrap_or(session));
            let mut items = String::new();
            for line in about {
                let _ = write!(items, "<li>{}</li>", markup(line));
            }
            format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
                 <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
                 <meta http-equiv=\"Content-Security-Policy\" \
                 content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
                 <title>{title}</title>\n<style>{STYLE}</style></head>\n<body>\n\
                 <header><h1>{title}</h1><ul><li>Session {}</li>{items}</ul></header>\n<main>\n",
                markup(session)
            )
        }
        Piece::Turn { number, time } => {
            format!("<section>\n<h2>Turn {number} <time>{time}</time></h2>\n")
        }
        Piece::TurnEnd => "</section>\n".to_owned(),
        Piece::User { id, time, text } => said("user", "User", time, id, text),
        Piece::Assistant { id, time, text } => said("assistant", "Assistant", time, id, text),
        Piece::Thinking { text, .. } => folded("thinking", "Thinking", &[("", text)]),
        Piece::Call { id, time, tool, about, input, result, end } => {
            let class = if *end == "failed" { "call failed" } else { "call" };
            let end = if end.is_empty() { String::new() } else { format!(" <em>{end}</em>") };
            let line = cut::end(&cut::one_line(about), SUMMARY_BYTES);
            let summary = format!(
                "<b>{}</b> <code>{}</code>{end} <time>{time}</time> <span class=\"id\">{}</span>",
                markup(tool),
                markup(&line),
                markup(id)
            );
            let result = result.as_deref().unwrap_or_default();
            folded(class, &summary, &[("Input", input), ("Result", result)])
        }
        Piece::Failed { id, time, text } => said("failed", "Failed", time, id, text),
        Piece::Note { id, time, what, text } => said("note", what, time, id, text),
        Piece::Agent { name, steps } => format!(
            "<details class=\"agent\"><summary>Agent <b>{}</b>, {steps} steps</summary>\n",
            markup(name)
        ),
        Piece::AgentEnd => "</details>\n".to_owned(),
        Piece::Compaction { summary } => format!(
            "<hr>\n{}",
            folded("compaction", "What came before was summed up", &[("", summary)])
        ),
        Piece::Foot { complete } => {
            let remark = if *complete { String::new() } else { format!("<p>{CUT_OFF}</p>\n") };
            format!("{remark}</main>\n</body></html>\n")
        }
    }
}

fn said(class: &str, who: &str, time: &str, id: &str, text: &str) -> String {
    let text = text.trim();
    let text = if text.is_empty() { String::new() } else { format!("<pre>{}</pre>", markup(text)) };
    format!(
        "<div class=\"{class}\"><p><b>{}</b> <time>{time}</time> <span class=\"id\">{}</span></p>\
         {text}</div>\n",
        markup(who),
        markup(id)
    )
}

/// A part that is shown when asked for. The summary is markup already.
fn folded(class: &str, summary: &str, texts: &[(&str, &str)]) -> String {
    let mut folded = format!("<details class=\"{class}\"><summary>{summary}</summary>");
    for (name, text) in texts.iter().filter(|(_, text)| !text.trim().is_empty()) {
        if !name.is_empty() {
            let _ = write!(folded, "<p>{name}</p>");
        }
        let _ = write!(folded, "<pre>{}</pre>", markup(text.trim_end()));
    }
    folded + "</details>\n"
}

/// A text in which nothing is markup, without what pages can't hold.
fn markup(text: &str) -> String {
    let mut marked = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '&' => marked.push_str("&amp;"),
            '<' => marked.push_str("&lt;"),
            '>' => marked.push_str("&gt;"),
            '"' => marked.push_str("&quot;"),
            '\'' => marked.push_str("&#39;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => marked.push('\u{fffd}'),
            // What turns the direction of the text around it.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => marked.push('\u{fffd}'),
            c => marked.push(c),
        }
    }
    marked
}

/// Bytes of what is folded elsewhere, in plain text.
const FOLDED_BYTES: usize = 1500;

/// Bytes of what a folded part is about.
const SUMMARY_BYTES: usize = 160;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8884;--soft:#8881;--faint:#667085}\
@media(prefers-color-scheme:dark){:root{--faint:#98a2b3}}\
body{margin:0 auto;max-width:60rem;padding:1rem;font:16px/1.5 system-ui,sans-serif}\
h1{font-size:1.4rem;line-height:1.25;margin:.5rem 0;overflow-wrap:anywhere}\
h2{font-size:1.1rem;margin:2rem 0 .5rem}\
header ul{display:flex;flex-wrap:wrap;gap:0 1.2rem;list-style:none;padding:0;margin:.5rem 0 1.5rem;\
color:var(--faint);font-size:.9rem;overflow-wrap:anywhere}\
time,.id{color:var(--faint);font-size:.8rem;font-weight:normal;white-space:nowrap}\
pre{margin:.3rem 0;white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}\
details>p{margin:.5rem 0 0;color:var(--faint);font-size:.8rem}\
details pre{font:.85rem/1.45 ui-monospace,monospace;max-height:30rem;overflow:auto;\
padding:.5rem .7rem;border-radius:.4rem;background:var(--soft)}\
section{border-top:1px solid var(--line)}p{margin:0}\
.user,.assistant,.failed,.note{padding:.6rem .8rem;margin:.5rem 0;border-radius:.5rem}\
.user{background:#3b82f622}.failed{border-left:3px solid #dc2626}.note{color:var(--faint)}\
details{margin:.3rem 0;padding:.3rem .8rem;border-left:2px solid var(--line)}\
details.failed{padding:.3rem .8rem;margin:.3rem 0;border-radius:0}\
summary{cursor:pointer;overflow-wrap:anywhere}summary code{font-size:.85rem}\
summary em{color:#dc2626;font-style:normal;font-size:.85rem;white-space:nowrap}\
.thinking>summary{color:var(--faint)}\
.agent{border-left-color:#8b5cf6;background:var(--soft);border-radius:0 .5rem .5rem 0}\
hr{margin:2rem 0;border:0;border-top:1px dashed var(--line)}";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_is_markup() {
        let evil = "</pre><script>alert('x')</script><img src=\"x\" onerror=y>&\u{1b}[0m";
        let pieces = || {
            let text = || evil.to_owned();
            [
                Piece::Head { session: text(), title: Some(text()), about: vec![text()] },
                Piece::User { id: text(), time: String::new(), text: text() },
                Piece::Thinking { id: text(), text: text() },
                Piece::Call {
                    id: text(),
                    time: String::new(),
                    tool: text(),
                    about: text(),
                    input: text(),
                    result: Some(text()),
                    end: "failed",
                },
                Piece::note(text(), String::new(), evil, text()),
                Piece::Agent { name: text(), steps: 1 },
                Piece::Compaction { summary: text() },
            ]
        };
        for piece in pieces() {
            let page = TranscriptStyle::Html.write(&piece, 0);
            assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
            assert!(!page.contains('\u{1b}') && !page.contains("onerror=y>"), "{page}");
        }
    }

    #[test]
    fn lines_end_alike_on_all_systems() {
        assert_eq!(markup("a\r\nb\rc\r\n"), "a\nb\u{fffd}c\n");
    }

    #[test]
    fn an_answer_makes_no_code_of_what_comes_below() {
        let answer =
            |text: &str| Piece::Assistant { id: "`i".into(), time: "t".into(), text: text.into() };
        let written = TranscriptStyle::Markdown.write(&answer("So:\n```\n<b>"), 0);
        assert_eq!(written, "**Assistant** · t · `` `i ``\n\nSo:\n```\n&lt;b>\n```\n\n");
        let written = TranscriptStyle::Markdown.write(&answer("```\na\n```"), 0);
        assert!(written.ends_with("\n\n```\na\n```\n\n"), "{written}");
    }

    #[test]
    fn what_a_user_says_stays_a_quote() {
        let piece = Piece::User { id: "i".into(), time: "t".into(), text: "# a\n\n<b>".into() };
        assert!(TranscriptStyle::Markdown.write(&piece, 0).contains("> # a\n> \n> &lt;b>"));
    }
}
