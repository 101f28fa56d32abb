//! Importing and following files: transcripts and logs, as events of a store.
//!
//! A [`Registry`] holds the formats that a process reads, an [`Adapter`] each; formats of
//! one's own are added to it. [`import`] reads files once, a [`Follower`] goes on as they
//! grow; both read them in the same way, keep in the store how far, and are told what to
//! read by [`IngestOptions`].
//!
//! The formats that come with the crate, each under a cargo feature of its name and all
//! on by default, are files of lines with a JSON object each, or several glued together.
//! Each object becomes an event, its bytes the payload. A file that is one JSON document
//! and not lines is passed over and reported.
//!
//! | format | ids | parents |
//! |---|---|---|
//! | `claude-code` | the lines' | as they name them; agents hang on their calls |
//! | `codex` (rollouts of the Codex CLI) | of session, bytes and number among equal lines | the line before; of a call's output the call |
//! | `copilot` (event logs of the Copilot CLI) | the lines' | as they name them |
//! | `hook` (payloads of Claude Code's hooks) | of the call, or as `codex` | of a call's result the call, of an agent's start its call, else the last event |
//! | `engram` (the folder of an Engram store) | the lines'; of edges their ends and kind | the task |
//! | `ndjson` (anything else) | a field, else as `codex` | a field; see [`formats::Ndjson`] |
//!
//! Of a transcript of Claude Code,
//!
//! | of the event | is, of the object |
//! |---|---|
//! | id | `uuid`; without one, a `UUIDv8` of its bytes |
//! | parent | `parentUuid` (`caused`), else `logicalParentUuid` (`continues`), else the call that started its agent (`spawned`); without a `uuid`, `leafUuid` or `messageId` |
//! | kind | `user_message`, `tool_result`, `assistant_message`, `thinking`, `tool_use`, `error`, else its `type` |
//! | time | `timestamp`, else `snapshot.timestamp`, else that of the line before, else when the file was modified |
//! | session | `sessionId`, else the file's name |
//! | instance | `agentId`, else the session |
//!
//! The labels, each where there is something to say: `type`, `subtype`,
//! `project` (the folder that the session's file lies in), `branch`, `version`,
//! `model`, `agent`, `sidechain` (`true`), `is_error` (`true`), `tool` on calls,
//! `tool_use_id` on calls and results; where a line holds several, `tool.2`,
//! `tool_use_id.2` and so on. By `agent_root`, `agent_result`, `agent_progress`,
//! `agent_call` and `source_call` agents are linked to the calls that started
//! them, in whatever order the ends come.
//!
//! An event has room for 64 labels: of one line, the first 8 tools and results
//! and the first 40 calls get theirs. An agent that a later call of the line
//! started is linked only where a result names the event (`source_call`).
//!
//! An id seen before with the same bytes is a repeat; with others, a version.
//! What is not a JSON object is quarantined with the place it came from.

mod adapter;
mod choice;
mod follow;
pub mod formats;
mod import;
mod importer;
mod options;
mod parsed;
mod read;
mod registry;
mod report;
mod target;

pub use adapter::{Adapter, Confidence, Linker, Parser, SourceFile, Unit};
pub use follow::{FilePosition, FollowStatus, Follower, Polled, StopHandle};
#[cfg(feature = "ndjson")]
pub use formats::Mapping;
#[cfg(feature = "hook")]
pub use formats::{HookDecoder, append_hook, submit_hook};
pub use import::{import, import_through};
pub use options::IngestOptions;
pub use parsed::Parsed;
pub use registry::Registry;
pub use report::{HandedIn, ImportProgress, ImportReport};
