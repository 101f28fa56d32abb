//! What somebody says of a session, beside what its events say.

use crate::fields::{METADATA, Put, check_name};
use crate::kinds::{RelationshipType, SessionStatus, SessionType};
use crate::relationship::Relationship;
use crate::value::JsonFields;
use forebear_core::{Result, Tokens};

/// What is said of a session. Fields that are not set stay as they are; those that
/// are take the place of what was said before and of what the events say.
///
/// ```
/// use forebear::{Event, SessionPatch, SessionReads, SessionStatus, SessionWrites};
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("user_message").session("s1"))?;
/// store.upsert_session(SessionPatch::new("s1").source_app("my-service").metadata(r#"{"n":1}"#))?;
/// store.upsert_session(SessionPatch::new("s1").status(SessionStatus::Cancelled))?;
/// let session = store.snapshot().session("s1")?.expect("it is stored");
/// assert_eq!((session.status, session.events), (SessionStatus::Cancelled, 1));
/// assert_eq!(session.source_app.as_deref(), Some("my-service"));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionPatch {
    pub(crate) id: String,
    pub(crate) parent: Option<String>,
    pub(crate) session_type: Option<SessionType>,
    put: Put,
}

impl SessionPatch {
    /// Says nothing yet of the session with this name.
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), parent: None, session_type: None, put: Put::default() }
    }

    /// Sets which program the session is of.
    #[must_use]
    pub fn source_app(mut self, source_app: &str) -> Self {
        self.put.text(SOURCE_APP, source_app);
        self
    }

    /// Sets what it is.
    #[must_use]
    pub fn session_type(mut self, session_type: SessionType) -> Self {
        self.session_type = Some(session_type);
        self.put.text(TYPE, session_type.as_str());
        self
    }

    /// Sets the session that it belongs to, which makes a relationship of the two.
    ///
    /// ```
    /// use forebear::{SessionPatch, SessionReads, SessionWrites};
    ///
    /// let store = forebear::in_memory()?;
    /// store.upsert_session(SessionPatch::new("part").parent("whole"))?;
    /// let children = store.snapshot().session_children("whole").page()?.items;
    /// assert_eq!(children[0].child, "part");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn parent(mut self, parent: &str) -> Self {
        self.parent = Some(parent.to_owned());
        self.put.text(PARENT, parent);
        self
    }

    /// Sets when it began, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn start_ns(mut self, start_ns: i64) -> Self {
        self.put.number(START, start_ns);
        self
    }

    /// Sets when it ended, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn end_ns(mut self, end_ns: i64) -> Self {
        self.put.number(END, end_ns);
        self
    }

    /// Sets how it is doing.
    #[must_use]
    pub fn status(mut self, status: SessionStatus) -> Self {
        self.put.text(STATUS, status.as_str());
        self
    }

    /// Sets how many agents it has.
    #[must_use]
    pub fn agents(mut self, agents: u64) -> Self {
        self.put.number(AGENTS, agents);
        self
    }

    /// Sets what it took in all.
    #[must_use]
    pub fn tokens(mut self, tokens: Tokens) -> Self {
        let Tokens { input, output, cache_read, cache_written } = tokens;
        self.put.number(TOKENS, [input, output, cache_read, cache_written]);
        self
    }

    /// Sets what else there is to say, as JSON. A text `wave_id` in it is the wave
    /// that the session is of.
    #[must_use]
    pub fn metadata(mut self, json: impl Into<String>) -> Self {
        self.put.json(METADATA, json.into());
        self
    }

    /// Sets a member of the metadata, which stays when the rest is set; none takes it
    /// away.
    #[must_use]
    pub fn metadata_member(mut self, name: &str, json: Option<String>) -> Self {
        self.put.member(name, json);
        self
    }

    /// Takes back when it ended: its last event says so.
    #[must_use]
    pub fn without_end(mut self) -> Self {
        self.put.number(END, None::<i64>);
        self
    }

    /// Takes back how it is doing: its events say so.
    #[must_use]
    pub fn without_status(mut self) -> Self {
        self.put.number(STATUS, None::<i64>);
        self
    }

    /// Sets the model that it used.
    #[must_use]
    pub fn model(mut self, model: &str) -> Self {
        self.put.text(MODEL, model);
        self
    }

    /// Sets the project that it is about.
    #[must_use]
    pub fn project(mut self, project: &str) -> Self {
        self.put.text(PROJECT, project);
        self
    }

    /// Sets the wave that it is one of.
    #[must_use]
    pub fn wave(mut self, wave_id: &str) -> Self {
        self.put.text(WAVE, wave_id);
        self
    }

    /// The relationship with the parent, if one was set.
    pub(crate) fn relationship(&self) -> Option<Relationship> {
        let relationship = Relationship::new(self.parent.as_deref()?, &*self.id);
        Some(match self.session_type {
            Some(SessionType::Wave) => relationship.relationship_type(RelationshipType::WaveMember),
            Some(SessionType::Continuation) => {
                relationship.relationship_type(RelationshipType::Continuation)
            }
            _ => relationship,
        })
    }

    /// Fails where it can't be stored, as a write of it does
    /// ([`Error::is_invalid`](forebear_core::Error::is_invalid)).
    pub fn validate(&self) -> Result<()> {
        self.fields().map(drop)
    }

    /// The fields, where all of them can be stored.
    pub(crate) fn fields(&self) -> Result<&JsonFields> {
        check_name("session", &self.id)?;
        if let Some(parent) = &self.parent {
            check_name("parent", parent)?;
        }
        self.put.finish()
    }
}

pub(super) const SOURCE_APP: &str = "source_app";
pub(super) const TYPE: &str = "type";
pub(super) const PARENT: &str = "parent";
pub(super) const START: &str = "start_ns";
pub(super) const END: &str = "end_ns";
pub(super) const STATUS: &str = "status";
pub(super) const AGENTS: &str = "agents";
pub(super) const TOKENS: &str = "tokens";
pub(super) const MODEL: &str = "model";
pub(super) const PROJECT: &str = "project";
pub(super) const WAVE: &str = "wave_id";
