//! How `serde` writes what is given back. The keys are part of the interface, as those of
//! the command line are, which prints them.

use serde::{Serialize, Serializer};

use crate::base::error::Error;
use crate::base::event::Quarantined;
use crate::base::id::EventId;
use crate::base::link::{Link, LinkKind, Linked};
use crate::base::page::Cursor;
use crate::base::time::Time;
use crate::base::warnings::{Warning, WarningKind};

/// Implements `Serialize` for types that are a text.
macro_rules! as_text {
    ($($of:ty),+) => {$(
        impl Serialize for $of {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    )+};
}

as_text!(Cursor, EventId, LinkKind, Time);

/// The same for those that are one word.
macro_rules! as_word {
    ($($of:ty),+) => {$(
        impl Serialize for $of {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    )+};
}

as_word!(Linked, WarningKind);

/// An error as the one line that says everything.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self:#}"))
    }
}

impl Serialize for Warning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct WarningFields<'a> {
            number: u64,
            time: Time,
            kind: WarningKind,
            message: &'a str,
            error: Option<&'a Error>,
        }
        let (number, time, kind) = (self.number(), self.time().into(), self.kind());
        let (message, error) = (self.message(), self.error());
        WarningFields { number, time, kind, message, error }.serialize(serializer)
    }
}

impl Serialize for Link {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct LinkFields<'a> {
            child: &'a EventId,
            parent: &'a EventId,
            kind: LinkKind,
        }
        let (child, parent, kind) = (self.child(), self.parent(), self.kind());
        LinkFields { child, parent, kind }.serialize(serializer)
    }
}

/// Where the input stands, and whether its bytes are kept; not the bytes, which may be
/// anything.
impl Serialize for Quarantined {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct QuarantinedFields<'a> {
            source: &'a str,
            line: u64,
            offset: u64,
            length: u64,
            reason: &'a str,
            kept: bool,
        }
        let Self { source, line, offset, length, reason, bytes } = self;
        let kept = bytes.len() as u64 == *length;
        QuarantinedFields { source, line: *line, offset: *offset, length: *length, reason, kept }
            .serialize(serializer)
    }
}

/// A time that is kept as nanoseconds since the Unix epoch.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
pub(crate) fn time<S: Serializer>(ns: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    Time::from_ns(*ns).serialize(serializer)
}
