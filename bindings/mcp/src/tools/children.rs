//! `get_child_events`: what an event caused.

use forebear::{Descendant, Detail};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;
use crate::tools::listed::ListedPage;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ChildrenToolArgs {
    /// The event: its id or the beginning of it
    id: String,
    /// Whether to give all that came of it, and not only what it caused itself
    #[serde(default)]
    recursive: bool,
    /// Steps below the event at most, with `recursive`
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 100_000))]
    max_depth: usize,
    /// Events at most
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    /// The `next` of an earlier reply
    #[serde(default)]
    cursor: Option<String>,
    /// Whether to give all keys of each event, labels among them
    #[serde(default)]
    full: bool,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for ChildrenToolArgs {
    const NAME: &'static str = "get_child_events";
    const TITLE: &'static str = "What an event caused";
    const DESCRIPTION: &'static str = "List the events that an event caused: the result of a \
        call, what an agent that it started did. With recursive=true all that came of it. Use it \
        to look forward from a decision or a request.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "events": {"type": "array", "items": schema::event()},
                "next": schema::next(),
            }),
            &["events"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let max_depth = within("max_depth", self.max_depth, 1, MAX_DEPTH)? as u64;
        let Some(id) = args::given(Some(&self.id)) else {
            return refused("expected the id of an event, found an empty one");
        };
        let id = question.ids.find(question, id)?;
        let after = args::cursor(self.cursor.as_ref())?;
        let listed = if self.recursive {
            let query = question.snapshot.descendants(&id).max_depth(max_depth).after(after);
            let query = query.detail(Detail::Payload);
            let draw = |Descendant { event, below, .. }: &Descendant, alone| {
                let (mut value, line) = question.draw(event, self.full, alone)?;
                value["below"] = (*below).into();
                Ok((value, format!("{below:>3} below  {line}")))
            };
            ListedPage::fetch(question, limit, |limit| query.clone().limit(limit).page(), draw)?
        } else {
            let query = question.snapshot.children(&id).after(after).detail(Detail::Payload);
            let draw = |event: &_, alone| question.draw(event, self.full, alone);
            ListedPage::fetch(question, limit, |limit| query.clone().limit(limit).page(), draw)?
        };
        let none = match after {
            None => "it caused nothing that is stored",
            Some(_) => "there is no more",
        };
        Ok(listed.into_reply("events", none))
    }
}

fn default_depth() -> usize {
    1000
}

fn default_limit() -> usize {
    50
}

/// Most steps below an event.
const MAX_DEPTH: usize = 100_000;
