//! Pages of listings, and the cursors that lead from one to the next.

use std::fmt;
use std::str::FromStr;

use crate::base::error::{Error, Result};

/// Some items of a listing, and where the next ones begin.
///
/// ```
/// use forebear::{Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append_batch((0..120).map(|n| Event::new("tick").time_ns(n)))?;
/// let mut ticks = store.snapshot().events(Filter::new()).limit(50);
/// let mut seen = 0;
/// loop {
///     let page = ticks.page()?;
///     seen += page.items.len();
///     let Some(next) = page.next else { break };
///     ticks = ticks.after(next);
/// }
/// assert_eq!(seen, 120);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Page<T, C = Cursor> {
    /// The items, at most as many as asked for; fewer where they would take more than
    /// 32 MiB of memory.
    pub items: Vec<T>,
    /// Where to go on, if there may be more.
    pub next: Option<C>,
    /// What could not be read for damage, each part once: the items are all that could be.
    /// An event of which its record alone is damaged is among them, and says so by
    /// [`StoredEvent::damage`](crate::StoredEvent::damage).
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Vec::is_empty"))]
    pub damaged: Vec<Error>,
}

impl<T, C> Page<T, C> {
    /// A page of a listing of one's own; see [`Listing`](crate::listing::Listing).
    pub fn new(items: Vec<T>, next: Option<C>) -> Self {
        Self { items, next, damaged: Vec::new() }
    }

    /// The same with what could not be read for damage.
    #[must_use]
    pub fn with_damaged(mut self, damaged: Vec<Error>) -> Self {
        self.damaged.extend(damaged);
        self
    }

    /// Turns what was found into what is returned. The page ends early, and goes on
    /// there, once `size` of it is more than [`PAGE_BYTES`].
    pub(crate) fn load<U>(
        self,
        after: impl Fn(&T) -> C,
        mut load: impl FnMut(T) -> Result<U>,
        size: impl Fn(&U) -> usize,
    ) -> Result<Page<U, C>> {
        let mut page = Page::new(Vec::with_capacity(self.items.len()), self.next);
        page.damaged = self.damaged;
        let (mut bytes, mut last) = (0, None);
        for found in self.items {
            if bytes > PAGE_BYTES {
                page.next = last;
                break;
            }
            last = Some(after(&found));
            let item = load(found)?;
            bytes += size(&item);
            page.items.push(item);
        }
        Ok(page)
    }
}

/// A place in a listing, behind one of its items. What the two numbers stand for is the
/// listing's own: a time and a sequence number, the 128 bits of a key's digest, or in
/// `at` alone a sequence number or a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The time of the item, where the listing goes by time.
    pub time_ns: i64,
    /// The sequence number of the item, or how many came before.
    pub at: u64,
}

impl Position {
    /// Leads nowhere: for what is not part of a listing.
    pub(crate) const NONE: Self = Self { time_ns: 0, at: u64::MAX };

    /// Behind the item with this number.
    pub fn at(at: u64) -> Self {
        Self { time_ns: 0, at }
    }

    /// Behind a key, which is found again by its digest.
    pub fn of_key(digest: [u8; 16]) -> Self {
        let number = u128::from_le_bytes(digest);
        Self { time_ns: ((number >> 64) as u64).cast_signed(), at: number as u64 }
    }

    /// The digest of the key that it is behind.
    pub fn key(self) -> [u8; 16] {
        (u128::from(self.time_ns.cast_unsigned()) << 64 | u128::from(self.at)).to_le_bytes()
    }
}

/// Where a listing goes on. It knows which listing it is from and of what: another one
/// refuses it. As text it survives a process.
///
/// ```
/// use forebear::{Cursor, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append_batch((0..3).map(|n| Event::new("tick").time_ns(n)))?;
/// let snapshot = store.snapshot();
/// let first = snapshot.events(Filter::new()).limit(2).page()?;
/// let text = first.next.expect("there is one more").to_string();
///
/// let cursor: Cursor = text.parse()?;
/// let second = snapshot.events(Filter::new()).after(cursor).page()?;
/// assert_eq!((second.items.len(), second.next), (1, None));
///
/// let refused = snapshot.events(Filter::new().kind("tick")).after(cursor).page();
/// assert!(refused.is_err_and(|error| error.is_invalid()), "it is of other events");
/// assert!(snapshot.roots().after(cursor).page().is_err());
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    pub(super) listing: Name,
    /// A digest of what the listing is of.
    pub(super) parameters: u64,
    pub(super) position: Position,
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { time_ns, at } = self.position;
        write!(f, "{}.{:016x}.{time_ns:x}.{at:x}", self.listing.as_str(), self.parameters)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let mut fields = text.split('.');
            let listing = Name::new(fields.next()?)?;
            let mut number = || u64::from_str_radix(fields.next()?, 16).ok();
            let (parameters, time, at) = (number()?, number()?, number()?);
            let position = Position { time_ns: time.cast_signed(), at };
            fields.next().is_none().then_some(Self { listing, parameters, position })
        };
        parse().ok_or_else(|| {
            Error::invalid(format!("expected a cursor that an earlier page gave, found {text:?}"))
        })
    }
}

/// The name of a listing, kept in place so that cursors are copied.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Name([u8; NAME_BYTES]);

impl Name {
    /// None where it is empty, too long or has other letters than `a` to `z` and `-`.
    pub(super) fn new(name: &str) -> Option<Self> {
        let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
        if name.is_empty() || !name.bytes().all(is_fine) {
            return None;
        }
        let mut bytes = [0; NAME_BYTES];
        bytes.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self(bytes))
    }

    pub(super) fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&byte| byte == 0).unwrap_or(NAME_BYTES);
        // Letters alone are let in.
        std::str::from_utf8(&self.0[..length]).unwrap_or_default()
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A page ends once its items hold more memory than this: 32 MiB.
pub(crate) const PAGE_BYTES: usize = 32 << 20;
/// Longest name of a listing.
const NAME_BYTES: usize = 24;
