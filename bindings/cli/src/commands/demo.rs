//! `forebear demo`: what the program is for, on a transcript that it brings along.

use std::fs;
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use anstyle::Style;
use clap::Args;
use forebear::ingest::{self, ImportReport, IngestOptions};
use forebear::{EventId, Filter, Snapshot};
use serde::Serialize;

use crate::command::Run;
use crate::commands::{chain_picture, import, tree};
use crate::failure::{CommandFailure, CommandResult, UnreadParts};
use crate::global::Global;
use crate::output::json::EndLine;
use crate::output::{Out, draw, text, time};
use crate::place;
use crate::select::FoldArgs;

/// A session with a compaction, and the agent that it started.
const FILES: [(&str, &str); 2] = [
    (
        "projects/orchard/c4a7e1d2-6f38-4b95-9d0c-2e5b7a814f63.jsonl",
        include_str!("../../demo/session.jsonl"),
    ),
    (
        "projects/orchard/c4a7e1d2-6f38-4b95-9d0c-2e5b7a814f63/subagents/agent-a3f91c7.jsonl",
        include_str!("../../demo/agent-a3f91c7.jsonl"),
    ),
];

/// Columns of a line that is to be read, even where there is room for more.
const PROSE_COLUMNS: usize = 80;

/// How often each answer is measured again.
const REPETITIONS: usize = 501;

/// Show what forebear does, on a small transcript that it brings along
///
/// Imports the transcript into a store in a temporary folder and shows the chain
/// from a failure to the user's request, what came of that request, and how long
/// each answer took.
#[derive(Debug, Args)]
#[command(after_help = "\
With --json: {\"imported\"}, the chain's events and its end, then {\"answers\"} with the
nanoseconds that each answer took at first and again (the median).")]
pub(crate) struct DemoArgs {}

impl Run for DemoArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let folder =
            tempfile::Builder::new().prefix("forebear-demo-").tempdir().map_err(|error| {
                CommandFailure::Failed(format!("making a temporary folder: {error}"))
            })?;
        write_transcript(folder.path()).map_err(|error| {
            CommandFailure::Failed(format!("writing the demo's transcript: {error}"))
        })?;
        let store = forebear::open(folder.path().join("events.forebear"))?;
        let begun = Instant::now();
        let report =
            ingest::import(&store, &IngestOptions::new([folder.path().join("projects")]), |_| {
                ControlFlow::Continue(())
            })?;
        let imported = (report, begun.elapsed());
        let snapshot = store.snapshot();
        let found = DemoStory::find(&snapshot)?;
        let mut out = Out::new();
        if global.json {
            print_json(&mut out, &found, &imported)?;
        } else {
            print(&mut out, &found, &imported)?;
        }
        out.finish()?;
        place::close(store)?;
        Ok(())
    }
}

/// What there is to show.
struct DemoStory<'s> {
    snapshot: &'s Snapshot,
    failure: EventId,
    request: EventId,
    answers: Vec<TimedAnswer>,
}

/// How long an answer took.
#[derive(Serialize)]
struct TimedAnswer {
    question: &'static str,
    #[serde(skip)]
    words: String,
    first_ns: u64,
    again_ns: u64,
}

impl<'s> DemoStory<'s> {
    fn find(snapshot: &'s Snapshot) -> Result<Self, CommandFailure> {
        let lost = || CommandFailure::Failed("the demo's transcript holds no failure".to_owned());
        let errors = snapshot.events(Filter::new().errors()).limit(1);
        let mut answers = Vec::new();
        let (page, mut answer) = measured("errors", || errors.page())?;
        "which events are errors?".clone_into(&mut answer.words);
        answers.push(answer);
        let failure = page.items.first().map(|event| event.id().clone()).ok_or_else(lost)?;

        let (events, mut answer) = measured("chain", || {
            let chain = snapshot.chain(&failure)?;
            chain.into_iter().flatten().collect::<Result<Vec<_>, _>>()
        })?;
        answer.words = format!("what caused it? {} events, with payloads", events.len());
        answers.push(answer);
        let request = events.last().map(|event| event.id().clone()).ok_or_else(lost)?;

        let (root, mut answer) =
            measured("root", || Ok((snapshot.root(&failure)?, snapshot.depth(&failure)?)))?;
        answer.words = format!("its root and depth ({})", root.1.unwrap_or_default());
        answers.push(answer);

        let below = snapshot.descendants(&request);
        let (page, mut answer) = measured("tree", || below.page())?;
        answer.words =
            format!("what came of the request? {} events, with payloads", page.items.len());
        answers.push(answer);
        Ok(Self { snapshot, failure, request, answers })
    }
}

fn print(
    out: &mut Out,
    story: &DemoStory<'_>,
    (report, took): &(ImportReport, Duration),
) -> CommandResult {
    let failure = text::short_id(&story.failure);
    let request = text::short_id(&story.request);
    title(out, "A coding agent's transcript", "forebear import")?;
    let prose = "An agent was asked to mend a shop's prices. Its conversation was compacted, it \
                 started a second agent, and in there a test failed. forebear imported the files \
                 into a store of its own, in a temporary folder.";
    for line in text::wrap(prose, out.columns().min(PROSE_COLUMNS), 0) {
        writeln!(out, "{line}")?;
    }
    writeln!(out)?;
    import::summary(out, report, *took)?;

    title(out, "What went wrong?", "forebear events --errors")?;
    let errors = story.snapshot.events(Filter::new().errors()).page()?;
    let mut day = String::new();
    for event in &errors.items {
        draw::list_row(out, event, &mut day)?;
    }

    title(out, "Why? From the failure back to the request", &format!("forebear chain {failure}"))?;
    draw::remark(
        out,
        "Each line: what it is, its id, how long after its cause, and what it says.",
    )?;
    let chain = chain_picture::walk(story.snapshot, &story.failure)?;
    let mut unread = UnreadParts::default();
    let fold = &FoldArgs::default();
    let mut picture = chain_picture::ChainPicture {
        out,
        shown: chain_picture::Shown { payload: false, fold },
        has_dropped: false,
        unread: &mut unread,
    };
    picture.draw(chain, false)?;

    title(out, "And what came of the request?", &format!("forebear tree {request}"))?;
    let below = story.snapshot.descendants(&story.request);
    tree::draw_tree(out, story.snapshot, &story.request, below, (usize::MAX, fold), &mut unread)?;

    title(out, "How long each answer took", "")?;
    let line = format!("{:>10}  {:>10}", "at first", "again");
    draw::remark(out, &line)?;
    for answer in &story.answers {
        let lead = format!(
            "{:>10}  {:>10}  ",
            time::took(Duration::from_nanos(answer.first_ns)),
            time::took(Duration::from_nanos(answer.again_ns)),
        );
        let beneath = " ".repeat(text::width(&lead));
        draw::beside(out, (Style::new(), &lead), &beneath, Style::new(), &answer.words)?;
    }
    let line = format!("Measured just now; `again` is the median of {REPETITIONS} times.");
    draw::remark(out, &line)?;

    title(out, "Your turn", "")?;
    for (command, what) in [
        ("forebear import", "your own transcripts, from where they usually lie"),
        ("forebear why", "what went wrong in them, and why"),
        ("forebear sessions", "what was worked on"),
        ("forebear --help", "everything else"),
    ] {
        let command = format!("  {}", text::fit(command, 26));
        let beneath = " ".repeat(text::width(&command));
        draw::beside(out, (draw::BOLD, &command), &beneath, draw::DIM, what)?;
    }
    draw::remark(out, "  From the sources, `cargo run --release --` stands for `forebear`.")?;
    Ok(())
}

fn title(out: &mut Out, words: &str, command: &str) -> CommandResult {
    let command = if command.is_empty() { String::new() } else { format!("  $ {command}") };
    let fits = text::width(words) + text::width(&command) <= out.columns();
    let between = if fits { "" } else { "\n" };
    let line =
        format!("{}{between}{}", out.paint(draw::BOLD, words), out.paint(draw::DIM, command));
    writeln!(out, "\n{line}\n")?;
    Ok(())
}

fn print_json(
    out: &mut Out,
    story: &DemoStory<'_>,
    (report, took): &(ImportReport, Duration),
) -> CommandResult {
    #[derive(Serialize)]
    struct Imported {
        imported: import::ImportFigures,
    }
    #[derive(Serialize)]
    struct Answers<'a> {
        answers: &'a [TimedAnswer],
    }

    out.json(&Imported { imported: import::ImportFigures::new(report, *took) })?;
    if let Some(mut events) = story.snapshot.chain(&story.failure)? {
        for event in events.by_ref() {
            let event = event?;
            out.json(&event.json().payload(true))?;
        }
        if let Some(end) = events.end() {
            out.json_end(&EndLine::new(end, Some(&story.request)))?;
        }
    }
    out.json(&Answers { answers: &story.answers })?;
    Ok(())
}

fn write_transcript(folder: &Path) -> io::Result<()> {
    for (name, content) in FILES {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::write(path, content)?;
    }
    Ok(())
}

/// Asks once, and then again and again.
fn measured<T>(
    question: &'static str,
    mut ask: impl FnMut() -> forebear::Result<T>,
) -> forebear::Result<(T, TimedAnswer)> {
    let mut timed = || {
        let begun = Instant::now();
        let answer = ask()?;
        let took = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Ok((answer, took))
    };
    let (answer, first_ns) = timed()?;
    let mut again = (0..REPETITIONS)
        .map(|_| timed().map(|(_, took)| took))
        .collect::<forebear::Result<Vec<_>>>()?;
    again.sort_unstable();
    let answer_time =
        TimedAnswer { question, words: String::new(), first_ns, again_ns: again[REPETITIONS / 2] };
    Ok((answer, answer_time))
}
