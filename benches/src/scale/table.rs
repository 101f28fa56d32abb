//! The rows of the report and how they are printed.

/// A row: what was measured, on each side, and what is asked of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct FigureRow {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) sqlite: String,
    pub(crate) times: String,
    pub(crate) smaller: String,
    pub(crate) checks: Vec<FigureCheck>,
}

/// A target, and by what factor it is missed; at most 1 if it is met.
#[derive(Clone, Debug)]
pub(crate) struct FigureCheck {
    pub(crate) target: String,
    pub(crate) missed_by: Option<f64>,
}

/// Prints the rows, in columns as wide as they need to be.
pub(crate) fn print(rows: &[FigureRow]) {
    println!("medians; \"at 1/10\" is the same at a tenth of the events");
    let head = ["", "forebear", "SQLite", "faster", "at 1/10", "target", ""];
    let mut lines = vec![head.map(str::to_owned)];
    for row in rows {
        let first = FigureCheck { target: String::new(), missed_by: None };
        let checks = if row.checks.is_empty() { vec![first] } else { row.checks.clone() };
        for (number, check) in checks.into_iter().enumerate() {
            let cells = [&row.what, &row.ours, &row.sqlite, &row.times, &row.smaller];
            let [what, ours, sqlite, times, smaller] =
                cells.map(|cell| if number == 0 { cell.clone() } else { String::new() });
            let verdict = check.verdict();
            lines.push([what, ours, sqlite, times, smaller, check.target, verdict]);
        }
    }
    let widths: [usize; 7] = std::array::from_fn(|column| {
        lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0)
    });
    for line in &lines {
        let cells: Vec<String> =
            line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", cells.join("  ").trim_end());
    }
}

impl FigureCheck {
    fn verdict(&self) -> String {
        match self.missed_by {
            None if self.target.is_empty() => String::new(),
            None => "not measured".to_owned(),
            Some(factor) if factor <= 1.0 => "met".to_owned(),
            Some(factor) => format!("short by {factor:.2}x"),
        }
    }
}

pub(crate) fn at_least(target: &str, found: Option<f64>, goal: f64) -> FigureCheck {
    FigureCheck { target: format!(">= {target}"), missed_by: divided(Some(goal), found) }
}

pub(crate) fn at_most(target: &str, found: Option<f64>, limit: f64) -> FigureCheck {
    FigureCheck { target: format!("<= {target}"), missed_by: divided(found, Some(limit)) }
}

/// The same at both sizes: by how much the bigger is worse than the smaller.
pub(crate) fn same_size(worse: Option<f64>) -> FigureCheck {
    FigureCheck { target: "<= 1.2x of 1/10".to_owned(), missed_by: worse.map(|worse| worse / 1.2) }
}

pub(crate) fn divided(a: Option<f64>, b: Option<f64>) -> Option<f64> {
    a.zip(b).map(|(a, b)| a / b)
}

pub(crate) fn times(ratio: Option<f64>) -> String {
    ratio.map_or_else(String::new, |ratio| format!("{ratio:.1}x"))
}

pub(crate) fn bytes(bytes: Option<f64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!("{bytes:.0}"))
}

pub(crate) fn megabytes(bytes: Option<f64>) -> String {
    bytes.map_or_else(String::new, |bytes| format!("{:.1} MB", bytes / 1e6))
}

/// A time given in nanoseconds.
pub(crate) fn duration(ns: f64) -> String {
    match ns {
        ..1e3 => format!("{ns:.0} ns"),
        1e3..1e6 => format!("{:.2} us", ns / 1e3),
        1e6..1e9 => format!("{:.2} ms", ns / 1e6),
        _ => format!("{:.2} s", ns / 1e9),
    }
}
