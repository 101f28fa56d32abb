//! Where tools keep what can be imported, unless something else is named.

use std::env;
use std::path::{Path, PathBuf};

use crate::failure::CommandFailure;

/// A folder in which a tool usually keeps its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UsualFolder {
    /// What it is said to be of.
    pub(crate) tool: &'static str,
    pub(crate) path: PathBuf,
}

/// The folders of all tools, be they there or not, each once.
pub(crate) fn usual_folders() -> Result<Vec<UsualFolder>, CommandFailure> {
    let home = etcetera::home_dir().map_err(|_| {
        CommandFailure::Failed(
            "there is no home folder to look for transcripts in; name a path".to_owned(),
        )
    })?;
    Ok(of_home(&home, &|name| env::var_os(name).map(PathBuf::from)))
}

/// Those of the usual folders that are there.
pub(crate) fn found_folders() -> Result<Vec<UsualFolder>, CommandFailure> {
    let usual = usual_folders()?;
    let found: Vec<_> = usual.iter().filter(|folder| folder.path.exists()).cloned().collect();
    if found.is_empty() {
        let usual: Vec<_> = usual.iter().map(|folder| folder.path.display().to_string()).collect();
        return Err(CommandFailure::NothingFound(format!(
            "there are no transcripts in {}; name a path, or see `forebear demo`",
            usual.join(", ")
        )));
    }
    Ok(found)
}

/// The folders by a home folder and variables of the environment.
fn of_home(home: &Path, variable: &dyn Fn(&str) -> Option<PathBuf>) -> Vec<UsualFolder> {
    let set = |name: &str| variable(name).filter(|path| !path.as_os_str().is_empty());
    let or = |name: &str, path: &str| set(name).unwrap_or_else(|| home.join(path));
    let config = set("XDG_CONFIG_HOME").unwrap_or_else(|| home.join(".config"));
    let data = set("XDG_DATA_HOME").unwrap_or_else(|| home.join(".local/share"));
    let mut folders = Vec::new();
    let mut add = |tool: &'static str, path: PathBuf| {
        if !folders.iter().any(|known: &UsualFolder| known.path == path) {
            folders.push(UsualFolder { tool, path });
        }
    };
    // A list, as its users have it.
    if let Some(list) = set("CLAUDE_CONFIG_DIR") {
        for folder in list.to_string_lossy().split(',').filter(|folder| !folder.is_empty()) {
            add("Claude Code", Path::new(folder).join("projects"));
        }
    } else {
        add("Claude Code", home.join(".config/claude/projects"));
        add("Claude Code", home.join(".claude/projects"));
    }
    let codex = or("CODEX_HOME", ".codex");
    add("Codex", codex.join("sessions"));
    add("Codex", codex.join("archived_sessions"));
    add("Copilot", or("COPILOT_HOME", ".copilot").join("session-state"));
    add("Gemini", set("GEMINI_CLI_HOME").unwrap_or_else(|| home.to_owned()).join(".gemini/tmp"));
    add("OpenCode", data.join("opencode"));
    add("Cursor", or("CURSOR_CONFIG_DIR", ".cursor").join("projects"));
    let pi = or("PI_CODING_AGENT_DIR", ".pi/agent").join("sessions");
    add("pi", set("PI_CODING_AGENT_SESSION_DIR").unwrap_or(pi));
    add("Qwen Code", or("QWEN_HOME", ".qwen").join("projects"));
    add("Droid", home.join(".factory/sessions"));
    for claude in [
        home.join("Library/Application Support/Claude"),
        config.join("Claude"),
        set("APPDATA").unwrap_or_else(|| home.join("AppData/Roaming")).join("Claude"),
    ] {
        add("Cowork", claude.join("local-agent-mode-sessions"));
    }
    folders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tool_has_its_folder_and_variables_move_it() {
        let home = Path::new("/h");
        let path = |tool: &str, set: &[(&str, &str)]| -> Vec<String> {
            let variable = |name: &str| {
                set.iter().find(|(key, _)| *key == name).map(|(_, value)| PathBuf::from(value))
            };
            let folders = of_home(home, &variable).into_iter();
            let of_tool = folders.filter(|folder| folder.tool == tool);
            of_tool.map(|folder| folder.path.to_str().unwrap().to_owned()).collect()
        };
        assert_eq!(path("Codex", &[]), ["/h/.codex/sessions", "/h/.codex/archived_sessions"]);
        assert_eq!(path("Codex", &[("CODEX_HOME", "/c")])[0], "/c/sessions");
        assert_eq!(path("Copilot", &[("COPILOT_HOME", "")]), ["/h/.copilot/session-state"]);
        assert_eq!(
            path("Claude Code", &[("CLAUDE_CONFIG_DIR", "/a,/b")]),
            ["/a/projects", "/b/projects"]
        );
        assert_eq!(path("OpenCode", &[("XDG_DATA_HOME", "/d")]), ["/d/opencode"]);
        assert_eq!(path("pi", &[("PI_CODING_AGENT_SESSION_DIR", "/p")]), ["/p"]);
    }
}
