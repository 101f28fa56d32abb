//! What the events of a log say of the sessions they belong to.

use std::borrow::Cow;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use foldhash::fast::RandomState;
use forebear_core::limits;
use forebear_core::state::{EventRow, EventRows, RowBatch, RowOrigin, RowOriginKind, TextId};
use forebear_core::{LinkKind, Tokens};

use crate::tally::{
    AGENT, ANSWERED, CALL, CALLED, COPIED, EdgeEvent, MET, OpenCall, Origin, OriginKind,
    SessionStep, SessionTitle, StepOutcome, Tally, TallyHead, add_origin, digest,
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
        marks: vec![0; rows.len() as usize],
        call_times: Vec::new(),
    };
    fold.take_marks();
    fold.take_rows();
    fold.take_usages();
    fold.take_texts();
    fold.take_titles();
    fold.take_calls();
    fold.take_agents();
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
    /// Of each row, what its labels mark it as.
    marks: Vec<u8>,
    /// When calls were made, by their rows.
    call_times: Vec<(u32, i64)>,
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
    open: Vec<OpenCall>,
    agents: Vec<u64>,
    /// What the step before was, [`CALLED`], [`ANSWERED`] or 0; none before the first.
    before: Option<u8>,
}

impl Group {
    /// Takes over what a row says of the session's beginning and end, and of its last
    /// step.
    fn take_step(&mut self, row: &EventRow<'_>, seq: u64, call: u8, marks: u8) {
        let head = &mut self.head;
        let at = EdgeEvent { time_ns: row.time_ns, seq };
        let time_made_up = marks & MADE_UP != 0;
        if !time_made_up {
            head.first = Some(head.first.map_or(at, |first| first.min(at)));
            if head.last.is_none_or(|last| last <= at) {
                (head.last, head.last_is_error) = (Some(at), row.is_error);
            }
        }
        // What another row stands for is a step of that one.
        if marks & NOTE != 0 || row.is_superseded {
            return;
        }
        let outcome = match marks {
            _ if marks & INTERRUPTED != 0 => StepOutcome::Interrupted,
            _ if row.is_error && marks & MINOR == 0 => StepOutcome::Failed,
            _ => StepOutcome::Fine,
        };
        if head.step.is_none_or(|step| step.at <= at) {
            head.step = Some(SessionStep { at, outcome, time_made_up });
        }
        // A message may make several calls, whose results the model then has all.
        let goes_on = match call {
            0 => true,
            _ if u64::from(call) == CALLED => {
                self.before.is_some_and(|before| u64::from(before) != CALLED)
            }
            _ => false,
        };
        if goes_on {
            head.went_on = head.went_on.max(Some(at));
        }
        let is_call = u64::from(call) == CALLED;
        if self.before.is_none() && is_call {
            head.opens_with_call = Some(at);
        }
        head.ends_with_call = is_call;
        self.before = Some(call);
    }
}

impl Fold<'_> {
    fn take_marks(&mut self) {
        for (key, value, mark) in MARKS {
            let marks = &mut self.marks;
            self.rows.labelled(key, &mut |found, rows| {
                if value.is_none_or(|value| value == found) {
                    for &row in rows {
                        if let Some(marks) = marks.get_mut(row as usize) {
                            *marks |= mark;
                        }
                    }
                }
            });
        }
    }

    fn take_rows(&mut self) {
        let rows = self.rows;
        // What was seen of each kind of event, by the number of its text.
        let mut kinds: HashMap<TextId, u8, RandomState> = HashMap::default();
        rows.batches(&mut |batch| {
            for (number, row) in (batch.first..).zip(batch.rows) {
                let seq = rows.first_seq() + u64::from(number);
                let group = self.take_row(batch, row, seq);
                self.group_of.push(group.unwrap_or(NONE));
                let call = *kinds.entry(row.kind).or_insert_with(|| match batch.text(row.kind) {
                    kind if CALLS.contains(&kind) => CALLED as u8,
                    kind if RESULTS.contains(&kind) => ANSWERED as u8,
                    _ => 0,
                });
                let marks = self.marks.get(number as usize).copied().unwrap_or(0);
                let has_result = call == CALLED as u8 && marks & RESULT != 0;
                let call = if has_result { MET as u8 } else { call };
                if let Some(group) = group {
                    self.groups[group as usize].take_step(row, seq, call, marks);
                }
                let counts = marks & COPY == 0;
                self.calls.push(if counts { call } else { 0 });
                if call == CALLED as u8 {
                    self.call_times.push((number, row.time_ns));
                }
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
        // What is replaced is counted once, by the row that replaces it. One of an earlier log
        // was counted there: sums over logs are right, and a log's own may be below zero.
        let counted = u64::from(!row.is_superseded);
        head.rows = head.rows.wrapping_add(counted);
        head.errors = head.errors.wrapping_add(counted & u64::from(row.is_error));
        head.rows = head.rows.wrapping_sub(u64::from(row.replaces));
        head.errors = head.errors.wrapping_sub(u64::from(row.replaces_errors));
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
                let marks = self.marks.get(usage.row as usize).copied().unwrap_or(0);
                let copied = if marks & COPY == 0 { 0 } else { COPIED };
                let digest = usage.message & !COPIED;
                match places.entry((group, digest)) {
                    Entry::Occupied(at) => {
                        let (known, tokens) = &mut own.messages[*at.get()];
                        *known &= copied | !COPIED;
                        *tokens = tokens.max_of_each(usage.tokens);
                    }
                    Entry::Vacant(new) => {
                        new.insert(own.messages.len());
                        own.messages.push((digest | copied, usage.tokens));
                    }
                }
            }
        });
    }

    /// Takes over what sessions are called.
    fn take_titles(&mut self) {
        let mut ranks: HashMap<u32, u8, RandomState> = HashMap::default();
        self.rows.labelled(TITLE_BY, &mut |by, rows| {
            let rank = TITLES_BY.iter().position(|known| *known == by).unwrap_or(0) as u8;
            ranks.extend(rows.iter().map(|row| (*row, rank)));
        });
        let mut titles = Vec::new();
        self.labelled(TITLE, &mut |group, row, text| {
            titles.push((row, group, text.to_owned()));
        });
        titles.sort_unstable();
        let mut titles = titles.into_iter().peekable();
        let (rows, groups) = (self.rows, &mut self.groups);
        rows.batches(&mut |batch| {
            let end = batch.first + batch.rows.len() as u32;
            while let Some((row, group, text)) = titles.next_if(|(row, ..)| *row < end) {
                let (Some(found), Some(own)) =
                    (batch.rows.get((row - batch.first) as usize), groups.get_mut(group as usize))
                else {
                    continue;
                };
                let seq = rows.first_seq() + u64::from(row);
                let rank = ranks.get(&row).copied().unwrap_or(0);
                let at = EdgeEvent { time_ns: found.time_ns, seq };
                SessionTitle { rank, at, text }.offer_to(&mut own.head.title);
            }
        });
    }

    /// Counts agents with the sessions they are of, but for those that no call started.
    fn take_agents(&mut self) {
        let mut aside: HashSet<u32, RandomState> = HashSet::default();
        self.labelled(ASIDE, &mut |group, _, _| _ = aside.insert(group));
        for at in 0..self.groups.len() {
            let Group { name, parent, head, .. } = &self.groups[at];
            if let Some(parent) = parent.filter(|_| !aside.contains(&(at as u32))) {
                let agent = digest(&AGENT, &name[head.parent_len..]);
                self.groups[parent as usize].agents.push(agent);
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
        for (row, group, call) in met {
            let Some(own) = self.groups.get_mut(group as usize) else { continue };
            match places.entry((group, call & !MET)) {
                Entry::Occupied(at) => own.calls[*at.get()] |= call,
                Entry::Vacant(new) => {
                    new.insert(own.calls.len());
                    own.calls.push(call);
                }
            }
            if call & MET == CALLED {
                let found = self.call_times.binary_search_by_key(&row, |(row, _)| *row);
                let time_ns = found.map_or(0, |at| self.call_times[at].1);
                let seq = self.rows.first_seq() + u64::from(row);
                let marks = self.marks.get(row as usize).copied().unwrap_or(0);
                own.open.push(OpenCall {
                    digest: call & !MET,
                    at: EdgeEvent { time_ns, seq },
                    for_user: marks & FOR_USER != 0,
                });
            }
        }
        for group in &mut self.groups {
            let answered = group.calls.iter().filter(|call| *call & ANSWERED != 0);
            let answered: HashSet<u64, RandomState> = answered.map(|call| call & !MET).collect();
            let mut known: HashSet<u64, RandomState> = HashSet::default();
            let open = |call: &OpenCall| !answered.contains(&call.digest);
            group.open.retain(|call| open(call) && known.insert(call.digest));
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
            let Group { name, head, messages, calls, open, agents, .. } = group;
            (name, Tally { head, messages, calls, open, agents }.summed_up())
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
/// What a session is called, and who gave the title: by rank.
const TITLE: &str = "title";
const TITLE_BY: &str = "title_by";
const TITLES_BY: [&str; 4] = ["request", "generated", "summary", "user"];
/// `true` on events of an agent that no call started: it goes on from its session.
const ASIDE: &str = "aside";

/// Labels that mark rows, with the value that does unless any does.
const MARKS: [(&str, Option<&str>, u8); 8] = [
    ("bookkeeping", Some("true"), NOTE),
    ("time_made_up", Some("true"), MADE_UP),
    ("minor", Some("true"), MINOR),
    ("interrupted", None, INTERRUPTED),
    ("copy_of", None, COPY),
    ("copy_of", None, NOTE),
    ("waits_for", Some("user"), FOR_USER),
    ("role", Some("tool"), RESULT),
];
/// The program's own note, and no step of what happened.
const NOTE: u8 = 1;
const MADE_UP: u8 = 2;
/// A failure of no weight by itself.
const MINOR: u8 = 4;
const INTERRUPTED: u8 = 8;
/// Copied from another session's history.
const COPY: u8 = 16;
/// A call that waits for the user.
const FOR_USER: u8 = 32;
/// What a tool says: of a call, that its result is in it.
const RESULT: u8 = 64;

/// The kinds of calls and of results, in transcripts and as hooks tell them.
const CALLS: [&str; 2] = ["tool_use", "PreToolUse"];
const RESULTS: [&str; 4] = ["tool_result", "PostToolUse", "PostToolUseFailure", "PermissionDenied"];
