//! State of the segment, folded: what its own records say of each key, and what was
//! carried over into it.
//!
//! Keys stand sorted within their kind, several to an entry, which stands under its
//! last key. All that there is of a key is in one entry.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::base::codec::{Input, put_number};
use crate::base::error::{Error, Result};
use crate::base::state::{Kept, KindId};
use crate::log::index::{StatePlaces, States};
use crate::segment::index::store::Appender;
use crate::segment::index::tables::Table;
use crate::segment::index::{SegmentIndex, StateOf};

/// Writes the state of a log: what its records say of each key, and what its rows come
/// to.
pub(super) fn write(states: &States, state: StateOf<'_>, table: &mut Appender<'_>) -> Result<()> {
    let StateOf { kinds, reduced, value } = state;
    let (mut group, mut last) = (Vec::new(), None);
    let mut keys: BTreeMap<(KindId, &str), StatePlaces> = BTreeMap::new();
    for (&kind, reduced) in reduced {
        keys.extend(reduced.keys().map(|key| ((kind, &**key), StatePlaces::default())));
    }
    keys.extend(states.all().map(|(kind, key, places)| ((kind, key), places)));
    for ((kind, key), places) in keys {
        if let Some((of, last)) = last
            && (of != kind || group.len() >= GROUP_BYTES)
        {
            table.put(&state_key(of, last), &group)?;
            group.clear();
        }
        put_bytes(&mut group, key.as_bytes());
        let mut own = None;
        for &place in &places.own {
            own = Some(kinds.fold(kind, own.as_deref(), &value(place)?)?);
        }
        if let Some(reduced) = reduced.get(&kind).and_then(|reduced| reduced.get(key)) {
            own = Some(kinds.fold(kind, own.as_deref(), reduced)?);
        }
        group.push(u8::from(own.is_some()));
        if let Some(own) = own {
            put_bytes(&mut group, &own);
        }
        put_number(&mut group, places.carried.len() as u64);
        for (segment, place) in places.carried {
            put_number(&mut group, segment);
            put_bytes(&mut group, &value(place)?);
        }
        last = Some((kind, key));
    }
    if let Some((kind, key)) = last {
        table.put(&state_key(kind, key), &group)?;
    }
    Ok(())
}

impl SegmentIndex {
    /// What the segment has of a key.
    pub(crate) fn state(&self, kind: KindId, key: &str) -> Result<Option<Kept>> {
        let mut found = None;
        self.walk_state(kind, Some(key), |other, entry| {
            if other == key {
                found = Some(entry.to_kept());
            }
            Ok(if other < key { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        })?;
        Ok(found)
    }

    /// Shows the keys of a kind behind one, in order, until `show` breaks off.
    pub(crate) fn state_names(
        &self,
        kind: KindId,
        after: Option<&str>,
        mut show: impl FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.walk_state(kind, after, |key, _| {
            if after.is_some_and(|after| key <= after) {
                return Ok(ControlFlow::Continue(()));
            }
            show(key)
        })
    }

    /// Shows the keys of a kind, with what the segment itself says of them, in order,
    /// until `show` breaks off.
    pub(crate) fn state_values(
        &self,
        kind: KindId,
        mut show: impl FnMut(&str, Option<&[u8]>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.walk_state(kind, None, |key, entry| show(key, entry.own))
    }

    /// Shows the keys of the group that `from` is in or would be, and on from there.
    fn walk_state(
        &self,
        kind: KindId,
        from: Option<&str>,
        mut show: impl FnMut(&str, &StateEntry<'_>) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let begin = state_key(kind, from.unwrap_or_default());
        self.tree.walk(&begin, |last, value| {
            if Table::State.rest(last).and_then(<[u8]>::first) != Some(&(kind.number())) {
                return Ok(ControlFlow::Break(()));
            }
            let mut input = Input(value);
            while !input.is_empty() {
                let read = StateEntry::read_on(&mut input);
                let (key, entry) = read.map_err(|error| self.damaged("state", &error))?;
                if show(key, &entry)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// What stands behind a key.
struct StateEntry<'a> {
    own: Option<&'a [u8]>,
    carried: Vec<(u64, &'a [u8])>,
}

impl<'a> StateEntry<'a> {
    /// A key and what stands behind it.
    fn read_on(input: &mut Input<'a>) -> Result<(&'a str, Self)> {
        let key = std::str::from_utf8(bytes(input)?)
            .map_err(|_| Error::damaged("expected the text of a key, found other bytes"))?;
        let own = match input.byte()? {
            0 => None,
            1 => Some(bytes(input)?),
            other => {
                return Err(Error::damaged(format!("expected a byte of 0 or 1, found {other}")));
            }
        };
        let count = input.number()?;
        let mut carried = Vec::new();
        for _ in 0..count {
            // Fails at the end of the bytes, which bounds the loop.
            carried.push((input.number()?, bytes(input)?));
        }
        Ok((key, Self { own, carried }))
    }

    fn to_kept(&self) -> Kept {
        let carried = self.carried.iter().map(|&(segment, value)| (segment, value.to_vec()));
        Kept { own: self.own.map(<[u8]>::to_vec), carried: carried.collect() }
    }
}

fn state_key(kind: KindId, key: &str) -> Vec<u8> {
    Table::State.key(&[&[kind.number()], key.as_bytes()])
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn bytes<'a>(input: &mut Input<'a>) -> Result<&'a [u8]> {
    let length = input.number_up_to(u64::from(u32::MAX))?;
    input.bytes(length as usize)
}

/// An entry ends behind the key that brings it to so many bytes.
const GROUP_BYTES: usize = 2 << 10;
