//! Where batches go: a store, or the spool of one that another process has open.

use std::io::{self, ErrorKind};
use std::time::{Duration, Instant};

use forebear_core::{
    Batch, Error, Reader, Receipt, Result, Snapshot, Spool, Store, Ticket, Written, limits,
};

use crate::report::HandedIn;

/// What batches go to.
#[derive(Debug)]
pub(crate) enum Target {
    Store(Store),
    /// Another process has the store open. One batch is handed in at a time: if it is
    /// refused, no position behind it may be in the store.
    Held {
        spool: Spool,
        reader: Reader,
        patience: Duration,
    },
}

/// A batch on its way.
#[derive(Debug)]
pub(crate) enum Sent {
    Submitted(Receipt),
    HandedIn(Ticket, HandedIn),
}

/// What became of a batch, as far as it is known.
#[derive(Debug)]
pub(crate) enum BatchOutcome {
    Written(Written),
    TakenIn(HandedIn),
}

impl Target {
    /// A store by its spool; the store itself if nobody has it open any more. Fails
    /// where what is handed in is not taken in within the time given.
    pub(crate) fn through(spool: &Spool, patience: Duration) -> Result<Self> {
        let path = spool.store_path().ok_or_else(|| {
            Error::invalid("expected the spool of a store on disk, found one on another storage")
        })?;
        // What was handed in before is taken in before: the positions of an import that
        // ended early may be among it.
        let before = spool.submit(Batch::new())?;
        if let Some(store) = wait(spool, &before, patience)? {
            return Ok(Self::Store(store));
        }
        Ok(Self::Held { spool: spool.clone(), reader: Reader::open(path)?, patience })
    }

    pub(crate) fn is_held(&self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Longest payload that is taken, in bytes.
    pub(crate) fn max_payload_bytes(&self) -> usize {
        match self {
            Self::Store(store) => store.max_payload_bytes(),
            Self::Held { .. } => limits::DEFAULT_MAX_PAYLOAD_BYTES,
        }
    }

    /// Answers a question by a snapshot; again where the other process drops a segment
    /// that the answer needs.
    pub(crate) fn ask<T>(&self, mut question: impl FnMut(&Snapshot) -> Result<T>) -> Result<T> {
        for _ in 1..MAX_ATTEMPTS {
            match question(&self.snapshot()?) {
                Err(error) if error.is_expired() => {}
                answer => return answer,
            }
        }
        question(&self.snapshot()?)
    }

    fn snapshot(&self) -> Result<Snapshot> {
        match self {
            Self::Store(store) => Ok(store.snapshot()),
            Self::Held { reader, .. } => reader.snapshot(),
        }
    }

    /// Sends a batch, which holds what `contents` counts.
    pub(crate) fn send(&self, batch: Batch, contents: HandedIn) -> Result<Sent> {
        match self {
            Self::Store(store) => store.submit(batch).map(Sent::Submitted),
            Self::Held { spool, .. } => match spool.submit(batch) {
                Ok(ticket) => Ok(Sent::HandedIn(ticket, contents)),
                Err(error) if error.is_invalid() => Err(Error::invalid(format!(
                    "{error:#}; it can't be handed in, only imported while no other process has \
                     the store open"
                ))),
                Err(error) => Err(error),
            },
        }
    }

    /// Waits for a batch. Where nobody has the store open any more, it is opened, and
    /// what follows goes straight to it.
    pub(crate) fn wait(&mut self, sent: Sent) -> Result<BatchOutcome> {
        match sent {
            Sent::Submitted(receipt) => receipt.wait().map(BatchOutcome::Written),
            Sent::HandedIn(ticket, handed_in) => {
                // It is waited for before anything else is sent, so that the store can
                // have been opened for no other ticket.
                if let Self::Held { spool, patience, .. } = self
                    && let Some(store) = wait(spool, &ticket, *patience)?
                {
                    *self = Self::Store(store);
                }
                Ok(BatchOutcome::TakenIn(handed_in))
            }
        }
    }

    /// Syncs all that was sent and waited for.
    pub(crate) fn flush(&self) -> Result<()> {
        match self {
            Self::Store(store) => store.flush(),
            // What is taken in is on disk.
            Self::Held { .. } => Ok(()),
        }
    }
}

/// Waits until a batch is taken in; returns the store if that took opening it, since
/// nobody had it open any more.
fn wait(spool: &Spool, ticket: &Ticket, patience: Duration) -> Result<Option<Store>> {
    let begun = Instant::now();
    loop {
        if ticket.wait(CHECK_TIME)? {
            return Ok(None);
        }
        if let Some(store) = spool.open_if_free()? {
            store.drain_spool()?;
            if ticket.is_drained()? {
                return Ok(Some(store));
            }
        }
        if begun.elapsed() >= patience {
            let why = format!(
                "the process that has the store open took nothing in for {} s; what was handed \
                 in waits for it, and the same import goes on from there",
                patience.as_secs()
            );
            let error = io::Error::new(ErrorKind::TimedOut, why);
            return Err(Error::io("wait for", spool.store_path().unwrap_or("".as_ref()), error));
        }
    }
}

/// How often a waiting import checks whether the store is free; less than a ticket waits
/// before it opens the store and closes it again.
const CHECK_TIME: Duration = Duration::from_millis(500);
/// How often a question is asked whose segments expire meanwhile.
const MAX_ATTEMPTS: usize = 5;
