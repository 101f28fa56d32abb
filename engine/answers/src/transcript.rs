//! A session to be read from top to bottom.

use std::collections::VecDeque;

use forebear_core::{EventId, Result, Snapshot, StoredEvent};
use forebear_readings::Readings;

use crate::branch::Branch;
use crate::budget::Budget;
use crate::calls::CallEnd;
use crate::cause;
use crate::cut;
use crate::named::Whose;
use crate::story::{Step, Story};
use crate::transcript_style::{Piece, TranscriptStyle};

/// Bytes of a text that are written at most.
const TEXT_BYTES: usize = 256 << 10;

/// Agents below agents that are nested at most.
const DEPTH_MAX: usize = 32;

/// Which session to write down.
///
/// An example is at [`transcript`].
#[derive(Clone, Debug)]
pub struct TranscriptQuery {
    session: String,
    all: bool,
    budget: Budget,
}

impl TranscriptQuery {
    /// This session with its agents, or an agent, `SESSION/AGENT`.
    pub fn session(name: impl Into<String>) -> Self {
        Self { session: name.into(), all: false, budget: Budget::default() }
    }

    /// Takes all branches and not only the active one.
    #[must_use]
    pub fn all(mut self, all: bool) -> Self {
        self.all = all;
        self
    }

    /// Sets what is read at most.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// A session to be read from top to bottom. Made by [`transcript`].
#[derive(Debug)]
pub struct Transcript<'a> {
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    session: String,
    story: Story,
    blocks: Vec<TranscriptBlock>,
}

/// What stands one below the other.
#[derive(Clone, Debug)]
enum TranscriptBlock {
    Head,
    /// A turn, with the part that begins it.
    Turn(u32, u32),
    TurnEnd,
    Part(u32),
    Call(u32),
    /// An agent, and what it did up to its end.
    Agent(u32),
    AgentEnd,
    Compaction(EventId),
    Foot,
}

/// Writes down a session: its turns, what was said and thought, each call with its result,
/// agents within the calls that started them.
///
/// None where nothing is stored of the session. O(events of the session); texts are read as
/// they are written.
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{TranscriptQuery, TranscriptStyle, transcript};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("note").session("job").payload("2 < 3"))?;
/// let (snapshot, readings) = (store.snapshot(), Readings::default());
/// let found = transcript(&snapshot, &readings, &TranscriptQuery::session("job"))?;
/// let mut html = String::new();
/// for piece in found.expect("it has an event").pieces(TranscriptStyle::Html, str::to_owned) {
///     html.push_str(&piece?);
/// }
/// assert!(html.starts_with("<!doctype html>") && html.contains("2 &lt; 3"));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn transcript<'a>(
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    query: &TranscriptQuery,
) -> Result<Option<Transcript<'a>>> {
    let Some(whose) = Whose::named(snapshot, &query.session)? else { return Ok(None) };
    let mut meter = query.budget.start();
    let story = Story::read(snapshot, readings, whose, &mut meter)?;
    let branch = if query.all { None } else { Some(Branch::find(snapshot, readings, &story)?) };
    // Of a service, which has no words, there is no branch.
    let branch = branch.filter(|branch| !branch.is_empty());
    let blocks = Layout::of(&story, branch.as_ref());
    let session = query.session.clone();
    Ok(Some(Transcript { snapshot, readings, session, story, blocks }))
}

impl Transcript<'_> {
    /// Whether all of the session was within the budget.
    pub fn is_complete(&self) -> bool {
        !self.story.cut
    }

    /// The transcript piece by piece, to be written one after the other. Each text of an event
    /// goes through `clean` before it is marked up: what must not get out is taken out there.
    pub fn pieces(
        &self,
        style: TranscriptStyle,
        mut clean: impl FnMut(&str) -> String,
    ) -> impl Iterator<Item = Result<String>> {
        let mut depth = 0;
        self.blocks.iter().map(move |block| {
            if matches!(block, TranscriptBlock::AgentEnd) {
                depth -= 1;
            }
            let piece = self.piece(block, &mut clean)?;
            let written = style.write(&piece, depth);
            depth += usize::from(matches!(block, TranscriptBlock::Agent(_)));
            Ok(written)
        })
    }

    fn piece(
        &self,
        block: &TranscriptBlock,
        clean: &mut impl FnMut(&str) -> String,
    ) -> Result<Piece> {
        let story = &self.story;
        // What stands on a line with something else.
        let mut line = |text: &str| clean(&cut::one_line(text));
        Ok(match block {
            TranscriptBlock::Head => {
                let notes = &story.notes;
                let title = notes.title().map(&mut line);
                let mut about = Vec::new();
                if let (Some(first), Some(last)) = (story.events.first(), story.events.last()) {
                    let [first, last] = [first.time_ns, last.time_ns].map(crate::resume::time);
                    about.push(format!("{first} to {last}"));
                }
                about.extend(
                    [&notes.model, &notes.cwd].into_iter().flatten().map(|text| line(text)),
                );
                Piece::Head { session: line(&self.session), title, about }
            }
            TranscriptBlock::Turn(number, part) => {
                let time = crate::resume::time(story.time_of(*part));
                Piece::Turn { number: *number, time }
            }
            TranscriptBlock::TurnEnd => Piece::TurnEnd,
            TranscriptBlock::Part(part) => self.part(*part, clean)?,
            TranscriptBlock::Call(call) => self.call(*call, clean)?,
            TranscriptBlock::Agent(agent) => {
                let agent = &story.agents[*agent as usize];
                Piece::Agent { name: line(&agent.instance), steps: agent.parts.len() }
            }
            TranscriptBlock::AgentEnd => Piece::AgentEnd,
            TranscriptBlock::Compaction(id) => {
                let event = self.snapshot.get(id)?;
                let summary = event.as_ref().and_then(|event| {
                    self.readings.of(event).summary.map(|text| clean(&text.start(TEXT_BYTES)))
                });
                Piece::Compaction { summary: summary.unwrap_or_default() }
            }
            TranscriptBlock::Foot => Piece::Foot { complete: !story.cut },
        })
    }

    fn part(&self, part: u32, clean: &mut impl FnMut(&str) -> String) -> Result<Piece> {
        let story = &self.story;
        let event = self.snapshot.get(story.id_of(part))?;
        let (id, time) = self.place(part, clean);
        let Some(event) = event else { return Ok(Piece::note(id, time, "gone", String::new())) };
        let reading = self.readings.of(&event);
        Ok(match story.parts[part as usize].step {
            Step::Request => {
                let text = cause::request(&reading).unwrap_or_default();
                Piece::User { id, time, text: clean(&text) }
            }
            Step::Text => {
                Piece::Assistant { id, time, text: clean(&reading.text.start(TEXT_BYTES)) }
            }
            Step::Thinking => {
                Piece::Thinking { id, text: clean(&reading.thinking.start(TEXT_BYTES)) }
            }
            Step::Stopped(_) => {
                let text = clean(&reading.text.start(TEXT_BYTES));
                Piece::note(id, time, "stopped by the user", text)
            }
            Step::Failed(_) => {
                let text = clean(&reading.error_words(TEXT_BYTES));
                Piece::Failed { id, time, text }
            }
            Step::Result(_) => {
                let text = reading.result("").map(|one| one.text.start(TEXT_BYTES));
                let text = clean(&text.unwrap_or_default());
                Piece::note(id, time, "a result of a call that is not stored", text)
            }
            Step::Other | Step::Call(_) => {
                let text = clean(&reading.text.start(TEXT_BYTES));
                Piece::note(id, time, &clean(&cut::one_line(event.kind())), text)
            }
        })
    }

    fn call(&self, call: u32, clean: &mut impl FnMut(&str) -> String) -> Result<Piece> {
        let call = &self.story.calls[call as usize];
        let (id, time) = self.place(call.part, clean);
        let event = self.snapshot.get(self.story.id_of(call.part))?;
        let reading = event.as_ref().map(|event| self.readings.of(event)).unwrap_or_default();
        let said = reading.call(&call.id);
        let text = |text: Option<&forebear_readings::Text<'_>>| {
            text.map(|text| text.start(TEXT_BYTES).into_owned()).unwrap_or_default()
        };
        let about = text(said.and_then(|call| call.target.as_ref()));
        let input = text(said.and_then(|call| call.input.as_ref()));
        let result = call.result.map(|result| &self.story.results[result as usize]);
        let (mut came_to, mut end) = (None, "no result");
        if let Some(result) = result {
            let event: Option<StoredEvent> = self.snapshot.get(self.story.id_of(result.part))?;
            let reading = event.as_ref().map(|event| self.readings.of(event)).unwrap_or_default();
            let words = reading.result(&call.id).map(|one| clean(&one.text.start(TEXT_BYTES)));
            came_to = Some(words.unwrap_or_default());
            end = match result.end {
                CallEnd::Failed { .. } => "failed",
                CallEnd::Interrupted => "stopped by the user",
                CallEnd::Good | CallEnd::Unsure => "",
            };
        }
        Ok(Piece::Call {
            id,
            time,
            tool: clean(&cut::one_line(&call.tool)),
            about: clean(&about),
            input: clean(&input),
            result: came_to,
            end,
        })
    }

    fn place(&self, part: u32, clean: &mut impl FnMut(&str) -> String) -> (String, String) {
        let id = crate::resume::id(self.story.id_of(part));
        (clean(&cut::one_line(&id)), crate::resume::clock(self.story.time_of(part)))
    }
}

/// Brings a story into the order in which it is read.
struct Layout<'s> {
    story: &'s Story,
    branch: Option<&'s Branch>,
    blocks: Vec<TranscriptBlock>,
    /// Agents that have their place.
    placed: Vec<bool>,
    /// Compactions that are still to come, the oldest first.
    compactions: VecDeque<(EventId, i64)>,
}

impl<'s> Layout<'s> {
    fn of(story: &'s Story, branch: Option<&'s Branch>) -> Vec<TranscriptBlock> {
        let compactions = story.notes.compactions.iter().rev().cloned().collect();
        let placed = vec![false; story.agents.len()];
        let mut layout =
            Self { story, branch, blocks: vec![TranscriptBlock::Head], placed, compactions };
        layout.agent(0, 0);
        // Those that nothing of the story is known to have started.
        for agent in 1..story.agents.len() as u32 {
            if !layout.is_off(agent) {
                layout.nested(agent, 0);
            }
        }
        layout.blocks.push(TranscriptBlock::Foot);
        layout.blocks
    }

    fn agent(&mut self, agent: u32, depth: usize) {
        self.placed[agent as usize] = true;
        let (mut turn, mut number) = (None, 0);
        let parts = &self.story.agents[agent as usize].parts;
        for (place, &at) in parts.iter().enumerate() {
            let part = &self.story.parts[at as usize];
            if depth == 0 && !self.is_on(at) {
                continue;
            }
            if depth == 0 {
                self.compactions_up_to(self.story.time_of(at));
                if turn != Some(part.turn) {
                    if turn.is_some() {
                        self.blocks.push(TranscriptBlock::TurnEnd);
                    }
                    turn = Some(part.turn);
                    number += 1;
                    self.blocks.push(TranscriptBlock::Turn(number, at));
                }
            }
            match part.step {
                Step::Result(result) => {
                    if self.story.results[result as usize].call.is_none() {
                        self.blocks.push(TranscriptBlock::Part(at));
                    }
                }
                Step::Call(call) => self.blocks.push(TranscriptBlock::Call(call)),
                _ => self.blocks.push(TranscriptBlock::Part(at)),
            }
            // Behind the last call of an event come the agents that it started.
            let next = parts.get(place + 1).map(|next| self.story.parts[*next as usize].event);
            if next != Some(part.event) {
                let story = self.story;
                for below in story.started_by(agent, part.event) {
                    self.nested(below, depth);
                }
            }
        }
        if depth == 0 {
            self.compactions_up_to(i64::MAX);
        }
        if turn.is_some() {
            self.blocks.push(TranscriptBlock::TurnEnd);
        }
    }

    fn compactions_up_to(&mut self, time_ns: i64) {
        while let Some((id, _)) = self.compactions.pop_front_if(|(_, ns)| *ns <= time_ns) {
            self.blocks.push(TranscriptBlock::Compaction(id));
        }
    }

    fn nested(&mut self, agent: u32, depth: usize) {
        if self.placed[agent as usize] || depth >= DEPTH_MAX {
            return;
        }
        self.blocks.push(TranscriptBlock::Agent(agent));
        self.agent(agent, depth + 1);
        self.blocks.push(TranscriptBlock::AgentEnd);
    }

    /// Whether a part of the session itself is of the branch that is written.
    fn is_on(&self, part: u32) -> bool {
        self.branch.is_none_or(|branch| branch.has_or_answers(self.story, part))
    }

    /// Whether an agent goes back to an event of the session that is of another branch.
    fn is_off(&self, agent: u32) -> bool {
        let story = self.story;
        let mut at = agent;
        // Agents come one from another; one that comes from itself is cut off.
        for _ in 0..story.agents.len() {
            let Some((above, event)) = story.agents[at as usize].spawned else { return false };
            if above == 0 {
                let first = story.parts.partition_point(|part| part.event < event);
                let parts = story.parts[first..].iter().take_while(|part| part.event == event);
                return (first as u32..).zip(parts).all(|(part, _)| !self.is_on(part));
            }
            at = above;
        }
        false
    }
}
