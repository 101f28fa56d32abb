//! The one way to ask a listing: a query with a limit and a cursor, read by the page or
//! item by item.

use std::collections::VecDeque;
use std::{fmt, vec};

use crate::base::detail::Detail;
use crate::base::error::{Error, Result};
use crate::base::id::EventId;
use crate::base::limits::{DEFAULT_PAGE, MAX_PAGE};
use crate::base::page::{Cursor, Name, Page, Position};

/// What a [`Query`] lists: the items of one kind that a snapshot has of something.
///
/// A crate built on this one lists what it keeps by the same protocol: it implements
/// `Listing` and returns [`Query::new`] of it.
///
/// ```
/// use forebear::listing::{Listing, Parameters, Position, Query};
/// use forebear::{Page, Result};
///
/// /// The multiples of a number, up to a hundred.
/// #[derive(Clone)]
/// struct Multiples(u64);
///
/// impl Listing for Multiples {
///     type Item = u64;
///     const NAME: &'static str = "multiples";
///
///     fn parameters(&self, parameters: &mut Parameters) {
///         parameters.number(self.0);
///     }
///
///     fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<u64, Position>> {
///         let begin = after.map_or(0, |last| last.at) + 1;
///         let mut items: Vec<u64> = (begin..=100 / self.0).take(limit + 1).collect();
///         let more = items.len() > limit;
///         items.truncate(limit);
///         let next = items.last().filter(|_| more).map(|&last| Position::at(last));
///         Ok(Page::new(items.into_iter().map(|n| n * self.0).collect(), next))
///     }
/// }
///
/// let page = Query::new(Multiples(30)).limit(2).page()?;
/// assert_eq!(page.items, [30, 60]);
/// let rest = Query::new(Multiples(30)).after(page.next.expect("there is one more"));
/// assert_eq!(rest.iter().collect::<Result<Vec<_>>>()?, [90]);
/// assert!(Query::new(Multiples(20)).after(page.next.expect("as above")).page().is_err());
/// # Ok::<(), forebear::Error>(())
/// ```
pub trait Listing {
    /// What is listed.
    type Item;

    /// What its cursors are marked with: at most 24 letters `a` to `z` and hyphens.
    const NAME: &'static str;

    /// Names everything that decides which items there are and in which order, so that a
    /// cursor of another listing of this name is refused. How much of each item is
    /// loaded is no part of it.
    fn parameters(&self, parameters: &mut Parameters);

    /// Reads at most `limit` items, which is 1 to 1000, behind a position, or from the
    /// beginning. Where there may be more, the page says behind which position.
    fn read(&self, after: Option<Position>, limit: usize) -> Result<Page<Self::Item, Position>>;
}

/// A listing of events, of which more or less can be loaded.
pub trait Detailed: Listing {
    /// Sets how much of each event is loaded.
    fn set_detail(&mut self, detail: Detail);
}

/// A listing in order of time.
pub trait Ordered: Listing {
    /// Lists from the oldest on, instead of from the newest back.
    fn set_oldest_first(&mut self);
}

/// A listing of what lies below something.
pub trait DepthBound: Listing {
    /// Sets how many edges below it may lie.
    fn set_max_depth(&mut self, edges: u64);
}

/// A question for the items of a listing, asked by [`page`](Self::page) or
/// [`iter`](Self::iter). Every listing of a snapshot is one of these.
///
/// A limit is 1 to 1000 items a page and 1000 unless set; a page also ends once its items
/// hold more than 32 MiB. Fails where the limit is another ([`Error::is_invalid`]) and
/// where the cursor is of another listing, or of the same listing of something else.
///
/// ```
/// use forebear::{Detail, Event, Filter, Store};
///
/// let store = Store::in_memory()?;
/// store.append(Event::new("request").id("ask"))?;
/// store.append_batch((0..3).map(|_| Event::new("job").parent("ask").payload("{}")))?;
/// let snapshot = store.snapshot();
///
/// let page = snapshot.events(Filter::new().kind("job")).limit(2).page()?;
/// assert!(page.items.len() == 2 && page.next.is_some());
///
/// // All of them, a page at a time, without their payloads.
/// for job in snapshot.children("ask").detail(Detail::Columns).iter() {
///     assert_eq!(job?.kind(), "job");
/// }
/// # Ok::<(), forebear::Error>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a query reads nothing until it is asked for a page or its items"]
pub struct Query<L> {
    listing: L,
    limit: usize,
    after: Option<Cursor>,
}

impl<L: Listing> Query<L> {
    /// A query for all items of a listing.
    ///
    /// An example is at [`Listing`].
    pub fn new(listing: L) -> Self {
        Self { listing, limit: DEFAULT_PAGE, after: None }
    }

    /// Sets how many items a page has at most: 1 to 1000. It does not limit
    /// [`iter`](Self::iter), which goes on to the end.
    ///
    /// ```
    /// use forebear::Store;
    ///
    /// let snapshot = Store::in_memory()?.snapshot();
    /// assert!(snapshot.roots().limit(1000).page().is_ok());
    /// assert!(snapshot.roots().limit(1001).page().is_err_and(|error| error.is_invalid()));
    /// assert!(snapshot.roots().limit(0).page().is_err_and(|error| error.is_invalid()));
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where an earlier page of the same query ended, or begins at the beginning.
    ///
    /// A loop over pages is at [`Page`], one with a cursor as text at [`Cursor`].
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// What is listed, to set options that are the listing's own.
    pub fn listing_mut(&mut self) -> &mut L {
        &mut self.listing
    }

    /// What is listed, for a listing of one's own that is made of it.
    pub fn into_listing(self) -> L {
        self.listing
    }

    /// One page, and where to go on.
    ///
    /// Examples are at [`Query`] and [`Page`].
    pub fn page(&self) -> Result<Page<L::Item>> {
        match self.limit {
            0 => {
                return Err(Error::invalid(format!(
                    "expected a limit of 1 to {MAX_PAGE} items a page, found 0"
                )));
            }
            1..=MAX_PAGE => {}
            more => return Err(Error::too_many("page", MAX_PAGE, more)),
        }
        let (listing, parameters) = self.stamp()?;
        let after = match self.after {
            None => None,
            Some(cursor) if cursor.listing != listing => {
                return Err(Error::invalid(format!(
                    "expected a cursor of the listing {:?}, found one of {:?}; give it to the \
                     listing that it came from, or start over without one",
                    listing.as_str(),
                    cursor.listing.as_str()
                )));
            }
            Some(cursor) if cursor.parameters != parameters => {
                return Err(Error::invalid(format!(
                    "expected a cursor of the same query, found one of the listing {:?} asked for \
                     something else; ask as for the page that it came from, or start over without \
                     one",
                    listing.as_str()
                )));
            }
            Some(cursor) => Some(cursor.position),
        };
        let Page { items, next, damaged } = self.listing.read(after, self.limit)?;
        let next = next.map(|position| Cursor { listing, parameters, position });
        Ok(Page { items, next, damaged })
    }

    /// The items one after the other, read a page of `limit` at a time as they are asked
    /// for. See [`Items`] for what comes of damage; any other error is the last item.
    ///
    /// ```
    /// use forebear::{Event, Result, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch((0..5).map(|n| Event::new("tick").id(format!("tick {n}"))))?;
    /// let ids: Vec<String> = (store.snapshot().roots().limit(2).iter())
    ///     .map(|event| Ok(event?.id().to_string()))
    ///     .collect::<Result<_>>()?;
    /// assert_eq!(ids.len(), 5);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn iter(&self) -> Items<L>
    where
        L: Clone,
    {
        self.clone().into_iter()
    }

    /// What cursors of this query are marked with.
    fn stamp(&self) -> Result<(Name, u64)> {
        let name = Name::new(L::NAME).ok_or_else(|| {
            Error::invalid(format!(
                "expected the name of a listing to have 1 to 24 letters a to z and hyphens, found \
                 {:?}",
                L::NAME
            ))
        })?;
        let mut parameters = Parameters(blake3::Hasher::new_derive_key(PARAMETERS));
        self.listing.parameters(&mut parameters);
        Ok((name, parameters.digest()))
    }
}

impl<L: Detailed> Query<L> {
    /// Sets how much of each event is loaded: everything unless set.
    ///
    /// An example is at [`Detail`].
    pub fn detail(mut self, detail: Detail) -> Self {
        self.listing.set_detail(detail);
        self
    }
}

impl<L: Ordered> Query<L> {
    /// Lists from the oldest on, instead of from the newest back.
    ///
    /// ```
    /// use forebear::{Event, Filter, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append_batch((0..3).map(|n| Event::new("tick").time_ns(n)))?;
    /// let page = store.snapshot().events(Filter::new()).oldest_first().page()?;
    /// assert_eq!(page.items[0].time_ns(), 0);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn oldest_first(mut self) -> Self {
        self.listing.set_oldest_first();
        self
    }
}

impl<L: DepthBound> Query<L> {
    /// Lists what lies at most so many edges below: 1000 unless set.
    ///
    /// ```
    /// use forebear::{Event, Store};
    ///
    /// let store = Store::in_memory()?;
    /// store.append(Event::new("job").id("call").parent("plan"))?;
    /// store.append(Event::new("error").id("failure").parent("call"))?;
    /// store.append(Event::new("plan").id("plan"))?;
    /// let below = store.snapshot().descendants("plan").max_depth(1).page()?;
    /// assert_eq!(below.items.len(), 1);
    /// # Ok::<(), forebear::Error>(())
    /// ```
    pub fn max_depth(mut self, edges: u64) -> Self {
        self.listing.set_max_depth(edges);
        self
    }
}

impl<L: Listing> IntoIterator for Query<L> {
    type Item = Result<L::Item>;
    type IntoIter = Items<L>;

    fn into_iter(self) -> Items<L> {
        Items { query: self, rest: Vec::new().into_iter(), damaged: VecDeque::new(), done: false }
    }
}

impl<L: Listing + Clone> IntoIterator for &Query<L> {
    type Item = Result<L::Item>;
    type IntoIter = Items<L>;

    fn into_iter(self) -> Items<L> {
        self.iter()
    }
}

/// The items of a listing, one after the other. Made by [`Query::iter`].
///
/// What could not be read for damage comes as errors ([`Error::is_damaged`]) behind the
/// items of its page; whoever passes over them gets all that could be read. Any other
/// error is the last item.
pub struct Items<L: Listing> {
    query: Query<L>,
    /// What is left of the page that was read last, and what could not be read of it.
    rest: vec::IntoIter<L::Item>,
    damaged: VecDeque<Error>,
    done: bool,
}

impl<L: Listing> Iterator for Items<L> {
    type Item = Result<L::Item>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(item) = self.rest.next() {
                return Some(Ok(item));
            }
            if let Some(error) = self.damaged.pop_front() {
                return Some(Err(error));
            }
            if self.done {
                return None;
            }
            match self.query.page() {
                Ok(page) => {
                    self.damaged = page.damaged.into();
                    self.rest = page.items.into_iter();
                    self.done = page.next.is_none();
                    self.query.after = page.next;
                }
                Err(error) => {
                    self.done = true;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl<L: Listing + fmt::Debug> fmt::Debug for Items<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("query", &self.query).finish_non_exhaustive()
    }
}

/// A digest of what a listing is asked for. Handed to [`Listing::parameters`], which
/// names everything in a fixed order.
#[derive(Debug)]
pub struct Parameters(blake3::Hasher);

impl Parameters {
    /// A number, a time or a choice.
    pub fn number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// A name.
    pub fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text.as_bytes());
    }

    /// A name that may be left out.
    pub fn text_opt(&mut self, text: Option<&str>) {
        self.number(u64::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    /// The id of an event.
    pub fn id(&mut self, id: &EventId) {
        self.0.update(&id.key());
    }

    fn digest(&self) -> u64 {
        let mut digest = [0; 8];
        digest.copy_from_slice(&self.0.finalize().as_bytes()[..8]);
        u64::from_le_bytes(digest)
    }
}

/// The domain of the digests of parameters.
const PARAMETERS: &str = "forebear 2026 parameters of a listing";
