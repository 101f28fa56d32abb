//! What the events of one session in one log or segment come to, so that it can
//! be added to what those of the same session elsewhere come to.

use std::cmp::Ordering;
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
    /// order in which they were first met. The lowest bit of a digest says that the
    /// message was copied from another session's history.
    pub(crate) messages: Vec<(u64, Tokens)>,
    /// Tool calls by their digests, whose lowest bits say what was met of them, in
    /// the same order.
    pub(crate) calls: Vec<u64>,
    /// Where calls stand of which no result was met, by their digests.
    pub(crate) open: Vec<OpenCall>,
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
    /// The last step of what happened, the program's own notes left out.
    pub(crate) step: Option<SessionStep>,
    /// Where the model last went on to something else than further calls.
    pub(crate) went_on: Option<EdgeEvent>,
    /// The first step, where it is a call, and whether the last one stored is: whether the
    /// model went on is told across parts by the two.
    pub(crate) opens_with_call: Option<EdgeEvent>,
    pub(crate) ends_with_call: bool,
    /// The newest call that something waits for.
    pub(crate) waiting: Option<OpenCall>,
    pub(crate) title: Option<SessionTitle>,
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EdgeEvent {
    pub(crate) time_ns: i64,
    pub(crate) seq: u64,
}

/// A call without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenCall {
    pub(crate) digest: u64,
    pub(crate) at: EdgeEvent,
    /// Whether it waits for the user.
    pub(crate) for_user: bool,
}

/// A step of what happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SessionStep {
    pub(crate) at: EdgeEvent,
    pub(crate) outcome: StepOutcome,
    /// Whether its time is made up: it is in order, and says nothing of how long ago.
    pub(crate) time_made_up: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepOutcome {
    Fine,
    Failed,
    /// Someone stopped it, or refused it.
    Interrupted,
}

/// What a session is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SessionTitle {
    /// Who gave it, the greater wins: first words of the user, then a title made up, a
    /// summary, the user.
    pub(crate) rank: u8,
    /// Of equal ranks the newest wins; of first words the earliest.
    pub(crate) at: EdgeEvent,
    pub(crate) text: String,
}

impl SessionTitle {
    fn beats(&self, other: &Self) -> bool {
        match self.rank.cmp(&other.rank) {
            Ordering::Equal if self.rank == FIRST_WORDS => self.at < other.at,
            Ordering::Equal => self.at >= other.at,
            order => order.is_gt(),
        }
    }

    /// Puts this in place of one that it beats.
    pub(crate) fn offer_to(self, place: &mut Option<Self>) {
        if place.as_ref().is_none_or(|known| self.beats(known)) {
            *place = Some(self);
        }
    }
}

/// The rank of a title that is the first words of the user.
pub(crate) const FIRST_WORDS: u8 = 0;

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
        let mut union = Union::of(std::mem::take(&mut self.messages));
        later.messages.into_iter().for_each(|(digest, tokens)| union.add(digest, tokens));
        self.messages = union.messages;
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
        let answered: HashSet<u64, RandomState> =
            self.calls.iter().filter(|call| *call & ANSWERED > 0).map(|call| call & !MET).collect();
        self.open.extend(later.open);
        self.open.retain(|call| !answered.contains(&call.digest));
        let known: HashSet<u64, RandomState> = self.agents.iter().copied().collect();
        self.agents.extend(later.agents.into_iter().filter(|agent| !known.contains(agent)));
        self.sum_up();
    }

    /// What is kept of it once its segment is dropped, and nothing newer has to do with
    /// the session: of the messages the last [`CARRIED`], as many agents and open calls,
    /// and the sums of all others.
    pub(crate) fn carried_over(mut self) -> Self {
        let settled = self.messages.len().saturating_sub(CARRIED);
        for (digest, tokens) in self.messages.drain(..settled) {
            if digest & COPIED == 0 {
                self.head.settled = self.head.settled.plus(tokens);
            }
        }
        self.carried_over_live()
    }

    /// The same where something newer has to do with the session: all messages are kept,
    /// 8 bytes of digest and four counts each, since any of them may be met again.
    pub(crate) fn carried_over_live(mut self) -> Self {
        self.calls.retain(|call| call & MET != MET);
        let settled = self.calls.len().saturating_sub(CARRIED);
        let gone: HashSet<u64, RandomState> =
            self.calls.drain(..settled).map(|call| call & !MET).collect();
        let open = self.open.iter().filter(|call| gone.contains(&call.digest)).count();
        self.head.settled_calls += open as u64;
        self.open.retain(|call| !gone.contains(&call.digest));
        let settled = self.agents.len().saturating_sub(CARRIED);
        self.head.settled_agents += self.agents.drain(..settled).count() as u64;
        self.sum_up();
        self
    }

    fn sum_up(&mut self) {
        let own = self.messages.iter().filter(|(digest, _)| digest & COPIED == 0);
        self.head.tokens =
            own.fold(self.head.settled, |sum, &(_, tokens)| Tokens::plus(sum, tokens));
        self.head.open_calls = self.head.settled_calls + self.open.len() as u64;
        // A call behind which the model went on is given up: nobody waits for it.
        let waits = |call: &&OpenCall| self.head.went_on.is_none_or(|went_on| call.at >= went_on);
        let newest = self.open.iter().filter(waits).max_by_key(|call| call.at);
        self.head.waiting = newest.copied();
        self.head.agents = self.head.settled_agents + self.agents.len() as u64;
    }
}

impl TallyHead {
    fn add(&mut self, later: Self) {
        self.parent_len = self.parent_len.max(later.parent_len);
        self.rows = self.rows.wrapping_add(later.rows);
        self.errors = self.errors.wrapping_add(later.errors);
        self.touched = self.touched.max(later.touched);
        self.first = match (self.first, later.first) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        if later.last.is_some() && later.last >= self.last {
            (self.last, self.last_is_error) = (later.last, later.last_is_error);
        }
        self.went_on = self.went_on.max(later.went_on);
        if self.step.is_none() {
            self.opens_with_call = later.opens_with_call;
        } else if !self.ends_with_call {
            self.went_on = self.went_on.max(later.opens_with_call);
        }
        if later.step.is_some() {
            self.ends_with_call = later.ends_with_call;
        }
        if later.step.is_some_and(|step| self.step.is_none_or(|known| known.at <= step.at)) {
            self.step = later.step;
        }
        if let Some(title) = later.title {
            title.offer_to(&mut self.title);
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

/// Messages, each counted once.
#[derive(Debug, Default)]
pub(crate) struct Union {
    pub(crate) messages: Vec<(u64, Tokens)>,
    /// Where each is, by its digest without [`COPIED`].
    places: HashMap<u64, usize, RandomState>,
}

impl Union {
    pub(crate) fn of(messages: Vec<(u64, Tokens)>) -> Self {
        let places = (0..).zip(&messages).map(|(at, (digest, _))| (digest & !COPIED, at));
        Self { places: places.collect(), messages }
    }

    /// Adds a message; of one that is known the maximum of each field stands. It is
    /// a copy as long as only copies were met.
    pub(crate) fn add(&mut self, digest: u64, tokens: Tokens) {
        match self.places.entry(digest & !COPIED) {
            Entry::Occupied(at) => {
                let (known, standing) = &mut self.messages[*at.get()];
                *known &= digest | !COPIED;
                *standing = standing.max_of_each(tokens);
            }
            Entry::Vacant(new) => {
                new.insert(self.messages.len());
                self.messages.push((digest, tokens));
            }
        }
    }

    /// Adds all of another, which may be the larger.
    pub(crate) fn join(&mut self, mut other: Self) {
        if other.messages.len() > self.messages.len() {
            std::mem::swap(self, &mut other);
        }
        other.messages.into_iter().for_each(|(digest, tokens)| self.add(digest, tokens));
    }

    /// What all of them took.
    pub(crate) fn sum(&self) -> Tokens {
        self.messages.iter().fold(Tokens::default(), |sum, &(_, tokens)| sum.plus(tokens))
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

/// In the digest of a message: it was copied from another session's history.
pub(crate) const COPIED: u64 = 1;

/// Messages of sessions that ended, open calls and agents that are kept one by one when a
/// segment is dropped: what goes on about them later counts with them.
const CARRIED: usize = 256;
/// Most sessions that a session is known to come from by its events, and that are
/// known to come from it.
pub(crate) const MAX_ORIGINS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(head: TallyHead, messages: Vec<(u64, Tokens)>, calls: Vec<u64>) -> Tally {
        let open = calls.iter().filter(|call| *call & MET == CALLED);
        let at = EdgeEvent { time_ns: 0, seq: 0 };
        let open = open.map(|call| OpenCall { digest: call & !MET, at, for_user: false });
        Tally { head, messages, open: open.collect(), calls, ..Tally::default() }.summed_up()
    }

    fn message(number: u64, output: u64) -> (u64, Tokens) {
        (number << 1, Tokens { output, ..Tokens::default() })
    }

    #[test]
    fn a_copy_counts_where_it_was_first_and_once_in_all() {
        let copied = |number, output| (message(number, output).0 | COPIED, message(0, output).1);
        let head = TallyHead::default();
        let fork = tally(head.clone(), vec![copied(1, 5), message(2, 7)], vec![]);
        assert_eq!(fork.head.tokens.output, 7);
        let mut union = Union::of(fork.messages);
        assert_eq!(union.sum().output, 12, "the other is not there");
        union.join(Union::of(vec![message(1, 5), message(3, 1)]));
        assert_eq!(union.sum().output, 13);
        let mut known_as_own = tally(head.clone(), vec![copied(1, 5)], vec![]);
        known_as_own.add(tally(head, vec![message(1, 9)], vec![]));
        assert_eq!(known_as_own.head.tokens.output, 9);
    }

    #[test]
    fn a_call_that_the_model_went_on_behind_is_given_up() {
        let at = |time_ns| EdgeEvent { time_ns, seq: 0 };
        let mut found = Tally {
            calls: vec![4 | CALLED, 8 | CALLED],
            open: vec![
                OpenCall { digest: 4, at: at(1), for_user: false },
                OpenCall { digest: 8, at: at(5), for_user: true },
            ],
            ..Tally::default()
        };
        found.head.went_on = Some(at(3));
        let found = found.summed_up();
        let waiting = found.head.waiting.expect("the other waits");
        assert_eq!((waiting.digest, waiting.for_user, found.head.open_calls), (8, true, 2));
    }

    #[test]
    fn what_is_live_is_carried_message_by_message() {
        let messages: Vec<_> = (0..1000).map(|n| message(n, 1)).collect();
        let whole = tally(TallyHead::default(), messages, vec![]);
        let mut carried = whole.clone().carried_over_live();
        carried.add(whole);
        assert_eq!(carried.head.tokens.output, 1000);
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
