//! The protocol over HTTP, within a server that has routes of its own.

use std::convert::Infallible;
use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::combinators::BoxBody;
use rmcp::transport::StreamableHttpServerConfig;
use rmcp::transport::streamable_http_server::StreamableHttpService;
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;

use crate::ServeOptions;
use crate::server::Server;

/// Answers requests of the protocol over HTTP, each by itself: no session is kept, so that
/// nothing grows with the number of clients.
///
/// It checks neither `Host` nor `Origin` nor who asks: whoever hands requests to it has.
pub struct HttpService(StreamableHttpService<Arc<Server>, NeverSessionManager>);

impl HttpService {
    /// Answers from this store; nothing is followed.
    pub fn new(options: &ServeOptions) -> Self {
        let server = Arc::new(Server::new(options, false));
        let config = StreamableHttpServerConfig::default()
            .disable_allowed_hosts()
            .disable_allowed_origins()
            .with_legacy_session_mode(false)
            .with_json_response(true);
        let made = move || Ok(Arc::clone(&server));
        Self(StreamableHttpService::new(made, Arc::default(), config))
    }

    /// Answers a request. What may wait for the disk does so on other threads.
    pub async fn answer<B>(&self, request: Request<B>) -> Response<BoxBody<Bytes, Infallible>>
    where
        B: Body + Send + 'static,
        B::Error: Display,
    {
        self.0.handle(request).await
    }
}

impl std::fmt::Debug for HttpService {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpService").finish_non_exhaustive()
    }
}
