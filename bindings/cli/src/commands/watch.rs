//! `forebear watch`: transcripts into the store as they are written.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use forebear::answers::AlertRule;
use forebear::ingest::{Follower, IngestOptions};
use indicatif::{ProgressBar, ProgressStyle};

use crate::command::Run;
use crate::commands::alert_runner::AlertRunner;
use crate::commands::format::{FormatArgs, NamedFormat};
use crate::commands::status;
use crate::failure::{CommandResult, warn};
use crate::global::Global;
use crate::output::{Out, draw, time};
use crate::place;
use crate::usual_folders::usual_folders;

/// Follow transcripts and store what is written to them
///
/// Reads what is there and goes on with what comes, until Ctrl-C or SIGTERM, as
/// `forebear import` would if it were called all the time. Without a path it follows the
/// usual folders, which need not be there yet. `forebear status` says how far it is.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json, one object in the end, as `forebear status --json` has it. A mapping is as
`forebear import --help` has it.

Examples:
  forebear watch
  forebear watch /mnt/shared/projects --poll --interval 10s
  forebear watch --mapping spans.json /var/log/spans
  forebear watch --alert failed --alert open-call=5m --run 'notify-send \"$FOREBEAR_ALERT_TEXT\"'")]
pub(crate) struct WatchArgs {
    /// Files, and folders with files of known formats
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Look at all files in turn, instead of being told of changes by the system; it does so
    /// by itself where the system can't tell, as on network file systems
    #[arg(long)]
    poll: bool,
    /// How often all files are looked at where the system does not tell of changes
    #[arg(long, value_name = "TIME", value_parser = time::parse_length, default_value = "2s")]
    interval: Duration,
    /// Store an event `alert` for what meets this rule (as `forebear alerts --help` has them);
    /// given several times, for each of them
    #[arg(long = "alert", value_name = "RULE")]
    alerts: Vec<AlertRule>,
    /// A command for the shell, run once for each alert; in its environment `FOREBEAR_ALERT_RULE`,
    /// `…_ABOUT`, `…_EVENT`, `…_TEXT` and `…_ID` say of what
    #[arg(long, value_name = "COMMAND", requires = "alerts")]
    run: Option<String>,

    #[command(flatten)]
    format: FormatArgs,
}

impl Run for WatchArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let paths = if self.paths.is_empty() {
            usual_folders()?.into_iter().map(|folder| folder.path).collect()
        } else {
            self.paths.clone()
        };
        let mut options = IngestOptions::new(&paths).poll_only(self.poll).poll_every(self.interval);
        options = match self.format.read()? {
            NamedFormat::Nothing => options,
            NamedFormat::Format(format) => options.format(format),
            NamedFormat::Mapping(mapping) => options.mapping(mapping),
        };
        let store = place::open_or_make(global)?;
        let mut runner = AlertRunner::new(&store, &self.alerts, self.run.as_deref())?;
        let mut follower = Follower::new(&store, options)?;
        let stop = follower.stop_handle();
        let stopping = AtomicBool::new(false);
        let set = ctrlc::set_handler(move || {
            // The second time at once, which loses nothing that the next run would not find.
            if stopping.swap(true, Ordering::Relaxed) {
                process::exit(1);
            }
            stop.stop();
        });
        if let Err(error) = set {
            warn(&format!("forebear: Ctrl-C and SIGTERM will not end it cleanly: {error}"));
        }
        let there = paths.iter().filter(|path| path.exists());
        let folders: Vec<_> = there.map(|path| path.display().to_string()).collect();
        let waiting = match paths.len() - folders.len() {
            0 => String::new(),
            count => format!(", and {count} that are not there yet"),
        };
        warn(&format!("forebear: following {}{waiting}; Ctrl-C ends it", folders.join(", ")));
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{wide_msg:.dim}") {
            bar.set_style(style);
        }
        let mut reported = BTreeSet::new();
        let run = follower.run(|status| {
            bar.suspend(|| {
                if let Err(failure) = runner.look(&store) {
                    failure.warn();
                }
            });
            bar.set_message(status::line(status));
            for (path, why) in &status.failing {
                if reported.len() < MAX_REPORTED && reported.insert(path.clone()) {
                    bar.suspend(|| warn(&format!("forebear: {}: {why}", path.display())));
                }
            }
        });
        bar.finish_and_clear();
        let status = follower.status();
        runner.finish();
        run?;
        place::close(store)?;
        let mut out = Out::new();
        if global.json {
            out.json(&status)?;
        } else {
            draw::plain(&mut out, &status::line(&status), 0)?;
        }
        out.finish()?;
        Ok(())
    }
}

/// Files that can't be read are reported one by one up to so many.
const MAX_REPORTED: usize = 1000;
