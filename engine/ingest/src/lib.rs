//! Importing and following files: transcripts and logs, as events of a store.
//!
//! A [`Registry`] holds the formats that a process reads, an [`Adapter`] each; formats of
//! one's own are added to it. [`import`] reads files once, a [`Follower`] reads on as they
//! grow; both read them in the same way, keep in the store how far, and take the same
//! [`IngestOptions`].
//!
//! The formats that come with the crate, each under a cargo feature of its name and all
//! on by default, are files of lines with a JSON object each, or several glued together.
//! Each object becomes an event, its bytes the payload. A file that is one JSON document
//! and not lines is unfolded to lines where a format has such, else passed over and reported. Files in zstd (`*.jsonl.zst`) are unpacked as
//! they are read.
//!
//! | format | an event's id | its parent |
//! |---|---|---|
//! | `claude-code` | the lines' | as they name them; agents hang on their calls |
//! | `claude-stream` (what `claude -p --output-format stream-json` prints) | the lines', else as `codex` | the line before of the session or its agent; of an agent's first its call |
//! | `cowork` (audits of Claude Desktop's agents) | as `claude-stream` | as `claude-stream` |
//! | `codex` (rollouts of the Codex CLI) | of session, bytes and number among equal lines | the line before; of a call's output the call |
//! | `codex-exec` (what `codex exec --json` prints) | of thread, run and item | the line before; of what completes an item what started it |
//! | `copilot` (event logs of the Copilot CLI) | the lines' | as they name them |
//! | `cursor` (transcripts of Cursor's agent) | as `codex` | the line before |
//! | `droid` (sessions of Factory's Droid, and their settings) | of session and line | as lines name them, else the line before |
//! | `gemini` (chats of the Gemini CLI, lines or a document) | of session and message | the message before |
//! | `opencode` (OpenCode's database, or its older documents) | of the message | the message before |
//! | `otlp` (requests of OpenTelemetry's exporters, a line each) | of a span its trace and its id | of a span its parent, of a log record its span |
//! | `pi` (sessions of the pi coding agent) | of session and entry | as entries name them |
//! | `qwen` (chats of Qwen Code) | the lines' | as they name them |
//! | `hook` (payloads of Claude Code's hooks) | of the call, or as `codex` | of a call's result the call, of an agent's start its call, else the last event |
//! | `engram` (the folder of an Engram store) | the lines'; of edges their ends and kind | the task |
//! | `ndjson` (anything else) | a field, else as `codex` | a field; see [`formats::Ndjson`] |
//!
//! An id seen before with the same bytes is a repeat; with others, a version.
//! What is not a JSON object is quarantined with the place it came from.

#![warn(missing_docs)]

mod adapter;
mod choice;
mod follow;
pub mod formats;
mod import;
mod importer;
mod labeller;
mod options;
mod parsed;
mod read;
mod registry;
mod report;
mod target;

use std::sync::Arc;

use forebear_core::Decoder;

pub use adapter::{Adapter, Confidence, Database, Linker, Parser, RowsRead, SourceFile, Unit};
pub use follow::{FilePosition, FilePositions, FollowStatus, Follower, Polled, StopHandle};
#[cfg(feature = "ndjson")]
pub use formats::Mapping;
#[cfg(feature = "hook")]
pub use formats::{HookCall, HookDecoder, append_hook, append_hook_call, submit_hook};
#[cfg(feature = "otlp")]
pub use formats::{OtlpReceiver, OtlpStored};
pub use import::{import, import_through};
pub use options::IngestOptions;
pub use parsed::Parsed;
pub use registry::Registry;
pub use report::{HandedIn, ImportProgress, ImportReport};

/// What decodes the foreign contents of a spool, by the names to give it to a
/// [`StoreBuilder`](forebear_core::StoreBuilder::decoder) under. `forebear::builder` does.
pub fn decoders() -> Vec<(&'static str, Arc<dyn Decoder>)> {
    vec![
        #[cfg(feature = "hook")]
        (HookDecoder::NAME, Arc::new(HookDecoder) as Arc<dyn Decoder>),
        // Files of the spool's version 1 name no decoder: all of them came from hooks.
        #[cfg(feature = "hook")]
        ("", Arc::new(HookDecoder)),
    ]
}
