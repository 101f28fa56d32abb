//! The page and what it is made of.

use axum::response::{IntoResponse, Response};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use hyper::{StatusCode, Uri};

/// Whether there is a file of the page at this path. None says anything of the store, so that
/// all are given without a token: it is the page that hands it in.
pub(crate) fn has(path: &str) -> bool {
    forebear_web::file(path).is_some()
}

/// The file of the page at a path, if there is one.
pub(crate) fn answer(uri: &Uri, headers: &HeaderMap) -> Option<Response> {
    let file = forebear_web::file(uri.path())?;
    let known = headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok());
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim() == file.etag));
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        file.bytes.into_response()
    };
    let kept = if file.is_immutable() { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.media_type));
    headers.insert(ETAG, HeaderValue::from_static(file.etag));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(kept));
    Some(response)
}
