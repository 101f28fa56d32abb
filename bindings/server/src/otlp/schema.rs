//! The messages of OTLP 1.x that are read: the number, the name in JSON and the type of each field.

/// A message: its fields, in order of their names' places in the specification.
#[derive(Debug)]
pub(super) struct MessageSchema(pub(super) &'static [ProtoField]);

/// A field of a message. Those that are not listed are passed over.
#[derive(Debug)]
pub(super) struct ProtoField {
    pub(super) number: u32,
    pub(super) name: &'static str,
    pub(super) is_repeated: bool,
    pub(super) of: ProtoType,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum ProtoType {
    Message(&'static MessageSchema),
    Text,
    /// An id, in hexadecimal in JSON.
    Id,
    /// Bytes, in base64 in JSON.
    Bytes,
    /// A number of 64 bits, a text in JSON.
    Fixed64,
    Fixed32,
    /// An unsigned number of 32 bits, or one of an enum.
    Number,
    /// A signed number of 64 bits, a text in JSON.
    Int,
    Bool,
    Double,
}

const fn one(number: u32, name: &'static str, of: ProtoType) -> ProtoField {
    ProtoField { number, name, is_repeated: false, of }
}

const fn many(number: u32, name: &'static str, of: &'static MessageSchema) -> ProtoField {
    ProtoField { number, name, is_repeated: true, of: ProtoType::Message(of) }
}

/// A request with spans.
pub(super) static TRACES: MessageSchema =
    MessageSchema(&[many(1, "resourceSpans", &RESOURCE_SPANS)]);
/// A request with log records.
pub(super) static LOGS: MessageSchema = MessageSchema(&[many(1, "resourceLogs", &RESOURCE_LOGS)]);

static RESOURCE_SPANS: MessageSchema = MessageSchema(&[
    one(1, "resource", ProtoType::Message(&RESOURCE)),
    many(2, "scopeSpans", &SCOPE_SPANS),
    one(3, "schemaUrl", ProtoType::Text),
]);
static SCOPE_SPANS: MessageSchema = MessageSchema(&[
    one(1, "scope", ProtoType::Message(&SCOPE)),
    many(2, "spans", &SPAN),
    one(3, "schemaUrl", ProtoType::Text),
]);
static RESOURCE_LOGS: MessageSchema = MessageSchema(&[
    one(1, "resource", ProtoType::Message(&RESOURCE)),
    many(2, "scopeLogs", &SCOPE_LOGS),
    one(3, "schemaUrl", ProtoType::Text),
]);
static SCOPE_LOGS: MessageSchema = MessageSchema(&[
    one(1, "scope", ProtoType::Message(&SCOPE)),
    many(2, "logRecords", &LOG_RECORD),
    one(3, "schemaUrl", ProtoType::Text),
]);
static RESOURCE: MessageSchema = MessageSchema(&[
    many(1, "attributes", &KEY_VALUE),
    one(2, "droppedAttributesCount", ProtoType::Number),
]);
static SCOPE: MessageSchema = MessageSchema(&[
    one(1, "name", ProtoType::Text),
    one(2, "version", ProtoType::Text),
    many(3, "attributes", &KEY_VALUE),
    one(4, "droppedAttributesCount", ProtoType::Number),
]);
static SPAN: MessageSchema = MessageSchema(&[
    one(1, "traceId", ProtoType::Id),
    one(2, "spanId", ProtoType::Id),
    one(3, "traceState", ProtoType::Text),
    one(4, "parentSpanId", ProtoType::Id),
    one(16, "flags", ProtoType::Fixed32),
    one(5, "name", ProtoType::Text),
    one(6, "kind", ProtoType::Number),
    one(7, "startTimeUnixNano", ProtoType::Fixed64),
    one(8, "endTimeUnixNano", ProtoType::Fixed64),
    many(9, "attributes", &KEY_VALUE),
    one(10, "droppedAttributesCount", ProtoType::Number),
    many(11, "events", &SPAN_EVENT),
    one(12, "droppedEventsCount", ProtoType::Number),
    many(13, "links", &SPAN_LINK),
    one(14, "droppedLinksCount", ProtoType::Number),
    one(15, "status", ProtoType::Message(&STATUS)),
]);
static SPAN_EVENT: MessageSchema = MessageSchema(&[
    one(1, "timeUnixNano", ProtoType::Fixed64),
    one(2, "name", ProtoType::Text),
    many(3, "attributes", &KEY_VALUE),
    one(4, "droppedAttributesCount", ProtoType::Number),
]);
static SPAN_LINK: MessageSchema = MessageSchema(&[
    one(1, "traceId", ProtoType::Id),
    one(2, "spanId", ProtoType::Id),
    one(3, "traceState", ProtoType::Text),
    many(4, "attributes", &KEY_VALUE),
    one(5, "droppedAttributesCount", ProtoType::Number),
    one(6, "flags", ProtoType::Fixed32),
]);
static STATUS: MessageSchema =
    MessageSchema(&[one(2, "message", ProtoType::Text), one(3, "code", ProtoType::Number)]);
static LOG_RECORD: MessageSchema = MessageSchema(&[
    one(1, "timeUnixNano", ProtoType::Fixed64),
    one(11, "observedTimeUnixNano", ProtoType::Fixed64),
    one(2, "severityNumber", ProtoType::Number),
    one(3, "severityText", ProtoType::Text),
    one(5, "body", ProtoType::Message(&ANY_VALUE)),
    many(6, "attributes", &KEY_VALUE),
    one(7, "droppedAttributesCount", ProtoType::Number),
    one(8, "flags", ProtoType::Fixed32),
    one(9, "traceId", ProtoType::Id),
    one(10, "spanId", ProtoType::Id),
    one(12, "eventName", ProtoType::Text),
]);
static KEY_VALUE: MessageSchema = MessageSchema(&[
    one(1, "key", ProtoType::Text),
    one(2, "value", ProtoType::Message(&ANY_VALUE)),
]);
static ANY_VALUE: MessageSchema = MessageSchema(&[
    one(1, "stringValue", ProtoType::Text),
    one(2, "boolValue", ProtoType::Bool),
    one(3, "intValue", ProtoType::Int),
    one(4, "doubleValue", ProtoType::Double),
    one(5, "arrayValue", ProtoType::Message(&ARRAY_VALUE)),
    one(6, "kvlistValue", ProtoType::Message(&KEY_VALUE_LIST)),
    one(7, "bytesValue", ProtoType::Bytes),
]);
static ARRAY_VALUE: MessageSchema = MessageSchema(&[many(1, "values", &ANY_VALUE)]);
static KEY_VALUE_LIST: MessageSchema = MessageSchema(&[many(1, "values", &KEY_VALUE)]);
