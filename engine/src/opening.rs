//! Opening a store: the lock, the manifest, the log.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::log::append::LogWriter;
use crate::log::block::StoreId;
use crate::log::reader::LogReader;
use crate::log::recovery::{Recovered, recover, store_of};
use crate::recovery::RecoveryReport;
use crate::segment::manifest::{self, Manifest, Read, log_name};
use crate::shared::{Shared, Visible};
use crate::storage::{LockGuard, LockOutcome, Storage, StorageFile};

/// A store that was opened and recovered.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) shared: Shared,
    pub(crate) log: LogWriter,
    pub(crate) lock: Box<dyn LockGuard + Send + Sync>,
    pub(crate) recovery: RecoveryReport,
}

pub(crate) fn open(storage: &dyn Storage, cache_bytes: usize) -> Result<Opened> {
    // Before the lock is taken, which writes to the folder.
    refuse_foreign(storage)?;
    let lock = lock(storage)?;
    let mut recovery = RecoveryReport::default();
    let manifest = match Manifest::read(storage)? {
        Read::Sound(manifest) => manifest,
        Read::Absent => first_manifest(storage, &mut recovery)?,
        Read::Damaged(reason) => mend_manifest(storage, &reason, &mut recovery)?,
    };
    // A process that was killed may have made these names and not synced them.
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", manifest::NAME, error))?;
    let name = log_name(manifest.active);
    let file = open_file(storage, &name)?;
    let Recovered { log, index, commit } =
        recover(storage, &file, &name, manifest.active, manifest.store, &mut recovery)?;
    let visible = Visible { commit, rows: index.rows().len() as u32, log_end: log.end };
    let reader = LogReader::new(file, name, cache_bytes);
    Ok(Opened { shared: Shared::new(index, reader, visible), log, lock, recovery })
}

/// Refuses a folder that holds files and is no store.
fn refuse_foreign(storage: &dyn Storage) -> Result<()> {
    let names = list(storage)?;
    let has = |wanted: &str| names.iter().any(|name| name == wanted);
    let manifest = has(manifest::NAME) && (has(&log_name(1)) || Manifest::looks_ours(storage)?);
    let ours = |name: &String| {
        matches!(name.as_str(), LOCK | manifest::NEXT)
            || *name == log_name(1)
            || (manifest && name == manifest::NAME)
    };
    let known = manifest || has(&log_name(1));
    match names.iter().find(|name| !ours(name)) {
        Some(other) if !known => Err(Error::foreign(format!(
            "expected a store or an empty folder{}, found one with other files in it, such as \
             {other:?}; choose another folder",
            storage.path().map(|path| format!(" at {}", path.display())).unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

fn lock(storage: &dyn Storage) -> Result<Box<dyn LockGuard + Send + Sync>> {
    let program = std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
        .unwrap_or_default();
    let holder = format!("process {} ({program})", std::process::id());
    match storage.lock(LOCK, &holder).map_err(|error| Error::io("lock", LOCK, error))? {
        LockOutcome::Taken(guard) => Ok(guard),
        LockOutcome::HeldBy(holder) => {
            let holder = holder.trim();
            let holder = if holder.is_empty() { "another process" } else { holder };
            Err(Error::locked(format!(
                "the store is open for writing in {holder}; close it there, or wait until it ends"
            )))
        }
    }
}

/// Makes a new store, or the lost manifest of one whose log is there.
fn first_manifest(storage: &dyn Storage, recovery: &mut RecoveryReport) -> Result<Manifest> {
    let name = log_name(1);
    if list(storage)?.contains(&name) {
        let file = open_file(storage, &name)?;
        if file.len().map_err(|error| Error::io("read the length of", &name, error))? > 0 {
            return mend_manifest(storage, "there is none", recovery);
        }
    } else {
        storage.create(&name).map_err(|error| Error::io("make", &name, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &name, error))?;
    }
    let manifest = Manifest { store: random_store(), active: 1 };
    manifest.write(storage)?;
    Ok(manifest)
}

/// Makes the manifest again from the log, keeping the damaged one.
fn mend_manifest(
    storage: &dyn Storage,
    reason: &str,
    recovery: &mut RecoveryReport,
) -> Result<Manifest> {
    let name = log_name(1);
    let file = open_file(storage, &name)?;
    let length = file.len().map_err(|error| Error::io("read the length of", &name, error))?;
    let store = match store_of(&*file, &name, 1)? {
        Some(store) => store,
        None if length == 0 => random_store(),
        None => {
            return Err(Error::damaged(format!(
                "expected a manifest or a log to make it from, found neither: the manifest can't \
                 be used ({reason}), and {name} ({length} bytes) holds no sound block; restore one \
                 of them from a copy"
            )));
        }
    };
    if list(storage)?.iter().any(|name| name == manifest::NAME) {
        keep_manifest(storage)?;
    }
    let manifest = Manifest { store, active: 1 };
    manifest.write(storage)?;
    recovery.notes.push(format!("the manifest was made again from {name}: {reason}"));
    Ok(manifest)
}

/// Keeps a damaged manifest under another name.
fn keep_manifest(storage: &dyn Storage) -> Result<()> {
    let kept = format!("{}.damaged-{}", manifest::NAME, crate::event::now_ns());
    storage
        .rename(manifest::NAME, &kept)
        .map_err(|error| Error::io("keep the damaged", manifest::NAME, error))
}

fn open_file(storage: &dyn Storage, name: &str) -> Result<Arc<dyn StorageFile>> {
    match storage.open(name) {
        Ok(file) => Ok(Arc::from(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::damaged(format!(
            "expected the log {name}, which the manifest names, found no such file; restore it \
             from a copy"
        ))),
        Err(error) => Err(Error::io("open", name, error)),
    }
}

fn list(storage: &dyn Storage) -> Result<Vec<String>> {
    storage.list().map_err(|error| Error::io("list", "the store's folder", error))
}

/// A new store's id. Payloads can't guess it, so that no bytes in them pass for
/// one of its blocks.
fn random_store() -> StoreId {
    *uuid::Uuid::new_v4().as_bytes()
}

const LOCK: &str = "LOCK";
