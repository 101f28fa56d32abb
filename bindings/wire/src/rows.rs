//! The events of a session as columns, for pages that draw all of them: no payload is read.

use std::collections::HashMap;

use forebear::readings::{MAX_CALLS, keys, numbered};
use forebear::{Cursor, Detail, Filter, LinkKind, Result, Snapshot, StoredEvent, limits};
use serde::Serialize;

use crate::text;

/// Rows that are given unless another number is asked for.
pub const DEFAULT_ROWS: usize = 5_000;

/// Rows that are given at most.
pub const MAX_ROWS: usize = 20_000;

/// Bytes of what a call is about.
const ABOUT_BYTES: usize = 200;

/// The events of a session and of its agents, oldest first: a column for each field, and a
/// value in it for each row. Kinds and instances are numbers of [`names`](Self::names).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Rows {
    /// What `kind`, `instance` and the tools of `calls` are numbers of.
    pub names: Vec<String>,
    /// Sequence numbers.
    pub seq: Vec<u64>,
    /// Ids.
    pub id: Vec<String>,
    /// Milliseconds since the Unix epoch.
    pub time_ms: Vec<i64>,
    /// What sort of event it is.
    pub kind: Vec<u32>,
    /// Who did it.
    pub instance: Vec<u32>,
    /// Whose words they are: 0 nobody's, 1 the user's, 2 the model's, 3 the system's, 4 a
    /// tool's.
    pub role: Vec<u8>,
    /// A sum of [`flag`]s.
    pub flags: Vec<u16>,
    /// Calls and results.
    pub calls: Vec<RowCall>,
    /// Events that another agent's event started.
    pub spawned: Vec<RowParent>,
    /// What messages took.
    pub tokens: Vec<RowTokens>,
    /// Where to go on, if there is more.
    pub next: Option<Cursor>,
    /// How many events could not be read.
    pub damaged: u64,
}

/// What is true of a row.
pub mod flag {
    /// It is a failure.
    pub const ERROR: u16 = 1;
    /// A failure of no weight by itself.
    pub const MINOR: u16 = 1 << 1;
    /// The program's own note, which is no step.
    pub const BOOKKEEPING: u16 = 1 << 2;
    /// Someone refused or stopped it.
    pub const INTERRUPTED: u16 = 1 << 3;
    /// A later version of an event with the same id.
    pub const VERSION: u16 = 1 << 4;
    /// A version that replaces the one before it in its session.
    pub const REVISION: u16 = 1 << 5;
    /// It tells no time, and has that of an event beside it.
    pub const TIME_MADE_UP: u16 = 1 << 6;
    /// It waits for the user.
    pub const WAITS_FOR_USER: u16 = 1 << 7;
    /// It goes on behind a compaction.
    pub const CONTINUES: u16 = 1 << 8;
    /// It came without an id of its own.
    pub const DERIVED_ID: u16 = 1 << 9;
    /// Part of it can't be read.
    pub const DAMAGED: u16 = 1 << 10;
}

/// A call that a row makes, or that it is the result of where its role is a tool's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowCall {
    /// The row, from 0 on each page.
    pub row: u32,
    /// What call and result have in common; empty where the format has none.
    pub id: String,
    /// The tool, by its number.
    pub tool: Option<u32>,
    /// What it is about, cut.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
}

/// The event that a row goes back to, in another agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowParent {
    /// The row, from 0 on each page.
    pub row: u32,
    /// The event's id.
    pub parent: String,
}

/// What a message took; several rows may report on one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowTokens {
    /// The row, from 0 on each page.
    pub row: u32,
    /// The message; empty where the event counts by itself.
    pub message: String,
    /// Tokens: read anew, written, read from a cache, written to a cache.
    pub tokens: [u64; 4],
}

/// The events of a session, or of an agent (`SESSION/AGENT`), page by page; none where nothing
/// is stored of it. O(rows); the columns and labels of each are read.
///
/// ```
/// use forebear::Event;
/// use forebear_wire::rows::rows;
///
/// let store = forebear::in_memory()?;
/// store.append(Event::new("tool_use").session("s").label("tool", "Bash").time_ns(5_000_000))?;
/// let page = rows(&store.snapshot(), "s", None, 100)?.expect("it has an event");
/// assert_eq!((page.time_ms[0], page.names[page.kind[0] as usize].as_str()), (5, "tool_use"));
/// assert_eq!(page.calls[0].tool.map(|tool| page.names[tool as usize].as_str()), Some("Bash"));
/// # Ok::<(), forebear::Error>(())
/// ```
pub fn rows(
    snapshot: &Snapshot,
    session: &str,
    after: Option<Cursor>,
    limit: usize,
) -> Result<Option<Rows>> {
    let Some(filter) = filter_of(snapshot, session)? else { return Ok(None) };
    let limit = limit.clamp(1, MAX_ROWS);
    let mut building = Building::default();
    let mut after = after;
    loop {
        let left = limit - building.rows.seq.len();
        let page = snapshot
            .events(&filter)
            .oldest_first()
            .detail(Detail::Labels)
            .limit(left.min(limits::MAX_PAGE))
            .after(after)
            .page()?;
        building.rows.damaged += page.damaged.len() as u64;
        for event in &page.items {
            building.add(event);
        }
        after = page.next;
        if after.is_none() || building.rows.seq.len() >= limit {
            break;
        }
    }
    Ok(Some(Rows { next: after, ..building.rows }))
}

/// The filter of a session, else of an agent of one. Both names may have slashes in them.
fn filter_of(snapshot: &Snapshot, name: &str) -> Result<Option<Filter>> {
    let agents = name.match_indices('/').map(|(at, _)| {
        let (session, instance) = (&name[..at], &name[at + 1..]);
        Filter::new().session(session).instance(instance)
    });
    for filter in std::iter::once(Filter::new().session(name)).chain(agents) {
        let query = snapshot.events(&filter).limit(1).detail(Detail::Ids);
        if !query.page()?.items.is_empty() {
            return Ok(Some(filter));
        }
    }
    Ok(None)
}

/// A page in the making.
#[derive(Default)]
struct Building {
    rows: Rows,
    numbers: HashMap<String, u32>,
}

impl Building {
    fn add(&mut self, event: &StoredEvent) {
        let row = u32::try_from(self.rows.seq.len()).unwrap_or(u32::MAX);
        let (kind, instance) = (self.number(event.kind()), self.number(event.instance()));
        let rows = &mut self.rows;
        rows.seq.push(event.seq());
        rows.id.push(event.id().to_string());
        rows.time_ms.push(event.time_ns().div_euclid(1_000_000));
        rows.kind.push(kind);
        rows.instance.push(instance);
        if event.link() == Some(LinkKind::Spawned)
            && let Some(parent) = event.parent()
        {
            rows.spawned.push(RowParent { row, parent: parent.to_string() });
        }
        if let Some(usage) = event.usage() {
            let tokens = [usage.input, usage.output, usage.cache_read, usage.cache_written];
            rows.tokens.push(RowTokens { row, message: usage.message, tokens });
        }
        let labels = LabelDigest::of(event);
        rows.role.push(labels.role);
        rows.flags.push(labels.flags | flags_of(event));
        for n in 0..labels.calls {
            let of = |key| labels.all.get(&*numbered(key, n)).copied();
            let tool = of(keys::TOOL).map(|tool| self.number(tool));
            let about = of(keys::TARGET).unwrap_or_default();
            let about = &about[..about.floor_char_boundary(ABOUT_BYTES)];
            let id = of(keys::TOOL_USE_ID).unwrap_or_default().to_owned();
            self.rows.calls.push(RowCall { row, id, tool, about: text::clean(about).into_owned() });
        }
    }

    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let number = u32::try_from(self.rows.names.len()).unwrap_or(u32::MAX);
        self.rows.names.push(name.to_owned());
        self.numbers.insert(name.to_owned(), number);
        number
    }
}

/// What the labels of an event say.
struct LabelDigest<'e> {
    role: u8,
    flags: u16,
    calls: usize,
    /// Those of calls; of most events none.
    all: HashMap<&'e str, &'e str>,
}

impl<'e> LabelDigest<'e> {
    fn of(event: &'e StoredEvent) -> Self {
        let mut labels = Self { role: 0, flags: 0, calls: 0, all: HashMap::new() };
        for (key, value) in event.labels() {
            labels.flags |= match (key, value) {
                (keys::IS_ERROR, "true") => flag::ERROR,
                (keys::MINOR, "true") => flag::MINOR,
                (keys::BOOKKEEPING, "true") => flag::BOOKKEEPING,
                (keys::INTERRUPTED, _) => flag::INTERRUPTED,
                (keys::WAITS_FOR, "user") => flag::WAITS_FOR_USER,
                (keys::TIME_MADE_UP, _) => flag::TIME_MADE_UP,
                _ => 0,
            };
            if key == keys::ROLE {
                labels.role = match value {
                    "user" => 1,
                    "assistant" => 2,
                    "system" => 3,
                    "tool" => 4,
                    _ => 0,
                };
            }
            if [keys::TOOL, keys::TOOL_USE_ID, keys::TARGET].iter().any(|of| key.starts_with(of)) {
                labels.all.insert(key, value);
            }
        }
        let is_there = |n: usize| {
            let has = |key| labels.all.contains_key(&*numbered(key, n));
            has(keys::TOOL_USE_ID) || has(keys::TOOL)
        };
        labels.calls = (0..MAX_CALLS).take_while(|n| is_there(*n)).count();
        labels
    }
}

fn flags_of(event: &StoredEvent) -> u16 {
    let is = |holds: bool, flag: u16| if holds { flag } else { 0 };
    is(event.kind() == "error", flag::ERROR)
        | is(event.is_version(), flag::VERSION)
        | is(event.is_revision(), flag::REVISION)
        | is(event.link() == Some(LinkKind::Continues), flag::CONTINUES)
        | is(event.has_derived_id(), flag::DERIVED_ID)
        | is(event.damage().is_some(), flag::DAMAGED)
}

#[cfg(test)]
mod tests {
    use forebear::{Event, Scope};

    use super::*;

    #[test]
    fn pages_have_every_event_once_and_in_order() {
        let store = forebear::in_memory().unwrap();
        let tick = |n: i64| Event::new("tick").id(format!("t{n:04}")).session("s").time_ns(n);
        store.append_batch((0..2_500).map(tick)).unwrap();
        store.append(Event::new("tick").session("t")).unwrap();
        let snapshot = store.snapshot();
        let (mut after, mut ids, mut pages) = (None, Vec::new(), 0);
        loop {
            let page = rows(&snapshot, "s", after, 1_200).unwrap().unwrap();
            assert_eq!(page.id.len(), page.flags.len());
            ids.extend(page.id);
            pages += 1;
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!((pages, ids.len()), (3, 2_500));
        assert!(ids.is_sorted());
        assert!(rows(&snapshot, "nobody", None, 10).unwrap().is_none());
    }

    #[test]
    fn calls_agents_and_flags_show() {
        let store = forebear::in_memory().unwrap();
        let call = Event::new("tool_use").id("c").session("s").time_ns(1);
        let call = call.label("role", "assistant").label("tool", "Task").label("tool_use_id", "x");
        let call = call.label("tool.2", "Bash").label("tool_use_id.2", "y").label("target.2", "ls");
        store.append(call).unwrap();
        let agent = Event::new("error").id("a").session("s").instance("worker").scope(Scope::Own);
        store.append(agent.time_ns(2)).unwrap();
        store.link("a", "c", LinkKind::Spawned).unwrap();
        let page = rows(&store.snapshot(), "s", None, 10).unwrap().unwrap();
        let calls: Vec<_> = page.calls.iter().map(|call| (&*call.id, &*call.about)).collect();
        assert_eq!(calls, [("x", ""), ("y", "ls")]);
        assert_eq!((page.role[0], page.flags[1]), (2, flag::ERROR));
        assert_eq!(page.spawned, [RowParent { row: 1, parent: "c".to_owned() }]);
        let page = rows(&store.snapshot(), "s/worker", None, 10).unwrap().unwrap();
        assert_eq!(page.id, ["a"]);
    }
}
