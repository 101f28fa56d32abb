//! The tokens that rows report, and what identifies the message.

use std::sync::LazyLock;

use crate::base::event::Usage;
use crate::base::id::EventId;
use crate::base::tokens::Tokens;
use crate::log::fields::ArchivedEventMeta;

/// The tokens of an event's message, and what the message is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SeenUsage {
    pub(crate) message: u64,
    pub(crate) tokens: Tokens,
}

impl SeenUsage {
    /// An event without a message's id counts as a message of its own.
    pub(super) fn of(fields: &ArchivedEventMeta, usage: &Usage) -> Self {
        let message = match usage.message.as_str() {
            "" => digest(&OWN_MESSAGE, &EventId::from(&fields.id).to_string()),
            message => digest(&MESSAGE, message),
        };
        Self { message, tokens: Tokens::from(usage) }
    }
}

/// What a text is known by among others of its domain.
fn digest(domain: &LazyLock<blake3::Hasher>, text: &str) -> u64 {
    let mut hasher = blake3::Hasher::clone(domain);
    let digest = hasher.update(text.as_bytes()).finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// Ids of messages.
static MESSAGE: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("forebear 2026 messages of sessions"));
/// Ids of events that count as messages of their own.
static OWN_MESSAGE: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("forebear 2026 events that are messages"));
