//! Answers over a store: which failure mattered and why it happened.
//!
//! Each answer is a function over a [`Snapshot`](forebear_core::Snapshot) and over the
//! [`Readings`](forebear_readings::Readings) of a process, bounded by a [`Budget`]. Answers
//! nest by session, agent, turn and call: a transcript is a list and no tree, so parent
//! links are the order of its steps and nothing to indent by.
//!
//! - [`failure_chain`]: why did it fail?
//! - [`resume_context`]: what does a model need to go on?
//! - [`search`]: where was it said?
//! - [`slow`]: where did the time go?
//! - [`decisions`]: what was decided, why, and what came of it?
//! - [`usage`]: what was used, and what did it cost?
//! - [`alerts`]: what is the matter?
//! - [`transcript`]: what happened, to be read from top to bottom?

#![warn(missing_docs)]

mod alert;
mod alerts;
mod branch;
mod budget;
mod calls;
mod cause;
mod command;
mod critical;
mod cut;
mod decisions;
mod earlier;
mod fences;
#[cfg(feature = "serde")]
mod json;
mod named;
mod needle;
mod notes;
mod outcome;
mod prices;
mod resume;
mod search;
mod sections;
mod signature;
mod slow;
mod steps;
mod story;
mod transcript;
mod transcript_style;
mod usage;
mod why;

pub use alert::{Alert, AlertRule};
pub use alerts::{Alerts, AlertsQuery, FileLag, alerts};
pub use budget::Budget;
pub use cause::{Quote, WhyEnd};
pub use decisions::{
    Decision, DecisionKind, DecisionResult, DecisionText, Decisions, DecisionsQuery, StartedAgent,
    decisions,
};
pub use earlier::Earlier;
pub use named::{Named, NamedSession, find_named, find_session, session_filter};
pub use outcome::Outcome;
pub use prices::{Price, Prices};
pub use resume::{Resume, ResumeQuery, resume_context};
pub use search::{Match, Search, SearchQuery, search};
pub use slow::{
    DayTime, PathStep, SlowCall, SlowQuery, SlowReport, SpentOn, TimeSpent, ToolTime, TurnTime,
    slow,
};
pub use transcript::{Transcript, TranscriptQuery, transcript};
pub use transcript_style::TranscriptStyle;
pub use usage::{UnpricedModel, UsageBy, UsageQuery, UsageReport, UsageRow, usage};
pub use why::{
    FailedCall, FailureChain, FailureReport, ListedFailure, Repair, WhyQuery, failure_chain,
};
