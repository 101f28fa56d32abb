//! Fences of code in Markdown.

/// Code between fences that it does not have itself.
pub(crate) fn fenced(text: &str) -> String {
    let fence = "`".repeat(longest_run(text).max(2) + 1);
    format!("{fence}\n{}\n{fence}\n", text.trim_end())
}

/// A text of one line as code within a paragraph.
pub(crate) fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    // A space at each end is none of the text's.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// The line that a text lacks where a fence is open at its end, which would make code of all
/// that comes below it.
pub(crate) fn missing(text: &str) -> Option<String> {
    let mut items: Vec<usize> = Vec::new();
    let mut open: Option<Fence> = None;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut rest = LineRest { text: line, column: 0 };
        rest.skip_space();
        // An item of a list ends at a line with less space than its text, and what is open in it.
        let is_out = |item: &usize| *item > rest.column;
        while items.pop_if(|item| is_out(item)).is_some() {
            open = None;
        }
        let item = items.last().copied().unwrap_or(0);
        if let Some(fence) = open {
            if rest.column - item < CODE_COLUMNS && fence.is_closed_by(rest.text) {
                open = None;
            }
            continue;
        }
        let mut before = item;
        while rest.column - before < CODE_COLUMNS && rest.skip_marker() {
            before = rest.column;
            items.push(before);
            rest.skip_space();
        }
        if rest.column - before < CODE_COLUMNS {
            open = Fence::opened_by(rest.text);
        }
    }
    // Of what follows nothing is in an item, nor in a quote.
    let fence = open.filter(|_| items.is_empty())?;
    Some(fence.mark.to_string().repeat(fence.length))
}

/// A fence that is open.
#[derive(Clone, Copy, Debug)]
struct Fence {
    mark: char,
    length: usize,
}

impl Fence {
    fn opened_by(line: &str) -> Option<Self> {
        let mark = line.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
        let about = line.trim_start_matches(mark);
        let length = line.len() - about.len();
        (length >= 3 && !(mark == '`' && about.contains('`'))).then_some(Self { mark, length })
    }

    fn is_closed_by(self, line: &str) -> bool {
        let behind = line.trim_start_matches(self.mark);
        line.len() - behind.len() >= self.length && behind.trim().is_empty()
    }
}

/// What is left of a line, and at which column.
struct LineRest<'t> {
    text: &'t str,
    column: usize,
}

impl LineRest<'_> {
    fn skip_space(&mut self) {
        while let Some(c @ (' ' | '\t')) = self.text.chars().next() {
            self.column += if c == '\t' { 4 - self.column % 4 } else { 1 };
            self.text = &self.text[1..];
        }
    }

    /// Passes over the mark of an item of a list and a space, if one is here.
    fn skip_marker(&mut self) -> bool {
        let digits = self.text.bytes().take_while(u8::is_ascii_digit).count();
        let marks: &[char] = if digits == 0 { &['-', '*', '+'] } else { &['.', ')'] };
        let Some(behind) = self.text[digits..].strip_prefix(marks) else { return false };
        let is_marker =
            digits <= MARKER_DIGITS && (behind.is_empty() || behind.starts_with([' ', '\t']));
        if is_marker {
            self.column += digits + 1 + usize::from(!behind.is_empty());
            self.text = behind.get(1..).unwrap_or_default();
        }
        is_marker
    }
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// So many columns within something make code of a line.
const CODE_COLUMNS: usize = 4;
/// Digits of an item's number at most.
const MARKER_DIGITS: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_longer_than_those_in_the_text() {
        let fence = fenced("a\n````\nb");
        assert!(fence.starts_with("`````\n") && fence.ends_with("`````\n"), "{fence}");
        assert!(fenced("plain").starts_with("```\n"));
        assert_eq!([code("a"), code("a`b"), code("``a")], ["`a`", "``a`b``", "``` ``a ```"]);
    }

    #[test]
    fn a_fence_that_is_open_at_the_end_is_closed() {
        for (text, expected) in [
            ("plain", None),
            ("```\na\n```", None),
            ("```rust\na", Some("```")),
            ("````\n```\na", Some("````")),
            ("```\n~~~\n``` x", Some("```")),
            ("~~~ a`b`\n```", Some("~~~")),
            ("a ``` b", None),
            ("```a``` b", None),
            ("    ```\na", None),
            ("  ```\na\n   `````", None),
            // Those of items end with them, at the latest before what comes next.
            ("- a\n\n  ```\n  b", None),
            ("1. ```\n   b", None),
            ("- ```\n  b\n  ```\n\n```\nc", Some("```")),
            ("- ```\n  b\n\nc", None),
            ("10. a\n\n    ```\n    b\n    ```\n\nc\n```", Some("```")),
            ("> ```\n> a", None),
        ] {
            assert_eq!(missing(text).as_deref(), expected, "{text:?}");
        }
    }
}
