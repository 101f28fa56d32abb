//! Numbers and texts packed small, and read back with every length checked: what values of
//! [kinds of state](crate::state::StateKind) can be made of.
//!
//! ```
//! use forebear::codec::{Input, put_number, put_text};
//!
//! let mut bytes = Vec::new();
//! put_number(&mut bytes, 300);
//! put_text(&mut bytes, Some("a name"));
//! let mut input = Input::new(&bytes);
//! assert_eq!((input.number()?, input.text()?), (300, Some("a name")));
//! assert!(input.is_empty() && input.byte().is_err());
//! # Ok::<(), forebear::Error>(())
//! ```

use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits;

/// Appends a LEB128 number: 7 bits a byte, the lowest first.
pub fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number, zigzag-encoded: short for numbers near 0.
pub fn put_signed(out: &mut Vec<u8>, number: i64) {
    put_number(out, zigzag(number));
}

/// Appends an optional text: 0, or its length plus one and the text.
pub fn put_text(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else { return out.push(0) };
    put_number(out, text.len() as u64 + 1);
    out.extend_from_slice(text.as_bytes());
}

/// Appends an id: 0 and a UUID, or a length and a text.
pub(crate) fn put_id(out: &mut Vec<u8>, id: &EventId) {
    if let Some(uuid) = id.as_uuid() {
        out.push(0);
        out.extend_from_slice(uuid.as_bytes());
        return;
    }
    // A text has at least one byte, so that 0 can stand for a UUID.
    let text = id.as_text().unwrap_or_default();
    put_number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Decodes bytes front to back. Each method fails where the bytes end or don't fit.
#[derive(Debug)]
pub struct Input<'a>(pub(crate) &'a [u8]);

impl<'a> Input<'a> {
    /// Reads these bytes from their beginning on.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether all was read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes(1)?[0])
    }

    /// So many bytes. Fails with [`Error::is_damaged`] where there are fewer, as every
    /// other call does where what it reads is not there.
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or_else(|| {
            Error::damaged(format!("expected {length} more bytes, found {}", self.0.len()))
        })?;
        self.0 = rest;
        Ok(bytes)
    }

    /// The next bytes as an array.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.bytes(N)?);
        Ok(array)
    }

    /// What [`put_number`] wrote.
    pub fn number(&mut self) -> Result<u64> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(Error::damaged("expected a number of at most 10 bytes, found a longer one"))
    }

    /// What [`put_signed`] wrote.
    pub fn signed(&mut self) -> Result<i64> {
        self.number().map(from_zigzag)
    }

    /// An optional text, as [`put_text`] encodes it.
    pub fn text(&mut self) -> Result<Option<&'a str>> {
        let Some(length) = self.number()?.checked_sub(1) else { return Ok(None) };
        let text = std::str::from_utf8(self.bytes(usize::try_from(length).unwrap_or(usize::MAX))?);
        text.map(Some).map_err(|_| Error::damaged("expected a text, found other bytes"))
    }

    /// A number that is at most `max`.
    pub fn number_up_to(&mut self, max: u64) -> Result<u32> {
        let number = self.number()?;
        let max = max.min(u64::from(u32::MAX));
        if number > max {
            return Err(Error::damaged(format!("expected at most {max}, found {number}")));
        }
        Ok(number as u32)
    }

    pub(crate) fn id(&mut self) -> Result<EventId> {
        match self.number_up_to(limits::MAX_ID_BYTES as u64)? {
            0 => Ok(EventId::from_uuid_bytes(self.array()?)),
            length => std::str::from_utf8(self.bytes(length as usize)?)
                .map(|text| EventId::from_text(text.into()))
                .map_err(|_| Error::damaged("expected an id's text, found other bytes")),
        }
    }
}

/// Maps signed numbers to unsigned ones, those near 0 to small ones.
pub(crate) fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)).cast_unsigned()
}

pub(crate) fn from_zigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}
