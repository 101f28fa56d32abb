//! Edits of JSON files that leave all else as it stands: comments, order, spaces.

use std::ops::Range;

use serde_json::Value;

/// The file's value. Comments and commas behind the last item are let pass, as the tools do.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    let text = without_trailing_commas(&without_comments(text));
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The text with a member more in the object that the path leads to, at its end. Objects that
/// the path names and that are missing are made.
pub(crate) fn with_member(
    text: &str,
    path: &[&str],
    name: &str,
    value: &Value,
) -> Result<String, String> {
    with(text, path, Some(name), value)
}

/// The text with an item more in the list that the path leads to, at its end.
pub(crate) fn with_item(text: &str, path: &[&str], value: &Value) -> Result<String, String> {
    with(text, path, None, value)
}

/// The text without the member of this name; as it is where there is none.
pub(crate) fn without_member(text: &str, path: &[&str], name: &str) -> Result<String, String> {
    without(text, path, |item, _| item.name.as_deref() == Some(name))
}

/// The text without the item of this value; as it is where there is none.
pub(crate) fn without_item(text: &str, path: &[&str], value: &Value) -> Result<String, String> {
    without(text, path, |_, found| found == value)
}

fn with(text: &str, path: &[&str], name: Option<&str>, value: &Value) -> Result<String, String> {
    let mut expected = parse(text)?;
    let plain = without_comments(text);
    let mut open = opening(&plain)?;
    let mut put = (path.len(), name, value.clone());
    for (level, step) in path.iter().enumerate() {
        let container = Container::at(&plain, open, text)?;
        let Some(item) = container.items.iter().find(|item| item.name.as_deref() == Some(step))
        else {
            // What is missing comes with what is put into it.
            let leaf = match name {
                Some(name) => object(name, value.clone()),
                None => Value::Array(vec![value.clone()]),
            };
            let inner = path[level + 1..].iter().rev();
            put = (level, Some(*step), inner.fold(leaf, |value, name| object(name, value)));
            break;
        };
        open = item.value.start;
    }
    let (depth, name, value) = put;
    let container = Container::at(&plain, open, text)?;
    let inside = path[..depth].iter().try_fold(&mut expected, |inside, step| inside.get_mut(step));
    match (inside, name) {
        (Some(Value::Object(members)), Some(name)) => {
            members.insert(name.to_owned(), value.clone());
        }
        (Some(Value::Array(items)), None) => items.push(value.clone()),
        _ => return Err(UNEDITABLE.to_owned()),
    }
    verified(&expected, |on_new_line| container.with(name, &value, on_new_line))
}

/// The edited text that says what is expected: where it does not on the same line, since a
/// comment reaches up to the end of that, on a new one.
fn verified(expected: &Value, edited: impl Fn(bool) -> String) -> Result<String, String> {
    [false, true]
        .into_iter()
        .map(edited)
        .find(|text| parse(text).is_ok_and(|value| value == *expected))
        .ok_or_else(|| UNEDITABLE.to_owned())
}

fn object(name: &str, value: Value) -> Value {
    Value::Object([(name.to_owned(), value)].into_iter().collect())
}

fn without(
    text: &str,
    path: &[&str],
    is_meant: impl Fn(&JsoncItem, &Value) -> bool,
) -> Result<String, String> {
    let mut expected = parse(text)?;
    let plain = without_comments(text);
    let mut open = opening(&plain)?;
    for step in path {
        let container = Container::at(&plain, open, text)?;
        let found = container.items.iter().find(|item| item.name.as_deref() == Some(step));
        let Some(item) = found else { return Ok(text.to_owned()) };
        open = item.value.start;
    }
    let container = Container::at(&plain, open, text)?;
    let place = container.items.iter().position(|item| {
        parse(&text[item.value.clone()]).is_ok_and(|value| is_meant(item, &value))
    });
    let Some(place) = place else { return Ok(text.to_owned()) };
    let inside = path.iter().try_fold(&mut expected, |inside, step| inside.get_mut(step));
    match (inside, &container.items[place].name) {
        (Some(Value::Object(members)), Some(name)) => drop(members.remove(name)),
        (Some(Value::Array(items)), None) if place < items.len() => drop(items.remove(place)),
        _ => return Err(UNEDITABLE.to_owned()),
    }
    verified(&expected, |on_new_line| container.without(place, on_new_line))
}

/// Where the file's own object begins.
fn opening(plain: &str) -> Result<usize, String> {
    let open = plain.len() - plain.trim_start_matches(is_space).len();
    if plain.as_bytes().get(open) == Some(&b'{') {
        Ok(open)
    } else {
        Err("expected an object".to_owned())
    }
}

/// An object or a list, and where its parts stand.
struct Container<'t> {
    text: &'t str,
    open: usize,
    close: usize,
    items: Vec<JsoncItem>,
}

struct JsoncItem {
    /// A member's name.
    name: Option<String>,
    start: usize,
    value: Range<usize>,
    /// The comma behind it.
    comma: Option<usize>,
}

impl<'t> Container<'t> {
    /// The one that begins here in a text that parses; `plain` is it with comments blanked.
    fn at(plain: &str, open: usize, text: &'t str) -> Result<Self, String> {
        let bytes = plain.as_bytes();
        let is_object = match bytes.get(open) {
            Some(b'{') => true,
            Some(b'[') => false,
            _ => {
                return Err("expected an object or a list where there is a single value".to_owned());
            }
        };
        let mut items = Vec::new();
        let mut at = open + 1;
        loop {
            at = skip_space(bytes, at);
            match bytes.get(at) {
                None => return Err("it ends too early".to_owned()),
                Some(b'}' | b']') => break,
                Some(_) => {}
            }
            let start = at;
            let mut name = None;
            if is_object {
                let end = end_of_value(bytes, at);
                name = serde_json::from_str(&plain[at..end]).ok();
                at = skip_space(bytes, end) + 1;
                at = skip_space(bytes, at);
            }
            let value = at..end_of_value(bytes, at);
            at = skip_space(bytes, value.end);
            let comma = (bytes.get(at) == Some(&b',')).then_some(at);
            at += usize::from(comma.is_some());
            items.push(JsoncItem { name, start, value, comma });
        }
        Ok(Self { text, open, close: at, items })
    }

    /// The text with one more at the end, where that is wanted on a line of its own.
    fn with(&self, name: Option<&str>, value: &Value, on_new_line: bool) -> String {
        let name = name.map_or_else(String::new, |name| format!("{}: ", Value::from(name)));
        let Some(last) = self.items.last() else {
            let outer = indent_at(self.text, self.open);
            let inner = format!("{outer}{}", unit(self.text));
            let value = pretty(value, &inner, unit(self.text));
            let (before, after) = (&self.text[..=self.open], &self.text[self.close..]);
            let between = self.text[self.open + 1..self.close].trim_end_matches(is_space);
            return format!("{before}{between}\n{inner}{name}{value}\n{outer}{after}");
        };
        // Behind what is said of the last one, a comma right after it.
        let written = self.text[..self.close].trim_end_matches(is_space).len();
        let begins_line = self.text[self.open..last.start].contains('\n');
        let (lead, value) = if begins_line || on_new_line {
            let inner = indent_at(self.text, last.start);
            (format!("\n{inner}"), pretty(value, &inner, unit(self.text)))
        } else {
            (" ".to_owned(), value.to_string())
        };
        let (comma, trailing) = if last.comma.is_some() { ("", ",") } else { (",", "") };
        let (head, rest) = self.text.split_at(last.value.end);
        let (said, tail) = rest.split_at(written - last.value.end);
        format!("{head}{comma}{said}{lead}{name}{value}{trailing}{tail}")
    }

    /// The text without one of its items, what follows on a new line where that is wanted.
    fn without(&self, place: usize, on_new_line: bool) -> String {
        let item = &self.items[place];
        let line_end = if on_new_line { "\n" } else { "" };
        let begin = self.text[..item.start].trim_end_matches(is_space).len();
        if self.items.len() == 1 {
            let end = item.comma.map_or(item.value.end, |comma| comma + 1);
            let tail = self.text[end..].trim_start_matches(is_space);
            let is_bare = begin == self.open + 1 && self.text.len() - tail.len() == self.close;
            let tail = if is_bare { tail } else { &self.text[end..] };
            return format!("{}{line_end}{tail}", &self.text[..begin]);
        }
        if let Some(comma) = item.comma {
            return format!("{}{line_end}{}", &self.text[..begin], &self.text[comma + 1..]);
        }
        // The last one takes the comma before it along.
        let tail = &self.text[item.value.end..];
        match self.items[place - 1].comma {
            Some(comma) => {
                let between = &self.text[comma + 1..begin];
                format!("{}{between}{line_end}{tail}", &self.text[..comma])
            }
            // There is one, since another item follows.
            None => self.text.to_owned(),
        }
    }
}

/// The value spread over lines, those after the first behind this indent.
fn pretty(value: &Value, indent: &str, unit: &str) -> String {
    // A value is never refused.
    let spread = serde_json::to_string_pretty(value).unwrap_or_default();
    let mut lines = String::with_capacity(spread.len());
    for (number, line) in spread.lines().enumerate() {
        let own = line.trim_start_matches(' ');
        if number > 0 {
            lines.push('\n');
            lines.push_str(indent);
            lines.push_str(&unit.repeat((line.len() - own.len()) / 2));
        }
        lines.push_str(own);
    }
    lines
}

/// What a level is indented by in this file.
fn unit(text: &str) -> &str {
    let indents = text.lines().map(|line| &line[..line.len() - line.trim_start().len()]);
    let least = indents.filter(|indent| !indent.is_empty()).min_by_key(|indent| indent.len());
    match least {
        Some(tabs) if tabs.starts_with('\t') => "\t",
        Some(spaces) if spaces.len() <= 8 => spaces,
        _ => "  ",
    }
}

/// The indent of the line that this stands on.
fn indent_at(text: &str, at: usize) -> String {
    let line = text[..at].rfind('\n').map_or(0, |end| end + 1);
    text[line..].chars().take_while(|c| matches!(c, ' ' | '\t')).collect()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn skip_space(bytes: &[u8], at: usize) -> usize {
    let space = bytes[at.min(bytes.len())..].iter().take_while(|byte| byte.is_ascii_whitespace());
    at + space.count()
}

/// Where the value ends that begins here, in a text that parses.
fn end_of_value(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0_usize);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = end_of_string(bytes, at);
                if depth == 0 {
                    return at;
                }
                continue;
            }
            b'{' | b'[' => depth += 1,
            b'}' | b']' if depth <= 1 => return at + depth,
            b'}' | b']' => depth -= 1,
            b',' | b':' if depth == 0 => return at,
            byte if byte.is_ascii_whitespace() && depth == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    at
}

/// Where the string ends whose quote stands here.
fn end_of_string(bytes: &[u8], quote: usize) -> usize {
    let mut at = quote + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The text with spaces in place of its comments, as long as before.
fn without_comments(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match &bytes[at..] {
            [b'"', ..] => {
                at = end_of_string(&bytes, at);
                continue;
            }
            [b'/', b'/', ..] => {
                bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |n| at + n)
            }
            [b'/', b'*', ..] => {
                let end = bytes[at + 2..].windows(2).position(|pair| pair == b"*/");
                end.map_or(bytes.len(), |n| at + n + 4)
            }
            _ => {
                at += 1;
                continue;
            }
        };
        bytes[at..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        at = end;
    }
    // Whole characters were replaced.
    String::from_utf8(bytes).unwrap_or_default()
}

/// The text with spaces in place of commas behind the last item of something.
fn without_trailing_commas(plain: &str) -> String {
    let bytes = plain.as_bytes();
    let mut blanked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at = end_of_string(bytes, at);
                continue;
            }
            b',' if matches!(bytes.get(skip_space(bytes, at + 1)), Some(b'}' | b']')) => {
                blanked[at] = b' ';
            }
            _ => {}
        }
        at += 1;
    }
    String::from_utf8(blanked).unwrap_or_default()
}

/// Why an edit is refused that would not say what was meant, such as of a name that is there
/// twice.
const UNEDITABLE: &str = "it can't be edited so that it says the same beside what is added or \
    taken out; edit it by hand";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn server() -> Value {
        json!({"command": "forebear", "args": ["mcp"]})
    }

    #[test]
    fn what_is_added_and_removed_again_leaves_the_file_as_it_was() {
        for text in [
            "{\n  \"a\": 1,\n  \"mcpServers\": {\n    \"x\": {\"command\": \"y\"}\n  }\n}\n",
            "{\n\t\"a\": 1 // why\n}\n",
            "{\"a\": 1}",
            "{\"a\":{},\"mcpServers\":{\"x\":{}}}",
            "{\n    // first\n    \"mcpServers\": {\n        \"x\": {}, /* two */\n    },\n}\n",
            "{\r\n  \"mcpServers\": {\r\n    \"x\": \"}\\\"//\"\r\n  }\r\n}\r\n",
        ] {
            let added = with_member(text, &["mcpServers"], "forebear", &server()).unwrap();
            assert_eq!(parse(&added).unwrap()["mcpServers"]["forebear"], server(), "{added}");
            let before = parse(text).unwrap();
            assert_eq!(parse(&added).unwrap()["a"], before["a"]);
            assert_eq!(added.matches('/').count(), text.matches('/').count(), "{added}");
            let mut removed = without_member(&added, &["mcpServers"], "forebear").unwrap();
            if before["mcpServers"].is_null() {
                removed = without_member(&removed, &[], "mcpServers").unwrap();
            }
            assert_eq!(removed, text, "{added}");
        }
    }

    #[test]
    fn items_come_and_go_in_lists() {
        let item = json!({"hooks": [{"type": "command", "command": "forebear hook"}]});
        let text = "{\n  \"hooks\": {\n    \"Stop\": [\n      {\"hooks\": []}\n    ]\n  }\n}\n";
        let added = with_item(text, &["hooks", "Stop"], &item).unwrap();
        assert_eq!(parse(&added).unwrap()["hooks"]["Stop"][1], item, "{added}");
        assert_eq!(without_item(&added, &["hooks", "Stop"], &item).unwrap(), text);
        let made = with_item("{}", &["hooks", "Stop"], &item).unwrap();
        assert_eq!(parse(&made).unwrap()["hooks"]["Stop"][0], item, "{made}");
        let empty = without_item(&made, &["hooks", "Stop"], &item).unwrap();
        assert_eq!(parse(&empty).unwrap(), json!({"hooks": {"Stop": []}}));
    }

    #[test]
    fn what_is_new_stands_as_the_rest_does() {
        let text = "{\n    \"mcpServers\": {}\n}\n";
        assert_eq!(
            with_member(text, &["mcpServers"], "f", &json!({"args": ["mcp"]})).unwrap(),
            "{\n    \"mcpServers\": {\n        \"f\": {\n            \"args\": [\n                \"mcp\"\n            ]\n        }\n    }\n}\n"
        );
    }

    #[test]
    fn comments_do_not_swallow_what_is_added_or_stays() {
        for text in [
            "{\"a\": 1 // why\n}",
            "{\"a\": 1, // why\n}",
            "{\"mcpServers\": {\"x\": {} // one\n}}",
            "{ // nothing yet\n}",
            "{\"mcpServers\": { // none\n}}",
        ] {
            let before = parse(text).unwrap();
            let added = with_member(text, &["mcpServers"], "forebear", &server()).unwrap();
            assert_eq!(parse(&added).unwrap()["mcpServers"]["forebear"], server(), "{added}");
            let removed = without_member(&added, &["mcpServers"], "forebear").unwrap();
            let after = parse(&removed).unwrap();
            assert_eq!(after["a"], before["a"], "{removed}");
            assert_eq!(after["mcpServers"]["x"], before["mcpServers"]["x"], "{removed}");
            assert!(after["mcpServers"]["forebear"].is_null(), "{removed}");
            assert_eq!(removed.matches("//").count(), 1, "{removed}");
        }
        let text = "{\"a\": 1, // one\n\"forebear\": 2}";
        let removed = without_member(text, &[], "forebear").unwrap();
        assert_eq!(parse(&removed).unwrap(), json!({"a": 1}), "{removed}");
    }

    #[test]
    fn what_can_not_be_edited_without_changing_more_is_refused() {
        let twice = "{\"mcpServers\": {}, \"mcpServers\": {\"x\": 1}}";
        let refused = with_member(twice, &["mcpServers"], "forebear", &server()).unwrap_err();
        assert!(refused.contains("by hand"), "{refused}");
    }

    #[test]
    fn what_is_no_object_is_refused_and_left_alone() {
        for text in ["", "[]", "{", "{\"a\": }", "{\"mcpServers\": 5}", "nonsense", "{} {}"] {
            assert!(with_member(text, &["mcpServers"], "f", &server()).is_err(), "{text}");
        }
        let text = "{\"a\": 1}";
        assert_eq!(without_member(text, &["mcpServers"], "f").unwrap(), text);
        assert_eq!(without_member(text, &[], "f").unwrap(), text);
    }
}
