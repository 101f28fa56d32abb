//! What a payload says.

use std::borrow::Cow;

use forebear_core::Tokens;

use crate::text::{Text, Texts};

/// What a payload says, borrowed from it where it can be.
///
/// A reading is of one event alone: the call that a result answers may stand in another
/// event, and so may the model that answered. Those are joined by labels of the events,
/// or by whoever answers.
///
/// ```
/// use forebear::readings::{Payload, Readings, Role};
///
/// let payload = Payload::new("note", br#"{"msg":"started","level":"info"}"#);
/// let reading = Readings::default().read(None, &payload);
/// assert_eq!(reading.text.to_string(), "started");
/// assert!(reading.calls.is_empty() && reading.role.is_none());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading<'p> {
    /// Whose words they are. A text that stands where the user's would, and that the
    /// user didn't type (a reminder, the output of a command), is the system's.
    pub role: Option<Role>,
    /// What was said, block by block.
    pub text: Texts<'p>,
    /// What was thought before it.
    pub thinking: Texts<'p>,
    /// Calls of tools that it makes, at most [`MAX_PARTS`](Self::MAX_PARTS).
    pub calls: Vec<Call<'p>>,
    /// Results of calls that it gives, at most [`MAX_PARTS`](Self::MAX_PARTS). The call of
    /// one may stand in `calls`, where both are said in one event.
    pub results: Vec<CallResult<'p>>,
    /// Whether there were more calls or results than that.
    pub more: bool,
    /// What went wrong, where it is no call's: the words of an error of the model's
    /// service, the reason why a turn failed.
    pub error: Option<Text<'p>>,
    /// What the message took. Sums that repeat what messages took are none.
    pub usage: Option<MessageUsage<'p>>,
    /// The request to the model that it is the answer to.
    pub request_id: Option<Text<'p>>,
    /// The model that answered; none for answers that no model gave.
    pub model: Option<Text<'p>>,
    /// The folder that it was said or done in.
    pub cwd: Option<Text<'p>>,
    /// What is allowed without asking, in the words of the program.
    pub permission_mode: Option<Text<'p>>,
    /// What the session is called.
    pub title: Option<Title<'p>>,
    /// What is planned, or the list of what is to do.
    pub plan: Option<Plan<'p>>,
    /// Files that were read or written.
    pub files: Vec<FileUse<'p>>,
    /// What the words before a compaction came to.
    pub summary: Option<Text<'p>>,
    /// That someone stopped it, where it is no single call's.
    pub interruption: Option<Interruption>,
    /// Whether it is no step of what happened but the program's own notes: state, counts,
    /// reminders, the second telling of a step. A status is not decided by it.
    pub bookkeeping: bool,
    /// Whether they are words that the user typed while the model was at work and that wait
    /// to be handed over: those of an event that hands them over count instead of these.
    pub queued: bool,
}

impl Reading<'_> {
    /// Most calls and most results of one reading, as an event has labels for.
    pub const MAX_PARTS: usize = 64;

    /// Whether someone stopped all of it, or refused each of its calls.
    pub fn is_interrupted(&self) -> bool {
        self.interruption.is_some()
            || !self.results.is_empty()
                && self.results.iter().all(|result| result.interruption.is_some())
    }

    /// The call that a result answers, where both are in this reading.
    pub fn call_of(&self, result: &CallResult<'_>) -> Option<&Call<'_>> {
        let id = result.call_id.as_ref()?;
        self.calls.iter().find(|call| call.id.as_ref() == Some(id))
    }
}

impl<'p> Reading<'p> {
    /// The call with this id, else the first: not every call has one.
    pub fn call(&self, id: &str) -> Option<&Call<'p>> {
        let mut calls = self.calls.iter();
        let named = calls.clone().find(|call| call.id.as_ref().is_some_and(|own| own == id));
        named.or_else(|| calls.next())
    }

    /// The result of the call with this id, else the first.
    pub fn result(&self, call: &str) -> Option<&CallResult<'p>> {
        let mut results = self.results.iter();
        let is_of = |one: &&CallResult<'_>| one.call_id.as_ref().is_some_and(|id| id == call);
        results.clone().find(is_of).or_else(|| results.next())
    }

    /// The words of a failure that is no call's, at most so many bytes of them: those of the
    /// error, else all that it says.
    pub fn error_words(&self, max_bytes: usize) -> Cow<'_, str> {
        match &self.error {
            Some(error) => error.start(max_bytes),
            None => self.text.start(max_bytes),
        }
    }
}

/// Whose words they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Role {
    /// Who asks.
    User,
    /// The model.
    Assistant,
    /// The program that stands between, and what it puts in.
    System,
    /// What was called.
    Tool,
}

impl Role {
    /// Its name in labels: `user`, `assistant`, `system`, `tool`.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::System => "system",
            Self::Tool => "tool",
        }
    }
}

/// A call of a tool.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Call<'p> {
    /// What results name it by.
    pub id: Option<Text<'p>>,
    /// The tool, by the name it is called by.
    pub tool: Option<Text<'p>>,
    /// What sort of tool that is.
    pub family: CallFamily,
    /// All that it is called with, mostly JSON.
    pub input: Option<Text<'p>>,
    /// What it is about: a path, a command line, an address, a question.
    pub target: Option<Text<'p>>,
    /// Where a command runs, if not in the reading's `cwd`.
    pub cwd: Option<Text<'p>>,
}

/// What sort of tool a call is of: what a later call has to have in common with it to be
/// the same done again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CallFamily {
    /// One that reads a file.
    Read,
    /// One that looks for files or in them.
    Search,
    /// One that changes a file, in whatever way.
    Edit,
    /// One that runs a command line.
    Shell,
    /// One that fetches or searches outside.
    Web,
    /// One that starts, asks or stops an agent.
    Agent,
    /// One that runs what was written down for such a case.
    Skill,
    /// One that keeps a plan or a list of what is to do.
    Plan,
    /// One that waits for the user: a question, a plan to be approved.
    Question,
    /// Any other.
    #[default]
    Other,
}

/// The result of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallResult<'p> {
    /// The call.
    pub call_id: Option<Text<'p>>,
    /// What came of it.
    pub text: Texts<'p>,
    /// Whether it says that it failed.
    pub is_error: bool,
    /// The exit code of a command, from where the tool states it and never from what the
    /// command printed.
    pub exit_code: Option<i64>,
    /// How long the call took.
    pub duration_ns: Option<u64>,
    /// That someone refused or stopped it; then it is no error of the tool.
    pub interruption: Option<Interruption>,
    /// Why it failed, where that is of no weight by itself.
    pub mishap: Option<Mishap>,
}

impl CallResult<'_> {
    /// Whether it says that the call failed, and nobody refused or stopped it.
    pub fn has_failed(&self) -> bool {
        self.interruption.is_none()
            && (self.is_error || self.exit_code.is_some_and(|code| code != 0))
    }
}

/// A failure of a call that a model meets and goes round as a matter of course.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Mishap {
    /// There is no such file, folder or match.
    NotFound,
    /// The tool can't be called so: a field is missing or of a wrong type, a file has to be
    /// read first, the text to replace isn't there.
    BadInput,
    /// There is no tool, agent or skill of this name.
    Unknown,
    /// It was given up because another call of the same batch failed or was refused.
    Sibling,
    /// There was nothing to change.
    NoChange,
}

/// That someone stopped what went on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Interruption {
    /// The user, or a rule of the user's, didn't let a call be made.
    Refused,
    /// The user stopped what was running.
    Stopped,
}

impl Interruption {
    /// Its name in labels: `refused`, `stopped`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Stopped => "stopped",
        }
    }
}

/// What a message took.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageUsage<'p> {
    /// The message that took it: said again in another event, it counts once. Without
    /// one, the event counts by itself.
    pub message_id: Option<Text<'p>>,
    /// Input without what was read from a cache, output with all thinking.
    pub tokens: Tokens,
}

/// What a session is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Title<'p> {
    /// Its words.
    pub text: Text<'p>,
    /// Who gave it.
    pub source: TitleSource,
}

/// Who gave a title; the greater wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum TitleSource {
    /// The program made it up, without being asked.
    Generated,
    /// It sums up what was said.
    Summary,
    /// The user.
    User,
}

impl TitleSource {
    /// Its name in labels: `generated`, `summary`, `user`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Generated => "generated",
            Self::Summary => "summary",
            Self::User => "user",
        }
    }
}

/// What is planned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan<'p> {
    /// A plan in words.
    pub text: Option<Text<'p>>,
    /// The list of what is to do.
    pub items: Vec<PlanItem<'p>>,
}

/// What is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanItem<'p> {
    /// What a change of its state names it by, where lists are told by their changes.
    pub id: Option<Text<'p>>,
    /// What it is; empty where only its state changes.
    pub text: Text<'p>,
    /// How far it is.
    pub state: PlanState,
}

/// How far something is that is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PlanState {
    /// Not begun.
    #[default]
    Open,
    /// Begun.
    Doing,
    /// Done.
    Done,
    /// Given up.
    Dropped,
}

impl PlanState {
    /// From the word that programs have for it; `Open` for one that is not known.
    pub fn of_word(word: &str) -> Self {
        match word {
            "in_progress" | "inProgress" | "doing" | "active" => Self::Doing,
            "completed" | "complete" | "done" => Self::Done,
            "cancelled" | "canceled" | "deleted" | "dropped" => Self::Dropped,
            _ => Self::Open,
        }
    }
}

/// A file that was read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileUse<'p> {
    /// Its path, as it was said.
    pub path: Text<'p>,
    /// What was done with it.
    pub access: Access,
}

/// What was done with a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Access {
    /// It was read.
    Read,
    /// It was made, changed or removed.
    Written,
}
