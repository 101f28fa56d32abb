//! What was used: tokens, and what they cost.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use forebear_core::{Detail, EventId, Filter, Result, Snapshot, StoredEvent, Tokens};
use forebear_sessions::SessionReads as _;

use crate::budget::Budget;
use crate::prices::Prices;

/// What is added up.
///
/// An example is at [`usage`].
#[derive(Clone, Debug)]
pub struct UsageQuery {
    by: UsageBy,
    filter: Filter,
    prices: Prices,
    budget: Budget,
}

impl UsageQuery {
    /// All that was used, by this.
    pub fn by(by: UsageBy) -> Self {
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX);
        Self { by, filter: Filter::new(), prices: Prices::default(), budget }
    }

    /// Only what these events tell of.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Counts with these prices.
    #[must_use]
    pub fn prices(mut self, prices: Prices) -> Self {
        self.prices = prices;
        self
    }

    /// Sets what is read at most: all of it within 5 s unless set.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }
}

/// What usage is added up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum UsageBy {
    /// The day, in UTC, on which a message was first told of.
    Day,
    /// The folder that the session worked in.
    Project,
    /// The model.
    Model,
    /// The session that a message was first told of in, its agents' with it.
    Session,
}

impl UsageBy {
    /// Its name: `day`, `project`, `model`, `session`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Project => "project",
            Self::Model => "model",
            Self::Session => "session",
        }
    }
}

/// What was used.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UsageReport {
    /// What it is added up by.
    pub by: UsageBy,
    /// The day as of which the prices are.
    pub prices_as_of: String,
    /// Days in their order, all else by what it cost and took, the most first.
    pub rows: Vec<UsageRow>,
    /// All of it.
    pub total: UsageRow,
    /// Models whose price isn't known, with the tokens that are in no sum of money.
    pub unpriced: Vec<UnpricedModel>,
    /// Whether all that was to be read was within the budget, and undamaged.
    pub complete: bool,
}

/// What one of them used.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UsageRow {
    /// The day, project, model or session; empty where it isn't known, and of the total.
    pub value: String,
    /// Messages of models.
    pub messages: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// What they cost in US dollars, as far as the prices of their models are known.
    pub usd: f64,
}

/// A model without a price.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct UnpricedModel {
    /// Its name; empty where messages name none.
    pub model: String,
    /// The tokens of its messages.
    pub tokens: Tokens,
}

/// Adds up what models used, each message once: events that report on one message count with
/// the maximum of each field, and one that several sessions tell (forks and resumed sessions
/// copy lines) counts for the one that it comes from, as far as that is known.
///
/// O(events that the filter takes), and some 100 bytes for each message. Of what retention
/// dropped nothing is left to add up.
///
/// ```
/// use forebear::answers::{UsageBy, UsageQuery, usage};
/// use forebear::{Event, Usage};
///
/// let store = forebear::in_memory()?;
/// let told = |output| Usage { message: "m".into(), output, ..Usage::default() };
/// for output in [3, 1_000_000] {
///     let event = Event::new("job").session("s").label("model", "claude-sonnet-4-5");
///     store.append(event.usage(told(output)))?;
/// }
/// let report = usage(&store.snapshot(), &UsageQuery::by(UsageBy::Model))?;
/// assert_eq!((report.total.messages, report.total.tokens.output), (1, 1_000_000));
/// assert_eq!((report.rows[0].value.as_str(), report.rows[0].usd), ("claude-sonnet-4-5", 15.0));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn usage(snapshot: &Snapshot, query: &UsageQuery) -> Result<UsageReport> {
    let mut meter = query.budget.start();
    let mut told = ToldMessages::default();
    let mut complete = true;
    // A revision may tell more than what stands.
    let filter = query.filter.clone().with_superseded();
    let mut pages = snapshot.events(&filter).oldest_first().detail(Detail::Labels);
    'read: loop {
        let page = pages.page()?;
        complete &= page.damaged.is_empty();
        for event in &page.items {
            if !meter.take(event) {
                complete = false;
                break 'read;
            }
            told.add(event);
        }
        match page.next {
            Some(next) => pages = pages.after(next),
            None => break,
        }
    }
    told.report(snapshot, query, complete)
}

/// Messages that were told of, each once.
#[derive(Default)]
struct ToldMessages {
    names: Names,
    messages: HashMap<MessageKey, ToldMessage, RandomState>,
}

/// What a message is known by. An event without a message's id counts by itself.
#[derive(PartialEq, Eq, Hash)]
enum MessageKey {
    Named(String),
    Event(EventId),
}

struct ToldMessage {
    tokens: Tokens,
    time_ns: i64,
    session: u32,
    model: u32,
    /// Whether only copies of it were met.
    copied: bool,
}

impl ToldMessages {
    fn add(&mut self, event: &StoredEvent) {
        let Some(usage) = event.usage() else { return };
        let tokens = Tokens::from(&usage);
        let key = match usage.message.as_str() {
            "" => MessageKey::Event(event.id().clone()),
            _ => MessageKey::Named(usage.message),
        };
        let session = self.names.number(event.session().unwrap_or(event.instance()));
        let model = self.names.number(event.label("model").unwrap_or_default());
        let copied = event.label("copy_of").is_some();
        let time_ns = event.time_ns();
        match self.messages.entry(key) {
            Entry::Vacant(new) => {
                new.insert(ToldMessage { tokens, time_ns, session, model, copied });
            }
            Entry::Occupied(known) => {
                let known = known.into_mut();
                known.tokens = known.tokens.max_of_each(tokens);
                known.time_ns = known.time_ns.min(time_ns);
                if known.copied && !copied {
                    (known.session, known.copied) = (session, false);
                }
                if self.names.is_empty(known.model) {
                    known.model = model;
                }
            }
        }
    }

    fn report(
        self,
        snapshot: &Snapshot,
        query: &UsageQuery,
        complete: bool,
    ) -> Result<UsageReport> {
        let mut sums: BTreeMap<String, ModelSums> = BTreeMap::new();
        let mut total = ModelSums::new();
        let mut projects: HashMap<u32, String, RandomState> = HashMap::default();
        for message in self.messages.values() {
            let value = match query.by {
                UsageBy::Day => day(message.time_ns),
                UsageBy::Model => self.names.text(message.model).to_owned(),
                UsageBy::Session => self.names.text(message.session).to_owned(),
                UsageBy::Project => match projects.entry(message.session) {
                    Entry::Occupied(known) => known.get().clone(),
                    Entry::Vacant(new) => {
                        let session = snapshot.session(self.names.text(message.session))?;
                        let project = session.and_then(|session| session.project);
                        new.insert(project.unwrap_or_default()).clone()
                    }
                },
            };
            for sums in [sums.entry(value).or_default(), &mut total] {
                let (messages, tokens) = sums.entry(message.model).or_default();
                *messages += 1;
                *tokens = tokens.plus(message.tokens);
            }
        }
        let price = |model: u32| query.prices.of(self.names.text(model));
        // Money is made of sums of tokens, in an order that is always the same.
        let row = |value: String, sums: &ModelSums| {
            let mut row = UsageRow { value, ..UsageRow::default() };
            for (model, (messages, tokens)) in sums {
                row.messages += messages;
                row.tokens = row.tokens.plus(*tokens);
                row.usd += price(*model).map_or(0.0, |price| price.usd(*tokens));
            }
            row
        };
        let mut rows: Vec<UsageRow> =
            sums.into_iter().map(|(value, sums)| row(value, &sums)).collect();
        if query.by != UsageBy::Day {
            let weight = |row: &UsageRow| (row.tokens.input, row.tokens.output);
            rows.sort_by(|a, b| b.usd.total_cmp(&a.usd).then_with(|| weight(b).cmp(&weight(a))));
        }
        let mut unpriced: Vec<UnpricedModel> = total
            .iter()
            .filter(|(model, (_, tokens))| price(**model).is_none() && *tokens != Tokens::default())
            .map(|(model, (_, tokens))| UnpricedModel {
                model: self.names.text(*model).to_owned(),
                tokens: *tokens,
            })
            .collect();
        unpriced.sort_by(|a, b| a.model.cmp(&b.model));
        let total = row(String::new(), &total);
        let prices_as_of = query.prices.as_of().to_owned();
        Ok(UsageReport { by: query.by, prices_as_of, rows, total, unpriced, complete })
    }
}

/// Messages and their tokens, by the numbers of their models.
type ModelSums = BTreeMap<u32, (u64, Tokens)>;

/// Names by numbers, each once.
#[derive(Default)]
struct Names {
    numbers: HashMap<String, u32, RandomState>,
    texts: Vec<String>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        // Each name is in an event, of which there are fewer than that.
        let number = u32::try_from(self.texts.len()).unwrap_or(u32::MAX);
        self.numbers.insert(name.to_owned(), number);
        self.texts.push(name.to_owned());
        number
    }

    fn text(&self, number: u32) -> &str {
        self.texts.get(number as usize).map_or("", String::as_str)
    }

    fn is_empty(&self, number: u32) -> bool {
        self.text(number).is_empty()
    }
}

/// The day in UTC, as `2026-03-01`.
fn day(time_ns: i64) -> String {
    let mut text = forebear_core::Time::from_ns(time_ns).to_string();
    text.truncate(DAY_BYTES);
    text
}

const DAY_BYTES: usize = "2026-03-01".len();
