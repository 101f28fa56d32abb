//! Where the store is, opening it, and finding events by what people type.

use std::cell::{Ref, RefCell};
use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;
use forebear::answers::{self, Named, NamedSession, find_named};
use forebear::{
    EventId, Reader, RecoveryReport, Repaired, Resolved, Snapshot, Spool, Store, StoreBuilder,
    Ticket, Warning,
};
use forebear_wire::folder;

use crate::failure::{CommandFailure, warn};
use crate::global::Global;
use crate::output::{gist, text, time};

/// The store's folder in the program's.
const DEFAULT_NAME: &str = "events.forebear";

/// Events that are listed where a beginning fits several.
const MAX_LISTED: usize = 20;

/// Hexadecimal digits from which on the name of an event that is to be linked
/// is taken for the beginning of an id, too.
const MIN_PREFIX: usize = 4;

/// How often a page is asked for that needs what expires meanwhile.
const ASKED_MAX: usize = 5;

/// What events are written to.
#[derive(Debug)]
pub(crate) enum WriteTarget {
    /// The store.
    Store(Store),
    /// The spool of a store that another process has open.
    Spool(HeldSpool),
}

/// The spool of a store, and who has that open.
#[derive(Debug)]
pub(crate) struct HeldSpool {
    spool: Spool,
    /// Such as `process 4711 (forebear)`.
    holder: String,
}

impl Deref for HeldSpool {
    type Target = Spool;

    fn deref(&self) -> &Spool {
        &self.spool
    }
}

impl WriteTarget {
    /// The store as it is now.
    pub(crate) fn snapshot(&self, global: &Global) -> Result<Snapshot, CommandFailure> {
        match self {
            WriteTarget::Store(store) => Ok(store.snapshot()),
            WriteTarget::Spool(_) => snapshot(global),
        }
    }
}

/// Opens the store to write to it as [`open_or_make`] does, and where another process
/// has it open, its spool; that is said.
pub(crate) fn open_or_hand_in(global: &Global) -> Result<WriteTarget, CommandFailure> {
    match open_or_make_unless_held(global)? {
        OpenedOrHeld::Store(store) => Ok(WriteTarget::Store(store)),
        OpenedOrHeld::Held(held) => {
            warn(&format!("forebear: {held}; handing in through its spool"));
            let holder = held.lock_holder().unwrap_or("the other process").to_owned();
            let spool = Spool::open_with(store_path(global)?, builder())?;
            Ok(WriteTarget::Spool(HeldSpool { spool, holder }))
        }
    }
}

/// As [`open_or_hand_in`], for a store that is there. It is never made.
pub(crate) fn open_existing_or_hand_in(global: &Global) -> Result<WriteTarget, CommandFailure> {
    existing(global)?;
    open_or_hand_in(global)
}

/// Closes a store that was written to, and says what went wrong behind the scenes.
pub(crate) fn close(store: Store) -> Result<(), CommandFailure> {
    let warnings = store.clone();
    let outcome = store.close();
    for warning in warnings.warnings() {
        warn(&format!("forebear: {warning}"));
    }
    Ok(outcome?)
}

/// Ends handing in, and says to whom. The last of the batches that were handed in is waited
/// for if that is wanted: all before it have been taken in then, too.
pub(crate) fn finish_handing_in(
    spool: &HeldSpool,
    last: Option<&Ticket>,
    wait: bool,
) -> Result<(), CommandFailure> {
    match last {
        Some(ticket) if wait => while !ticket.wait(Duration::from_mins(1))? {},
        // The other process may have ended meanwhile.
        _ => drop(spool.drain_if_free()?),
    }
    if last.is_some() {
        let took = if wait { ", which took it in" } else { "" };
        warn(&format!("forebear: handed to {}{took}", spool.holder));
    }
    Ok(())
}

/// Opens a store that is there to write to it. It is never made.
pub(crate) fn open_existing(global: &Global) -> Result<Store, CommandFailure> {
    open(&existing(global)?)
}

/// Makes the manifest of a store that is there again, where it can't be used; and has what the
/// folder `from` has take the place of damaged segments.
pub(crate) fn repair(global: &Global, from: Option<&Path>) -> Result<Repaired, CommandFailure> {
    let store = existing(global)?;
    Ok(match from {
        None => builder().repair(store)?,
        Some(from) => builder().repair_from(store, from)?,
    })
}

/// The spool of the store, both made if they are missing.
pub(crate) fn spool(global: &Global) -> Result<Spool, CommandFailure> {
    let path = store_path(global)?;
    if global.store.is_none() {
        make_folder_above(&path)?;
    }
    Ok(Spool::open_with(path, builder())?)
}

/// Opens a store that is there for reading, which takes no lock: another process may
/// be writing to it. What waits in its spool while nobody does is taken in first.
pub(crate) fn reader(global: &Global) -> Result<Reader, CommandFailure> {
    let path = store_path(global)?;
    let waits = |mut entries: fs::ReadDir| entries.any(|entry| entry.is_ok());
    if path.join("spool").read_dir().is_ok_and(waits)
        && let Err(error) =
            Spool::open_with(&path, builder()).and_then(|spool| spool.drain_if_free())
    {
        warn(&format!("forebear: what waits in the spool can't be taken in: {error:#}"));
    }
    let reader = forebear::read(existing(global)?)?;
    report_warnings(&reader, 0);
    Ok(reader)
}

/// A store that is there, for what is listed page by page.
pub(crate) fn pages(global: &Global) -> Result<Paging, CommandFailure> {
    let reader = reader(global)?;
    let snapshot = RefCell::new(reader.snapshot()?);
    Ok(Paging { reader, snapshot })
}

/// The store as of one moment, moved on to a later one only where a page needs what
/// has expired since.
pub(crate) struct Paging {
    reader: Reader,
    snapshot: RefCell<Snapshot>,
}

impl Paging {
    /// The moment that is asked now.
    pub(crate) fn now(&self) -> Ref<'_, Snapshot> {
        self.snapshot.borrow()
    }

    /// Asks for a page.
    pub(crate) fn ask<T>(
        &self,
        question: impl Fn(&Snapshot) -> forebear::Result<T>,
    ) -> forebear::Result<T> {
        for _ in 1..ASKED_MAX {
            match question(&self.now()) {
                Err(error) if error.is_expired() => {}
                answer => return answer,
            }
            self.snapshot.replace(self.reader.snapshot()?);
        }
        question(&self.now())
    }
}

/// A store that is there, as it is now.
pub(crate) fn snapshot(global: &Global) -> Result<Snapshot, CommandFailure> {
    Ok(reader(global)?.snapshot()?)
}

/// Says what could not be read since the warning with this number: a loss is never
/// passed over in silence. Returns the number of the last one.
pub(crate) fn report_warnings(reader: &Reader, after: u64) -> u64 {
    reader.warnings_after(after).iter().fold(after, |_, warning| {
        warn(&format!("forebear: {warning}"));
        warning.number()
    })
}

/// The number of the last warning that opening the reader reported.
pub(crate) fn last_warning(reader: &Reader) -> u64 {
    reader.warnings().last().map_or(0, Warning::number)
}

/// Opens the store to write to it, making it if there is none, and says so: a
/// path that is mistyped should not go unnoticed.
pub(crate) fn open_or_make(global: &Global) -> Result<Store, CommandFailure> {
    match open_or_make_unless_held(global)? {
        OpenedOrHeld::Store(store) => Ok(store),
        OpenedOrHeld::Held(held) => Err(held.into()),
    }
}

enum OpenedOrHeld {
    Store(Store),
    /// Another process has it open.
    Held(forebear::Error),
}

fn open_or_make_unless_held(global: &Global) -> Result<OpenedOrHeld, CommandFailure> {
    let path = store_path(global)?;
    if global.store.is_none() {
        make_folder_above(&path)?;
    }
    let is_new = !folder::holds_store(&path);
    let store = match builder().open(&path) {
        Err(error) if error.is_locked() => return Ok(OpenedOrHeld::Held(error)),
        store => store?,
    };
    report_recovery(store.recovery());
    if is_new {
        keep_from_git(&path);
        warn(&format!("forebear: made a new store at {}", path.display()));
    }
    Ok(OpenedOrHeld::Store(store))
}

/// Keeps a new store out of a repository that it may lie in: it holds what was said, and
/// grows. Where that can't be written, the store is none the worse.
fn keep_from_git(store: &Path) {
    let file = File::create_new(store.join(".gitignore"));
    let _ = file.and_then(|mut file| file.write_all(b"*\n"));
}

/// The one event that `text` names or begins.
pub(crate) fn find(snapshot: &Snapshot, text: &str) -> Result<EventId, CommandFailure> {
    match snapshot.resolve(text)? {
        Resolved::One(id) => Ok(id),
        Resolved::Many(ids) => Err(ambiguous(snapshot, text, &ids)?),
        Resolved::None => Err(CommandFailure::NothingFound(format!(
            "no event has the id {text:?} or a UUID that begins with it; \
             `forebear recent` and `forebear events` list ids"
        ))),
    }
}

/// What a name of one event or session is of.
#[derive(Debug)]
pub(crate) enum EventOrSession {
    Event(EventId),
    /// A session; of an agent, `SESSION/AGENT`.
    Session(String),
}

/// The one event or session that `text` names or begins.
pub(crate) fn find_event_or_session(
    snapshot: &Snapshot,
    text: &str,
) -> Result<EventOrSession, CommandFailure> {
    match find_named(snapshot, text)? {
        Named::Event(id) => Ok(EventOrSession::Event(id)),
        Named::Session(name) => Ok(EventOrSession::Session(name)),
        Named::Events(ids) => Err(ambiguous(snapshot, text, &ids)?),
        Named::Sessions(many) => Err(several_sessions(text, &many)),
        _ => Err(CommandFailure::NothingFound(format!(
            "no event and no session has the id {text:?} or one that begins with it; \
             `forebear sessions` and `forebear events` list ids"
        ))),
    }
}

/// The session that `text` names or begins, an agent's as `SESSION/AGENT`; or that of the
/// event which it does.
pub(crate) fn find_session(snapshot: &Snapshot, text: &str) -> Result<String, CommandFailure> {
    match answers::find_session(snapshot, text)? {
        NamedSession::One(name) => Ok(name),
        NamedSession::Several(many) => Err(several_sessions(text, &many)),
        NamedSession::Events(ids) => Err(ambiguous(snapshot, text, &ids)?),
        NamedSession::EventWithout(id) => {
            Err(CommandFailure::NothingFound(format!("the event {id} is of no session")))
        }
        _ => Err(CommandFailure::NothingFound(format!(
            "no session has the name {text} or one that begins with it; `forebear sessions` \
             lists them"
        ))),
    }
}

fn several_sessions(text: &str, many: &[String]) -> CommandFailure {
    CommandFailure::Usage(format!(
        "several sessions begin with {text:?}; give more of the one you mean:\n  {}",
        many[..many.len().min(MAX_LISTED)].join("\n  ")
    ))
}

/// The event that `text` names or, if it is long enough for that, begins; where
/// there is none yet, the id as it stands.
pub(crate) fn find_or_name(snapshot: &Snapshot, text: &str) -> Result<EventId, CommandFailure> {
    let looks_like_prefix =
        text.len() >= MIN_PREFIX && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    if !looks_like_prefix || snapshot.contains(text)? {
        return Ok(EventId::from(text));
    }
    match snapshot.resolve(text)? {
        Resolved::One(id) => Ok(id),
        Resolved::Many(ids) => Err(ambiguous(snapshot, text, &ids)?),
        Resolved::None => Ok(EventId::from(text)),
    }
}

/// The path of a store that is there.
fn existing(global: &Global) -> Result<PathBuf, CommandFailure> {
    let path = store_path(global)?;
    if !folder::holds_store(&path) {
        return Err(CommandFailure::Failed(format!(
            "there is no store at {}; make one with `forebear import` or `forebear append`, \
             or name another with --store PATH or FOREBEAR_STORE",
            path.display()
        )));
    }
    Ok(path)
}

/// The store's folder, be there one or not.
pub(crate) fn store_path(global: &Global) -> Result<PathBuf, CommandFailure> {
    if let Some(path) = &global.store {
        return Ok(path.clone());
    }
    Ok(data_folder()?.join(DEFAULT_NAME))
}

/// The program's folder in the platform's data folder.
pub(crate) fn data_folder() -> Result<PathBuf, CommandFailure> {
    let strategy = etcetera::base_strategy::choose_native_strategy().map_err(|_| {
        CommandFailure::Failed(
            "there is no home folder to keep a store in; name one with --store PATH or FOREBEAR_STORE"
                .to_owned(),
        )
    })?;
    Ok(strategy.data_dir().join("forebear"))
}

/// How the program opens stores: with a decoder for all that it hands in itself.
fn builder() -> StoreBuilder {
    forebear::builder()
}

fn open(path: &Path) -> Result<Store, CommandFailure> {
    let store = builder().open(path)?;
    report_recovery(store.recovery());
    Ok(store)
}

/// Says what opening had to mend: a loss is never passed over in silence.
fn report_recovery(report: &RecoveryReport) {
    for (what, damages) in
        [("cut off a torn end", &report.cut), ("skipped damage", &report.skipped)]
    {
        for damage in damages {
            warn(&format!(
                "forebear: {what}: {} at byte {}, {} bytes, kept in {}: {}",
                damage.file, damage.offset, damage.length, damage.kept_in, damage.reason
            ));
        }
    }
    if let Some(repair) = &report.manifest {
        warn(&format!("forebear: {repair}"));
    }
}

/// Makes the folder that the store is to be made in, where it is the usual one.
pub(crate) fn make_folder_of_store(global: &Global) -> Result<(), CommandFailure> {
    if global.store.is_none() {
        make_folder_above(&store_path(global)?)?;
    }
    Ok(())
}

fn make_folder_above(path: &Path) -> Result<(), CommandFailure> {
    let Some(parent) = path.parent() else { return Ok(()) };
    make_folder(parent).map_err(|error| {
        CommandFailure::Failed(format!("making the folder {}: {error}", parent.display()))
    })
}

/// The data folder's own folders are private: transcripts hold secrets.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn ambiguous(
    snapshot: &Snapshot,
    text: &str,
    ids: &[EventId],
) -> Result<CommandFailure, CommandFailure> {
    let mut message = format!("several ids begin with {text:?}; give more of the one you mean:");
    for id in ids.iter().take(MAX_LISTED) {
        let Some(event) = snapshot.get(id)? else {
            continue;
        };
        let line = format!(
            "\n  {}  {}  {:<17}  {}",
            text::clean(&id.to_string()),
            time::clock(event.time_ns()),
            text::clean(event.kind()),
            gist::of_event(&event),
        );
        // Writing to a string cannot fail.
        let _ = write!(message, "{}", text::cut(&line, 160));
    }
    if ids.len() > MAX_LISTED {
        message.push_str("\n  and more");
    }
    Ok(CommandFailure::Usage(message))
}
