//! Every limit of the store, in one place. Going over one is an
//! [`Error`](crate::Error) that names the field, the limit and the size.
//!
//! ```
//! use forebear::{Event, Store, limits};
//!
//! let store = Store::in_memory()?;
//! let event = Event::new("k".repeat(limits::MAX_KIND_BYTES + 1));
//! let error = store.append(event).expect_err("too long a kind");
//! assert!(error.is_invalid());
//! assert!(error.to_string().contains("at most 128 bytes, found 129"));
//! # Ok::<(), forebear::Error>(())
//! ```

/// Longest event id, in bytes.
///
/// ```
/// use forebear::{Event, Store, limits};
///
/// let store = Store::in_memory()?;
/// let longest = "x".repeat(limits::MAX_ID_BYTES);
/// store.append(Event::new("tick").id(&longest))?;
/// assert!(store.append(Event::new("tick").id(longest + "x")).is_err_and(|e| e.is_invalid()));
/// # Ok::<(), forebear::Error>(())
/// ```
pub const MAX_ID_BYTES: usize = 255;

/// Longest event kind, in bytes.
pub const MAX_KIND_BYTES: usize = 128;

/// Longest payload type, in bytes.
pub const MAX_PAYLOAD_TYPE_BYTES: usize = 128;

/// Longest instance or session name, in bytes.
pub const MAX_NAME_BYTES: usize = 1024;

/// Most labels on one event.
pub const MAX_LABELS: usize = 64;

/// Longest label key, in bytes.
pub const MAX_LABEL_KEY_BYTES: usize = 128;

/// Longest label value, in bytes.
pub const MAX_LABEL_VALUE_BYTES: usize = 1024;

/// Longest payload unless the store was opened with another limit: 128 MiB.
pub const DEFAULT_MAX_PAYLOAD_BYTES: usize = 128 << 20;

/// Largest value that the payload limit can be set to: 1 GiB.
pub const MAX_PAYLOAD_BYTES: usize = 1 << 30;

/// Most records in one batch. A batch is one block of the log, written and
/// recovered whole.
pub const MAX_BATCH_RECORDS: usize = 65_536;

/// Most encoded bytes in one batch, unless a single record is larger: 64 MiB.
pub const MAX_BATCH_BYTES: usize = 64 << 20;

/// Bytes that may wait in the write queue unless the store was opened with
/// another limit: 8 MiB. One batch larger than this waits until it is alone.
pub const DEFAULT_QUEUE_BYTES: usize = 8 << 20;

/// Batches that may wait in the write queue.
pub const QUEUE_BATCHES: usize = 4096;

/// Decoded log bytes kept in memory for reading unless the store was opened
/// with another limit: 16 MiB.
pub const DEFAULT_CACHE_BYTES: usize = 16 << 20;

/// Bytes of sealed files that may stay mapped in memory unless the store was opened
/// with another limit: 1 GiB. They are the system's to take back at any time; beyond
/// this they are given back.
pub const DEFAULT_MAP_BYTES: u64 = 1 << 30;

/// Least memory that a store can be told to make do with: 1 MiB.
pub const MIN_MEMORY_BUDGET: usize = 1 << 20;

/// Bytes of log at which a segment is full, unless the store was opened with
/// another limit: 64 MiB.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// Most bytes of log at which a segment can be set to be full: 4 GiB.
pub const MAX_SEGMENT_BYTES: u64 = 4 << 30;

/// Events and versions at which a segment is full, unless the store was opened with
/// another limit.
pub const SEGMENT_EVENTS: u32 = 131_072;

/// Most events and versions at which a segment can be set to be full.
pub const MAX_SEGMENT_EVENTS: u32 = 1 << 22;

/// Bytes that the index in memory takes at which a segment is full: 24 MiB.
pub const SEGMENT_INDEX_BYTES: usize = 24 << 20;

/// Most items on one page of any listing.
pub const MAX_PAGE: usize = 1000;

/// Items on a page unless asked otherwise.
pub const DEFAULT_PAGE: usize = MAX_PAGE;

/// Edges that a walk follows from the event asked for, unless asked otherwise.
pub const DEFAULT_MAX_DEPTH: u64 = 1000;

/// Longest source or reason of quarantined input, in bytes.
pub const MAX_SOURCE_BYTES: usize = 8192;

/// Longest source of a checkpoint, in bytes.
pub const MAX_CHECKPOINT_SOURCE_BYTES: usize = 4096;

/// Longest key of a kind of state, in bytes.
pub const MAX_STATE_KEY_BYTES: usize = 4096;

/// Longest position of a checkpoint, in bytes.
pub const MAX_CHECKPOINT_BYTES: usize = 4096;

/// Longest name of a session, in bytes: it may join the name that events give and that
/// of an instance.
pub const MAX_SESSION_BYTES: usize = 2 * MAX_NAME_BYTES + 1;

/// Longest value of a field of a session's patch or of a relationship, such as its
/// metadata, in bytes.
pub const MAX_METADATA_BYTES: usize = 64 << 10;

/// Sessions above a session that are counted.
pub const MAX_SESSION_DEPTH: usize = 4096;

/// Most sessions of one tree that are shown and counted.
pub const MAX_SESSION_TREE: usize = 65_536;

/// How long a write at [`Durability::Buffered`](crate::Durability::Buffered)
/// may stay in the process's memory.
pub const BUFFER_TIME: std::time::Duration = std::time::Duration::from_millis(10);

/// How long a sealing that failed, such as on a full disk, is left alone before it is tried
/// again. Dropping segments has it tried at once.
pub const SEAL_AGAIN_TIME: std::time::Duration = std::time::Duration::from_mins(1);
