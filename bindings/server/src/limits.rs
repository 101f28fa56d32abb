//! Every limit of the server, in one place.

use std::time::Duration;

/// Connections that are open at once; whoever comes then is told so and sent away.
pub(crate) const CONNECTIONS_MAX: usize = 256;

/// How long the head of a request may take, and how long a connection may idle.
pub(crate) const HEAD_TIME: Duration = Duration::from_secs(20);

/// Bytes of a head.
pub(crate) const HEAD_BYTES: usize = 64 << 10;

/// How long a client may leave unread what is written to it.
pub(crate) const UNREAD_TIME: Duration = Duration::from_secs(30);

/// How long a body may come to a stop, and how long all of it may take.
pub(crate) const BODY_STOP_TIME: Duration = Duration::from_secs(15);
pub(crate) const BODY_TIME: Duration = Duration::from_mins(2);

/// Bytes of a body that has events.
pub(crate) const EVENTS_BYTES: usize = 64 << 20;

/// KiB of all bodies that are in memory at once.
pub(crate) const BODIES_KIB: usize = 192 << 10;

/// Questions that are worked on at once, and how long one waits for its turn.
pub(crate) const WORKING_MAX: usize = 8;
pub(crate) const TURN_TIME: Duration = Duration::from_secs(10);

/// Bytes after which a listing ends; a single item may be longer.
pub(crate) const REPLY_BYTES: usize = 1 << 20;

/// Bytes of a payload that is told within a reply; a longer one has a route of its own.
pub(crate) const INLINE_BYTES: usize = 256 << 10;

/// Payloads longer than that which are sent at once.
pub(crate) const PAYLOADS_MAX: usize = 8;

/// Streams of events that are open at once.
pub(crate) const STREAMS_MAX: usize = 160;

/// Items of a page unless asked otherwise.
pub(crate) const PAGE: usize = 100;

/// How long requests are waited for when the server ends.
pub(crate) const GRACE_TIME: Duration = Duration::from_secs(5);

/// How often a store that another process writes to is asked for.
pub(crate) const TAKE_OVER_EVERY: Duration = Duration::from_secs(5);
