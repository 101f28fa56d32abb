//! What a reader is given, and what it is.

use std::fmt::Debug;

use forebear_core::{Event, StoredEvent};

use crate::reading::Reading;

/// Reads the payloads of one format. An example is at the [crate](crate).
pub trait PayloadReader: Debug + Send + Sync {
    /// What a payload says. Never fails: what is not understood is left out, and what
    /// says nothing at all that is understood has its text read by the fallback.
    ///
    /// A payload may be cut off, of another format, or no text at all.
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p>;

    /// Whether a payload is of the format, asked for events that don't name theirs: those
    /// of stores written before they could. Goes by few fields; false unless overridden.
    fn is_of(&self, _payload: &Payload<'_>) -> bool {
        false
    }

    /// Words in small letters that a reading may say and its payload doesn't, runs of letters
    /// and digits each. All other words of its texts have to stand in the payload as they are
    /// or escaped as JSON is, so that a search needs to read only payloads that have them.
    /// None, unless overridden: a reading may say anything, and a search reads every payload.
    fn adds(&self) -> Option<&'static [&'static str]> {
        None
    }
}

/// An event's payload, and what the event says of it.
///
/// ```
/// use forebear::Event;
/// use forebear::readings::Payload;
///
/// let event = Event::new("note").label("level", "warn").payload("words");
/// let payload = Payload::of_new(&event);
/// assert_eq!((payload.text(), payload.kind(), payload.label("level")), ("words", "note", Some("warn")));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Payload<'p> {
    bytes: &'p [u8],
    kind: &'p str,
    of: LabelSource<'p>,
}

/// Where the labels are.
#[derive(Clone, Copy, Debug)]
enum LabelSource<'p> {
    Nothing,
    New(&'p Event),
    Stored(&'p StoredEvent),
}

impl<'p> Payload<'p> {
    /// A payload of an event of this kind without labels.
    pub fn new(kind: &'p str, bytes: &'p [u8]) -> Self {
        Self { bytes, kind, of: LabelSource::Nothing }
    }

    /// The payload of an event that is to be stored.
    pub fn of_new(event: &'p Event) -> Self {
        let bytes = event.as_payload().unwrap_or_default();
        Self { bytes, kind: event.as_kind(), of: LabelSource::New(event) }
    }

    /// The payload of an event that is stored; empty where it wasn't loaded.
    pub fn of_stored(event: &'p StoredEvent) -> Self {
        let bytes = event.payload().unwrap_or_default();
        Self { bytes, kind: event.kind(), of: LabelSource::Stored(event) }
    }

    /// Its bytes.
    pub fn bytes(&self) -> &'p [u8] {
        self.bytes
    }

    /// Its text, up to where it is no UTF-8.
    pub fn text(&self) -> &'p str {
        match std::str::from_utf8(self.bytes) {
            Ok(text) => text,
            // It is valid up to there.
            Err(error) => {
                std::str::from_utf8(&self.bytes[..error.valid_up_to()]).unwrap_or_default()
            }
        }
    }

    /// The event's kind.
    pub fn kind(&self) -> &'p str {
        self.kind
    }

    /// A label of the event.
    pub fn label(&self, key: &str) -> Option<&'p str> {
        match self.of {
            LabelSource::Nothing => None,
            LabelSource::New(event) => event.as_label(key),
            LabelSource::Stored(event) => event.label(key),
        }
    }
}
