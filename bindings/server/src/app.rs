//! What all requests share: the store, the token, and what is limited over all of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use forebear::Snapshot;
use forebear::ingest::{OtlpReceiver, Registry};
use forebear::readings::Readings;
use forebear_mcp::HttpService;
use tokio::sync::{Semaphore, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::access::StoreAccess;
use crate::failure::{HttpFailure, HttpResult};
use crate::hosts::Hosts;
use crate::limits::{BODIES_KIB, PAYLOADS_MAX, STREAMS_MAX, TURN_TIME, WORKING_MAX};
use crate::live::Hub;
use crate::token::Token;

/// What all requests share.
pub(crate) struct App {
    pub(crate) access: Arc<StoreAccess>,
    pub(crate) readings: Readings,
    pub(crate) token: Token,
    pub(crate) hosts: Hosts,
    /// KiB that bodies may still take.
    pub(crate) bodies: Arc<Semaphore>,
    /// Long payloads that may still be sent.
    pub(crate) payloads: Arc<Semaphore>,
    /// Streams that may still be opened.
    pub(crate) streams: Arc<Semaphore>,
    pub(crate) hub: Arc<Hub>,
    /// Joins the spans of a trace, one request after the other.
    pub(crate) receiver: Mutex<OtlpReceiver>,
    pub(crate) traffic: Traffic,
    pub(crate) mcp: HttpService,
    working: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

/// What comes and goes, counted.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) requests: Counter,
    pub(crate) refused: Counter,
    pub(crate) connections: Counter,
    pub(crate) streams: Counter,
}

/// A number that many threads change.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl App {
    pub(crate) fn new(access: StoreAccess, token: Token, hosts: Hosts) -> Self {
        Self {
            mcp: HttpService::new(&forebear_mcp::ServeOptions::new(access.path())),
            access: Arc::new(access),
            token,
            hosts,
            readings: Registry::default().readings(),
            bodies: Arc::new(Semaphore::new(BODIES_KIB)),
            payloads: Arc::new(Semaphore::new(PAYLOADS_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            hub: Hub::new(),
            receiver: Mutex::default(),
            traffic: Traffic::default(),
            working: Arc::new(Semaphore::new(WORKING_MAX)),
            stop: watch::Sender::new(false),
        }
    }

    /// Asks the store, on a thread that may wait for the disk.
    pub(crate) async fn ask<T: Send + 'static>(
        self: &Arc<Self>,
        question: impl Fn(&Self, &Snapshot) -> HttpResult<T> + Send + 'static,
    ) -> HttpResult<T> {
        self.work(move |app| app.access.ask(|snapshot| question(app, snapshot))).await
    }

    /// Does what may wait for the disk.
    pub(crate) async fn work<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Self) -> HttpResult<T> + Send + 'static,
    ) -> HttpResult<T> {
        // It is never closed, so only time runs out.
        let turn = Arc::clone(&self.working).acquire_owned();
        let Ok(Ok(turn)) = timeout(TURN_TIME, turn).await else {
            return Err(HttpFailure::busy("too many requests are being answered; try again", 1));
        };
        let app = Arc::clone(self);
        // The turn ends with the work, which goes on where the client has gone meanwhile.
        let work = move || {
            let _turn = turn;
            work(&app)
        };
        match spawn_blocking(work).await {
            Ok(outcome) => outcome,
            Err(error) => Err(HttpFailure::new(
                hyper::StatusCode::INTERNAL_SERVER_ERROR,
                format!("answering was broken off: {error}"),
            )),
        }
    }

    /// Whether the server is to end; changes once.
    pub(crate) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Ends everything that waits for it.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
        self.hub.end();
    }
}

impl Counter {
    pub(crate) fn add(&self, number: u64) {
        self.0.fetch_add(number, Ordering::Relaxed);
    }

    pub(crate) fn subtract(&self, number: u64) {
        self.0.fetch_sub(number, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
