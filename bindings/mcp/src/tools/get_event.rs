//! `get_event`: one event, with its payload.

use std::borrow::Cow;

use forebear::readings::{Reading, Text};
use forebear_wire::{cap, text};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::args::{self, MaxBytes};
use crate::failure::{Answered, refused};
use crate::question::Question;
use crate::reply::Reply;
use crate::schema;
use crate::tools::Ask;

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EventToolArgs {
    /// The event: its id or the beginning of it
    id: String,
    /// Where in the text of the payload to begin: the `next_offset` of an earlier reply
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    max_bytes: MaxBytes,
}

impl Ask for EventToolArgs {
    const NAME: &'static str = "get_event";
    const TITLE: &'static str = "One event in full";
    const DESCRIPTION: &'static str = "Give one event with all its keys and its payload: the whole \
        text of a message, the input of a call, the output of a tool. A payload that is too long \
        comes in pieces: go on with offset=next_offset.";

    fn output() -> Map<String, Value> {
        schema::object(
            json!({
                "event": schema::event(),
                "payload": {"description": "The payload, where it is JSON and fits whole"},
                "payload_text": schema::text("Else its text, or as much of it as there is room for"),
                "offset": schema::count("Where in the text the piece begins"),
                "next_offset": schema::count("Where the next piece begins"),
                "text_bytes": schema::count("Bytes of the whole text"),
            }),
            &["event"],
        )
    }

    fn max_bytes(&self) -> MaxBytes {
        self.max_bytes
    }

    fn ask(&self, question: &Question<'_>) -> Answered<Reply> {
        let Some(id) = args::given(Some(&self.id)) else {
            return refused("expected the id of an event, found an empty one");
        };
        let id = question.ids.find(question, id)?;
        let Some(event) = question.snapshot.get(&id)? else {
            return refused(format!("the event {id} has expired meanwhile"));
        };
        let (value, line) = question.draw(&event, true, true)?;
        question.takes_or_fills(&value, &line);
        let mut reply = Reply::default();
        reply.line(line);
        reply.set("event", value);
        let Some(payload) = event.payload() else {
            reply.line("it has no payload");
            return Ok(reply);
        };
        if self.offset == 0
            && payload.len() <= question.left()
            && let Ok(mut json) = serde_json::from_slice::<Value>(payload)
        {
            question.redact_value(&mut json);
            let words = question.redact(&words(&question.readings.of(&event))).into_owned();
            // What it says is in the JSON, too, and gives way to it.
            let room = question.left().checked_sub(cap::value_bytes(&json));
            if let Some(room) = room.filter(|room| *room >= WORDS_BYTES.min(words.len())) {
                reply.set("payload", json);
                reply.line(cap::middle(&text::clean_lines(&words), room, " in payload"));
                return Ok(reply);
            }
        }
        self.piece(question, payload, &mut reply)?;
        Ok(reply)
    }
}

impl EventToolArgs {
    /// A piece of the payload's text.
    fn piece(&self, question: &Question<'_>, payload: &[u8], reply: &mut Reply) -> Answered<()> {
        let Ok(whole) = std::str::from_utf8(payload) else {
            reply.line(format!(
                "the payload is no text: `forebear show --raw {}` gives its {}",
                self.id,
                text::bytes(payload.len() as u64)
            ));
            return Ok(());
        };
        let read = &whole[..whole.floor_char_boundary(TEXT_BYTES_MAX)];
        // Secrets are taken out of the whole: a piece may begin within one.
        let text: Cow<'_, str> = question.redact(read);
        if self.offset > text.len() {
            return refused(format!(
                "expected an offset up to {}, the length of the text, found {}",
                text.len(),
                self.offset
            ));
        }
        let offset = text.ceil_char_boundary(self.offset);
        let rest = &text[offset..];
        // It stands in both forms.
        let room = question.left().saturating_sub(OTHERS_BYTES) / 2;
        let mut piece = cap::prefix(rest, room);
        if piece.is_empty() && !rest.is_empty() {
            piece = &rest[..rest.ceil_char_boundary(1)];
        }
        reply.line(cap::start(&text::clean_lines(piece), room));
        reply.set("payload_text", piece);
        reply.set("offset", offset);
        reply.set("text_bytes", text.len());
        let next = offset + piece.len();
        if next < text.len() {
            reply.set("next_offset", next);
            reply.line(format!(
                "… {} more: get_event id={} offset={next}",
                text::bytes((text.len() - next) as u64),
                self.id
            ));
        } else if read.len() < whole.len() {
            reply.line(format!("… the rest: `forebear show --raw {}`", self.id));
        }
        Ok(())
    }
}

/// What a payload reads as: words, thoughts, calls with their input, results.
fn words(reading: &Reading<'_>) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut add = |lead: &str, text: &Text<'_>| {
        words.push(format!("{lead}{}", text.start(TEXT_BYTES_MAX)));
    };
    reading.thinking.iter().for_each(|text| add("(thought) ", text));
    reading.text.iter().for_each(|text| add("", text));
    for call in &*reading.calls {
        let tool = call.tool.as_ref().map(|tool| tool.start(NAME_BYTES).into_owned());
        let lead = format!("{} ", tool.unwrap_or_default());
        call.input.as_ref().or(call.target.as_ref()).iter().for_each(|text| add(&lead, text));
    }
    reading.results.iter().flat_map(|result| result.text.iter()).for_each(|text| add("", text));
    let others = [reading.error.as_ref(), reading.summary.as_ref()];
    others.into_iter().flatten().for_each(|text| add("", text));
    words.join("\n")
}

/// Bytes of what stands beside a piece: where it lies, and how to go on.
const OTHERS_BYTES: usize = 500;

/// Bytes of what a payload says that stand beside it at least.
const WORDS_BYTES: usize = 200;

/// Bytes of a payload's text that are read.
const TEXT_BYTES_MAX: usize = 4 << 20;

/// Bytes of a tool's name.
const NAME_BYTES: usize = 120;
