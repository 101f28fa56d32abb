//! `forebear setup`, with a home folder of its own.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{Place, Said};
use serde_json::{Value, json};

const CLAUDE: &str = "{\n  \"numStartups\": 5,\n  \"mcpServers\": {\n    \"other\": {\n      \"command\": \"x\"\n    }\n  }\n}\n";
const SETTINGS: &str = "{\n  // mine\n  \"model\": \"opus\",\n  \"hooks\": {\n    \"Stop\": [\n      { \"hooks\": [{ \"type\": \"command\", \"command\": \"say done\" }] }\n    ]\n  }\n}\n";
const CODEX: &str = "# mine\nmodel = \"o\"\n\n[mcp_servers.other]\ncommand = \"x\" # keep\n";
const CURSOR: &str = "{\"mcpServers\":{}}";

/// A machine with some of the tools on it.
fn machine() -> Place {
    let place = Place::new();
    for (file, text) in [
        (".claude.json", CLAUDE),
        (".claude/settings.json", SETTINGS),
        (".codex/config.toml", CODEX),
        (".cursor/mcp.json", CURSOR),
        (".gemini/settings.json", "{ broken"),
    ] {
        let file = place.path().join(file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    fs::create_dir_all(place.path().join(".config/opencode")).unwrap();
    place
}

fn run(place: &Place, args: &[&str]) -> Said {
    place.run(&[["setup"].as_slice(), args].concat())
}

/// Every file of the tools, with its text.
fn files(place: &Place) -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for name in [
        ".claude.json",
        ".claude/settings.json",
        ".codex/config.toml",
        ".cursor/mcp.json",
        ".gemini/settings.json",
        ".config/opencode/opencode.json",
    ] {
        let file = place.path().join(name);
        if let Ok(text) = fs::read_to_string(&file) {
            files.push((file, text));
        }
    }
    files
}

fn json_of(place: &Place, name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path().join(name)).unwrap()).unwrap()
}

#[test]
fn what_it_adds_it_takes_out_again_and_nothing_else() {
    let place = machine();
    let before = files(&place);
    let said = run(&place, &["--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(
        said.out.contains("Claude Code") && said.out.contains("+     \"forebear\""),
        "{}",
        said.out
    );
    assert_eq!(files(&place), before);

    let said = run(&place, &["--yes", "--no-import"]);
    assert_eq!(said.code, 0, "{said:?}");
    let claude = json_of(&place, ".claude.json");
    let server = &claude["mcpServers"]["forebear"];
    assert_eq!(server["args"][0], "mcp", "{claude}");
    assert_eq!(server["args"][1], "--follow", "{claude}");
    assert!(Path::new(server["command"].as_str().unwrap()).is_absolute(), "{claude}");
    assert_eq!(claude["mcpServers"]["other"]["command"], "x");
    let settings = fs::read_to_string(place.path().join(".claude/settings.json")).unwrap();
    assert!(settings.contains("// mine") && settings.contains("say done"), "{settings}");
    assert_eq!(settings.matches("hook --store").count(), 9, "{settings}");
    let codex = fs::read_to_string(place.path().join(".codex/config.toml")).unwrap();
    assert!(codex.starts_with(CODEX) && codex.contains("[mcp_servers.forebear]"), "{codex}");
    assert_eq!(
        json_of(&place, ".config/opencode/opencode.json")["mcp"]["forebear"]["type"],
        "local"
    );
    let backup = place.path().join(".claude.json.forebear-backup");
    assert_eq!(fs::read_to_string(backup).unwrap(), CLAUDE);
    let broken = place.path().join(".gemini/settings.json");
    assert_eq!(fs::read_to_string(broken).unwrap(), "{ broken");

    // Again it finds all of it there.
    let after = files(&place);
    let said = run(&place, &["--yes", "--no-import", "--json"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(files(&place), after);
    for line in said.out.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let expected = if line["tool"] == "Gemini" { "unreadable" } else { "there" };
        assert_eq!(line["status"], expected, "{line}");
    }

    let said = run(&place, &["--undo", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(files(&place), before);
    let said = run(&place, &["--undo", "--yes"]);
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn what_others_added_or_changed_stays() {
    let place = machine();
    let own = json!({"mcpServers": {"forebear": {"command": "mine"}}}).to_string();
    fs::write(place.path().join(".cursor/mcp.json"), &own).unwrap();
    assert_eq!(run(&place, &["--yes", "--no-import"]).code, 0);
    assert_eq!(fs::read_to_string(place.path().join(".cursor/mcp.json")).unwrap(), own);
    // A tool writes its file anew in its own form, and its user adds an argument elsewhere.
    let claude = json_of(&place, ".claude.json");
    fs::write(place.path().join(".claude.json"), claude.to_string()).unwrap();
    let mut opencode = json_of(&place, ".config/opencode/opencode.json");
    opencode["mcp"]["forebear"]["enabled"] = false.into();
    fs::write(place.path().join(".config/opencode/opencode.json"), opencode.to_string()).unwrap();
    let said = run(&place, &["--undo", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(fs::read_to_string(place.path().join(".cursor/mcp.json")).unwrap(), own);
    assert_eq!(json_of(&place, ".config/opencode/opencode.json"), opencode);
    let before: Value = serde_json::from_str(CLAUDE).unwrap();
    assert_eq!(json_of(&place, ".claude.json"), before);
}

#[test]
fn a_removed_file_leaves_a_backup_and_the_first_one_of_a_file_stays() {
    let place = machine();
    let file = place.path().join(".config/opencode/opencode.json");
    assert_eq!(run(&place, &["--yes", "--no-import"]).code, 0);
    let made = fs::read_to_string(&file).unwrap();
    let said = run(&place, &["--undo", "--yes"]);
    assert!(said.err.contains(".claude.json.forebear-backup is of an earlier change"), "{said:?}");
    assert!(!file.exists());
    let backup = |file: &Path| fs::read_to_string(format!("{}.forebear-backup", file.display()));
    assert_eq!(backup(&file).unwrap(), made);
    assert_eq!(backup(&place.path().join(".claude.json")).unwrap(), CLAUDE);
}

#[test]
fn keys_of_others_are_not_shown_on_any_line() {
    let place = machine();
    let key = format!("sk-{}-api03-{}", "ant", "aB3dE6gH9j".repeat(9));
    // All of it is one line, so that what is added comes beside the key.
    let text = json!({"mcpServers": {"other": {"env": {"KEY": key}}}}).to_string();
    fs::write(place.path().join(".cursor/mcp.json"), text).unwrap();
    let said = run(&place, &["--dry-run"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("- {\"mcpServers\"") && said.out.contains("[redacted "), "{said:?}");
    assert!(!said.out.contains("aB3dE6gH9j"), "{}", said.out);
}

#[cfg(unix)]
#[test]
fn a_link_that_leads_nowhere_stays() {
    let place = machine();
    let file = place.path().join(".cursor/mcp.json");
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/nowhere/mcp.json", &file).unwrap();
    let said = run(&place, &["--yes", "--no-import"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(said.out.contains("a link to /nowhere/mcp.json, which is not there"), "{said:?}");
    assert_eq!(fs::read_link(&file).unwrap(), Path::new("/nowhere/mcp.json"));
}

#[test]
fn without_a_yes_nothing_is_changed() {
    let place = machine();
    let before = files(&place);
    let said = run(&place, &[]);
    assert_eq!(said.code, 2, "{said:?}");
    assert!(said.err.contains("--yes"), "{said:?}");
    assert_eq!(files(&place), before);
    let said = run(&Place::new(), &["--yes"]);
    assert_eq!(said.code, 3, "{said:?}");
}

#[test]
fn it_imports_what_the_tools_wrote() {
    let place = machine();
    let folder = place.path().join(".claude/projects/p");
    fs::create_dir_all(&folder).unwrap();
    let line = "{\"type\":\"user\",\"uuid\":\"0fae0449-64d3-4788-8622-d3a47d82c14b\",\"parentUuid\":null,\"sessionId\":\"s\",\"timestamp\":\"2026-03-01T12:00:00Z\",\"message\":{\"role\":\"user\",\"content\":\"hello\"}}\n";
    fs::write(folder.join("s.jsonl"), line).unwrap();
    let said = run(&place, &["--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(place.json(&["events", "--session", "s"]).len(), 1);
}
