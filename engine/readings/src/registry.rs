//! The readers that a process has.

use std::collections::HashMap;
use std::sync::Arc;

use forebear_core::StoredEvent;

use crate::fallback;
use crate::labels::keys;
use crate::payload::{Payload, PayloadReader};
use crate::reading::Reading;
use crate::text::Text;

/// The readers that a process has, by the names of their formats.
///
/// The default has none: each payload is read by the fallback, which gives its text.
/// `Registry::readings` of `forebear::ingest` has one for each format it imports; a service
/// adds those of its own payloads. An example is at the [crate](crate).
#[derive(Clone, Debug, Default)]
pub struct Readings {
    readers: HashMap<String, Arc<dyn PayloadReader>>,
    /// The names, in the order in which they were added.
    order: Vec<String>,
}

impl Readings {
    /// Adds the reader of a format, in place of one with its name.
    #[must_use]
    pub fn with(mut self, format: impl Into<String>, reader: Arc<dyn PayloadReader>) -> Self {
        let format = format.into();
        if self.readers.insert(format.clone(), reader).is_none() {
            self.order.push(format);
        }
        self
    }

    /// The names of the formats, in the order in which they were added.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.order.iter().map(String::as_str)
    }

    /// Whether an event's reading may say a word that its payload doesn't; see
    /// [`PayloadReader::adds`]. The word is in small letters.
    pub fn may_add(&self, event: &StoredEvent, word: &str) -> bool {
        let adds = |reader: &Arc<dyn PayloadReader>| {
            reader.adds().is_none_or(|added| added.iter().any(|added| added.contains(word)))
        };
        let of_format = match event.payload_type().and_then(|format| self.readers.get(format)) {
            Some(reader) => adds(reader),
            None => self.readers.values().any(adds),
        };
        let in_label =
            || event.label(ERROR).is_some_and(|words| words.to_lowercase().contains(word));
        of_format || NAMELESS.contains(word) || in_label()
    }

    /// What an event's payload says, which has to be loaded. The event's
    /// [`payload_type`](StoredEvent::payload_type) names the format; where it has none, or one
    /// without a reader, the format is that whose reader takes the payload for its own.
    ///
    /// ```
    /// use forebear::Event;
    /// use forebear::readings::Readings;
    ///
    /// let store = forebear::in_memory()?;
    /// store.append(Event::new("note").id("n").payload("disk is full"))?;
    /// let event = store.snapshot().get("n")?.expect("it is stored");
    /// assert_eq!(Readings::default().of(&event).text.to_string(), "disk is full");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn of<'e>(&self, event: &'e StoredEvent) -> Reading<'e> {
        let format = event.payload_type().filter(|format| self.readers.contains_key(*format));
        self.read(format, &Payload::of_stored(event))
    }

    /// What a payload of this format says; of none, of the format whose reader takes it
    /// for its own.
    pub fn read<'p>(&self, format: Option<&str>, payload: &Payload<'p>) -> Reading<'p> {
        let named = format.and_then(|format| self.readers.get(format));
        let reader = named.or_else(|| {
            let mut readers = self.order.iter().filter_map(|name| self.readers.get(name));
            readers.find(|reader| format.is_none() && reader.is_of(payload))
        });
        let mut reading = reader.map(|reader| reader.read(payload)).unwrap_or_default();
        if reading == Reading::default() {
            reading = fallback::read(payload);
        }
        // A service's span says by labels that it failed; a format's own events say how.
        let is_told = reader.is_none() && payload.label(IS_ERROR) == Some("true");
        if is_told && reading.error.is_none() {
            let words = payload.label(ERROR).map(Text::from);
            let words = words.or_else(|| reading.text.first().cloned());
            reading.error = Some(words.unwrap_or_else(|| NAMELESS.into()));
        }
        let level = payload.label(LEVEL).map(str::to_ascii_lowercase);
        if level.is_some_and(|level| ERRORS.contains(&level.as_str())) && reading.error.is_none() {
            reading.error = Some(reading.text.first().cloned().unwrap_or_else(|| NAMELESS.into()));
        }
        reading
    }
}

/// What an error is called that says nothing.
const NAMELESS: &str = "error";

/// The labels that say that something failed, and how.
const IS_ERROR: &str = keys::IS_ERROR;
const ERROR: &str = "error";

/// The label that says how grave something is, and those of its values that say that it
/// is an error.
const LEVEL: &str = "level";
const ERRORS: [&str; 8] =
    ["error", "err", "fatal", "critical", "crit", "panic", "alert", "emergency"];
