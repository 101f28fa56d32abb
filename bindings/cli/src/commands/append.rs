//! `forebear append`: one event from the command line, or many as JSON.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use clap::{Args, ValueEnum};
use forebear::{
    Batch, Durability, Event, EventId, LinkKind, Receipt, Scope, Spool, Store, Ticket, limits,
};
use forebear_wire::event_line;
use serde::Serialize;

use crate::command::Run;
use crate::failure::{CommandFailure, CommandResult, warn};
use crate::global::Global;
use crate::output::{Out, text, time};
use crate::parse::key_value;
use crate::place::{self, WriteTarget};

/// Events that may wait for their answers.
const OUTSTANDING: usize = 1024;

/// Bytes of a line beyond the payload's: all other fields at their limits, and
/// escaped.
const LINE_SLACK_BYTES: usize = 1 << 20;

/// Lines that are handed in together, and bytes of them.
const HANDED_IN_LINES: usize = 1000;
const HANDED_IN_BYTES: usize = 1 << 20;

/// Append an event, or with --json many
///
/// Prints the event's id once it is stored. With --json, events are read from
/// FILE or standard input, an object on each line; each line is answered in
/// order, as soon as its event is as durable as asked.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json a line is an object with the keys
  kind (required), id (else a new UUIDv7), parent, link (caused, continues, spawned),
  time (RFC 3339 or integer ns; else now), instance, session, scope (session, own),
  labels (an object), payload (any JSON, kept byte for byte), payload_text or payload_base64,
  payload_type (what the payload is in), revision (true: it replaces what its id says),
  usage (message, input, output, cache_read, cache_written: the tokens of a message),
  derived_id (true: it came without an id, and this one was made)
and its answer {\"id\", \"seq\", \"status\"}, status being new, repeat or version, or
{\"error\", \"line\"}, lines counted from 1. After an error it goes on, and exits 1 in the end.
Where nobody reads the answers any more it stops, and exits 1 as well.

Where another process has the store open for writing, events are handed in through the
store's spool, and that process takes them in, in order, within a moment. They survive a
power loss by then; the status is handed_in and seq is null.

A line without an id gets a new one each time: sent again, it is stored as another event.
One with an id but without a time gets the time at which it is read: sent again, it is
stored as another version. Lines that may be sent again need both.

A copy of events into another store is made as in the last example; what was said of
sessions and asserted of parents is no event, the parents that they have are in it.

Examples:
  forebear append user_message --id ask --payload 'Why is it slow?'
  forebear append tool_use --parent ask --label tool=Bash --payload @call.json
  echo '{\"kind\":\"error\",\"parent\":\"ask\"}' | forebear append --json
  forebear export --format jsonl | forebear append --json --store other")]
pub(crate) struct AppendArgs {
    /// The event's kind; with --json the file to read, or `-` for standard input
    #[arg(value_name = "KIND|FILE", required_unless_present = "json")]
    what: Option<String>,

    /// Its id [default: a new UUIDv7]
    #[arg(long, conflicts_with = "json")]
    id: Option<String>,

    /// The event that caused it: its id, or the beginning of it
    #[arg(long, value_name = "ID", conflicts_with = "json")]
    parent: Option<String>,

    /// How it follows from its parent: caused, continues or spawned
    #[arg(long, conflicts_with = "json", requires = "parent")]
    link: Option<LinkKind>,

    /// When it happened: RFC 3339, integer nanoseconds, or how long ago [default: now]
    #[arg(long, value_parser = time::parse, allow_hyphen_values = true, conflicts_with = "json")]
    time: Option<i64>,

    /// The agent, process or thread it belongs to
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    instance: Option<String>,

    /// The session it belongs to
    #[arg(long, value_name = "NAME", conflicts_with = "json")]
    session: Option<String>,

    /// Whose its events are in the session: the session's (session), or those of its
    /// instance, an actor of its own there, such as an agent (own) [default: session]
    #[arg(long, conflicts_with = "json", requires = "session")]
    scope: Option<Scope>,

    /// It replaces what its id says in its session: the newest revision is what is read
    #[arg(long, conflicts_with = "json", requires = "id")]
    revision: bool,

    /// A label; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "json")]
    label: Vec<(String, String)>,

    /// Its payload: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "TEXT|@FILE|-", allow_hyphen_values = true, conflicts_with = "json")]
    payload: Option<String>,

    /// What the payload is in, such as acme.order.v2
    #[arg(long, value_name = "NAME", conflicts_with = "json", requires = "payload")]
    payload_type: Option<String>,

    /// What an answer promises: that the event survives a power loss (sync), a
    /// killed process (flush), or neither (buffered)
    #[arg(long, value_name = "LEVEL", default_value = "sync")]
    durability: Level,

    /// Where another process has the store open: wait until it has taken the events in
    #[arg(long)]
    wait: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Level {
    Sync,
    Flush,
    Buffered,
}

impl From<Level> for Durability {
    fn from(level: Level) -> Self {
        match level {
            Level::Sync => Durability::Sync,
            Level::Flush => Durability::Flush,
            Level::Buffered => Durability::Buffered,
        }
    }
}

impl Run for AppendArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        if global.json { append_lines(self, global) } else { append_one(self, global) }
    }
}

fn append_one(args: &AppendArgs, global: &Global) -> CommandResult {
    // A payload that cannot be read must not leave an empty store behind.
    let payload = args.payload.as_deref().map(read_payload).transpose()?;
    let target = place::open_or_hand_in(global)?;
    let mut event = Event::new(args.what.as_deref().unwrap_or_default());
    if let Some(id) = &args.id {
        event = event.id(id);
    }
    if let Some(parent) = &args.parent {
        event = event.parent(place::find_or_name(&target.snapshot(global)?, parent)?);
    }
    if let Some(link) = args.link {
        event = event.link(link);
    }
    if let Some(time_ns) = args.time {
        event = event.time_ns(time_ns);
    }
    if let Some(instance) = &args.instance {
        event = event.instance(instance);
    }
    if let Some(session) = &args.session {
        event = event.session(session);
    }
    if let Some(scope) = args.scope {
        event = event.scope(scope);
    }
    if args.revision {
        event = event.revision();
    }
    for (key, value) in &args.label {
        event = event.label(key, value);
    }
    if let Some(payload) = payload {
        event = event.payload(payload);
    }
    if let Some(name) = &args.payload_type {
        event = event.payload_type(name);
    }
    let mut out = Out::new();
    let store = match target {
        WriteTarget::Store(store) => store,
        WriteTarget::Spool(spool) => {
            let ticket = spool.submit(event)?;
            place::finish_handing_in(&spool, Some(&ticket), args.wait)?;
            for id in ticket.ids() {
                writeln!(out, "{}", text::clean(&id.to_string()))?;
            }
            out.finish()?;
            return Ok(());
        }
    };
    let written = store.write(Batch::from(event).durability(args.durability.into()))?;
    place::close(store)?;
    for appended in written.events {
        writeln!(out, "{}", text::clean(&appended.id.to_string()))?;
        match appended.status {
            forebear::AppendStatus::New => {}
            status => warn(&format!("forebear: the id was known: {}", status.as_str())),
        }
    }
    out.finish()?;
    Ok(())
}

fn read_payload(argument: &str) -> Result<Vec<u8>, CommandFailure> {
    let read = match (argument, argument.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        (_, Some(file)) => fs::read(file),
        (text, None) => Ok(text.as_bytes().to_vec()),
    };
    read.map_err(|error| {
        CommandFailure::Failed(format!("reading the payload from {argument}: {error}"))
    })
}

/// What becomes of a line: it was handed to the writer, or is no event.
type Submitted = Result<LineAnswer, String>;

/// What a line is answered from.
enum LineAnswer {
    Written(Receipt),
    HandedIn(EventId),
}

fn append_lines(args: &AppendArgs, global: &Global) -> CommandResult {
    let source = args.what.as_deref().filter(|file| *file != "-");
    let input: Box<dyn Read> = match source {
        Some(file) => Box::new(File::open(file).map_err(|error| {
            CommandFailure::Failed(format!(
                "opening {file}, as with --json events are read from a file: {error}"
            ))
        })?),
        None => Box::new(io::stdin()),
    };
    let mut input = BufReader::with_capacity(1 << 16, input);
    let target = place::open_or_hand_in(global)?;
    let (sender, receiver) = sync_channel(OUTSTANDING);

    // One thread reads and submits, the other waits and answers: so a writer
    // that waits for each answer gets it, and one that doesn't isn't held up.
    let (read, answered) = thread::scope(|scope| {
        let answers = scope.spawn(move || answer_all(&receiver, Out::new()));
        let mut sink = match &target {
            WriteTarget::Store(store) => EventSink::Store(store, args.durability.into()),
            WriteTarget::Spool(spool) => EventSink::Spool(HandingIn::new(spool)),
        };
        let read = submit_all(&mut sink, &mut input, &sender);
        drop(sender);
        let last = match sink {
            EventSink::Store(..) => None,
            EventSink::Spool(handing_in) => handing_in.last,
        };
        (read.map(|lines| (lines, last)), answers.join())
    });
    let closed = match &target {
        WriteTarget::Store(store) => place::close(store.clone()),
        WriteTarget::Spool(_) => Ok(()),
    };
    let (lines, last) = read.map_err(|error| {
        CommandFailure::Failed(format!("reading {}: {error}", source.unwrap_or("standard input")))
    })?;
    closed?;
    if let WriteTarget::Spool(spool) = &target {
        place::finish_handing_in(spool, last.as_ref(), args.wait)?;
    }
    let refused = answered
        .unwrap_or_else(|_| {
            Err(CommandFailure::Failed("the thread that answers has died".to_owned()))
        })
        .map_err(|failure| match failure {
            // Unlike a reader's, the work is not done only because nobody looks on.
            CommandFailure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                CommandFailure::Failed(format!(
                    "nobody reads the answers; stopped after line {lines}"
                ))
            }
            other => other,
        })?;
    if refused > 0 {
        return Err(CommandFailure::Failed(format!(
            "{} of {} refused",
            text::thousands(refused),
            text::counted(lines, "line was", "lines were")
        )));
    }
    Ok(())
}

/// Hands each line's event to the writer. It ends with the input, or when nobody
/// reads the answers any more, and says how many lines there were.
fn submit_all(
    sink: &mut EventSink<'_>,
    input: &mut BufReader<Box<dyn Read>>,
    answers: &SyncSender<(u64, Submitted)>,
) -> io::Result<u64> {
    let limit = sink.max_payload_bytes() + LINE_SLACK_BYTES;
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        // Before it waits for the next line: whoever writes that may wait for answers.
        if input.buffer().is_empty() && !sink.hand_in(answers) {
            return Ok(number);
        }
        let read = read_line(input, &mut line, limit)?;
        if read == AppendLine::End {
            sink.hand_in(answers);
            return Ok(number);
        }
        number += 1;
        let event = if read == AppendLine::TooLong {
            Err(format!("expected a line of at most {limit} bytes, found a longer one"))
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            event_line::parse(&line)
        };
        if !sink.take(number, line.len(), event, answers) {
            return Ok(number);
        }
        if line.capacity() > LINE_SLACK_BYTES {
            line = Vec::new();
        }
    }
}

/// Where the events of lines go.
enum EventSink<'s> {
    Store(&'s Store, Durability),
    Spool(HandingIn<'s>),
}

impl EventSink<'_> {
    fn max_payload_bytes(&self) -> usize {
        match self {
            EventSink::Store(store, _) => store.max_payload_bytes(),
            EventSink::Spool(_) => limits::MAX_BATCH_BYTES,
        }
    }

    /// Takes what came of a line; false where nobody reads the answers any more.
    fn take(
        &mut self,
        line: u64,
        bytes: usize,
        event: Result<Event, String>,
        answers: &SyncSender<(u64, Submitted)>,
    ) -> bool {
        match self {
            EventSink::Store(store, durability) => {
                let submit = |event| store.submit(Batch::from(event).durability(*durability));
                let submitted = event.and_then(|event| {
                    submit(event).map(LineAnswer::Written).map_err(|error| format!("{error:#}"))
                });
                answers.send((line, submitted)).is_ok()
            }
            EventSink::Spool(handing_in) => {
                handing_in.lines.push((line, event));
                handing_in.bytes += bytes;
                !handing_in.is_full() || handing_in.hand_in(answers)
            }
        }
    }

    /// Hands in what was collected; false where nobody reads the answers any more.
    fn hand_in(&mut self, answers: &SyncSender<(u64, Submitted)>) -> bool {
        match self {
            EventSink::Store(..) => true,
            EventSink::Spool(handing_in) => handing_in.hand_in(answers),
        }
    }
}

/// Lines that are collected for the spool: one file for many of them.
struct HandingIn<'s> {
    spool: &'s Spool,
    lines: Vec<(u64, Result<Event, String>)>,
    bytes: usize,
    /// What was handed in last.
    last: Option<Ticket>,
}

impl<'s> HandingIn<'s> {
    fn new(spool: &'s Spool) -> Self {
        Self { spool, lines: Vec::new(), bytes: 0, last: None }
    }

    fn is_full(&self) -> bool {
        self.lines.len() >= HANDED_IN_LINES || self.bytes >= HANDED_IN_BYTES
    }

    /// Hands in what was collected and answers its lines; false where nobody reads the
    /// answers any more.
    fn hand_in(&mut self, answers: &SyncSender<(u64, Submitted)>) -> bool {
        self.bytes = 0;
        let lines = std::mem::take(&mut self.lines);
        let events = lines.iter().filter_map(|(_, event)| event.as_ref().ok().cloned());
        let mut submitted = self.submit(events.collect()).into_iter();
        lines.into_iter().all(|(line, event)| {
            let id = event.and_then(|_| submitted.next().unwrap_or_else(|| Err(String::new())));
            answers.send((line, id.map(LineAnswer::HandedIn))).is_ok()
        })
    }

    /// Hands events in; returns the id of each, or why it was refused.
    fn submit(&mut self, events: Vec<Event>) -> Vec<Result<EventId, String>> {
        if events.is_empty() {
            return Vec::new();
        }
        match self.spool.submit(events.clone()) {
            Ok(ticket) => {
                let ids = ticket.ids().iter().cloned().map(Ok).collect();
                self.last = Some(ticket);
                ids
            }
            // One of them is none that can be stored; the others are.
            Err(error) if error.is_invalid() && events.len() > 1 => {
                events.into_iter().flat_map(|event| self.submit(vec![event])).collect()
            }
            Err(error) => vec![Err(format!("{error:#}")); events.len()],
        }
    }
}

/// Answers each line once its event is stored, and counts those that were refused.
fn answer_all(lines: &Receiver<(u64, Submitted)>, mut out: Out) -> Result<u64, CommandFailure> {
    #[derive(Serialize)]
    struct Stored<'a> {
        id: String,
        seq: Option<u64>,
        status: &'a str,
    }
    #[derive(Serialize)]
    struct RefusedLine<'a> {
        error: &'a str,
        line: u64,
    }

    let mut refused = 0;
    loop {
        let (line, submitted) = match lines.try_recv() {
            Ok(next) => next,
            Err(TryRecvError::Disconnected) => break,
            Err(TryRecvError::Empty) => {
                // Whoever hands in the next line may first wait for this answer.
                out.flush()?;
                match lines.recv() {
                    Ok(next) => next,
                    Err(_) => break,
                }
            }
        };
        let written = match submitted {
            Ok(LineAnswer::HandedIn(id)) => {
                out.json(&Stored { id: id.to_string(), seq: None, status: "handed_in" })?;
                continue;
            }
            Ok(LineAnswer::Written(receipt)) => {
                if !receipt.is_ready() {
                    out.flush()?;
                }
                receipt.wait().map_err(|error| format!("{error:#}"))
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => {
                for appended in written.events {
                    out.json(&Stored {
                        id: appended.id.to_string(),
                        seq: Some(appended.seq),
                        status: appended.status.as_str(),
                    })?;
                }
            }
            Err(error) => {
                refused += 1;
                out.json(&RefusedLine { error: &error, line })?;
            }
        }
    }
    out.finish()?;
    Ok(refused)
}

#[derive(PartialEq, Eq)]
enum AppendLine {
    Whole,
    TooLong,
    End,
}

/// Reads a line, its end included. Of one that is longer than `limit` nothing is
/// kept.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<AppendLine> {
    line.clear();
    let mut read = AppendLine::End;
    loop {
        let bytes = match input.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(read);
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let length = end.map_or(bytes.len(), |end| end + 1);
        if line.len() + length > limit {
            read = AppendLine::TooLong;
            *line = Vec::new();
        } else if read != AppendLine::TooLong {
            read = AppendLine::Whole;
            line.extend_from_slice(&bytes[..length]);
        }
        input.consume(length);
        if end.is_some() {
            return Ok(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let text = format!("short\n{}\nlast", "x".repeat(100));
        let mut input = BufReader::with_capacity(8, text.as_bytes());
        let mut line = Vec::new();
        assert!(read_line(&mut input, &mut line, 20).unwrap() == AppendLine::Whole);
        assert_eq!(line, b"short\n");
        assert!(read_line(&mut input, &mut line, 20).unwrap() == AppendLine::TooLong);
        assert!(read_line(&mut input, &mut line, 20).unwrap() == AppendLine::Whole);
        assert_eq!(line, b"last");
        assert!(read_line(&mut input, &mut line, 20).unwrap() == AppendLine::End);
    }
}
