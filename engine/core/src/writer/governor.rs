//! The compression governor: adapts the zstd level to the seal backlog.

use std::time::Duration;

use crate::base::sync::Instant;

/// Compares how long logs take to fill with how long they take to be sealed.
#[derive(Debug)]
pub(super) struct CompressionGovernor {
    step: usize,
    /// When the log that is active now began.
    begun: Instant,
    /// How long sealing the log before took, once that is known.
    sealing: Option<Duration>,
}

impl CompressionGovernor {
    pub(super) fn new() -> Self {
        Self { step: USUAL, begun: Instant::now(), sealing: None }
    }

    /// Notes that a log is full while the one before is being sealed: appends wait.
    pub(super) fn fall_behind(&mut self) {
        self.step = self.step.saturating_sub(1);
        self.sealing = None;
    }

    /// Notes how long sealing took.
    pub(super) fn sealed_in(&mut self, took: Duration) {
        self.sealing = Some(took);
    }

    /// The level for a log that is full now. The next one begins.
    pub(super) fn next_level(&mut self) -> i32 {
        let filling = self.begun.elapsed();
        let idle = |took: Duration| took.saturating_mul(IDLE_FACTOR) < filling;
        if self.sealing.take().is_some_and(idle) {
            self.step = (self.step + 1).min(LEVELS.len() - 1);
        }
        self.begun = Instant::now();
        LEVELS[self.step]
    }
}

/// Levels of zstd, the fastest first; the second takes a third longer than the first,
/// and the third three times as long.
const LEVELS: [i32; 3] = [1, 3, 6];
/// Which of them comes first.
const USUAL: usize = 1;
/// The level at which a log is sealed where time plays no part.
pub(super) const USUAL_LEVEL: i32 = LEVELS[USUAL];
/// There is time for the next level where a log takes so many times as long to fill as
/// the one before took to be sealed: sealing then takes half of the time.
const IDLE_FACTOR: u32 = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::sync::sleep;

    #[test]
    fn sealing_compresses_less_while_behind_and_more_while_idle() {
        let mut governor = CompressionGovernor::new();
        assert_eq!(governor.next_level(), 3, "nothing is known yet");
        governor.fall_behind();
        // What the wait took says nothing about idleness.
        governor.sealed_in(Duration::from_secs(1));
        assert_eq!(governor.next_level(), 1);
        governor.fall_behind();
        assert_eq!(governor.next_level(), 1);
        for level in [3, 6, 6] {
            governor.sealed_in(Duration::ZERO);
            sleep(Duration::from_millis(1));
            assert_eq!(governor.next_level(), level);
        }
        governor.sealed_in(Duration::from_secs(1));
        assert_eq!(governor.next_level(), 6, "neither behind nor idle");
    }
}
