//! `forebear tail`: events as they are stored.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use forebear::{Detail, StartFrom};

use crate::command::Run;
use crate::commands::listings::Printer;
use crate::failure::{CommandResult, warn};
use crate::global::Global;
use crate::output::time;
use crate::place;
use crate::select::FilterArgs;

/// Show events in the order they were stored, and with -f those to come
///
/// Works while another process writes to the store, and shows an event some ten
/// milliseconds after it was written. Ctrl-C ends it.
#[derive(Debug, Args)]
#[command(after_help = "\
Without -f the exit code is 3 where there is no match.

Examples:
  forebear tail -f
  forebear tail -f --errors --json
  forebear tail -f --from 1h --instance worker-1
  forebear tail --from 120000")]
pub(crate) struct TailArgs {
    /// Go on with the events that are stored from now on, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Where to begin: `now`, `start`, a sequence number, or with the first event of a time
    /// (as --since, nanoseconds excepted) [default: now with -f, else start]
    #[arg(long, value_name = "WHERE", value_parser = start_from)]
    from: Option<StartFrom>,
    /// Only what is known to be on disk
    #[arg(long)]
    durable: bool,
    /// Print the payloads too
    #[arg(long)]
    payload: bool,
    #[command(flatten)]
    filter: FilterArgs,
}

impl Run for TailArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        let stop = stop_on_ctrl_c();
        let reader = place::reader(global)?;
        let mut seen = place::last_warning(&reader);
        let with_payload = self.payload || !global.json;
        let detail = if with_payload { Detail::Payload } else { Detail::Labels };
        let filter = self.filter.filter(&reader.snapshot()?)?;
        let default = if self.follow { StartFrom::Now } else { StartFrom::Start };
        let start = self.from.unwrap_or(default);
        let mut events = reader.subscribe(filter, start)?.detail(detail).durable(self.durable);
        let mut listing = Printer::flowing(global, self.payload);
        let mut listed = 0;
        let mut wait = Duration::ZERO;
        while !stop.load(Ordering::Relaxed) {
            match events.next_timeout(wait) {
                Some(Ok(event)) => {
                    listing.unread.add(event.damage());
                    listing.event(&event)?;
                    listed += 1;
                    // Whoever looks on has to see what came before it waits.
                    wait = Duration::ZERO;
                }
                Some(Err(error)) if error.is_damaged() && !self.follow => {
                    listing.unread.add([&error]);
                }
                Some(Err(error)) if error.is_expired() || error.is_damaged() => {
                    warn(&format!("forebear: {error:#}"));
                }
                Some(Err(error)) => return Err(error.into()),
                None if !self.follow => return listing.found(listed, "no event matches"),
                None => {
                    listing.out.flush()?;
                    seen = place::report_warnings(&reader, seen);
                    wait = WAIT_TIME;
                }
            }
        }
        listing.out.flush()?;
        Ok(())
    }
}

/// A flag that Ctrl-C and the signals to end set.
pub(crate) fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    // Where no handler can be set, the signal ends the process, which holds nothing.
    let _ = ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed));
    stop
}

fn start_from(text: &str) -> Result<StartFrom, String> {
    match text {
        "now" => Ok(StartFrom::Now),
        "start" => Ok(StartFrom::Start),
        _ => match text.parse() {
            Ok(seq) => Ok(StartFrom::Seq(seq)),
            Err(_) => time::parse(text).map(StartFrom::Time).map_err(|error| {
                format!("expected now, start, a sequence number or a time: {error}")
            }),
        },
    }
}

/// How soon Ctrl-C is heeded.
const WAIT_TIME: Duration = Duration::from_millis(100);
