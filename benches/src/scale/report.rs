//! The table: each figure beside SQLite's, the target, and whether it is met.

use crate::process::load_average;
use crate::scale::figures::Figures;
use crate::scale::options::{ScaleOptions, ScalePart, Size};
use crate::scale::side::{CHAIN_EVENTS, NEWEST, Topic};
use crate::scale::table::{
    self, FigureCheck, FigureRow, at_least, at_most, bytes, divided, duration, megabytes,
    same_size, times,
};

/// Says what is about to be measured.
pub(crate) fn heading(options: &ScaleOptions) {
    let [small, big] = Size::ALL.map(|size| options.history(size).events);
    println!(
        "{big} events, and {small}; {} in SQLite; {} events a segment",
        options.sqlite_history().events,
        options.segment_events()
    );
    print_load("before");
}

/// Prints all rows for which there are figures.
pub(crate) fn print(options: &ScaleOptions, figures: &Figures) {
    let mut table = PrintedTable { figures, rows: Vec::new() };
    table.machine();
    table.ingest(options);
    table.questions();
    table.segments(options);
    table.footprint(options);
    table::print(&table.rows);
    print_load("after");
}

/// Says how busy the machine is: figures of a busy machine are not the engine's.
fn print_load(when: &str) {
    if let Ok(load) = load_average() {
        println!("load average {when}: {load:.1}");
    }
}

struct PrintedTable<'f> {
    figures: &'f Figures,
    rows: Vec<FigureRow>,
}

impl PrintedTable<'_> {
    fn machine(&mut self) {
        let plain = |name: &str, unit: &str, scale: f64| {
            let number = self.figures.number(&format!("machine.{name}"));
            number.map(|number| format!("{:.1} {unit}", number / scale))
        };
        let rows = [
            ("processors", plain("processors", "", 1.0)),
            ("dependent load, 512 MiB", plain("load_ns", "ns", 1.0)),
            ("zstd -3, 64 KiB chunks", plain("zstd_bytes_per_s", "MB/s", 1e6)),
            ("  smaller by", plain("zstd_ratio", "x", 1.0)),
            ("4 KiB append + fdatasync", self.spread("machine.fdatasync")),
        ];
        for (what, ours) in rows {
            self.add(FigureRow {
                what: what.to_owned(),
                ours: ours.unwrap_or_default(),
                ..FigureRow::default()
            });
        }
    }

    fn ingest(&mut self, options: &ScaleOptions) {
        let rate = |name: &str| self.figures.number(name);
        let thousands = |rate: Option<f64>| {
            rate.map_or_else(String::new, |rate| format!("{:.1}k/s", rate / 1e3))
        };
        let big = rate("big.rate_per_s");
        let sqlite = rate("sqlite.rate_per_s");
        let burst = rate("burst_per_s");
        let tenth = |name: &str| {
            self.quotient(&format!("{name}.last_per_s"), &format!("{name}.first_per_s"))
        };
        let sustained = FigureRow {
            what: "sustained ingest".to_owned(),
            ours: thousands(big),
            sqlite: thousands(sqlite),
            times: times(divided(big, sqlite)),
            smaller: thousands(rate("small.rate_per_s")),
            checks: vec![
                at_least("10x SQLite", divided(big, sqlite), 10.0),
                at_least("250k/s", big, 250_000.0),
                same_size(divided(rate("small.rate_per_s"), big)),
            ],
        };
        let part = |quotient: Option<f64>| quotient.map_or_else(String::new, |q| format!("{q:.2}"));
        let last = FigureRow {
            what: "  last tenth / first tenth".to_owned(),
            ours: part(tenth("big")),
            sqlite: part(tenth("sqlite")),
            smaller: part(tenth("small")),
            checks: vec![at_least("0.9", tenth("big"), 0.9)],
            ..FigureRow::default()
        };
        let segment = FigureRow {
            what: "  one segment's burst".to_owned(),
            ours: thousands(burst),
            times: String::new(),
            checks: vec![at_least("2x sustained", divided(burst, big), 2.0)],
            ..FigureRow::default()
        };
        let threads = FigureRow {
            what: "  the writer thread's own time".to_owned(),
            ours: rate("big.writer_ns").map_or_else(String::new, |ns| format!("{ns:.0} ns")),
            smaller: rate("small.writer_ns").map_or_else(String::new, |ns| format!("{ns:.0} ns")),
            ..FigureRow::default()
        };
        let in_burst = FigureRow {
            what: "  the writer thread's, in the burst".to_owned(),
            ours: rate("burst_writer_ns").map_or_else(String::new, |ns| format!("{ns:.0} ns")),
            ..FigureRow::default()
        };
        let make = rate("big.make_ns");
        let making = FigureRow {
            what: "  the producer's, to make an event".to_owned(),
            ours: make.map_or_else(String::new, |ns| format!("{ns:.0} ns")),
            ..FigureRow::default()
        };
        let peak = |size: Size, name: &str| rate(&format!("{}.{name}", size.name()));
        let memory = FigureRow {
            what: "  peak RSS of the writer".to_owned(),
            ours: megabytes(peak(Size::Big, "peak_bytes")),
            smaller: megabytes(peak(Size::Small, "peak_bytes")),
            checks: vec![at_most("100 MB", peak(Size::Big, "peak_bytes"), 1e8)],
            ..FigureRow::default()
        };
        let anonymous = FigureRow {
            what: "  anonymous of it".to_owned(),
            ours: megabytes(peak(Size::Big, "anonymous_bytes")),
            smaller: megabytes(peak(Size::Small, "anonymous_bytes")),
            ..FigureRow::default()
        };
        if options.has(ScalePart::Write) {
            for row in [sustained, last, segment, threads, in_burst, making, memory, anonymous] {
                self.add(row);
            }
        } else if options.has(ScalePart::Sqlite) {
            self.add(sustained);
        }
    }

    fn questions(&mut self) {
        let median = |name: &str| self.figures.number(&format!("{name}.median"));
        let load_ns = self.figures.number("machine.load_ns");
        let floor = load_ns
            .zip(median("big.known"))
            .map(|(load, find)| 2.0 * (load * f64::from(CHAIN_EVENTS) + find));
        let chain = format!("chain of {CHAIN_EVENTS}, no payloads");
        let with_payloads = format!("chain of {CHAIN_EVENTS}, payloads");
        let newest = format!("newest {NEWEST}, payloads");
        let ratio = |topic: &str| {
            divided(median(&format!("sqlite.{topic}")), median(&format!("big.{topic}")))
        };
        let us = |topic: &str, most: f64| {
            at_most(&format!("{most} us"), median(&format!("big.{topic}")), most * 1e3)
        };
        let topics: [(&str, Topic, Vec<FigureCheck>); 11] = [
            ("a random id is known", Topic::Known, vec![us("known", 5.0)]),
            ("a random id is unknown", Topic::Unknown, vec![us("unknown", 5.0)]),
            ("a random id's columns", Topic::Columns, vec![us("columns", 5.0)]),
            (
                &chain,
                Topic::Chain,
                vec![
                    at_least("30x SQLite", ratio("chain"), 30.0),
                    FigureCheck {
                        target: format!(
                            "2 x (100 loads + id) = {}",
                            floor.map_or_else(|| "?".to_owned(), duration)
                        ),
                        missed_by: divided(median("big.chain"), floor),
                    },
                ],
            ),
            (
                &with_payloads,
                Topic::ChainPayloads,
                vec![at_least("4x SQLite", ratio("chain_payloads"), 4.0)],
            ),
            ("root", Topic::Root, vec![us("root", 3.0)]),
            ("depth", Topic::Depth, vec![us("depth", 3.0)]),
            ("root, long chain (joins)", Topic::RootLong, vec![]),
            ("depth, long chain (joins)", Topic::DepthLong, vec![]),
            ("common cause, long chain", Topic::CommonCause, vec![us("common_cause", 50.0)]),
            (&newest, Topic::Newest, vec![at_least("SQLite", ratio("newest"), 1.0)]),
        ];
        let rows: Vec<FigureRow> = topics
            .into_iter()
            .map(|(what, topic, mut checks)| {
                let name = topic.name();
                let [big, small] = ["big", "small"].map(|size| median(&format!("{size}.{name}")));
                checks.push(same_size(divided(big, small)));
                FigureRow {
                    what: what.to_owned(),
                    ours: self.spread(&format!("big.{name}")).unwrap_or_default(),
                    sqlite: self.spread(&format!("sqlite.{name}")).unwrap_or_default(),
                    times: times(ratio(name)),
                    smaller: small.map_or_else(String::new, duration),
                    checks,
                }
            })
            .collect();
        for row in rows {
            self.add(row);
        }
        for topic in Topic::ALL {
            let name = topic.name();
            let row = FigureRow {
                what: format!("  just opened: {}", name.replace('_', " ")),
                ours: self.spread(&format!("first.big.{name}")).unwrap_or_default(),
                sqlite: self.spread(&format!("first.sqlite.{name}")).unwrap_or_default(),
                smaller: median(&format!("first.small.{name}")).map_or_else(String::new, duration),
                ..FigureRow::default()
            };
            self.add(row);
        }
    }

    fn segments(&mut self, options: &ScaleOptions) {
        if let Some(why) = self.figures.why_not("segments") {
            println!("finding ids in many segments: not measured: {why}");
            return;
        }
        for count in options.segment_counts() {
            for (topic, what) in [(Topic::Known, "an id"), (Topic::Unknown, "no id")] {
                let name = format!("segments.{count}.{}", topic.name());
                let median = self.figures.number(&format!("{name}.median"));
                let row = FigureRow {
                    what: format!("{what} in {count} segments"),
                    ours: self.spread(&name).unwrap_or_default(),
                    checks: vec![at_most("10 us", median, 10_000.0)],
                    ..FigureRow::default()
                };
                self.add(row);
            }
        }
    }

    fn footprint(&mut self, options: &ScaleOptions) {
        let number = |name: &str| self.figures.number(name);
        let median = |name: &str| self.figures.number(&format!("{name}.median"));
        let open = FigureRow {
            what: "opening, active log full".to_owned(),
            ours: self.spread("big.open").unwrap_or_default(),
            smaller: median("small.open").map_or_else(String::new, duration),
            checks: vec![
                at_most("100 ms", median("big.open"), 1e8),
                same_size(divided(median("big.open"), median("small.open"))),
            ],
            ..FigureRow::default()
        };
        let walks = FigureRow {
            what: "anonymous memory, 10,000 walks".to_owned(),
            ours: megabytes(number("walks.anonymous_bytes")),
            checks: vec![at_most("64 MB", number("walks.anonymous_bytes"), 64e6)],
            ..FigureRow::default()
        };
        let per_event = |side: &str, events: Option<f64>| {
            divided(number(&format!("{side}.disk_bytes")), events)
        };
        let written = |size: Size| {
            let name = size.name();
            number(&format!("{name}.events")).or(Some(options.history(size).events as f64))
        };
        let ours = per_event("big", written(Size::Big));
        let sqlite = per_event("sqlite", number("sqlite.disk_events"));
        let disk = FigureRow {
            what: "bytes on disk an event".to_owned(),
            ours: bytes(ours),
            sqlite: bytes(sqlite),
            times: times(divided(sqlite, ours)),
            smaller: bytes(per_event("small", written(Size::Small))),
            checks: vec![at_most("a third of SQLite's", divided(ours, sqlite), 1.0 / 3.0)],
        };
        let part = divided(number("transcripts.disk_bytes"), number("transcripts.distinct_bytes"));
        let of_all = divided(number("transcripts.disk_bytes"), number("transcripts.raw_bytes"));
        let transcripts = FigureRow {
            what: "real transcripts, of their bytes".to_owned(),
            ours: part.zip(of_all).map_or_else(String::new, |(part, of_all)| {
                format!("{part:.3} (repeats counted {of_all:.3})")
            }),
            checks: vec![at_most("0.22", part, 0.22)],
            ..FigureRow::default()
        };
        let drop = FigureRow {
            what: "dropping a segment, syncs aside".to_owned(),
            ours: self.spread("big.drop").unwrap_or_default(),
            smaller: median("small.drop").map_or_else(String::new, duration),
            checks: vec![
                at_most("5 ms", median("big.drop"), 5e6),
                same_size(divided(median("big.drop"), median("small.drop"))),
            ],
            ..FigureRow::default()
        };
        for row in [open, walks, disk, transcripts, drop] {
            self.add(row);
        }
        for (what, name) in
            [("transcripts", "transcripts"), ("dropping", "retain"), ("within 128 MB", "cgroup")]
        {
            if let Some(why) = self.figures.why_not(name) {
                println!("{what}: not possible here: {why}");
            }
        }
        let within = self.spread("cgroup.big.chain_payloads");
        if let Some(spread) = within {
            let what = format!("the same within 128 MB: chain of {CHAIN_EVENTS}, payloads");
            self.add(FigureRow { what, ours: spread, ..FigureRow::default() });
        }
    }

    /// Keeps a row that holds a figure.
    fn add(&mut self, row: FigureRow) {
        if !row.ours.is_empty() || !row.sqlite.is_empty() {
            self.rows.push(row);
        }
    }

    fn spread(&self, name: &str) -> Option<String> {
        let spread = self.figures.spread_of(name)?;
        Some(format!(
            "{} (p99 {}, n {})",
            duration(spread.median),
            duration(spread.p99),
            spread.samples
        ))
    }

    fn quotient(&self, a: &str, b: &str) -> Option<f64> {
        divided(self.figures.number(a), self.figures.number(b))
    }
}
