//! What messages took, by counts that mostly go up over a session.

use std::fmt;

use forebear_core::Usage;
use forebear_readings::json::Cursor;

use super::CodexPayload;
use crate::formats::common::values::is;

/// Tokens as a line counts them: what was read from the cache is input too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tokens {
    input: u64,
    cached: u64,
    written: u64,
    output: u64,
}

/// The counts of a file so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    total: Option<Tokens>,
    /// The last one of a turn where no total is told, and how many there were.
    last: Option<Tokens>,
    number: u64,
    /// The turn that counts are of.
    turn: Option<String>,
    /// Whether each response is counted by itself, so that other counts repeat it.
    by_response: bool,
}

impl Counts {
    /// What a message took, where a line says so: a line of the session `of`, be it in
    /// another's file. A line that says the same again, as one does whenever limits are
    /// reported, names the same message.
    pub(super) fn usage(&mut self, payload: &CodexPayload<'_>, of: &str) -> Option<Usage> {
        let kind = payload.item_type;
        let begins_turn = is(kind, "task_started") || is(kind, "turn_started");
        if (begins_turn || kind.is_none())
            && let Some(turn) = payload.turn_id
        {
            self.turn = Some(turn.decode().into_owned());
        }
        if let (Some(id), Some(tokens)) = (payload.response_id, payload.response_tokens) {
            self.by_response = true;
            return tokens.usage(format!("response {}", id.decode()));
        }
        if !is(kind, "token_count") || self.by_response {
            return None;
        }
        let (total, last) = (payload.total_tokens, payload.last_tokens);
        let before = self.total.unwrap_or_default();
        self.total = total.or(self.total);
        // A turn has one id in all files that repeat it.
        let name = self.turn.as_deref().unwrap_or(of);
        match (last, total) {
            (Some(last), Some(total)) => last.usage(format!("{name} {total}, {last}")),
            (Some(last), None) => {
                let again = self.last.replace(last) == Some(last);
                self.number += u64::from(!again);
                last.usage(format!("{name} {}: {last}", self.number))
            }
            // The same total again is no message.
            (None, Some(total)) => total.since(before).usage(format!("{name} {total}")),
            (None, None) => None,
        }
    }
}

impl Tokens {
    /// None where there is no object here.
    pub(super) fn read(value: &mut Cursor<'_>) -> Option<Self> {
        if !value.is_object() {
            return None;
        }
        let mut tokens = Self::default();
        value.object(|key, value| {
            let place = match key {
                "input_tokens" => &mut tokens.input,
                "cached_input_tokens" => &mut tokens.cached,
                "cache_write_input_tokens" => &mut tokens.written,
                "output_tokens" => &mut tokens.output,
                _ => return,
            };
            *place = value.number().unwrap_or(0);
        });
        Some(tokens)
    }

    /// What came since an earlier total; all of it where the count began anew.
    fn since(self, before: Self) -> Self {
        let fell = self.input < before.input || self.output < before.output;
        if fell {
            return self;
        }
        Self {
            input: self.input - before.input,
            cached: self.cached.saturating_sub(before.cached),
            written: self.written.saturating_sub(before.written),
            output: self.output - before.output,
        }
    }

    fn usage(self, message: String) -> Option<Usage> {
        let cached = self.cached.min(self.input);
        let written = self.written.min(self.input - cached);
        (self != Self::default()).then_some(Usage {
            message,
            input: self.input - cached - written,
            output: self.output,
            cache_read: cached,
            cache_written: written,
        })
    }
}

impl fmt::Display for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.input, self.cached, self.output)
    }
}

#[cfg(test)]
mod tests {
    use super::super::CodexFields;
    use super::*;

    /// What each count comes to.
    fn counted(infos: &[&str]) -> Vec<Option<(u64, u64)>> {
        let mut counts = Counts::default();
        let lines = infos.iter().map(|info| {
            format!(r#"{{"type":"event_msg","payload":{{"type":"token_count","info":{info}}}}}"#)
        });
        let used = lines.map(|line| counts.usage(&CodexFields::read(&line).payload, "s"));
        used.map(|usage| usage.map(|usage| (usage.input, usage.output))).collect()
    }

    #[test]
    fn counts_that_only_go_up_are_told_apart() {
        let total = |input: u64, output: u64| {
            format!(
                r#"{{"total_token_usage":{{"input_tokens":{input},"cached_input_tokens":4,"output_tokens":{output}}}}}"#
            )
        };
        let infos = [total(10, 2), total(10, 2), total(25, 5), total(7, 1), "null".to_owned()];
        let infos: Vec<&str> = infos.iter().map(String::as_str).collect();
        assert_eq!(counted(&infos), [Some((6, 2)), None, Some((15, 3)), Some((3, 1)), None]);
    }

    #[test]
    fn equal_counts_of_two_sessions_are_two_messages() {
        let line = r#"{"type":"event_msg","payload":{"type":"token_count","info":{"last_token_usage":{"input_tokens":1},"total_token_usage":{"input_tokens":1}}}}"#;
        let fields = CodexFields::read(line);
        let name = |of| Counts::default().usage(&fields.payload, of).map(|usage| usage.message);
        assert_ne!(name("a"), name("b"));
        assert_eq!(name("a"), name("a"));
    }

    #[test]
    fn counts_of_responses_stand_for_those_of_turns() {
        let mut counts = Counts::default();
        let record = r#"{"type":"token_usage_record","payload":{"response_id":"r","usage":{"input_tokens":9,"cached_input_tokens":4,"cache_write_input_tokens":2,"output_tokens":1}}}"#;
        let usage = counts.usage(&CodexFields::read(record).payload, "s").unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.cache_written), (3, 4, 2));
        let count = r#"{"type":"event_msg","payload":{"type":"token_count","info":{"last_token_usage":{"input_tokens":9}}}}"#;
        assert!(counts.usage(&CodexFields::read(count).payload, "s").is_none());
    }
}
