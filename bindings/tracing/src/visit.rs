//! Collects the fields of spans and events.

use std::error::Error;
use std::fmt;

use serde_json::{Map, Value};
use tracing_core::Field;
use tracing_core::field::Visit;

/// Fields as JSON.
#[derive(Debug, Default)]
pub(crate) struct FieldValues {
    pub(crate) values: Map<String, Value>,
}

impl FieldValues {
    /// A field that is a text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.as_str()
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        // Fields that come from the `log` crate say what the metadata do.
        if !field.name().starts_with("log.") {
            self.values.insert(field.name().to_owned(), value.into());
        }
    }
}

impl Visit for FieldValues {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_i128(&mut self, field: &Field, value: i128) {
        self.put(field, value.to_string());
    }

    fn record_u128(&mut self, field: &Field, value: u128) {
        self.put(field, value.to_string());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        // A cycle of sources would never end.
        for _ in 0..MAX_SOURCES {
            let Some(cause) = source else { break };
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        self.put(field, text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, format!("{value:?}"));
    }
}

/// Causes of an error that are told.
const MAX_SOURCES: usize = 16;
