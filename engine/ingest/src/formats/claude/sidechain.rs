//! Agents of the older layout, whose events stand in the main file: an agent is
//! linked to the call that was given the agent's first message as its prompt.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use forebear_core::{Event, EventId, Link, Result, Snapshot};

use crate::formats::claude::fields::ClaudeFields;
use crate::formats::common::evidence::{LinkEvidence, asserted_order};

/// What was seen in one file: a few words for each call that has a prompt and
/// each agent without an id.
#[derive(Debug, Default)]
pub(crate) struct Sidechains {
    calls: Vec<Prompt>,
    roots: Vec<Prompt>,
    /// The texts that were noted since links were last asked for.
    news: BTreeSet<[u8; 16]>,
}

/// A text, and when which event said it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Prompt {
    text: [u8; 16],
    time_us: i64,
    /// Of the calls in one microsecond the last in order counts.
    tie: Reverse<(i64, EventId)>,
}

impl Prompt {
    fn new(text: &str, event: &Event) -> Self {
        let time_us = event.as_time_ns().div_euclid(1000);
        let tie = Reverse((asserted_order(-time_us, event.as_id()), event.as_id().clone()));
        Self { text: digest(text), time_us, tie }
    }

    fn id(&self) -> &EventId {
        &self.tie.0.1
    }
}

impl Sidechains {
    /// Notes the prompts that an event gives, and its text if it begins a sidechain.
    pub(crate) fn observe(&mut self, fields: &ClaudeFields<'_>, event: &Event) {
        if fields.uuid.is_none() {
            return;
        }
        let prompts = fields.message.tool_uses.iter().filter_map(|tool_use| tool_use.prompt);
        let (calls, roots) = (self.calls.len(), self.roots.len());
        self.calls.extend(prompts.map(|text| Prompt::new(&text.decode(), event)));
        if fields.sidechain && fields.agent.is_none() && event.as_parent().is_none() {
            self.roots.extend(fields.message.text.map(|text| Prompt::new(&text.decode(), event)));
        }
        let noted = self.calls[calls..].iter().chain(&self.roots[roots..]);
        self.news.extend(noted.map(|prompt| prompt.text));
    }

    /// Whether nothing was noted that may be linked, since links were last asked for.
    pub(crate) fn is_empty(&self) -> bool {
        self.roots.is_empty() || self.calls.is_empty() || self.news.is_empty()
    }

    /// The links that follow from what was noted since this was last asked, and are
    /// not stored yet. The snapshot must show all that was noted.
    pub(crate) fn resolve(&mut self, snapshot: &Snapshot) -> Result<Vec<Link>> {
        self.calls.sort_unstable();
        let mut links = Vec::new();
        for root in self.roots.iter().filter(|root| self.news.contains(&root.text)) {
            if let Some(call) = self.latest_call(root) {
                let asserted = LinkEvidence {
                    call: call.id().clone(),
                    strength: SAME_PROMPT,
                    // The latest call wins, in whichever file it stands.
                    order: asserted_order(-call.time_us, call.id()),
                };
                links.extend(asserted.link(snapshot, root.id())?);
            }
        }
        // Not before: after an error the caller asks again.
        self.news.clear();
        Ok(links)
    }

    /// The latest call with a root's text that is not later than the root.
    fn latest_call(&self, root: &Prompt) -> Option<&Prompt> {
        let end = self
            .calls
            .partition_point(|call| (call.text, call.time_us) <= (root.text, root.time_us));
        let before = self.calls[..end].iter().rev().take_while(|call| call.text == root.text);
        before.into_iter().find(|call| call.id() != root.id())
    }
}

fn digest(text: &str) -> [u8; 16] {
    let mut digest = [0; 16];
    digest.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..16]);
    digest
}

/// Weaker than all evidence that names an agent or a call.
const SAME_PROMPT: u8 = 10;
