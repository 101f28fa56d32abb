//! The small fields of a reading that events bear as labels, so that no list has to read
//! a payload.

use std::borrow::Cow;

use forebear_core::limits;

use crate::failure::Failure;
use crate::reading::{CallFamily, Reading};
use crate::text::Text;

/// The names of the labels.
pub mod keys {
    /// The tool that is called, and that a result is of. [Numbered](super::numbered), up to
    /// [`MAX_TOOLS`](super::MAX_TOOLS).
    pub const TOOL: &str = "tool";
    /// The call, on itself and on its result. Numbered, up to
    /// [`MAX_CALLS`](super::MAX_CALLS).
    pub const TOOL_USE_ID: &str = "tool_use_id";
    /// What a call is about, cut to the length of a label. Numbered, up to
    /// [`MAX_TOOLS`](super::MAX_TOOLS).
    pub const TARGET: &str = "target";
    /// Of a target that was cut the digest of all of it: 128 bits of blake3 in hexadecimal.
    pub const TARGET_DIGEST: &str = "target_digest";
    /// `true` on failures.
    pub const IS_ERROR: &str = "is_error";
    /// `true` on failures of no weight by themselves.
    pub const MINOR: &str = "minor";
    /// The exit code of a command.
    pub const EXIT_CODE: &str = "exit_code";
    /// A file that was read or written. Numbered, up to [`MAX_TOOLS`](super::MAX_TOOLS).
    pub const FILE: &str = "file";
    /// Whose words they are: `user`, `assistant`, `system`, `tool`.
    pub const ROLE: &str = "role";
    /// The request to the model.
    pub const REQUEST_ID: &str = "request_id";
    /// The folder that it was said or done in.
    pub const CWD: &str = "cwd";
    /// What is allowed without asking.
    pub const PERMISSION_MODE: &str = "permission_mode";
    /// `refused` or `stopped` on what someone didn't let happen or go on.
    pub const INTERRUPTED: &str = "interrupted";
    /// `user` on calls that wait for the user.
    pub const WAITS_FOR: &str = "waits_for";
    /// What the session is called, cut.
    pub const TITLE: &str = "title";
    /// Who gave the title: `user`, `summary`, `generated`, or `request` for the first words
    /// of the user.
    pub const TITLE_BY: &str = "title_by";
    /// `true` on the program's own notes, which are no step of what happened.
    pub const BOOKKEEPING: &str = "bookkeeping";
    /// `true` on events whose record bears no time.
    pub const TIME_MADE_UP: &str = "time_made_up";
}

/// Most tools, targets and files of one event that get labels.
pub const MAX_TOOLS: usize = 8;
/// Bytes of a title that are kept.
pub const MAX_TITLE_BYTES: usize = 200;
/// Most calls of one event that get labels, so that all labels fit an event.
pub const MAX_CALLS: usize = 40;

/// The labels that follow from what an event reads as, and from whether that is a
/// [failure](crate::failure); the most needed first, for an event with little room left.
///
/// ```
/// use forebear::readings::{Call, Reading, labels};
///
/// let mut reading = Reading::default();
/// let call = Call { tool: Some("Bash".into()), target: Some("ls".into()), ..Call::default() };
/// reading.calls.push(call);
/// let found: Vec<_> = labels(&reading, None).collect();
/// assert_eq!(found, [("tool".into(), "Bash".to_owned()), ("target".into(), "ls".to_owned())]);
/// ```
pub fn labels<'r>(
    reading: &'r Reading<'_>,
    failure: Option<Failure>,
) -> impl Iterator<Item = (Cow<'static, str>, String)> + use<'r> {
    let interruption = reading.interruption.or_else(|| {
        let mut results = reading.results.iter();
        results.find_map(|result| result.interruption).filter(|_| reading.is_interrupted())
    });
    let exit_code = failure.and_then(|failure| failure.exit_code);
    let exit_code = exit_code.or_else(|| reading.results.iter().find_map(|one| one.exit_code));
    let waits = reading.calls.iter().any(|call| call.family == CallFamily::Question);
    let title = reading.title.as_ref();
    let flags = [
        waits.then(|| (keys::WAITS_FOR, "user".to_owned())),
        title.map(|title| (keys::TITLE, title.text.start(MAX_TITLE_BYTES).into_owned())),
        title.map(|title| (keys::TITLE_BY, title.source.name().to_owned())),
        failure.map(|_| (keys::IS_ERROR, "true".to_owned())),
        failure.filter(|failure| failure.minor).map(|_| (keys::MINOR, "true".to_owned())),
        interruption.map(|found| (keys::INTERRUPTED, found.name().to_owned())),
        reading.bookkeeping.then(|| (keys::BOOKKEEPING, "true".to_owned())),
        exit_code.map(|code| (keys::EXIT_CODE, code.to_string())),
        reading.role.map(|role| (keys::ROLE, role.name().to_owned())),
    ];
    let texts = [
        (keys::REQUEST_ID, &reading.request_id),
        (keys::CWD, &reading.cwd),
        (keys::PERMISSION_MODE, &reading.permission_mode),
    ];
    let texts = texts.into_iter().filter_map(|(key, text)| Some((key, value(text.as_ref()?))));
    let files = reading.files.iter().take(MAX_TOOLS).map(|file| value(&file.path));
    let files = files.enumerate().map(|(n, path)| (numbered(keys::FILE, n), path));
    let named = flags.into_iter().flatten().chain(texts);
    let named = named.map(|(key, value)| (Cow::Borrowed(key), value));
    calls(reading).chain(named).chain(files).filter(|(_, value)| !value.is_empty())
}

/// The key of the `n`th label, from 0, where there may be several of a kind: `tool`,
/// `tool.2`, `tool.3`, …
pub fn numbered(key: &'static str, n: usize) -> Cow<'static, str> {
    match n {
        0 => Cow::Borrowed(key),
        _ => Cow::Owned(format!("{key}.{}", n + 1)),
    }
}

/// What names calls and results. Of an event that makes calls, its calls are named.
fn calls<'r>(reading: &'r Reading<'_>) -> impl Iterator<Item = (Cow<'static, str>, String)> + 'r {
    let calls = reading.calls.iter().take(MAX_CALLS).enumerate().flat_map(|(n, call)| {
        let few = n < MAX_TOOLS;
        let tool = call.tool.as_ref().filter(|_| few).map(value);
        let target = call.target.as_ref().filter(|_| few);
        [
            tool.map(|tool| (numbered(keys::TOOL, n), tool)),
            call.id.as_ref().map(|id| (numbered(keys::TOOL_USE_ID, n), value(id))),
            target.map(|target| (numbered(keys::TARGET, n), value(target))),
            target.and_then(|target| Some((numbered(keys::TARGET_DIGEST, n), digest(target)?))),
        ]
    });
    let results = reading.results.iter().take(MAX_TOOLS).filter(|_| reading.calls.is_empty());
    let results = results.enumerate().filter_map(|(n, result)| {
        Some((numbered(keys::TOOL_USE_ID, n), value(result.call_id.as_ref()?)))
    });
    calls.flatten().chain(results)
}

/// A text as the value of a label.
fn value(text: &Text<'_>) -> String {
    text.start(limits::MAX_LABEL_VALUE_BYTES).into_owned()
}

/// The digest of a text that is too long for a label.
fn digest(text: &Text<'_>) -> Option<String> {
    if text.raw_len() <= limits::MAX_LABEL_VALUE_BYTES {
        return None;
    }
    let text = text.decode();
    if text.len() <= limits::MAX_LABEL_VALUE_BYTES {
        return None;
    }
    let digest = blake3::derive_key("forebear 2026 targets of calls", text.as_bytes());
    Some(digest[..16].iter().fold(String::new(), |mut hex, byte| {
        use std::fmt::Write as _;
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reading::{Call, CallResult, Interruption};

    #[test]
    fn the_labels_of_all_calls_fit_an_event() {
        let call = Call {
            id: Some("c".into()),
            tool: Some("t".into()),
            target: Some("x".repeat(5000).into()),
            ..Call::default()
        };
        let reading = Reading { calls: vec![call; 64], ..Reading::default() };
        let found: Vec<_> = labels(&reading, None).collect();
        assert_eq!(found.len(), MAX_CALLS + 3 * MAX_TOOLS);
        assert!(found.iter().all(|(_, value)| value.len() <= limits::MAX_LABEL_VALUE_BYTES));
        assert!(found.iter().any(|(key, value)| key == "target_digest.8" && value.len() == 32));
    }

    #[test]
    fn a_result_that_was_refused_says_so_and_is_no_error() {
        let result = CallResult {
            call_id: Some("c".into()),
            is_error: true,
            interruption: Some(Interruption::Refused),
            ..CallResult::default()
        };
        let reading = Reading { results: vec![result], ..Reading::default() };
        let failure = crate::failure("tool_result", &reading);
        let found: Vec<_> = labels(&reading, failure).collect();
        assert_eq!(
            found,
            [("tool_use_id".into(), "c".to_owned()), ("interrupted".into(), "refused".to_owned())]
        );
    }
}
