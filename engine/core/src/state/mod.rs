//! State: what is known of a thing by name, made of records that say something new of
//! it. Events stay as they were; state is what is true now.
//!
//! A record of state has a family, a key and a value. All records of a key are folded,
//! oldest first: within a log as it is read, within a sealed segment in its index, and
//! over all parts when it is asked for. What segments say that are dropped is carried:
//! written once more, folded, before they go.

pub(crate) mod checkpoint;
pub(crate) mod lineage;
pub(crate) mod session;

use std::sync::LazyLock;

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::state::Family;

/// What an older and a newer value of a key come to. Folding is associative: values can
/// be folded in groups, as long as they stay in order.
///
/// A newer checkpoint or lineage takes the place of the older one; of sessions and relationships
/// the newer fields do, and what the events of a session come to is added up.
pub(crate) fn fold(family: Family, older: Option<&[u8]>, newer: &[u8]) -> Result<Vec<u8>> {
    match (family, older) {
        (Family::Checkpoint | Family::Lineage, _) | (_, None) => Ok(newer.to_vec()),
        (Family::Session, Some(older)) => session::fold(older, newer),
        (Family::Relationship, Some(older)) => {
            session::fold_objects(text(older)?, text(newer)?).map(String::into_bytes)
        }
    }
}

/// What is kept of a value when the segments are dropped that it is from.
pub(crate) fn carried(family: Family, value: Vec<u8>) -> Result<Vec<u8>> {
    match family {
        Family::Session => session::carried(&value),
        Family::Relationship | Family::Checkpoint | Family::Lineage => Ok(value),
    }
}

/// The text of a value that is one.
pub(crate) fn text(value: &[u8]) -> Result<&str> {
    std::str::from_utf8(value)
        .map_err(|_| Error::damaged("expected the text of a value, found other bytes"))
}

/// What of a key filters know beside the whole of it: of a relationship's the end that
/// it begins with, so that all relationships of a session are found.
pub(crate) fn front(family: Family, key: &str) -> Option<&str> {
    match family {
        Family::Relationship => key.find('\0').map(|end| &key[..=end]),
        Family::Session | Family::Checkpoint | Family::Lineage => None,
    }
}

/// The 128 bits by which filters know a key.
pub(crate) fn digest(family: Family, key: &str) -> [u8; 16] {
    digest_of(&[&[family as u8, 1], key.as_bytes()])
}

/// The 128 bits by which filters know that there is any key of a family.
pub(crate) fn family_digest(family: Family) -> [u8; 16] {
    digest_of(&[&[family as u8, 0]])
}

/// What parts are asked for in place of the id of an event.
pub(crate) fn filter_id(digest: [u8; 16]) -> EventId {
    EventId::from_uuid_bytes(digest)
}

fn digest_of(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = HASHER.clone();
    for part in parts {
        hasher.update(part);
    }
    let mut digest = [0; 16];
    digest.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    digest
}

static HASHER: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key(STATE_KEYS));
/// The domain of the digests of keys of state.
const STATE_KEYS: &str = "forebear 2026 keys of state";
