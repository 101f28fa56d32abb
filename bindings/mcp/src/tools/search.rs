//! `search_events`: where it was said, or events by what they are.

use std::time::Duration;

use forebear::answers::{Budget, SearchQuery, search, session_filter};
use forebear::{Cursor, Detail, Filter};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::Answered;
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;
use crate::tools::listed::ListedPage;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SearchToolArgs {
    /// What was said; without it events are listed by the other arguments alone. Case matters
    /// only where it has a capital letter
    #[serde(default)]
    text: Option<String>,
    /// Whether `text` is a regular expression
    #[serde(default)]
    regex: bool,
    /// Only of this session: its name or the beginning of it
    #[serde(default)]
    session: Option<String>,
    /// Only of this instance: an agent
    #[serde(default)]
    instance: Option<String>,
    /// Only of these kinds, such as `user_message`, `tool_use`, `tool_result`, `error`
    #[serde(default)]
    kinds: Vec<String>,
    /// Only errors
    #[serde(default)]
    errors: bool,
    /// Only of this time or later: RFC 3339, a date, or how long ago (2h, 3d)
    #[serde(default)]
    since: Option<String>,
    /// Only before this time
    #[serde(default)]
    until: Option<String>,
    /// Events at most
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    /// The `next` of an earlier reply
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to give all keys of each event, labels among them
    #[serde(default)]
    full: bool,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for SearchToolArgs {
    const NAME: &'static str = "search_events";
    const TITLE: &'static str = "Search what was said and done";
    const DESCRIPTION: &'static str = "Find events, the newest first: by what was said, thought, \
        called or given back (text), by session, kind, time, or errors alone. Use it to find \
        where something was discussed or done before, or what failed lately. It reads for a few \
        seconds at most: where `complete` is false go on with `next`.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "events": {"type": "array", "items": schema::event()},
                "searched_events": schema::count("Events that were looked through"),
                "complete": {"type": "boolean", "description": "Whether all were"},
                "next": schema::next(),
            }),
            &["events", "complete"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let filter = self.filter(question)?;
        let after = args::cursor(self.cursor.as_ref())?;
        match args::given(self.text.as_ref()) {
            Some(words) => self.search(question, words, filter, after, limit),
            None => self.list(question, &filter, after, limit),
        }
    }
}

impl SearchToolArgs {
    fn filter(&self, question: &Question<'_>) -> Answered<Filter> {
        let mut filter = match args::given(self.session.as_ref()) {
            Some(session) => session_filter(question.snapshot, &question.session(session)?)?,
            None => Filter::new(),
        };
        if let Some(instance) = args::given(self.instance.as_ref()) {
            filter = filter.instance(instance);
        }
        for kind in &self.kinds {
            filter = filter.kind(kind);
        }
        if self.errors {
            filter = filter.errors();
        }
        args::between(filter, self.since.as_ref(), self.until.as_ref())
    }

    fn list(
        &self,
        question: &Question<'_>,
        filter: &Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Answered<Reply> {
        let query = question.snapshot.events(filter).after(after).detail(Detail::Payload);
        let draw = |event: &_, alone| question.draw(event, self.full, alone);
        let fetch = |limit| query.clone().limit(limit).page();
        let listed = ListedPage::fetch(question, limit, fetch, draw)?;
        let complete = listed.next.is_none();
        let mut reply = listed.into_reply("events", self.nothing());
        reply.set("complete", complete);
        Ok(reply)
    }

    fn search(
        &self,
        question: &Question<'_>,
        words: &str,
        filter: Filter,
        after: Option<Cursor>,
        limit: usize,
    ) -> Answered<Reply> {
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX).time(SEARCH_TIME);
        let query = SearchQuery::new(words).regex(self.regex).filter(filter);
        let query = query.after(after).budget(budget);
        let mut found = search(question.snapshot, question.readings, &query)?;
        let mut items: Vec<(Value, String)> = Vec::new();
        let mut next = after;
        loop {
            if items.len() == limit {
                break;
            }
            let Some(one) = found.next().transpose()? else {
                next = found.cursor()?;
                break;
            };
            let (mut value, _) = question.draw(&one.event, self.full, items.is_empty())?;
            let snippet = cap::start(&question.redact(&one.snippet), SNIPPET_BYTES);
            let title = one.title.as_deref().map(|title| question.redact(title).into_owned());
            if let Value::Object(members) = &mut value {
                // The match says more than the beginning of the text.
                members.insert("gist".to_owned(), snippet.into());
                if let Some(title) = title {
                    members.insert("title".to_owned(), title.into());
                }
            }
            let line = crate::line::of_event(&value);
            if !question.takes(&value, &line) && !items.is_empty() {
                break;
            }
            items.push((value, line));
            // Where to go on, should there be no room for the next.
            next = found.cursor()?;
        }
        let (searched, bytes) = found.searched();
        let listed = ListedPage { items, next, damaged: found.damaged().len() };
        let mut reply = listed.into_reply("events", self.nothing());
        reply.set("searched_events", searched);
        reply.set("complete", next.is_none());
        if next.is_some() {
            reply.line(format!(
                "looked through {} so far, {}",
                text::counted(searched, "event", "events"),
                text::bytes(bytes)
            ));
        }
        Ok(reply)
    }

    fn nothing(&self) -> &'static str {
        match self.cursor {
            None => "no event matches",
            Some(_) => "no more events match",
        }
    }
}

fn default_limit() -> usize {
    20
}

/// How long a search reads.
const SEARCH_TIME: Duration = Duration::from_secs(4);

/// Bytes of what stands around a match.
const SNIPPET_BYTES: usize = 320;
