//! Pages and the cursors that lead from one to the next.

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
/// let snapshot = store.snapshot();
/// let mut filter = Filter::new().limit(50);
/// let mut seen = 0;
/// loop {
///     let page = snapshot.events(&filter)?;
///     seen += page.items.len();
///     let Some(next) = page.next else { break };
///     filter = filter.after(next);
/// }
/// assert_eq!(seen, 120);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Page<T> {
    /// The items, at most as many as asked for; fewer where they would take
    /// more than 32 MiB of memory.
    pub items: Vec<T>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

impl<T> Page<T> {
    /// Turns what was found into what is given back. The page ends early, and
    /// goes on there, once `size` of it is more than [`PAGE_BYTES`].
    pub(crate) fn load<U>(
        self,
        after: impl Fn(&T) -> Cursor,
        mut load: impl FnMut(T) -> Result<U>,
        size: impl Fn(&U) -> usize,
    ) -> Result<Page<U>> {
        let mut page = Page { items: Vec::with_capacity(self.items.len()), next: self.next };
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

/// Where a listing goes on. Opaque: give it back to the call it came from, with
/// the same arguments. As text it survives a process.
///
/// ```
/// use forebear::{Cursor, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append_batch((0..3).map(|n| Event::new("tick").time_ns(n)))?;
/// let first = store.snapshot().events(&Filter::new().limit(2))?;
/// let text = first.next.expect("there is one more").to_string();
///
/// let cursor: Cursor = text.parse()?;
/// let second = store.snapshot().events(&Filter::new().limit(2).after(cursor))?;
/// assert_eq!((second.items.len(), second.next), (1, None));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The time of the last item, where the listing goes by time.
    pub(crate) time_ns: i64,
    /// The sequence number, or the position, of the last item.
    pub(crate) at: u64,
}

impl Cursor {
    /// Leads nowhere: for what is not part of a listing.
    pub(crate) const NONE: Self = Self { time_ns: 0, at: u64::MAX };

    pub(crate) fn at(at: u64) -> Self {
        Self { time_ns: 0, at }
    }

    /// A cursor of a listing of your own, made of what tells where it goes on.
    ///
    /// ```
    /// use forebear::Cursor;
    ///
    /// assert_eq!(Cursor::from_parts(-3, 7).parts(), (-3, 7));
    /// ```
    pub fn from_parts(time_ns: i64, at: u64) -> Self {
        Self { time_ns, at }
    }

    /// What [`from_parts`](Self::from_parts) made it of.
    pub fn parts(self) -> (i64, u64) {
        (self.time_ns, self.at)
    }

    /// Leads behind a key, which is found again by its digest.
    pub(crate) fn of_key(digest: [u8; 16]) -> Self {
        let number = u128::from_le_bytes(digest);
        Self { time_ns: ((number >> 64) as u64).cast_signed(), at: number as u64 }
    }

    /// The digest of the key that it leads behind.
    pub(crate) fn key(self) -> [u8; 16] {
        (u128::from(self.time_ns.cast_unsigned()) << 64 | u128::from(self.at)).to_le_bytes()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}.{:x}", self.time_ns, self.at)
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parse = || {
            let (time, at) = text.split_once('.')?;
            Some(Self {
                time_ns: u64::from_str_radix(time, 16).ok()?.cast_signed(),
                at: u64::from_str_radix(at, 16).ok()?,
            })
        };
        parse().ok_or_else(|| {
            Error::invalid(format!("expected a cursor that an earlier page gave, found {text:?}"))
        })
    }
}

/// A page ends once its items hold more memory than this: 32 MiB.
pub(crate) const PAGE_BYTES: usize = 32 << 20;
