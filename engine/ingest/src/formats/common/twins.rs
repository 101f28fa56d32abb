//! Steps that hooks and transcripts both tell: which events tell the same.
//!
//! A step is the call that it names, or the prompt: the nth time that a prompt was told by a
//! hook is the nth time that it stands in a transcript.

use forebear_core::{Detail, Event, EventId, Filter, Result, Snapshot};
use forebear_readings::keys::TOOL_USE_ID;
use forebear_readings::{MAX_CALLS, numbered};

use crate::formats::common::equal::content;
use crate::formats::common::labels::{HOOK, PROMPT_DIGEST, TYPE};

/// Whether a hook of a store told anything.
pub(crate) fn has_hooks(snapshot: &Snapshot) -> Result<bool> {
    let hooks = Filter::new().label(TYPE, HOOK).with_superseded();
    Ok(!snapshot.events(hooks).limit(1).detail(Detail::Ids).page()?.items.is_empty())
}

/// Whether a stored event of a transcript tells what an event of a hook does; of prompts, one that
/// no other hook's event tells.
pub(crate) fn is_told(snapshot: &Snapshot, event: &Event) -> Result<bool> {
    let Some(session) = event.as_session() else { return Ok(false) };
    let kind = match event.as_label(HOOK) {
        Some(PRE_TOOL_USE) => TOOL_USE,
        Some(POST_TOOL_USE | POST_TOOL_USE_FAILURE) => TOOL_RESULT,
        Some(USER_PROMPT_SUBMIT) => {
            let Some(prompts) = Prompts::alike(snapshot, event)? else { return Ok(false) };
            return Ok(prompts.lines > prompts.hooks.len());
        }
        _ => return Ok(false),
    };
    let Some(call) = event.as_label(TOOL_USE_ID) else { return Ok(false) };
    let keys = (0..MAX_CALLS).map(|n| numbered(TOOL_USE_ID, n));
    let step = Filter::new().session(session).instance(event.as_instance()).kind(kind);
    let step = step.label_of_any(keys, call);
    Ok(!snapshot.events(step).limit(1).detail(Detail::Ids).page()?.items.is_empty())
}

/// The events by which hooks may have told the calls or the results of an event of a transcript.
pub(crate) fn of_calls(event: &Event) -> Vec<EventId> {
    let hooks: &[&str] = match event.as_kind() {
        TOOL_USE => &[PRE_TOOL_USE],
        TOOL_RESULT => &[POST_TOOL_USE, POST_TOOL_USE_FAILURE],
        _ => return Vec::new(),
    };
    let Some(session) = event.as_session() else { return Vec::new() };
    let calls = (0..MAX_CALLS).map_while(|n| event.as_label(&numbered(TOOL_USE_ID, n)));
    let told_by = |call| hooks.iter().map(move |hook| of_call(session, call, hook));
    calls.flat_map(told_by).map(|name| EventId::derived(CALL_DOMAIN, &name)).collect()
}

/// What the id of a hook's event is derived from, of calls that have one such event each.
pub(crate) fn of_call(session: &str, tool_use_id: &str, hook: &str) -> Vec<u8> {
    content(&[session.as_bytes(), tool_use_id.as_bytes(), hook.as_bytes()])
}

/// The event by which a hook told the prompt of an event of a transcript.
pub(crate) fn of_prompt(snapshot: &Snapshot, event: &Event) -> Result<Option<EventId>> {
    let Some(mut prompts) = Prompts::alike(snapshot, event)? else { return Ok(None) };
    let nth = prompts.lines;
    Ok((nth < prompts.hooks.len()).then(|| prompts.hooks.swap_remove(nth)))
}

/// What a prompt is known by: its beginning.
pub(crate) fn prompt_digest(prompt: &str) -> Option<String> {
    let prompt = prompt.trim();
    let prompt = &prompt[..prompt.floor_char_boundary(MAX_PROMPT_BYTES)];
    if prompt.is_empty() {
        return None;
    }
    let mut hasher = blake3::Hasher::new_derive_key("forebear 2026 prompts of sessions");
    let digest = hasher.update(prompt.as_bytes()).finalize().to_hex();
    Some(digest[..PROMPT_DIGEST_CHARS].to_owned())
}

/// The events of a session that tell one prompt.
struct Prompts {
    /// Those of hooks, in the order in which they came.
    hooks: Vec<EventId>,
    /// How many there are of transcripts.
    lines: usize,
}

impl Prompts {
    /// Those of an event's prompt; none where it has none.
    fn alike(snapshot: &Snapshot, event: &Event) -> Result<Option<Self>> {
        let (Some(session), Some(digest)) = (event.as_session(), event.as_label(PROMPT_DIGEST))
        else {
            return Ok(None);
        };
        let alike = Filter::new().session(session).label(PROMPT_DIGEST, digest).with_superseded();
        let found = snapshot.events(alike).limit(MAX_ALIKE).detail(Detail::Labels).page()?.items;
        let (hooks, lines): (Vec<_>, Vec<_>) =
            found.iter().partition(|event| event.label(HOOK).is_some());
        let mut hooks: Vec<_> =
            hooks.into_iter().map(|hook| (hook.seq(), hook.id().clone())).collect();
        hooks.sort_unstable();
        let hooks = hooks.into_iter().map(|(_, id)| id).collect();
        Ok(Some(Self { hooks, lines: lines.len() }))
    }
}

/// The program that calls the hooks.
pub(crate) const SOURCE_APP: &str = "claude-code";
/// The name of the format of hooks.
pub(crate) const FORMAT: &str = "hook";

pub(crate) const PRE_TOOL_USE: &str = "PreToolUse";
pub(crate) const POST_TOOL_USE: &str = "PostToolUse";
pub(crate) const POST_TOOL_USE_FAILURE: &str = "PostToolUseFailure";
pub(crate) const USER_PROMPT_SUBMIT: &str = "UserPromptSubmit";

/// Keeps the ids of calls' events apart from other derived ids.
pub(crate) const CALL_DOMAIN: &str = "forebear hook call v1";

/// The kinds of calls and of results in transcripts.
const TOOL_USE: &str = "tool_use";
const TOOL_RESULT: &str = "tool_result";
/// Bytes of a prompt that it is known by.
pub(crate) const MAX_PROMPT_BYTES: usize = 64 << 10;
/// 128 bits in hexadecimal.
const PROMPT_DIGEST_CHARS: usize = 32;
/// Events that tell one prompt which are looked at: the newest.
const MAX_ALIKE: usize = 1000;
