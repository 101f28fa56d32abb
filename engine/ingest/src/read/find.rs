//! Finds the files to read.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use forebear_core::{Error, Result};

use crate::choice::Choice;
use crate::read::left_out::{self, DATABASE_SUFFIXES, LeftOut, suffix};
use crate::read::seen::FileStamp;
use crate::read::sniff::SQLITE;
use crate::read::source::unpacked_path;

/// The files to import, each once, in byte order of their paths.
#[derive(Debug, Default)]
pub(crate) struct FilesFound {
    pub(crate) found: Vec<FileToRead>,
    /// Folders and files that could not be examined, and why.
    pub(crate) failed: Vec<(PathBuf, io::Error)>,
    /// Files in folders that no format takes.
    pub(crate) left_out: LeftOut,
}

/// A file, by its canonical path: whichever way it is named, what is kept of it
/// names the same source.
#[derive(Debug)]
pub(crate) struct FileToRead {
    pub(crate) path: PathBuf,
    /// Whether it was named itself, not a folder that it lies in.
    pub(crate) named: bool,
    /// What the system said of it when it was found; nothing if it was gone by then.
    pub(crate) seen: FileStamp,
}

impl FilesFound {
    /// Finds the files named, and those under the folders named that a format takes.
    /// An error if one of the paths is not there.
    pub(crate) fn find(paths: &[PathBuf], choice: &Choice) -> Result<Self> {
        let mut search =
            FileSearch { left_out: Some(LeftOut::default()), ..FileSearch::new(choice) };
        for path in paths {
            let real = fs::canonicalize(path).map_err(|error| Error::io("find", path, error))?;
            let metadata =
                fs::metadata(&real).map_err(|error| Error::io("look at", path, error))?;
            if metadata.is_dir() {
                search.folder(real);
            } else if metadata.is_file() {
                search.named.insert(real.clone());
                search.files.insert(real);
            } else {
                return Err(Error::invalid(format!(
                    "expected a file or a folder to import, found neither at {}",
                    path.display()
                )));
            }
        }
        Ok(search.finish())
    }

    /// As [`find`](Self::find), for polling: what is not there is passed over, and what
    /// can't be examined is among the failed.
    pub(crate) fn find_present(paths: &[PathBuf], choice: &Choice) -> Self {
        let mut search = FileSearch::new(choice);
        for path in paths {
            let looked = fs::canonicalize(path).and_then(|real| Ok((fs::metadata(&real)?, real)));
            match looked {
                Ok((metadata, real)) if metadata.is_dir() => search.folder(real),
                Ok((metadata, real)) if metadata.is_file() => _ = search.files.insert(real),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => search.failed.push((path.clone(), error)),
            }
        }
        search.finish()
    }
}

#[derive(Debug)]
struct FileSearch<'c> {
    choice: &'c Choice,
    files: BTreeSet<PathBuf>,
    /// Those of them that were named.
    named: BTreeSet<PathBuf>,
    /// Folders that were met, so that links which lead round in circles end.
    folders: BTreeSet<PathBuf>,
    failed: Vec<(PathBuf, io::Error)>,
    /// None where nobody asks: what a follower passes over it passes over each time.
    left_out: Option<LeftOut>,
}

impl<'c> FileSearch<'c> {
    fn new(choice: &'c Choice) -> Self {
        Self {
            choice,
            files: BTreeSet::new(),
            named: BTreeSet::new(),
            folders: BTreeSet::new(),
            failed: Vec::new(),
            left_out: None,
        }
    }

    /// Searches a folder and everything below it.
    fn folder(&mut self, folder: PathBuf) {
        let mut waiting = vec![folder];
        while let Some(folder) = waiting.pop() {
            if !self.folders.insert(folder.clone()) {
                continue;
            }
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    self.failed.push((folder, error));
                    continue;
                }
            };
            for entry in entries {
                match entry {
                    Ok(entry) => waiting.extend(self.entry(&entry)),
                    Err(error) => self.failed.push((folder.clone(), error)),
                }
            }
        }
    }

    /// Notes a file to read; returns a folder to search.
    fn entry(&mut self, entry: &fs::DirEntry) -> Option<PathBuf> {
        let path = entry.path();
        let is_taken = || self.choice.takes_file(&path) && !is_database_by_name_alone(&path);
        let file_type = match entry.file_type() {
            Ok(file_type) => file_type,
            Err(error) => {
                self.failed.push((path, error));
                return None;
            }
        };
        if !file_type.is_symlink() {
            if file_type.is_file() {
                if is_taken() {
                    self.files.insert(path);
                } else if let Some(left_out) = &mut self.left_out
                    && !self.choice.is_companion(&path)
                {
                    left_out.observe(&path);
                }
                return None;
            }
            return file_type.is_dir().then_some(path);
        }
        let target = fs::canonicalize(&path).and_then(|real| Ok((fs::metadata(&real)?, real)));
        match target {
            Ok((metadata, real)) if metadata.is_dir() => return Some(real),
            Ok((metadata, real)) if metadata.is_file() && is_taken() => {
                self.files.insert(real);
            }
            Err(error) if self.choice.takes_file(&path) => self.failed.push((path, error)),
            // Nothing that is to be read, or a link that leads nowhere.
            Ok(_) | Err(_) => {}
        }
        None
    }

    fn finish(mut self) -> FilesFound {
        self.leave_out_packed();
        // A set of paths is in order of their components, not of their bytes.
        let mut paths: Vec<_> = self.files.into_iter().collect();
        paths.sort_unstable_by(|a, b| bytes(a).cmp(bytes(b)));
        // What a database says stands against what older documents beside it do.
        paths.sort_by_key(|path| path.extension().is_some_and(|suffix| suffix == "db"));
        let found = paths.into_iter().map(|path| FileToRead {
            seen: fs::metadata(&path)
                .map_or(FileStamp::default(), |metadata| FileStamp::of_file(&path, &metadata)),
            named: self.named.contains(&path),
            path,
        });
        let mut left_out = self.left_out.unwrap_or_default();
        left_out.named.sort_unstable();
        FilesFound { found: found.collect(), failed: self.failed, left_out }
    }
}

impl FileSearch<'_> {
    /// Leaves out packed files beside which the same lies as it was.
    fn leave_out_packed(&mut self) {
        let packed = self.files.iter().filter(|path| {
            let unpacked = unpacked_path(path);
            unpacked != path.as_path() && self.files.contains(unpacked)
        });
        for path in packed.cloned().collect::<Vec<_>>() {
            self.files.remove(&path);
            if let Some(left_out) = &mut self.left_out {
                left_out.add(&path, "the same lies unpacked beside it, which is read".to_owned());
            }
        }
    }
}

/// Whether a regular file is named as a database and is none: lines in it would be read as
/// those of whatever format they resemble. What is none may never end, or never begin.
pub(crate) fn is_database_by_name_alone(path: &Path) -> bool {
    let named = DATABASE_SUFFIXES.contains(&suffix(path).as_str());
    named && left_out::start(path).is_ok_and(|start| !start.starts_with(SQLITE))
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapter::{Adapter, Confidence, Parser, SourceFile};
    use crate::options::IngestOptions;

    /// A format that takes the usual files and reads none.
    #[derive(Debug)]
    struct LineFormat;

    impl Adapter for LineFormat {
        fn name(&self) -> &'static str {
            "lines"
        }

        fn recognise(&self, _line: &str) -> Confidence {
            Confidence::Possible
        }

        fn parser(&self, _file: &SourceFile<'_>) -> Box<dyn Parser> {
            unreachable!("files are only searched for")
        }
    }

    fn choice() -> Choice {
        Choice::new(&IngestOptions::new([""]).read_as(LineFormat)).unwrap()
    }

    fn found(root: &Path, paths: &[PathBuf]) -> Vec<String> {
        let root = fs::canonicalize(root).unwrap();
        let files = FilesFound::find(paths, &choice()).unwrap();
        assert!(files.failed.is_empty(), "{:?}", files.failed);
        let relative = files.found.iter().map(|file| {
            let path = file.path.strip_prefix(&root).unwrap();
            path.to_str().unwrap().to_owned()
        });
        relative.collect()
    }

    #[test]
    fn transcripts_are_found_once_in_byte_order() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["a", "a/sub", "b"] {
            fs::create_dir(root.path().join(folder)).unwrap();
        }
        for file in ["a.jsonl", "a/sub/x.jsonl", "a/note.txt", "a/y.jsonl", "b/named.log"] {
            fs::write(root.path().join(file), "12345").unwrap();
        }
        let all = [
            root.path().to_owned(),
            root.path().join("a/y.jsonl"),
            root.path().join("b/named.log"),
        ];
        assert_eq!(
            found(root.path(), &all),
            ["a.jsonl", "a/sub/x.jsonl", "a/y.jsonl", "b/named.log"]
        );
        assert_eq!(FilesFound::find(&all, &choice()).unwrap().found[0].seen.size, 5);
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_circles_end() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("x.jsonl"), "").unwrap();
        symlink(root.path(), inner.join("round")).unwrap();
        symlink(inner.join("x.jsonl"), inner.join("again.jsonl")).unwrap();
        symlink(root.path().join("gone"), inner.join("nowhere")).unwrap();
        assert_eq!(found(root.path(), &[root.path().to_owned()]), ["a/b/x.jsonl"]);
    }

    #[test]
    fn a_path_that_is_not_there_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let error = FilesFound::find(&[root.path().join("missing")], &choice()).unwrap_err();
        assert_eq!(error.io_kind(), Some(io::ErrorKind::NotFound));
    }
}
