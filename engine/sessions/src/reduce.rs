//! What the events of a log say of the sessions they belong to.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;
use forebear_core::limits;
use forebear_core::state::{EventRow, EventRows, RowBatch, RowOrigin, RowOriginKind, TextId};
use forebear_core::{LinkKind, Tokens};

use crate::tally::{
    AGENT, ANSWERED, CALL, CALLED, EdgeEvent, MET, Origin, OriginKind, Tally, TallyHead,
    add_origin, digest,
};

/// The sessions of a log by their names.
pub(crate) type Tallies = BTreeMap<String, Tally>;

/// The name of the session that an event belongs to, and how many bytes of it name
/// the session that an agent's belongs to, 0 where it is no agent's; none for
/// events of no session. An instance with a scope of its own is an agent.
pub(crate) fn session_of(
    session: &str,
    instance: &str,
    own_scope: bool,
) -> Option<(String, usize)> {
    if session.is_empty() {
        return None;
    }
    if !own_scope || instance.is_empty() || instance == session {
        return Some((session.to_owned(), 0));
    }
    Some((format!("{session}/{instance}"), session.len()))
}

/// Tallies the rows of a log by session. O(rows and their labels).
pub(crate) fn tallies(rows: &dyn EventRows) -> Tallies {
    let mut fold = Fold {
        rows,
        groups: Vec::new(),
        numbers: HashMap::default(),
        names: HashMap::default(),
        group_of: Vec::with_capacity(rows.len() as usize),
        calls: Vec::with_capacity(rows.len() as usize),
    };
    fold.take_rows();
    fold.take_usages();
    fold.take_texts();
    fold.take_calls();
    fold.finish()
}

/// A fold in the making.
struct Fold<'a> {
    rows: &'a dyn EventRows,
    groups: Vec<Group>,
    /// Groups by session, instance and whether that has a scope of its own.
    numbers: HashMap<(TextId, TextId, bool), u32, RandomState>,
    /// Groups by name.
    names: HashMap<String, u32, RandomState>,
    /// The group of each row, [`NONE`] of those of no session.
    group_of: Vec<u32>,
    /// Of each row, whether it is a call or a result.
    calls: Vec<u8>,
}

/// A session in the making.
#[derive(Default)]
struct Group {
    name: String,
    /// The group of the session that an agent's belongs to.
    parent: Option<u32>,
    head: TallyHead,
    messages: Vec<(u64, Tokens)>,
    calls: Vec<u64>,
    agents: Vec<u64>,
}

impl Fold<'_> {
    fn take_rows(&mut self) {
        let rows = self.rows;
        // What was seen of each kind of event, by the number of its text.
        let mut kinds: HashMap<TextId, u8, RandomState> = HashMap::default();
        rows.batches(&mut |batch| {
            for (seq, row) in (rows.first_seq() + u64::from(batch.first)..).zip(batch.rows) {
                let group = self.take_row(batch, row, seq);
                self.group_of.push(group.unwrap_or(NONE));
                let call = *kinds.entry(row.kind).or_insert_with(|| match batch.text(row.kind) {
                    TOOL_USE => CALLED as u8,
                    TOOL_RESULT => ANSWERED as u8,
                    _ => 0,
                });
                self.calls.push(call);
            }
        });
    }

    fn take_row(&mut self, batch: &RowBatch<'_>, row: &EventRow<'_>, seq: u64) -> Option<u32> {
        if row.is_lost() || row.session == TextId::NONE {
            return None;
        }
        let key = (row.session, row.instance, row.own_scope);
        let group = if let Some(&group) = self.numbers.get(&key) {
            group
        } else {
            let session = batch.text(row.session);
            let instance = batch.text(row.instance);
            let (name, parent_len) = session_of(session, instance, row.own_scope)?;
            let parent = (parent_len > 0).then(|| self.group(session, 0));
            let group = self.group(&name, parent_len);
            if let Some(parent) = parent {
                let agent = digest(&AGENT, &name[parent_len..]);
                self.groups[parent as usize].agents.push(agent);
            }
            self.groups[group as usize].parent = parent;
            self.numbers.insert(key, group);
            group
        };
        let parent = self.groups[group as usize].parent;
        if let Some(parent) = parent {
            self.groups[parent as usize].head.touched = seq;
        }
        let head = &mut self.groups[group as usize].head;
        head.touched = seq;
        head.rows += 1;
        head.errors += u64::from(row.is_error);
        let edge = EdgeEvent { time_ns: row.time_ns, seq };
        head.first = Some(head.first.map_or(edge, |first| first.min(edge)));
        if head.last.is_none_or(|last| last <= edge) {
            (head.last, head.last_is_error) = (Some(edge), row.is_error);
        }
        if let Some(origin) = row.origin {
            self.take_origin(group, origin);
        }
        Some(group)
    }

    /// Records at both ends that a session comes from another.
    fn take_origin(&mut self, group: u32, origin: RowOrigin<'_>) {
        let kind = match origin.via {
            RowOriginKind::Version | RowOriginKind::Link(LinkKind::Continues) => {
                OriginKind::Continues
            }
            RowOriginKind::Link(LinkKind::Spawned) => OriginKind::Spawned,
            _ => return,
        };
        let Group { head, name, .. } = &mut self.groups[group as usize];
        let is_it = |known: &Origin| known.kind == kind && known.session == origin.session;
        if head.origins.iter().any(is_it) {
            return;
        }
        let offspring = Origin { kind, session: name.clone() };
        add_origin(&mut head.origins, Origin { kind, session: origin.session.to_owned() });
        let from = self.group(origin.session, 0);
        add_origin(&mut self.groups[from as usize].head.offspring, offspring);
    }

    fn take_usages(&mut self) {
        let mut places: HashMap<(u32, u64), usize, RandomState> = HashMap::default();
        self.rows.usages(&mut |usages| {
            for usage in usages {
                let Some(&group) = self.group_of.get(usage.row as usize) else { return };
                let Some(own) = self.groups.get_mut(group as usize) else { continue };
                match places.entry((group, usage.message)) {
                    Entry::Occupied(at) => {
                        let tokens = &mut own.messages[*at.get()].1;
                        *tokens = tokens.max_of_each(usage.tokens);
                    }
                    Entry::Vacant(new) => {
                        new.insert(own.messages.len());
                        own.messages.push((usage.message, usage.tokens));
                    }
                }
            }
        });
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
        let mut met: Vec<(u32, u32, u64)> = Vec::new();
        for n in 0..limits::MAX_LABELS {
            let key = match n {
                0 => Cow::Borrowed(TOOL_USE_ID),
                _ => Cow::Owned(format!("{TOOL_USE_ID}.{}", n + 1)),
            };
            let mut last: Option<(String, u64)> = None;
            self.labelled(&key, &mut |group, row, value| {
                let bits = self.calls.get(row as usize).copied().unwrap_or(0);
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

    /// Shows the rows of sessions that have a label with this key.
    fn labelled(&self, key: &str, take: &mut dyn FnMut(u32, u32, &str)) {
        self.rows.labelled(key, &mut |value, rows| {
            for &row in rows {
                let group = self.group_of.get(row as usize).copied().unwrap_or(NONE);
                if group != NONE {
                    take(group, row, value);
                }
            }
        });
    }

    /// The group with this name, made if there is none.
    fn group(&mut self, name: &str, parent_len: usize) -> u32 {
        if let Some(&group) = self.names.get(name) {
            return group;
        }
        let group = self.groups.len() as u32;
        let head = TallyHead { parent_len, ..TallyHead::default() };
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

/// Stands for no group.
const NONE: u32 = u32::MAX;
/// The labels that say something of a session.
const TEXTS: [&str; 4] = ["model", "project", "source_app", "wave_id"];
/// The label of a tool call and of its result; of the further ones of an event it
/// has a number behind it.
const TOOL_USE_ID: &str = "tool_use_id";
/// The kinds of calls and of results.
const TOOL_USE: &str = "tool_use";
const TOOL_RESULT: &str = "tool_result";
