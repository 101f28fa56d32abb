//! Where a client is, and what comes behind that.

use std::sync::Arc;

use forebear::{Filter, StartFrom, StoredEvent};
use tokio::select;
use tokio::sync::watch;

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::live::hub::{Client, Taken};
use crate::params::Wanted;

/// A client's place in the store, and which events it wants.
pub(crate) struct StreamPlace {
    app: Arc<App>,
    client: Client,
    wanted: Wanted,
    /// The same with what it names looked up.
    filter: Filter,
    root: Option<forebear::EventId>,
    /// The sequence number of the next event that is looked at.
    next: u64,
    end: watch::Receiver<u64>,
    stopped: watch::Receiver<bool>,
}

/// What comes behind a client's place.
pub(crate) enum Next {
    Events(Vec<StoredEvent>),
    /// Those before this sequence number have expired, from the first on that was wanted.
    Gap(u64, u64),
    /// Nothing more comes: the server ends.
    End,
}

impl StreamPlace {
    /// Behind what is stored now, or from this sequence number on.
    pub(crate) async fn new(app: &Arc<App>, wanted: Wanted, from: Option<u64>) -> HttpResult<Self> {
        let client = app.hub.join();
        let (end, stopped) = (client.end(), app.stopped());
        let looked_up = wanted.clone();
        let (filter, root, session, now) = app
            .ask(move |app, snapshot| {
                let filter = looked_up.filter(snapshot)?;
                let root = match &looked_up.root {
                    Some(root) => Some(crate::find::event(snapshot, root)?),
                    None => None,
                };
                let session = match &looked_up.session {
                    Some(name) => Some(crate::find::session_or_as_it_is(snapshot, name)?),
                    None => None,
                };
                let now = app.access.subscribe(Filter::new(), StartFrom::Now)?.next_seq();
                Ok((filter, root, session, now))
            })
            .await?;
        let wanted = Wanted { session, ..wanted };
        // One beyond the end is of another store.
        let next = from.unwrap_or(now).min(now);
        Ok(Self { app: Arc::clone(app), client, wanted, filter, root, next, end, stopped })
    }

    /// Waits for what comes next. Events that are not wanted are passed over.
    pub(crate) async fn next(&mut self) -> HttpResult<Next> {
        loop {
            if *self.stopped.borrow() {
                return Ok(Next::End);
            }
            // Before the look, so that what comes behind it is not waited for.
            self.end.mark_unchanged();
            match self.client.take(self.next) {
                Taken::Events(events) => {
                    if let Some(last) = events.last() {
                        self.next = last.seq() + 1;
                        let wanted = events.into_iter().filter(|event| self.wants(event));
                        let wanted: Vec<_> = wanted.collect();
                        if wanted.is_empty() {
                            continue;
                        }
                        return Ok(Next::Events(wanted));
                    }
                }
                Taken::Behind => {
                    let before = self.next;
                    if let Some(next) = self.read_on().await? {
                        return Ok(next);
                    }
                    // The ring may begin where the store was read to.
                    if self.next > before {
                        continue;
                    }
                }
            }
            select! {
                changed = self.end.changed() => if changed.is_err() { return Ok(Next::End) },
                _ = self.stopped.wait_for(|stopped| *stopped) => return Ok(Next::End),
            }
        }
    }

    /// Reads from the store what has left the ring.
    async fn read_on(&mut self) -> HttpResult<Option<Next>> {
        let (filter, from) = (self.filter.clone(), self.next);
        let (events, next, gap) = self
            .app
            .work(move |app| {
                let mut subscription = app.access.subscribe(filter, StartFrom::Seq(from))?;
                let (mut events, mut gap) = (Vec::new(), None);
                let mut bytes = 0;
                while events.len() < READ_EVENTS && bytes < READ_BYTES {
                    match subscription.next_timeout(std::time::Duration::ZERO) {
                        None => break,
                        Some(Ok(event)) => {
                            bytes += event.payload().map_or(0, <[u8]>::len);
                            events.push(event);
                        }
                        Some(Err(error)) if error.is_expired() && events.is_empty() => {
                            gap = Some(subscription.next_seq());
                            break;
                        }
                        Some(Err(error)) if error.is_expired() => break,
                        // It can't be read, and the next one follows.
                        Some(Err(error)) if error.is_damaged() => {}
                        Some(Err(error)) => return Err(error.into()),
                    }
                }
                Ok((events, subscription.next_seq(), gap))
            })
            .await?;
        if let Some(first) = gap {
            self.next = first.max(from);
            return Ok(Some(Next::Gap(from, first)));
        }
        self.next = next.max(from);
        Ok((!events.is_empty()).then_some(Next::Events(events)))
    }

    fn wants(&self, event: &StoredEvent) -> bool {
        let wanted = &self.wanted;
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        is(&wanted.instance, Some(event.instance()))
            && is(&wanted.session, event.session())
            && (wanted.kinds.is_empty() || wanted.kinds.iter().any(|kind| kind == event.kind()))
            && wanted.labels.iter().all(|(key, value)| event.label(key) == Some(value))
            && self.root.as_ref().is_none_or(|root| root == event.root())
            && (!wanted.errors
                || event.kind() == "error"
                || event.label("is_error") == Some("true"))
            && wanted.since_ns.is_none_or(|since| event.time_ns() >= since)
            && wanted.until_ns.is_none_or(|until| event.time_ns() < until)
    }
}

/// That there are as many streams as there may be.
pub(crate) fn too_many() -> HttpFailure {
    HttpFailure::busy("as many streams of events are open as there may be; close one", 5)
}

/// Events that are read from the store at once, and bytes of them.
const READ_EVENTS: usize = 512;
const READ_BYTES: usize = 1 << 20;
