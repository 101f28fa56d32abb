//! One form for what the database and the documents say alike.

use forebear_readings::json::JsonCursor;

use crate::formats::common::document::compact;

/// An object with these members first, whatever the object says of them, and its others as
/// they stand, without the space between them.
pub(super) fn object(first: &[(&str, &str)], object: &str, last: Option<(&str, &str)>) -> String {
    let mut members: Vec<String> =
        first.iter().map(|(key, value)| format!("{}:{}", quoted(key), quoted(value))).collect();
    JsonCursor::new(object).object(|key, value| {
        let is_said = first.iter().any(|(said, _)| *said == key);
        if !is_said && last.is_none_or(|(said, _)| said != key) {
            members.push(format!("{}:{}", quoted(key), value.raw()));
        }
    });
    if let Some((key, value)) = last {
        members.push(format!("{}:{value}", quoted(key)));
    }
    compact(&format!("{{{}}}", members.join(",")))
}

/// A text as JSON.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
