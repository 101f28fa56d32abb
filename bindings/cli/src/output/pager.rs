//! The program that shows long output a screen at a time.

use std::env;
use std::io::{self, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Leaves at once what fits on a screen, passes colours on and leaves the
/// output standing.
const LESS_OPTIONS: &str = "FRX";

/// A running pager, written to. Dropping it waits until the person has closed
/// it: until then the terminal is the pager's.
#[derive(Debug)]
pub(crate) struct Pager {
    /// None once nothing more is to come.
    input: Option<ChildStdin>,
    child: Child,
}

impl Pager {
    /// Starts `$FOREBEAR_PAGER`, else `$PAGER`, else `less`; none where it is set
    /// to nothing or to `cat`, or cannot be started.
    pub(crate) fn start() -> Option<Self> {
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
        // Ctrl-C is the pager's to act on, as it shares the terminal. Failing
        // means that a handler is set already, which is as good.
        let _ = ctrlc::set_handler(|| {});
        Some(Self { input: child.stdin.take(), child })
    }
}

impl Write for Pager {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match &mut self.input {
            Some(input) => input.write(buffer),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.input = None;
        // How a pager ends is no concern of ours.
        let _ = self.child.wait();
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
