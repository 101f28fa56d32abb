//! `forebear transcript`: a session from top to bottom.

use clap::Args;
use forebear::answers::{TranscriptQuery, TranscriptStyle, transcript};
use forebear_wire::redact::Redactor;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::formats;
use crate::global::Global;
use crate::output::{Out, text};
use crate::place;

/// Print a session to be read from top to bottom
///
/// Turns with what was asked and said, each call with its result, agents within the calls that
/// started them: of the branch that is active, unless all are asked for. Secrets of known shapes
/// are replaced by their kind and a digest.
#[derive(Debug, Args)]
#[command(after_help = "\
The page of --html is one file that needs nothing from elsewhere; nothing that an event says
is taken for markup. The exit code is 3 where there is no such session.

Examples:
  forebear transcript 0fae0449
  forebear transcript 0fae0449 --html > session.html")]
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
pub(crate) struct TranscriptArgs {
    /// The session: its name, or the beginning of it; an event of it; or SESSION/AGENT
    session: String,

    /// As Markdown, with thoughts and results folded
    #[arg(long, conflicts_with = "html")]
    md: bool,

    /// As a page of HTML, with thoughts and results folded
    #[arg(long)]
    html: bool,

    /// All branches and not only the active one
    #[arg(long)]
    all: bool,

    /// Leave secrets as they are
    #[arg(long)]
    no_redact: bool,
}

impl Run for TranscriptArgs {
    fn writes(&self) -> bool {
        false
    }

    fn run(&self, global: &Global) -> CommandResult {
        if global.json {
            return Err(CommandFailure::Usage(
                "a transcript is text, --md or --html; its events as JSON are \
                 `forebear events --session SESSION --json --payload`"
                    .to_owned(),
            ));
        }
        let snapshot = place::snapshot(global)?;
        let session = place::find_session(&snapshot, &self.session)?;
        let query = TranscriptQuery::session(&session).all(self.all);
        let found = transcript(&snapshot, formats::readings(), &query)?.ok_or_else(|| {
            CommandFailure::NothingFound(format!("nothing is stored of the session {session:?}"))
        })?;
        let style = match (self.md, self.html) {
            (true, _) => TranscriptStyle::Markdown,
            (_, true) => TranscriptStyle::Html,
            _ => TranscriptStyle::Text,
        };
        let mut out = Out::paged(global);
        let mut secrets = if self.no_redact { Redactor::off() } else { Redactor::new() };
        for piece in found.pieces(style, |said| text::clean_lines(&secrets.text(said))) {
            out.raw(piece?.as_bytes())?;
        }
        out.finish()?;
        if secrets.count() > 0 {
            let secrets = text::counted(secrets.count(), "secret", "secrets");
            warn(&format!("forebear: replaced {secrets}; --no-redact leaves them"));
        }
        if !found.is_complete() {
            warn(
                "forebear: not all of the session was read: it is longer than an answer may read, \
                  or part of it is damaged",
            );
        }
        Ok(())
    }
}
