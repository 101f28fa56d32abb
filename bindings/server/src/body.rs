//! Bodies of requests, within limits of bytes, time, and memory over all of them.

use std::sync::Arc;

use axum::body::Body;
use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::body::Body as _;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::limits::{BODY_STOP_TIME, BODY_TIME};

/// A body that was read, and the room that it takes among all bodies.
pub(crate) struct HeldBody {
    pub(crate) bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl HeldBody {
    /// Takes room for so many bytes in all; fails where all bodies together would be too long.
    pub(crate) fn grow_to(&mut self, app: &App, bytes: usize) -> HttpResult<()> {
        let held = self.room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let Some(more) = bytes.div_ceil(1024).checked_sub(held).filter(|more| *more > 0) else {
            return Ok(());
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let taken = Arc::clone(&app.bodies).try_acquire_many_owned(more).map_err(|_| {
            HttpFailure::busy("too much is being sent to this server at once; try again", 1)
        })?;
        match &mut self.room {
            Some(room) => room.merge(taken),
            None => self.room = Some(taken),
        }
        Ok(())
    }
}

/// Reads a body of at most so many bytes.
pub(crate) async fn read(app: &App, mut body: Body, max_bytes: usize) -> HttpResult<HeldBody> {
    let told = body.size_hint().lower();
    if usize::try_from(told).is_ok_and(|told| told > max_bytes) {
        return Err(too_long(max_bytes));
    }
    let mut held = HeldBody { bytes: Vec::new(), room: None };
    let ends = Instant::now() + BODY_TIME;
    loop {
        let left = ends.saturating_duration_since(Instant::now()).min(BODY_STOP_TIME);
        let Ok(frame) = timeout(left, body.frame()).await else {
            return Err(HttpFailure::new(StatusCode::REQUEST_TIMEOUT, "the body came too slowly"));
        };
        let Some(frame) = frame else { return Ok(held) };
        let frame =
            frame.map_err(|error| HttpFailure::bad(format!("the body broke off: {error}")))?;
        // Trailers say nothing here.
        let Ok(data) = frame.into_data() else { continue };
        let length = held.bytes.len() + data.len();
        if length > max_bytes {
            return Err(too_long(max_bytes));
        }
        held.grow_to(app, length)?;
        held.bytes.extend_from_slice(&data);
    }
}

pub(crate) fn too_long(max_bytes: usize) -> HttpFailure {
    HttpFailure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("expected a body of at most {max_bytes} bytes, found more; send it in parts"),
    )
}
