//! Parameters of a request's query, each asked for by name; what nobody asked for is an error.

use std::cell::RefCell;
use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use axum::extract::FromRequestParts;
use forebear::answers::Budget;
use forebear::{Cursor, Detail, Filter, SessionFilter, Snapshot};
use forebear_wire::time;
use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

use crate::failure::{HttpFailure, HttpResult};
use crate::find;
use crate::limits::PAGE;

/// The parameters of a request.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pairs: RefCell<Vec<(String, String)>>,
    asked: RefCell<Vec<&'static str>>,
}

/// How much is told of each event.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EventShape {
    pub(crate) detail: Detail,
    pub(crate) gist: bool,
    pub(crate) payload: bool,
}

/// Which events are wanted: what a filter is made of once there is a snapshot, and what an event
/// of a stream is held against.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    pub(crate) instance: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) kinds: Vec<String>,
    pub(crate) labels: Vec<(String, String)>,
    pub(crate) root: Option<String>,
    pub(crate) errors: bool,
    pub(crate) since_ns: Option<i64>,
    pub(crate) until_ns: Option<i64>,
}

impl Params {
    pub(crate) fn of(query: Option<&str>) -> Self {
        let parts = query.unwrap_or_default().split('&').filter(|part| !part.is_empty());
        let pairs = parts.map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decoded(name), decoded(value))
        });
        Self { pairs: RefCell::new(pairs.collect()), asked: RefCell::default() }
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &'static str) -> Vec<String> {
        self.asked.borrow_mut().push(name);
        let taken =
            self.pairs.borrow_mut().extract_if(.., |(key, _)| key == name).collect::<Vec<_>>();
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// A parameter that may come once.
    pub(crate) fn text(&self, name: &'static str) -> HttpResult<Option<String>> {
        let mut values = self.all(name);
        if values.len() > 1 {
            return Err(HttpFailure::bad(format!(
                "expected {name} once, found it {} times",
                values.len()
            )));
        }
        Ok(values.pop())
    }

    /// A parameter that is read into something else.
    pub(crate) fn read<T: FromStr>(
        &self,
        name: &'static str,
        expected: &str,
    ) -> HttpResult<Option<T>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse()
            .map(Some)
            .map_err(|_| HttpFailure::bad(format!("expected {expected} in {name}, found {text:?}")))
    }

    /// A parameter that says yes or no; without a value it says yes.
    pub(crate) fn flag(&self, name: &'static str) -> HttpResult<bool> {
        match self.text(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("" | "true" | "1") => Ok(true),
            Some(other) => {
                Err(HttpFailure::bad(format!("expected true or false in {name}, found {other:?}")))
            }
        }
    }

    /// A time: RFC 3339, a date, nanoseconds, or how long ago.
    pub(crate) fn time(&self, name: &'static str) -> HttpResult<Option<i64>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        time::parse(&text).map(Some).map_err(|error| HttpFailure::bad(format!("{name}: {error}")))
    }

    /// A length of time.
    pub(crate) fn length(&self, name: &'static str) -> HttpResult<Option<Duration>> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        time::parse_length(&text)
            .map(Some)
            .map_err(|error| HttpFailure::bad(format!("{name}: {error}")))
    }

    /// How many items, and behind which.
    pub(crate) fn page(&self) -> HttpResult<(usize, Option<Cursor>)> {
        let limit = self.read("limit", "1 to 1000")?.unwrap_or(PAGE);
        let after = self.read("after", "the next of an earlier page")?;
        Ok((limit, after))
    }

    /// How much of each event.
    pub(crate) fn shape(&self) -> HttpResult<EventShape> {
        let shape = |detail, gist, payload| EventShape { detail, gist, payload };
        Ok(match self.text("detail")?.as_deref() {
            Some("columns") => shape(Detail::Columns, false, false),
            Some("labels") => shape(Detail::Labels, false, false),
            None | Some("gist") => shape(Detail::Payload, true, false),
            Some("payload") => shape(Detail::Payload, true, true),
            Some(other) => {
                return Err(HttpFailure::bad(format!(
                    "expected columns, labels, gist or payload in detail, found {other:?}"
                )));
            }
        })
    }

    /// Which events.
    pub(crate) fn wanted(&self) -> HttpResult<Wanted> {
        let mut labels = Vec::new();
        for label in self.all("label") {
            let Some((key, value)) = label.split_once('=') else {
                return Err(HttpFailure::bad(format!(
                    "expected KEY=VALUE in label, found {label:?}"
                )));
            };
            labels.push((key.to_owned(), value.to_owned()));
        }
        Ok(Wanted {
            labels,
            instance: self.text("instance")?,
            session: self.text("session")?,
            kinds: self.all("kind"),
            root: self.text("root")?,
            errors: self.flag("errors")?,
            since_ns: self.time("since")?,
            until_ns: self.time("until")?,
        })
    }

    /// Which sessions.
    pub(crate) fn sessions(&self) -> HttpResult<SessionFilter> {
        let mut filter = SessionFilter::new();
        let statuses = "active, completed, failed, timeout or cancelled";
        if let Some(status) = self.read("status", statuses)? {
            filter = filter.status(status);
        }
        let types = "main, subagent, wave, continuation, isolated or task";
        if let Some(session_type) = self.read("type", types)? {
            filter = filter.session_type(session_type);
        }
        if let Some(app) = self.text("app")? {
            filter = filter.source_app(app);
        }
        if let Some(wave) = self.text("wave")? {
            filter = filter.wave(wave);
        }
        if let Some(since) = self.time("since")? {
            filter = filter.since_ns(since);
        }
        if let Some(until) = self.time("until")? {
            filter = filter.until_ns(until);
        }
        Ok(filter)
    }

    /// What an answer may read.
    pub(crate) fn budget(&self) -> HttpResult<Budget> {
        let within = self.length("within")?.unwrap_or(WITHIN).min(WITHIN_MAX);
        Ok(Budget::default().time(within))
    }

    /// That nothing else was given.
    pub(crate) fn finish(&self) -> HttpResult<()> {
        match self.pairs.borrow().first() {
            None => Ok(()),
            Some((name, _)) => {
                let mut asked = self.asked.borrow().clone();
                asked.sort_unstable();
                asked.dedup();
                let expected = if asked.is_empty() { "none".to_owned() } else { asked.join(", ") };
                Err(HttpFailure::bad(format!("unknown parameter {name:?}; expected {expected}")))
            }
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::of(parts.uri.query()))
    }
}

impl Wanted {
    /// The filter, its root and its session looked up.
    pub(crate) fn filter(&self, snapshot: &Snapshot) -> HttpResult<Filter> {
        let mut filter = Filter::new();
        if let Some(instance) = &self.instance {
            filter = filter.instance(instance);
        }
        if let Some(session) = &self.session {
            filter = filter.session(find::session_or_as_it_is(snapshot, session)?);
        }
        for kind in &self.kinds {
            filter = filter.kind(kind);
        }
        for (key, value) in &self.labels {
            filter = filter.label(key, value);
        }
        if let Some(root) = &self.root {
            filter = filter.root(find::event(snapshot, root)?);
        }
        if self.errors {
            filter = filter.errors();
        }
        if let Some(since) = self.since_ns {
            filter = filter.since_ns(since);
        }
        if let Some(until) = self.until_ns {
            filter = filter.until_ns(until);
        }
        Ok(filter)
    }
}

fn decoded(text: &str) -> String {
    let text = text.replace('+', " ");
    percent_decode_str(&text).decode_utf8_lossy().into_owned()
}

/// How long an answer may take unless asked otherwise, and at most.
const WITHIN: Duration = Duration::from_secs(5);
const WITHIN_MAX: Duration = Duration::from_secs(30);
