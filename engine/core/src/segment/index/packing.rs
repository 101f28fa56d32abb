//! Bit-packed rows, and links in full.

use crate::base::codec::{Input, from_zigzag, put_id, put_number, put_signed, zigzag};
use crate::base::error::{Error, Result};
use crate::base::link::{Link, LinkKind, link_kind, link_number};

/// The most rows that are packed together.
pub(super) const MAX_PACKED: usize = 128;

/// Appends rows: the first as its distance from `base`, the others as distances between
/// neighbours. These are bit-packed at the width that takes least in all, with exceptions for
/// the higher bits of some (patched frame of reference).
pub(super) fn put_rows(out: &mut Vec<u8>, base: u32, rows: &[u32]) {
    debug_assert!(rows.len() <= MAX_PACKED);
    let Some(&first) = rows.first() else { return };
    put_number(out, zigzag(i64::from(first) - i64::from(base)));
    if rows.len() == 1 {
        return;
    }
    let ascending = rows.windows(2).all(|pair| pair[0] < pair[1]);
    let distance = |pair: &[u32]| {
        if ascending {
            u64::from(pair[1] - pair[0] - 1)
        } else {
            zigzag(i64::from(pair[1]) - i64::from(pair[0]))
        }
    };
    let (width, above) = width(rows.windows(2).map(distance));
    let flags = if ascending { 0 } else { MIXED } | if above > 0 { ABOVE } else { 0 };
    out.push(width as u8 | flags);
    let (mut bits, mut filled) = (0u128, 0);
    for pair in rows.windows(2) {
        bits |= u128::from(distance(pair) & low_bits(width)) << filled;
        filled += width;
        while filled >= 8 {
            out.push(bits as u8);
            bits >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(bits as u8);
    }
    if above > 0 {
        out.push(above as u8);
        for (at, pair) in rows.windows(2).enumerate() {
            let above = distance(pair) >> width;
            if above > 0 {
                out.push(at as u8);
                put_number(out, above);
            }
        }
    }
}

/// The width at which the numbers take least, and the number of exceptions.
fn width(numbers: impl Iterator<Item = u64>) -> (u32, usize) {
    let mut of_length = [0_usize; MAX_WIDTH + 1];
    let mut count = 0;
    for number in numbers {
        of_length[(u64::BITS - number.leading_zeros()) as usize] += 1;
        count += 1;
    }
    let bytes = |width: usize| {
        let above = (width + 1..=MAX_WIDTH)
            .map(|length| of_length[length] * (1 + (length - width).div_ceil(7)))
            .sum::<usize>();
        (count * width).div_ceil(8) + above
    };
    // Of equals the widest, which has the fewest exceptions.
    let width = (0..=MAX_WIDTH).rev().min_by_key(|&width| bytes(width)).unwrap_or(0);
    (width as u32, of_length[width + 1..].iter().sum())
}

/// A mask of this many low bits.
fn low_bits(width: u32) -> u64 {
    (1 << width) - 1
}

/// Appends a link in full.
pub(super) fn put_link(out: &mut Vec<u8>, link: &Link) {
    out.extend_from_slice(&[link_number(link.kind), link.strength]);
    put_signed(out, link.order);
    put_id(out, &link.child);
    put_id(out, &link.parent);
}

impl Input<'_> {
    /// Rows that were packed, each checked to be below `end`.
    pub(super) fn rows(&mut self, base: u32, count: usize, end: u32) -> Result<Vec<u32>> {
        if count > MAX_PACKED {
            return Err(Error::damaged(format!(
                "expected at most {MAX_PACKED} rows packed together, found {count}"
            )));
        }
        let mut rows = Vec::with_capacity(count);
        if count == 0 {
            return Ok(rows);
        }
        let mut row = i64::from(base).wrapping_add(from_zigzag(self.number()?));
        rows.push(check_row(row, end)?);
        if count == 1 {
            return Ok(rows);
        }
        let head = self.byte()?;
        let (mixed, width) = (head & MIXED != 0, usize::from(head & !(MIXED | ABOVE)));
        if width > MAX_WIDTH {
            return Err(Error::damaged(format!(
                "expected numbers of at most {MAX_WIDTH} bits, found {width}"
            )));
        }
        let packed = self.bytes(((count - 1) * width).div_ceil(8))?;
        let mut above = if head & ABOVE == 0 { 0 } else { self.byte()? };
        let mut next = self.above(&mut above, width)?;
        for at in 0..count - 1 {
            let mut number = bits_at(packed, at * width, width);
            if let Some((_, bits)) = next.filter(|&(place, _)| place == at) {
                number |= bits;
                next = self.above(&mut above, width)?;
            }
            let step =
                if mixed { from_zigzag(number) } else { number.cast_signed().wrapping_add(1) };
            row = row.wrapping_add(step);
            rows.push(check_row(row, end)?);
        }
        if next.is_some() {
            return Err(Error::damaged("expected bits of one distance after the other"));
        }
        Ok(rows)
    }

    /// The next exception: the index of the distance and its bits above the width. `left` is
    /// the number of exceptions to come.
    fn above(&mut self, left: &mut u8, width: usize) -> Result<Option<(usize, u64)>> {
        let Some(rest) = left.checked_sub(1) else { return Ok(None) };
        *left = rest;
        let at = usize::from(self.byte()?);
        Ok(Some((at, u64::from(self.number_up_to(u64::MAX >> MAX_WIDTH)?) << width)))
    }

    pub(super) fn link(&mut self) -> Result<Link> {
        let kind: LinkKind = link_kind(self.byte()?)?;
        let strength = self.byte()?;
        let order = self.signed()?;
        Ok(Link { child: self.id()?, parent: self.id()?, kind, strength, order })
    }
}

/// The number of `width` bits at a bit offset. Bits past the end are 0.
fn bits_at(packed: &[u8], bit: usize, width: usize) -> u64 {
    let mut eight = [0; 8];
    let rest = packed.get(bit / 8..).unwrap_or_default();
    let length = rest.len().min(8);
    eight[..length].copy_from_slice(&rest[..length]);
    // At most 33 bits and the 7 before them: they fit the eight bytes.
    (u64::from_le_bytes(eight) >> (bit % 8)) & low_bits(width as u32)
}

/// Checks that a row is below `end`.
pub(super) fn check_row(row: i64, end: u32) -> Result<u32> {
    match u32::try_from(row) {
        Ok(row) if row < end => Ok(row),
        _ => Err(Error::damaged(format!("expected a row below {end}, found {row}"))),
    }
}

/// Set beside the width where rows do not ascend.
const MIXED: u8 = 0x80;
/// Set beside the width where there are exceptions.
const ABOVE: u8 = 0x40;
/// The bits of a distance between two rows, its sign included.
const MAX_WIDTH: usize = 33;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_read_as_they_were_packed() {
        let lists: [&[u32]; 8] = [
            &[7],
            &[0, 1, 2, 3, 4],
            &[5, 900, 901, 70_000],
            &[9, 3, 4, u32::MAX - 2, 0],
            &[u32::MAX - 1],
            &[0, u32::MAX - 1, 0],
            &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 80_000, 80_001, 80_003],
            &[5, 4, 3, 9_999, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, u32::MAX - 1, 1],
        ];
        for rows in lists {
            for base in [0, 1000, u32::MAX] {
                let mut bytes = Vec::new();
                put_rows(&mut bytes, base, rows);
                let mut input = Input(&bytes);
                assert_eq!(input.rows(base, rows.len(), u32::MAX).expect("reads"), rows);
                assert!(input.is_empty());
                for length in 0..bytes.len() {
                    assert!(Input(&bytes[..length]).rows(base, rows.len(), u32::MAX).is_err());
                }
                let max = rows.iter().max().expect("not empty");
                assert!(Input(&bytes).rows(base, rows.len(), *max).is_err(), "a row too many");
            }
        }
    }

    #[test]
    fn a_few_rows_far_off_cost_the_others_nothing() {
        let near: Vec<u32> = (0..100).map(|row| row * 3).collect();
        let mut far = near.clone();
        far[50] = 100_000;
        let [near, far] = [near, far].map(|rows| {
            let mut bytes = Vec::new();
            put_rows(&mut bytes, 0, &rows);
            bytes.len()
        });
        assert!(far < near + 24, "{near} and {far} bytes");
    }

    #[test]
    fn links_read_as_they_were_written_and_cut_ones_do_not() {
        let uuid = "0191e7a4-5b3c-7d2e-8f10-a1b2c3d4e5f6";
        let link = Link::new(uuid, "x".repeat(255), LinkKind::Spawned).strength(3).order(-5);
        let mut bytes = Vec::new();
        put_link(&mut bytes, &link);
        assert_eq!(Input(&bytes).link().expect("reads"), link);
        for length in 0..bytes.len() {
            assert!(Input(&bytes[..length]).link().is_err());
        }
    }
}
