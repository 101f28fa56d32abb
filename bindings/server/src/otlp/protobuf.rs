//! Protobuf written as the JSON of OTLP: names in camelCase, ids in hexadecimal, numbers of 64
//! bits as texts, enums as numbers.

use std::fmt::Write as _;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::otlp::schema::{MessageSchema, ProtoField, ProtoType};

/// Why bytes are no such message.
pub(super) type ProtoResult<T> = Result<T, String>;

/// Writes a message as JSON. O(its bytes); the JSON has at most `max_bytes`.
pub(super) fn to_json(
    bytes: &[u8],
    of: &'static MessageSchema,
    max_bytes: usize,
) -> ProtoResult<String> {
    let mut json = JsonWriter { text: String::with_capacity(bytes.len() * 2), max_bytes };
    json.message(bytes, of, 0)?;
    Ok(json.text)
}

struct JsonWriter {
    text: String,
    max_bytes: usize,
}

/// A field as it stands in a message.
#[derive(Clone, Copy, Debug)]
pub(super) enum WireValue<'b> {
    Varint(u64),
    Fixed64(u64),
    Fixed32(u32),
    Bytes(&'b [u8]),
}

/// The fields of a message, in their order.
pub(super) struct Fields<'b>(pub(super) &'b [u8]);

impl<'b> Iterator for Fields<'b> {
    type Item = ProtoResult<(u32, WireValue<'b>)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

impl<'b> Fields<'b> {
    fn field(&mut self) -> ProtoResult<(u32, WireValue<'b>)> {
        let tag = self.varint()?;
        let number = u32::try_from(tag >> 3).ok().filter(|number| *number > 0);
        let number = number.ok_or("expected the number of a field, found none")?;
        let wire = match tag & 7 {
            0 => WireValue::Varint(self.varint()?),
            1 => WireValue::Fixed64(u64::from_le_bytes(self.take()?)),
            2 => {
                let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
                let Some((bytes, rest)) = self.0.split_at_checked(length) else {
                    return Err(format!("expected {length} bytes, found {}", self.0.len()));
                };
                self.0 = rest;
                WireValue::Bytes(bytes)
            }
            5 => WireValue::Fixed32(u32::from_le_bytes(self.take()?)),
            other => return Err(format!("expected a field of OTLP, found the wire type {other}")),
        };
        Ok((number, wire))
    }

    fn varint(&mut self) -> ProtoResult<u64> {
        let mut value = 0;
        for place in 0..10 {
            let [byte] = self.take()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("expected a number of at most 10 bytes, found a longer one".to_owned())
    }

    fn take<const N: usize>(&mut self) -> ProtoResult<[u8; N]> {
        let (bytes, rest) =
            self.0.split_first_chunk().ok_or("expected more bytes, found the end")?;
        self.0 = rest;
        Ok(*bytes)
    }
}

impl JsonWriter {
    fn message(
        &mut self,
        bytes: &[u8],
        of: &'static MessageSchema,
        depth: usize,
    ) -> ProtoResult<()> {
        if depth > MAX_DEPTH {
            return Err(format!("expected at most {MAX_DEPTH} messages within each other"));
        }
        if self.text.len() > self.max_bytes {
            return Err(format!("expected at most {} bytes of JSON, found more", self.max_bytes));
        }
        let mut found: Vec<(usize, WireValue<'_>)> = Vec::new();
        for field in Fields(bytes) {
            let (number, wire) = field?;
            let Some(place) = of.0.iter().position(|field| field.number == number) else {
                continue;
            };
            if found.len() == FIELDS_MAX {
                return Err(format!(
                    "expected at most {FIELDS_MAX} fields in a message, found more"
                ));
            }
            found.push((place, wire));
        }
        // The order of fields says nothing but among those of one number.
        found.sort_by_key(|(place, _)| *place);
        self.text.push('{');
        let mut is_first = true;
        for group in found.chunk_by(|(a, _), (b, _)| a == b) {
            let field = &of.0[group[0].0];
            if !std::mem::take(&mut is_first) {
                self.text.push(',');
            }
            self.text.push('"');
            self.text.push_str(field.name);
            self.text.push_str("\":");
            if field.is_repeated {
                self.text.push('[');
                for (number, (_, wire)) in group.iter().enumerate() {
                    if number > 0 {
                        self.text.push(',');
                    }
                    self.value(field, *wire, depth)?;
                }
                self.text.push(']');
            } else if let Some((_, last)) = group.last() {
                self.value(field, *last, depth)?;
            }
        }
        self.text.push('}');
        Ok(())
    }

    fn value(&mut self, field: &ProtoField, wire: WireValue<'_>, depth: usize) -> ProtoResult<()> {
        match (field.of, wire) {
            (ProtoType::Message(of), WireValue::Bytes(bytes)) => {
                return self.message(bytes, of, depth + 1);
            }
            (ProtoType::Text, WireValue::Bytes(bytes)) => {
                let text = str::from_utf8(bytes)
                    .map_err(|_| format!("expected text in {}, found other bytes", field.name))?;
                self.quoted(text);
            }
            (ProtoType::Id, WireValue::Bytes(bytes)) => {
                self.text.push('"');
                for byte in bytes {
                    for digit in [byte >> 4, byte & 15] {
                        self.text.push(char::from(HEX[usize::from(digit)]));
                    }
                }
                self.text.push('"');
            }
            (ProtoType::Bytes, WireValue::Bytes(bytes)) => {
                self.text.push('"');
                BASE64_STANDARD.encode_string(bytes, &mut self.text);
                self.text.push('"');
            }
            (ProtoType::Fixed64, WireValue::Fixed64(number)) => {
                self.number_as_text(number);
            }
            (ProtoType::Fixed32, WireValue::Fixed32(number)) => {
                self.text.push_str(&number.to_string());
            }
            // Of an enum or a count only the lower half counts, as for all readers.
            (ProtoType::Number, WireValue::Varint(number)) => {
                self.text.push_str(&(number as u32).to_string());
            }
            (ProtoType::Int, WireValue::Varint(number)) => {
                self.number_as_text(number.cast_signed());
            }
            (ProtoType::Bool, WireValue::Varint(number)) => {
                self.text.push_str(if number == 0 { "false" } else { "true" });
            }
            (ProtoType::Double, WireValue::Fixed64(bits)) => {
                let number = f64::from_bits(bits);
                if number.is_nan() {
                    self.text.push_str("\"NaN\"");
                } else if number.is_infinite() {
                    let word = if number > 0.0 { "\"Infinity\"" } else { "\"-Infinity\"" };
                    self.text.push_str(word);
                } else {
                    // As all of this program's JSON, so that it reads back as the same number.
                    self.text.push_str(&serde_json::Value::from(number).to_string());
                }
            }
            (_, found) => {
                return Err(format!("expected another type of {}, found {found:?}", field.name));
            }
        }
        Ok(())
    }

    fn number_as_text(&mut self, number: impl std::fmt::Display) {
        // Writing to a string can't fail.
        let _ = write!(self.text, "\"{number}\"");
    }

    fn quoted(&mut self, text: &str) {
        self.text.push_str(&serde_json::Value::from(text).to_string());
    }
}

const HEX: &[u8; 16] = b"0123456789abcdef";
/// Messages within each other: those of a request, and values within values.
const MAX_DEPTH: usize = 40;
/// Fields of a message, which take more memory than they have bytes.
const FIELDS_MAX: usize = 1 << 18;

#[cfg(test)]
mod tests {
    use crate::otlp::schema::TRACES;

    use super::*;

    /// A field of bytes.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u8::try_from(bytes.len()).expect("a short one");
        [&[number << 3 | 2, length][..], bytes].concat()
    }

    fn json(bytes: &[u8]) -> ProtoResult<String> {
        to_json(bytes, &TRACES, 1 << 20)
    }

    #[test]
    fn a_request_reads_as_its_json() {
        let value = [&field(1, b"n")[..], &field(2, &[3 << 3, 42])].concat();
        let double = [&[4 << 3 | 1][..], &2.5_f64.to_le_bytes()].concat();
        let double = [&field(1, b"d")[..], &field(2, &double)].concat();
        let span = [
            // An unknown field is passed over, and the order of others says nothing.
            &[30 << 3 & 0x7f | 0x80, 1, 7][..],
            &field(9, &value),
            &field(1, &[0xab; 16]),
            &field(2, &[1; 8]),
            &field(5, b"say \"hi\""),
            &[7 << 3 | 1],
            &5_u64.to_le_bytes(),
            &field(9, &double),
            &field(15, &[3 << 3, 2]),
        ]
        .concat();
        let request = field(1, &field(2, &field(2, &span)));
        let expected = concat!(
            r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"abababababababababababababababab","#,
            r#""spanId":"0101010101010101","name":"say \"hi\"","startTimeUnixNano":"5","attributes":["#,
            r#"{"key":"n","value":{"intValue":"42"}},{"key":"d","value":{"doubleValue":2.5}}],"#,
            r#""status":{"code":2}}]}]}]}"#
        );
        assert_eq!(json(&request).as_deref(), Ok(expected));
        assert_eq!(json(b"").as_deref(), Ok("{}"));
    }

    #[test]
    fn garbage_is_refused() {
        for bytes in [
            &b"\xff"[..],
            b"\x0a\x05abc",
            b"\x0b",
            b"\x00\x01",
            b"\x08\x01",
            b"hello, this is no message",
            &[0xff; 32],
        ] {
            assert!(json(bytes).is_err(), "{bytes:?}");
        }
        let mut deep = field(1, b"x");
        for _ in 0..50 {
            deep = field(5, &field(1, &deep[..deep.len().min(120)]));
        }
        let span = field(9, &field(2, &deep));
        // Whatever it is taken for, it ends.
        let _ = json(&field(1, &field(2, &field(2, &span))));
        let long = field(1, &field(2, b"")).repeat(1000);
        assert!(to_json(&long, &TRACES, 100).is_err());
    }
}
