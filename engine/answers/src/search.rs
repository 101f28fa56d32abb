//! Where something was said.

use std::collections::HashMap;
use std::vec;

use foldhash::fast::RandomState;
use forebear_core::listing::Events;
use forebear_core::{Cursor, Detail, Error, Filter, Query, Result, Snapshot, StoredEvent};
use forebear_readings::{Reading, Readings, Text};
use forebear_sessions::SessionReads as _;

use crate::budget::{Budget, Meter};
use crate::cut;
use crate::needle::Needle;

/// Events that are read at once.
const PAGE: usize = 128;

/// Bytes of a text that are looked through.
const TEXT_BYTES: usize = 4 << 20;

/// Bytes of what stands around a match.
const CONTEXT_BYTES: usize = 100;

/// Bytes of a title.
const TITLE_BYTES: usize = 120;

/// Sessions whose titles are kept.
const TITLES_MAX: usize = 1024;

/// What to look for.
///
/// An example is at [`search`].
#[derive(Clone, Debug)]
pub struct SearchQuery {
    words: String,
    is_regex: bool,
    filter: Filter,
    after: Option<Cursor>,
    budget: Budget,
}

impl SearchQuery {
    /// These words, in whatever case unless one of them has a capital letter.
    pub fn new(words: impl Into<String>) -> Self {
        // A search reads a store as long as it is asked for more.
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX);
        let (filter, after) = (Filter::new(), None);
        Self { words: words.into(), is_regex: false, filter, after, budget }
    }

    /// Takes the words for a regular expression, as the crate `regex` has them; `^` and `$`
    /// stand for the ends of a line.
    #[must_use]
    pub fn regex(mut self, is_regex: bool) -> Self {
        self.is_regex = is_regex;
        self
    }

    /// Looks through these events only.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Goes on where an earlier search for the same ended.
    #[must_use]
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// Sets what is read at most: 5 s unless set.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// An event that says it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Match {
    /// The event, with its payload.
    pub event: StoredEvent,
    /// The match and what stands around it, on one line.
    pub snippet: String,
    /// Where in the snippet it begins and ends, in bytes.
    pub at: (usize, usize),
    /// What the event's session is called; see [`Session::title`](forebear_sessions::Session).
    pub title: Option<String>,
}

/// Looks through what was said, the newest first.
///
/// Texts are looked through as they read: words, thoughts, calls with their input, results,
/// errors, summaries, titles; of a payload that no reader knows all of it. Of each text the
/// first 4 MiB are looked through, and a match that begins behind them is not found. O(bytes of the
/// payloads that the filter takes), at most as the query's budget allows; results come as
/// they are found.
///
/// ```
/// use forebear::Event;
/// use forebear::answers::{SearchQuery, search};
/// use forebear::readings::Readings;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("note").id("n").payload(r#"{"text":"the \"disk\" is full"}"#))?;
/// let (snapshot, readings) = (store.snapshot(), Readings::default());
/// let mut found = search(&snapshot, &readings, &SearchQuery::new("\"disk\" is"))?;
/// let first = found.next().expect("it is there")?;
/// assert_eq!(&first.snippet[first.at.0..first.at.1], "\"disk\" is");
/// assert!(found.next().is_none() && found.is_complete());
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn search<'a>(
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    query: &SearchQuery,
) -> Result<Search<'a>> {
    let events = snapshot.events(&query.filter).limit(PAGE).detail(Detail::Payload);
    Ok(Search {
        snapshot,
        readings,
        needle: Needle::new(&query.words, query.is_regex)?,
        events,
        page: Vec::new().into_iter(),
        begun_after: query.after,
        taken: 0,
        next_after: query.after,
        last_page: false,
        meter: query.budget.start(),
        damaged: Vec::new(),
        read_events: 0,
        read_bytes: 0,
        titles: HashMap::default(),
    })
}

/// A search that goes on: its results as they are found. Made by [`search`].
#[derive(Debug)]
pub struct Search<'a> {
    snapshot: &'a Snapshot,
    readings: &'a Readings,
    needle: Needle,
    events: Query<Events>,
    page: vec::IntoIter<StoredEvent>,
    /// Where the page begins that is read now, and how much of it was taken.
    begun_after: Option<Cursor>,
    taken: usize,
    /// Where the next page begins, and whether there is none.
    next_after: Option<Cursor>,
    last_page: bool,
    meter: Meter,
    damaged: Vec<Error>,
    read_events: u64,
    read_bytes: u64,
    titles: HashMap<String, Option<String>, RandomState>,
}

impl Search<'_> {
    /// Where to go on for what is not read yet; none at the end.
    pub fn cursor(&self) -> Result<Option<Cursor>> {
        if self.is_complete() {
            return Ok(None);
        }
        if self.taken == 0 {
            return Ok(self.begun_after);
        }
        // The same page up to here ends where to go on.
        let query = self.events.clone().limit(self.taken).detail(Detail::Ids);
        Ok(query.after(self.begun_after).page()?.next)
    }

    /// Whether all events were looked through.
    pub fn is_complete(&self) -> bool {
        self.page.len() == 0 && self.last_page && !self.meter.is_used_up()
    }

    /// What could not be looked through for damage so far.
    pub fn damaged(&self) -> &[Error] {
        &self.damaged
    }

    /// Events that were looked through so far, and bytes of their payloads.
    pub fn searched(&self) -> (u64, u64) {
        (self.read_events, self.read_bytes)
    }

    fn next_event(&mut self) -> Result<Option<StoredEvent>> {
        loop {
            // What was too much stays to be read by whoever goes on.
            if self.meter.is_used_up() {
                return Ok(None);
            }
            if let Some(event) = self.page.next() {
                if !self.meter.take(&event) {
                    return Ok(None);
                }
                self.taken += 1;
                return Ok(Some(event));
            }
            if self.last_page {
                return Ok(None);
            }
            let page = self.events.clone().after(self.next_after).page()?;
            self.begun_after = self.next_after;
            self.taken = 0;
            self.page = page.items.into_iter();
            self.damaged.extend(page.damaged);
            self.next_after = page.next;
            self.last_page = page.next.is_none();
        }
    }

    fn look(&mut self, event: StoredEvent) -> Option<Match> {
        let payload = event.payload().unwrap_or_default();
        self.read_events += 1;
        self.read_bytes += payload.len() as u64;
        if !self.needle.may_be_in(&event, self.readings) {
            return None;
        }
        let reading = self.readings.of(&event);
        let (snippet, at) = self.in_reading(&reading, payload)?;
        let title = event.session().and_then(|session| self.title(session));
        Some(Match { event, snippet, at, title })
    }

    /// The first text of a reading that says it.
    fn in_reading(
        &self,
        reading: &Reading<'_>,
        payload: &[u8],
    ) -> Option<(String, (usize, usize))> {
        let words = reading.text.iter().chain(reading.thinking.iter());
        let calls = reading
            .calls
            .iter()
            .flat_map(|call| [call.target.as_ref(), call.tool.as_ref(), call.input.as_ref()]);
        let results = reading.results.iter().flat_map(|result| result.text.iter());
        let title = reading.title.as_ref().map(|title| &title.text);
        let plan = reading
            .plan
            .iter()
            .flat_map(|plan| plan.text.iter().chain(plan.items.iter().map(|item| &item.text)));
        let others = [reading.error.as_ref(), reading.summary.as_ref(), title];
        let mut texts = words
            .chain(calls.flatten())
            .chain(results)
            .chain(others.into_iter().flatten())
            .chain(plan);
        let found = texts.find_map(|text| self.in_text(text));
        let is_known = reading.role.is_some() || reading.bookkeeping;
        found.or_else(|| {
            let payload = std::str::from_utf8(payload).ok().filter(|_| !is_known)?;
            self.in_text(&Text::from(payload))
        })
    }

    fn in_text(&self, text: &Text<'_>) -> Option<(String, (usize, usize))> {
        let text = text.start(TEXT_BYTES);
        let found = self.needle.find(&text)?;
        let begin = text.floor_char_boundary(found.start.saturating_sub(CONTEXT_BYTES));
        // Of a match that is long its beginning.
        let cut = text.floor_char_boundary(found.end.min(found.start + 2 * CONTEXT_BYTES));
        let end = text.ceil_char_boundary(text.len().min(cut + CONTEXT_BYTES));
        let before = cut::one_line(&text[begin..found.start]);
        let within = cut::one_line(&text[found.start..cut]);
        let after = cut::one_line(&text[cut..end]);
        let space = |text: &str, at_end: bool| {
            let c = if at_end { text.chars().next_back() } else { text.chars().next() };
            if c.is_some_and(char::is_whitespace) { " " } else { "" }
        };
        let lead = if begin > 0 { "…" } else { "" };
        let trail = if end < text.len() { "…" } else { "" };
        let mut snippet = format!("{lead}{before}");
        if !before.is_empty() {
            snippet.push_str(space(&text[begin..found.start], true));
        }
        let at = (snippet.len(), snippet.len() + within.len());
        snippet.push_str(&within);
        if !after.is_empty() {
            snippet.push_str(space(&text[cut..end], false));
        }
        snippet.push_str(&after);
        snippet.push_str(trail);
        Some((snippet, at))
    }

    /// What a session is called. It only helps to recognise a match: where the state of the
    /// session can't be read, there is none.
    fn title(&mut self, session: &str) -> Option<String> {
        if let Some(known) = self.titles.get(session) {
            return known.clone();
        }
        let known = self.snapshot.session(session).ok().flatten();
        let title = known.and_then(|session| session.title);
        let title = title.map(|title| cut::end(&cut::one_line(&title), TITLE_BYTES));
        if self.titles.len() < TITLES_MAX {
            self.titles.insert(session.to_owned(), title.clone());
        }
        title
    }
}

impl Iterator for Search<'_> {
    type Item = Result<Match>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.next_event() {
                Ok(event) => event?,
                Err(error) => return Some(Err(error)),
            };
            if let Some(found) = self.look(event) {
                return Some(Ok(found));
            }
        }
    }
}
