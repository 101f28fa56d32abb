//! Hooks as they are called: one payload after the other, by what the store knows.

use std::borrow::Cow;

use forebear_core::{
    Appended, Batch, Decoder, Error, Foreign, Result, Snapshot, Spool, Store, Ticket, limits,
};
use forebear_sessions::{Session, SessionPatch};
use serde::de::IgnoredAny;

use crate::adapter::Adapter;
use crate::formats::common::twins::{self, SOURCE_APP};
use crate::formats::common::values::cut;
use crate::formats::hook::past::Past;
use crate::formats::hook::{Hook, HookFields};
use crate::parsed::Parsed;

/// Appends the payload of a hook of Claude Code, which came at this time (in
/// nanoseconds since the Unix epoch). It hangs on what the store knows of the
/// session: the result of a call on the call, an agent's start on the call that
/// started it, anything else on the last event. What its transcript tells already is
/// neither listed nor counted.
///
/// The same payload with the same time is a repeat. An error if it is not an
/// object with `session_id` and `hook_event_name`. O(1): it reads the newest
/// events of the session.
///
/// ```
/// use forebear::{EventId, Store, ingest};
///
/// let store = forebear::in_memory()?;
/// let asked = r#"{"session_id":"s","hook_event_name":"UserPromptSubmit","prompt":"go"}"#;
/// let before = r#"{"session_id":"s","hook_event_name":"PreToolUse","tool_name":"Bash","tool_use_id":"t"}"#;
/// let after = r#"{"session_id":"s","hook_event_name":"PostToolUse","tool_name":"Bash","tool_use_id":"t"}"#;
/// let asked = ingest::append_hook(&store, asked, 1)?;
/// let before = ingest::append_hook(&store, before, 2)?;
/// let after = ingest::append_hook(&store, after, 3)?;
/// let snapshot = store.snapshot();
/// let parent = |id: &EventId| snapshot.get(id).map(|e| e.and_then(|e| e.parent().cloned()));
/// assert_eq!(parent(&after.id)?, Some(before.id.clone()));
/// assert_eq!(parent(&before.id)?, Some(asked.id));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn append_hook(store: &Store, payload: &str, time_ns: i64) -> Result<Appended> {
    append_hook_call(store, &HookCall::new(payload, time_ns))
}

/// The call of a hook, as a sender of its own tells of it.
///
/// ```
/// use forebear::ingest::{self, HookCall};
/// use forebear::SessionReads;
///
/// let store = forebear::in_memory()?;
/// let payload = r#"{"session_id":"s","hook_event_name":"SessionStart"}"#;
/// let call = HookCall::new(payload, 1).source_app("shop").label("model", "m");
/// let stored = ingest::append_hook_call(&store, &call)?;
/// let event = store.snapshot().get(&stored.id)?.expect("it is stored");
/// assert_eq!((event.label("source_app"), event.label("model")), (Some("shop"), Some("m")));
/// let session = store.snapshot().session("s")?.expect("it has an event");
/// assert_eq!(session.source_app.as_deref(), Some("shop"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct HookCall<'p> {
    payload: &'p str,
    time_ns: i64,
    source_app: Option<String>,
    labels: Vec<(String, String)>,
}

impl<'p> HookCall<'p> {
    /// A call with this payload, which came at this time, in nanoseconds since the Unix epoch.
    pub fn new(payload: &'p str, time_ns: i64) -> Self {
        Self { payload, time_ns, source_app: None, labels: Vec::new() }
    }

    /// Sets the program that it comes from: a label of the event, and what the session is said
    /// to be of; Claude Code unless set.
    #[must_use]
    pub fn source_app(mut self, name: &str) -> Self {
        let name = cut(Cow::Borrowed(name), limits::MAX_LABEL_VALUE_BYTES);
        self.source_app = Some(name.clone());
        self.label("source_app", name)
    }

    /// Adds a label to the event.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push((key.into(), value.into()));
        self
    }
}

/// As [`append_hook`], with what the sender says of the call.
///
/// An example is at [`HookCall`].
pub fn append_hook_call(store: &Store, call: &HookCall<'_>) -> Result<Appended> {
    let mut written = store.write(hook_batch(&store.snapshot(), call)?)?;
    written.events.pop().ok_or_else(|| Error::invalid("expected the event of a hook, found none"))
}

/// Hands in the payload of a hook of Claude Code, which came at this time (in
/// nanoseconds since the Unix epoch), for a process that has a [`HookDecoder`] to take in
/// as [`append_hook`] does. A payload that is none is quarantined then. Two syncs, and
/// nothing is read.
///
/// An example is at [`HookDecoder`].
pub fn submit_hook(spool: &Spool, payload: impl Into<Vec<u8>>, time_ns: i64) -> Result<Ticket> {
    spool.submit_foreign(HookDecoder::NAME, payload, time_ns)
}

/// Takes in payloads of hooks that [`submit_hook`] handed in.
///
/// ```
/// use forebear::Filter;
/// use forebear::ingest::submit_hook;
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let payload = r#"{"session_id":"s","hook_event_name":"SessionStart"}"#;
/// submit_hook(&forebear::spool(&path)?, payload, 1)?;
/// let store = forebear::open(&path)?; // With the decoder, as by `Store::builder().decoder(…)`.
/// store.drain_spool()?;
/// let page = store.snapshot().events(Filter::new().session("s")).page()?;
/// assert_eq!(page.items[0].kind(), "SessionStart");
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct HookDecoder;

impl HookDecoder {
    /// The name that payloads of hooks are handed in under.
    pub const NAME: &'static str = "hook";
}

impl Decoder for HookDecoder {
    fn decode(&self, foreign: &Foreign<'_>, snapshot: &Snapshot) -> Result<Batch> {
        let payload = std::str::from_utf8(foreign.bytes)
            .map_err(|_| Error::invalid("expected a hook's payload, found other bytes"))?;
        hook_batch(snapshot, &HookCall::new(payload, foreign.time_ns))
    }
}

/// The event that a payload which came at this time stands for, by what the store
/// knows of its session, and what it says of that one.
fn hook_batch(snapshot: &Snapshot, call: &HookCall<'_>) -> Result<Batch> {
    let HookCall { payload, time_ns, source_app, labels } = call;
    let time_ns = *time_ns;
    // Some systems' shells put a mark before it.
    let payload = payload.trim_start_matches('\u{feff}');
    // The reader of fields takes what is well formed for granted.
    let well_formed = serde_json::from_str::<IgnoredAny>(payload);
    well_formed.map_err(|error| Error::invalid(format!("expected a hook's payload: {error}")))?;
    let fields = HookFields::read(payload);
    let session = fields.session_name().map_err(Error::invalid)?;
    let mut past = Past::of(snapshot, &session)?;
    // Told apart from others with the same bytes by when it came.
    let number = time_ns.cast_unsigned();
    let event = fields.event(payload, &session, time_ns, number, &past);
    let event = labels.iter().fold(event, |event, (key, value)| event.label(key, value));
    let (id, instance) = (event.as_id().clone(), event.as_instance().to_owned());
    let scope = event.as_scope();
    let is_told = twins::is_told(snapshot, &event)?;
    let name = if instance == session { &session } else { &instance };
    let is_new = past.last_of(name).is_none();
    let links = past.note_event(&event, &session);
    let said = fields.says(event, false).payloads_in(Hook.name());
    let mut parsed = links.into_iter().fold(said, Parsed::link);
    if is_new && let Some(name) = Session::name_of(&session, &instance, scope) {
        let app = source_app.as_deref().unwrap_or(SOURCE_APP);
        parsed = parsed.session(SessionPatch::new(name).source_app(app));
    }
    // What is said again was said before what came since.
    let known = parsed.has_statements() && snapshot.get(&id)?.is_some();
    let parsed = if known { parsed.without_statements() } else { parsed };
    let batch = parsed.add_to(Batch::new());
    Ok(if is_told { batch.told_elsewhere(id) } else { batch })
}
