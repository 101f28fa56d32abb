//! Fields of patches and relationships as they are stored: JSON.

use std::ops::Bound;
use std::str::FromStr;

use serde_json::value::RawValue;

use crate::value::{self, JsonFields};
use forebear_core::{Error, Result, limits};

/// Fields that are being put together. What can't be is reported at the end.
#[derive(Clone, Debug, Default)]
pub(super) struct Put {
    fields: JsonFields,
    error: Option<Error>,
}

impl Put {
    pub(super) fn text(&mut self, key: &str, text: &str) {
        self.value(key, serde_json::value::to_raw_value(text));
    }

    pub(super) fn number(&mut self, key: &str, number: impl serde::Serialize) {
        self.value(key, serde_json::value::to_raw_value(&number));
    }

    /// A value that is JSON already.
    pub(super) fn json(&mut self, key: &str, json: String) {
        self.value(key, RawValue::from_string(json));
    }

    /// A member of an object that is JSON; none takes it away.
    pub(super) fn member(&mut self, name: &str, json: Option<String>) {
        self.json(&format!("{MEMBER}{name}"), json.unwrap_or_else(|| "null".to_owned()));
    }

    /// The fields, checked: each name and text has its limit.
    pub(super) fn finish(&self) -> Result<&JsonFields> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => Ok(&self.fields),
        }
    }

    fn value(&mut self, key: &str, value: serde_json::Result<Box<RawValue>>) {
        match value {
            Ok(value) if value.get().len() <= limits::MAX_METADATA_BYTES => {
                self.fields.insert(key.to_owned(), value);
            }
            Ok(value) => {
                let size = value.get().len();
                self.error = Some(Error::too_long(key, limits::MAX_METADATA_BYTES, size));
            }
            Err(error) => {
                let error = Error::invalid(format!("expected {key} to be JSON: {error}"));
                self.error = Some(error);
            }
        }
    }
}

/// A text among fields.
pub(super) fn text(fields: &JsonFields, key: &str) -> Option<String> {
    fields.get(key).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// A number among fields.
pub(super) fn number<T: serde::de::DeserializeOwned>(fields: &JsonFields, key: &str) -> Option<T> {
    fields.get(key).and_then(|value| serde_json::from_str(value.get()).ok())
}

/// A value with a name among fields; none where this version of the program does not
/// know it.
pub(super) fn named<T: FromStr>(fields: &JsonFields, key: &str) -> Option<T> {
    text(fields, key).and_then(|name| name.parse().ok())
}

/// A value as it was written.
pub(super) fn json(fields: &JsonFields, key: &str) -> Option<String> {
    fields.get(key).map(|value| value.get().to_owned())
}

/// The metadata: what was said as a whole, and in it what was said of its members.
pub(super) fn metadata(fields: &JsonFields) -> Option<String> {
    let whole = json(fields, METADATA);
    let members = fields.range::<str, _>((Bound::Included(MEMBER), Bound::Unbounded));
    let members = members.map_while(|(key, value)| Some((key.strip_prefix(MEMBER)?, value)));
    let mut members = members.filter(|(_, value)| value.get() != "null").peekable();
    if members.peek().is_none() {
        return whole;
    }
    let mut object = match &whole {
        // What is no object has no members.
        Some(json) => match value::fields(json) {
            Ok(object) => object,
            Err(_) => return whole,
        },
        None => JsonFields::new(),
    };
    object.extend(members.map(|(name, value)| (name.to_owned(), value.clone())));
    value::object(&object).ok().or(whole)
}

/// Checks the name of a session.
pub(super) fn check_name(field: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains('\0') {
        return Err(Error::invalid(format!(
            "expected the {field} to be a name of 1 to {} bytes without NUL, found {name:?}",
            limits::MAX_SESSION_BYTES
        )));
    }
    if name.len() > limits::MAX_SESSION_BYTES {
        return Err(Error::too_long(field, limits::MAX_SESSION_BYTES, name.len()));
    }
    Ok(())
}

pub(super) const METADATA: &str = "metadata";
/// What the keys of members of the metadata begin with.
const MEMBER: &str = "metadata.";
