//! A graph for Graphviz.

use std::io::{self, Write};

use forebear::{LinkKind, StoredEvent};

use crate::node::{is_error, lines};
use crate::{EventWriter, Options};

/// Writes a node an event, and an edge from its parent.
pub(crate) struct DotWriter<'w, W> {
    out: W,
    options: Options<'w>,
    is_begun: bool,
}

impl<'w, W: Write> DotWriter<'w, W> {
    pub(crate) fn new(out: W, options: Options<'w>) -> Self {
        Self { out, options, is_begun: false }
    }

    fn begin(&mut self) -> io::Result<()> {
        if self.is_begun {
            return Ok(());
        }
        self.is_begun = true;
        self.out.write_all(
            b"digraph forebear {\n  rankdir=TB;\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n",
        )
    }
}

impl<W: Write> EventWriter for DotWriter<'_, W> {
    fn event(&mut self, event: &StoredEvent) -> io::Result<bool> {
        self.begin()?;
        let id = quoted(&event.id().to_string());
        let label = lines(event, &mut self.options.redactor).map(|line| escaped(&line)).join("\\n");
        let color = if is_error(event) { ", color=red" } else { "" };
        writeln!(self.out, "  {id} [label=\"{label}\"{color}];")?;
        if let Some(parent) = event.parent() {
            let style = match event.link() {
                Some(LinkKind::Spawned) => " [label=spawned, style=bold]",
                Some(LinkKind::Continues) => " [label=continues, style=dashed]",
                _ => "",
            };
            writeln!(self.out, "  {} -> {id}{style};", quoted(&parent.to_string()))?;
        }
        Ok(true)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.begin()?;
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A text within quotes: a backslash would begin an escape of Graphviz's own.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
