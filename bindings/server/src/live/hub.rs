//! The one subscription that feeds all clients.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use forebear::{Filter, StartFrom, StoredEvent, SubscriptionHandle};
use tokio::sync::watch;

use crate::access::StoreAccess;
use crate::notice::notice;

/// The newest events, for as long as there is a client.
pub(crate) struct Hub {
    state: Mutex<HubState>,
    /// Raised when there are clients, and when it is to end.
    changed: Condvar,
    clients: AtomicUsize,
    /// The sequence number behind the newest event.
    end: watch::Sender<u64>,
}

#[derive(Default)]
struct HubState {
    ring: VecDeque<StoredEvent>,
    bytes: usize,
    /// From where on the ring has all events; none while nothing is followed.
    first: Option<u64>,
    following: Option<SubscriptionHandle>,
    has_ended: bool,
}

/// A client of the hub, which follows the store as long as there is one.
pub(crate) struct Client(Arc<Hub>);

/// Events of the ring, or that they are not there any more.
pub(crate) enum Taken {
    Events(Vec<StoredEvent>),
    /// They are to be read from the store.
    Behind,
}

impl Hub {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Condvar::new(),
            clients: AtomicUsize::new(0),
            end: watch::Sender::new(0),
        })
    }

    /// Starts the thread that follows the store.
    pub(crate) fn start(
        self: &Arc<Self>,
        access: Weak<StoreAccess>,
    ) -> std::io::Result<JoinHandle<()>> {
        let hub = Arc::clone(self);
        thread::Builder::new().name("forebear-live".to_owned()).spawn(move || hub.run(&access))
    }

    /// Adds a client. The hub follows the store from then on.
    pub(crate) fn join(self: &Arc<Self>) -> Client {
        if self.clients.fetch_add(1, Ordering::SeqCst) == 0 {
            let _state = self.lock();
            self.changed.notify_all();
        }
        Client(Arc::clone(self))
    }

    /// Has it follow the store anew: it was opened in another way.
    pub(crate) fn renew(&self) {
        if let Some(following) = &self.lock().following {
            following.stop();
        }
    }

    /// Ends it.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.has_ended = true;
        if let Some(following) = &state.following {
            following.stop();
        }
        self.changed.notify_all();
    }

    fn run(&self, access: &Weak<StoreAccess>) {
        loop {
            {
                let mut state = self.lock();
                while self.clients.load(Ordering::SeqCst) == 0 && !state.has_ended {
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                if state.has_ended {
                    return;
                }
            }
            let Some(access) = access.upgrade() else { return };
            if let Err(error) = self.follow(&access) {
                notice(&format!("live streams wait, since the store can't be followed: {error:#}"));
                thread::sleep(AGAIN_AFTER);
            }
        }
    }

    /// Follows the store until nobody listens any more or it is to be followed anew.
    fn follow(&self, access: &StoreAccess) -> forebear::Result<()> {
        let mut events = access.subscribe(Filter::new(), StartFrom::Now)?;
        {
            let mut state = self.lock();
            if state.has_ended {
                return Ok(());
            }
            state.ring.clear();
            state.bytes = 0;
            state.first = Some(events.next_seq());
            state.following = Some(events.handle());
        }
        self.end.send_replace(events.next_seq());
        let mut read = Vec::new();
        while self.clients.load(Ordering::SeqCst) > 0 {
            if let Some(first) = events.next_timeout(LOOK_EVERY) {
                let mut next = Some(first);
                while let Some(event) = next {
                    read.push(event);
                    next = if read.len() < AT_ONCE {
                        events.next_timeout(Duration::ZERO)
                    } else {
                        None
                    };
                }
            }
            if !read.is_empty() {
                self.publish(&mut read, events.next_seq());
                // What comes meanwhile is told of together.
                thread::sleep(TOGETHER);
            }
            if events.has_ended() {
                break;
            }
        }
        let mut state = self.lock();
        (state.first, state.following) = (None, None);
        state.ring.clear();
        state.bytes = 0;
        Ok(())
    }

    fn publish(&self, read: &mut Vec<forebear::Result<StoredEvent>>, end: u64) {
        let mut state = self.lock();
        for event in read.drain(..) {
            if let Ok(event) = event {
                state.bytes += size_of(&event);
                state.ring.push_back(event);
            } else {
                // What lies before it can't be told as if all were there: clients read the
                // store, which says what is lost.
                state.ring.clear();
                state.bytes = 0;
                state.first = Some(end);
            }
        }
        while state.ring.len() > RING_EVENTS || state.bytes > RING_BYTES {
            let Some(oldest) = state.ring.pop_front() else { break };
            state.bytes -= size_of(&oldest);
            state.first = Some(oldest.seq() + 1);
        }
        drop(state);
        self.end.send_replace(end);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    /// Tells of each change of the sequence number behind the newest event.
    pub(crate) fn end(&self) -> watch::Receiver<u64> {
        self.0.end.subscribe()
    }

    /// Events from this sequence number on.
    pub(crate) fn take(&self, from: u64) -> Taken {
        let state = self.0.lock();
        match state.first {
            Some(first) if from >= first => {
                let begin = state.ring.partition_point(|event| event.seq() < from);
                Taken::Events(state.ring.range(begin..).take(AT_ONCE).cloned().collect())
            }
            _ => Taken::Behind,
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.0.clients.fetch_sub(1, Ordering::SeqCst);
    }
}

fn size_of(event: &StoredEvent) -> usize {
    EVENT_BYTES + event.payload().map_or(0, <[u8]>::len)
}

/// Events of the ring, and roughly their bytes.
const RING_EVENTS: usize = 8192;
const RING_BYTES: usize = 8 << 20;
/// Roughly what an event takes beside its payload.
const EVENT_BYTES: usize = 1 << 10;
/// Events that are told of together, and how long those that come meanwhile wait.
const AT_ONCE: usize = 512;
const TOGETHER: Duration = Duration::from_millis(10);
/// How often it looks whether anybody listens.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long it waits where the store can't be followed.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
