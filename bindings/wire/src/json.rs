//! The JSON that scripts rely on, where it is more than what the library writes of its
//! types. The keys and their order are part of the contract; `forebear --help` lists them.

use std::borrow::Cow;
use std::fmt;

use forebear::{ChainEnd, Cursor, EventId};
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json_text;

/// The last line of a chain: how it ended.
#[derive(Debug, Serialize)]
pub struct EndLine<'a> {
    end: End<'a>,
}

#[derive(Debug, Serialize)]
struct End<'a> {
    #[serde(flatten)]
    end: &'a ChainEnd,
    id: Option<&'a EventId>,
}

impl<'a> EndLine<'a> {
    /// The end of a walk, whose topmost event is `top`.
    pub fn new(end: &'a ChainEnd, top: Option<&'a EventId>) -> Self {
        Self { end: End { end, id: top } }
    }
}

/// The last line of a listing that goes on: where.
#[derive(Debug, Serialize)]
pub struct NextLine {
    next: Cursor,
}

impl From<Cursor> for NextLine {
    fn from(cursor: Cursor) -> Self {
        Self { next: cursor }
    }
}

/// The payload as JSON on one line, where it is JSON. Checked without recursion
/// and without building anything, so neither depth nor size matters.
pub fn as_json(payload: &[u8]) -> Option<Cow<'_, RawValue>> {
    let json: &RawValue = serde_json::from_slice(payload).ok()?;
    if json.get().contains(['\n', '\r']) {
        // In JSON a line can end between the parts only, not in a string.
        RawValue::from_string(json_text::compact(json.get())).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(json))
    }
}

/// An object's keys and values in their order, the values as they are written; at most
/// 1024 keys, each time one is repeated included.
///
/// ```
/// use forebear_wire::json::Members;
///
/// let Members(members) = serde_json::from_str(r#"{"b": 1.50, "a": [ ]}"#).expect("an object");
/// let members: Vec<_> = members.iter().map(|(key, value)| (&**key, value.get())).collect();
/// assert_eq!(members, [("b", "1.50"), ("a", "[ ]")]);
/// ```
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            if members.len() == MAX_KEYS {
                return Err(A::Error::custom(format_args!("expected at most {MAX_KEYS} keys")));
            }
            members.push(member);
        }
        Ok(Members(members))
    }
}

/// Keys in one object at most.
const MAX_KEYS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_kept_as_it_is_but_for_lines() {
        let kept = |payload: &str| as_json(payload.as_bytes()).map(|json| json.get().to_owned());
        assert_eq!(kept(r#"{"a": 1.50, "a":2}"#).as_deref(), Some(r#"{"a": 1.50, "a":2}"#));
        assert_eq!(kept("{\n \"a\": \"x y\"\n}\n").as_deref(), Some(r#"{"a":"x y"}"#));
        assert_eq!(kept("null").as_deref(), Some("null"));
        assert_eq!(kept(r#""\ud800""#).as_deref(), Some(r#""\ud800""#));
        assert_eq!(kept("NaN"), None);
        assert_eq!(kept("{} {}"), None);
        assert_eq!(kept(""), None);
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert!(kept(&deep).is_some());
    }
}
