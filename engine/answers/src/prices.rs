//! What tokens cost: a table of prices by model.

use forebear_core::Tokens;

/// Prices of models, in US dollars for a million tokens, as of a day.
///
/// ```
/// use forebear::answers::{Price, Prices};
///
/// let mut prices = Prices::default();
/// assert!(prices.of("claude-sonnet-4-5-20250929").is_some());
/// assert!(prices.of("house-model").is_none());
/// prices.set("house-model", Price::per_million(0.5, 2.0, 0.05, 0.5));
/// let tokens = forebear::Tokens { input: 1_000_000, output: 500_000, ..Default::default() };
/// assert_eq!(prices.of("house-model").expect("just set").usd(tokens), 1.5);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    as_of: String,
    models: Vec<(String, Price)>,
}

/// What a model's tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Price {
    /// A million tokens read anew.
    pub input: f64,
    /// A million tokens written by the model.
    pub output: f64,
    /// A million tokens read from a cache.
    pub cache_read: f64,
    /// A million tokens written to a cache, for as short as it is kept.
    pub cache_written: f64,
}

impl Price {
    /// In US dollars for a million tokens of each sort.
    pub const fn per_million(input: f64, output: f64, cache_read: f64, cache_written: f64) -> Self {
        Self { input, output, cache_read, cache_written }
    }

    /// What these tokens cost, in US dollars.
    pub fn usd(self, tokens: Tokens) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "no count of tokens reaches 2^53")]
        let of = |count: u64, price: f64| count as f64 * price / 1e6;
        of(tokens.input, self.input)
            + of(tokens.output, self.output)
            + of(tokens.cache_read, self.cache_read)
            + of(tokens.cache_written, self.cache_written)
    }
}

impl Prices {
    /// No prices, as of this day.
    pub fn none(as_of: impl Into<String>) -> Self {
        Self { as_of: as_of.into(), models: Vec::new() }
    }

    /// The day as of which they are.
    pub fn as_of(&self) -> &str {
        &self.as_of
    }

    /// Sets the day as of which they are.
    pub fn set_as_of(&mut self, day: impl Into<String>) {
        self.as_of = day.into();
    }

    /// Sets the price of a model, and of it with the day of a release behind its name.
    pub fn set(&mut self, model: impl Into<String>, price: Price) {
        let model = named(&model.into());
        self.models.retain(|(name, _)| *name != model);
        self.models.push((model, price));
    }

    /// The price of a model; none where it isn't known. A name may have a provider before it
    /// (`anthropic/`, `us.anthropic.`) and the day of a release behind it. A newer model never
    /// has the price of an older one whose name it begins with.
    pub fn of(&self, model: &str) -> Option<Price> {
        let model = named(model);
        let is_release = |rest: &str| {
            let rest = rest.trim_start_matches(['-', '@', ':']);
            // A day begins with its year; fewer digits are of the version.
            rest == "latest"
                || rest.bytes().take_while(u8::is_ascii_digit).count() >= YEAR_DIGITS
                    && rest.chars().filter(char::is_ascii_digit).count() >= RELEASE_DIGITS
                    && rest.chars().all(|c| c.is_ascii_digit() || matches!(c, '-' | 'v' | ':'))
        };
        let fits = |name: &str| {
            model.strip_prefix(name).is_some_and(|rest| rest.is_empty() || is_release(rest))
        };
        let found = self.models.iter().filter(|(name, _)| fits(name));
        found.max_by_key(|(name, _)| name.len()).map(|(_, price)| *price)
    }
}

/// What the makers of models asked for the use of their interfaces on 2026-03-21, for short
/// prompts, without batches, and for a cache that is kept as short as possible.
impl Default for Prices {
    fn default() -> Self {
        let mut prices = Self::none("2026-03-21");
        for (models, price) in LISTED {
            for model in *models {
                prices.set(*model, *price);
            }
        }
        prices
    }
}

/// A model's name as it is compared: in small letters, without a provider before it, and with
/// the numbers of its version joined in one way.
fn named(model: &str) -> String {
    let model = model.trim().to_ascii_lowercase();
    let model = model.rsplit('/').next().unwrap_or_default();
    let model = PROVIDERS.iter().fold(model, |name, provider| match name.find(provider) {
        Some(at) => &name[at + provider.len()..],
        None => name,
    });
    // claude-opus-4.5 and claude-opus-4-5 are one.
    if model.starts_with("claude") { model.replace('.', "-") } else { model.to_owned() }
}

const PROVIDERS: &[&str] = &["anthropic.", "openai.", "google."];

/// Digits that the day of a release has at least.
const RELEASE_DIGITS: usize = 6;
/// Digits of a year.
const YEAR_DIGITS: usize = 4;

const LISTED: &[(&[&str], Price)] = &[
    (&["claude-opus-4-6", "claude-opus-4-5"], Price::per_million(5.0, 25.0, 0.5, 6.25)),
    (
        &["claude-opus-4-1", "claude-opus-4", "claude-opus-4-0", "claude-3-opus"],
        Price::per_million(15.0, 75.0, 1.5, 18.75),
    ),
    (
        &[
            "claude-sonnet-4-6",
            "claude-sonnet-4-5",
            "claude-sonnet-4",
            "claude-sonnet-4-0",
            "claude-3-7-sonnet",
            "claude-3-5-sonnet",
        ],
        Price::per_million(3.0, 15.0, 0.3, 3.75),
    ),
    (&["claude-haiku-4-5"], Price::per_million(1.0, 5.0, 0.1, 1.25)),
    (&["claude-3-5-haiku"], Price::per_million(0.8, 4.0, 0.08, 1.0)),
    (&["claude-3-haiku"], Price::per_million(0.25, 1.25, 0.03, 0.3)),
    (&["gpt-5.2", "gpt-5.2-codex"], Price::per_million(1.75, 14.0, 0.175, 1.75)),
    (
        &["gpt-5", "gpt-5-codex", "gpt-5.1", "gpt-5.1-codex", "gpt-5.1-codex-max"],
        Price::per_million(1.25, 10.0, 0.125, 1.25),
    ),
    (&["gpt-5-mini", "gpt-5.1-codex-mini"], Price::per_million(0.25, 2.0, 0.025, 0.25)),
    (&["gpt-5-nano"], Price::per_million(0.05, 0.4, 0.005, 0.05)),
    (&["gpt-4.1", "o3"], Price::per_million(2.0, 8.0, 0.5, 2.0)),
    (&["gpt-4.1-mini"], Price::per_million(0.4, 1.6, 0.1, 0.4)),
    (&["gpt-4o"], Price::per_million(2.5, 10.0, 1.25, 2.5)),
    (&["gpt-4o-mini"], Price::per_million(0.15, 0.6, 0.075, 0.15)),
    (&["o4-mini"], Price::per_million(1.1, 4.4, 0.275, 1.1)),
    (&["gemini-2.5-pro"], Price::per_million(1.25, 10.0, 0.125, 1.25)),
    (&["gemini-2.5-flash"], Price::per_million(0.3, 2.5, 0.03, 0.3)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_its_own_price_under_any_of_its_names() {
        let prices = Prices::default();
        let output = |model: &str| prices.of(model).map(|price| price.output);
        for (model, expected) in [
            ("claude-opus-4-5-20251101", Some(25.0)),
            ("claude-opus-4.5", Some(25.0)),
            ("anthropic/claude-opus-4-20250514", Some(75.0)),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", Some(15.0)),
            ("claude-3-5-sonnet-latest", Some(15.0)),
            ("gpt-5-codex", Some(10.0)),
            ("gpt-4o-2024-08-06", Some(10.0)),
            // One that is newer than the table has no price, and none of an older one's.
            ("claude-opus-4-7", None),
            ("claude-opus-4-7-20260401", None),
            ("claude-opus-5", None),
            ("gpt-5-pro", None),
            ("<synthetic>", None),
            ("", None),
        ] {
            assert_eq!(output(model), expected, "{model}");
        }
    }

    #[test]
    fn what_is_set_stands_for_what_was_listed() {
        let mut prices = Prices::default();
        prices.set("Claude-Opus-4.5", Price::per_million(1.0, 2.0, 3.0, 4.0));
        let price = prices.of("claude-opus-4-5-20251101").expect("it is listed");
        let tokens = Tokens {
            input: 1_000_000,
            output: 1_000_000,
            cache_read: 1_000_000,
            cache_written: 1_000_000,
        };
        assert!((price.usd(tokens) - 10.0).abs() < 1e-9);
    }
}
