//! `slow`, `decisions` and `transcript` over histories whose answer is obvious.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use forebear::answers::{
    Decision, DecisionsQuery, SlowQuery, SlowReport, SpentOn, TranscriptQuery, TranscriptStyle,
    decisions, slow, transcript,
};
use forebear::readings::{Payload, PayloadReader, Reading, Readings};
use forebear::{Event, LinkKind, Scope};
use support::{History, readings};

fn times(history: &History, query: &SlowQuery) -> SlowReport {
    slow(&history.snapshot(), &readings(), query).unwrap().unwrap()
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

// A step is a second.
const TWO_TURNS: &str = "user go
    call a Bash make
    good a ok
    model Done.
    user again
    call b Read x
    fail b no
    call q Ask which one?
    good q that one
    model No.";

#[test]
fn time_is_of_tools_of_the_model_or_of_the_user() {
    let report = times(&History::of(TWO_TURNS), &SlowQuery::session("s"));
    let spent = report.time;
    assert_eq!((spent.tools, spent.model, spent.user), (seconds(2), seconds(5), seconds(2)));
    assert_eq!((spent.total(), report.sessions, report.complete), (seconds(9), 1, true));
    let tools: Vec<_> = report
        .tools
        .iter()
        .map(|tool| (&*tool.tool, tool.calls, tool.errors, tool.total))
        .collect();
    assert_eq!(tools, [("Bash", 1, 0, seconds(1)), ("Read", 1, 1, seconds(1))]);
    assert!(report.tools.iter().all(|tool| tool.p50.is_none() && tool.max == seconds(1)));
    let turns: Vec<_> = report
        .turns
        .iter()
        .map(|turn| (&*turn.about, turn.time.total(), turn.calls, turn.errors))
        .collect();
    assert_eq!(turns, [("again", seconds(5), 1, 1), ("go", seconds(3), 1, 0)]);
    assert_eq!((report.days.len(), report.days[0].time, report.days[0].calls), (1, spent, 2));
}

#[test]
fn percentiles_are_of_tools_with_many_calls_and_by_what_results_say() {
    let mut lines = vec!["user go".to_owned()];
    for n in 1..=20_u64 {
        lines.push(format!("call c{n} Bash step {n}"));
        lines.push(format!("took c{n} {} ok", n * 1_000_000));
    }
    let report = times(&History::of(&lines.join("\n")), &SlowQuery::session("s"));
    let [bash] = report.tools.as_slice() else { panic!("{:?}", report.tools) };
    let ms = |ms| Some(Duration::from_millis(ms));
    assert_eq!((bash.p50, bash.p95, Some(bash.max)), (ms(10), ms(19), ms(20)));
    assert_eq!((bash.calls, bash.total), (20, Duration::from_millis(210)));
    assert_eq!((report.slowest[0].about.as_str(), report.slowest.len()), ("step 20", 20));
}

#[test]
fn agents_at_the_same_time_are_not_added_and_the_path_goes_through_the_last() {
    let mut history = History::of("user find out\ncall t Task look");
    history.spawn("s/one", "2", "user look\ncall a Bash make\ngood a ok\nmodel It works.");
    history.add("s", "good t It works.\nmodel It works.");
    let report = times(&history, &SlowQuery::session("s"));
    assert_eq!((report.time.tools, report.time.total()), (seconds(5), seconds(7)));
    let path: Vec<_> = report
        .critical_path
        .iter()
        .map(|step| (&*step.instance, step.on, step.tool.as_deref(), step.took, step.depth))
        .collect();
    let model = |who, depth| (who, SpentOn::Model, None, seconds(1), depth);
    assert_eq!(
        path,
        [
            model("s", 0),
            model("one", 1),
            ("one", SpentOn::Tools, Some("Bash"), seconds(1), 1),
            model("one", 1),
            model("s", 0),
        ]
    );
    // Of all sessions, too; and nothing of one that is not there.
    assert_eq!(times(&history, &SlowQuery::all()).time, report.time);
    let nowhere = SlowQuery::session("nowhere");
    assert!(slow(&history.snapshot(), &readings(), &nowhere).unwrap().is_none());
}

#[test]
fn times_that_are_made_up_are_left_out() {
    let history = History::of("user go\ncall a Bash make\ngood a ok");
    let made_up = Event::new("step").id("m").session("s").instance("s").payload("model Done.");
    let made_up = made_up.label("time_made_up", "true").time_ns(1_000_000_000_000);
    history.store.append(made_up).unwrap();
    let report = times(&history, &SlowQuery::session("s"));
    assert_eq!(report.time.total(), seconds(2));
}

fn decided(history: &History) -> Vec<Decision> {
    let query = DecisionsQuery::session("s");
    decisions(&history.snapshot(), &readings(), &query).unwrap().unwrap().decisions
}

#[test]
fn what_was_decided_is_told_with_why_and_what_came_of_it() {
    let mut history = History::of(
        "user find out
         model I'll ask an agent.
         call t Task look",
    );
    history.spawn("s/one", "3", "user look\ncall a Bash make\nfail a no\nmodel It fails.");
    history.add(
        "s",
        "good t It fails.
         think better ask
         call q Ask which one?
         good q the second
         call x Bash rm -rf y
         refuse x
         call b Bash ls
         good b ok",
    );
    let found = decided(&history);
    let told: Vec<_> = found
        .iter()
        .map(|one| {
            let result = one.result.as_ref().map(|result| (result.end, result.text.as_str()));
            let reasoning = one.reasoning.as_ref().map(|text| text.text.as_str());
            (one.kind.as_str(), one.what.as_str(), reasoning, result)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("agent", "look", Some("I'll ask an agent."), Some(("good", "It fails."))),
            ("question", "which one?", Some("better ask"), Some(("good", "the second"))),
            ("denied", "rm -rf y", Some("better ask"), Some(("refused", ""))),
        ]
    );
    assert!(found.iter().all(|one| one.request.as_ref().unwrap().text == "find out"));
    let [agent] = found[0].agents.as_slice() else { panic!("{found:?}") };
    assert_eq!((&*agent.session, agent.events, agent.errors), ("s/one", 4, 1));
    assert_eq!(
        (agent.took, found[0].result.as_ref().unwrap().took),
        (Some(seconds(3)), seconds(5))
    );
}

#[test]
fn what_a_service_states_is_a_decision() {
    let history = History::new();
    let stated = Event::new("spawn_decision").id("d").session("s").time_ns(5);
    history.store.append(stated.payload("user the queue is full")).unwrap();
    let worker = Event::new("step").session("s").instance("worker").scope(Scope::Own);
    history
        .store
        .append(worker.parent("d").link(LinkKind::Spawned).payload("model On it."))
        .unwrap();
    let found = decided(&history);
    assert_eq!((found.len(), found[0].kind.as_str()), (1, "stated"));
    assert_eq!(found[0].agents[0].session, "s/worker");
}

fn written(history: &History, style: TranscriptStyle, all: bool) -> String {
    let (snapshot, readings) = (history.snapshot(), readings());
    let query = TranscriptQuery::session("s").all(all);
    let found = transcript(&snapshot, &readings, &query).unwrap().unwrap();
    assert!(found.is_complete());
    found.pieces(style, |text| text.replace("hunter2", "***")).map(Result::unwrap).collect()
}

#[test]
fn a_transcript_has_turns_calls_with_results_and_agents_within() {
    let mut history = History::of("user find <b>out</b> hunter2\nthink hm\ncall t Task look");
    history.spawn("s/one", "3", "user look\ncall a Bash make\nfail a no rule\nmodel It fails.");
    history.add("s", "good t It fails, says hunter2.\nmodel So it is.\nuser again\nmodel Yes.");
    let text = written(&history, TranscriptStyle::Text, false);
    let order = [
        "==== Turn 1",
        "find <b>out</b> ***",
        "hm",
        "Task: look",
        "It fails, says ***.",
        "agent one",
        "Bash: make",
        "(failed)",
        "| no rule",
        "So it is.",
        "==== Turn 2",
        "Yes.",
    ];
    let mut from = 0;
    for words in order {
        let at = text[from..].find(words).unwrap_or_else(|| panic!("no {words:?} in {text}"));
        from += at;
    }
    assert!(text.contains("\n  [") && !text.contains("hunter2"), "{text}");

    let html = written(&history, TranscriptStyle::Html, false);
    assert!(html.contains("find &lt;b&gt;out&lt;/b&gt; ***") && html.ends_with("</html>\n"));
    for tag in ["details", "section", "pre", "div", "main", "header"] {
        let opened = html.matches(&format!("<{tag}")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}: {html}");
    }
    assert!(
        !html.contains("hunter2") && !html.contains("http:") && !html.contains("src="),
        "{html}"
    );
    let markdown = written(&history, TranscriptStyle::Markdown, false);
    assert!(markdown.contains("> find &lt;b>out&lt;/b> ***"), "{markdown}");
    assert_eq!(markdown.matches("<details>").count(), markdown.matches("</details>").count());
}

#[test]
fn the_active_branch_is_written_unless_all_are_asked_for() {
    let history = History::of("user begin\nmodel Yes?\nuser old request\nmodel Old words.");
    let again = |id: &str, parent: &str, second: i64, payload: &str| {
        let event = Event::new("step").id(id).parent(parent).session("s").instance("s");
        event.time_ns(second * 1_000_000_000).payload(payload.to_owned())
    };
    history.store.append(again("n1", "2", 10, "user new request")).unwrap();
    history.store.append(again("n2", "n1", 11, "summary What we did.")).unwrap();
    history.store.append(again("n3", "n2", 12, "model New words.")).unwrap();
    let active = written(&history, TranscriptStyle::Text, false);
    assert!(active.contains("New words.") && !active.contains("Old words."), "{active}");
    assert!(active.contains("What we did."), "{active}");
    let all = written(&history, TranscriptStyle::Text, true);
    assert!(all.contains("New words.") && all.contains("Old words."), "{all}");
}

#[test]
fn what_agents_of_another_branch_did_is_not_written() {
    let mut history = History::of("user begin\nmodel Yes?\nuser old request\ncall t Task look");
    history.spawn("s/one", "4", "user look\ncall u Task deeper");
    history.spawn("s/two", "6", "model Found it.");
    let again = |id: &str, parent: &str, second: i64, payload: &str| {
        let event = Event::new("step").id(id).parent(parent).session("s").instance("s");
        event.time_ns(second * 1_000_000_000).payload(payload.to_owned())
    };
    history.store.append(again("n1", "2", 10, "user new request")).unwrap();
    history.store.append(again("n2", "n1", 11, "call v Task look again")).unwrap();
    history.spawn("s/three", "n2", "model Nothing there.");
    let active = written(&history, TranscriptStyle::Text, false);
    assert!(active.contains("agent three") && active.contains("Nothing there."), "{active}");
    assert!(!active.contains("agent one") && !active.contains("agent two"), "{active}");
    let all = written(&history, TranscriptStyle::Text, true);
    assert!(all.contains("agent one") && all.contains("agent two"), "{all}");
}

#[test]
fn a_compaction_that_nothing_follows_yet_is_written() {
    let history = History::of("user begin\nmodel Yes.\nsummary What we did.");
    for all in [false, true] {
        let text = written(&history, TranscriptStyle::Text, all);
        assert!(text.contains("What we did."), "{text}");
    }
    let html = written(&history, TranscriptStyle::Html, false);
    assert!(html.find("What we did.") < html.find("</section>"), "{html}");
}

#[test]
fn names_are_cleaned_and_stay_on_their_lines() {
    let history = History::new();
    let event = Event::new("odd\nkind hunter2").id("id\nhunter2`").session("s").instance("s");
    history.store.append(event.payload("service-less")).unwrap();
    let event = Event::new("step").id("call").session("s").instance("s").parent("id\nhunter2`");
    history.store.append(event.payload("call a odd\ntool x")).unwrap();
    let agent = Event::new("step").session("s").instance("odd\nagent").scope(Scope::Own);
    let agent = agent.parent("call").link(LinkKind::Spawned);
    history.store.append(agent.payload("model Well.")).unwrap();
    let read = Readings::default().with("lines", Arc::new(Plain));
    for style in [TranscriptStyle::Text, TranscriptStyle::Markdown, TranscriptStyle::Html] {
        let (snapshot, query) = (history.snapshot(), TranscriptQuery::session("s").all(true));
        let found = transcript(&snapshot, &read, &query).unwrap().unwrap();
        let clean = |text: &str| text.replace("hunter2", "(gone)");
        let text: String = found.pieces(style, clean).map(Result::unwrap).collect();
        assert!(!text.contains("hunter2"), "{text}");
        for name in ["odd kind (gone)", "id (gone)`", "odd tool", "odd agent"] {
            assert!(text.contains(name), "{name}: {text}");
        }
    }
}

/// Reads as the lines do, and all others as steps of no sort.
#[derive(Debug)]
struct Plain;

impl PayloadReader for Plain {
    fn read<'p>(&self, payload: &Payload<'p>) -> Reading<'p> {
        let reading = support::Lines.read(payload);
        let is_known = !reading.bookkeeping;
        if is_known { reading } else { Reading { bookkeeping: false, ..reading } }
    }

    fn is_of(&self, _payload: &Payload<'_>) -> bool {
        true
    }
}
