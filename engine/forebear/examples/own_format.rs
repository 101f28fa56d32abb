//! Reading files in a format of one's own: lines of `key=value` as a job runner writes them.
//!
//! `cargo run --example own_format`

use std::ops::ControlFlow;
use std::path::Path;

use forebear::Event;
use forebear::ingest::{
    Adapter, Confidence, Follower, IngestOptions, Parsed, Parser, Registry, SourceFile, Unit,
    import,
};

/// Logs of the job runner: `id=3 cause=2 job=build kind=step ms=1700000000000 text…`.
#[derive(Debug)]
struct JobLog;

impl Adapter for JobLog {
    fn name(&self) -> &'static str {
        "job-log"
    }

    fn unit(&self) -> Unit {
        Unit::Line
    }

    fn takes_file(&self, path: &Path) -> bool {
        path.extension().is_some_and(|extension| extension == "joblog")
    }

    fn recognise(&self, line: &str) -> Confidence {
        let is_ours = line.starts_with("id=") && field(line, "job").is_some();
        if is_ours { Confidence::Likely } else { Confidence::No }
    }

    fn parser(&self, file: &SourceFile<'_>) -> Box<dyn Parser> {
        Box::new(JobLogParser { last_ns: file.modified_ns })
    }
}

/// The state of reading one file.
#[derive(Debug)]
struct JobLogParser {
    /// The time of the line before, for lines that have none.
    last_ns: i64,
}

impl Parser for JobLogParser {
    fn parse(&mut self, line: &str) -> Result<Parsed, String> {
        let field = |key| field(line, key);
        let id = field("id").ok_or("expected a line with an id, found none")?;
        let job = field("job").ok_or("expected a line with a job, found none")?;
        let ms = field("ms").and_then(|ms| ms.parse::<i64>().ok());
        self.last_ns = ms.map_or(self.last_ns, |ms| ms.saturating_mul(1_000_000));
        let event = Event::new(field("kind").unwrap_or("line"))
            .id(format!("{job}/{id}"))
            .parent_opt(field("cause").map(|cause| format!("{job}/{cause}")))
            .session(job)
            .time_ns(self.last_ns)
            .payload(line);
        Ok(Parsed::new(event).time_made_up(ms.is_none()))
    }
}

/// The value of a field of a line.
fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let log = folder.path().join("nightly.joblog");
    std::fs::write(
        &log,
        "id=1 job=nightly kind=start ms=1700000000000 by=timer\n\
         id=2 cause=1 job=nightly kind=step ms=1700000000100 compile\n\
         not a line of ours\n",
    )?;

    let store = forebear::in_memory()?;
    // All formats that forebear knows, and ours before them.
    let options = IngestOptions::new([folder.path()]).formats(Registry::default().with(JobLog));
    let report = import(&store, &options, |_| ControlFlow::Continue(()))?;
    println!("{} events; lines that are none: {}", report.events, report.bad_lines);

    // What is appended later is read on from there.
    let mut follower = Follower::new(&store, options)?;
    let mut grown = std::fs::read_to_string(&log)?;
    grown.push_str("id=3 cause=2 job=nightly kind=error ms=1700000000200 no such type\n");
    std::fs::write(&log, grown)?;
    println!("{} event came while following", follower.poll_once()?.events);

    let snapshot = store.snapshot();
    if let Some(chain) = snapshot.chain("nightly/3")? {
        for event in chain {
            let event = event?;
            println!("  {:<10} {}", event.id(), event.kind());
        }
    }
    Ok(())
}
