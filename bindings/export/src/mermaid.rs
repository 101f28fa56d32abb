//! A flowchart for Mermaid.

use std::io::{self, Write};

use forebear::{EventId, LinkKind, StoredEvent};

use crate::node::{is_error, lines};
use crate::{EventWriter, Options};

/// Writes a node an event, and an edge from its parent.
pub(crate) struct MermaidWriter<'w, W> {
    out: W,
    options: Options<'w>,
    is_begun: bool,
}

impl<'w, W: Write> MermaidWriter<'w, W> {
    pub(crate) fn new(out: W, options: Options<'w>) -> Self {
        Self { out, options, is_begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.is_begun {
            return Ok(());
        }
        self.is_begun = true;
        self.out.write_all(b"flowchart TD\n  classDef failed stroke:#c00,stroke-width:2px\n")
    }
}

impl<W: Write> EventWriter for MermaidWriter<'_, W> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        self.begin()?;
        let name = name(event.id());
        let label = lines(event, &mut self.options.redactor).map(|line| escaped(&line));
        let class = if is_error(event) { ":::failed" } else { "" };
        writeln!(self.out, "  {name}[\"{}\"]{class}", label.join("<br/>"))?;
        if let Some(parent) = event.parent() {
            let arrow = match event.link() {
                Some(LinkKind::Spawned) => "==>|spawned|",
                Some(LinkKind::Continues) => "-.->|continues|",
                _ => "-->",
            };
            writeln!(self.out, "  {} {arrow} {name}", self::name(parent))?;
        }
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.flush()
    }
}

/// What a node is called: ids of events may be any text, and some words are Mermaid's own.
fn name(id: &EventId) -> String {
    use std::fmt::Write as _;
    let text = id.to_string();
    text.bytes().fold("e".to_owned(), |mut name, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => name.push(byte.into()),
            // Writing to a string can't fail.
            _ => drop(write!(name, "_{byte:02x}")),
        }
        name
    })
}

/// A text within quotes, where markup and entities are heeded.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' => escaped.push_str("#quot;"),
            '<' => escaped.push_str("#lt;"),
            '>' => escaped.push_str("#gt;"),
            '#' => escaped.push_str("#35;"),
            '&' => escaped.push_str("#amp;"),
            '`' => escaped.push_str("#96;"),
            c => escaped.push(c),
        }
    }
    escaped
}
