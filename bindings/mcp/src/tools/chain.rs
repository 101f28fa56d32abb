//! `get_parent_chain`: what caused an event, back to the root.

use std::collections::VecDeque;

use forebear::{ChainEnd, Detail, LinkKind};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::question::{Question, cost};
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChainToolArgs {
    /// The event to begin with: its id or the beginning of it
    id: String,
    /// Steps up at most
    #[serde(default = "default_depth")]
    #[schemars(range(min = 0, max = 100_000))]
    max_depth: usize,
    /// Whether to stop where another agent or session started this one
    #[serde(default)]
    within_agent: bool,
    /// Whether to give all keys of each event, labels among them
    #[serde(default)]
    full: bool,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for ChainToolArgs {
    const NAME: &'static str = "get_parent_chain";
    const TITLE: &'static str = "Causes of an event";
    const DESCRIPTION: &'static str = "Walk from an event up through what caused it, step by \
        step, to the root: the user's request, across agents. Use it to see how something came \
        about; for a failure get_failure_chain says more in less. The middle of a long chain is \
        folded into {omitted, from, to}: ask again with id=from and max_depth=omitted-1 for it.";

    fn output() -> Map<String, Value> {
        let fold = json!({
            "type": "object",
            "properties": {
                "omitted": schema::count("Events that were left out here"),
                "from": schema::text("The first of them"),
                "to": schema::text("The last of them"),
            },
            "required": ["omitted", "from", "to"],
        });
        let end = json!({
            "type": "object",
            "properties": {
                "kind": {"type": "string", "enum": ["root", "missing", "expired", "cycle",
                    "depth_limit", "stopped", "damaged"]},
                "parent": schema::nullable("The event that the walk did not go on to"),
                "id": schema::text("The topmost event that it reached"),
            },
            "required": ["kind", "id"],
        });
        schema::object(
            json!({
                "events": {"type": "array", "items": {"anyOf": [schema::event(), fold]},
                    "description": "From the event asked for upwards"},
                "steps": schema::count("Steps from the event up to the end"),
                "end": end,
            }),
            &["events", "steps", "end"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let max_depth = within("max_depth", self.max_depth, 0, MAX_DEPTH)? as u64;
        let Some(id) = args::given(Some(&self.id)) else {
            return refused("expected the id of an event, found an empty one");
        };
        let id = question.ids.find(question, id)?;
        let Some(chain) = question.snapshot.chain(&id)? else {
            return refused(format!("the event {id} has expired meanwhile"));
        };
        let mut chain = chain.max_depth(max_depth).detail(Detail::Payload);
        if self.within_agent {
            chain = chain.stop_at(LinkKind::Spawned);
        }
        let mut folded = FoldedChain::new(question.left());
        let mut top = id;
        let mut steps = 0_u64;
        for event in chain.by_ref() {
            let event = event?;
            folded.push(question.draw(&event, self.full, true)?);
            top = event.id().clone();
            steps += 1;
        }
        let mut reply = Reply::default();
        let end = chain.end().cloned().unwrap_or(ChainEnd::Root);
        let parent = end.parent().map(|parent| question.ids.short(parent)).transpose()?;
        let words = ended(&end, parent.as_deref());
        let top = question.ids.short(&top)?;
        let end = json!({"kind": end.as_str(), "parent": parent, "id": top});
        let mut events = Vec::new();
        for (value, line) in folded.finish(cost(&end, &words)) {
            reply.line(line);
            events.push(value);
        }
        reply.line(words);
        reply.set("events", events);
        reply.set("steps", steps.saturating_sub(1));
        reply.set("end", end);
        Ok(reply)
    }
}

/// How the walk ended, in words.
fn ended(end: &ChainEnd, parent: Option<&str>) -> String {
    let parent = parent.unwrap_or("unknown");
    match end {
        ChainEnd::Root => "root: it began here".to_owned(),
        ChainEnd::Missing(_) => format!("missing: the parent {parent} was never stored"),
        ChainEnd::Expired(_) => format!("expired: the parent {parent} was removed by retention"),
        ChainEnd::DepthLimit(_) => {
            format!("not at the root yet: call again with id={parent} for what is above")
        }
        ChainEnd::Stopped(_) => format!(
            "stopped where another agent started this one: call again with id={parent} for what \
             is above"
        ),
        ChainEnd::Cycle(_) => format!("cycle: the parent {parent} goes back to this very event"),
        end => format!("{}: the parent {parent} can't be read", end.as_str()),
    }
}

/// The two ends of a chain and how much lies between them, in bounded memory.
struct FoldedChain {
    room: usize,
    head: Vec<Sized>,
    tail: VecDeque<Sized>,
    head_bytes: usize,
    tail_bytes: usize,
    omitted: usize,
    /// Ids of the first and the last event that were left out.
    from: Value,
    to: Value,
}

/// An event as a value and a line, and the bytes of both.
struct Sized {
    value: Value,
    line: String,
    bytes: usize,
}

impl FoldedChain {
    fn new(room: usize) -> Self {
        Self {
            room,
            head: Vec::new(),
            tail: VecDeque::new(),
            head_bytes: 0,
            tail_bytes: 0,
            omitted: 0,
            from: Value::Null,
            to: Value::Null,
        }
    }

    fn push(&mut self, (value, line): (Value, String)) {
        let bytes = cost(&value, &line);
        let item = Sized { value, line, bytes };
        // What comes after something was left out stands above it.
        let fits_above =
            self.tail.is_empty() && self.omitted == 0 && self.head_bytes + bytes <= self.room / 2;
        if fits_above || self.head.is_empty() {
            self.head_bytes += bytes;
            self.head.push(item);
            return;
        }
        self.tail_bytes += bytes;
        self.tail.push_back(item);
        while self.head_bytes + self.tail_bytes > self.room && self.omit() {}
    }

    /// Leaves out the lowest event of the upper end, or where there is none the highest of
    /// the lower end, of which one stays.
    fn omit(&mut self) -> bool {
        if let Some(item) = self.tail.pop_front() {
            self.tail_bytes -= item.bytes;
            if self.omitted == 0 {
                self.from = item.value["id"].clone();
            }
            self.to = item.value["id"].clone();
        } else if self.head.len() > 1
            && let Some(item) = self.head.pop()
        {
            self.head_bytes -= item.bytes;
            if self.omitted == 0 {
                self.to = item.value["id"].clone();
            }
            self.from = item.value["id"].clone();
        } else {
            return false;
        }
        self.omitted += 1;
        true
    }

    /// The events and the fold between them, where `others` bytes are taken beside them.
    fn finish(mut self, others: usize) -> Vec<(Value, String)> {
        let needed = |of: &Self| {
            let fold = of.fold().map_or(0, |(value, line)| cost(&value, &line));
            of.head_bytes + of.tail_bytes + fold + others
        };
        while needed(&self) > self.room && self.omit() {}
        let fold = self.fold();
        let head = self.head.into_iter().map(|item| (item.value, item.line));
        let tail = self.tail.into_iter().map(|item| (item.value, item.line));
        head.chain(fold).chain(tail).collect()
    }

    fn fold(&self) -> Option<(Value, String)> {
        let (omitted, from, to) = (self.omitted, &self.from, &self.to);
        let line = format!(
            "… {omitted} events omitted: get_parent_chain id={} max_depth={} has them",
            from.as_str().unwrap_or_default(),
            omitted.saturating_sub(1),
        );
        (omitted > 0).then(|| (json!({"omitted": omitted, "from": from, "to": to}), line))
    }
}

fn default_depth() -> usize {
    10_000
}

/// Most steps that a walk may have.
const MAX_DEPTH: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    /// An event of so many bytes.
    fn drawn(id: usize, bytes: usize) -> (Value, String) {
        (json!({"id": id.to_string(), "gist": "x".repeat(bytes)}), format!("line {id}"))
    }

    #[test]
    fn what_comes_after_a_fold_stands_above_it() {
        // A large one makes all above it go, and itself, before smaller ones come.
        for sizes in [[10, 2000, 10, 10, 10], [10, 900, 10, 2000, 10], [900, 900, 900, 900, 10]] {
            let mut folded = FoldedChain::new(1000);
            for (id, bytes) in sizes.into_iter().enumerate() {
                folded.push(drawn(id, bytes));
            }
            let mut next = 0;
            for (value, _) in folded.finish(0) {
                let first = value["from"].as_str().or(value["id"].as_str()).unwrap_or_default();
                assert_eq!(first, next.to_string(), "{sizes:?}: {value}");
                let omitted = value["omitted"].as_u64();
                if let Some(omitted) = omitted {
                    assert_eq!(value["to"], (next + omitted - 1).to_string(), "{sizes:?}");
                }
                next += omitted.unwrap_or(1);
            }
            assert_eq!(next, 5, "{sizes:?}");
        }
    }
}
