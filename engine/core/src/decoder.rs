//! Decoders: what turns foreign contents of the spool into batches.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::limits;
use crate::batch::Batch;
use crate::log::encoded::EncodedBatch;
use crate::shared::Shared;
use crate::snapshot::Snapshot;
use crate::spool;
use crate::spool::drain::Decode;

/// Turns bytes that were handed in through [`Spool::submit_foreign`] into the batch that
/// they stand for, by what is stored when they are taken in.
///
/// It is called on the thread that drains the spool, once for each file, or a few times
/// where the process dies before the file is removed: what it returns must come to the
/// same, as events with [derived ids](crate::Event::derived_id) do.
///
/// ```
/// use std::sync::Arc;
/// use forebear::{Batch, Decoder, Error, Event, Filter, Foreign, Result, Snapshot, Spool, Store};
///
/// /// Lines of a sensor, each caused by the one before.
/// #[derive(Debug)]
/// struct Sensor;
///
/// impl Decoder for Sensor {
///     fn decode(&self, foreign: &Foreign<'_>, snapshot: &Snapshot) -> Result<Batch> {
///         let line = std::str::from_utf8(foreign.bytes)
///             .map_err(|error| Error::invalid(format!("expected a line: {error}")))?;
///         let event = Event::new("reading").derived_id("sensor", line.as_bytes()).payload(line);
///         let readings = snapshot.events(Filter::new().instance("sensor"));
///         let last = readings.limit(1).page()?.items;
///         Ok(Batch::from(match last.first() {
///             Some(last) => event.instance("sensor").parent(last.id()),
///             None => event.instance("sensor"),
///         }))
///     }
/// }
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("events.forebear");
/// let store = Store::builder().decoder("sensor", Arc::new(Sensor)).open(&path)?;
/// let spool = Spool::open(&path)?; // Mostly in another process.
/// spool.submit_foreign("sensor", "21.5", 1)?;
/// spool.submit_foreign("sensor", "21.7", 2)?;
/// store.drain_spool()?;
/// let last = store.snapshot().events(Filter::new()).limit(1).page()?;
/// assert_eq!(last.items[0].depth(), 1);
/// # Ok::<(), forebear::Error>(())
/// ```
///
/// [`Spool::submit_foreign`]: crate::Spool::submit_foreign
pub trait Decoder: Debug + Send + Sync {
    /// The batch that the bytes stand for; its durability is not asked for.
    ///
    /// Where it fails with an input or output error, or with one for which
    /// [`Error::is_expired`] holds, it is tried again later. After any other the file is
    /// kept as refused and listed among the quarantined input, with the error as reason.
    fn decode(&self, foreign: &Foreign<'_>, snapshot: &Snapshot) -> Result<Batch>;
}

/// What was handed in for a [`Decoder`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Foreign<'f> {
    /// The bytes as they were handed in.
    pub bytes: &'f [u8],
    /// When they came, in nanoseconds since the Unix epoch, as whoever handed them in says.
    pub time_ns: i64,
}

/// The decoders that a process has, by their names.
#[derive(Clone, Debug, Default)]
pub(crate) struct Decoders(BTreeMap<String, Arc<dyn Decoder>>);

/// Decoders at work in an open store.
#[derive(Debug)]
pub(crate) struct Decoding {
    decoders: Decoders,
    shared: Arc<Shared>,
    max_payload: usize,
}

impl Decoders {
    pub(crate) fn add(&mut self, name: String, decoder: Arc<dyn Decoder>) {
        self.0.insert(name, decoder);
    }

    pub(crate) fn over(self, shared: Arc<Shared>, max_payload: usize) -> Decoding {
        Decoding { decoders: self, shared, max_payload }
    }
}

impl Decode for Decoding {
    fn decode(&self, foreign: &spool::ForeignContents) -> Result<Option<EncodedBatch>> {
        let Some(decoder) = self.decoders.0.get(&foreign.decoder) else {
            return Ok(None);
        };
        let snapshot = Snapshot::new(self.shared.view());
        let contents = Foreign { bytes: &foreign.bytes, time_ns: foreign.time_ns };
        // Somebody else's code: its panic must not end the draining of all other files.
        let outcome = catch_unwind(AssertUnwindSafe(|| decoder.decode(&contents, &snapshot)));
        let batch = outcome.unwrap_or_else(|_| {
            Err(Error::invalid(format!("the decoder {:?} panicked", foreign.decoder)))
        })?;
        let kinds = self.shared.view().kinds();
        batch.validate(self.max_payload, &kinds)?;
        let (records, batch) = (batch.len(), batch.encode(Some(&kinds))?);
        if records > 1 && batch.bytes() > limits::MAX_BATCH_BYTES {
            return Err(Error::too_long("batch", limits::MAX_BATCH_BYTES, batch.bytes()));
        }
        Ok(Some(batch))
    }
}
