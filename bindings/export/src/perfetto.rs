//! A trace for Perfetto: a process a session, in it a thread an agent.
//!
//! A thread's own track has its turns, those below it the messages of the model, the calls, as
//! many tracks of them as there are calls at a time, and the tokens of what the model read. The
//! numbers of fields are those of `perfetto/trace/trace_packet.proto` and of what it takes in.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::proto::ProtoMessage;
use crate::span::{TraceSpan, What, number};
use crate::spans::SpanSink;

/// Tracks that are remembered as described; past them each is described again.
const TRACKS_MAX: usize = 1 << 16;

/// Bytes of a text that a slice shows.
const TEXT_BYTES: usize = 4 << 10;

/// Writes packets, each as it comes: a reader brings them in order.
pub(crate) struct PerfettoWriter<W> {
    out: W,
    described: HashSet<u64>,
    is_begun: bool,
}

/// What a track is of.
#[derive(Clone, Copy)]
enum Track {
    Turns,
    Answers,
    Calls(usize),
    Tokens,
}

impl<W: Write> PerfettoWriter<W> {
    pub(crate) fn new(out: W) -> Self {
        Self { out, described: HashSet::new(), is_begun: false }
    }

    /// The number of a track, which is described the first time.
    fn track(&mut self, span: &TraceSpan, track: Track) -> io::Result<u64> {
        let agent = span.agent.as_deref().unwrap_or_default();
        let process = track_number(span, "session", "");
        let thread = track_number(span, "agent", agent);
        if self.described.len() > TRACKS_MAX {
            self.described.clear();
        }
        if self.described.insert(process) {
            let name = span.session.as_deref().unwrap_or("no session");
            let of = ProtoMessage::default().number(1, system_id(process)).text(6, name);
            self.describe(&ProtoMessage::default().number(1, process).message(3, &of))?;
        }
        if self.described.insert(thread) {
            let name = span.agent.as_deref().unwrap_or("session");
            let of = ProtoMessage::default().number(1, system_id(process));
            let of = of.number(2, system_id(thread)).text(5, name);
            self.describe(
                &ProtoMessage::default().number(1, thread).number(5, process).message(4, &of),
            )?;
        }
        let (name, lane) = match track {
            Track::Turns => return Ok(thread),
            Track::Answers => ("model", 0),
            Track::Calls(lane) => ("calls", lane),
            Track::Tokens => ("context tokens", 0),
        };
        let uuid = track_number(span, &format!("{name} {lane}"), agent);
        if self.described.insert(uuid) {
            let of = ProtoMessage::default().number(1, uuid).number(5, thread);
            let of = match lane {
                0 => of.text(2, name),
                _ => of.text(2, &format!("{name} {}", lane + 1)),
            };
            let of = match track {
                Track::Tokens => of.message(8, &ProtoMessage::default()),
                _ => of,
            };
            self.describe(&of)?;
        }
        Ok(uuid)
    }

    fn describe(&mut self, descriptor: &ProtoMessage) -> io::Result<()> {
        self.packet(ProtoMessage::default().message(60, descriptor))
    }

    /// A slice from the beginning of a span to its end.
    fn slice(&mut self, span: &TraceSpan, track: Track, event: ProtoMessage) -> io::Result<()> {
        let track = self.track(span, track)?;
        let start_ns = span.start_ns.max(0);
        let end_ns = span.end_ns.unwrap_or(start_ns).max(start_ns);
        self.event(start_ns, &event.number(9, SLICE_BEGIN).number(11, track))?;
        self.event(end_ns, &ProtoMessage::default().number(9, SLICE_END).number(11, track))
    }

    fn event(&mut self, time_ns: i64, event: &ProtoMessage) -> io::Result<()> {
        let time_ns = u64::try_from(time_ns).unwrap_or(0);
        self.packet(ProtoMessage::default().number(8, time_ns).message(11, event))
    }

    fn packet(&mut self, mut packet: ProtoMessage) -> io::Result<()> {
        packet = packet.number(10, SEQUENCE);
        if !self.is_begun {
            self.is_begun = true;
            packet = packet.number(13, STATE_CLEARED).number(87, 1);
        }
        self.out.write_all(&ProtoMessage::default().message(1, &packet).into_bytes())
    }
}

impl<W: Write> SpanSink for PerfettoWriter<W> {
    fn span(&mut self, span: &TraceSpan) -> io::Result<()> {
        let event = |name: &str, category: &str| {
            let event = noted(ProtoMessage::default(), "forebear.id", &span.event.to_string());
            let event = match &span.cause {
                Some(cause) => noted(event, "forebear.parent", &cause.to_string()),
                None => event,
            };
            let event = match &span.error {
                Some(error) => noted(event, "error", error),
                None => event,
            };
            event.text(22, category).text(23, name)
        };
        match &span.what {
            // A process shows from when to when it is by what is in it.
            What::Session { .. } => self.track(span, Track::Turns).map(drop),
            What::Agent { agent_type, .. } => {
                // The arrow from the call ends where the agent begins.
                let name = agent_type.as_deref().unwrap_or("agent");
                let above = span.parent.map_or(0, u64::from_be_bytes);
                let event = event(name, "agent").number(9, INSTANT).fixed(48, above);
                let track = self.track(span, Track::Turns)?;
                self.event(span.start_ns, &event.number(11, track))
            }
            What::Turn { number, request } => {
                let event = noted(event(&format!("turn {number}"), "turn"), "request", request);
                self.slice(span, Track::Turns, event)
            }
            What::Answer { model, text, tokens, .. } => {
                let name = model.as_deref().unwrap_or("model");
                let mut event = noted(event(name, "model"), "text", text);
                if let Some(tokens) = tokens {
                    let read = tokens.input.saturating_add(tokens.cache_read);
                    let read = read.saturating_add(tokens.cache_written);
                    event = counted(event, "input tokens", read);
                    event = counted(event, "output tokens", tokens.output);
                    let track = self.track(span, Track::Tokens)?;
                    let count = ProtoMessage::default().number(9, COUNTER).number(30, read);
                    let at_ns = span.end_ns.unwrap_or(span.start_ns);
                    self.event(at_ns, &count.number(11, track))?;
                }
                self.slice(span, Track::Answers, event)
            }
            What::Call(call) => {
                let mut event = event(&call.tool, "call");
                event = noted(event, "target", &call.target);
                event = noted(event, "input", &call.input);
                event = match &call.output {
                    Some(output) => noted(event, "output", output),
                    None => noted(event, "unanswered", "true"),
                };
                // Arrows to the agents that it started.
                let event = event.fixed(47, u64::from_be_bytes(span.id));
                self.slice(span, Track::Calls(call.lane), event)
            }
            What::Point { kind, text, .. } => {
                let event = noted(event(kind, "event"), "text", text);
                if span.end_ns.is_some_and(|end_ns| end_ns > span.start_ns) {
                    let event = event.number(9, SLICE_BEGIN);
                    return self.nested(span, event);
                }
                let track = self.track(span, Track::Turns)?;
                self.event(span.start_ns, &event.number(9, INSTANT).number(11, track))
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

impl<W: Write> PerfettoWriter<W> {
    /// A span of a service, on a track of its own within that of its parent: siblings may
    /// overlap.
    fn nested(&mut self, span: &TraceSpan, event: ProtoMessage) -> io::Result<()> {
        let thread = self.track(span, Track::Turns)?;
        let uuid = u64::from_be_bytes(span.id);
        let descriptor = ProtoMessage::default().number(1, uuid).number(5, thread).text(2, "spans");
        self.describe(&descriptor)?;
        self.event(span.start_ns, &event.number(11, uuid))?;
        let end_ns = span.end_ns.unwrap_or(span.start_ns);
        self.event(end_ns, &ProtoMessage::default().number(9, SLICE_END).number(11, uuid))
    }
}

fn track_number(span: &TraceSpan, what: &str, agent: &str) -> u64 {
    number("forebear track", &[&span.trace, what.as_bytes(), agent.as_bytes()])
}

/// A number as processes and threads have them.
fn system_id(number: u64) -> u64 {
    // 0 is the kernel's.
    (number & 0x7fff_ffff).max(1)
}

/// An event with a text beside it, cut to what is shown.
fn noted(event: ProtoMessage, name: &str, text: &str) -> ProtoMessage {
    if text.is_empty() {
        return event;
    }
    let text = &text[..text.floor_char_boundary(TEXT_BYTES)];
    event.message(4, &ProtoMessage::default().text(10, name).text(6, text))
}

fn counted(event: ProtoMessage, name: &str, count: u64) -> ProtoMessage {
    event.message(4, &ProtoMessage::default().text(10, name).number(3, count))
}

const SLICE_BEGIN: u64 = 1;
const SLICE_END: u64 = 2;
const INSTANT: u64 = 3;
const COUNTER: u64 = 4;
/// All packets are of one sequence, of which nothing came before.
const SEQUENCE: u64 = 1;
const STATE_CLEARED: u64 = 1;
