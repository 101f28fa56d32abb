//! What messages took, by counts that mostly go up over a session.

use forebear_core::{Tokens, Usage};

use super::CodexPayload;
use crate::formats::common::tokens::{self, TokenNames, without_cached};
use crate::formats::common::values::is;

/// The counts of a file so far.
#[derive(Debug, Default)]
pub(super) struct TokenCounts {
    total: Option<Tokens>,
    /// The last one of a turn where no total is told, and how many there were.
    last: Option<Tokens>,
    number: u64,
    /// The turn that counts are of.
    turn: Option<String>,
    /// Whether each response is counted by itself, so that other counts repeat it.
    by_response: bool,
}

impl TokenCounts {
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
            return usage(format!("response {}", id.decode()), tokens);
        }
        if !is(kind, "token_count") || self.by_response {
            return None;
        }
        let (total, last) = (payload.total_tokens, payload.last_tokens);
        let before = self.total.unwrap_or_default();
        self.total = total.or(self.total);
        // A turn has one id in all files that repeat it.
        let turn = self.turn.as_deref().unwrap_or(of);
        match (last, total) {
            (Some(last), Some(total)) => {
                usage(format!("{turn} {}, {}", name(total), name(last)), last)
            }
            (Some(last), None) => {
                let again = self.last.replace(last) == Some(last);
                self.number += u64::from(!again);
                usage(format!("{turn} {}: {}", self.number, name(last)), last)
            }
            // The same total again is no message.
            (None, Some(total)) => usage(format!("{turn} {}", name(total)), since(total, before)),
            (None, None) => None,
        }
    }
}

/// What came since an earlier total; all of it where the count began anew.
fn since(total: Tokens, before: Tokens) -> Tokens {
    if total.input < before.input || total.output < before.output {
        return total;
    }
    Tokens {
        input: total.input - before.input,
        output: total.output - before.output,
        cache_read: total.cache_read.saturating_sub(before.cache_read),
        cache_written: total.cache_written.saturating_sub(before.cache_written),
    }
}

fn usage(message: String, told: Tokens) -> Option<Usage> {
    tokens::usage(message, without_cached(told))
}

/// How a count is named where it names a message.
fn name(tokens: Tokens) -> String {
    format!("{} {} {}", tokens.input, tokens.cache_read, tokens.output)
}

/// Counts as they are told: what was read from the cache is input too.
pub(super) const TOKENS: TokenNames = TokenNames {
    input: &["input_tokens"],
    output: &["output_tokens"],
    cache_read: &["cached_input_tokens"],
    cache_written: &["cache_write_input_tokens"],
};

#[cfg(test)]
mod tests {
    use super::super::CodexFields;
    use super::*;

    /// What each count comes to.
    fn counted(infos: &[&str]) -> Vec<Option<(u64, u64)>> {
        let mut counts = TokenCounts::default();
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
        let name =
            |of| TokenCounts::default().usage(&fields.payload, of).map(|usage| usage.message);
        assert_ne!(name("a"), name("b"));
        assert_eq!(name("a"), name("a"));
    }

    #[test]
    fn counts_of_responses_stand_for_those_of_turns() {
        let mut counts = TokenCounts::default();
        let record = r#"{"type":"token_usage_record","payload":{"response_id":"r","usage":{"input_tokens":9,"cached_input_tokens":4,"cache_write_input_tokens":2,"output_tokens":1}}}"#;
        let usage = counts.usage(&CodexFields::read(record).payload, "s").unwrap();
        assert_eq!((usage.input, usage.cache_read, usage.cache_written), (3, 4, 2));
        let count = r#"{"type":"event_msg","payload":{"type":"token_count","info":{"last_token_usage":{"input_tokens":9}}}}"#;
        assert!(counts.usage(&CodexFields::read(count).payload, "s").is_none());
    }
}
