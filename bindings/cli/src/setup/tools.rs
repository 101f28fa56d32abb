//! Tools that can be told of forebear, and where each wants to be told.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::setup::change::{SetupChange, SetupEntry};

/// How the program is called by other tools.
#[derive(Clone, Debug)]
pub(crate) struct Called {
    /// `forebear`, or its whole path.
    pub(crate) command: String,
    /// Its whole path, for tools that are started from a desktop: what a shell adds to `PATH`
    /// is unknown to them.
    pub(crate) path: String,
    /// What names a store that is not the usual one.
    pub(crate) store: Vec<String>,
}

impl Called {
    fn mcp_args(&self) -> Vec<String> {
        let mut args = vec!["mcp".to_owned(), "--follow".to_owned()];
        args.extend(self.store.iter().cloned());
        args
    }

    fn hook(&self) -> String {
        let mut words = vec![quoted(&self.command), "hook".to_owned()];
        words.extend(self.store.iter().map(|word| quoted(word)));
        words.join(" ")
    }
}

/// What there is to be changed for the tools that are there. `variable` is a variable of the
/// environment.
pub(crate) fn changes(
    home: &Path,
    variable: &dyn Fn(&str) -> Option<PathBuf>,
    called: &Called,
) -> Vec<SetupChange> {
    let set = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
    let or = |name: &str, path: &str| set(name).unwrap_or_else(|| home.join(path));
    let config = or("XDG_CONFIG_HOME", ".config");
    let data = or("XDG_DATA_HOME", ".local/share");
    let (command, args) = (&called.command, called.mcp_args());
    let server = json!({"command": command, "args": args});
    let by_path = json!({"command": called.path, "args": args});
    let mut changes = Vec::new();
    let mut add = |tool, is_there: bool, file: PathBuf, entry: SetupEntry| {
        if is_there {
            changes.push(SetupChange { tool, file, entry });
        }
    };

    // A list, as its users have it: the first is where it is configured.
    let moved = set("CLAUDE_CONFIG_DIR").and_then(|list| {
        let list = list.to_string_lossy().into_owned();
        list.split(',').find(|folder| !folder.is_empty()).map(PathBuf::from)
    });
    let claude = moved.clone().unwrap_or_else(|| home.join(".claude"));
    let servers = moved.unwrap_or_else(|| home.to_owned()).join(".claude.json");
    let is_there = claude.is_dir() || servers.is_file();
    let stdio = json!({"type": "stdio", "command": command, "args": args});
    add("Claude Code", is_there, servers, member(&["mcpServers"], stdio.clone()));
    for event in HOOKS {
        let hook = json!({"hooks": [{"type": "command", "command": called.hook()}]});
        let entry =
            SetupEntry::Item { path: vec!["hooks".to_owned(), (*event).to_owned()], value: hook };
        add("Claude Code", is_there, claude.join("settings.json"), entry);
    }
    let codex = or("CODEX_HOME", ".codex");
    let entry = SetupEntry::Table { path: vec!["mcp_servers".to_owned()], value: server.clone() };
    add("Codex", codex.is_dir(), codex.join("config.toml"), entry);
    let cursor = home.join(".cursor");
    add(
        "Cursor",
        cursor.is_dir(),
        cursor.join("mcp.json"),
        member(&["mcpServers"], by_path.clone()),
    );
    let gemini = set("GEMINI_CLI_HOME").unwrap_or_else(|| home.to_owned()).join(".gemini");
    let file = gemini.join("settings.json");
    add("Gemini", gemini.is_dir(), file, member(&["mcpServers"], server.clone()));
    let qwen = or("QWEN_HOME", ".qwen");
    add(
        "Qwen Code",
        qwen.is_dir(),
        qwen.join("settings.json"),
        member(&["mcpServers"], server.clone()),
    );
    let copilot = or("COPILOT_HOME", ".copilot");
    let local = json!({"type": "local", "command": command, "args": args, "tools": ["*"]});
    add(
        "Copilot",
        copilot.is_dir(),
        copilot.join("mcp-config.json"),
        member(&["mcpServers"], local),
    );
    let droid = home.join(".factory");
    add("Droid", droid.is_dir(), droid.join("mcp.json"), member(&["mcpServers"], stdio));
    let opencode = config.join("opencode");
    let line: Vec<&String> = std::iter::once(command).chain(&args).collect();
    let local = json!({"type": "local", "command": line, "enabled": true});
    let is_there = opencode.is_dir() || data.join("opencode").is_dir();
    let file = ["opencode.jsonc", "opencode.json"].map(|name| opencode.join(name));
    let file = file.iter().find(|file| file.is_file()).unwrap_or(&file[1]).clone();
    add("OpenCode", is_there, file, member(&["mcp"], local));
    for desktop in [
        home.join("Library/Application Support/Claude"),
        config.join("Claude"),
        set("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming")).join("Claude"),
    ] {
        let file = desktop.join("claude_desktop_config.json");
        add("Claude Desktop", desktop.is_dir(), file, member(&["mcpServers"], by_path.clone()));
    }
    changes
}

fn member(path: &[&str], value: Value) -> SetupEntry {
    SetupEntry::Member { path: path.iter().map(|&step| step.to_owned()).collect(), value }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:".contains(c);
    if word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// Events of Claude Code whose payloads `forebear hook` takes.
const HOOKS: &[&str] = &[
    "SessionStart",
    "UserPromptSubmit",
    "PreToolUse",
    "PostToolUse",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "Stop",
    "SessionEnd",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_of_a_desktop_get_the_whole_path() {
        let home = tempfile::tempdir().unwrap();
        for folder in [".cursor", ".config/Claude", ".gemini"] {
            std::fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        let (command, path) = ("forebear".to_owned(), "/opt/forebear".to_owned());
        let called = Called { command, path, store: Vec::new() };
        let changes = changes(home.path(), &|_| None, &called);
        let commands: Vec<(&str, &Value)> = changes
            .iter()
            .map(|change| match &change.entry {
                SetupEntry::Member { value, .. } => (change.tool, &value["command"]),
                other => panic!("expected a member, found {other:?}"),
            })
            .collect();
        let expected = [json!("/opt/forebear"), json!("forebear"), json!("/opt/forebear")];
        assert_eq!(
            commands,
            [("Cursor", &expected[0]), ("Gemini", &expected[1]), ("Claude Desktop", &expected[2])]
        );
    }

    #[test]
    fn hooks_are_called_as_a_shell_takes_it() {
        let called = Called {
            command: "/opt/my tools/forebear".to_owned(),
            path: "/opt/my tools/forebear".to_owned(),
            store: vec!["--store".to_owned(), "/it's here".to_owned()],
        };
        assert_eq!(called.hook(), "'/opt/my tools/forebear' hook --store '/it'\\''s here'");
        assert_eq!(called.mcp_args(), ["mcp", "--follow", "--store", "/it's here"]);
    }
}
