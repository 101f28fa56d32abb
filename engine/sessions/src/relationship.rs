//! How two sessions belong together.

use crate::fields::{METADATA, Put, check_name, metadata, named, number};
use crate::kinds::{DelegationType, RelationshipType, SpawnReason};
use crate::value::{self, JsonFields};
use forebear_core::{Error, Result};

/// A relationship between two sessions. There is one for each pair; saying it again
/// changes the fields that are set.
///
/// The engine makes them by itself: from a session to those of its agents, and where
/// events of one session are versions of, go on from or were spawned by events of
/// another.
///
/// ```
/// use forebear::{Relationship, RelationshipType, SessionReads, SessionWrites, SpawnReason};
///
/// let store = forebear::in_memory()?;
/// store.relate(Relationship::new("lead", "worker").reason(SpawnReason::WaveOrchestration))?;
/// store.relate(Relationship::new("lead", "worker").completed_ns(9))?;
/// let children = store.snapshot().session_children("lead").page()?.items;
/// assert_eq!(children[0].relationship_type, RelationshipType::ParentChild);
/// assert_eq!(children[0].spawn_reason, Some(SpawnReason::WaveOrchestration));
/// assert_eq!(children[0].completed_ns, Some(9));
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Relationship {
    pub(crate) parent: String,
    pub(crate) child: String,
    put: Put,
}

/// A relationship as it is known.
///
/// An example is at [`Relationship`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredRelationship {
    /// The session that the other one comes from.
    pub parent: String,
    /// The other one.
    pub child: String,
    /// How they belong together.
    pub relationship_type: RelationshipType,
    /// Why the child was started.
    pub spawn_reason: Option<SpawnReason>,
    /// How its work was given to it.
    pub delegation_type: Option<DelegationType>,
    /// What else was said of it, as JSON.
    pub metadata: Option<String>,
    /// When it was made: the time of the call that started an agent, where it is known.
    pub created_ns: Option<i64>,
    /// When what was delegated was done.
    pub completed_ns: Option<i64>,
    /// Whether somebody said it; else it follows from events alone.
    pub stated: bool,
}

impl Relationship {
    /// The child comes from the parent, as a child does unless it is said otherwise.
    pub fn new(parent: impl Into<String>, child: impl Into<String>) -> Self {
        Self { parent: parent.into(), child: child.into(), put: Put::default() }
    }

    /// Sets how they belong together.
    #[must_use]
    pub fn relationship_type(mut self, relationship_type: RelationshipType) -> Self {
        self.put.text(TYPE, relationship_type.as_str());
        self
    }

    /// Sets why the child was started.
    #[must_use]
    pub fn reason(mut self, reason: SpawnReason) -> Self {
        self.put.text(REASON, reason.as_str());
        self
    }

    /// Sets how its work was given to it.
    #[must_use]
    pub fn delegation(mut self, delegation: DelegationType) -> Self {
        self.put.text(DELEGATION, delegation.as_str());
        self
    }

    /// Sets what else there is to say, as JSON.
    #[must_use]
    pub fn metadata(mut self, json: impl Into<String>) -> Self {
        self.put.json(METADATA, json.into());
        self
    }

    /// Sets when it was made, in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn created_ns(mut self, created_ns: i64) -> Self {
        self.put.number(CREATED, created_ns);
        self
    }

    /// Sets when what was delegated was done.
    #[must_use]
    pub fn completed_ns(mut self, completed_ns: i64) -> Self {
        self.put.number(COMPLETED, completed_ns);
        self
    }

    /// Sets a member of the metadata, which stays when the rest is set; none takes it
    /// away.
    #[must_use]
    pub fn metadata_member(mut self, name: &str, json: Option<String>) -> Self {
        self.put.member(name, json);
        self
    }

    /// Takes back when what was delegated was done.
    #[must_use]
    pub fn without_completion(mut self) -> Self {
        self.put.number(COMPLETED, None::<i64>);
        self
    }

    /// Fails where it can't be stored, as a write of it does ([`Error::is_invalid`]).
    pub fn validate(&self) -> Result<()> {
        self.fields().map(drop)
    }

    /// The fields, where all of them can be stored.
    pub(crate) fn fields(&self) -> Result<&JsonFields> {
        check_name("parent", &self.parent)?;
        check_name("child", &self.child)?;
        self.put.finish()
    }
}

impl StoredRelationship {
    /// One that follows from events.
    pub(super) fn derived(parent: &str, child: &str, kind: RelationshipType) -> Self {
        Self {
            parent: parent.to_owned(),
            child: child.to_owned(),
            relationship_type: kind,
            spawn_reason: None,
            delegation_type: None,
            metadata: None,
            created_ns: None,
            completed_ns: None,
            stated: false,
        }
    }

    /// Takes over what was said.
    pub(super) fn state(&mut self, fields: &JsonFields) {
        self.stated = true;
        self.relationship_type = named(fields, TYPE).unwrap_or(self.relationship_type);
        self.spawn_reason = named(fields, REASON).or(self.spawn_reason);
        self.delegation_type = named(fields, DELEGATION).or(self.delegation_type);
        self.metadata = metadata(fields).or(self.metadata.take());
        self.created_ns = number(fields, CREATED).or(self.created_ns);
        self.completed_ns = number(fields, COMPLETED).or(self.completed_ns);
    }
}

/// Checks a relationship as it is stored.
pub(crate) fn check(key: &str, bytes: &[u8]) -> Result<()> {
    let ends = key.strip_prefix([BELOW, ABOVE]).and_then(|ends| ends.split_once('\0'));
    let Some((one, other)) = ends else {
        return Err(Error::invalid(format!(
            "expected the two ends of a relationship, found {key:?}"
        )));
    };
    check_name("session", one)?;
    check_name("session", other)?;
    value::check_fields(&value::fields(value::text(bytes)?)?)
}

/// The keys under which a relationship is found from either end.
pub(crate) fn keys(parent: &str, child: &str) -> [String; 2] {
    [format!("{BELOW}{parent}\0{child}"), format!("{ABOVE}{child}\0{parent}")]
}

pub(super) const TYPE: &str = "type";
const REASON: &str = "spawn_reason";
const DELEGATION: &str = "delegation_type";
const CREATED: &str = "created_ns";
const COMPLETED: &str = "completed_ns";
/// What keys from the parent's and from the child's end begin with.
pub(super) const BELOW: char = '>';
pub(super) const ABOVE: char = '<';
