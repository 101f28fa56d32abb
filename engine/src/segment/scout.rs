//! Fetching the spine entries of a chain before it is walked.
//!
//! Where the next entry lies stands in the one before, so that a walk waits for
//! memory at every hop. The jump pointers lead to places further up at once: from
//! several of them the chain is gone through side by side, and the processor waits
//! for all of them together.

use crate::segment::entries::followed;
use crate::segment::file::SegFile;

/// One of those that go ahead.
#[derive(Clone, Copy, Debug, Default)]
struct Scout {
    row: u32,
    /// How many links up its stretch begins, and how long that is from there.
    climb: u32,
    walk: u32,
}

/// Touches the entries of so many ancestors of a row, as far as they are in its
/// segment. What can't be read is left for the walk to tell of.
pub(super) fn fetch_chain(file: &SegFile, row: u32, edges: u32) {
    let stretch = edges.div_ceil(SCOUTS as u32);
    let mut scouts: [Scout; SCOUTS] =
        std::array::from_fn(|number| Scout { row, climb: number as u32 * stretch, walk: stretch });
    let mut out = SCOUTS;
    while out > 0 {
        for scout in scouts.iter_mut().filter(|scout| scout.walk > 0) {
            if !scout.step(file) {
                scout.walk = 0;
                out -= 1;
            }
        }
    }
}

impl Scout {
    /// Goes one step up; false once it is at its end.
    #[inline]
    fn step(&mut self, file: &SegFile) -> bool {
        let Ok(entry) = file.entry(self.row) else { return false };
        let length = jump_length(entry.depth);
        let next = if self.climb >= length && entry.jump != 0 {
            self.climb -= length;
            entry.jump
        } else {
            (self.climb, self.walk) = match self.climb {
                0 => (0, self.walk - 1),
                climb => (climb - 1, self.walk),
            };
            followed(&entry)
        };
        let row = next.checked_sub(file.footer().first_seq).filter(|_| next != 0);
        let Some(row) = row.filter(|_| self.walk > 0) else { return false };
        self.row = row as u32;
        file.prefetch_entry(self.row);
        true
    }
}

/// How far up an entry of this depth jumps: the least place value of the depth as a
/// skew-binary number, whose place values are 1, 3, 7, 15 and so on. Where a jump is
/// shorter, since what it would lead to had expired, the scout starts elsewhere.
fn jump_length(mut depth: u32) -> u32 {
    loop {
        let place = (depth.saturating_add(1)).ilog2();
        let value = (1_u32 << place) - 1;
        if value == 0 || depth == value {
            return value.max(1);
        }
        depth -= value;
    }
}

/// How many go ahead at a time: as many lines as a processor waits for at once.
const SCOUTS: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_are_as_long_as_the_rule_says() {
        // As the rule makes them: over two jumps of the same length, or to the parent.
        let mut jumps = vec![0_u32];
        for depth in 1..3000_u32 {
            let middle = jumps[depth as usize - 1];
            let far = jumps[middle as usize];
            let even = depth - 1 - middle == middle - far && middle < depth - 1;
            jumps.push(if even { far } else { depth - 1 });
        }
        for (depth, jump) in (1..3000_u32).zip(&jumps[1..]) {
            assert_eq!(jump_length(depth), depth - jump, "{depth}");
        }
    }
}
