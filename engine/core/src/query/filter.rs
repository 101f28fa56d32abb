//! Which events a query is about.

use crate::base::id::EventId;
use crate::base::listing::Parameters;
use crate::base::time::Time;

/// Which events to list, count or follow. An empty filter takes all of them.
///
/// Conditions add up: an event must meet each of them, but of several kinds
/// only one. Conditions on session and labels find versions too.
///
/// ```
/// use forebear::{Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("error").instance("worker-1").label("queue", "mail"))?;
/// let page = store.snapshot().events(Filter::new().instance("worker-1").errors()).page()?;
/// assert_eq!(page.items.len(), 1);
/// # Ok::<(), forebear::Error>(())
/// ```
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says one thing of what is taken, independent of the others"
)]
#[derive(Clone, Debug)]
pub struct Filter {
    pub(crate) instance: Option<String>,
    pub(crate) session: Option<String>,
    pub(crate) kinds: Vec<String>,
    /// None of these.
    pub(crate) other_kinds: Vec<String>,
    /// Keys and values of labels: of each entry any.
    pub(crate) labels: Vec<Vec<(String, String)>>,
    /// None of these.
    pub(crate) other_labels: Vec<(String, String)>,
    pub(crate) root: Option<EventId>,
    pub(crate) errors: bool,
    /// From this time on, in nanoseconds since the Unix epoch.
    pub(crate) since_ns: i64,
    /// Before this time; none means no end.
    pub(crate) until_ns: Option<i64>,
    pub(crate) versions: bool,
    pub(crate) derived_ids: bool,
    pub(crate) superseded: bool,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            instance: None,
            session: None,
            kinds: Vec::new(),
            other_kinds: Vec::new(),
            labels: Vec::new(),
            other_labels: Vec::new(),
            root: None,
            errors: false,
            since_ns: i64::MIN,
            until_ns: None,
            versions: true,
            derived_ids: true,
            superseded: false,
        }
    }
}

impl Filter {
    /// Whether every row meets the filter's conditions.
    pub(crate) fn takes_everything(&self) -> bool {
        self.instance.is_none()
            && self.session.is_none()
            && self.kinds.is_empty()
            && self.other_kinds.is_empty()
            && self.labels.is_empty()
            && self.other_labels.is_empty()
            && self.root.is_none()
            && !self.errors
            && self.since_ns == i64::MIN
            && self.until_ns.is_none()
            && self.versions
            && self.derived_ids
    }

    /// Takes every event.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch((0..3).map(|n| Event::new("tick").time_ns(n)))?;
    /// let page = store.snapshot().events(Filter::new()).page()?;
    /// assert_eq!(page.items[0].time_ns(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the events of this instance.
    #[must_use]
    pub fn instance(mut self, instance: impl Into<String>) -> Self {
        self.instance = Some(instance.into());
        self
    }

    /// Takes the events and versions of this session.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tick").session("morning").instance("clock"))?;
    /// let filter = Filter::new().session("morning").instance("clock");
    /// assert_eq!(store.snapshot().events(filter).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn session(mut self, session: impl Into<String>) -> Self {
        self.session = Some(session.into());
        self
    }

    /// Takes the events of this kind; asked again, of any of the kinds.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch(["tick", "error", "job"].map(Event::new))?;
    /// let either = Filter::new().kind("tick").kind("job");
    /// assert_eq!(store.snapshot().events(either).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn kind(mut self, kind: impl Into<String>) -> Self {
        self.kinds.push(kind.into());
        self
    }

    /// Leaves out the events of this kind; asked again, of that one too.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch(["tick", "error", "job"].map(Event::new))?;
    /// let others = Filter::new().without_kind("tick");
    /// assert_eq!(store.snapshot().events(others).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn without_kind(mut self, kind: impl Into<String>) -> Self {
        self.other_kinds.push(kind.into());
        self
    }

    /// Takes the events and versions that have this label; asked again, all of
    /// the labels.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").label("queue", "mail").label("branch", "main"))?;
    /// store.append(Event::new("job").label("queue", "mail"))?;
    /// let both = Filter::new().label("queue", "mail").label("branch", "main");
    /// assert_eq!(store.snapshot().events(both).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.push(vec![(key.into(), value.into())]);
        self
    }

    /// Leaves out the events and versions that have this label; asked again, that one too.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").label("queue", "mail"))?;
    /// store.append(Event::new("job"))?;
    /// let others = Filter::new().without_label("queue", "mail");
    /// assert_eq!(store.snapshot().events(others).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn without_label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.other_labels.push((key.into(), value.into()));
        self
    }

    /// Takes the events and versions of which any of these labels has the value;
    /// asked again, of which each time one has.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("started").label("source_task", "t1"))?;
    /// store.append(Event::new("nudged").label("source_task", "t2").label("target_task", "t1"))?;
    /// store.append(Event::new("started").label("source_task", "t2"))?;
    /// let of_the_task = Filter::new().label_of_any(["source_task", "target_task"], "t1");
    /// assert_eq!(store.snapshot().events(of_the_task).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn label_of_any(
        mut self,
        keys: impl IntoIterator<Item = impl Into<String>>,
        value: impl Into<String>,
    ) -> Self {
        let value = value.into();
        let labels = keys.into_iter().map(|key| (key.into(), value.clone()));
        self.labels.push(labels.collect());
        self
    }

    /// Takes the events and versions that have any of these labels, at most a few
    /// thousand: each is looked up.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("call").label("queue", "mail"))?;
    /// store.append(Event::new("call").label("queue", "slow"))?;
    /// store.append(Event::new("call").label("model", "small"))?;
    /// let either = Filter::new().any_label([("queue", "mail"), ("model", "small")]);
    /// assert_eq!(store.snapshot().events(either).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn any_label(
        mut self,
        labels: impl IntoIterator<Item = (impl Into<String>, impl Into<String>)>,
    ) -> Self {
        let labels = labels.into_iter().map(|(key, value)| (key.into(), value.into()));
        self.labels.push(labels.collect());
        self
    }

    /// Takes the events that go back to this root (see
    /// [`StoredEvent::root`](crate::StoredEvent::root)), itself included.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("request").id("ask"))?;
    /// store.append(Event::new("error").parent("ask"))?;
    /// store.append(Event::new("error"))?;
    /// let of_the_request = Filter::new().root("ask").errors();
    /// assert_eq!(store.snapshot().events(of_the_request).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn root(mut self, root: impl Into<EventId>) -> Self {
        self.root = Some(root.into());
        self
    }

    /// Takes errors only: events of the kind `error`, and those with the label
    /// `is_error` = `true`.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("error"))?;
    /// store.append(Event::new("job_done").label("is_error", "true"))?;
    /// store.append(Event::new("job_done"))?;
    /// assert_eq!(store.snapshot().events(Filter::new().errors()).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn errors(mut self) -> Self {
        self.errors = true;
        self
    }

    /// Takes the events at this time (nanoseconds since the Unix epoch) or later.
    #[must_use]
    pub fn since_ns(mut self, time_ns: i64) -> Self {
        self.since_ns = time_ns;
        self
    }

    /// Takes the events before this time (nanoseconds since the Unix epoch).
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch((0..10).map(|n| Event::new("tick").time_ns(n)))?;
    /// let stretch = Filter::new().since_ns(3).until_ns(5);
    /// assert_eq!(store.snapshot().events(stretch).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn until_ns(mut self, time_ns: i64) -> Self {
        self.until_ns = Some(time_ns);
        self
    }

    /// Takes the events at this time or later: a [`SystemTime`](std::time::SystemTime), a
    /// [`Time`], or under the features `jiff` and `chrono` a type of theirs.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("tick"))?;
    /// let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    /// let recent = Filter::new().since(an_hour_ago);
    /// assert_eq!(store.snapshot().events(recent.clone()).page()?.items.len(), 1);
    /// assert!(store.snapshot().events(recent.until(an_hour_ago)).page()?.items.is_empty());
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn since(self, time: impl Into<Time>) -> Self {
        self.since_ns(time.into().ns())
    }

    /// Takes the events before this time; as [`since`](Self::since).
    #[must_use]
    pub fn until(self, time: impl Into<Time>) -> Self {
        self.until_ns(time.into().ns())
    }

    /// Leaves out later versions of events.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("note").id("n").payload("first"))?;
    /// store.append(Event::new("note").id("n").payload("second"))?;
    /// let firsts = Filter::new().without_versions().without_derived_ids();
    /// assert_eq!(store.snapshot().events(firsts).page()?.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn without_versions(mut self) -> Self {
        self.versions = false;
        self
    }

    /// Takes the revisions too that newer ones replace.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("span").id("s").payload("open"))?;
    /// store.append(Event::new("span").id("s").payload("ended").revision())?;
    /// let all = Filter::new().with_superseded();
    /// assert_eq!(store.snapshot().events(all).page()?.items.len(), 2);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    #[must_use]
    pub fn with_superseded(mut self) -> Self {
        self.superseded = true;
        self
    }

    /// Leaves out events that came without an id of their own.
    #[must_use]
    pub fn without_derived_ids(mut self) -> Self {
        self.derived_ids = false;
        self
    }

    /// Names what the filter asks for, so that cursors of listings by others are refused.
    pub(crate) fn parameters(&self, parameters: &mut Parameters) {
        parameters.text_opt(self.instance.as_deref());
        parameters.text_opt(self.session.as_deref());
        parameters.number(self.kinds.len() as u64);
        self.kinds.iter().for_each(|kind| parameters.text(kind));
        parameters.number(self.labels.len() as u64);
        for any in &self.labels {
            parameters.number(any.len() as u64);
            for (key, value) in any {
                parameters.text(key);
                parameters.text(value);
            }
        }
        parameters.number(self.other_kinds.len() as u64);
        self.other_kinds.iter().for_each(|kind| parameters.text(kind));
        parameters.number(self.other_labels.len() as u64);
        for (key, value) in &self.other_labels {
            parameters.text(key);
            parameters.text(value);
        }
        parameters.number(u64::from(self.root.is_some()));
        self.root.iter().for_each(|root| parameters.id(root));
        parameters.number(self.since_ns.cast_unsigned());
        parameters.number(u64::from(self.until_ns.is_some()));
        parameters.number(self.until_ns.unwrap_or_default().cast_unsigned());
        for flag in [self.errors, self.versions, self.derived_ids, self.superseded] {
            parameters.number(u64::from(flag));
        }
    }
}

impl From<&Filter> for Filter {
    fn from(filter: &Filter) -> Self {
        filter.clone()
    }
}
