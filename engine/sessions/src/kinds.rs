//! The kinds that sessions and relationships are of.

use forebear_core::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// An enum whose values have names, read and written by them.
macro_rules! named {
    (
        $(#[$doc:meta])* $type:ident, $what:literal,
        $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)+
    ) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $type {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                Self::ALL.iter().copied().find(|known| known.as_str() == name).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|known| known.as_str()).collect();
                    let names = names.join(", ");
                    Error::invalid(format!("expected {} ({names}), found {name:?}", $what))
                })
            }
        }
    };
}

named! {
    /// What a session is.
    ///
    /// ```
    /// use forebear::SessionType;
    ///
    /// assert_eq!("subagent".parse::<SessionType>()?, SessionType::Subagent);
    /// assert_eq!(SessionType::Wave.as_str(), "wave");
    /// # Ok::<(), forebear::Error>(())
    /// ```
    SessionType, "the type of a session",
    /// One that nobody delegated.
    Main = "main",
    /// An agent's within another session.
    Subagent = "subagent",
    /// One of several that work together.
    Wave = "wave",
    /// One that goes on from another.
    Continuation = "continuation",
    /// One that shares nothing with those beside it.
    Isolated = "isolated",
    /// A task of a plan.
    Task = "task",
}

named! {
    /// How a session is doing.
    ///
    /// ```
    /// use forebear::SessionStatus;
    ///
    /// assert_eq!("timeout".parse::<SessionStatus>()?.as_str(), "timeout");
    /// assert!("gone".parse::<SessionStatus>().is_err_and(|error| error.is_invalid()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    SessionStatus, "the status of a session",
    /// It goes on.
    Active = "active",
    /// It came to an end.
    Completed = "completed",
    /// It ended with an error.
    Failed = "failed",
    /// It ended while a tool call had no result.
    Timeout = "timeout",
    /// Somebody ended it.
    Cancelled = "cancelled",
}

named! {
    /// How two sessions belong together.
    ///
    /// ```
    /// use forebear::RelationshipType;
    ///
    /// let kind: RelationshipType = "parent/child".parse()?;
    /// assert_eq!(kind, RelationshipType::ParentChild);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    RelationshipType, "the type of a relationship",
    /// The parent delegated something to the child.
    ParentChild = "parent/child",
    /// Both have the same parent.
    Sibling = "sibling",
    /// The child goes on from the parent.
    Continuation = "continuation",
    /// The child is one of the parent's wave.
    WaveMember = "wave_member",
}

named! {
    /// Why a session was started.
    ///
    /// ```
    /// use forebear::SpawnReason;
    ///
    /// assert_eq!("task_tool".parse::<SpawnReason>()?, SpawnReason::TaskTool);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    SpawnReason, "the reason for a session",
    /// An agent was given a part of the work.
    SubagentDelegation = "subagent_delegation",
    /// Several were started to work together.
    WaveOrchestration = "wave_orchestration",
    /// A call of a tool that starts agents.
    TaskTool = "task_tool",
    /// To go on with what another one left.
    Continuation = "continuation",
}

named! {
    /// How work was given to a session.
    ///
    /// ```
    /// use forebear::DelegationType;
    ///
    /// assert_eq!("parallel".parse::<DelegationType>()?, DelegationType::Parallel);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    DelegationType, "how work was delegated",
    /// Beside others.
    Parallel = "parallel",
    /// One after the other.
    Sequential = "sequential",
    /// By itself.
    Isolated = "isolated",
}
