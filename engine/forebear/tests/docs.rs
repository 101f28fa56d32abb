//! The documents name what is there: files, links, terms.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Where the paths that documents name begin.
const ROOTS: [&str; 14] = [
    "",
    "engine/core/src",
    "engine/core/tests",
    "engine/sessions/src",
    "engine/sessions/tests",
    "engine/answers/src",
    "engine/answers/tests",
    "engine/ingest/src",
    "engine/ingest/tests",
    "engine/forebear/tests",
    "bindings/cli/tests",
    "bindings/mcp/tests",
    "bindings/server/tests",
    "bindings/tracing/tests",
];

/// Words of the glossary at the most: one that nobody can keep in mind helps nobody.
const MAX_TERMS: usize = 30;

#[test]
fn files_that_the_documents_name_exist() {
    let mut missing = Vec::new();
    for page in pages().into_iter().filter(|page| !page.starts_with("docs/decisions")) {
        for path in paths(&read(&page)) {
            if !ROOTS.iter().any(|root| repository().join(root).join(&path).exists()) {
                missing.push(format!("{}: {path}", page.display()));
            }
        }
    }
    assert!(missing.is_empty(), "documents name what is not there:\n{}", missing.join("\n"));
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = read(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            let folder = page.parent().map(|folder| repository().join(folder));
            let leads = folder.is_some_and(|folder| folder.join(link).exists());
            if !link.is_empty() && !link.contains("://") && !leads {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_glossary_has_each_term_once_and_few_of_them() {
    let page = read(Path::new("docs/architecture.md"));
    let glossary = page.split("\n## ").find(|section| section.starts_with("Terms\n"));
    let rows = glossary.expect("a section Terms").lines().filter_map(|line| {
        let (term, _) = line.strip_prefix("| ")?.split_once(" |")?;
        (term != "term").then_some(term)
    });
    let terms: Vec<&str> = rows.collect();
    assert!((20..=MAX_TERMS).contains(&terms.len()), "{} terms", terms.len());
    let mut seen = BTreeSet::new();
    let twice: Vec<_> = terms.iter().filter(|term| !seen.insert(**term)).collect();
    assert!(twice.is_empty(), "defined twice: {twice:?}");
}

#[test]
fn the_architecture_has_every_crate_and_every_module_of_the_core() {
    let page = read(Path::new("docs/architecture.md"));
    let mut missing = Vec::new();
    for (folder, shown) in
        [("engine", "engine/"), ("bindings", "bindings/"), ("engine/core/src", "")]
    {
        for entry in fs::read_dir(repository().join(folder)).expect("lists a folder") {
            let entry = entry.expect("an entry");
            let mut name = entry.file_name().into_string().expect("a name in UTF-8");
            let is_folder = entry.path().is_dir();
            // A folder beside the file of its name holds that module's parts.
            if name == "lib.rs" || is_folder && entry.path().with_extension("rs").is_file() {
                continue;
            }
            if is_folder {
                name.push('/');
            }
            let path = format!("`{shown}{name}`");
            if !page.contains(&path) {
                missing.push(path);
            }
        }
    }
    assert!(missing.is_empty(), "not in the tables of docs/architecture.md: {missing:?}");
}

/// Numbers and names of the records in the row of the frame's kind, and a row of fields for each.
#[test]
fn the_format_has_every_kind_of_record() {
    let source = read(Path::new("engine/core/src/log/record.rs"));
    let kinds = source.split_once("enum RecordKind {").and_then(|(_, rest)| rest.split_once("\n}"));
    let (kinds, _) = kinds.expect("the kinds of records");
    let of_kind = |line: &str| line.trim().strip_suffix(',')?.split_once(" = ")?.1.parse().ok();
    let numbers: BTreeSet<u32> = kinds.lines().filter_map(of_kind).collect();
    assert!(numbers.len() > 10, "expected the kinds of records, found {numbers:?}");

    let page = read(Path::new("docs/format.md"));
    let kind_row = page.lines().find(|line| line.starts_with("| 0 | 1 | kind |"));
    let listed = kind_row.and_then(|row| row.split('|').nth(4)).expect("the row of the kind");
    let listed = listed.split(", ").map(|kind| {
        let (number, name) = kind.trim().split_once(' ').expect("a number and a name");
        (number.parse::<u32>().expect("a number"), name)
    });
    let listed: Vec<_> = listed.collect();
    let documented: BTreeSet<_> = listed.iter().map(|&(number, _)| number).collect();
    assert_eq!(documented, numbers, "kinds in docs/format.md and in log/record.rs");

    let (_, fields) =
        page.split_once("| record | fields, in order |").expect("the table of fields");
    let rows = fields.lines().skip(2).take_while(|line| line.starts_with("| "));
    let names: Vec<_> = rows
        .filter_map(|row| row.split('|').nth(1))
        .flat_map(|names| names.split(',').map(str::trim))
        .collect();
    let missing: Vec<_> = listed.iter().filter(|(_, name)| !names.contains(name)).collect();
    assert!(missing.is_empty(), "no fields in docs/format.md: {missing:?}");
}

/// Every decision is in their list.
#[test]
fn every_decision_is_listed() {
    let list = read(Path::new("docs/decisions/README.md"));
    for page in pages().into_iter().filter(|page| page.starts_with("docs/decisions")) {
        let name = page.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name == "README.md" || list.contains(&format!("({name})")), "{name} is not listed");
    }
}

/// Tokens that look like a path of this repository: with a slash or the end `.rs`, in
/// small letters.
fn paths(text: &str) -> BTreeSet<String> {
    let is_of_path = |c: char| c.is_ascii_alphanumeric() || "/_.-".contains(c);
    let of_repository = |token: &&str| {
        let folder = token.ends_with('/') && token.len() > 1;
        let file = Path::new(token).extension().is_some_and(|end| end == "rs");
        let begins = token.starts_with(|c: char| c.is_ascii_lowercase());
        begins && (folder || file) && token.chars().all(|c| !c.is_ascii_uppercase())
    };
    let tokens = text.split(|c| !is_of_path(c)).filter(of_repository);
    tokens.filter(|token| !OF_A_STORE.contains(token)).map(str::to_owned).collect()
}

/// Every page, named from the repository's root on.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    for folder in ["docs", "docs/decisions"] {
        for entry in fs::read_dir(repository().join(folder)).expect("lists the documents") {
            let name = entry.expect("an entry").file_name();
            if Path::new(&name).extension().is_some_and(|end| end == "md") {
                pages.push(Path::new(folder).join(name));
            }
        }
    }
    assert!(pages.len() > 10, "expected the documents, found {pages:?}");
    pages
}

fn read(page: &Path) -> String {
    fs::read_to_string(repository().join(page)).expect("reads a document")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Folders of a store and not of the repository.
const OF_A_STORE: [&str; 2] = ["spool/", "events.forebear/"];
