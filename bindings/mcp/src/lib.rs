//! Answers over a store for models: a server of the Model Context Protocol.
//!
//! [`serve`] speaks the protocol over standard input and output, of 2026-07-28 (each request
//! stands alone) and of the versions before it (a session that begins with `initialize`).
//! All tools only read. A reply has two forms of the same: lines that a model reads with few
//! tokens, and `structuredContent` that follows the tool's `outputSchema`; both together stay
//! within `max_bytes`, and what was cut is named with how to get it.

#![warn(missing_docs)]

mod args;
mod failure;
mod follow;
#[cfg(feature = "http")]
mod http;
mod ids;
mod line;
mod question;
mod reply;
mod schema;
mod server;
mod source;
mod tools;

use std::io;
use std::path::PathBuf;

#[cfg(feature = "http")]
pub use self::http::HttpService;
pub use follow::Following;

/// What the server answers from.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    store: PathBuf,
    follow: Vec<PathBuf>,
    redact: bool,
}

impl ServeOptions {
    /// The store in this folder, which need not be there yet: until it is, each tool says
    /// how to make it.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self { store: store.into(), follow: Vec::new(), redact: true }
    }

    /// Imports from these paths and follows them beside answering, as soon as no other
    /// process writes to the store. The store is made if it is missing.
    #[must_use]
    pub fn follow(mut self, paths: Vec<PathBuf>) -> Self {
        self.follow = paths;
        self
    }

    /// Sets whether secrets are taken out of replies; they are unless set.
    #[must_use]
    pub fn redact(mut self, redact: bool) -> Self {
        self.redact = redact;
        self
    }
}

/// Answers what comes on standard input, until it is closed.
///
/// Nothing but messages of the protocol is written to standard output; what there is to say
/// of the server itself goes to standard error. Memory: the readers' own, and for each of the
/// answers that are made at once, of which there are four, the reply, at most 200 kB, the page
/// of payloads or the one payload that it is made of, and what an answer of
/// `forebear::answers` keeps within its budget.
pub fn serve(options: &ServeOptions) -> io::Result<()> {
    server::serve(options)
}
