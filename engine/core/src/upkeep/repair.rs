//! Making a lost or damaged manifest again, from the footers of segments and the logs.
//!
//! A footer says of its segment all that the manifest does, and the digest of the block
//! before its first and of its last, as each log's first block does: what follows on each
//! other makes one past. The manifest that was there is evidence alone. Nothing is removed:
//! what is no part of that past goes to the folder `damaged`.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::sync::Arc;

use crate::base::error::{Error, Result};
use crate::base::format::{Digest, StoreId};
use crate::base::kind::StateKind;
use crate::base::kinds::{Kinds, NamedKind};
use crate::log::block::Records;
use crate::log::record::RecordKind;
use crate::log::scan::{ScanItem, Scanner};
use crate::log::settings::{LoggedPolicy, LoggedSettings};
use crate::manifest::{
    self, FullLog, LogStart, Manifest, Read, Retention, Salvaged, Sealed, list, log_name, seg_name,
    segment_of,
};
use crate::segment::file::SegFile;
use crate::segment::heap::ChunkCache;
use crate::segment::leftover::is_leftover;
use crate::segment::rebuild::RebuiltBlock;
use crate::storage::Storage;
use crate::upkeep::mend::mend_segments;

/// What a repair did. From [`StoreBuilder::repair`](crate::StoreBuilder::repair).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Repaired {
    /// Why the manifest was made again; none where it was sound and nothing was done.
    pub manifest: Option<String>,
    /// Sealed segments that it names now.
    pub segments: u64,
    /// Those of them that can't be read, which the manifest before had an entry of.
    pub unreadable: Vec<String>,
    /// Damaged segments in whose place a sound copy was taken.
    pub restored: Vec<String>,
    /// Files that were replaced, or are no part of the store's past as it was found: they are
    /// in the folder `damaged`. None was removed.
    pub moved: Vec<String>,
    /// What could not be found out, a sentence each.
    pub notes: Vec<String>,
}

/// Makes the manifest of a store again, whose lock is held, where it is not sound; and puts what
/// another folder has in the place of damaged segments.
pub(crate) fn repair(
    storage: &dyn Storage,
    kinds: &[Arc<dyn StateKind>],
    from: Option<&dyn Storage>,
) -> Result<Repaired> {
    let mut repaired = Repaired::default();
    let manifest = match Manifest::read(storage)? {
        Read::Sound(manifest) => manifest,
        Read::Absent => {
            repaired.manifest = Some("there was none".to_owned());
            make_manifest(storage, kinds, &mut repaired)?
        }
        Read::Damaged(reason) => {
            repaired.manifest = Some(reason);
            make_manifest(storage, kinds, &mut repaired)?
        }
    };
    repaired.segments = manifest.sealed.len() as u64;
    if let Some(from) = from {
        mend_segments(storage, &manifest, from, &mut repaired)?;
    }
    Ok(repaired)
}

fn make_manifest(
    storage: &dyn Storage,
    kinds: &[Arc<dyn StateKind>],
    repaired: &mut Repaired,
) -> Result<Manifest> {
    let names = list(storage)?;
    let evidence = Salvaged::read(storage);
    let found = StoreFiles::read(storage, &names, &evidence)?;
    let manifest = found.manifest(&evidence, kinds, repaired)?;
    Manifest::keep_damaged(storage)?;
    move_leftovers(storage, &names, &manifest, repaired)?;
    let active = log_name(manifest.active.segment);
    if !manifest.archive && !names.contains(&active) {
        storage.create(&active).map_err(|error| Error::io("make", &active, error))?;
        storage.sync_dir().map_err(|error| Error::io("sync the folder of", &active, error))?;
        repaired.notes.push(format!("{active} was not there, and is empty now"));
    }
    manifest.write(storage)?;
    Ok(manifest)
}

/// What a log's sound blocks say of it.
#[derive(Debug)]
struct LogFound {
    /// What its first block follows, where that is sound.
    start: Option<(u64, Digest)>,
    /// The end of its last sound block, that block's digest, and the sequence number behind
    /// it; none without any.
    end: Option<(u64, Digest, u64)>,
    settings: LoggedSettings,
}

/// The files that are of the store.
struct StoreFiles {
    store: StoreId,
    segments: BTreeMap<u64, Sealed>,
    /// The digest of the block before each.
    before: HashMap<u64, Digest>,
    /// Those that are newer than the newest segment.
    logs: BTreeMap<u64, LogFound>,
    /// The settings in the blocks of the newest segment, where the logs are empty.
    sealed_settings: Option<(u64, LoggedSettings)>,
    /// The oldest segment that there was when the newest one was sealed.
    floor: u64,
    is_of_format_1: bool,
}

impl StoreFiles {
    fn read(storage: &dyn Storage, names: &[String], evidence: &Salvaged) -> Result<Self> {
        let numbers =
            |ending: &'static str| names.iter().filter_map(move |name| segment_of(name, ending));
        let mut footers = BTreeMap::new();
        for number in numbers(".seg") {
            match SegFile::open(storage, &seg_name(number), None) {
                Ok(file) if file.footer().segment == number => {
                    let name = file.name();
                    let length = storage.open(name).and_then(|opened| opened.len());
                    let length =
                        length.map_err(|error| Error::io("read the length of", name, error))?;
                    footers.insert(number, (file.footer().clone(), length));
                }
                Ok(_) => {}
                Err(error) if error.is_damaged() => {}
                Err(error) => return Err(error),
            }
        }
        let mut stores: Vec<StoreId> = footers.values().map(|(footer, _)| footer.store).collect();
        for number in numbers(".log") {
            stores.extend(store_of(storage, number)?);
        }
        let Some(store) = most_frequent(&stores).or(evidence.store) else {
            return Err(Error::damaged(
                "expected a segment or a log to make the manifest from, found none that can be \
                 read; restore the store from a backup",
            ));
        };
        let ours = footers.into_iter().filter(|(_, (footer, _))| footer.store == store);
        let (mut segments, mut before) = (BTreeMap::new(), HashMap::new());
        let (mut floor, mut is_of_format_1) = (0, false);
        for (number, (footer, length)) in ours {
            floor = footer.floor;
            is_of_format_1 |= footer.format == 1;
            before.insert(number, footer.before);
            segments.insert(number, footer.to_sealed(length));
        }
        let newest = segments.keys().next_back().copied();
        let mut logs = BTreeMap::new();
        for number in numbers(".log") {
            // What was sealed is only left over.
            if newest.is_none_or(|newest| number > newest) {
                logs.insert(number, scan(storage, number, store)?);
            }
        }
        let sealed_settings = match newest {
            Some(newest) if logs.values().all(|log| log.settings.is_empty()) => {
                Some((newest, settings_of_segment(storage, newest)?))
            }
            _ => None,
        };
        Ok(Self { store, segments, before, logs, sealed_settings, floor, is_of_format_1 })
    }

    /// The manifest of the longest past that ends with the newest files.
    fn manifest(
        &self,
        evidence: &Salvaged,
        kinds: &[Arc<dyn StateKind>],
        repaired: &mut Repaired,
    ) -> Result<Manifest> {
        let newest_segment = self.segments.keys().next_back().copied().unwrap_or(0);
        let newest_log = self.logs.keys().next_back().copied();
        let archive = self.is_archive(evidence, repaired);
        let active = newest_log.filter(|&log| log > newest_segment).unwrap_or(newest_segment + 1);
        let full = active
            .checked_sub(1)
            .filter(|full| self.logs.contains_key(full) && !self.segments.contains_key(full));
        // From the newest backwards: what each goes on from.
        let mut follows = self.start_of(active, evidence);
        let mut full_log = None;
        if let Some(number) = full {
            let log = &self.logs[&number];
            let (length, last, next_seq) = log.end.ok_or_else(|| no_block(number))?;
            let (first_seq, previous) =
                self.start_of(number, evidence).ok_or_else(|| no_start(number))?;
            let (next_seq, _) = follows.unwrap_or((next_seq, last));
            follows = Some((next_seq, last));
            full_log = Some((
                FullLog { start: LogStart { segment: number, first_seq, previous }, length },
                (next_seq, last),
            ));
        }
        let newest_sealed = full.unwrap_or(active) - 1;
        let mut expected = match &full_log {
            Some((full, _)) => Some((full.start.first_seq, full.start.previous)),
            None => follows,
        };
        let mut sealed = Vec::new();
        let mut number = newest_sealed;
        // What is older than the oldest that there was when the newest was sealed was dropped.
        let told = evidence.first.filter(|&first| self.bears_out(first, evidence));
        let first = told.unwrap_or(0).max(self.floor);
        while number > 0 && number >= first {
            let Some(entry) = self.entry(number, expected, evidence, repaired) else { break };
            // What it goes on from itself; of one that can't be read nothing but the number.
            expected = Some((entry.first_seq, self.before.get(&number).copied().unwrap_or(ANY)));
            sealed.push(entry);
            number -= 1;
        }
        sealed.reverse();
        let active = match (self.start_of(active, evidence), &full_log, sealed.last()) {
            (_, Some((_, (first_seq, previous))), _) => {
                LogStart { segment: active, first_seq: *first_seq, previous: *previous }
            }
            (_, None, Some(last)) => {
                LogStart { segment: active, first_seq: last.end_seq(), previous: last.last }
            }
            (Some((first_seq, previous)), None, None) => {
                LogStart { segment: active, first_seq, previous }
            }
            (None, None, None) => return Err(no_start(active)),
        };
        let kinds = match evidence.kinds.is_empty() {
            false => evidence.kinds.clone(),
            // Those of the segments' format and of this process count.
            true if self.is_of_format_1 => Kinds::new(&NamedKind::of_format_1(), kinds)?.named(),
            true => Kinds::new(&[], kinds)?.named(),
        };
        let retention = if archive { None } else { self.retention(&sealed, evidence, repaired) };
        let full = full_log.map(|(full, _)| full);
        let manifest = Manifest::new(self.store, kinds);
        Ok(Manifest { sealed, full, active, retention, archive, ..manifest })
    }

    /// The retention policy that the newest blocks have, which were checked by their digests.
    /// What the old manifest says is told alone: a changed digit of a policy could drop what
    /// is to be kept.
    fn retention(
        &self,
        sealed: &[Sealed],
        evidence: &Salvaged,
        repaired: &mut Repaired,
    ) -> Option<Retention> {
        let logged = self.logs.values().rev().map(|log| &log.settings);
        let mut logged = logged.filter(|settings| !settings.is_empty());
        let newest = logged.next().or_else(|| {
            let last = sealed.last()?;
            self.sealed_settings
                .as_ref()
                .filter(|(number, _)| *number == last.segment)
                .map(|of| &of.1)
        });
        let told = evidence.retention.as_ref().map(Retention::to_text);
        let (retention, note) = match (newest.map(LoggedSettings::policy), told) {
            (Some(LoggedPolicy::Known(known)), told) => {
                let words = known.as_ref().map(Retention::to_text);
                let note = told.filter(|told| words.as_ref() != Some(told)).map(|told| {
                    format!(
                        "the retention policy is that of the log, {}; the manifest had another, \
                         which may be newer or damaged: {told}",
                        words.as_deref().unwrap_or("none")
                    )
                });
                (known, note)
            }
            (Some(LoggedPolicy::Unreadable(words)), _) => {
                let note = format!(
                    "set the retention policy again, which this version can't read: {words}"
                );
                (None, Some(note))
            }
            (Some(LoggedPolicy::Unknown) | None, Some(told)) => {
                (None, Some(format!("set the retention policy again; it may have been: {told}")))
            }
            (Some(LoggedPolicy::Unknown) | None, None) => {
                let note = "if a retention policy was kept with the store, set it again";
                (None, Some(note.to_owned()))
            }
        };
        repaired.notes.extend(note);
        retention
    }

    /// Whether there is nothing to write to: an archive has segments alone.
    fn is_archive(&self, evidence: &Salvaged, repaired: &mut Repaired) -> bool {
        if !self.logs.is_empty() {
            if evidence.archive {
                let note = "the manifest said that this is an archive; since there is a log, it is \
                            a store to write to now";
                repaired.notes.push(note.into());
            }
            return false;
        }
        if evidence.archive || (evidence.is_whole && evidence.active.is_some()) {
            return evidence.archive;
        }
        // Which it was, nobody can say. An archive is only read: nothing gets worse.
        let next = self.segments.keys().next_back().copied().unwrap_or(0) + 1;
        repaired.notes.push(format!(
            "there is no log, so that this is taken for an archive, which is only read; if it was \
             a store to write to, make an empty file {}, remove {} and repair it again",
            log_name(next),
            manifest::NAME
        ));
        true
    }

    /// Whether the files agree with what the old manifest says of the segment or log that
    /// was its first: the line may be the one that is damaged.
    fn bears_out(&self, first: u64, evidence: &Salvaged) -> bool {
        if let Some(entry) = evidence.sealed.first() {
            return self.segments.get(&first) == Some(entry);
        }
        let found = self.logs.get(&first).and_then(|log| log.start);
        let told = evidence.active.map(|start| (start.first_seq, start.previous));
        found.is_some() && found == told
    }

    /// The entry of a segment that goes before what is `expected` behind it.
    fn entry(
        &self,
        number: u64,
        expected: Option<(u64, Digest)>,
        evidence: &Salvaged,
        repaired: &mut Repaired,
    ) -> Option<Sealed> {
        let fits = |entry: &&Sealed| {
            expected.is_none_or(|(seq, last)| {
                entry.end_seq() == seq && (last == ANY || entry.last == last)
            })
        };
        if let Some(entry) = self.segments.get(&number).filter(fits) {
            return Some(entry.clone());
        }
        let of_before = evidence.sealed.iter().find(|entry| entry.segment == number);
        let entry = of_before.filter(fits)?;
        repaired.unreadable.push(seg_name(number));
        Some(entry.clone())
    }

    /// What a log goes on from: by its first block, or what the manifest before said.
    fn start_of(&self, number: u64, evidence: &Salvaged) -> Option<(u64, Digest)> {
        let told = evidence.active.filter(|start| start.segment == number);
        let found = self.logs.get(&number).and_then(|log| log.start);
        found.or(told.map(|start| (start.first_seq, start.previous)))
    }
}

fn store_of(storage: &dyn Storage, number: u64) -> Result<Option<StoreId>> {
    let name = log_name(number);
    let file = storage.open(&name).map_err(|error| Error::io("open", &name, error))?;
    crate::log::recovery::store_of(&*file, &name, number).map(|found| found.map(|(store, _)| store))
}

fn scan(storage: &dyn Storage, number: u64, store: StoreId) -> Result<LogFound> {
    let name = log_name(number);
    let file = storage.open(&name).map_err(|error| Error::io("open", &name, error))?;
    let mut scanner = Scanner::new(&*file, &name, number, Some(store), None)?;
    let mut found = LogFound { start: None, end: None, settings: LoggedSettings::default() };
    while let Some(item) = scanner.next()? {
        let ScanItem::Block(header) = item else {
            found.settings.note_damage();
            continue;
        };
        found.settings.read(header.version, scanner.body())?;
        if header.offset == 0 {
            found.start = Some((header.first_seq, header.previous));
        }
        let mut next_seq = header.first_seq;
        for record in Records::new(scanner.body()) {
            let (_, frame, _) = record?;
            next_seq += u64::from(matches!(frame.kind, RecordKind::Event | RecordKind::Version));
        }
        found.end = Some((header.end(), header.digest, next_seq));
    }
    Ok(found)
}

/// The settings in the blocks of the log that a segment was made from.
fn settings_of_segment(storage: &dyn Storage, number: u64) -> Result<LoggedSettings> {
    let mut settings = LoggedSettings::default();
    let mut read = || -> Result<()> {
        let (file, cache) =
            (SegFile::open(storage, &seg_name(number), None)?, ChunkCache::new(CACHE_BYTES));
        let mut blocks = file.blocks(&cache)?;
        while let Some(block) = blocks.next()? {
            match block {
                RebuiltBlock::Block(header) => settings.read(header.version, blocks.body())?,
                RebuiltBlock::Gap(_) => settings.note_damage(),
            }
        }
        Ok(())
    };
    match read() {
        Err(error) if error.is_damaged() => settings.note_damage(),
        outcome => outcome?,
    }
    Ok(settings)
}

/// Moves what the manifest does not name out of the way of the next opening, which removes
/// such files.
fn move_leftovers(
    storage: &dyn Storage,
    names: &[String],
    manifest: &Manifest,
    repaired: &mut Repaired,
) -> Result<()> {
    let leftovers: Vec<&String> = names.iter().filter(|name| is_leftover(manifest, name)).collect();
    if leftovers.is_empty() {
        return Ok(());
    }
    let folder =
        storage.subfolder(FOLDER).map_err(|error| Error::io("make the folder", FOLDER, error))?;
    for name in leftovers {
        match storage.link_to(name, &*folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                return Err(Error::io("keep in the folder `damaged`", name, error));
            }
            Err(_) => {
                let kept = format!("{name}.damaged-{}", crate::base::sync::now_ns());
                storage.rename(name, &kept).map_err(|error| Error::io("keep", name, error))?;
            }
            Ok(()) => {
                folder.sync_dir().map_err(|error| Error::io("sync the folder", FOLDER, error))?;
                storage.unlink(name).map_err(|error| Error::io("move", name, error))?;
            }
        }
        repaired.moved.push(name.clone());
    }
    storage.sync_dir().map_err(|error| Error::io("sync the folder of", manifest::NAME, error))
}

fn most_frequent(stores: &[StoreId]) -> Option<StoreId> {
    let count = |store: &StoreId| stores.iter().filter(|other| *other == store).count();
    stores.iter().max_by_key(|store| count(store)).copied()
}

fn no_block(number: u64) -> Error {
    Error::damaged(format!(
        "{}: expected blocks of the full log, found none that is sound; restore it from a backup \
         and repair the store again",
        log_name(number)
    ))
}

fn no_start(number: u64) -> Error {
    Error::damaged(format!(
        "{}: expected a first block, or a segment before it, that says which sequence number it \
         begins with, found neither; restore one of them from a backup and repair the store again",
        log_name(number)
    ))
}

/// Stands for any digest, where none is known.
const ANY: Digest = [0; 32];
/// Bytes of chunks that are kept while a segment is read.
const CACHE_BYTES: usize = 4 << 20;
/// Where what can't be used is kept.
pub(super) const FOLDER: &str = "damaged";
