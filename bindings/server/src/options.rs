//! What a server is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What a server is started with.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    pub(crate) store: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) token_file: Option<PathBuf>,
    pub(crate) hosts: Vec<String>,
    pub(crate) read_only: bool,
    pub(crate) follow: Vec<PathBuf>,
}

impl HttpOptions {
    /// Serves the store in this folder, which is made if it is missing, on a free port of
    /// 127.0.0.1.
    pub fn new(store: impl Into<PathBuf>) -> Self {
        Self {
            store: store.into(),
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            token_file: None,
            hosts: Vec::new(),
            read_only: false,
            follow: Vec::new(),
        }
    }

    /// Listens on this address. There is no TLS: beyond this machine put a proxy before it.
    #[must_use]
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// Keeps the token in this file instead of `serve-token` in the store's folder.
    #[must_use]
    pub fn token_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.token_file = Some(path.into());
        self
    }

    /// Answers to this name, too: that of a proxy, as clients call it in `Host`, with its port
    /// unless that is the usual one.
    #[must_use]
    pub fn host(mut self, name: impl Into<String>) -> Self {
        self.hosts.push(name.into());
        self
    }

    /// Imports from these files and folders and follows them beside serving, as soon as no other
    /// process writes to the store.
    #[must_use]
    pub fn follow(mut self, paths: Vec<PathBuf>) -> Self {
        self.follow = paths;
        self
    }

    /// Sets whether it writes nothing, the store's lock included; it writes unless set.
    #[must_use]
    pub fn read_only(mut self, read_only: bool) -> Self {
        self.read_only = read_only;
        self
    }
}
