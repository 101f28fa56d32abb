//! What the server is called by.

use std::net::SocketAddr;

/// The names that clients may call the server by, as `Host` has them.
#[derive(Debug)]
pub(crate) struct Hosts {
    names: Vec<String>,
    port: u16,
}

impl Hosts {
    /// Those of this machine and of the address that is listened on, and these.
    pub(crate) fn new(address: SocketAddr, more: &[String]) -> Self {
        let port = address.port();
        let mut names: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}")).into();
        if port == 80 {
            names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        }
        if !address.ip().is_unspecified() {
            names.push(address.to_string());
        }
        names.extend(more.iter().map(|name| name.to_ascii_lowercase()));
        Self { names, port }
    }

    /// The name of the page's cookie: servers on other ports of this machine have others.
    pub(crate) fn cookie_name(&self) -> String {
        format!("forebear_{}", self.port)
    }

    /// Whether one of them is this one, in any case.
    pub(crate) fn has(&self, host: &str) -> bool {
        self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }
}
