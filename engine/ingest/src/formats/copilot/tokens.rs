//! What a session took: sums by model, as it is shut down, and until then the output of
//! each message.

use std::collections::BTreeMap;

use forebear_core::{Tokens, Usage};
use forebear_readings::json::JsonCursor;

use crate::formats::common::tokens::{TokenNames, counts, without_cached};

/// The counts of one log, leg by leg: each is what was written between two shutdowns.
///
/// All reports of a leg name one message, so that the sum which ends it stands for what
/// its messages reported.
#[derive(Debug, Default)]
pub(super) struct Legs {
    number: u64,
    /// The output of the leg's messages so far.
    output: u64,
    /// The sums of the last shutdown.
    before: BTreeMap<String, Tokens>,
}

impl Legs {
    /// A message reports its output.
    pub(super) fn message(&mut self, session: &str, output: u64) -> Usage {
        self.output = self.output.saturating_add(output);
        self.usage(session, Tokens { output: self.output, ..Tokens::default() })
    }

    /// The session is shut down with these sums by model; none says nothing and ends no
    /// leg.
    pub(super) fn shutdown(
        &mut self,
        session: &str,
        models: BTreeMap<String, Tokens>,
    ) -> Option<Usage> {
        if models.is_empty() || self.output == 0 && models == self.before {
            return None;
        }
        let sum = |models: &BTreeMap<String, Tokens>| {
            models.values().fold(Tokens::default(), |sum, tokens| sum.plus(*tokens))
        };
        let (all, before) = (sum(&models), sum(&self.before));
        let leg = if self.goes_on(&models, all, before) {
            Tokens {
                input: all.input - before.input,
                output: all.output - before.output,
                cache_read: all.cache_read - before.cache_read,
                cache_written: all.cache_written - before.cache_written,
            }
        } else {
            all
        };
        let usage = self.usage(session, Tokens { output: leg.output.max(self.output), ..leg });
        self.before = models;
        (self.number, self.output) = (self.number + 1, 0);
        Some(usage)
    }

    /// Whether sums go on from those of the last shutdown, as newer versions count: no
    /// model is missing, none fell, and what the leg's messages reported is what came to
    /// them, and not all of it.
    fn goes_on(&self, models: &BTreeMap<String, Tokens>, all: Tokens, before: Tokens) -> bool {
        let none_fell = self.before.iter().all(|(model, old)| {
            models.get(model).is_some_and(|new| {
                new.input >= old.input
                    && new.output >= old.output
                    && new.cache_read >= old.cache_read
                    && new.cache_written >= old.cache_written
            })
        });
        let growth = all.output.saturating_sub(before.output);
        let fits_growth = self.output <= growth + growth / 50;
        let is_less_than_all = self.output < all.output - all.output / 50;
        !self.before.is_empty() && none_fell && self.output > 0 && fits_growth && is_less_than_all
    }

    fn usage(&self, session: &str, tokens: Tokens) -> Usage {
        Usage {
            message: format!("{session} leg {}", self.number),
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_written: tokens.cache_written,
        }
    }
}

/// Reads `modelMetrics`: what was read from a cache or written to one is input there.
pub(super) fn models(value: &mut JsonCursor<'_>) -> BTreeMap<String, Tokens> {
    let mut models = BTreeMap::new();
    value.object(|model, value| {
        let mut told = None;
        value.object(|key, value| {
            if key == "usage" {
                told = counts(value, &TOKENS);
            }
        });
        let tokens = told.map(without_cached).unwrap_or_default();
        if tokens != Tokens::default() {
            models.insert(model.to_owned(), tokens);
        }
    });
    models
}

const TOKENS: TokenNames = TokenNames {
    input: &["inputTokens"],
    output: &["outputTokens"],
    cache_read: &["cacheReadTokens"],
    cache_written: &["cacheWriteTokens"],
};

#[cfg(test)]
mod tests {
    use super::*;

    fn of(metrics: &str) -> BTreeMap<String, Tokens> {
        models(&mut JsonCursor::new(metrics))
    }

    fn metrics(input: u64, output: u64, read: u64) -> BTreeMap<String, Tokens> {
        of(&format!(
            r#"{{"m":{{"usage":{{"inputTokens":{input},"outputTokens":{output},"cacheReadTokens":{read}}}}}}}"#
        ))
    }

    fn figures(usage: Option<Usage>) -> Option<(u64, u64, u64)> {
        usage.map(|usage| (usage.input, usage.output, usage.cache_read))
    }

    #[test]
    fn shutdowns_add_where_each_leg_counts_anew() {
        let mut legs = Legs::default();
        let live = legs.message("s", 90);
        let sum = legs.shutdown("s", metrics(1000, 90, 600)).unwrap();
        assert_eq!(live.message, sum.message, "the sum stands for the message's report");
        assert_eq!(figures(Some(sum)), Some((400, 90, 600)));
        legs.message("s", 50);
        assert_eq!(figures(legs.shutdown("s", metrics(500, 50, 400))), Some((100, 50, 400)));
    }

    #[test]
    fn sums_that_go_on_add_their_growth() {
        let mut legs = Legs::default();
        legs.message("s", 90);
        legs.shutdown("s", metrics(1000, 90, 600));
        legs.message("s", 50);
        assert_eq!(figures(legs.shutdown("s", metrics(1500, 140, 900))), Some((200, 50, 300)));
    }

    #[test]
    fn a_shutdown_told_twice_or_without_sums_adds_nothing() {
        let mut legs = Legs::default();
        legs.message("s", 90);
        assert!(legs.shutdown("s", BTreeMap::new()).is_none());
        assert!(legs.shutdown("s", metrics(1000, 90, 600)).is_some());
        assert!(legs.shutdown("s", metrics(1000, 90, 600)).is_none());
        assert_eq!(of(r#"{"m":{"usage":{"inputTokens":1,"cacheReadTokens":5}}}"#)["m"].input, 0);
    }
}
