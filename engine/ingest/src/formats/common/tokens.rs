//! What messages took, in the ways that programs tell it.

use forebear_core::{Tokens, Usage};
use forebear_readings::json::JsonCursor;

/// The names that a format has for its counts. What several names of a kind count adds up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenNames {
    pub(crate) input: &'static [&'static str],
    pub(crate) output: &'static [&'static str],
    pub(crate) cache_read: &'static [&'static str],
    pub(crate) cache_written: &'static [&'static str],
}

impl TokenNames {
    /// Those of Anthropic's interface, of which each counts apart from the others.
    pub(crate) const ANTHROPIC: Self = Self {
        input: &["input_tokens"],
        output: &["output_tokens"],
        cache_read: &["cache_read_input_tokens"],
        cache_written: &["cache_creation_input_tokens"],
    };
}

/// The counts of an object as they are told; none where it has none of them.
pub(crate) fn counts(value: &mut JsonCursor<'_>, names: &TokenNames) -> Option<Tokens> {
    let (mut tokens, mut found) = (Tokens::default(), false);
    value.object(|key, value| {
        let places = [
            (names.input, &mut tokens.input),
            (names.output, &mut tokens.output),
            (names.cache_read, &mut tokens.cache_read),
            (names.cache_written, &mut tokens.cache_written),
        ];
        let place = places.into_iter().find(|(names, _)| names.contains(&key));
        if let (Some((names, place)), Some(number)) = (place, value.number()) {
            // Of equal keys the last counts.
            *place = if names.len() > 1 { place.saturating_add(number) } else { number };
            found = true;
        }
    });
    found.then_some(tokens)
}

/// The same where the input counts what was read from a cache and written to it, too.
pub(crate) fn without_cached(tokens: Tokens) -> Tokens {
    let cache_read = tokens.cache_read.min(tokens.input);
    let cache_written = tokens.cache_written.min(tokens.input - cache_read);
    let input = tokens.input - cache_read - cache_written;
    Tokens { input, cache_read, cache_written, ..tokens }
}

/// What a message of this name took; none where that is nothing.
pub(crate) fn usage(message: String, tokens: Tokens) -> Option<Usage> {
    (tokens != Tokens::default()).then_some(Usage {
        message,
        input: tokens.input,
        output: tokens.output,
        cache_read: tokens.cache_read,
        cache_written: tokens.cache_written,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_what_is_told_and_what_was_cached_is_no_input() {
        let names = TokenNames { output: &["out", "thought"], ..TokenNames::ANTHROPIC };
        let of = |object: &str| counts(&mut JsonCursor::new(object), &names);
        let told =
            of(r#"{"input_tokens":9,"cache_read_input_tokens":4,"out":1,"thought":2,"x":7}"#);
        let expected = Tokens { input: 9, output: 3, cache_read: 4, cache_written: 0 };
        assert_eq!(told, Some(expected));
        assert_eq!(without_cached(expected).input, 5);
        let more = Tokens { input: 3, cache_read: 5, cache_written: 5, output: 0 };
        let whole = Tokens { input: 0, cache_read: 3, cache_written: 0, output: 0 };
        assert_eq!(without_cached(more), whole);
        for nothing in ["{}", "7", "null", r#"{"out":"many"}"#] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
