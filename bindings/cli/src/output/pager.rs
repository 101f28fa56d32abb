//! The program that shows long output a screen at a time.

use std::env;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Leaves at once what fits on a screen, passes colours on and leaves the
/// output standing.
const LESS_OPTIONS: &str = "FRX";

/// A running pager.
#[derive(Debug)]
pub(crate) struct Pager(Child);

impl Pager {
    /// Starts `$FOREBEAR_PAGER`, else `$PAGER`, else `less`; none where it is set
    /// to nothing or to `cat`, or cannot be started.
    pub(crate) fn start() -> Option<(Self, ChildStdin)> {
        let command = ["FOREBEAR_PAGER", "PAGER"]
            .into_iter()
            .find_map(|name| env::var(name).ok())
            .unwrap_or_else(|| "less".to_owned());
        if command.trim().is_empty() || command.trim() == "cat" {
            return None;
        }
        let mut shell = shell(&command)?;
        if env::var_os("LESS").is_none() {
            shell.env("LESS", LESS_OPTIONS);
        }
        let mut child = shell.stdin(Stdio::piped()).spawn().ok()?;
        let input = child.stdin.take()?;
        // Ctrl-C is the pager's to act on, as it shares the terminal. Failing
        // means that a handler is set already, which is as good.
        let _ = ctrlc::set_handler(|| {});
        Some((Self(child), input))
    }

    /// Waits until the person has closed it.
    pub(crate) fn wait(mut self) {
        // How a pager ends is no concern of ours.
        let _ = self.0.wait();
    }
}

/// A pager is a command line, options and all, as for git and man.
#[cfg(unix)]
fn shell(command: &str) -> Option<Command> {
    let program = command.split_whitespace().next()?;
    // A shell would start in any case and then complain, with our output lost.
    let found = program.contains('/')
        || env::split_paths(&env::var_os("PATH")?).any(|folder| folder.join(program).is_file());
    found.then(|| {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command);
        shell
    })
}

#[cfg(not(unix))]
fn shell(command: &str) -> Option<Command> {
    let mut words = command.split_whitespace();
    let mut program = Command::new(words.next()?);
    program.args(words);
    Some(program)
}
