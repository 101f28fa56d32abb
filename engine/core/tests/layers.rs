//! Holds the layers of the engine: who may import whom, and who may name what.
//!
//! `docs/architecture.md` says what each layer is for. Each test prints the file, the line
//! and what to do. An import that has to go up is a sign that something stands too high:
//! move what is imported down, or hand it down as a trait or a value.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `src/`, a layer a line, the lowest first. A module imports from its own
/// line and from those above it in this list.
const LAYERS: &[&[&str]] = &[
    &["base"],
    &["storage"],
    &["manifest"],
    &["log"],
    &["segment"],
    &["view"],
    &["state"],
    &["lineage"],
    &["query"],
    // A thin face over those below; what is written takes questions on the way.
    &["snapshot"],
    &["seal"],
    &["batch", "shared"],
    &["writer"],
    &["decoder", "spool"],
    // What a service holds in its hands.
    &["reader", "spool_client", "store", "subscription", "upkeep"],
];

/// Imports that still go up: the file, and what it imports. The list only gets shorter.
const STILL_UP: &[(&str, &str)] = &[];

/// What only some of the modules may name: the name, who may, and what others do instead.
const RESERVED: &[(&str, &str, &str)] = &[
    ("std::thread", "base/sync/", "start threads by crate::base::sync::spawn"),
    ("std::sync::atomic", "base/sync/", "import from crate::base::sync::atomic"),
    ("std::sync::mpsc", "base/sync/", "import from crate::base::sync::channel"),
    ("std::sync::Condvar", "base/sync/", "import from crate::base::sync"),
    ("std::sync::Mutex", "base/sync/", "import from crate::base::sync"),
    ("std::sync::RwLock", "base/sync/", "import from crate::base::sync"),
    ("parking_lot", "base/sync/", "import from crate::base::sync"),
    ("crossbeam_channel", "base/sync/", "import from crate::base::sync::channel"),
    ("std::time::Instant", "base/sync/", "import crate::base::sync::Instant"),
    ("SystemTime::now", "base/sync/", "ask crate::base::sync::now_ns"),
    ("notify", "no module", "watch files in a crate above"),
    ("std::fs", "storage/", "go through crate::storage::Storage"),
];

/// Files that still name what is reserved, as `STILL_UP`.
const STILL_RESERVED: &[(&str, &str)] = &[];

/// Words of what is built on the engine, which knows none of it; nor does its manifest.
const FOREIGN: &[&str] = &[
    "agent",
    "agents",
    "clap",
    "hook",
    "hooks",
    "subagent",
    "subagents",
    "tool",
    "tools",
    "transcript",
    "transcripts",
];

/// Crates that only a feature of the engine needs.
const SERVE_A_FEATURE: &[&str] = &["base64", "chrono", "jiff", "serde", "serde_json", "tracing"];

/// Names of the standard library in which such a word stands for something else.
const HARMLESS: &[&str] = &["set_hook", "take_hook"];

/// Files that still have such words, as `STILL_UP`.
const STILL_FOREIGN: &[&str] = &[];

/// The crates, and those of the workspace that each may depend on.
const CRATES: &[(&str, &[&str])] = &[
    ("engine/core", &[]),
    ("engine/readings", &["forebear-core"]),
    ("engine/sessions", &["forebear-core", "forebear-readings"]),
    ("engine/ingest", &["forebear-core", "forebear-readings", "forebear-sessions"]),
    ("engine/answers", &["forebear-core", "forebear-readings", "forebear-sessions"]),
    (
        "engine/forebear",
        &[
            "forebear-core",
            "forebear-readings",
            "forebear-sessions",
            "forebear-ingest",
            "forebear-answers",
        ],
    ),
    ("bindings/web", &[]),
    ("bindings/wire", &["forebear"]),
    ("bindings/tracing", &["forebear"]),
    ("bindings/export", &["forebear", "forebear-wire"]),
    ("bindings/mcp", &["forebear", "forebear-wire"]),
    ("bindings/server", &["forebear", "forebear-wire", "forebear-mcp", "forebear-web"]),
    (
        "bindings/cli",
        &["forebear", "forebear-wire", "forebear-export", "forebear-mcp", "forebear-server"],
    ),
];

#[test]
fn imports_go_down() {
    let layer_of = |module: &str| LAYERS.iter().position(|layer| layer.contains(&module));
    let mut still = Exceptions::of(STILL_UP);
    let mut wrong = String::new();
    for file in sources() {
        let Some(own) = layer_of(file.module()) else {
            let _ = writeln!(wrong, "src/{}: add its module to LAYERS in this test", file.name);
            continue;
        };
        for (line, path) in file.paths() {
            let Some(import) = path.strip_prefix("crate::") else { continue };
            let import = import.split("::").next().unwrap_or_default();
            let problem = match layer_of(import) {
                Some(layer) if layer <= own => continue,
                _ if still.covers(&file.name, import) => continue,
                Some(_) => "is a layer above it",
                None => "is no module: import from the one that defines it",
            };
            let _ = writeln!(
                wrong,
                "src/{}:{line}: {} must not import {import}, which {problem}",
                file.name,
                file.module()
            );
        }
    }
    still.report(&mut wrong, "STILL_UP");
    assert!(wrong.is_empty(), "imports between layers:\n{wrong}");
}

#[test]
fn threads_locks_clocks_and_files_have_one_door_each() {
    let mut still = Exceptions::of(STILL_RESERVED);
    let mut wrong = String::new();
    for file in sources() {
        for (line, path) in file.paths() {
            for &(name, door, instead) in RESERVED {
                let rest = path.strip_prefix(name);
                let names = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("::"));
                if names && !file.name.starts_with(door) && !still.covers(&file.name, name) {
                    let _ = writeln!(
                        wrong,
                        "src/{}:{line}: {name} is for {door} alone; {instead}",
                        file.name
                    );
                }
            }
        }
    }
    still.report(&mut wrong, "STILL_RESERVED");
    assert!(wrong.is_empty(), "names that are reserved:\n{wrong}");
}

#[test]
fn the_engine_knows_nothing_of_what_is_built_on_it() {
    let pairs: Vec<_> = STILL_FOREIGN.iter().map(|file| (*file, "")).collect();
    let mut still = Exceptions::of(&pairs);
    let mut wrong = String::new();
    let manifest = Source::read(&root(), Path::new("Cargo.toml"));
    for file in sources().into_iter().chain([manifest]) {
        for (line, text) in (1..).zip(file.text.lines()) {
            let text = HARMLESS.iter().fold(text.to_owned(), |text, word| text.replace(word, ""));
            let foreign = words(&text).find(|word| FOREIGN.contains(&word.as_str()));
            if let Some(word) = foreign.filter(|_| !still.covers(&file.name, "")) {
                let _ = writeln!(
                    wrong,
                    "{}:{line}: \"{word}\" belongs to a crate above; find a word of events",
                    file.name
                );
            }
        }
    }
    still.report(&mut wrong, "STILL_FOREIGN");
    assert!(wrong.is_empty(), "words of what is built on the engine:\n{wrong}");
}

/// A service that turns no feature on compiles none of the crates that serve one.
#[test]
fn crates_that_serve_a_feature_are_optional() {
    let manifest = Source::read(&root(), Path::new("Cargo.toml")).text;
    for name in SERVE_A_FEATURE {
        let lines = manifest.lines().filter(|line| line.starts_with(&format!("{name} = {{")));
        for line in lines {
            assert!(line.contains("optional = true"), "Cargo.toml: {line}");
        }
        let always = manifest.lines().any(|line| line.starts_with(&format!("{name}.workspace")));
        assert!(!always, "Cargo.toml: {name} serves a feature, so it has to be optional");
    }
}

#[test]
fn crates_depend_downwards() {
    let workspace = root().join("../..");
    let mut wrong = String::new();
    for (folder, allowed) in CRATES {
        let manifest = workspace.join(folder).join("Cargo.toml");
        // A packaged crate stands alone.
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        for (line, name) in workspace_dependencies(&text) {
            if !allowed.contains(&name) {
                let _ = writeln!(
                    wrong,
                    "{folder}/Cargo.toml:{line}: may depend on {allowed:?}, not on {name}",
                );
            }
        }
    }
    assert!(wrong.is_empty(), "dependencies between crates:\n{wrong}");
}

/// A file of the crate, named from `src/` on.
struct Source {
    name: String,
    text: String,
}

impl Source {
    fn read(folder: &Path, path: &Path) -> Self {
        let text = fs::read_to_string(folder.join(path)).expect("reads a source");
        Self { name: path.to_str().expect("a name in UTF-8").replace('\\', "/"), text }
    }

    fn module(&self) -> &str {
        self.name.split('/').next().unwrap_or_default().trim_end_matches(".rs")
    }

    /// Every path in it and the line that it stands on, `use` trees spread out. Comments
    /// and unit tests are left out: tests may go through the whole engine.
    fn paths(&self) -> Vec<(usize, String)> {
        if ["tests.rs", "measure.rs"].iter().any(|end| self.name.ends_with(end)) {
            return Vec::new();
        }
        let end = self.text.find("#[cfg(test)]\nmod tests {").unwrap_or(self.text.len());
        let lines =
            self.text[..end].lines().map(|line| line.split("//").next().unwrap_or_default());
        let code = lines.collect::<Vec<_>>().join("\n");
        let mut paths = Vec::new();
        let mut at = 0;
        while let Some(found) = code[at..].find(is_of_path) {
            let begin = at + found;
            let length = code[begin..].find(|c| !is_of_path(c)).unwrap_or(code.len() - begin);
            let line = 1 + code[..begin].matches('\n').count();
            let (path, rest) = code[begin..].split_at(length);
            at = begin + length;
            if let (Some(prefix), Some(tree)) = (path.strip_suffix("::"), rest.strip_prefix('{')) {
                let spread = leaves(tree, prefix);
                at += 1 + spread.1;
                paths.extend(spread.0.into_iter().map(|path| (line, path)));
            } else if path.contains("::") {
                paths.push((line, path.to_owned()));
            }
        }
        paths
    }
}

/// Exceptions that are still needed, each to be met at least once.
struct Exceptions<'e>(BTreeMap<(&'e str, &'e str), bool>);

impl<'e> Exceptions<'e> {
    fn of(list: &[(&'e str, &'e str)]) -> Self {
        Self(list.iter().map(|&exception| (exception, false)).collect())
    }

    /// Whether one is for a file, or for the folder that it is in, and what it names.
    fn covers(&mut self, file: &str, what: &str) -> bool {
        let is_of = |of: &str| of == file || (of.ends_with('/') && file.starts_with(of));
        let found = self.0.iter_mut().find(|((of, named), _)| is_of(of) && *named == what);
        found.is_some_and(|(_, met)| {
            *met = true;
            true
        })
    }

    fn report(&self, wrong: &mut String, list: &str) {
        for ((file, what), _) in self.0.iter().filter(|(_, met)| !**met) {
            let _ = writeln!(wrong, "{list}: remove ({file:?}, {what:?}), which is mended");
        }
    }
}

/// All sources of the crate but `lib.rs`, which names everything.
fn sources() -> Vec<Source> {
    let folder = root().join("src");
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(folder.join(&next)).expect("reads a folder of sources") {
            let entry = entry.expect("reads an entry");
            let path = next.join(entry.file_name());
            if entry.file_type().expect("has a type").is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") && path != Path::new("lib.rs")
            {
                sources.push(Source::read(&folder, &path));
            }
        }
    }
    assert!(sources.len() > 100, "expected the sources of the engine, found {}", sources.len());
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    sources
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn is_of_path(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == ':'
}

/// The paths of a tree of imports, behind its opening brace, and how long it is.
fn leaves(tree: &str, prefix: &str) -> (Vec<String>, usize) {
    let (mut paths, mut name, mut at) = (Vec::new(), String::new(), 0);
    while let Some(c) = tree[at..].chars().next() {
        at += c.len_utf8();
        match c {
            '{' => {
                let (inner, length) =
                    leaves(&tree[at..], &format!("{prefix}::{}", name.trim_end_matches(':')));
                paths.extend(inner);
                at += length;
                name.clear();
            }
            ',' | '}' => {
                if !name.is_empty() {
                    paths.push(format!("{prefix}::{name}"));
                    name.clear();
                }
                if c == '}' {
                    break;
                }
            }
            c if is_of_path(c) => name.push(c),
            _ => {}
        }
    }
    (paths, at)
}

/// The words of a text in lower case: identifiers whole, and what they are made of.
fn words(text: &str) -> impl Iterator<Item = String> {
    let identifiers = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    identifiers.filter(|word| !word.is_empty()).flat_map(|identifier| {
        let parts = identifier.split('_').filter(|part| *part != identifier).flat_map(humps);
        let own = humps(identifier);
        own.chain([identifier.to_lowercase()]).chain(parts).collect::<Vec<_>>()
    })
}

/// `ToolUse` is "tool" and "use".
fn humps(identifier: &str) -> impl Iterator<Item = String> {
    let mut humps: Vec<String> = Vec::new();
    for c in identifier.chars() {
        if c.is_uppercase() || humps.is_empty() {
            humps.push(String::new());
        }
        if let Some(hump) = humps.last_mut() {
            hump.extend(c.to_lowercase());
        }
    }
    humps.into_iter()
}

/// The crates of the workspace that a manifest depends on, those for tests aside.
fn workspace_dependencies(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut section = "";
    (1..).zip(manifest.lines()).filter_map(move |(number, line)| {
        if line.starts_with('[') {
            section = line;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
        let is_ours = name == "forebear" || name.starts_with("forebear-");
        (section == "[dependencies]" && is_ours).then_some((number, name))
    })
}
