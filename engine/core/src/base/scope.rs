//! Whose the events of an instance are within their session.

use std::fmt;
use std::str::FromStr;

use crate::base::error::{Error, Result};

/// Whose the events of an instance are within their session.
///
/// Several instances can work on one session, such as the workers that serve one order:
/// what they report is the session's. An instance can also be an actor of its own there,
/// whose events are told apart from those of the session that it works for. Nothing but
/// this says which it is. It says no more of what happened: an event that comes again
/// with another scope is a repeat.
///
/// ```
/// use forebear::{Event, Scope, SessionFilter, SessionReads};
///
/// let store = forebear::in_memory()?;
/// let event = |instance| Event::new("step").session("checkout-42").instance(instance);
/// store.append_batch([event("worker-1"), event("worker-2")])?;
/// store.append(event("auditor").scope(Scope::Own))?;
/// let sessions = store.snapshot().sessions(SessionFilter::new()).page()?.items;
/// let told: Vec<_> = sessions.iter().map(|session| (&*session.id, session.events)).collect();
/// assert_eq!(told, [("checkout-42", 2), ("checkout-42/auditor", 1)]);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// They are the session's, as those of the other instances.
    #[default]
    Session,
    /// The instance is an actor of its own within the session.
    Own,
}

impl Scope {
    /// The scope's name: `session` or `own`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Own => "own",
        }
    }

    pub(crate) fn of(own: bool) -> Self {
        if own { Self::Own } else { Self::Session }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "session" => Ok(Self::Session),
            "own" => Ok(Self::Own),
            other => {
                Err(Error::invalid(format!("expected a scope (session, own), found {other:?}")))
            }
        }
    }
}
