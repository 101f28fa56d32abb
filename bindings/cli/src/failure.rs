//! Why a command did not do what was asked, and the exit code that says so.

use std::io::{self, Write};
use std::process::ExitCode;

use crate::output::text;

/// What every command returns.
pub(crate) type CommandResult = Result<(), CommandFailure>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum CommandFailure {
    /// It failed: exit code 1.
    Failed(String),
    /// What was asked for makes no sense: exit code 2.
    Usage(String),
    /// There is nothing of the kind: exit code 3.
    NothingFound(String),
    /// What was asked of has expired meanwhile: exit code 1, unless it is asked again.
    Expired(String),
    /// The output could not be written. Where its reader has gone (`| head`)
    /// nobody wants the rest: exit code 0, without a word. Otherwise 1.
    Output(io::Error),
}

impl CommandFailure {
    /// Says on stderr what is wrong, where the command goes on.
    pub(crate) fn warn(self) {
        if let Some((_, message)) = self.told() {
            complain(&message);
        }
    }

    /// Says on stderr what is wrong and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let Some((code, message)) = self.told() else { return ExitCode::SUCCESS };
        complain(&message);
        ExitCode::from(code)
    }

    /// The exit code and what is wrong; none where nobody wants to know.
    fn told(self) -> Option<(u8, String)> {
        Some(match self {
            CommandFailure::Failed(message) | CommandFailure::Expired(message) => (1, message),
            CommandFailure::Usage(message) => (2, message),
            CommandFailure::NothingFound(message) => (3, message),
            CommandFailure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return None;
            }
            CommandFailure::Output(error) => (1, format!("writing the output: {error}")),
        })
    }
}

impl From<forebear::Error> for CommandFailure {
    fn from(error: forebear::Error) -> Self {
        if error.is_invalid() {
            CommandFailure::Usage(format!("{error:#}"))
        } else if error.is_expired() {
            CommandFailure::Expired(format!("{error:#}"))
        } else {
            CommandFailure::Failed(format!("{error:#}"))
        }
    }
}

impl From<io::Error> for CommandFailure {
    fn from(error: io::Error) -> Self {
        CommandFailure::Output(error)
    }
}

/// What a command could not read for damage: it gives the rest, says so at its end, and
/// fails.
#[derive(Debug, Default)]
pub(crate) struct UnreadParts(Vec<String>);

impl UnreadParts {
    /// Adds why something could not be read, unless it was said before.
    pub(crate) fn add<'e>(&mut self, damage: impl IntoIterator<Item = &'e forebear::Error>) {
        damage.into_iter().for_each(|damage| self.add_text(format!("{damage:#}")));
    }

    /// The same of a text.
    pub(crate) fn add_text(&mut self, damage: String) {
        if !self.0.contains(&damage) {
            self.0.push(damage);
        }
    }

    /// The item; none where it could not be read for damage, which is kept.
    pub(crate) fn pass<T>(&mut self, item: forebear::Result<T>) -> forebear::Result<Option<T>> {
        match item {
            Ok(item) => Ok(Some(item)),
            Err(error) if error.is_damaged() => {
                self.add([&error]);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Says what could not be read, and fails if there is any.
    pub(crate) fn finish(self) -> CommandResult {
        if self.0.is_empty() {
            return Ok(());
        }
        for damage in &self.0 {
            warn(&format!("forebear: left out what is damaged: {damage}"));
        }
        let places = text::counted(self.0.len() as u64, "damaged place", "damaged places");
        Err(CommandFailure::Failed(format!(
            "this is what can be read; {places} could not be, which `forebear verify` tells more of"
        )))
    }
}

/// Says something on stderr. What it quotes may come from a transcript, so
/// nothing in it may reach the terminal as a command.
pub(crate) fn complain(message: &str) {
    warn(&format!("forebear: {message}"));
}

/// As [`complain`], for what is no failure.
pub(crate) fn warn(message: &str) {
    // Where stderr is closed nobody would read it.
    let _ = writeln!(io::stderr().lock(), "{}", text::clean_lines(message));
}
