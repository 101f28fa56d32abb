//! What a kind of state is: what a store keeps by key beside its events.

use std::collections::BTreeMap;
use std::fmt;

use crate::base::error::Result;
use crate::base::rows::EventRows;

/// A kind of state: what a store knows by key beside its events, made of values that
/// were handed in ([`Batch::state`](crate::Batch::state)) and of what its events come
/// to.
///
/// Kinds are handed to [`StoreBuilder::state_kind`](crate::StoreBuilder::state_kind)
/// and [`ReaderBuilder::state_kind`](crate::ReaderBuilder::state_kind). The store's
/// manifest names those that it has; a process without one of them appends and reads,
/// and can't seal, rebuild or retain.
///
/// All calls must depend on their arguments alone: a segment's index is made from them
/// again when it is lost, and must come out byte for byte the same. What a kind makes
/// of the same arguments is part of the format of the files that it wrote.
///
/// ```
/// use std::sync::Arc;
/// use forebear::state::{EventRows, Reduced, StateKind};
/// use forebear::{Batch, Event, Result, Store};
///
/// /// Counts events by what kind they are of; more can be handed in.
/// #[derive(Debug)]
/// struct Counts;
///
/// fn number(value: &[u8]) -> u64 {
///     std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
/// }
///
/// impl StateKind for Counts {
///     fn name(&self) -> &'static str {
///         "counts"
///     }
///
///     fn provider(&self) -> &'static str {
///         "my-service"
///     }
///
///     fn validate(&self, _: &str, value: &[u8]) -> Result<()> {
///         if number(value) > 0 {
///             return Ok(());
///         }
///         Err(forebear::Error::invalid("expected a count above 0, found another value"))
///     }
///
///     fn fold(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>> {
///         Ok((number(older) + number(newer)).to_string().into_bytes())
///     }
///
///     fn reduce(&self, rows: &dyn EventRows) -> Result<Reduced> {
///         let mut reduced = Reduced::new();
///         rows.batches(&mut |batch| {
///             for row in batch.rows.iter().filter(|row| !row.is_lost()) {
///                 let count = reduced.entry(batch.text(row.kind).to_owned()).or_default();
///                 *count = (number(count) + 1).to_string().into_bytes();
///             }
///         });
///         Ok(reduced)
///     }
/// }
///
/// let store = Store::builder().state_kind(Arc::new(Counts)).in_memory()?;
/// store.append_batch((0..3).map(|n| Event::new("tick").time_ns(n)))?;
/// store.write(Batch::new().state("counts", "tick", "2"))?;
/// assert_eq!(store.snapshot().state("counts")?.get("tick")?, Some(b"5".to_vec()));
/// # Ok::<(), forebear::Error>(())
/// ```
pub trait StateKind: fmt::Debug + Send + Sync {
    /// The name by which the manifest knows it: 1 to 64 of `a`–`z`, `0`–`9`, `-` and
    /// `_`. It never changes.
    fn name(&self) -> &'static str;

    /// The crate or feature that brings the kind, for the message to a process that
    /// lacks it: 1 to 64 bytes without white space.
    fn provider(&self) -> &'static str;

    /// Checks a value that is handed in, in whatever process: it must be one that
    /// [`fold`](Self::fold) takes.
    fn validate(&self, key: &str, value: &[u8]) -> Result<()>;

    /// What an older and a newer value of a key come to. It must be associative: values
    /// are folded in groups, each in order.
    fn fold(&self, older: &[u8], newer: &[u8]) -> Result<Vec<u8>>;

    /// What is kept of a value when the segments are dropped that it is from. All of it
    /// unless this says otherwise.
    fn carry_over(&self, value: Vec<u8>) -> Result<Vec<u8>> {
        Ok(value)
    }

    /// The same where newer segments or logs say something of the key as well. As
    /// [`carry_over`](Self::carry_over) unless this says otherwise.
    fn carry_over_live(&self, value: Vec<u8>) -> Result<Vec<u8>> {
        self.carry_over(value)
    }

    /// A front of the key that filters know beside the whole, so that
    /// [`State::keys_below`](crate::state::State::keys_below) finds all keys with that
    /// front without asking every segment. None unless this says otherwise.
    fn front<'k>(&self, key: &'k str) -> Option<&'k str> {
        let _ = key;
        None
    }

    /// What the events of one log come to, by key: called once for all of its rows when
    /// it is sealed, and once whenever somebody asks for state of a log that has grown.
    /// Nothing unless this says otherwise.
    fn reduce(&self, rows: &dyn EventRows) -> Result<Reduced> {
        let _ = rows;
        Ok(Reduced::new())
    }
}

/// What the events of a log come to: a value for each key, folded behind those that were
/// handed in.
pub type Reduced = BTreeMap<String, Vec<u8>>;
