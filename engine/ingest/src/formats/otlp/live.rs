//! Requests of exporters as they come in, by what the store knows.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use forebear_core::{Batch, Detail, Error, EventId, Filter, Result, Snapshot, Store, limits};
use forebear_sessions::{Relationship, SessionReads};

use super::equal::own_fields;
use super::reader::hex_of;
use super::request::{RequestPart, parts};
use super::{MAX_PARTS, Otlp, ReadPart, Requests, TRACE};
use crate::adapter::Adapter;
use crate::labeller::Labeller;
use crate::parsed::Parsed;

/// Takes requests of OpenTelemetry's exporters as they come in, and stores their spans and log
/// records as `forebear import` would.
///
/// What was stored before is a repeat, whichever way it is written now: a retry, through a
/// collector, in another encoding. Equality is over a record's own fields (ids, times, name,
/// attributes, status, events, links); of its resource and scope a collector may say more. The
/// session that one span of a trace names is that of the others, too, of this request and of
/// those before and after; where spans were stored before any named it, the session of the trace
/// is said to be a part of the one that is named.
///
/// Memory: the sessions of 16,384 traces, and what joins results to their calls.
///
/// ```
/// use forebear::ingest::OtlpReceiver;
///
/// let store = forebear::in_memory()?;
/// let mut receiver = OtlpReceiver::new();
/// let request = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"work",
///     "traceId":"0af7651916cd43dd8448eb211c80319c","spanId":"b7ad6b7169203331",
///     "startTimeUnixNano":"1","endTimeUnixNano":"2"}]}]}]}"#;
/// assert_eq!(receiver.store(&store, request)?.stored, 1);
/// let again = request.replace("\"1\"", "1");
/// assert_eq!(receiver.store(&store, &again)?.repeats, 1);
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Debug)]
pub struct OtlpReceiver {
    requests: Requests,
    labeller: Labeller,
    /// Traces of which the store was asked.
    asked: HashSet<[u8; 16], RandomState>,
}

/// What became of the records of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct OtlpStored {
    /// Spans and log records that were stored.
    pub stored: u64,
    /// Those that had been stored before.
    pub repeats: u64,
    /// Those that a limit of the store keeps out.
    pub refused: u64,
}

impl Default for OtlpReceiver {
    fn default() -> Self {
        Self::new()
    }
}

impl OtlpReceiver {
    /// One that knows of no trace yet.
    pub fn new() -> Self {
        Self {
            requests: Requests::new(0),
            labeller: Labeller::new(&Otlp),
            asked: HashSet::default(),
        }
    }

    /// Stores the records of a request, which is an object of JSON; waits until they are as
    /// durable as the store was opened for.
    ///
    /// Fails where it is something else ([`Error::is_invalid`]), and as [`Store::write`] does;
    /// nothing of what failed is kept in mind, so that it can be sent again.
    pub fn store(&mut self, store: &Store, request: &str) -> Result<OtlpStored> {
        // The reader of fields takes what is well formed for granted.
        let well_formed = serde_json::from_str::<serde::de::IgnoredAny>(request);
        well_formed.map_err(|error| Error::invalid(format!("expected JSON: {error}")))?;
        let snapshot = store.snapshot();
        let parts = parts(request, MAX_PARTS + 1);
        if parts.len() > MAX_PARTS {
            return Err(Error::too_many("request", MAX_PARTS, parts.len()));
        }
        let outcome = self.store_parts(store, &snapshot, request, &parts);
        if outcome.is_err() {
            // What was learnt of it was not stored, and is learnt when it comes again.
            *self = Self::new();
        }
        outcome
    }

    fn store_parts(
        &mut self,
        store: &Store,
        snapshot: &Snapshot,
        request: &str,
        parts: &[RequestPart<'_>],
    ) -> Result<OtlpStored> {
        let read = ReadPart::read_all(parts);
        let relationships = self.learn_sessions(snapshot, &read)?;
        let mut parsed = self.requests.read(request, &read);
        let mut told = OtlpStored::default();
        let mut keep = Vec::with_capacity(read.len());
        for (event, part) in parsed.events().iter().zip(&read) {
            let is_known = is_known(snapshot, event.as_id(), part.part.record)?;
            told.repeats += u64::from(is_known);
            keep.push(!is_known);
        }
        let mut kept = keep.into_iter();
        parsed = parsed.retain_events(|_| kept.next().unwrap_or(true));
        let before = parsed.events().len();
        let (parsed, _) = self
            .labeller
            .label(parsed)
            .payloads_in(Otlp.name())
            .storable(store.max_payload_bytes());
        told.refused = (before - parsed.events().len()) as u64;
        told.stored = parsed.events().len() as u64;
        let parsed = relationships.into_iter().fold(parsed, Parsed::relate);
        for piece in parsed.into_pieces(BATCH_EVENTS, BATCH_BYTES) {
            let batch = piece.add_to(Batch::new());
            if !batch.is_empty() {
                store.write(batch)?;
            }
        }
        Ok(told)
    }

    /// Finds the sessions of the traces that a request has spans of, and says of those that were
    /// stored before anything named their session which it is.
    fn learn_sessions(
        &mut self,
        snapshot: &Snapshot,
        read: &[ReadPart<'_>],
    ) -> Result<Vec<Relationship>> {
        let mut relationships = Vec::new();
        for part in read {
            let Some(trace) = part.record.trace else { continue };
            let is_news = match &part.session {
                Some(session) => self.requests.sessions.get(&trace) != Some(session),
                None => false,
            };
            if let (Some(session), true) = (&part.session, is_news) {
                if self.requests.remember(trace, session.clone()) {
                    self.asked.clear();
                }
                let of_trace = hex_of(&trace);
                if *session != of_trace && snapshot.session(&of_trace)?.is_some() {
                    relationships.push(Relationship::new(session, of_trace));
                }
            }
        }
        for part in read {
            let Some(trace) = part.record.trace else { continue };
            if self.requests.sessions.contains_key(&trace) || !self.asked.insert(trace) {
                continue;
            }
            let of_trace = hex_of(&trace);
            let events = snapshot.events(Filter::new().label(TRACE, &of_trace));
            let newest = events.detail(Detail::Columns).limit(1).page()?.items;
            let session = newest.first().and_then(|event| event.session());
            if let Some(session) = session.filter(|session| *session != of_trace)
                && self.requests.remember(trace, session.to_owned())
            {
                self.asked.clear();
            }
            if self.asked.len() > limits::MAX_BATCH_RECORDS {
                self.asked.clear();
            }
        }
        Ok(relationships)
    }
}

/// Whether the store has a record with the same fields of its own.
fn is_known(snapshot: &Snapshot, id: &EventId, record: &str) -> Result<bool> {
    if !snapshot.contains(id)? {
        return Ok(false);
    }
    let own = own_fields(record);
    let versions = snapshot.versions(id).limit(VERSIONS_MAX).page()?;
    Ok(versions.items.iter().any(|known| {
        let payload = known.payload().and_then(|payload| str::from_utf8(payload).ok());
        let known = payload.and_then(|payload| own_fields(parts(payload, 1).first()?.record));
        known.is_some() && known == own
    }))
}

/// States of a span with which a new one is compared.
const VERSIONS_MAX: usize = 16;
/// A batch is one block of the log.
const BATCH_EVENTS: usize = 2000;
const BATCH_BYTES: usize = 2 << 20;
