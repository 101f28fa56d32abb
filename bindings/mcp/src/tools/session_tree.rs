//! `session_tree`: which session started which.

use forebear::{SessionNode, SessionReads};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MAX_LIMIT, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::listed::ListedPage;
use crate::tools::{Ask, sessions};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionTreeToolArgs {
    /// The session at the top: its name or the beginning of it
    session: String,
    /// Sessions at most
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 200))]
    limit: usize,
    /// The `next` of an earlier reply
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for SessionTreeToolArgs {
    const NAME: &'static str = "session_tree";
    const TITLE: &'static str = "Sessions and the agents that they started";
    const DESCRIPTION: &'static str = "Show a session and below it the agents and sessions that \
        it started, with the status and the counts of each, and totals. Use it to see who did \
        what, and which agent failed.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "sessions": {"type": "array", "items": schema::session(),
                    "description": "Each before those that it started"},
                "next": schema::next(),
            }),
            &["sessions"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let limit = within("limit", self.limit, 1, MAX_LIMIT)?;
        let Some(session) = args::given(Some(&self.session)) else {
            return refused("expected the name of a session, found an empty one");
        };
        let session = question.session(session)?;
        let after = args::cursor(self.cursor.as_ref())?;
        let query = question.snapshot.session_tree(&session).after(after);
        let draw = |node: &SessionNode, _| {
            let levels = usize::try_from(node.below).unwrap_or(usize::MAX).min(LEVELS_MAX);
            Ok(sessions::draw(question, node, &"  ".repeat(levels)))
        };
        let fetch = |limit| query.clone().limit(limit).page();
        let listed = ListedPage::fetch(question, limit, fetch, draw)?;
        Ok(listed.into_reply("sessions", "there is no more"))
    }
}

fn default_limit() -> usize {
    100
}

/// Levels that are indented.
const LEVELS_MAX: usize = 20;
