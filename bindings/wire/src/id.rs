//! Ids as short as can be.

use forebear::EventId;

/// The beginning of a UUID that nearly always finds it in a store: a random one's first 8
/// digits, those of a UUIDv7 up to where it gets random. `None` for an id that is text, which
/// only the whole text finds.
pub fn short_uuid(id: &EventId) -> Option<String> {
    let uuid = id.as_uuid()?;
    let digits = if uuid.get_version_num() == 7 { 18 } else { 8 };
    Some(uuid.to_string()[..digits].to_owned())
}
