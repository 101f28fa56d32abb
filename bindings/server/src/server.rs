//! Starting and stopping.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread::JoinHandle;
use std::time::Duration;

use forebear::{Error, Result};
use forebear_mcp::Following;
use tokio::runtime::{Builder, Runtime};
use tokio::select;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use crate::access::StoreAccess;
use crate::api::Routes;
use crate::app::App;
use crate::hosts::Hosts;
use crate::limits::{TAKE_OVER_EVERY, WORKING_MAX};
use crate::listener;
use crate::options::HttpOptions;
use crate::token::Token;

/// A server that runs. Dropped, it ends as by [`stop`](Self::stop).
#[derive(Debug)]
pub struct HttpServer {
    app: AppRef,
    address: SocketAddr,
    runtime: Option<Runtime>,
    live: Option<JoinHandle<()>>,
    following: Option<Following>,
    /// Closed once nothing is listened to any more.
    ended: Receiver<()>,
}

/// Stops a [`HttpServer`] from any thread.
#[derive(Clone, Debug)]
pub struct Stopper(AppRef);

#[derive(Clone)]
struct AppRef(Arc<App>);

impl HttpServer {
    /// Opens the store, makes the token if there is none, and answers from then on.
    ///
    /// Fails where the store can't be opened, the token can't be kept, or the address is taken.
    pub fn start(options: &HttpOptions) -> Result<Self> {
        let listen = |error| Error::io("listen on", options.listen.to_string(), error);
        let listener = TcpListener::bind(options.listen).map_err(listen)?;
        listener.set_nonblocking(true).map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let access = StoreAccess::open(&options.store, options.read_only)?;
        let kept = options.token_file.clone();
        let token = Token::kept_in(&kept.unwrap_or_else(|| options.store.join(TOKEN_FILE)))?;
        let hosts = Hosts::new(address, &options.hosts);
        let app = Arc::new(App::new(access, token, hosts));
        let threads = |error| Error::io("start threads for", "the server", error);
        let live = app.hub.start(Arc::downgrade(&app.access)).map_err(threads)?;
        let following = if options.follow.is_empty() || options.read_only {
            None
        } else {
            let access = Arc::clone(&app.access);
            let open = move || access.store_if_free();
            // It is the server that closes it.
            Some(Following::start(open, |_| Ok(()), options.follow.clone()).map_err(threads)?)
        };
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(WORKING_MAX + THREADS_BESIDE)
            .thread_name("forebear-serve")
            .enable_io()
            .enable_time()
            .build()
            .map_err(threads)?;
        let (ends, ended) = mpsc::channel();
        let routes = Arc::new(Routes::new(Arc::clone(&app)));
        let watched = Arc::clone(&app);
        let guard = runtime.enter();
        let listener = tokio::net::TcpListener::from_std(listener).map_err(listen)?;
        drop(guard);
        runtime.spawn(async move {
            listener::listen(routes, listener).await;
            drop(ends);
        });
        runtime.spawn(take_over(watched));
        Ok(Self {
            app: AppRef(app),
            address,
            runtime: Some(runtime),
            live: Some(live),
            following,
            ended,
        })
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for people to open, with the token behind its `#`, which no browser sends.
    pub fn url(&self) -> String {
        format!("http://{}/#t={}", self.address, self.token())
    }

    /// The token.
    pub fn token(&self) -> &str {
        self.app.0.token.text()
    }

    /// Why nothing can be written for now, if so: which process writes to the store.
    pub fn why_read_only(&self) -> Option<String> {
        self.app.0.access.why_read_only()
    }

    /// What stops it, also from another thread.
    pub fn stopper(&self) -> Stopper {
        Stopper(self.app.clone())
    }

    /// Waits until it is stopped, and closes the store.
    pub fn wait(mut self) -> Result<()> {
        self.end()
    }

    /// Ends streams, answers what is being answered, for some seconds at most, and closes the
    /// store.
    pub fn stop(mut self) -> Result<()> {
        self.app.0.stop();
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(runtime) = self.runtime.take() else { return Ok(()) };
        // Nothing is sent: it returns once the sender is gone.
        let _ = self.ended.recv();
        let app = &self.app.0;
        app.stop();
        // An answer that takes longer is not waited for.
        runtime.shutdown_timeout(ANSWER_TIME);
        drop(self.following.take());
        if let Some(live) = self.live.take() {
            // A panic was reported by the runtime.
            let _ = live.join();
        }
        app.access.close()
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.app.0.stop();
        // Whoever wants to know calls `stop`.
        let _ = self.end();
    }
}

impl Stopper {
    /// Stops the server: [`HttpServer::wait`] returns.
    pub fn stop(&self) {
        self.0.0.stop();
    }
}

impl std::fmt::Debug for AppRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("store", &self.0.access.path()).finish_non_exhaustive()
    }
}

/// Asks for the store as long as another process writes to it.
async fn take_over(app: Arc<App>) {
    let mut stopped = app.stopped();
    while app.access.why_read_only().is_some() {
        select! {
            _ = stopped.wait_for(|stopped| *stopped) => return,
            () = sleep(TAKE_OVER_EVERY) => {}
        }
        let access = Arc::clone(&app.access);
        // A panic was reported by the runtime.
        if spawn_blocking(move || access.take_over()).await.unwrap_or(false) {
            app.hub.renew();
        }
    }
}

/// For how long what is being answered is waited for in the end.
const ANSWER_TIME: Duration = Duration::from_secs(5);
/// Where the token is kept in the store's folder.
const TOKEN_FILE: &str = "serve-token";
/// Threads that speak with clients; what waits for the disk has others.
const THREADS: usize = 2;
/// Threads that wait for the disk beside those that answer questions.
const THREADS_BESIDE: usize = 8;
