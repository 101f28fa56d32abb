//! What became of each failure of a story.

use std::collections::HashMap;
use std::fmt;

use foldhash::fast::RandomState;
use forebear_readings::CallFamily;

use crate::calls::{CallAt, CallEnd, ResultAt};
use crate::story::{Part, Step, Story};

/// What became of a failure, a refusal or an interruption: the first that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// A later call of the same sort of tool on the same target gave a good result, by the
    /// same agent or one that could know of it. A failure of the model's service is repaired
    /// by its next answer.
    Repaired,
    /// The user refused or stopped it, or stopped what came after it, before the model said
    /// anything.
    Interrupted,
    /// Nothing followed but other failures, or the last turn was cut off in a call.
    Open,
    /// The turn ended with words of the model. That is no repair: one that gives up says so
    /// in words, too.
    Answered,
    /// The turn went on and ended without words.
    Passed,
}

impl Outcome {
    /// Its name: `repaired`, `interrupted`, `open`, `answered`, `passed`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repaired => "repaired",
            Self::Interrupted => "interrupted",
            Self::Open => "open",
            Self::Answered => "answered",
            Self::Passed => "passed",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A failure, a refusal or an interruption, and what became of it.
#[derive(Debug)]
pub(crate) struct Incident {
    /// The result, the failure or the stop, by its place in the story.
    pub(crate) result: u32,
    pub(crate) part: u32,
    pub(crate) minor: bool,
    pub(crate) outcome: Outcome,
    /// The part that decides it.
    pub(crate) decided: u32,
    /// The call that repaired it.
    pub(crate) repair: Option<u32>,
    /// How often the same was tried before it was repaired, or else at all.
    pub(crate) retries: u64,
    /// Whether it stands in the last turn of the session.
    pub(crate) in_last_turn: bool,
}

/// What became of each failure of the story, in order.
pub(crate) fn outcomes(story: &Story) -> Vec<Incident> {
    let judge = Judge::new(story);
    let mut found: Vec<Incident> = Vec::new();
    let last_turn = story.last_turn(0);
    for (at, part) in story.parts.iter().enumerate() {
        let (Step::Result(result) | Step::Failed(result) | Step::Stopped(result)) = part.step
        else {
            continue;
        };
        let end = story.results[result as usize].end;
        if matches!(end, CallEnd::Good | CallEnd::Unsure) {
            continue;
        }
        let mut mishap = judge.judge(at as u32, part, result);
        mishap.in_last_turn = story.root_turn(part) == last_turn;
        // A burst of failures of the model's service is one, which is its last.
        let burst =
            found.iter().rposition(|before| story.parts[before.part as usize].agent == part.agent);
        if let Some(before) = burst.filter(|before| judge.is_burst(&found[*before], part)) {
            mishap.retries = found[before].retries + 1;
            found.remove(before);
        }
        found.push(mishap);
    }
    found
}

/// The failure that mattered: the newest of the last turn, or one that is open, which is
/// neither repaired nor minor.
pub(crate) fn the_failure(found: &[Incident]) -> Option<usize> {
    found.iter().rposition(|mishap| {
        !mishap.minor
            && mishap.outcome != Outcome::Repaired
            && (mishap.in_last_turn || mishap.outcome == Outcome::Open)
    })
}

struct Judge<'s> {
    story: &'s Story,
    /// Calls by what they have in common, in order.
    alike: HashMap<(CallFamily, &'s str, &'s str), Vec<u32>, RandomState>,
    /// Of each agent the place of its last part that is no failure, nor a call of one.
    last_good: Vec<Option<u32>>,
    /// What comes behind each part in its turn.
    rest: Vec<RestOfTurn>,
}

/// What comes behind a part, up to the next request.
#[derive(Clone, Copy, Debug)]
struct RestOfTurn {
    /// The last part, itself where there is none.
    last: u32,
    /// The first that was stopped before the model said anything.
    stopped: Option<u32>,
}

impl<'s> Judge<'s> {
    fn new(story: &'s Story) -> Self {
        let mut alike: HashMap<_, Vec<u32>, _> = HashMap::default();
        for (at, call) in story.calls.iter().enumerate() {
            for target in &call.targets {
                alike.entry(sort_of(call, target)).or_default().push(at as u32);
            }
        }
        let mut last_good = vec![None; story.agents.len()];
        for part in &story.parts {
            if !is_failing(story, part.step) {
                last_good[part.agent as usize] = Some(part.place);
            }
        }
        Self { story, alike, last_good, rest: rest_of_turns(story) }
    }

    fn judge(&self, at: u32, part: &Part, result: u32) -> Incident {
        let story = self.story;
        let said = &story.results[result as usize];
        let mut mishap = Incident {
            result,
            part: at,
            minor: self.is_minor(part, said),
            outcome: Outcome::Passed,
            decided: at,
            repair: None,
            retries: 0,
            in_last_turn: false,
        };
        let repaired = match said.call {
            Some(call) => self.repair(call, &mut mishap),
            None if matches!(part.step, Step::Failed(_)) => self.next_answer(part),
            None => None,
        };
        if let Some(by) = repaired {
            (mishap.outcome, mishap.decided) = (Outcome::Repaired, by);
            return mishap;
        }
        (mishap.outcome, mishap.decided) = self.unrepaired(at, part, said);
        mishap
    }

    /// The result of the call that repaired what this call failed at.
    fn repair(&self, failed: u32, mishap: &mut Incident) -> Option<u32> {
        let story = self.story;
        let call = &story.calls[failed as usize];
        let sorts = call.targets.iter().filter_map(|target| self.alike.get(&sort_of(call, target)));
        let mut later: Vec<u32> = sorts
            .flat_map(|calls| {
                calls[calls.partition_point(|at| *at <= failed)..].iter().take(LATER_MAX)
            })
            .copied()
            .filter(|later| self.may_repair(failed, *later))
            .collect();
        later.sort_unstable();
        later.dedup();
        for at in later {
            let again = &story.calls[at as usize];
            let result = again.result.map(|result| &story.results[result as usize]);
            match result {
                Some(result) if result.end == CallEnd::Good => {
                    mishap.repair = Some(at);
                    return Some(result.part);
                }
                Some(_) => mishap.retries += 1,
                None => {}
            }
        }
        None
    }

    /// Whether a later call is one by the same agent, by one that it reports to, or by one
    /// that was spawned since.
    fn may_repair(&self, failed: u32, later: u32) -> bool {
        let story = self.story;
        let part_of = |call: u32| &story.parts[story.calls[call as usize].part as usize];
        let (failed, later) = (part_of(failed), part_of(later));
        later.agent == failed.agent
            || story.is_within(failed.agent, later.agent)
            || story.agents[later.agent as usize]
                .spawned
                .is_some_and(|(_, event)| event > failed.event)
    }

    /// The model's next answer.
    fn next_answer(&self, part: &Part) -> Option<u32> {
        let rest = &self.story.of_agent(part)[part.place as usize + 1..];
        rest.iter().copied().find(|part| {
            let step = self.story.parts[*part as usize].step;
            matches!(step, Step::Text | Step::Thinking | Step::Call(_))
        })
    }

    fn unrepaired(&self, at: u32, part: &Part, said: &ResultAt) -> (Outcome, u32) {
        let story = self.story;
        if said.end == CallEnd::Interrupted {
            return (Outcome::Interrupted, at);
        }
        let rest = &story.of_agent(part)[part.place as usize + 1..];
        let RestOfTurn { last, stopped } = self.rest[at as usize];
        if let Some(stopped) = stopped {
            return (Outcome::Interrupted, stopped);
        }
        let last_of_all = rest.last().copied().unwrap_or(at);
        if self.last_good[part.agent as usize].is_none_or(|good| good <= part.place) {
            return (Outcome::Open, last_of_all);
        }
        let cut_off = part.turn == story.last_turn(part.agent)
            && match story.parts[last_of_all as usize].step {
                Step::Call(call) => story.calls[call as usize].result.is_none(),
                _ => false,
            };
        if cut_off {
            return (Outcome::Open, last_of_all);
        }
        match story.parts[last as usize].step {
            Step::Text => (Outcome::Answered, last),
            _ => (Outcome::Passed, last),
        }
    }

    /// Whether it never is *the* failure: what is minor by itself, and what was refused or
    /// stopped along with something before it.
    fn is_minor(&self, part: &Part, said: &ResultAt) -> bool {
        match said.end {
            CallEnd::Failed { minor } => minor,
            CallEnd::Interrupted => self.is_along(part, said),
            CallEnd::Good | CallEnd::Unsure => false,
        }
    }

    fn is_along(&self, part: &Part, said: &ResultAt) -> bool {
        let story = self.story;
        let batch = said.call.map(|call| story.calls[call as usize].batch);
        let before = story.of_agent(part)[..part.place as usize].iter().rev();
        for before in before {
            let before = story.parts[*before as usize].step;
            let result = match before {
                Step::Result(result) | Step::Stopped(result) => &story.results[result as usize],
                Step::Thinking | Step::Failed(_) => continue,
                // A call that was made in the same batch, or its words.
                Step::Call(call) if Some(story.calls[call as usize].batch) == batch => continue,
                _ => return false,
            };
            if result.end == CallEnd::Interrupted {
                let of = result.call.map(|call| story.calls[call as usize].batch);
                // A stop right behind a refusal tells of it again.
                return batch.is_none() || of == batch;
            }
            if batch.is_none() {
                return false;
            }
        }
        false
    }

    fn is_burst(&self, before: &Incident, part: &Part) -> bool {
        let story = self.story;
        let first = &story.parts[before.part as usize];
        let of_service = |step: Step| matches!(step, Step::Failed(_));
        of_service(first.step)
            && of_service(part.step)
            && story.of_agent(part)[first.place as usize..part.place as usize]
                .iter()
                .all(|part| of_service(story.parts[*part as usize].step))
    }
}

/// What comes behind each part in its turn, from the last to the first.
fn rest_of_turns(story: &Story) -> Vec<RestOfTurn> {
    let alone = (0..story.parts.len() as u32).map(|at| RestOfTurn { last: at, stopped: None });
    let mut rest: Vec<RestOfTurn> = alone.collect();
    for agent in &story.agents {
        for pair in agent.parts.windows(2).rev() {
            let [at, next] = [pair[0] as usize, pair[1] as usize];
            let (part, behind) = (&story.parts[at], &story.parts[next]);
            if behind.turn != part.turn || behind.step == Step::Request {
                continue;
            }
            rest[at] = match behind.step {
                Step::Text => RestOfTurn { stopped: None, ..rest[next] },
                step if is_stopped(story, step) => {
                    RestOfTurn { stopped: Some(pair[1]), ..rest[next] }
                }
                _ => rest[next],
            };
        }
    }
    rest
}

fn is_stopped(story: &Story, step: Step) -> bool {
    match step {
        Step::Stopped(_) => true,
        Step::Result(result) => story.results[result as usize].end == CallEnd::Interrupted,
        _ => false,
    }
}

/// Later calls of the same sort on one target that are looked at: what was tried so often
/// is taken for not repaired, and answers stay linear in what they read.
const LATER_MAX: usize = 256;

/// What calls have in common that do the same: of tools that read, change or run something
/// the sort of tool, of others the tool itself; and the target.
fn sort_of<'c>(call: &'c CallAt, target: &'c str) -> (CallFamily, &'c str, &'c str) {
    let by_family = matches!(call.family, CallFamily::Edit | CallFamily::Shell | CallFamily::Read);
    (call.family, if by_family { "" } else { &call.tool }, target)
}

/// Whether a part is a failure, or a call that led to one.
fn is_failing(story: &Story, step: Step) -> bool {
    let failed = |result: u32| matches!(story.results[result as usize].end, CallEnd::Failed { .. });
    match step {
        Step::Failed(_) => true,
        Step::Result(result) => failed(result),
        Step::Call(call) => story.calls[call as usize].result.is_some_and(failed),
        _ => false,
    }
}
