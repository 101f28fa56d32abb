//! What to hand to a model that goes on with a session.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::{EventId, Result, Snapshot};
use forebear_readings::{PlanState, Readings};

use crate::branch::Branch;
use crate::budget::Budget;
use crate::calls::CallEnd;
use crate::cut;
use crate::named::Whose;
use crate::outcome::{self, Outcome};
use crate::sections::{ListLine, Sections, Share, Told};
use crate::steps::{Steps, ToldStep};
use crate::story::{Step, Story};

/// What to go on with.
///
/// An example is at [`resume_context`].
#[derive(Clone, Debug)]
pub struct ResumeQuery {
    session: String,
    tokens: usize,
    last: usize,
    budget: Budget,
}

impl ResumeQuery {
    /// This session, or of an agent `SESSION/AGENT`, in 8,000 tokens, with its last 50 steps.
    pub fn new(session: impl Into<String>) -> Self {
        Self { session: session.into(), tokens: 8000, last: 50, budget: Budget::default() }
    }

    /// Sets how long the text may get: a token is taken for four bytes.
    #[must_use]
    pub fn tokens(mut self, tokens: usize) -> Self {
        self.tokens = tokens;
        self
    }

    /// Sets how many of the last steps are told one by one.
    #[must_use]
    pub fn last(mut self, steps: usize) -> Self {
        self.last = steps;
        self
    }

    /// Sets what is read at most.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// What to hand to a model that goes on with a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resume {
    /// The session.
    pub session: String,
    /// The text: at most four bytes a token, the same each time.
    pub text: String,
    /// What there was no room for: of what, and how many.
    pub left_out: Vec<(&'static str, usize)>,
    /// Whether all of the session was within the budget.
    pub complete: bool,
}

/// The text to go on with a session: what is asked, what was planned, what is open, what
/// failed, which files were written, and the last steps of the branch that is active.
///
/// None where nothing is stored of the session. O(events of the session).
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{ResumeQuery, resume_context};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("job").id("job").session("nightly").payload("copy the disk"))?;
/// let query = ResumeQuery::new("nightly").tokens(500);
/// let resume = resume_context(&store.snapshot(), &Readings::default(), &query)?;
/// let text = resume.expect("it has an event").text;
/// assert!(text.len() <= 4 * 500 && text.contains("copy the disk"), "{text}");
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn resume_context(
    snapshot: &Snapshot,
    readings: &Readings,
    query: &ResumeQuery,
) -> Result<Option<Resume>> {
    let mut meter = query.budget.start();
    let Some(whose) = Whose::named(snapshot, &query.session)? else { return Ok(None) };
    let story = Story::read(snapshot, readings, whose, &mut meter)?;
    if story.events.is_empty() {
        return Ok(None);
    }
    let branch = Branch::find(snapshot, readings, &story)?;
    let writing = ContextWriter { snapshot, readings, story: &story, branch: &branch, query };
    writing.write(!story.cut).map(Some)
}

struct ContextWriter<'a> {
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    story: &'a Story,
    branch: &'a Branch,
    query: &'a ResumeQuery,
}

impl ContextWriter<'_> {
    fn write(&self, complete: bool) -> Result<Resume> {
        let story = self.story;
        let steps = Steps { snapshot: self.snapshot, readings: self.readings, story };
        let mut sections = Sections::new(self.query.tokens.saturating_mul(4));
        sections.head(&self.head());

        let items = self.items();
        let since = story.notes.summary.as_ref().map_or(i64::MIN, |summary| summary.time_ns);
        let recent: Vec<ToldStep> =
            items.iter().copied().filter(|item| item.time_ns(story) > since).collect();
        let requests: Vec<u32> = self.own(|step| step == Step::Request);
        let open = items.iter().rev().find_map(|item| item.request());
        let open = open.or(requests.last().copied());
        if let Some(open) = open {
            sections.text("What is asked", &steps.line(ToldStep::Request(open))?, Share::EIGHTH);
        }
        if let Some(&first) = requests.first().filter(|first| Some(**first) != open) {
            sections.text(
                "What was asked first",
                &steps.line(ToldStep::Request(first))?,
                Share::SIXTEENTH,
            );
        }
        self.plan(&mut sections);
        self.open_calls(&steps, &mut sections)?;
        self.failures(&mut sections);
        sections.list("files", "Files written", &self.files(), Share::SIXTEENTH);
        self.agents(&steps, &mut sections)?;
        if let Some(summary) = &story.notes.summary {
            let text = format!("[{}] {}", id(&summary.event), summary.text);
            sections.text("What came before, summed up by the program", &text, Share::QUARTER);
        }
        self.steps(&steps, &recent, &mut sections)?;
        let (text, left_out) = sections.finish();
        Ok(Resume { session: self.query.session.clone(), text, left_out, complete })
    }

    fn head(&self) -> String {
        let notes = &self.story.notes;
        let title = notes.title().map(|title| format!(": {}", cut::one_line(title)));
        let mut head =
            vec![format!("# Session {}{}", self.query.session, title.unwrap_or_default())];
        head.extend(notes.cwd.as_ref().map(|cwd| format!("Folder: {cwd}")));
        head.extend(notes.model.as_ref().map(|model| format!("Model: {model}")));
        if let (Some(first), Some(last)) = (self.story.events.first(), self.story.events.last()) {
            head.push(format!("From {} to {}", time(first.time_ns), time(last.time_ns)));
        }
        head.extend(self.branch.gaps.iter().map(|gap| {
            format!("The event {gap} is not stored: before it goes on by time, not by cause.")
        }));
        head.push("Ids in brackets: `forebear show ID` has the rest of what is cut.".to_owned());
        head.join("\n")
    }

    /// The parts of the session itself that are such steps.
    fn own(&self, is: impl Fn(Step) -> bool) -> Vec<u32> {
        let parts = self.story.agents[0].parts.iter().copied();
        parts.filter(|part| is(self.story.parts[*part as usize].step)).collect()
    }

    /// What stands on the branch, a call and its result being one.
    fn items(&self) -> Vec<ToldStep> {
        let story = self.story;
        let parts = story.agents[0].parts.iter().copied();
        let on_branch = parts.filter(|part| self.branch.has(story.id_of(*part)));
        let items: Vec<ToldStep> = on_branch
            .filter_map(|at| match story.parts[at as usize].step {
                Step::Request => Some(ToldStep::Request(at)),
                Step::Text => Some(ToldStep::Text(at)),
                Step::Call(call) => Some(ToldStep::Call(call)),
                Step::Failed(_) | Step::Stopped(_) | Step::Other => Some(ToldStep::Note(at)),
                Step::Result(result) => {
                    // Of a call that isn't there.
                    story.results[result as usize].call.is_none().then_some(ToldStep::Note(at))
                }
                Step::Thinking => None,
            })
            .collect();
        if !items.is_empty() {
            return items;
        }
        // Events of a service: no words, no calls.
        (0..story.parts.len() as u32).map(ToldStep::Note).collect()
    }

    fn plan(&self, sections: &mut Sections) {
        let notes = &self.story.notes;
        let to_do: Vec<ListLine> = notes
            .to_do()
            .into_iter()
            .filter(|item| item.state != PlanState::Dropped)
            .map(|item| {
                let mark = match item.state {
                    PlanState::Done => "[x]",
                    PlanState::Doing => "[>]",
                    _ => "[ ]",
                };
                // What is done can be left out first.
                let weight = u8::from(item.state != PlanState::Done);
                ListLine::new(format!("{mark} {}", cut::one_line(&item.text)), weight)
            })
            .collect();
        sections.list("items of the to-do list", "To do", &to_do, Share::TENTH);
        if let Some(plan) = &notes.plan {
            sections.text("Plan", plan, Share::TENTH);
        }
    }

    /// Calls that nothing came back of, and after which nothing else was done.
    fn open_calls(&self, steps: &Steps<'_>, sections: &mut Sections) -> Result<()> {
        let story = self.story;
        let mut open = Vec::new();
        for agent in &story.agents {
            for &part in agent.parts.iter().rev() {
                match story.parts[part as usize].step {
                    Step::Call(call) if story.calls[call as usize].result.is_none() => {
                        open.push(call);
                    }
                    Step::Call(_) | Step::Result(_) => {}
                    _ => break,
                }
            }
        }
        open.sort_unstable();
        let mut lines = Vec::new();
        for call in open {
            lines.push(ListLine::new(steps.call_in_full(call)?, 0));
        }
        sections.list("open calls", "Calls without a result", &lines, Share::TENTH);
        Ok(())
    }

    fn failures(&self, sections: &mut Sections) {
        let story = self.story;
        let found = outcome::outcomes(story);
        let found = found.iter().rev().filter(|one| one.outcome != Outcome::Repaired && !one.minor);
        let lines: Vec<ListLine> = found
            .map(|one| {
                let result = &story.results[one.result as usize];
                let call = result.call.map(|call| &story.calls[call as usize]);
                let tool = call.map_or(String::new(), |call| {
                    let about: Vec<&str> = call.targets.iter().map(String::as_str).collect();
                    format!(" {} {}:", call.tool, about.join("; "))
                });
                let line = format!(
                    "[{}] {}:{tool} {}",
                    id(story.id_of(one.part)),
                    one.outcome,
                    result.line
                );
                ListLine::new(cut::one_line(&line), u8::from(one.in_last_turn))
            })
            .collect();
        sections.list(
            "failures",
            "Failures that nothing repaired, the newest first",
            &lines,
            Share::TENTH,
        );
    }

    /// Files that were written by calls with a good result, the last written first.
    fn files(&self) -> Vec<ListLine> {
        let story = self.story;
        let mut seen: HashSet<&str, RandomState> = HashSet::default();
        let mut files = Vec::new();
        for call in story.calls.iter().rev() {
            let good = call
                .result
                .is_some_and(|result| story.results[result as usize].end == CallEnd::Good);
            if good && call.family == forebear_readings::CallFamily::Edit {
                files.extend(call.targets.iter().filter(|file| seen.insert(file)));
            }
        }
        files.into_iter().map(|file| ListLine::new(file.clone(), 0)).collect()
    }

    /// The last word of each agent.
    fn agents(&self, steps: &Steps<'_>, sections: &mut Sections) -> Result<()> {
        let story = self.story;
        let mut lines = Vec::new();
        for agent in story.agents.iter().skip(1).rev() {
            let last = agent
                .parts
                .iter()
                .rev()
                .copied()
                .find(|part| story.parts[*part as usize].step == Step::Text);
            let Some(last) = last else { continue };
            let words = cut::one_line(&steps.words(last)?);
            lines.push(ListLine::new(
                format!("[{}] {}: {words}", id(story.id_of(last)), agent.instance),
                0,
            ));
        }
        sections.list("agents", "The last word of each agent", &lines, Share::TENTH);
        Ok(())
    }

    /// The last steps one by one, and a line each of what matters above them.
    fn steps(&self, steps: &Steps<'_>, items: &[ToldStep], sections: &mut Sections) -> Result<()> {
        // More than there is room for are not even read.
        let most = self.query.last.min(sections.room() / LEAST_STEP_BYTES);
        let last = items.len() - most.min(items.len());
        let mut told = Vec::new();
        for &item in &items[last..] {
            told.push([Told::of(&steps.line(item)?), Told::of(&steps.came_to(item)?)]);
        }
        let left = sections.steps("The last steps", &told);
        let above = &items[..last + left];
        let mut lines: Vec<ListLine> = Vec::new();
        // The newest are told first, as long as there is room.
        let mut room = sections.room();
        for &item in above.iter().rev() {
            if room == 0 {
                lines.push(ListLine::new(String::new(), 0));
                continue;
            }
            if !item.is_of_skeleton(self.story) {
                continue;
            }
            let line = cut::end(&cut::one_line(&steps.line(item)?), SKELETON_BYTES);
            if lines.last().is_some_and(|before| before.says(&line)) {
                continue;
            }
            room = room.saturating_sub(line.len() + 1);
            lines.push(ListLine::new(line, 0));
        }
        lines.reverse();
        sections.skeleton("Before them, in short", &lines);
        Ok(())
    }
}

/// Bytes of a line of the skeleton.
const SKELETON_BYTES: usize = 200;

/// Bytes of the shortest step: when, which event, a word.
const LEAST_STEP_BYTES: usize = 24;

/// An id as short as it can be and still, nearly always, found by: a random UUID's first 8
/// digits, those of a UUIDv7 up to where it gets random.
pub(crate) fn id(id: &EventId) -> String {
    match id.as_uuid() {
        Some(uuid) => {
            let digits = if uuid.get_version_num() == 7 { 18 } else { 8 };
            uuid.to_string()[..digits].to_owned()
        }
        None => id.to_string(),
    }
}

/// A time in UTC, to the second.
pub(crate) fn time(ns: i64) -> String {
    // The first second that there is has no beginning within 64 bits.
    let second = ns.div_euclid(SECOND_NS).saturating_mul(SECOND_NS);
    forebear_core::Time::from_ns(second).to_string().replacen('T', " ", 1)
}

/// The time of day in UTC, to the second.
pub(crate) fn clock(ns: i64) -> String {
    let time = time(ns);
    time.get(11..19).unwrap_or(&time).to_owned()
}

const SECOND_NS: i64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_time_can_be_told() {
        assert_eq!(time(1_999_999_999), "1970-01-01 00:00:01Z");
        for ns in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX] {
            assert!(time(ns).contains('-'), "{}", time(ns));
        }
    }
}
