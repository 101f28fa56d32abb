//! Why a request has no answer, as a problem of RFC 9457.

use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;

/// Why a request has no answer.
#[derive(Debug)]
pub(crate) enum HttpFailure {
    /// The store could not be asked.
    Store(forebear::Error),
    /// What was asked makes no sense, or can't be done now.
    Problem(Problem),
}

/// What is wrong, in words.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    retry_seconds: Option<u32>,
}

/// What a question comes to.
pub(crate) type HttpResult<T> = Result<T, HttpFailure>;

impl HttpFailure {
    /// A failure with this status: what was expected, what was found, what to do.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self::Problem(Problem { status, detail: detail.into(), retry_seconds: None })
    }

    /// That the request makes no sense.
    pub(crate) fn bad(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// That there is nothing of the kind.
    pub(crate) fn missing(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// That it can't be done now, and when to try again.
    pub(crate) fn busy(detail: impl Into<String>, retry_seconds: u32) -> Self {
        let (status, detail) = (StatusCode::SERVICE_UNAVAILABLE, detail.into());
        Self::Problem(Problem { status, detail, retry_seconds: Some(retry_seconds) })
    }

    /// The problem that it is.
    pub(crate) fn into_problem(self) -> Problem {
        let error = match self {
            Self::Problem(problem) => return problem,
            Self::Store(error) => error,
        };
        let (status, retry_seconds) = if error.is_invalid() {
            (StatusCode::BAD_REQUEST, None)
        } else if error.is_full() {
            (StatusCode::SERVICE_UNAVAILABLE, Some(1))
        } else if error.is_expired() {
            (StatusCode::GONE, None)
        } else if error.is_disk_full() {
            (StatusCode::INSUFFICIENT_STORAGE, Some(30))
        } else if error.is_closed() || error.is_poisoned() || error.is_locked() {
            (StatusCode::SERVICE_UNAVAILABLE, Some(5))
        } else {
            (StatusCode::INTERNAL_SERVER_ERROR, None)
        };
        Problem { status, detail: format!("{error:#}"), retry_seconds }
    }
}

impl Problem {
    /// Its status.
    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }
}

impl From<forebear::Error> for HttpFailure {
    fn from(error: forebear::Error) -> Self {
        Self::Store(error)
    }
}

impl IntoResponse for HttpFailure {
    fn into_response(self) -> Response {
        self.into_problem().into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            title: &'a str,
            status: u16,
            detail: &'a str,
        }
        let Self { status, detail, retry_seconds } = self;
        let title = status.canonical_reason().unwrap_or_default();
        let body = Body { title, status: status.as_u16(), detail: &detail };
        // Texts and a number are always JSON.
        let body = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_seconds {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use forebear::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_full_queue_is_to_be_tried_again() {
        let response = HttpFailure::from(Error::new(ErrorKind::Full, "full")).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        let response = HttpFailure::from(Error::invalid("no such kind")).into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/problem+json");
        assert!(!response.headers().contains_key(RETRY_AFTER));
    }
}
