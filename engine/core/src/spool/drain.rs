//! Taking in what was handed in, by whoever has the store open for writing.
//!
//! Files are taken in group by group, in order of their names. With each batch goes a
//! checkpoint that names the files of its group so far; once the group is durable its
//! files are removed, durably, and only then the next one begins. So a file that is
//! still there after a crash and that the checkpoint names was taken in, and one that it
//! doesn't name was not: one checkpoint is enough for all files there ever are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use crate::base::error::{Error, Result};
use crate::base::event::Quarantined;
use crate::base::limits;
use crate::base::options::{Durability, WhenFull};
use crate::base::state::KindId;
use crate::base::sync::{Condvar, Mutex, Thread, now_ns, spawn};
use crate::base::warnings::WarningKind;
use crate::log::encoded::{Encoded, EncodedBatch};
use crate::shared::Shared;
use crate::spool::file::{Contents, ForeignContents};
use crate::spool::folder::{UNFINISHED, folder_of, is_file_name, refused};
use crate::spool::{FOLDER, file};
use crate::state::checkpoint::SPOOL;
use crate::storage::Storage;
use crate::writer::queue::{Job, Queue};
use crate::writer::receipt::Receipt;

/// Turns foreign contents into batches: what the layers above have of decoders.
pub(crate) trait Decode: Debug + Send + Sync {
    /// The batch, which fits the store; none where nobody has the decoder.
    ///
    /// Fails with an input or output error, or an expired one, where a later try may
    /// succeed; any other means that the contents can't be decoded.
    fn decode(&self, foreign: &ForeignContents) -> Result<Option<EncodedBatch>>;
}

/// Drains the spool of an open store.
#[derive(Debug)]
pub(crate) struct Drain {
    folder: Arc<dyn Storage>,
    drainer: Arc<Mutex<Drainer>>,
    stop: Arc<Stop>,
    thread: Option<Thread<()>>,
}

#[derive(Debug)]
struct Drainer {
    folder: Arc<dyn Storage>,
    shared: Arc<Shared>,
    queue: Queue,
    decode: Box<dyn Decode>,
    max_payload: usize,
    /// Files that could not be read, and how often that was tried.
    unreadable: BTreeMap<String, u32>,
    /// Files that can't be taken in here and stay where they are: for want of their
    /// decoder or of a kind of state, from a newer release, or since they can neither be read nor renamed. They
    /// are not tried again before the store is opened anew.
    left_alone: BTreeSet<String>,
    /// Decoders that are missing and were reported.
    missing: BTreeSet<String>,
    /// Why a file was left for the next round, until that is reported.
    left: Option<Error>,
}

#[derive(Debug, Default)]
struct Stop {
    wanted: Mutex<bool>,
    raised: Condvar,
}

impl Drain {
    /// Drains what is there, and on a real disk goes on doing so on a thread of its
    /// own. None where the storage has no folders.
    pub(crate) fn start(
        storage: &dyn Storage,
        shared: Arc<Shared>,
        queue: Queue,
        decode: Box<dyn Decode>,
        max_payload: usize,
    ) -> Option<Self> {
        let folder = match folder_of(storage) {
            Ok(folder) => folder,
            Err(error) => {
                if error.kind() != ErrorKind::Unsupported {
                    report(&shared, Error::io("open", FOLDER, error));
                }
                return None;
            }
        };
        let drainer = Drainer {
            folder: Arc::clone(&folder),
            shared,
            queue,
            decode,
            max_payload,
            unreadable: BTreeMap::new(),
            left_alone: BTreeSet::new(),
            missing: BTreeSet::new(),
            left: None,
        };
        let drainer = Arc::new(Mutex::new(drainer));
        let stop = Arc::new(Stop::default());
        let mut drain = Self { folder, drainer, stop, thread: None };
        let thread = storage.path().map(|_| {
            let (drainer, stop) = (Arc::clone(&drain.drainer), Arc::clone(&drain.stop));
            spawn("forebear-spool", move || run(&drainer, &stop))
        });
        match thread {
            Some(Ok(thread)) => drain.thread = Some(thread),
            // Once at least.
            _ => drain.drainer.lock().drain_or_report(),
        }
        Some(drain)
    }

    /// The folder that is drained.
    pub(crate) fn folder(&self) -> &Arc<dyn Storage> {
        &self.folder
    }

    /// Takes in what is there now; returns how many files.
    pub(crate) fn now(&self) -> Result<u64> {
        self.drainer.lock().drain()
    }

    /// Ends the thread, which goes through the folder once first if it has not yet.
    /// Called on the writer's own thread it does not wait for that.
    pub(crate) fn stop(&mut self, wait: bool) {
        *self.stop.wanted.lock() = true;
        self.stop.raised.notify_all();
        if let Some(thread) = self.thread.take().filter(|_| wait) {
            let _ = thread.join();
        }
    }
}

/// The thread.
fn run(drainer: &Mutex<Drainer>, stop: &Stop) {
    let mut failures = 0;
    loop {
        let closed = drainer.lock().drain_once(&mut failures);
        let mut wanted = stop.wanted.lock();
        if !*wanted && !closed {
            let wait = POLL_TIME * (1 << failures.min(MAX_BACKOFF));
            let _ = stop.raised.wait_for(&mut wanted, wait);
        }
        if *wanted || closed {
            return;
        }
    }
}

impl Drainer {
    /// One round of the thread; returns whether the store is closed. `failures` counts
    /// the rounds in a row that failed, of which the first is reported.
    fn drain_once(&mut self, failures: &mut u32) -> bool {
        let Err(error) = self.drain() else {
            *failures = 0;
            return false;
        };
        if *failures == 0 && !error.is_closed() {
            report(&self.shared, error.clone());
        }
        *failures = failures.saturating_add(1);
        error.is_closed()
    }

    fn drain_or_report(&mut self) {
        if let Err(error) = self.drain() {
            report(&self.shared, error);
        }
    }

    /// Takes in all files that are there; returns how many. A file that can't be read
    /// holds up none behind it: it fails the call once those were taken in.
    fn drain(&mut self) -> Result<u64> {
        let outcome = self.drain_readable().and_then(|taken| match self.left.take() {
            Some(error) => Err(error),
            None => Ok(taken),
        });
        self.shared.failures().spool.set(outcome.as_ref().err().cloned());
        outcome
    }

    fn drain_readable(&mut self) -> Result<u64> {
        let names = self.list()?;
        if names.is_empty() {
            return Ok(0);
        }
        let (done, mut names) = self.split_off_done(names)?;
        if !done.is_empty() {
            self.remove(&done)?;
        }
        let mut count = 0;
        while !names.is_empty() {
            let group = self.take_group(&mut names)?;
            count += group.len() as u64;
            self.remove(&group)?;
        }
        Ok(count)
    }

    /// The names of the files that are whole, in order. What a process left behind
    /// that died while it wrote is removed after an hour.
    fn list(&self) -> Result<Vec<String>> {
        let names = self.folder.list().map_err(|error| Error::io("list", FOLDER, error))?;
        let mut whole = Vec::new();
        for name in names {
            if is_file_name(&name) {
                if !self.left_alone.contains(&name) {
                    whole.push(name);
                }
            } else if is_stale(&name) {
                self.unlink(&name)?;
            }
        }
        Ok(whole)
    }

    /// Tells the files that were taken in before a crash from the others.
    fn split_off_done(&self, names: Vec<String>) -> Result<(Vec<String>, Vec<String>)> {
        let view = self.shared.view();
        let done = view.state(KindId::CHECKPOINT, SPOOL)?.unwrap_or_default();
        let done = String::from_utf8_lossy(&done);
        Ok(names.into_iter().partition(|name| done.lines().any(|done| done == name)))
    }

    /// Takes in the first files; returns their names once they are durable.
    fn take_group(&mut self, names: &mut Vec<String>) -> Result<Vec<String>> {
        let (mut group, mut bytes, mut so_far) = (Vec::new(), 0, String::new());
        let mut outcome = Ok(());
        while outcome.is_ok() && group.len() < GROUP_FILES && bytes < GROUP_BYTES {
            let Some(name) = names.first().cloned() else { break };
            outcome = self.read(&name).and_then(|batch| {
                names.remove(0);
                // None where it was refused, is gone or is left where it is.
                let Some(mut batch) = batch else { return Ok(()) };
                bytes += batch.bytes();
                so_far = format!("{so_far}{name}\n");
                let checkpoint = SPOOL.to_owned();
                batch.state.push(Encoded::state(KindId::CHECKPOINT, checkpoint, so_far.as_bytes()));
                // One after the other: what comes behind must not name one that failed.
                self.write(batch, Durability::Flush)?;
                group.push(name);
                Ok(())
            });
        }
        // Files go once the checkpoint that names them is on disk. One that went before would be
        // lost with a power loss, and one that stays is known by the checkpoint.
        if !group.is_empty() {
            self.write(EncodedBatch::default(), Durability::Sync)?;
        }
        // What was taken in is removed also where the next one failed.
        if let Err(error) = outcome {
            self.remove(&group)?;
            return Err(error);
        }
        Ok(group)
    }

    /// The batch in a file; none where it was refused, is gone or is left where it is.
    fn read(&mut self, name: &str) -> Result<Option<EncodedBatch>> {
        let bytes = match self.read_bytes(name) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                let error = Error::io("read", format!("{FOLDER}/{name}"), error);
                let times = self.unreadable.entry(name.to_owned()).or_insert(0);
                *times += 1;
                if *times < TRIES {
                    self.left = Some(error);
                } else {
                    self.unreadable.remove(name);
                    self.refuse(name, &[], &error)?;
                }
                return Ok(None);
            }
        };
        self.unreadable.remove(name);
        let batch = match file::decode(&bytes, self.max_payload, &self.shared.view().kinds()) {
            Ok(Contents::Batch(batch)) => Ok(Some(batch)),
            Ok(Contents::Foreign(foreign)) => self.decode(name, &foreign),
            Err(error) if error.is_newer() || error.is_unsupported() => {
                self.left_alone.insert(name.to_owned());
                report(&self.shared, error);
                Ok(None)
            }
            Err(error) => Err(error),
        };
        match batch {
            Ok(batch) => Ok(batch),
            Err(error) if error.is_expired() || error.io_kind().is_some() => Err(error),
            Err(error) => self.refuse(name, &bytes, &error).map(|()| None),
        }
    }

    /// The batch that foreign contents decode to. Without their decoder the file is left
    /// for a process that has it.
    fn decode(&mut self, name: &str, foreign: &ForeignContents) -> Result<Option<EncodedBatch>> {
        let batch = self.decode.decode(foreign)?;
        if batch.is_none() {
            self.left_alone.insert(name.to_owned());
            let decoder = &foreign.decoder;
            if self.missing.insert(decoder.clone()) {
                let named = if decoder.is_empty() {
                    "the decoder of files of version 1".to_owned()
                } else {
                    format!("the decoder {decoder:?}")
                };
                let message = format!(
                    "files in {FOLDER}/ wait for {named}, which this process does \
                     not have: the next one that opens the store with it takes them in"
                );
                let view = self.shared.view();
                view.segments.warnings().report(WarningKind::DecoderMissing, message);
            }
        }
        Ok(batch)
    }

    /// The bytes of a file, of one that is too long no more than the limit and one.
    fn read_bytes(&self, name: &str) -> std::io::Result<Vec<u8>> {
        let file = self.folder.open(name)?;
        let length = file.len()?.min(file::MAX_FILE_BYTES + 1);
        let mut bytes = vec![0; length as usize];
        let read = file.read_at(&mut bytes, 0)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    /// Keeps a file that can't be taken in under another name, and lists it among the
    /// quarantined input. Done twice, it is listed once. One that can't be renamed is
    /// left alone from here on: it must not hold up those behind it.
    fn refuse(&mut self, name: &str, bytes: &[u8], why: &Error) -> Result<()> {
        let kept = bytes.len() <= KEPT_BYTES.min(self.max_payload);
        let input = Quarantined {
            source: format!("{FOLDER}/{}", refused(name)),
            line: 1,
            offset: 0,
            length: bytes.len() as u64,
            reason: format!("{why:#}"),
            bytes: if kept { bytes.to_vec() } else { Vec::new() },
        };
        let quarantined = vec![Encoded::quarantined(input)];
        let batch = EncodedBatch { quarantined, ..EncodedBatch::default() };
        self.write(batch, Durability::Sync)?;
        if let Err(error) = self.folder.rename(name, &refused(name)) {
            self.left_alone.insert(name.to_owned());
            report(&self.shared, Error::io("rename", format!("{FOLDER}/{name}"), error));
            return Ok(());
        }
        self.folder.sync_dir().map_err(|error| Error::io("sync the folder", FOLDER, error))
    }

    /// Has the writer write a batch, and waits for it.
    fn write(&self, batch: EncodedBatch, durability: Durability) -> Result<()> {
        let (receipt, answer) = Receipt::pair();
        self.queue.send(Job::of(batch, durability, answer), WhenFull::Block)?;
        receipt.wait().map(drop)
    }

    /// Removes files, durably.
    fn remove(&self, names: &[String]) -> Result<()> {
        names.iter().try_for_each(|name| self.unlink(name))?;
        if names.is_empty() {
            return Ok(());
        }
        self.folder.sync_dir().map_err(|error| Error::io("sync the folder", FOLDER, error))
    }

    fn unlink(&self, name: &str) -> Result<()> {
        match self.folder.unlink(name) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", format!("{FOLDER}/{name}"), error))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a name is that of a file that was begun long ago and never finished.
fn is_stale(name: &str) -> bool {
    let Some(whole) = name.strip_suffix(UNFINISHED).filter(|name| is_file_name(name)) else {
        return false;
    };
    let begun = whole.get(..16).and_then(|time| u64::from_str_radix(time, 16).ok());
    let age_ns = begun.map(|begun| now_ns().cast_unsigned().saturating_sub(begun));
    age_ns.is_some_and(|age_ns| u128::from(age_ns) > STALE_TIME.as_nanos())
}

fn report(shared: &Shared, error: Error) {
    let message = format!("what was handed in through {FOLDER}/ was not all taken in");
    shared.view().segments.warnings().report_error(WarningKind::SpoolFailed, message, error);
}

/// How often the folder is looked at.
const POLL_TIME: Duration = Duration::from_millis(50);
/// After failures it is looked at less often, down to every 2^this times that.
const MAX_BACKOFF: u32 = 6;
/// Files that are taken in with one sync, and about how many bytes. Their names fit in
/// one checkpoint.
const GROUP_FILES: usize = 48;
const GROUP_BYTES: usize = 4 << 20;
const _: () = assert!(GROUP_FILES * 64 <= limits::MAX_CHECKPOINT_BYTES);
/// How often reading a file is tried before it is refused.
const TRIES: u32 = 3;
/// A file that is refused stands whole in the quarantined input up to so many bytes.
const KEPT_BYTES: usize = 1 << 20;
/// After so long a file that was begun is not going to be finished.
const STALE_TIME: Duration = Duration::from_hours(1);
