//! The one guard before every route: who may ask what, and the headers of every reply.
//!
//! In this order: `Host` has to be a name of ours, so that no foreign name can be made to lead
//! here (DNS rebinding); `Origin`, where there is one, has to be our own, so that no foreign
//! page asks in the name of its visitor; then the token, as `Authorization: Bearer`, as the
//! page's cookie, or before the routes of hooks and exporters as `/t/TOKEN/`. There pages of this
//! machine may ask, too. With the cookie only our own page may change anything, which its
//! `Origin` shows.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST,
    HeaderMap, HeaderName, HeaderValue, ORIGIN, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use hyper::{Method, Request, StatusCode, Uri};

use crate::api::Routes;
use crate::app::App;
use crate::failure::{HttpFailure, HttpResult};
use crate::page;

/// Answers a request, once it is known to be allowed.
pub(crate) async fn answer(routes: &Routes, mut request: Request<Body>) -> Response {
    let app = &*routes.app;
    app.traffic.requests.add(1);
    let mut foreign = None;
    let mut response = match admit(app, &mut request) {
        Ok(Admitted::Api) => routes.answer(request).await,
        Ok(Admitted::Prefixed { origin, .. }) if request.method() == Method::OPTIONS => {
            foreign = origin;
            StatusCode::NO_CONTENT.into_response()
        }
        Ok(Admitted::Prefixed { origin }) => {
            foreign = origin;
            routes.answer_prefixed(request).await
        }
        Err(failure) => {
            app.traffic.refused.add(1);
            failure.into_response()
        }
    };
    protect(response.headers_mut());
    if let Some(origin) = foreign {
        allow(response.headers_mut(), origin);
    }
    response
}

enum Admitted {
    /// To all routes.
    Api,
    /// To those of hooks and exporters, from a page of this machine perhaps.
    Prefixed { origin: Option<HeaderValue> },
}

fn admit(app: &App, request: &mut Request<Body>) -> HttpResult<Admitted> {
    let host = host_of(request)?;
    if !app.hosts.has(&host) {
        return Err(HttpFailure::new(
            StatusCode::FORBIDDEN,
            "expected a name of this server in Host, found another; start it with --host NAME to \
             have it answer to one",
        ));
    }
    let origin = one(request.headers(), &ORIGIN)?.cloned();
    if let Some((token, rest)) = prefixed(request.uri()) {
        let is_ours = app.token.is(&token);
        if let Some(origin) = &origin
            && !is_own(origin, &host)
            && !is_of_this_machine(origin)
        {
            return Err(foreign_origin());
        }
        if !is_ours {
            return Err(no_token());
        }
        *request.uri_mut() = rest;
        return Ok(Admitted::Prefixed { origin });
    }
    if let Some(origin) = &origin
        && !is_own(origin, &host)
    {
        return Err(foreign_origin());
    }
    if is_open(request) || bears_token(app, request.headers())? {
        return Ok(Admitted::Api);
    }
    if !has_cookie(app, request.headers()) {
        return Err(no_token());
    }
    let changes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let site = request.headers().get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    let is_elsewhere = site.is_some_and(|site| site != b"same-origin" && site != b"none");
    if changes && origin.is_none() || is_elsewhere {
        return Err(HttpFailure::new(
            StatusCode::FORBIDDEN,
            "with the cookie only the server's own page may ask; programs send the token as \
             Authorization: Bearer",
        ));
    }
    Ok(Admitted::Api)
}

/// What needs no token: whether the server is well, the page that asks for it, and handing it
/// in for the cookie.
fn is_open(request: &Request<Body>) -> bool {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    match request.uri().path() {
        "/health" => reads,
        "/login" => request.method() == Method::POST,
        path => reads && page::has(path),
    }
}

/// The name that the server is called by: there is one, and where it stands twice it is the same.
fn host_of(request: &Request<Body>) -> HttpResult<String> {
    let host = one(request.headers(), &HOST)?.and_then(|host| host.to_str().ok());
    let host = host.ok_or_else(|| HttpFailure::bad("expected a Host, found none"))?;
    if let Some(authority) = request.uri().authority()
        && !authority.as_str().eq_ignore_ascii_case(host)
    {
        return Err(HttpFailure::bad("expected the same host in the request's line and in Host"));
    }
    Ok(host.to_ascii_lowercase())
}

/// A header that may come once.
fn one<'h>(headers: &'h HeaderMap, name: &HeaderName) -> HttpResult<Option<&'h HeaderValue>> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (value, None) => Ok(value),
        _ => Err(HttpFailure::bad(format!("expected {name} once, found it twice"))),
    }
}

fn is_own(origin: &HeaderValue, host: &str) -> bool {
    let origin = origin.to_str().unwrap_or_default().to_ascii_lowercase();
    // Behind a proxy that does TLS the page is one of HTTPS.
    let name = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    name == Some(host)
}

/// Whether a page comes from a server on this machine, whichever port that has.
fn is_of_this_machine(origin: &HeaderValue) -> bool {
    let Ok(uri) = origin.to_str().unwrap_or_default().parse::<Uri>() else { return false };
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    let name = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_here = name.eq_ignore_ascii_case("localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    is_http && is_here && uri.authority().is_some_and(|name| !name.as_str().contains('@'))
}

/// The token before a path, and what stands behind it.
fn prefixed(uri: &Uri) -> Option<(String, Uri)> {
    let rest = uri.path().strip_prefix("/t/")?;
    let (token, path) = rest.split_once('/').unwrap_or((rest, ""));
    let target = match uri.query() {
        Some(query) => format!("/{path}?{query}"),
        None => format!("/{path}"),
    };
    Some((token.to_owned(), target.parse().ok()?))
}

/// Whether the request bears the token; fails where it bears another.
fn bears_token(app: &App, headers: &HeaderMap) -> HttpResult<bool> {
    let Some(value) = one(headers, &AUTHORIZATION)? else { return Ok(false) };
    let words = value.to_str().unwrap_or_default();
    let token = words.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    if token.is_some_and(|(_, token)| app.token.is(token.trim())) {
        Ok(true)
    } else {
        Err(no_token())
    }
}

fn has_cookie(app: &App, headers: &HeaderMap) -> bool {
    let name = app.hosts.cookie_name();
    let values = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = values.flat_map(|value| value.split(';')).filter_map(|pair| pair.split_once('='));
    let mut ours = pairs.filter(|(key, _)| key.trim() == name);
    ours.any(|(_, value)| app.token.is_cookie(value.trim()))
}

fn no_token() -> HttpFailure {
    HttpFailure::new(
        StatusCode::UNAUTHORIZED,
        "expected the server's token as Authorization: Bearer, found none or another; `forebear \
         serve` prints it when it starts",
    )
}

fn foreign_origin() -> HttpFailure {
    HttpFailure::new(StatusCode::FORBIDDEN, "expected no Origin or the server's own, found another")
}

/// What every reply says: it is what its type says, nobody keeps it or frames it, and a page
/// made of it runs nothing but what is the server's own.
fn protect(headers: &mut HeaderMap) {
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (X_FRAME_OPTIONS, "DENY"),
        (REFERRER_POLICY, "no-referrer"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'",
        ),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// Lets a page of this machine read the reply.
fn allow(headers: &mut HeaderMap, origin: HeaderValue) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, PUT, DELETE, OPTIONS"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_machine_are_told_from_others() {
        let is_here = |origin: &str| {
            is_of_this_machine(&HeaderValue::from_str(origin).expect("a header's value"))
        };
        for origin in [
            "http://localhost:5173",
            "http://127.0.0.1",
            "https://[::1]:8080",
            "http://LOCALHOST:1",
        ] {
            assert!(is_here(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.com",
            "http://localhost.evil.com:4000",
            "http://localhost@evil.com",
            "http://127.0.0.1.evil.com",
            "file://localhost/x",
            "http://10.0.0.1",
        ] {
            assert!(!is_here(origin), "{origin}");
        }
    }

    #[test]
    fn the_token_before_a_path_is_cut_off() {
        let cut = |uri: &str| {
            let uri = uri.parse().expect("a path");
            prefixed(&uri).map(|(token, rest)| (token, rest.to_string()))
        };
        let expected = |token: &str, rest: &str| Some((token.to_owned(), rest.to_owned()));
        assert_eq!(cut("/t/abc/events/recent?limit=3"), expected("abc", "/events/recent?limit=3"));
        assert_eq!(cut("/t/abc"), expected("abc", "/"));
        assert_eq!(cut("/t/abc/t/abc/x"), expected("abc", "/t/abc/x"));
        assert_eq!(cut("/api/events"), None);
    }
}
