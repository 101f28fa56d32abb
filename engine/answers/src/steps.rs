//! Steps of a story in words.

use forebear_core::{EventId, Result, Snapshot, StoredEvent};
use forebear_readings::{CallFamily, Readings};

use crate::calls::CallEnd;
use crate::cause;
use crate::resume;
use crate::story::{Step, Story};

/// Bytes of a text that are read.
const TEXT_BYTES: usize = 64 << 10;

/// A step as it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToldStep {
    /// A request, by its part.
    Request(u32),
    /// Words of the model.
    Text(u32),
    /// A call with its result, by its place in the story.
    Call(u32),
    /// Anything else, by its part.
    Note(u32),
}

impl ToldStep {
    pub(crate) fn request(self) -> Option<u32> {
        match self {
            Self::Request(part) => Some(part),
            _ => None,
        }
    }

    /// Whether it is told above the last steps: requests, decisions, agents.
    pub(crate) fn is_of_skeleton(self, story: &Story) -> bool {
        match self {
            Self::Request(_) | Self::Text(_) => true,
            Self::Call(call) => story.calls[call as usize].family == CallFamily::Agent,
            Self::Note(part) => matches!(story.parts[part as usize].step, Step::Stopped(_)),
        }
    }

    fn part(self, story: &Story) -> u32 {
        match self {
            Self::Request(part) | Self::Text(part) | Self::Note(part) => part,
            Self::Call(call) => story.calls[call as usize].part,
        }
    }

    pub(crate) fn time_ns(self, story: &Story) -> i64 {
        story.time_of(self.part(story))
    }
}

/// Tells steps.
#[derive(Debug)]
pub(crate) struct Steps<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) readings: &'a Readings,
    pub(crate) story: &'a Story,
}

impl Steps<'_> {
    /// A step: when, which event, who, what.
    pub(crate) fn line(&self, item: ToldStep) -> Result<String> {
        let part = item.part(self.story);
        let at = self.at(part);
        Ok(match item {
            ToldStep::Request(part) => format!("{at} user: {}", self.words(part)?),
            ToldStep::Text(part) => format!("{at} assistant: {}", self.words(part)?),
            ToldStep::Note(part) => {
                let event = self.event(self.story.id_of(part))?;
                let kind = event.as_ref().map_or("", StoredEvent::kind);
                format!("{at} {kind}: {}", self.words(part)?)
            }
            ToldStep::Call(call) => {
                let call = &self.story.calls[call as usize];
                format!("{at} {}: {}", call.tool, self.call_words(part, &call.id, true)?)
            }
        })
    }

    /// What a step came to: of a call its result, of all others nothing.
    pub(crate) fn came_to(&self, item: ToldStep) -> Result<String> {
        let ToldStep::Call(call) = item else { return Ok(String::new()) };
        let call = &self.story.calls[call as usize];
        let Some(result) = call.result else { return Ok("\n  no result".to_owned()) };
        let result = &self.story.results[result as usize];
        let end = match (result.end, result.exit_code) {
            (CallEnd::Failed { .. }, Some(code)) => format!("failed, exit code {code}"),
            (CallEnd::Failed { .. }, None) => "failed".to_owned(),
            (CallEnd::Interrupted, _) => "stopped by the user".to_owned(),
            _ => "gave".to_owned(),
        };
        let id = resume::id(self.story.id_of(result.part));
        Ok(format!("\n  {end} [{id}]: {}", self.result_words(result.part, &call.id)?))
    }

    /// A call with all that it was called with.
    pub(crate) fn call_in_full(&self, call: u32) -> Result<String> {
        let call = &self.story.calls[call as usize];
        let input = self.call_words(call.part, &call.id, false)?;
        Ok(format!("{} {}: {}", self.at(call.part), call.tool, crate::cut::one_line(&input)))
    }

    /// What an event says.
    pub(crate) fn words(&self, part: u32) -> Result<String> {
        let Some(event) = self.event(self.story.id_of(part))? else { return Ok(String::new()) };
        let reading = self.readings.of(&event);
        let words = match self.story.parts[part as usize].step {
            Step::Request => cause::request(&reading),
            Step::Text => cause::decision(&reading).map(|(text, _)| text),
            _ => None,
        };
        let words = words.unwrap_or_else(|| {
            let text = match reading.results.first() {
                Some(result) if reading.error.is_none() => result.text.start(TEXT_BYTES),
                _ => reading.error_words(TEXT_BYTES),
            };
            text.trim().to_owned()
        });
        Ok(words)
    }

    /// What a call is about, or all that it was called with.
    fn call_words(&self, part: u32, id: &str, target: bool) -> Result<String> {
        let Some(event) = self.event(self.story.id_of(part))? else { return Ok(String::new()) };
        let reading = self.readings.of(&event);
        let Some(call) = reading.call(id) else { return Ok(String::new()) };
        let about = call.target.as_ref().filter(|_| target).or(call.input.as_ref());
        Ok(about.map(|text| text.start(TEXT_BYTES).trim().to_owned()).unwrap_or_default())
    }

    fn result_words(&self, part: u32, id: &str) -> Result<String> {
        let Some(event) = self.event(self.story.id_of(part))? else { return Ok(String::new()) };
        let reading = self.readings.of(&event);
        let result = reading.result(id);
        Ok(result.map(|one| one.text.start(TEXT_BYTES).trim().to_owned()).unwrap_or_default())
    }

    fn at(&self, part: u32) -> String {
        let clock = resume::clock(self.story.time_of(part));
        format!("[{clock} {}]", resume::id(self.story.id_of(part)))
    }

    fn event(&self, id: &EventId) -> Result<Option<StoredEvent>> {
        self.snapshot.get(id)
    }
}
