//! Runs the program as people and scripts do.

#![allow(dead_code)] // each test file uses its share

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A store in a temporary folder, and the program to ask it with.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) raw: Vec<u8>,
    pub(crate) err: String,
}

impl Place {
    /// A folder without a store as yet.
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Three events: a request, a call it caused, and the call's failure.
    pub(crate) fn with_three_events() -> Self {
        let place = Self::new();
        let said = place.run_with(
            &["append", "--json"],
            concat!(
                r#"{"kind":"user_message","id":"ask","time":"2026-03-01T12:00:00Z","instance":"main","session":"s1","payload":{"text":"why?"}}"#, "\n",
                r#"{"kind":"tool_use","id":"call","parent":"ask","time":"2026-03-01T12:00:03.2Z","instance":"main","session":"s1","labels":{"tool":"Bash"},"payload":{"command":"make"}}"#, "\n",
                r#"{"kind":"error","id":"failure","parent":"call","link":"spawned","time":1772366405000000000,"instance":"helper","payload":"it broke"}"#, "\n",
            ),
        );
        assert_eq!(said.code, 0, "{said:?}");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.folder.path().join("events.forebear")
    }

    /// The program, with this store, cut off from the surroundings.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forebear"));
        command
            .args(args)
            .env("FOREBEAR_STORE", self.store())
            .env("HOME", self.folder.path())
            .env("COLUMNS", "100")
            .stdin(Stdio::null());
        for name in [
            "CLAUDE_CONFIG_DIR",
            "NO_COLOR",
            "CLICOLOR",
            "CLICOLOR_FORCE",
            "XDG_DATA_HOME",
            "XDG_CONFIG_HOME",
            "CODEX_HOME",
            "COPILOT_HOME",
            "GEMINI_CLI_HOME",
            "CURSOR_CONFIG_DIR",
            "PI_CODING_AGENT_DIR",
            "PI_CODING_AGENT_SESSION_DIR",
            "QWEN_HOME",
            "PAGER",
            "FOREBEAR_PAGER",
        ] {
            command.env_remove(name);
        }
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Said {
        Said::from(self.command(args).output().expect("the program runs"))
    }

    pub(crate) fn run_with(&self, args: &[&str], input: impl AsRef<[u8]>) -> Said {
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program runs");
        let mut stdin = child.stdin.take().expect("it was piped");
        let input = input.as_ref().to_vec();
        let writer = std::thread::spawn(move || {
            // It may stop reading before the end.
            let _ = stdin.write_all(&input);
        });
        let said = Said::from(child.wait_with_output().expect("it ends"));
        writer.join().expect("the writer ends");
        said
    }

    /// Runs it with `--json`, expects success, and reads what it printed.
    pub(crate) fn json(&self, args: &[&str]) -> Vec<Value> {
        let said = self.run(&[args, &["--json"]].concat());
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.lines()
    }
}

impl Said {
    /// Each line as JSON.
    pub(crate) fn lines(&self) -> Vec<Value> {
        self.out
            .lines()
            .map(|line| {
                serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
            })
            .collect()
    }
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code, no signal"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            raw: output.stdout,
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// The values of a key, in order.
pub(crate) fn each<'v>(lines: &'v [Value], key: &str) -> Vec<&'v Value> {
    lines.iter().filter_map(|line| line.get(key)).collect()
}

/// The ids, in order.
pub(crate) fn ids(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|line| line["id"].as_str()).collect()
}
