//! Which lines of a rollout are another session's: a fork, and an agent that is given what
//! was said before, begin with a copy of the other rollout.
//!
//! The copy follows a second `session_meta`, the other session's. Its lines bear the time
//! of the fork, all of them written at once, or keep their own, which are earlier. So it
//! ends at the first line that is later than the fork and not written with the one before.

/// The state of one rollout.
#[derive(Debug, Default)]
pub(super) struct Copies {
    begun: bool,
    /// When the file's own session began.
    own_ns: i64,
    /// The session whose lines these are.
    of: Option<String>,
    /// When the last of them was written.
    last_ns: i64,
    /// The number of the first line that is not copied, where the file says it.
    first_own: Option<u64>,
    over: bool,
}

impl Copies {
    /// The session that a line is copied from; none if it is the file's own. `meta` is the
    /// session that the line is the first of, where it is a `session_meta`.
    pub(super) fn source(
        &mut self,
        meta: Option<&str>,
        first_own: Option<u64>,
        time_ns: Option<i64>,
        ordinal: Option<u64>,
    ) -> Option<&str> {
        if !self.begun {
            self.begun = true;
            (self.own_ns, self.first_own) = (time_ns.unwrap_or(i64::MIN), first_own);
            self.last_ns = self.own_ns;
            return None;
        }
        if self.over {
            return None;
        }
        if let Some(meta) = meta {
            self.of = Some(meta.to_owned());
            self.last_ns = self.last_ns.max(time_ns.unwrap_or(i64::MIN));
            return self.of.as_deref();
        }
        self.of.as_ref()?;
        self.over = match (self.first_own, ordinal, time_ns) {
            (Some(first_own), Some(ordinal), _) => ordinal >= first_own,
            (_, _, Some(time_ns)) if time_ns < self.own_ns => false,
            (_, _, Some(time_ns)) => time_ns.saturating_sub(self.last_ns) > BURST_NS,
            // A line without a time stands with the one before.
            (_, _, None) => false,
        };
        if self.over {
            return None;
        }
        self.last_ns = self.last_ns.max(time_ns.unwrap_or(i64::MIN));
        self.of.as_deref()
    }
}

/// Lines of a copy are written with no more than this between them; whoever goes on has
/// to type first.
const BURST_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// The seconds of lines behind the other session's first, and how many are copies.
    fn copied(times: &[i64]) -> usize {
        let mut copies = Copies::default();
        assert_eq!(copies.source(Some("b"), None, Some(100 * SECOND), None), None);
        assert_eq!(copies.source(Some("a"), None, Some(100 * SECOND), None), Some("a"));
        let is_copy =
            |time: &&i64| copies.source(None, None, Some(**time * SECOND), None).is_some();
        times.iter().filter(is_copy).count()
    }

    #[test]
    fn a_copy_ends_where_someone_goes_on() {
        assert_eq!(copied(&[100, 100, 160, 161, 161]), 2);
        assert_eq!(copied(&[100, 101, 102, 160, 161]), 3, "written over two seconds");
        assert_eq!(copied(&[10, 20, 90, 103, 104]), 3, "with the times they had");
        assert_eq!(copied(&[]), 0);
    }

    #[test]
    fn a_file_of_its_own_has_no_copies() {
        let mut copies = Copies::default();
        for time in [1, 1, 2, 2] {
            assert_eq!(copies.source(None, None, Some(time * SECOND), None), None);
        }
    }

    #[test]
    fn a_number_says_it_exactly() {
        let mut copies = Copies::default();
        copies.source(Some("b"), Some(4), Some(SECOND), Some(0));
        copies.source(Some("a"), None, Some(SECOND), Some(1));
        assert_eq!(copies.source(None, None, Some(9 * SECOND), Some(3)), Some("a"));
        assert_eq!(copies.source(None, None, Some(9 * SECOND), Some(4)), None);
        assert_eq!(copies.source(Some("c"), None, Some(9 * SECOND), Some(5)), None);
    }
}
