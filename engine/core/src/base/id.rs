//! Event ids: text of 1–255 bytes, a canonical UUID kept as its 16 bytes.

use std::fmt;
use std::sync::{Arc, LazyLock};

use uuid::Uuid;

/// The id of an event: a UUID, or any other text of 1 to
/// [`MAX_ID_BYTES`](crate::base::limits::MAX_ID_BYTES) bytes.
///
/// Making an id never fails; its length is checked when an event that carries
/// it is appended. A UUID in its canonical form (lower case, hyphenated) is
/// stored as 16 bytes and can be found by a prefix; any other spelling is text
/// and is kept as it is. Cloning costs at most one reference count.
///
/// ```
/// use forebear::EventId;
///
/// let uuid = EventId::from("0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6");
/// assert!(uuid.as_uuid().is_some());
/// assert_eq!(uuid.to_string(), "0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6");
///
/// let text = EventId::from("span-42");
/// assert!(text.as_uuid().is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EventId(Form);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Form {
    /// The 128 bits in two halves, the more significant first: aligned, so that
    /// ids are copied word by word.
    Uuid(u64, u64),
    Text(Arc<str>),
}

impl EventId {
    /// A new UUIDv7: ordered by the time it was made.
    ///
    /// ```
    /// use forebear::{Event, EventId};
    ///
    /// let id = EventId::new();
    /// let request = Event::new("request").id(&id);
    /// let answer = Event::new("answer").parent(&id);
    /// assert_ne!(id, EventId::new());
    /// ```
    pub fn new() -> Self {
        Self::from(Uuid::now_v7())
    }

    /// The `UUIDv8` of `content`: the same bytes in the same `domain` always
    /// give the same id. The domain keeps ids derived for different purposes
    /// apart. It is 122 bits of BLAKE3 in its key-derivation mode.
    ///
    /// ```
    /// use forebear::EventId;
    ///
    /// let id = EventId::derived("my-service log line", b"started");
    /// assert_eq!(id, EventId::derived("my-service log line", b"started"));
    /// assert_ne!(id, EventId::derived("another domain", b"started"));
    /// ```
    pub fn derived(domain: &str, content: &[u8]) -> Self {
        let digest = blake3::Hasher::new_derive_key(domain).update(content).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.as_bytes()[..16]);
        Self::from(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The UUID, where the id is one.
    ///
    /// ```
    /// use forebear::EventId;
    ///
    /// let id = EventId::from("0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6");
    /// assert_eq!(id.as_uuid().map(|uuid| uuid.get_version_num()), Some(7));
    /// assert_eq!(EventId::from("span-42").as_uuid(), None);
    /// ```
    pub fn as_uuid(&self) -> Option<Uuid> {
        match &self.0 {
            Form::Uuid(high, low) => Some(Uuid::from_u64_pair(*high, *low)),
            Form::Text(_) => None,
        }
    }

    /// The text, where the id is not a canonical UUID.
    ///
    /// ```
    /// use forebear::EventId;
    ///
    /// assert_eq!(EventId::from("span-42").as_text(), Some("span-42"));
    /// assert_eq!(EventId::new().as_text(), None);
    /// ```
    pub fn as_text(&self) -> Option<&str> {
        match &self.0 {
            Form::Uuid(..) => None,
            Form::Text(text) => Some(text),
        }
    }

    /// Length of the id as text, in bytes.
    pub(crate) fn text_len(&self) -> usize {
        match &self.0 {
            Form::Uuid(..) => uuid::fmt::Hyphenated::LENGTH,
            Form::Text(text) => text.len(),
        }
    }

    /// What the id is found by in a sealed segment: a UUID's bytes, or 128 bits of
    /// the domain-separated BLAKE3 digest of a text, which is then compared in full.
    pub(crate) fn key(&self) -> [u8; 16] {
        match &self.0 {
            Form::Uuid(high, low) => Uuid::from_u64_pair(*high, *low).into_bytes(),
            Form::Text(text) => {
                // What the domain comes to is the same each time.
                let mut hasher = TEXT_HASHER.clone();
                let digest = hasher.update(text.as_bytes()).finalize();
                let mut key = [0; 16];
                key.copy_from_slice(&digest.as_bytes()[..16]);
                key
            }
        }
    }

    pub(crate) fn from_uuid_bytes(bytes: [u8; 16]) -> Self {
        Self::from(Uuid::from_bytes(bytes))
    }

    /// A text that was found not to be a canonical UUID when it was stored.
    pub(crate) fn from_text(text: Arc<str>) -> Self {
        Self(Form::Text(text))
    }
}

impl Default for EventId {
    fn default() -> Self {
        Self::new()
    }
}

impl From<&str> for EventId {
    fn from(text: &str) -> Self {
        match canonical_uuid(text) {
            Some(uuid) => Self::from(uuid),
            None => Self(Form::Text(text.into())),
        }
    }
}

impl From<String> for EventId {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for EventId {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Uuid> for EventId {
    fn from(uuid: Uuid) -> Self {
        let (high, low) = uuid.as_u64_pair();
        Self(Form::Uuid(high, low))
    }
}

impl From<&EventId> for EventId {
    fn from(id: &EventId) -> Self {
        id.clone()
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Uuid(high, low) => {
                fmt::Display::fmt(&Uuid::from_u64_pair(*high, *low).hyphenated(), f)
            }
            Form::Text(text) => f.pad(text),
        }
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventId({self})")
    }
}

/// The UUID that a text is in lower case with hyphens; every other text is just text,
/// so that what came in as one spelling goes out as the same.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    if text.len() != uuid::fmt::Hyphenated::LENGTH || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    // `try_parse` takes other forms too, but none of them has this length.
    Uuid::try_parse(text).ok()
}

static TEXT_HASHER: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key(TEXT_KEYS));
/// The domain of the digests of text ids.
const TEXT_KEYS: &str = "forebear 2026 keys of text ids";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_a_uuid() {
        let canonical = "0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6";
        assert!(EventId::from(canonical).as_uuid().is_some());
        for other in [
            "0191E7A4-5B3C-7D2E-8F10-A1B2C3D4E5F6",
            "0191e7a45b3c7d2e8f10a1b2c3d4e5f6",
            "{0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6}",
            "urn:uuid:0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6",
            "0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f",
            "0191e7a4-5b3c-7d2e-8f10+a1b2c3d4e5f6",
            "",
        ] {
            let id = EventId::from(other);
            assert!(id.as_uuid().is_none(), "{other}");
            assert_eq!(id.to_string(), other);
        }
    }

    #[test]
    fn a_derived_id_is_a_version_8_uuid() {
        let id = EventId::derived("test", b"content").as_uuid().expect("a uuid");
        assert_eq!(id.get_version_num(), 8);
    }
}
