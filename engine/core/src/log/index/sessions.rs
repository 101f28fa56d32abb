//! What the events of a log say of the sessions they belong to.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use foldhash::fast::RandomState;

use crate::base::link::LinkKind;
use crate::base::row::{Flags, NONE, Place};
use crate::log::index::tally::{
    AGENT, ANSWERED, CALL, CALLED, Edge, Head, MET, Origin, OriginKind, Tally, Tokens, add_origin,
    digest,
};
use crate::log::index::{Dimension, Index, NOW, Parent};

/// The sessions of a log by their names.
pub(crate) type Tallies = BTreeMap<String, Tally>;

/// What shows the index to whoever is called.
pub(crate) type Look<'a> = dyn Fn(&mut dyn FnMut(&Index)) + 'a;

/// How far a log is folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// The sequence number of the first row.
    pub(crate) first_seq: u64,
    pub(crate) rows: u32,
    /// The commit as of which links are asked for.
    pub(crate) at: u32,
}

/// The name of the session that an event belongs to, and how many bytes of it name
/// the session that an agent's belongs to, 0 where it is no agent's; none for
/// events of no session.
pub(crate) fn session_of(session: &str, instance: &str) -> Option<(String, usize)> {
    if session.is_empty() {
        return None;
    }
    if instance.is_empty() || instance == session {
        return Some((session.to_owned(), 0));
    }
    Some((format!("{session}/{instance}"), session.len()))
}

/// The names of all sessions that [`fold`] finds in a log. O(rows).
pub(crate) fn names(index: &Index) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut numbers = HashSet::<(u32, u32), RandomState>::default();
    for (row, entry) in (0..).zip(index.rows()) {
        if entry.flags.has(Flags::LOST) || entry.session == NONE {
            continue;
        }
        if let Some(origin) = origin(index, row, NOW) {
            names.insert(origin.session);
        }
        if numbers.insert((entry.session, entry.instance)) {
            let session = index.text(entry.session);
            if let Some((name, parent_len)) = session_of(session, index.text(entry.instance)) {
                if parent_len > 0 {
                    names.insert(name[..parent_len].to_owned());
                }
                names.insert(name);
            }
        }
    }
    names
}

/// Folds the first rows of a log. O(rows and their labels). `look` shows the
/// index, each time for a bounded number of steps.
pub(crate) fn fold(look: &Look<'_>, extent: Extent) -> Tallies {
    let mut fold = Fold {
        look,
        extent,
        groups: Vec::new(),
        numbers: HashMap::default(),
        names: HashMap::default(),
        group_of: Vec::with_capacity(extent.rows as usize),
    };
    fold.take_rows();
    fold.take_usages();
    fold.take_texts();
    fold.take_calls();
    fold.finish()
}

/// A fold in the making.
struct Fold<'a> {
    look: &'a Look<'a>,
    extent: Extent,
    groups: Vec<Group>,
    /// Groups by the numbers of session and instance.
    numbers: HashMap<(u32, u32), u32, RandomState>,
    /// Groups by name.
    names: HashMap<String, u32, RandomState>,
    /// The group of each row, [`NONE`] of those of no session.
    group_of: Vec<u32>,
}

/// A session in the making.
#[derive(Default)]
struct Group {
    name: String,
    /// The group of the session that an agent's belongs to.
    parent: Option<u32>,
    head: Head,
    messages: Vec<(u64, Tokens)>,
    calls: Vec<u64>,
    agents: Vec<u64>,
}

impl Fold<'_> {
    fn take_rows(&mut self) {
        let look = self.look;
        let Extent { rows, .. } = self.extent;
        for from in (0..rows).step_by(AT_A_TIME) {
            look(&mut |index| {
                for row in from..rows.min(from + AT_A_TIME as u32) {
                    let group = self.take_row(index, row);
                    self.group_of.push(group.unwrap_or(NONE));
                }
            });
        }
    }

    fn take_row(&mut self, index: &Index, row: u32) -> Option<u32> {
        let entry = index.row(row);
        if entry.flags.has(Flags::LOST) || entry.session == NONE {
            return None;
        }
        let group = if let Some(&group) = self.numbers.get(&(entry.session, entry.instance)) {
            group
        } else {
            let session = index.text(entry.session);
            let (name, parent_len) = session_of(session, index.text(entry.instance))?;
            let parent = (parent_len > 0).then(|| self.group(session, 0));
            let group = self.group(&name, parent_len);
            if let Some(parent) = parent {
                let agent = digest(&AGENT, &name[parent_len..]);
                self.groups[parent as usize].agents.push(agent);
            }
            self.groups[group as usize].parent = parent;
            self.numbers.insert((entry.session, entry.instance), group);
            group
        };
        let origin = origin(index, row, self.extent.at);
        let seq = self.extent.first_seq + u64::from(row);
        let parent = self.groups[group as usize].parent;
        if let Some(parent) = parent {
            self.groups[parent as usize].head.touched = seq;
        }
        let head = &mut self.groups[group as usize].head;
        head.touched = seq;
        head.rows += 1;
        let error = entry.flags.has(Flags::ERROR);
        head.errors += u64::from(error);
        let edge = Edge { time_ns: entry.time_ns, seq };
        head.first = Some(head.first.map_or(edge, |first| first.min(edge)));
        if head.last.is_none_or(|last| last <= edge) {
            (head.last, head.last_is_error) = (Some(edge), error);
        }
        if let Some(origin) = origin {
            self.take_origin(group, origin);
        }
        Some(group)
    }

    /// Books at both ends that a session comes from another.
    fn take_origin(&mut self, group: u32, origin: Origin) {
        let Group { head, name, .. } = &mut self.groups[group as usize];
        if head.origins.contains(&origin) {
            return;
        }
        let offspring = Origin { kind: origin.kind, session: name.clone() };
        let from = origin.session.clone();
        add_origin(&mut head.origins, origin);
        let from = self.group(&from, 0);
        add_origin(&mut self.groups[from as usize].head.offspring, offspring);
    }

    fn take_usages(&mut self) {
        let mut places: HashMap<(u32, u64), usize, RandomState> = HashMap::default();
        let mut from = 0;
        let look = self.look;
        loop {
            let mut more = false;
            look(&mut |index| {
                let usages = index.usages().get(from..).unwrap_or_default();
                for &(row, usage) in usages.iter().take(AT_A_TIME) {
                    let Some(&group) = self.group_of.get(row as usize) else { return };
                    from += 1;
                    more = true;
                    let Some(own) = self.groups.get_mut(group as usize) else { continue };
                    match places.entry((group, usage.message)) {
                        Entry::Occupied(at) => {
                            let tokens = &mut own.messages[*at.get()].1;
                            *tokens = tokens.max(usage.tokens);
                        }
                        Entry::Vacant(new) => {
                            new.insert(own.messages.len());
                            own.messages.push((usage.message, usage.tokens));
                        }
                    }
                }
            });
            if !more {
                return;
            }
        }
    }

    fn take_texts(&mut self) {
        for (at, key) in TEXTS.into_iter().enumerate() {
            let mut texts: HashMap<u32, (u32, String), RandomState> = HashMap::default();
            self.labelled(key, &mut |group, row, value| {
                let known = texts.get(&group);
                if known.is_none_or(|&(newest, _)| newest <= row) {
                    texts.insert(group, (row, value.to_owned()));
                }
            });
            for (group, (_, text)) in texts {
                let Some(own) = self.groups.get_mut(group as usize) else { continue };
                let head = &mut own.head;
                let place = match at {
                    0 => &mut head.model,
                    1 => &mut head.project,
                    2 => &mut head.source_app,
                    _ => &mut head.wave,
                };
                *place = Some(text);
            }
        }
    }

    fn take_calls(&mut self) {
        let [mut use_kind, mut result_kind] = [None; 2];
        (self.look)(&mut |index| {
            use_kind = index.find_text(TOOL_USE);
            result_kind = index.find_text(TOOL_RESULT);
        });
        let kinds = self.kinds(use_kind, result_kind);
        let mut met: Vec<(u32, u32, u64)> = Vec::new();
        for n in 0..crate::base::limits::MAX_LABELS {
            let key = match n {
                0 => Cow::Borrowed(TOOL_USE_ID),
                _ => Cow::Owned(format!("{TOOL_USE_ID}.{}", n + 1)),
            };
            let mut last: Option<(String, u64)> = None;
            self.labelled(&key, &mut |group, row, value| {
                let bits = kinds.get(row as usize).copied().unwrap_or(0);
                if bits == 0 {
                    return;
                }
                let call = match &last {
                    Some((known, digest)) if known == value => *digest,
                    _ => {
                        let digest = digest(&CALL, value) & !MET;
                        last = Some((value.to_owned(), digest));
                        digest
                    }
                };
                met.push((row, group, call | u64::from(bits)));
            });
        }
        met.sort_unstable();
        let mut places: HashMap<(u32, u64), usize, RandomState> = HashMap::default();
        for (_, group, call) in met {
            let Some(own) = self.groups.get_mut(group as usize) else { continue };
            match places.entry((group, call & !MET)) {
                Entry::Occupied(at) => own.calls[*at.get()] |= call,
                Entry::Vacant(new) => {
                    new.insert(own.calls.len());
                    own.calls.push(call);
                }
            }
        }
    }

    /// Of each row, whether it is a call or a result.
    fn kinds(&self, use_kind: Option<u32>, result_kind: Option<u32>) -> Vec<u8> {
        let rows = self.extent.rows;
        let mut kinds = Vec::with_capacity(rows as usize);
        for from in (0..rows).step_by(AT_A_TIME) {
            (self.look)(&mut |index| {
                for row in from..rows.min(from + AT_A_TIME as u32) {
                    kinds.push(match Some(index.row(row).kind) {
                        kind if kind == use_kind => CALLED as u8,
                        kind if kind == result_kind => ANSWERED as u8,
                        _ => 0,
                    });
                }
            });
        }
        kinds
    }

    /// Shows the rows of sessions that have a label with this key.
    fn labelled(&self, key: &str, take: &mut dyn FnMut(u32, u32, &str)) {
        let (mut number, mut values) = (None, Vec::new());
        (self.look)(&mut |index| {
            number = index.find_text(key);
            values = number.map_or(Vec::new(), |key| index.label_values(key).to_vec());
        });
        let Some(key) = number else { return };
        let mut values = values.into_iter().peekable();
        let mut from = FIRST;
        while values.peek().is_some() {
            (self.look)(&mut |index| {
                let mut room = AT_A_TIME;
                while let Some(&value) = values.peek() {
                    let postings = index.postings(Dimension::Label(key, value));
                    let text = index.text(value);
                    let rows = postings.map(|list| list.forwards(index.rows(), from));
                    let mut last = None;
                    for row in rows.into_iter().flatten().take(room) {
                        last = Some(row);
                        room -= 1;
                        let group = self.group_of.get(row as usize).copied().unwrap_or(NONE);
                        if group != NONE {
                            take(group, row, text);
                        }
                    }
                    if let Some(last) = last.filter(|_| room == 0) {
                        from = Place::of(index.rows(), last);
                        from.row += 1;
                        return;
                    }
                    values.next();
                    from = FIRST;
                    room = room.saturating_sub(1);
                    if room == 0 {
                        return;
                    }
                }
            });
        }
    }

    /// The group with this name, made if there is none.
    fn group(&mut self, name: &str, parent_len: usize) -> u32 {
        if let Some(&group) = self.names.get(name) {
            return group;
        }
        let group = self.groups.len() as u32;
        let head = Head { parent_len, ..Head::default() };
        self.groups.push(Group { name: name.to_owned(), head, ..Group::default() });
        self.names.insert(name.to_owned(), group);
        group
    }

    fn finish(self) -> Tallies {
        let tally = |group: Group| {
            let Group { name, head, messages, calls, agents, .. } = group;
            (name, Tally { head, messages, calls, agents }.summed_up())
        };
        self.groups.into_iter().map(tally).collect()
    }
}

/// The other session that a row comes from, where it says so.
fn origin(index: &Index, row: u32, at: u32) -> Option<Origin> {
    let entry = index.row(row);
    let outside = index.outside(entry.first);
    // A version of an event of an earlier segment stands for it here.
    let of_outside = outside.filter(|outside| outside.version_of.is_some());
    let (kind, session) = if entry.flags.has(Flags::VERSION) {
        let session = match of_outside.and_then(|outside| outside.session.as_deref()) {
            Some(session) => session,
            None => own_session(index, entry.first),
        };
        (OriginKind::Continues, session)
    } else {
        let (parent, link) = match index.parent(row, at) {
            Parent::Known(parent, link) => (Some(parent), link),
            Parent::Missing(_, link) => (None, link),
            Parent::None | Parent::Closing(..) => return None,
        };
        let kind = match link {
            LinkKind::Caused => return None,
            LinkKind::Continues => OriginKind::Continues,
            LinkKind::Spawned => OriginKind::Spawned,
        };
        match parent {
            Some(parent) => (kind, own_session(index, parent)),
            None => (kind, outside?.session.as_deref()?),
        }
    };
    let other = !session.is_empty() && session != own_session(index, row);
    other.then(|| Origin { kind, session: session.to_owned() })
}

/// The name of a row's session, empty where it has none.
fn own_session(index: &Index, row: u32) -> &str {
    match index.row(row).session {
        NONE => "",
        session => index.text(session),
    }
}

/// The labels that say something of a session.
const TEXTS: [&str; 4] = ["model", "project", "source_app", "wave_id"];
/// The label of a tool call and of its result; of the further ones of an event it
/// has a number behind it.
const TOOL_USE_ID: &str = "tool_use_id";
/// The kinds of calls and of results.
const TOOL_USE: &str = "tool_use";
const TOOL_RESULT: &str = "tool_result";
/// Before every row.
const FIRST: Place = Place { time_ns: i64::MIN, row: 0 };
/// Steps in which the index is held.
const AT_A_TIME: usize = 2048;
