//! Pages and the cursors that lead from one to the next.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// Some items of a listing, and where the next ones begin.
#[derive(Clone, Debug)]
pub struct Page<T> {
    /// The items, at most as many as asked for.
    pub items: Vec<T>,
    /// Where to go on, if there may be more.
    pub next: Option<Cursor>,
}

/// Where a listing goes on. Opaque: give it back to the call it came from, with
/// the same arguments. As text it survives a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cursor {
    /// The time of the last item, where the listing goes by time.
    pub(crate) time_ns: i64,
    /// The sequence number, or the position, of the last item.
    pub(crate) at: u64,
}

impl Cursor {
    pub(crate) fn at(at: u64) -> Self {
        Self { time_ns: 0, at }
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
            Error::invalid(format!(
                "expected a cursor that an earlier page gave, found {text:?}"
            ))
        })
    }
}
