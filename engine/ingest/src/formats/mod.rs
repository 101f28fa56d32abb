//! The formats that come with the crate, each behind a cargo feature of its name.
//!
//! `docs/CONTRIBUTING.md` says what it takes to add one.

#[cfg(feature = "claude-code")]
mod claude;
#[cfg(feature = "claude-stream")]
mod claude_stream;
#[cfg(feature = "codex")]
mod codex;
#[cfg(feature = "codex-exec")]
mod codex_exec;
#[cfg_attr(
    not(all(
        feature = "claude-code",
        feature = "claude-stream",
        feature = "codex",
        feature = "codex-exec",
        feature = "copilot",
        feature = "cowork",
        feature = "cursor",
        feature = "droid",
        feature = "engram",
        feature = "gemini",
        feature = "hook",
        feature = "ndjson",
        feature = "opencode",
        feature = "otlp",
        feature = "pi",
        feature = "qwen"
    )),
    allow(dead_code, reason = "what several formats use, no single one uses in whole")
)]
pub(crate) mod common;
#[cfg(feature = "copilot")]
mod copilot;
#[cfg(feature = "cursor")]
mod cursor;
#[cfg(feature = "droid")]
mod droid;
#[cfg(feature = "engram")]
mod engram;
#[cfg(feature = "gemini")]
mod gemini;
#[cfg(feature = "hook")]
mod hook;
#[cfg(feature = "ndjson")]
mod ndjson;
#[cfg(feature = "opencode")]
mod opencode;
#[cfg(feature = "otlp")]
mod otlp;
#[cfg(feature = "pi")]
mod pi;
#[cfg(feature = "qwen")]
mod qwen;

use std::sync::Arc;

#[cfg(feature = "claude-code")]
pub use claude::ClaudeCode;
#[cfg(feature = "claude-stream")]
pub use claude_stream::ClaudeStream;
#[cfg(feature = "cowork")]
pub use claude_stream::Cowork;
#[cfg(feature = "codex")]
pub use codex::Codex;
#[cfg(feature = "codex-exec")]
pub use codex_exec::CodexExec;
#[cfg(feature = "copilot")]
pub use copilot::Copilot;
#[cfg(feature = "cursor")]
pub use cursor::CursorAgent;
#[cfg(feature = "droid")]
pub use droid::Droid;
#[cfg(feature = "engram")]
pub use engram::Engram;
#[cfg(feature = "gemini")]
pub use gemini::Gemini;
#[cfg(feature = "hook")]
pub use hook::{Hook, HookCall, HookDecoder, append_hook, append_hook_call, submit_hook};
#[cfg(feature = "ndjson")]
pub use ndjson::{Mapping, Ndjson};
#[cfg(feature = "opencode")]
pub use opencode::OpenCode;
#[cfg(feature = "otlp")]
pub use otlp::{Otlp, OtlpReceiver, OtlpStored};
#[cfg(feature = "pi")]
pub use pi::Pi;
#[cfg(feature = "qwen")]
pub use qwen::Qwen;

use crate::adapter::Adapter;

/// All formats that were compiled in. Of those that are equally sure of a line, the first
/// reads the file.
pub(crate) fn all() -> Vec<Arc<dyn Adapter>> {
    Vec::from([
        #[cfg(feature = "claude-code")]
        shared(ClaudeCode),
        #[cfg(feature = "ndjson")]
        shared(Ndjson::default()),
        #[cfg(feature = "codex")]
        shared(Codex),
        #[cfg(feature = "codex-exec")]
        shared(CodexExec),
        #[cfg(feature = "copilot")]
        shared(Copilot),
        #[cfg(feature = "hook")]
        shared(Hook),
        #[cfg(feature = "engram")]
        shared(Engram),
        #[cfg(feature = "gemini")]
        shared(Gemini),
        #[cfg(feature = "pi")]
        shared(Pi),
        #[cfg(feature = "cursor")]
        shared(CursorAgent),
        #[cfg(feature = "opencode")]
        shared(OpenCode),
        #[cfg(feature = "claude-stream")]
        shared(ClaudeStream),
        #[cfg(feature = "cowork")]
        shared(Cowork),
        #[cfg(feature = "qwen")]
        shared(Qwen),
        #[cfg(feature = "droid")]
        shared(Droid),
        #[cfg(feature = "otlp")]
        shared(Otlp),
    ])
}

#[cfg(any(
    feature = "claude-code",
    feature = "claude-stream",
    feature = "codex",
    feature = "codex-exec",
    feature = "copilot",
    feature = "cowork",
    feature = "cursor",
    feature = "droid",
    feature = "engram",
    feature = "gemini",
    feature = "hook",
    feature = "ndjson",
    feature = "opencode",
    feature = "otlp",
    feature = "pi",
    feature = "qwen"
))]
fn shared(adapter: impl Adapter + 'static) -> Arc<dyn Adapter> {
    Arc::new(adapter)
}

/// What reads lines that no format recognises: any lines of JSON. No tool's format does,
/// or what is another tool's would be told as this one's.
pub(crate) const FALLBACK: Option<&str> =
    if cfg!(feature = "ndjson") { Some("ndjson") } else { None };
