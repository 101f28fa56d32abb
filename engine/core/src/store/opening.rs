//! Opening a store: the lock, the manifest, the log.

use std::sync::Arc;

use crate::base::error::{Error, HELD_BY, Result};
use crate::base::format::{FORMAT_VERSION, StoreId};
use crate::base::kind::StateKind;
use crate::base::kinds::{Kinds, NamedKind};
use crate::log::append::LogWriter;
use crate::log::opened::{ListedLog, open_file, open_log};
use crate::log::recovery::store_of;
use crate::log::report::{ManifestRepair, RecoveryReport};
use crate::log::settings::{LoggedPolicy, settings_of};
use crate::manifest::{self, Catalog, FullLog, Manifest, Read, list, log_name, segment_of};
use crate::segment::leftover::is_leftover;
use crate::segment::segments::Segments;
use crate::shared::Shared;
use crate::spool;
use crate::storage::{LockGuard, LockOutcome, Storage};
use crate::view::View;

/// A store that was opened and recovered.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) shared: Shared,
    pub(crate) catalog: Catalog,
    pub(crate) log: LogWriter,
    pub(crate) lock: Box<dyn LockGuard + Send + Sync>,
    pub(crate) recovery: RecoveryReport,
}

pub(crate) fn open(
    storage: &Arc<dyn Storage>,
    cache_bytes: usize,
    segments: Arc<Segments>,
    kinds: &[Arc<dyn StateKind>],
) -> Result<Opened> {
    // Before the lock is taken, which writes to the folder: opening the wrong one changes nothing.
    refuse_foreign(&**storage)?;
    refuse_archive(&**storage)?;
    let lock = lock(&**storage)?;
    let mut recovery = RecoveryReport::default();
    let manifest = match Manifest::read(&**storage)? {
        Read::Sound(manifest) => manifest,
        Read::Absent => first_manifest(&**storage, kinds, &mut recovery)?,
        Read::Damaged(reason) => mend_manifest(&**storage, kinds, &reason, &mut recovery)?,
    };
    let kinds = Kinds::new(&manifest.kinds, kinds)?;
    let named = kinds.named();
    segments.set_kinds(Arc::new(kinds));
    let warnings = Arc::clone(segments.warnings());
    // A process that was killed may have made these names and not synced them.
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", manifest::NAME, error))?;
    let store = manifest.store;
    let full = match manifest.full {
        None => None,
        Some(FullLog { start, length }) => {
            let end = Some(manifest.active.first_seq);
            let opened = open_log(
                &**storage,
                store,
                ListedLog { start, durable: length, end },
                cache_bytes,
                &mut recovery,
            )?;
            Some(opened.0)
        }
    };
    let (active, log) = open_log(
        &**storage,
        store,
        ListedLog::of_active(manifest.active),
        cache_bytes,
        &mut recovery,
    )?;
    let logs = match full {
        Some(full) => [Some(full), Some(active)],
        None => [None, Some(active)],
    };
    let view =
        View { sealed: manifest.sealed.clone().into(), logs, segments, joins: Arc::default() };
    // After the logs were read: an opening that fails leaves everything as it was found.
    remove_leftovers(&**storage, &manifest)?;
    let catalog = Catalog::new(Arc::clone(storage), manifest, named, warnings);
    Ok(Opened { shared: Shared::new(view), catalog, log, lock, recovery })
}

/// Removes files that the manifest does not name: leftovers of a process that ended while
/// it sealed, rotated or dropped segments. Logs that come after the active one stay: they
/// may be of a manifest that this one is older than.
fn remove_leftovers(storage: &dyn Storage, manifest: &Manifest) -> Result<()> {
    let active = manifest.active.segment;
    for name in list(storage)? {
        let later = segment_of(&name, ".log").or(segment_of(&name, ".ckp"));
        if is_leftover(manifest, &name) && later.is_none_or(|log| log < active) {
            storage.unlink(&name).map_err(|error| Error::io("remove", &name, error))?;
        }
    }
    Ok(())
}

/// Refuses a folder that holds files and is no store.
fn refuse_foreign(storage: &dyn Storage) -> Result<()> {
    let names = list(storage)?;
    let is_file = |name: &String| {
        [".log", ".seg", ".idx", ".flt", ".ckp"]
            .iter()
            .any(|ending| segment_of(name, ending).is_some())
    };
    let files = names.iter().any(is_file);
    let manifest = names.iter().any(|name| name == manifest::NAME)
        && (files || Manifest::looks_ours(storage)?);
    let ours = |name: &String| {
        matches!(name.as_str(), LOCK | manifest::NEXT | spool::FOLDER)
            || is_file(name)
            || (manifest && name == manifest::NAME)
    };
    let known = manifest || files;
    match names.iter().find(|name| !ours(name)) {
        Some(other) if !known => Err(Error::foreign(format!(
            "expected a store or an empty folder{}, found one with other files in it, such as \
             {other:?}; choose another folder",
            storage.path().map(|path| format!(" at {}", path.display())).unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

/// Refuses an archive, which is read-only.
fn refuse_archive(storage: &dyn Storage) -> Result<()> {
    match Manifest::read(storage)? {
        Read::Sound(manifest) if manifest.archive => Err(Error::foreign(format!(
            "expected a store to write to{}, found an archive, which is only read; open it with \
             `Reader::open`",
            storage.path().map(|path| format!(" at {}", path.display())).unwrap_or_default()
        ))),
        _ => Ok(()),
    }
}

pub(crate) fn lock(storage: &dyn Storage) -> Result<Box<dyn LockGuard + Send + Sync>> {
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
            Err(Error::locked(format!("{HELD_BY}{holder}; close it there, or wait until it ends")))
        }
    }
}

/// Creates a store, or the lost manifest of a store that has its log.
fn first_manifest(
    storage: &dyn Storage,
    kinds: &[Arc<dyn StateKind>],
    recovery: &mut RecoveryReport,
) -> Result<Manifest> {
    refuse_headless(storage, "there is none")?;
    let name = log_name(1);
    if list(storage)?.contains(&name) {
        let file = open_file(storage, &name)?;
        if file.len().map_err(|error| Error::io("read the length of", &name, error))? > 0 {
            return mend_manifest(storage, kinds, "there is none", recovery);
        }
    } else {
        storage.create(&name).map_err(|error| Error::io("make", &name, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &name, error))?;
    }
    let manifest = Manifest::new(random_store(), Kinds::new(&[], kinds)?.named());
    manifest.write(storage)?;
    Ok(manifest)
}

/// Rebuilds the manifest from the log, and keeps the damaged one under another name.
fn mend_manifest(
    storage: &dyn Storage,
    kinds: &[Arc<dyn StateKind>],
    reason: &str,
    recovery: &mut RecoveryReport,
) -> Result<Manifest> {
    refuse_headless(storage, reason)?;
    let name = log_name(1);
    let file = open_file(storage, &name)?;
    let length = file.len().map_err(|error| Error::io("read the length of", &name, error))?;
    let (store, format) = match store_of(&*file, &name, 1)? {
        Some(found) => found,
        None if length == 0 => (random_store(), FORMAT_VERSION),
        None => {
            return Err(Error::damaged(format!(
                "expected a manifest or a log to make it from, found neither: the manifest can't \
                 be used ({reason}), and {name} ({length} bytes) holds no sound block; restore one \
                 of them from a copy"
            )));
        }
    };
    Manifest::keep_damaged(storage)?;
    // Which kinds it named is lost: those of its log's format and of this process count.
    let named = if format == 1 { NamedKind::of_format_1() } else { Vec::new() };
    let settings = settings_of(&*file, &name, 1, store)?;
    let (retention, lost) = match settings.policy() {
        LoggedPolicy::Known(retention) => (retention, String::new()),
        LoggedPolicy::Unknown if settings.is_empty() => (None, String::new()),
        LoggedPolicy::Unknown => {
            (None, "; if a retention policy was kept with it, set it again".to_owned())
        }
        LoggedPolicy::Unreadable(words) => (
            None,
            format!("; set the retention policy again, which this version can't read: {words}"),
        ),
    };
    let manifest =
        Manifest { retention, ..Manifest::new(store, Kinds::new(&named, kinds)?.named()) };
    manifest.write(storage)?;
    recovery.manifest = Some(ManifestRepair { made_from: name, reason: format!("{reason}{lost}") });
    Ok(manifest)
}

/// Refuses segments without a manifest: under a new one they would be removed as
/// leftovers.
fn refuse_headless(storage: &dyn Storage, reason: &str) -> Result<()> {
    let is_later = |name: &String| {
        segment_of(name, ".seg").is_some() || segment_of(name, ".log").is_some_and(|log| log > 1)
    };
    match list(storage)?.iter().find(|name| is_later(name)) {
        None => Ok(()),
        Some(other) => Err(Error::damaged(format!(
            "expected a manifest that names {other:?} and the like, found none that can be used \
             ({reason}); nothing was changed: `forebear repair` or `StoreBuilder::repair` makes {} \
             again",
            manifest::NAME
        ))),
    }
}

/// A new store's id. Payloads can't guess it, so that no bytes in them pass for
/// one of its blocks.
fn random_store() -> StoreId {
    *uuid::Uuid::new_v4().as_bytes()
}

const LOCK: &str = "LOCK";
