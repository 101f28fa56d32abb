//! The labels that imported events bear beside those that follow from what they read as.

/// The line's own type.
pub(crate) const TYPE: &str = "type";
pub(crate) const SUBTYPE: &str = "subtype";
pub(crate) const AGENT: &str = "agent";
/// The git branch.
pub(crate) const BRANCH: &str = "branch";
/// The version of the program that wrote the transcript.
pub(crate) const VERSION: &str = "version";
pub(crate) const MODEL: &str = "model";
/// The name of the project's folder.
pub(crate) const PROJECT: &str = "project";
/// `true` on events of agents whose lines stand in the main file.
pub(crate) const SIDECHAIN: &str = "sidechain";

/// The session that a forked one or an agent's goes back to.
pub(crate) const FORKED_FROM: &str = "forked_from";
/// The session that an event was copied from, in a file that begins with such copies.
pub(crate) const COPY_OF: &str = "copy_of";
/// The session that an event was copied from, in a forked session that goes on from all of
/// it: what its messages took is the fork's as well.
pub(crate) const COPIED_FROM: &str = "copied_from";
/// `true` on events of an agent that no call started: it goes on from its session.
pub(crate) const ASIDE: &str = "aside";
/// `true` on events that say a step again which another of the session says.
pub(crate) const MIRROR: &str = "mirror";
/// What a prompt of the user is known by, in hooks and in transcripts: 128 bits of blake3 in
/// hexadecimal.
pub(crate) const PROMPT_DIGEST: &str = "prompt_digest";
/// The hook that was called.
pub(crate) const HOOK: &str = "hook";
/// What kind of agent a call starts, or an event is of.
pub(crate) const AGENT_TYPE: &str = "agent_type";

/// The task that an event comes from, or that it is.
pub(crate) const SOURCE_TASK: &str = "source_task";
/// The task that an event is for.
pub(crate) const TARGET_TASK: &str = "target_task";
/// What two tasks have to do with each other: `blocks`, `parent_child`, `related`.
pub(crate) const EDGE: &str = "edge";
pub(crate) const STATUS: &str = "status";
pub(crate) const PRIORITY: &str = "priority";
/// `true` on what a tombstone says is no more.
pub(crate) const REMOVED: &str = "removed";

/// The agent whose first event this is, which names no parent.
pub(crate) const AGENT_ROOT: &str = "agent_root";
/// What results of calls name an agent by whose first event this is: a run of a workflow, a
/// member of a team. Unique in the store.
pub(crate) const SPAWNED_AS: &str = "spawned_as";
/// The same on what says that a call started it.
pub(crate) const SPAWNS: &str = "spawns";
/// The agent that the call started which this is the result of.
pub(crate) const AGENT_RESULT: &str = "agent_result";
/// The agent whose progress this reports.
pub(crate) const AGENT_PROGRESS: &str = "agent_progress";
/// A call (its tool-use id) by which the agent of one of the two may have been
/// started. Numbered, up to [`MAX_CALLS`](forebear_readings::MAX_CALLS).
pub(crate) const AGENT_CALL: &str = "agent_call";
/// The event that holds that call.
pub(crate) const SOURCE_CALL: &str = "source_call";

/// The wave that an event's session is one of.
pub(crate) const WAVE_ID: &str = "wave_id";

/// Whether a key is one of those that [`numbered`](forebear_readings::numbered) makes of another.
pub(crate) fn is_numbered(key: &str, of: &str) -> bool {
    key.strip_prefix(of).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
