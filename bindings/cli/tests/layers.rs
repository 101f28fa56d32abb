//! Holds the program's layers: main > args > commands > select > place > command,
//! failure > output > formats, global, parse. A module imports from its own layer and those below.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of `src/`, a layer a line, the lowest first.
const LAYERS: &[&[&str]] = &[
    &["formats", "global", "parse"],
    &["output"],
    &["failure"],
    &["command", "place"],
    &["select", "setup", "usual_folders"],
    &["commands"],
    &["args"],
];

#[test]
fn imports_go_down() {
    let layer_of = |path: &str| {
        let module = path.split("::").next().unwrap_or_default();
        LAYERS.iter().position(|layer| layer.contains(&module))
    };
    for (file, imports) in imports() {
        let own = layer_of(&file).unwrap_or_else(|| panic!("{file}: add its module to LAYERS"));
        for import in imports {
            let layer = layer_of(&import);
            assert!(layer.is_some_and(|layer| layer <= own), "{file} must not import {import}");
        }
    }
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let mut left = imports();
    let names: Vec<String> = left.keys().cloned().collect();
    for (file, imports) in &mut left {
        let longest = |import: &String| {
            let around = names.iter().filter(|name| import.starts_with(*name));
            around.max_by_key(|name| name.len()).cloned()
        };
        *imports = imports.iter().filter_map(longest).filter(|to| to != file).collect();
    }
    // Whoever imports none of those left is in no circle with them.
    loop {
        let before = left.len();
        let names: Vec<String> = left.keys().cloned().collect();
        left.retain(|_, imports| imports.iter().any(|import| names.contains(import)));
        if left.len() == before {
            break;
        }
    }
    assert!(left.is_empty(), "in a circle, or above one: {left:#?}");
}

/// The modules of the program by path (`commands::tail`), and the paths that each imports.
fn imports() -> BTreeMap<String, Vec<String>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    assert!(files.len() > 30, "expected the program's sources, found {}", files.len());
    let of_file = |path: PathBuf| {
        let name = path.strip_prefix(&root).expect("below src").with_extension("");
        let parts: Vec<_> = name.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("::");
        let name = name.strip_suffix("::mod").unwrap_or(&name).to_owned();
        let text = fs::read_to_string(&path).expect("reads a source");
        (name, paths(text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default()))
    };
    files.into_iter().map(of_file).filter(|(name, _)| name != "main").collect()
}

/// What follows each `crate::`, a list in braces spread out.
fn paths(text: &str) -> Vec<String> {
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let mut paths = Vec::new();
    for rest in text.split("crate::").skip(1) {
        let end = rest.find(|c| !is_of_path(c)).unwrap_or(rest.len());
        let (path, rest) = rest.split_at(end);
        match rest.strip_prefix('{').and_then(|list| list.split('}').next()) {
            Some(list) => {
                let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
                paths.extend(names.map(|name| format!("{path}{name}")));
            }
            None => paths.push(path.to_owned()),
        }
    }
    paths
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("lists a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}
