//! The labels that follow from what events read as, set in one place for all formats.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet, VecDeque};

use foldhash::fast::RandomState;
use forebear_core::{Event, limits};
use forebear_readings::{
    Call, CallFamily, FailureKind, MAX_TITLE_BYTES, MAX_TOOLS, Payload, Reading, Readings, Role,
    Text, failure, failure_of_call, keys, labels, numbered,
};

use crate::adapter::Adapter;
use crate::formats::common::labels::{COPIED_FROM, COPY_OF, MIRROR, PROMPT_DIGEST};
use crate::formats::common::twins::{MAX_PROMPT_BYTES, SOURCE_APP, prompt_digest};
use crate::parsed::Parsed;

/// Adds to the events of one file the labels that follow from what they read as, and
/// joins results with the calls that they answer.
///
/// What it keeps follows from the records before, as what a parser keeps does.
#[derive(Debug)]
pub(crate) struct Labeller {
    format: String,
    /// Whether hooks may tell of the same sessions.
    has_hooks: bool,
    readings: Readings,
    calls: HashMap<CallKey, KnownCall, RandomState>,
    /// The calls that are known, the oldest first.
    order: VecDeque<CallKey>,
    /// Sessions whose first words were met.
    asked: HashSet<String, RandomState>,
}

/// A digest of a call's name and of the session that it is of: names may be of any length, and
/// of many programs are unique in their session alone.
type CallKey = [u8; 16];

/// A call that a result may answer.
#[derive(Debug)]
struct KnownCall {
    tool: String,
    family: CallFamily,
    target: Option<String>,
    /// Whether an event said that it failed.
    failed: bool,
}

impl Labeller {
    pub(crate) fn new(adapter: &dyn Adapter) -> Self {
        let mut readings = Readings::default();
        if let Some(reader) = adapter.payloads() {
            readings = readings.with(adapter.name(), reader);
        }
        Self {
            format: adapter.name().to_owned(),
            has_hooks: adapter.source_app() == Some(SOURCE_APP),
            readings,
            calls: HashMap::default(),
            order: VecDeque::new(),
            asked: HashSet::default(),
        }
    }

    /// Adds the labels. What the parser has set stays.
    pub(crate) fn label(&mut self, parsed: Parsed) -> Parsed {
        parsed.map_events(|event, time_made_up| {
            let mut found = self.of(&event);
            if time_made_up {
                found.push((Cow::Borrowed(keys::TIME_MADE_UP), "true".to_owned()));
            }
            found.into_iter().fold(event, |event, (key, value)| {
                let has_room = event.as_labels().len() < limits::MAX_LABELS;
                if has_room && event.as_label(&key).is_none() {
                    event.label(key, value)
                } else {
                    event
                }
            })
        })
    }

    fn of(&mut self, event: &Event) -> Vec<(Cow<'static, str>, String)> {
        let reading = self.readings.read(Some(&self.format), &Payload::of_new(event));
        // What another event or session says already is no step of this one's.
        let told_elsewhere =
            [MIRROR, COPY_OF, COPIED_FROM].iter().any(|key| event.as_label(key).is_some());
        let reading = &Reading { bookkeeping: reading.bookkeeping || told_elsewhere, ..reading };
        let names = CallNames { event, reading };
        self.note_calls(&names);
        let kind = event.as_kind();
        let mut failure = match self.call_of(&names) {
            Some(call) => failure_of_call(kind, reading, &call),
            None => failure(kind, reading),
        };
        let of_call = failure.is_some_and(|failure| failure.kind == FailureKind::Call);
        // A parser that says whether one failed knows more than the event.
        let said = event.as_label(keys::IS_ERROR);
        let again = of_call && said.is_none() && self.has_failed_before(&names);
        if again || told_elsewhere || said == Some("false") {
            failure = None;
        }
        let mut found: Vec<_> = labels(reading, failure).collect();
        if self.has_hooks
            && is_request(event, reading)
            && let Some(digest) = prompt_digest(&reading.text.start(2 * MAX_PROMPT_BYTES))
        {
            found.push((Cow::Borrowed(PROMPT_DIGEST), digest));
        }
        if let Some(words) = self.first_words(event, reading) {
            found.push((Cow::Borrowed(keys::TITLE), words));
            found.push((Cow::Borrowed(keys::TITLE_BY), "request".to_owned()));
        }
        if again && !reading.bookkeeping {
            found.push((Cow::Borrowed(keys::BOOKKEEPING), "true".to_owned()));
        }
        if reading.calls.is_empty() {
            let results = reading.results.iter().take(MAX_TOOLS).enumerate();
            found.extend(results.filter_map(|(n, result)| {
                let call = self.calls.get(&names.key(result.call_id.as_ref()?))?;
                (!call.tool.is_empty()).then(|| (numbered(keys::TOOL, n), call.tool.clone()))
            }));
        }
        found
    }

    /// The first words that the user typed in a session: what it is called where nobody
    /// gave it a title.
    fn first_words(&mut self, event: &Event, reading: &Reading<'_>) -> Option<String> {
        let session = event.as_session()?;
        if !is_request(event, reading) || self.asked.contains(session) {
            return None;
        }
        if self.asked.len() == MAX_SESSIONS {
            self.asked.clear();
        }
        self.asked.insert(session.to_owned());
        let start = reading.text.start(MAX_TITLE_BYTES * 2);
        let words = start.split_whitespace().fold(String::new(), |line, word| {
            if line.is_empty() { word.to_owned() } else { line + " " + word }
        });
        Some(words[..words.floor_char_boundary(MAX_TITLE_BYTES)].to_owned())
    }

    fn note_calls(&mut self, names: &CallNames<'_>) {
        for call in &names.reading.calls {
            let Some(id) = call.id.as_ref() else { continue };
            let cut = |text: &Text<'_>, bytes| text.start(bytes).into_owned();
            let known = KnownCall {
                tool: call
                    .tool
                    .as_ref()
                    .map_or_else(String::new, |tool| cut(tool, limits::MAX_LABEL_VALUE_BYTES)),
                family: call.family,
                target: call.target.as_ref().map(|target| cut(target, MAX_TARGET_BYTES)),
                failed: false,
            };
            let key = names.key(id);
            if let Some(before) = self.calls.get_mut(&key) {
                // Told again, as it ends.
                *before = KnownCall { failed: before.failed, ..known };
                continue;
            }
            if self.order.len() == MAX_CALLS_KNOWN
                && let Some(oldest) = self.order.pop_front()
            {
                self.calls.remove(&oldest);
            }
            self.order.push_back(key);
            self.calls.insert(key, known);
        }
    }

    /// The call that the one result answers which an event has.
    fn call_of(&self, names: &CallNames<'_>) -> Option<Call<'static>> {
        let [result] = &*names.reading.results else { return None };
        let known = self.calls.get(&names.key(result.call_id.as_ref()?))?;
        Some(Call {
            family: known.family,
            target: known.target.clone().map(Into::into),
            ..Call::default()
        })
    }

    /// Whether each call that failed by this reading is known to have; from now on it is.
    fn has_failed_before(&mut self, names: &CallNames<'_>) -> bool {
        let mut before = true;
        for result in &names.reading.results {
            if !result.has_failed() {
                continue;
            }
            let key = result.call_id.as_ref().map(|id| names.key(id));
            let call = key.and_then(|key| self.calls.get_mut(&key));
            before &= call.is_some_and(|call| std::mem::replace(&mut call.failed, true));
        }
        before
    }
}

/// Whether an event has words that the user typed to the session itself.
fn is_request(event: &Event, reading: &Reading<'_>) -> bool {
    reading.role == Some(Role::User)
        && !reading.bookkeeping
        && !reading.text.is_blank()
        && event.as_session() == Some(event.as_instance())
}

/// How an event names the calls that it makes or answers.
struct CallNames<'e> {
    event: &'e Event,
    reading: &'e Reading<'e>,
}

impl CallNames<'_> {
    fn key(&self, id: &Text<'_>) -> CallKey {
        let id = id.decode();
        let given = self.given(&id);
        let mut hasher = blake3::Hasher::new();
        let session = self.event.as_session().unwrap_or_default();
        hasher.update(&(session.len() as u64).to_le_bytes());
        hasher.update(session.as_bytes());
        hasher.update(given.unwrap_or(&id).as_bytes());
        let mut key = CallKey::default();
        hasher.finalize_xof().fill(&mut key);
        key
    }

    /// The name that the parser gave a call whose own is not unique in its session.
    fn given(&self, id: &str) -> Option<&str> {
        let Reading { calls, results, .. } = self.reading;
        let ids = calls.iter().map(|call| &call.id);
        let ids = ids.chain(results.iter().filter(|_| calls.is_empty()).map(|one| &one.call_id));
        let mut ids = ids.map(|known| known.as_ref().map(Text::decode));
        let at = ids.position(|known| known.as_deref() == Some(id))?;
        let given = self.event.as_label(&numbered(keys::TOOL_USE_ID, at))?;
        (!id.starts_with(given)).then_some(given)
    }
}

/// Sessions of a file that are remembered.
const MAX_SESSIONS: usize = 4096;
/// Calls of a file that are remembered, the newest.
const MAX_CALLS_KNOWN: usize = 4096;
/// As much of a target as says what a command does.
const MAX_TARGET_BYTES: usize = 4096;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::adapter::SourceFile;
    use crate::formats::{ClaudeCode, Codex};

    /// The labels of each event of a file's records.
    fn labelled(adapter: &dyn Adapter, records: &[&str]) -> Vec<Event> {
        let mut parser = adapter.parser(&SourceFile::new(Path::new("/p/s.jsonl"), 0));
        let mut labeller = Labeller::new(adapter);
        let mut events = Vec::new();
        for record in records {
            let parsed = labeller.label(parser.parse(record).expect("a record"));
            events.extend(parsed.events().iter().cloned());
        }
        events
    }

    #[test]
    fn a_result_has_its_call_s_tool_and_a_probe_s_answer_is_minor() {
        let call = |id: &str, command: &str| {
            format!(
                r#"{{"type":"assistant","uuid":"{id}","message":{{"content":[{{"type":"tool_use","id":"{id}","name":"Bash","input":{{"command":"{command}"}}}}]}}}}"#
            )
        };
        let result = |id: &str| {
            format!(
                r#"{{"type":"user","uuid":"r{id}","message":{{"content":[{{"type":"tool_result","tool_use_id":"{id}","is_error":true,"content":"Exit code 1"}}]}}}}"#
            )
        };
        let records =
            [call("a", "grep x y"), result("a"), call("b", "make"), result("b"), result("b")];
        let events = labelled(&ClaudeCode, &records.each_ref().map(String::as_str));
        let [_, probe, _, failed, again] = &*events else { panic!("five events") };
        for event in [probe, failed, again] {
            assert_eq!(event.as_label("tool"), Some("Bash"));
        }
        assert_eq!(
            (probe.as_label("is_error"), probe.as_label("minor")),
            (Some("true"), Some("true"))
        );
        assert_eq!((failed.as_label("is_error"), failed.as_label("minor")), (Some("true"), None));
        assert_eq!(failed.as_label("exit_code"), Some("1"));
        assert_eq!(
            (again.as_label("is_error"), again.as_label("bookkeeping")),
            (None, Some("true"))
        );
        assert_eq!(events[0].as_label("target"), Some("grep x y"));
        assert_eq!(events[0].as_label("time_made_up"), Some("true"));
    }

    #[test]
    fn a_failure_that_two_lines_tell_of_counts_once() {
        let records = [
            r#"{"type":"response_item","payload":{"type":"function_call","name":"shell","arguments":"{\"command\":[\"make\"]}","call_id":"c"}}"#,
            r#"{"type":"event_msg","payload":{"type":"exec_command_end","call_id":"c","exit_code":2}}"#,
            r#"{"type":"response_item","payload":{"type":"function_call_output","call_id":"c","output":"Exit code: 2\nOutput:\n"}}"#,
        ];
        let events = labelled(&Codex, &records);
        let errors: Vec<_> = events.iter().map(|event| event.as_label("is_error")).collect();
        assert_eq!(errors, [None, Some("true"), None]);
    }
}
