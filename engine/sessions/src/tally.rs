//! What the events of one session in one log or segment come to, so that it can
//! be added to what those of the same session elsewhere come to.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use forebear_core::Tokens;

/// The events of a session, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) head: TallyHead,
    /// Messages by their digests, each with the maximum of each field, in the
    /// order in which they were first met.
    pub(crate) messages: Vec<(u64, Tokens)>,
    /// Tool calls by their digests, whose lowest bits say what was met of them, in
    /// the same order.
    pub(crate) calls: Vec<u64>,
    /// The agents of a session by the digests of their names, in the same order.
    pub(crate) agents: Vec<u64>,
}

/// All that is known of a session which is in one source alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TallyHead {
    /// How many bytes of the session's name are its parent's; 0: it has none.
    pub(crate) parent_len: usize,
    /// Events and versions.
    pub(crate) rows: u64,
    pub(crate) errors: u64,
    /// The sequence number of the last row that has to do with the session, those
    /// of its agents among them.
    pub(crate) touched: u64,
    /// The events that come first and last in order of time.
    pub(crate) first: Option<EdgeEvent>,
    pub(crate) last: Option<EdgeEvent>,
    pub(crate) last_is_error: bool,
    /// What the last event stored says that says anything.
    pub(crate) model: Option<String>,
    pub(crate) project: Option<String>,
    pub(crate) source_app: Option<String>,
    pub(crate) wave: Option<String>,
    /// Sessions that it comes from, and those that come from it.
    pub(crate) origins: Vec<Origin>,
    pub(crate) offspring: Vec<Origin>,
    pub(crate) tokens: Tokens,
    /// Tool calls without a result.
    pub(crate) open_calls: u64,
    pub(crate) agents: u64,
    /// What is left of messages, calls and agents of segments that were dropped.
    pub(crate) settled: Tokens,
    pub(crate) settled_calls: u64,
    pub(crate) settled_agents: u64,
}

/// An event at the edge of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EdgeEvent {
    pub(crate) time_ns: i64,
    pub(crate) seq: u64,
}

/// Another session that a session comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) kind: OriginKind,
    pub(crate) session: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OriginKind {
    /// An event goes on from one of the other session, or is a version of one.
    Continues,
    /// A call in the other session started it.
    Spawned,
}

impl Tally {
    /// The same, its sums made anew.
    pub(crate) fn summed_up(mut self) -> Self {
        self.sum_up();
        self
    }

    /// Adds what the same session comes to further on. O(messages and calls).
    pub(crate) fn add(&mut self, later: Self) {
        self.head.add(later.head);
        let mut known: HashMap<u64, usize, RandomState> =
            (0..).zip(&self.messages).map(|(at, &(digest, _))| (digest, at)).collect();
        for (digest, tokens) in later.messages {
            match known.entry(digest) {
                Entry::Occupied(at) => {
                    let message = &mut self.messages[*at.get()].1;
                    *message = message.max_of_each(tokens);
                }
                Entry::Vacant(new) => {
                    new.insert(self.messages.len());
                    self.messages.push((digest, tokens));
                }
            }
        }
        let mut known: HashMap<u64, usize, RandomState> =
            (0..).zip(&self.calls).map(|(at, &call)| (call & !MET, at)).collect();
        for call in later.calls {
            match known.entry(call & !MET) {
                Entry::Occupied(at) => self.calls[*at.get()] |= call,
                Entry::Vacant(new) => {
                    new.insert(self.calls.len());
                    self.calls.push(call);
                }
            }
        }
        let known: HashSet<u64, RandomState> = self.agents.iter().copied().collect();
        self.agents.extend(later.agents.into_iter().filter(|agent| !known.contains(agent)));
        self.sum_up();
    }

    /// What is kept of it once its segment is dropped: of the messages the last
    /// [`CARRIED`], as many agents and open calls, and the sums of all others.
    pub(crate) fn carried_over(mut self) -> Self {
        let settled = self.messages.len().saturating_sub(CARRIED);
        for (_, tokens) in self.messages.drain(..settled) {
            self.head.settled = self.head.settled.plus(tokens);
        }
        self.calls.retain(|call| call & MET != MET);
        let settled = self.calls.len().saturating_sub(CARRIED);
        let open = self.calls.drain(..settled).filter(|call| call & MET == CALLED).count();
        self.head.settled_calls += open as u64;
        let settled = self.agents.len().saturating_sub(CARRIED);
        self.head.settled_agents += self.agents.drain(..settled).count() as u64;
        self.sum_up();
        self
    }

    fn sum_up(&mut self) {
        let messages = self.messages.iter().map(|&(_, tokens)| tokens);
        self.head.tokens = messages.fold(self.head.settled, Tokens::plus);
        let open = self.calls.iter().filter(|&call| call & MET == CALLED).count();
        self.head.open_calls = self.head.settled_calls + open as u64;
        self.head.agents = self.head.settled_agents + self.agents.len() as u64;
    }
}

impl TallyHead {
    fn add(&mut self, later: Self) {
        self.parent_len = self.parent_len.max(later.parent_len);
        self.rows += later.rows;
        self.errors += later.errors;
        self.touched = self.touched.max(later.touched);
        self.first = match (self.first, later.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if later.last.is_some() && later.last >= self.last {
            (self.last, self.last_is_error) = (later.last, later.last_is_error);
        }
        let texts = [
            (&mut self.model, later.model),
            (&mut self.project, later.project),
            (&mut self.source_app, later.source_app),
            (&mut self.wave, later.wave),
        ];
        for (own, text) in texts {
            if text.is_some() {
                *own = text;
            }
        }
        later.origins.into_iter().for_each(|origin| add_origin(&mut self.origins, origin));
        later.offspring.into_iter().for_each(|origin| add_origin(&mut self.offspring, origin));
        self.settled = self.settled.plus(later.settled);
        self.settled_calls += later.settled_calls;
        self.settled_agents += later.settled_agents;
    }
}

/// Adds how a session comes from another one, unless it is known or too much is.
pub(crate) fn add_origin(origins: &mut Vec<Origin>, origin: Origin) {
    if origins.len() < MAX_ORIGINS && !origins.contains(&origin) {
        origins.push(origin);
    }
}

/// What a text is known by among others of its domain.
pub(crate) fn digest(domain: &LazyLock<blake3::Hasher>, text: &str) -> u64 {
    let mut hasher = blake3::Hasher::clone(domain);
    let digest = hasher.update(text.as_bytes()).finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_le_bytes(bytes)
}

/// Ids of tool calls.
pub(crate) static CALL: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("forebear 2026 tool calls of sessions"));

/// Names of agents.
pub(crate) static AGENT: LazyLock<blake3::Hasher> =
    LazyLock::new(|| blake3::Hasher::new_derive_key("forebear 2026 agents of sessions"));

/// What was met of a call: the call, its result, or both.
pub(crate) const CALLED: u64 = 1;
pub(crate) const ANSWERED: u64 = 2;
pub(crate) const MET: u64 = CALLED | ANSWERED;

/// Messages, open calls and agents that are kept one by one when a segment is dropped:
/// what goes on about them later counts with them.
const CARRIED: usize = 256;
/// Most sessions that a session is known to come from by its events, and that are
/// known to come from it.
pub(crate) const MAX_ORIGINS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(head: TallyHead, messages: Vec<(u64, Tokens)>, calls: Vec<u64>) -> Tally {
        Tally { head, messages, calls, ..Tally::default() }.summed_up()
    }

    fn message(digest: u64, output: u64) -> (u64, Tokens) {
        (digest, Tokens { output, ..Tokens::default() })
    }

    #[test]
    fn a_message_in_several_parts_counts_once() {
        let head = TallyHead { rows: 1, ..TallyHead::default() };
        let mut found = tally(head.clone(), vec![message(1, 5), message(2, 7)], vec![4 | 1]);
        assert_eq!((found.head.tokens.output, found.head.open_calls), (12, 1));
        found.add(tally(head, vec![message(2, 9), message(3, 1)], vec![4 | 2]));
        assert_eq!((found.head.tokens.output, found.head.open_calls), (15, 0));
        assert_eq!(found.head.rows, 2);
    }

    #[test]
    fn what_is_carried_keeps_its_sums_and_its_end() {
        let messages = (0..1000).map(|n| message(n, 1)).collect();
        let calls = (0..1000).map(|n| (n << 2) | if n % 3 == 0 { MET } else { CALLED }).collect();
        let whole = tally(TallyHead::default(), messages, calls);
        let mut carried = whole.clone().carried_over();
        assert_eq!(carried.head.tokens, whole.head.tokens);
        assert_eq!(carried.head.open_calls, whole.head.open_calls);
        assert_eq!((carried.messages.len(), carried.calls.len()), (CARRIED, CARRIED));
        carried.add(tally(TallyHead::default(), vec![message(999, 4)], vec![(998 << 2) | 2]));
        assert_eq!(carried.head.tokens.output, 1003);
        assert_eq!(carried.head.open_calls, whole.head.open_calls - 1);
    }
}
