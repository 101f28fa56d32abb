//! Figures by name, as the processes hand them to each other.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scale::Result;

/// Figures by name, and remarks where there is no figure.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures {
    numbers: BTreeMap<String, f64>,
    remarks: BTreeMap<String, String>,
}

/// What a number of samples came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) p99: f64,
    pub(crate) samples: f64,
}

impl Figures {
    pub(crate) fn set(&mut self, name: impl Into<String>, value: f64) {
        self.numbers.insert(name.into(), value);
    }

    /// Says why there is no figure of this name.
    pub(crate) fn remark(&mut self, name: impl Into<String>, text: impl Into<String>) {
        self.remarks.insert(name.into(), text.into().replace('\n', " "));
    }

    /// Sets the median, the 99th percentile and the number of samples, in ns.
    pub(crate) fn spread(&mut self, name: &str, mut times: Vec<Duration>) {
        if times.is_empty() {
            return;
        }
        times.sort_unstable();
        let at =
            |part: f64| times[((times.len() - 1) as f64 * part).ceil() as usize].as_nanos() as f64;
        self.set(format!("{name}.median"), at(0.5));
        self.set(format!("{name}.p99"), at(0.99));
        self.set(format!("{name}.samples"), times.len() as f64);
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn why_not(&self, name: &str) -> Option<&str> {
        self.remarks.get(name).map(String::as_str)
    }

    pub(crate) fn spread_of(&self, name: &str) -> Option<Spread> {
        let part = |part| self.number(&format!("{name}.{part}"));
        Some(Spread { median: part("median")?, p99: part("p99")?, samples: part("samples")? })
    }

    /// Takes over all of `other`, their names under `prefix`.
    pub(crate) fn take(&mut self, prefix: &str, other: Self) {
        let under = |name| if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
        self.numbers.extend(other.numbers.into_iter().map(|(name, value)| (under(name), value)));
        self.remarks.extend(other.remarks.into_iter().map(|(name, text)| (under(name), text)));
    }

    /// A line for each.
    pub(crate) fn to_lines(&self) -> String {
        let numbers = self.numbers.iter().map(|(name, value)| format!("{name}\t{value:?}\n"));
        let remarks = self.remarks.iter().map(|(name, text)| format!("{name}\t={text}\n"));
        numbers.chain(remarks).collect()
    }

    pub(crate) fn from_lines(lines: &str) -> Result<Self> {
        let mut figures = Self::default();
        for line in lines.lines() {
            let (name, value) = line
                .split_once('\t')
                .ok_or_else(|| format!("expected a name, a tab and a figure, found {line:?}"))?;
            match value.strip_prefix('=') {
                Some(text) => figures.remark(name, text),
                None => figures.set(name, value.parse()?),
            }
        }
        Ok(figures)
    }
}
