//! Finding an event by the beginning of its id.

use std::collections::BTreeSet;

use crate::base::error::Result;
use crate::base::id::EventId;
use crate::base::unread::Unread;
use crate::view::View;

/// What the beginning of an id stands for.
///
/// ```
/// use forebear::{Event, Resolved, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("tick").id("0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6"))?;
/// store.append(Event::new("tick").id("0191e7a5-0000-7000-8000-000000000001"))?;
/// match store.snapshot().resolve("0191e7a")? {
///     Resolved::One(id) => println!("it is {id}"),
///     Resolved::Many(ids) => assert_eq!(ids.len(), 2),
///     Resolved::None => println!("no such event"),
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// The one event whose id it is or begins.
    One(EventId),
    /// Several ids begin with it: the first 20 of them, in order.
    Many(Vec<EventId>),
    /// No event's id.
    None,
}

/// The event whose id this is, or else whose UUID begins with it.
pub(crate) fn resolve(view: &View, prefix: &str) -> Result<Resolved> {
    let exact = EventId::from(prefix);
    let mut unread = Unread::default();
    if unread.pass(view.find(&exact))?.flatten().is_some() {
        return Ok(Resolved::One(exact));
    }
    let range = uuid_range(prefix);
    let mut found = BTreeSet::new();
    for number in 0..view.len() {
        let Some((low, high)) = range else { break };
        let source = view.source(number);
        let uuids = source.and_then(|source| source.uuids(low, high, CANDIDATES + 1));
        found.extend(unread.pass(uuids)?.into_iter().flatten());
        while found.len() > CANDIDATES {
            found.pop_last();
        }
    }
    let mut ids: Vec<EventId> = found.into_iter().map(EventId::from_uuid_bytes).collect();
    Ok(match ids.len() {
        // It may be where it can't be read.
        0 => match unread.into_errors().pop() {
            Some(damage) => return Err(damage),
            None => Resolved::None,
        },
        1 => Resolved::One(ids.remove(0)),
        _ => Resolved::Many(ids),
    })
}

/// The least and the greatest UUID that begin with these hexadecimal digits.
fn uuid_range(prefix: &str) -> Option<([u8; 16], [u8; 16])> {
    if prefix.is_empty() || prefix.len() > uuid::fmt::Hyphenated::LENGTH {
        return None;
    }
    let (mut low, mut high) = ([0; 16], [0xff; 16]);
    let mut digits = 0;
    for (at, byte) in prefix.bytes().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if byte != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(byte).to_digit(16)? as u8;
        let shift = if digits % 2 == 0 { 4 } else { 0 };
        low[digits / 2] |= digit << shift;
        high[digits / 2] &= !(0xf << shift) | (digit << shift);
        digits += 1;
    }
    Some((low, high))
}

/// Ids that are shown for a beginning which fits several.
const CANDIDATES: usize = 20;
