//! `forebear append`: one event from the command line, or many as JSON.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;

use clap::{Args, ValueEnum};
use forebear::{Batch, Durability, Event, LinkKind, Receipt, Store};
use serde::Serialize;

use crate::args::{Global, key_value};
use crate::commands::append_line;
use crate::failure::{Failure, Outcome, note};
use crate::output::{Out, text, time};
use crate::place;

/// Events that may wait for their answers.
const OUTSTANDING: usize = 1024;

/// Bytes of a line beyond the payload's: all other fields at their limits, and
/// escaped.
const LINE_SLACK_BYTES: usize = 1 << 20;

/// Append an event, or with --json many
///
/// Prints the event's id once it is stored. With --json, events are read from
/// FILE or standard input, an object on each line; each line is answered in
/// order, as soon as its event is as durable as asked.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json a line is an object with the keys
  kind (required), id (else a new UUIDv7), parent, link (caused, continues, spawned),
  time (RFC 3339 or integer ns; else now), instance, session, labels (an object),
  payload (any JSON, kept byte for byte), payload_text or payload_base64
and its answer {\"id\", \"seq\", \"status\"}, status being new, repeat or version, or
{\"error\", \"line\"}, lines counted from 1. After an error it goes on, and exits 1 in the end.
Where nobody reads the answers any more it stops, and exits 1 as well.

A line without an id gets a new one each time: sent again, it is stored as another event.
One with an id but without a time gets the time at which it is read: sent again, it is
stored as another version. Lines that may be sent again need both.

A copy of events into another store is made as in the last example. In it, an event that
came without an id of its own (`derived_id`) counts as having one; `forebear export -o FILE`
and `forebear import FILE` keep the difference for what came from transcripts.

Examples:
  forebear append user_message --id ask --payload 'Why is it slow?'
  forebear append tool_use --parent ask --label tool=Bash --payload @call.json
  echo '{\"kind\":\"error\",\"parent\":\"ask\"}' | forebear append --json
  forebear events --all --oldest-first --json --payload | forebear append --json --store other")]
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

    /// A label; can be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = key_value, conflicts_with = "json")]
    label: Vec<(String, String)>,

    /// Its payload: the text itself, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "TEXT|@FILE|-", allow_hyphen_values = true, conflicts_with = "json")]
    payload: Option<String>,

    /// What an answer promises: that the event survives a power loss (sync), a
    /// killed process (flush), or neither (buffered)
    #[arg(long, value_name = "LEVEL", default_value = "sync")]
    durability: Level,
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

pub(crate) fn run(args: &AppendArgs, global: &Global) -> Outcome {
    if global.json { append_lines(args, global) } else { append_one(args, global) }
}

fn append_one(args: &AppendArgs, global: &Global) -> Outcome {
    // A payload that cannot be read must not leave an empty store behind.
    let payload = args.payload.as_deref().map(read_payload).transpose()?;
    let store = place::open_or_make(global)?;
    let mut event = Event::new(args.what.as_deref().unwrap_or_default());
    if let Some(id) = &args.id {
        event = event.id(id);
    }
    if let Some(parent) = &args.parent {
        event = event.parent(place::find_or_name(&store.snapshot(), parent)?);
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
    for (key, value) in &args.label {
        event = event.label(key, value);
    }
    if let Some(payload) = payload {
        event = event.payload(payload);
    }
    let written = store.write(Batch::from(event).durability(args.durability.into()))?;
    store.close()?;
    let mut out = Out::new();
    for appended in written.events {
        writeln!(out, "{}", text::clean(&appended.id.to_string()))?;
        match appended.status {
            forebear::AppendStatus::New => {}
            status => note(&format!("forebear: the id was known: {}", status.as_str())),
        }
    }
    out.finish()?;
    Ok(())
}

fn read_payload(argument: &str) -> Result<Vec<u8>, Failure> {
    let read = match (argument, argument.strip_prefix('@')) {
        ("-", _) => {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
        }
        (_, Some(file)) => fs::read(file),
        (text, None) => Ok(text.as_bytes().to_vec()),
    };
    read.map_err(|error| Failure::Failed(format!("reading the payload from {argument}: {error}")))
}

/// What becomes of a line: it was handed to the writer, or is no event.
type Submitted = Result<Receipt, String>;

fn append_lines(args: &AppendArgs, global: &Global) -> Outcome {
    let source = args.what.as_deref().filter(|file| *file != "-");
    let mut input: Box<dyn BufRead> = match source {
        Some(file) => File::open(file)
            .map(|file| Box::new(BufReader::with_capacity(1 << 16, file)))
            .map_err(|error| {
                Failure::Failed(format!(
                    "opening {file}, as with --json events are read from a file: {error}"
                ))
            })?,
        None => Box::new(BufReader::with_capacity(1 << 16, io::stdin())),
    };
    let store = place::open_or_make(global)?;
    let (sender, receiver) = sync_channel(OUTSTANDING);

    // One thread reads and submits, the other waits and answers: so a writer
    // that waits for each answer gets it, and one that doesn't isn't held up.
    let (read, answered) = thread::scope(|scope| {
        let answers = scope.spawn(move || answer_all(&receiver, Out::new()));
        let read = submit_all(&store, &mut *input, args.durability.into(), &sender);
        drop(sender);
        (read, answers.join())
    });
    let closed = store.close();
    let lines = read.map_err(|error| {
        Failure::Failed(format!("reading {}: {error}", source.unwrap_or("standard input")))
    })?;
    closed?;
    let refused = answered
        .unwrap_or_else(|_| Err(Failure::Failed("the thread that answers has died".to_owned())))
        .map_err(|failure| match failure {
            // Unlike a reader's, the work is not done only because nobody looks on.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                Failure::Failed(format!("nobody reads the answers; stopped after line {lines}"))
            }
            other => other,
        })?;
    if refused > 0 {
        return Err(Failure::Failed(format!(
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
    store: &Store,
    input: &mut dyn BufRead,
    durability: Durability,
    answers: &SyncSender<(u64, Submitted)>,
) -> io::Result<u64> {
    let limit = store.max_payload_bytes() + LINE_SLACK_BYTES;
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        let read = read_line(input, &mut line, limit)?;
        if read == Line::End {
            return Ok(number);
        }
        number += 1;
        let submitted = if read == Line::TooLong {
            Err(format!("expected a line of at most {limit} bytes, found a longer one"))
        } else if line.trim_ascii().is_empty() {
            continue;
        } else {
            append_line::parse(&line).and_then(|event| {
                store
                    .submit(Batch::from(event).durability(durability))
                    .map_err(|error| error.to_string())
            })
        };
        if answers.send((number, submitted)).is_err() {
            return Ok(number);
        }
        if line.capacity() > LINE_SLACK_BYTES {
            line = Vec::new();
        }
    }
}

/// Answers each line once its event is stored, and counts those that were refused.
fn answer_all(lines: &Receiver<(u64, Submitted)>, mut out: Out) -> Result<u64, Failure> {
    #[derive(Serialize)]
    struct Stored<'a> {
        id: String,
        seq: u64,
        status: &'a str,
    }
    #[derive(Serialize)]
    struct Refused<'a> {
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
            Ok(receipt) => {
                if !receipt.is_ready() {
                    out.flush()?;
                }
                receipt.wait().map_err(|error| error.to_string())
            }
            Err(error) => Err(error),
        };
        match written {
            Ok(written) => {
                for appended in written.events {
                    out.json(&Stored {
                        id: appended.id.to_string(),
                        seq: appended.seq,
                        status: appended.status.as_str(),
                    })?;
                }
            }
            Err(error) => {
                refused += 1;
                out.json(&Refused { error: &error, line })?;
            }
        }
    }
    out.finish()?;
    Ok(refused)
}

#[derive(PartialEq, Eq)]
enum Line {
    Whole,
    TooLong,
    End,
}

/// Reads a line, its end included. Of one that is longer than `limit` nothing is
/// kept.
fn read_line(input: &mut dyn BufRead, line: &mut Vec<u8>, limit: usize) -> io::Result<Line> {
    line.clear();
    let mut read = Line::End;
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
            read = Line::TooLong;
            *line = Vec::new();
        } else if read != Line::TooLong {
            read = Line::Whole;
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
        assert!(read_line(&mut input, &mut line, 20).unwrap() == Line::Whole);
        assert_eq!(line, b"short\n");
        assert!(read_line(&mut input, &mut line, 20).unwrap() == Line::TooLong);
        assert!(read_line(&mut input, &mut line, 20).unwrap() == Line::Whole);
        assert_eq!(line, b"last");
        assert!(read_line(&mut input, &mut line, 20).unwrap() == Line::End);
    }
}
