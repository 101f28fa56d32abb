//! What a span or a log record says of itself.

use std::borrow::Cow;

use forebear_core::EventId;
use forebear_readings::json::{JsonCursor, JsonStr, Scalar};

use super::conventions::{Field, StepSort, field, is_answer, step_of_name, step_of_operation};
use crate::formats::common::values::{cut, is};

/// A span or a log record, borrowed from its text.
#[derive(Debug, Default)]
pub(super) struct OtlpRecord<'t> {
    pub(super) is_log: bool,
    pub(super) trace: Option<[u8; 16]>,
    pub(super) span: Option<[u8; 8]>,
    pub(super) parent: Option<[u8; 8]>,
    pub(super) name: Option<JsonStr<'t>>,
    pub(super) start_ns: Option<i64>,
    /// None while a span goes on.
    pub(super) end_ns: Option<i64>,
    pub(super) has_failed: bool,
    pub(super) is_ok: bool,
    pub(super) message: Option<JsonStr<'t>>,
    pub(super) body: Option<JsonStr<'t>>,
    pub(super) exception: Option<JsonStr<'t>>,
    /// Spans of elsewhere that it names, the first two.
    pub(super) links: Vec<SpanKey>,
    pub(super) attributes: Attributes<'t>,
}

/// A span by its trace and its id in that.
pub(super) type SpanKey = ([u8; 16], [u8; 8]);

/// The attributes that say something.
#[derive(Debug, Default)]
pub(super) struct Attributes<'t> {
    found: [Option<(u8, AttributeValue<'t>)>; Field::COUNT],
    /// What a model answered, a text a message.
    pub(super) answers: Vec<JsonStr<'t>>,
}

/// A value that is a text, a number or a truth value.
#[derive(Clone, Copy, Debug)]
enum AttributeValue<'t> {
    Text(JsonStr<'t>),
    Plain(&'t str),
}

impl<'t> OtlpRecord<'t> {
    pub(super) fn read(record: &'t str, is_log: bool) -> Self {
        let mut found = Self { is_log, ..Self::default() };
        JsonCursor::new(record).object(|key, value| found.member(key, value));
        found
    }

    fn member(&mut self, key: &str, value: &mut JsonCursor<'t>) {
        match key {
            "traceId" | "trace_id" => self.trace = value.text().and_then(id_bytes),
            "spanId" | "span_id" => self.span = value.text().and_then(id_bytes),
            "parentSpanId" | "parent_span_id" => self.parent = value.text().and_then(id_bytes),
            "name" | "eventName" | "event_name" => self.name = value.text(),
            "startTimeUnixNano" | "start_time_unix_nano" | "timeUnixNano" | "time_unix_nano" => {
                self.start_ns = time_ns(value).or(self.start_ns);
            }
            "observedTimeUnixNano" | "observed_time_unix_nano" => {
                self.start_ns = self.start_ns.or(time_ns(value));
            }
            "endTimeUnixNano" | "end_time_unix_nano" => self.end_ns = time_ns(value),
            "status" => value.object(|key, value| match key {
                "code" => {
                    let word = value.text();
                    self.has_failed = word.map_or(value.number() == Some(2), |word| {
                        word.decode() == "STATUS_CODE_ERROR"
                    });
                    self.is_ok = word.map_or(value.number() == Some(1), |word| {
                        word.decode() == "STATUS_CODE_OK"
                    });
                }
                "message" => self.message = value.text(),
                _ => {}
            }),
            "severityNumber" | "severity_number" => {
                let word = value.text();
                self.has_failed |= word.map_or(
                    value.number().is_some_and(|number| number >= ERROR_SEVERITY),
                    |word| {
                        let word = word.decode();
                        word.starts_with("SEVERITY_NUMBER_ERROR")
                            || word.starts_with("SEVERITY_NUMBER_FATAL")
                    },
                );
            }
            "body" => value.object(|key, value| {
                if matches!(key, "stringValue" | "string_value") {
                    self.body = value.text();
                }
            }),
            "attributes" => self.attributes.add(value),
            "events" => value.array(|event| self.event(event)),
            "links" => value.array(|link| {
                let (mut trace, mut span) = (None, None);
                link.object(|key, value| match key {
                    "traceId" | "trace_id" => trace = value.text().and_then(id_bytes),
                    "spanId" | "span_id" => span = value.text().and_then(id_bytes),
                    _ => {}
                });
                if self.links.len() < 2 {
                    self.links.extend(trace.zip(span));
                }
            }),
            _ => {}
        }
    }

    /// What happened within a span.
    fn event(&mut self, event: &mut JsonCursor<'t>) {
        let (mut name, mut attributes) = (None, Attributes::default());
        event.object(|key, value| match key {
            "name" => name = value.text(),
            "attributes" => attributes.add(value),
            _ => {}
        });
        if is(name, "exception") {
            self.exception = attributes.json(Field::Error).or(self.exception);
        }
    }

    /// What the event of a span is called by, wherever else it is named.
    pub(super) fn span_event(of: SpanKey) -> EventId {
        let (trace, span) = of;
        let mut content = [0; 24];
        content[..16].copy_from_slice(&trace);
        content[16..].copy_from_slice(&span);
        EventId::derived(SPAN_DOMAIN, &content)
    }

    /// What sort of step it is, and the kind of its event.
    pub(super) fn step(&self) -> (StepSort, Cow<'t, str>) {
        let attributes = &self.attributes;
        let operation = attributes.text(Field::Operation).unwrap_or_default();
        let event_name = attributes.json(Field::EventName).filter(|_| self.is_log);
        let name = self.name.or(event_name).map(JsonStr::decode);
        let name = name.or_else(|| self.body.map(JsonStr::decode).filter(|body| is_name(body)));
        let name = name.unwrap_or(Cow::Borrowed(if self.is_log { "log" } else { "span" }));
        let known = step_of_operation(&operation).or_else(|| step_of_name(&name, self.is_log));
        match known {
            Some((step, kind)) => (step, Cow::Borrowed(kind)),
            None if !operation.is_empty() => {
                (StepSort::Other, Cow::Owned(operation.to_lowercase()))
            }
            None => (StepSort::Other, name),
        }
    }

    /// Whether it says that it failed.
    pub(super) fn is_error(&self) -> bool {
        let succeeded = self.attributes.text(Field::Success);
        self.has_failed
            || succeeded.as_deref() == Some("false")
            || self.attributes.has(Field::Error) && !self.is_ok && succeeded.is_none()
    }

    pub(super) fn duration_ns(&self) -> Option<u64> {
        let spent = self.end_ns.zip(self.start_ns);
        let spent = spent.and_then(|(end, start)| u64::try_from(end.saturating_sub(start)).ok());
        let told_ms = self.attributes.number(Field::DurationMs);
        spent.or(told_ms.map(|ms| ms.saturating_mul(1_000_000)))
    }
}

impl<'t> Attributes<'t> {
    /// Adds a list of attributes.
    pub(super) fn add(&mut self, list: &mut JsonCursor<'t>) {
        list.array(|attribute| {
            let (mut name, mut value) = (None, "");
            attribute.object(|key, cursor| match key {
                "key" => name = cursor.text(),
                "value" => value = cursor.raw(),
                _ => {}
            });
            let name = name.map(JsonStr::decode).unwrap_or_default();
            if is_answer(&name)
                && let Some(AttributeValue::Text(text)) = AttributeValue::read(value)
            {
                self.answers.push(text);
            }
            let Some((field, rank)) = field(&name) else { return };
            let Some(value) = AttributeValue::read(value) else { return };
            // That there was no error, as some say of every step.
            if field == Field::Error && value.is_false() {
                return;
            }
            let place = &mut self.found[field as usize];
            if place.is_none_or(|(known, _)| rank <= known) {
                *place = Some((rank, value));
            }
        });
    }

    pub(super) fn has(&self, field: Field) -> bool {
        self.found[field as usize].is_some()
    }

    /// A text as it stands; none where it is a number.
    pub(super) fn json(&self, field: Field) -> Option<JsonStr<'t>> {
        match self.found[field as usize]?.1 {
            AttributeValue::Text(text) => Some(text),
            AttributeValue::Plain(_) => None,
        }
    }

    pub(super) fn text(&self, field: Field) -> Option<Cow<'t, str>> {
        Some(match self.found[field as usize]?.1 {
            AttributeValue::Text(text) => text.decode(),
            AttributeValue::Plain(text) => Cow::Borrowed(text),
        })
    }

    /// The beginning of a text, of at most so many bytes.
    pub(super) fn start(&self, field: Field, max_bytes: usize) -> Option<String> {
        let start = match self.found[field as usize]?.1 {
            AttributeValue::Text(text) => text.decode_start(max_bytes),
            AttributeValue::Plain(text) => Cow::Borrowed(text),
        };
        Some(cut(start, max_bytes))
    }

    /// A whole number, which may stand there as a text.
    pub(super) fn number(&self, field: Field) -> Option<u64> {
        let text = self.text(field)?;
        let whole = text.split_once('.').map_or(&*text, |(whole, _)| whole);
        whole.parse().ok()
    }
}

impl<'t> AttributeValue<'t> {
    fn is_false(self) -> bool {
        match self {
            Self::Text(text) => text.raw() == "false",
            Self::Plain(text) => text == "false",
        }
    }

    /// Reads what stands in `{"stringValue": …}` and its like.
    fn read(value: &'t str) -> Option<Self> {
        let mut found = None;
        JsonCursor::new(value).object(|key, value| {
            let is_plain = matches!(
                key,
                "stringValue"
                    | "string_value"
                    | "intValue"
                    | "int_value"
                    | "doubleValue"
                    | "double_value"
                    | "boolValue"
                    | "bool_value"
            );
            if is_plain {
                found = value.scalar();
            }
        });
        Some(match found? {
            Scalar::Text(text) if text.is_empty() => return None,
            Scalar::Text(text) => Self::Text(text),
            Scalar::Number(text) => Self::Plain(text),
            Scalar::Bool(true) => Self::Plain("true"),
            Scalar::Bool(false) => Self::Plain("false"),
        })
    }
}

/// Whether the body of a log record names what it is, and is no sentence.
fn is_name(body: &str) -> bool {
    body.len() <= NAME_BYTES && !body.contains(char::is_whitespace)
}

/// A time as nanoseconds since the Unix epoch, a number or a text; none where it is 0.
fn time_ns(value: &mut JsonCursor<'_>) -> Option<i64> {
    let time = match value.scalar()? {
        Scalar::Text(text) => text.decode().parse().ok(),
        Scalar::Number(text) => text.parse().ok(),
        Scalar::Bool(_) => None,
    };
    time.filter(|time| *time > 0)
}

/// The bytes of an id: in hexadecimal, as OTLP has them in JSON, or in base64, as encoders of
/// other Protobuf do. None where it is of another length, or all 0.
pub(super) fn id_bytes<const N: usize>(text: JsonStr<'_>) -> Option<[u8; N]> {
    let text = text.decode();
    let bytes = if text.len() == 2 * N { hex(&text)? } else { base64(&text)? };
    let bytes: [u8; N] = bytes.try_into().ok()?;
    (bytes != [0; N]).then_some(bytes)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect()
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=');
    if text.len() > 2 * 16 {
        return None;
    }
    let (mut bits, mut held, mut bytes) = (0_u32, 0, Vec::new());
    for byte in text.bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

/// The least severity of a log record that is an error.
const ERROR_SEVERITY: u64 = 17;
const NAME_BYTES: usize = 64;
const SPAN_DOMAIN: &str = "otlp span";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_the_same_in_each_encoding() {
        let id = |text| id_bytes::<8>(JsonStr::plain(text));
        let expected = Some([0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd]);
        for text in ["0af7651916cd43dd", "0AF7651916CD43DD", "CvdlGRbNQ90="] {
            assert_eq!(id(text), expected, "{text}");
        }
        for text in ["0000000000000000", "0af7", "", "0af7651916cd43dx", "é7651916cd43d"] {
            assert_eq!(id(text), None, "{text}");
        }
    }
}
