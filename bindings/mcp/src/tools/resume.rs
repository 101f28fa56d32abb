//! `smart_resume_context`: what a model needs to go on with a session.

use forebear::answers::{ResumeQuery, resume_context};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MaxBytes, within};
use crate::failure::{Answered, refused};
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ResumeToolArgs {
    /// The session to go on with: its name or the beginning of it; the newest unless given
    #[serde(default)]
    session: Option<String>,
    /// How many of the last steps to tell one by one
    #[serde(default = "default_last")]
    #[schemars(range(min = 1, max = 1000))]
    last: usize,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for ResumeToolArgs {
    const NAME: &'static str = "smart_resume_context";
    const TITLE: &'static str = "What to go on with";
    const DESCRIPTION: &'static str = "Text to go on with a session that ended or was compacted: \
        what was asked, the newest summary, the plan, open calls, errors that nothing repaired, \
        files written, and the last steps. It fills the room that max_bytes gives, half of it \
        in each form of the reply: give 60000 to go on with long work.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "session": {"type": "string"},
                "text": schema::text("What a model needs to go on"),
                "left_out": {"type": "object", "additionalProperties": {"type": "integer"},
                    "description": "What there was no room for, and how many of it"},
                "complete": {"type": "boolean",
                    "description": "Whether all of the session was read"},
            }),
            &["session", "text", "left_out", "complete"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let last = within("last", self.last, 1, 1000)?;
        let session = question.session_or_newest(args::given(self.session.as_ref()))?;
        // The text stands in both forms.
        let room = question.left().saturating_sub(2 * cap::json_bytes(&session) + OTHERS_BYTES) / 2;
        // Of four bytes a token, less what JSON adds for quotes and ends of lines.
        let tokens = (room - room / 16) / 4;
        let query = ResumeQuery::new(&session).tokens(tokens).last(last);
        let Some(resume) = resume_context(question.snapshot, question.readings, &query)? else {
            return refused(format!("nothing is stored of the session {session:?}"));
        };
        let words = question.redact(&text::clean_lines(&resume.text)).into_owned();
        let words = cap::middle(&words, room, "");
        let mut reply = Reply::default();
        reply.line(&words);
        let left_out: Map<String, Value> = resume
            .left_out
            .iter()
            .map(|(name, count)| ((*name).to_owned(), (*count).into()))
            .collect();
        reply.set("session", resume.session);
        reply.set("text", words);
        reply.set("left_out", left_out);
        reply.set("complete", resume.complete);
        Ok(reply)
    }
}

fn default_last() -> usize {
    50
}

/// Bytes of what stands beside the text, counts of what was left out.
const OTHERS_BYTES: usize = 500;
