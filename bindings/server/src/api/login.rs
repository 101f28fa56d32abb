//! The page's cookie.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{HeaderValue, SET_COOKIE};

use crate::app::App;
use crate::body;
use crate::failure::{HttpFailure, HttpResult};

/// Gives the page its cookie for the token, which is the body. The cookie is sent by this
/// server's own page alone and can't be read by any script.
pub(super) async fn login(State(app): State<Arc<App>>, body: Body) -> HttpResult<Response> {
    let body = body::read(&app, body, TOKEN_BYTES).await?;
    let offered = str::from_utf8(&body.bytes).unwrap_or_default().trim();
    if !app.token.is(offered) {
        return Err(HttpFailure::new(
            StatusCode::UNAUTHORIZED,
            "expected the server's token as the body, found another; open the address that \
             `forebear serve` prints",
        ));
    }
    let (name, value) = (app.hosts.cookie_name(), app.token.cookie());
    let cookie =
        format!("{name}={value}; HttpOnly; SameSite=Strict; Path=/; Max-Age={COOKIE_SECONDS}");
    let mut response = StatusCode::NO_CONTENT.into_response();
    // A name, digits and letters are a header's value.
    let cookie =
        HeaderValue::from_str(&cookie).map_err(|error| HttpFailure::bad(error.to_string()))?;
    response.headers_mut().insert(SET_COOKIE, cookie);
    Ok(response)
}

/// Longer than any token.
const TOKEN_BYTES: usize = 4096;
/// A year.
const COOKIE_SECONDS: u32 = 365 * 24 * 60 * 60;
