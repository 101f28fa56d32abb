//! Connections: taking them, limiting them, ending them.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::select;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::api::Routes;
use crate::guard;
use crate::limits::{CONNECTIONS_MAX, GRACE_TIME, HEAD_BYTES, HEAD_TIME};

/// Answers what comes in until the server is stopped, and then waits a while for what is
/// being answered.
pub(crate) async fn listen(routes: Arc<Routes>, listener: TcpListener) {
    let free = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    let mut stopped = routes.app.stopped();
    loop {
        let accepted = select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = listener.accept() => accepted,
        };
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = accepted else {
            // No descriptor is free, or the client has gone.
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        let Ok(held) = Arc::clone(&free).try_acquire_owned() else {
            send_away(&stream);
            continue;
        };
        let routes = Arc::clone(&routes);
        connections.spawn(async move {
            routes.app.traffic.connections.add(1);
            serve(Arc::clone(&routes), stream).await;
            routes.app.traffic.connections.subtract(1);
            drop(held);
        });
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    // What is not done by then is cut off when the set is dropped.
    let _ = timeout(GRACE_TIME, ended).await;
}

async fn serve(routes: Arc<Routes>, stream: TcpStream) {
    let mut stopped = routes.app.stopped();
    // Frames of streams are short and are to be there at once.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let routes = Arc::clone(&routes);
        async move { Ok::<_, Infallible>(guard::answer(&routes, request.map(Body::new)).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIME)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(crate::patience::Patient::new(stream)), service)
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    // A connection that breaks concerns its client alone.
    select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = connection.await;
}

/// Tells a client that there are too many, as far as that is possible without waiting for it.
fn send_away(stream: &TcpStream) {
    let _ = stream.try_write(
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n\
          Content-Length: 0\r\n\r\n",
    );
}

/// How long to wait where nothing can be accepted.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);
