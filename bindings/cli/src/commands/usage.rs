//! `forebear usage`: what was used, and what did it cost?

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anstyle::Style;
use clap::Args;
use forebear::Tokens;
use forebear::answers::{Budget, Price, Prices, UsageBy, UsageQuery, UsageReport, UsageRow, usage};
use serde::Deserialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult};
use crate::global::Global;
use crate::output::{Out, draw, text, time};
use crate::parse::at_least_one;
use crate::place;
use crate::select::FilterArgs;

/// Columns of a column of tokens, and of money.
const FIGURE_COLUMNS: usize = 10;

/// Columns of the name of a row at most.
const VALUE_COLUMNS: usize = 48;

/// Show the tokens that models used, and what they cost
///
/// By day, project, model or session. A message counts once, however many lines tell of it and
/// however many sessions have a copy of it; that of an agent counts for its session.
#[derive(Debug, Args)]
#[command(after_help = "\
Prices are a table that comes with the program, of one day: US dollars for a million tokens,
without batches, discounts or subscriptions. --prices FILE sets others: {\"as_of\": \"2026-05-01\",
\"models\": {\"my-model\": {\"input\": 3, \"output\": 15, \"cache_read\": 0.3, \"cache_written\": 3.75}}}.
Models without a price are named; their tokens count, and are in no sum of money.

With --json: an object for each row with `value`, `messages`, `tokens` and `usd`.

Examples:
  forebear usage
  forebear usage --by project --since 30d
  forebear usage --by session --limit 10 --json | jq -r '[.value, .usd] | @tsv'")]
pub(crate) struct UsageArgs {
    /// What to add up by: day, project, model or session
    #[arg(long, value_name = "BY", default_value = "day")]
    by: UsageByArg,
    /// Rows at most; of days the newest
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    limit: Option<usize>,
    /// Prices that go before those that the program has, as JSON
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// How long to look at most
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = time::parse_length)]
    within: Duration,
    #[command(flatten)]
    filter: FilterArgs,
}

/// What usage is added up by.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum UsageByArg {
    Day,
    Project,
    Model,
    Session,
}

impl From<UsageByArg> for UsageBy {
    fn from(by: UsageByArg) -> Self {
        match by {
            UsageByArg::Day => Self::Day,
            UsageByArg::Project => Self::Project,
            UsageByArg::Model => Self::Model,
            UsageByArg::Session => Self::Session,
        }
    }
}

/// A file of prices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PriceFile {
    as_of: Option<String>,
    models: BTreeMap<String, ModelPrice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelPrice {
    input: f64,
    output: f64,
    /// As much as what is read anew, unless given.
    cache_read: Option<f64>,
    cache_written: Option<f64>,
}

impl Run for UsageArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let prices = self.prices.as_deref().map_or_else(|| Ok(Prices::default()), read_prices)?;
        let snapshot = place::snapshot(global)?;
        let budget = Budget::default().events(u64::MAX).bytes(u64::MAX).time(self.within);
        let query = UsageQuery::by(self.by.into()).filter(self.filter.filter(&snapshot)?);
        let mut report = usage(&snapshot, &query.prices(prices).budget(budget))?;
        if report.total.messages == 0 {
            let words = "no event that tells of tokens matches".to_owned();
            return Err(CommandFailure::NothingFound(words));
        }
        let all = report.rows.len();
        let limit = self.limit.unwrap_or(usize::MAX);
        match self.by {
            UsageByArg::Day => drop(report.rows.drain(..all.saturating_sub(limit))),
            _ => report.rows.truncate(limit),
        }
        let mut out = Out::paged(global);
        if global.json {
            for row in &report.rows {
                out.json(row)?;
            }
        } else {
            draw_report(&mut out, &report, all)?;
        }
        out.finish()?;
        if report.complete {
            return Ok(());
        }
        Err(CommandFailure::Failed(
            "not all was read: give more --within, or part of it is damaged".to_owned(),
        ))
    }
}

fn draw_report(out: &mut Out, report: &UsageReport, all: usize) -> CommandResult {
    let values: Vec<String> = report.rows.iter().map(|row| shown(report.by, row)).collect();
    let widest = values.iter().map(|value| text::width(value)).max().unwrap_or(0);
    let header = [report.by.as_str(), "total"].iter().map(|word| word.len()).max().unwrap_or(0);
    // In a narrow output the name gives way to the figures.
    let room = out.columns().saturating_sub(6 * (FIGURE_COLUMNS + 1));
    let columns = widest.max(header).min(VALUE_COLUMNS).min(room.max(header));
    let heading = ["messages", "in", "out", "cached", "to cache", "US$"];
    let heading = heading.map(|word| format!(" {word:>FIGURE_COLUMNS$}")).concat();
    let by = text::fit(report.by.as_str(), columns);
    draw::line(out, &[(draw::DIM, &format!("{by}{heading}"))])?;
    for (row, value) in report.rows.iter().zip(&values) {
        let value = text::fit(value, columns);
        draw::line(out, &[(Style::new(), &value), (Style::new(), &figures(row))])?;
    }
    let value = text::fit("total", columns);
    draw::line(out, &[(draw::BOLD, &value), (draw::BOLD, &figures(&report.total))])?;
    if report.rows.len() < all {
        let left = text::counted((all - report.rows.len()) as u64, "row", "rows");
        draw::remark(out, &format!("{left} not shown, and in the total"))?;
    }
    draw::remark(out, &format!("prices as of {}", report.prices_as_of))?;
    for unpriced in &report.unpriced {
        let model = match unpriced.model.as_str() {
            "" => "messages that name no model",
            model => model,
        };
        let Tokens { input, output, .. } = unpriced.tokens;
        let words = format!(
            "no price of {model} is known, so its {} tokens in and {} out are in no sum of money: \
             --prices sets one",
            text::thousands(input),
            text::thousands(output)
        );
        draw::remark(out, &words)?;
    }
    Ok(())
}

fn figures(row: &UsageRow) -> String {
    let tokens = row.tokens;
    let counts =
        [row.messages, tokens.input, tokens.output, tokens.cache_read, tokens.cache_written];
    let counts = counts.map(|count| format!(" {:>FIGURE_COLUMNS$}", figure(count))).concat();
    format!("{counts} {:>FIGURE_COLUMNS$.2}", row.usd)
}

/// A number that fits its column.
fn figure(number: u64) -> String {
    let whole = text::thousands(number);
    if whole.len() <= FIGURE_COLUMNS { whole } else { text::short_number(number) }
}

fn shown(by: UsageBy, row: &UsageRow) -> String {
    let value = text::clean(&row.value);
    match (by, &*value) {
        (UsageBy::Project, "") => "(no folder)".to_owned(),
        (UsageBy::Model, "") => "(no model)".to_owned(),
        // The last folders of a path say more than the first.
        (UsageBy::Project, path) if text::width(path) > VALUE_COLUMNS => {
            let from = path.len() - VALUE_COLUMNS + '…'.len_utf8();
            format!("…{}", &path[path.ceil_char_boundary(from)..])
        }
        (_, value) => value.to_owned(),
    }
}

fn read_prices(file: &Path) -> Result<Prices, CommandFailure> {
    let failed = |why: String| {
        CommandFailure::Usage(format!(
            "{}: {why}; expected {{\"as_of\": DAY, \"models\": {{NAME: {{\"input\", \"output\", \
             \"cache_read\", \"cache_written\"}}}}}}, in US dollars for a million tokens",
            file.display()
        ))
    };
    let text = fs::read_to_string(file).map_err(|error| failed(error.to_string()))?;
    let read: PriceFile = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    let mut prices = Prices::default();
    if let Some(day) = read.as_of {
        prices.set_as_of(day);
    }
    for (model, price) in read.models {
        let ModelPrice { input, output, cache_read, cache_written } = price;
        let all = [input, output, cache_read.unwrap_or(input), cache_written.unwrap_or(input)];
        if all.iter().any(|price| !price.is_finite() || *price < 0.0) {
            return Err(failed(format!("a price of {model:?} is no amount of money")));
        }
        let [input, output, cache_read, cache_written] = all;
        prices.set(model, Price::per_million(input, output, cache_read, cache_written));
    }
    Ok(prices)
}
