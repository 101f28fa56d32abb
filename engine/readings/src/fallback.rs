//! Payloads of no known format: their text.

use crate::json::{JsonCursor, Scalar};
use crate::payload::Payload;
use crate::reading::Reading;
use crate::text::Text;

/// Of a JSON object the field that is most likely its text for people, of anything else
/// that is text, all of it.
pub(crate) fn read<'p>(payload: &Payload<'p>) -> Reading<'p> {
    let mut reading = Reading::default();
    let text = payload.text();
    let begin = text.trim_start();
    let found = match begin.as_bytes().first() {
        Some(b'{') => field(begin),
        Some(b'"') => JsonCursor::new(begin).string().map(Text::from),
        Some(_) if text.len() == payload.bytes().len() => Some(Text::from(begin)),
        _ => None,
    };
    reading.text.extend(found);
    reading
}

/// The text of the best field of an object, or of an object in it.
fn field<'t>(object: &'t str) -> Option<Text<'t>> {
    let mut best: Option<(usize, Text<'t>)> = None;
    let mut keep = |rank: usize, text: Text<'t>| {
        if !text.is_blank() && best.as_ref().is_none_or(|(known, _)| rank < *known) {
            best = Some((rank, text));
        }
    };
    JsonCursor::new(object).object(|key, value| {
        let rank = rank(key);
        if value.is_object() {
            value.object(|key, value| {
                if let (Some(inner), Some(text)) = (self::rank(key), value.text()) {
                    keep(TEXT_FIELDS.len() + inner, text.into());
                }
            });
        } else if let (Some(rank), Some(Scalar::Text(text))) = (rank, value.scalar()) {
            keep(rank, text.into());
        }
    });
    best.map(|(_, text)| text)
}

fn rank(key: &str) -> Option<usize> {
    TEXT_FIELDS.iter().position(|field| *field == key)
}

/// Members of any JSON object that are likely to be text for people, the best first.
pub const TEXT_FIELDS: [&str; 16] = [
    "error",
    "message",
    "msg",
    "text",
    "summary",
    "title",
    "prompt",
    "content",
    "description",
    "reason",
    "command",
    "query",
    "name",
    "path",
    "url",
    "status",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_text_is_read() {
        for (payload, expected) in [
            (&br#"{"name":"x","msg":"started"}"#[..], "started"),
            (br#"{"error":{"message":"no"},"text":"yes"}"#, "yes"),
            (br#"{"error":{"message":"no"}}"#, "no"),
            (br#" "quoted\n" "#, "quoted\n"),
            (b"plain words", "plain words"),
            (br#"{"text":"cut of"#, "cut of"),
            (b"\xff\xfe", ""),
            (b"", ""),
            (br#"{"text":"  ","status":"ok"}"#, "ok"),
        ] {
            assert_eq!(read(&Payload::new("k", payload)).text.to_string(), expected);
        }
    }
}
