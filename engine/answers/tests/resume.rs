//! `resume_context` over histories whose answer is obvious.

mod support;

use forebear::Event;
use forebear::answers::{Resume, ResumeQuery, resume_context};
use support::{History, readings};

fn resume(history: &History, query: &ResumeQuery) -> Resume {
    let answer = resume_context(&history.snapshot(), &readings(), query);
    answer.expect("the store is sound").expect("the session has events")
}

fn of(lines: &str) -> String {
    resume(&History::of(lines), &ResumeQuery::new("s")).text
}

#[track_caller]
fn section<'t>(text: &'t str, title: &str) -> &'t str {
    let begin = format!("\n## {title}\n");
    let rest = text.split_once(&begin).unwrap_or_else(|| panic!("no {title:?} in:\n{text}")).1;
    rest.split("\n## ").next().unwrap_or_default()
}

const SESSION: &str = "user make it fast
     model I'll look at the parser.
     call a Read src/a.rs
     good a fn main
     todo completed measure it
     todo in_progress write a cache
     call b Edit src/a.rs
     good b done
     call c Edit src/b.rs
     fail c no such line
     call d Bash cargo test
     code d 101 2 failed
     model Two tests fail.
     user mend them
     call e Bash cargo build
     good e ok
     call f Bash sleep 100";

#[test]
fn what_is_open_is_told() {
    let text = of(SESSION);
    assert!(section(&text, "What is asked").contains("mend them"), "{text}");
    assert!(section(&text, "What was asked first").contains("make it fast"), "{text}");
    let to_do = section(&text, "To do");
    assert!(to_do.contains("[>] write a cache"), "{text}");
    let open = section(&text, "Calls without a result");
    assert!(open.contains("Bash sleep 100") && !open.contains("cargo"), "{text}");
    let failures = section(&text, "Failures that nothing repaired, the newest first");
    assert!(failures.find("cargo test") < failures.find("src/b.rs"), "{text}");
    assert_eq!(section(&text, "Files written").trim(), "- src/a.rs", "{text}");
    let steps = section(&text, "The last steps");
    for step in ["user: make it fast", "Bash: cargo test\n  failed, exit code 101", "no result"] {
        assert!(steps.contains(step), "{step}:\n{text}");
    }
    assert_eq!(text, of(SESSION), "the same bytes every time");
}

#[test]
fn what_was_typed_meanwhile_is_asked_once_whether_it_was_handed_over_or_not() {
    let begun = "user make it fast\n call a Bash make\n queue and the docs\n good a ok\n";
    for (rest, times) in [
        (" model Done.", 1),
        (" user and the docs\n model Done.", 1),
        (" user and the docs\n queue and the docs\n model Done.", 2),
        (" model Done.\n user other", 1),
    ] {
        let text = of(&format!("{begun}{rest}"));
        let steps = section(&text, "The last steps");
        assert_eq!(steps.matches("user: and the docs").count(), times, "{rest}:\n{text}");
        assert!(steps.contains("user: make it fast"), "{rest}:\n{text}");
    }
    let text = of(&format!("{begun} model Done."));
    assert!(section(&text, "What is asked").contains("and the docs"), "{text}");
}

#[test]
fn it_never_gets_longer_than_it_may() {
    let mut lines = vec!["user begin".to_owned()];
    for n in 0..200 {
        let end = if n % 3 == 0 { "fail" } else { "good" };
        lines.push(format!("model Wörds, många: {}", "é".repeat(n * 3)));
        lines.push(format!("call c{n} Edit src/file{n}.rs"));
        lines.push(format!("{end} c{n} {}", "x".repeat(4000)));
        if n % 20 == 0 {
            lines.push(format!("user request {n} {}", "y".repeat(3000)));
        }
    }
    let lines = lines.join("\n");
    let history = History::of(&lines);
    for tokens in [0, 1, 10, 25, 50, 75, 100, 150, 200, 300, 500, 1000, 2000, 8000, 20_000] {
        let found = resume(&history, &ResumeQuery::new("s").tokens(tokens));
        assert!(found.text.len() <= 4 * tokens, "{tokens}: {}", found.text.len());
        assert!(
            found.text.len() * 4 >= 4 * tokens * 2 || tokens < 100,
            "{tokens}: {}",
            found.text.len()
        );
    }
    let found = resume(&history, &ResumeQuery::new("s"));
    assert!(found.text.contains("request 180"), "{}", found.text);
    assert!(found.left_out.iter().any(|(what, _)| *what == "files"), "{:?}", found.left_out);
    assert!(found.text.contains("Left out for want of room: "), "{}", found.text);
}

#[test]
fn above_the_last_steps_stands_a_skeleton() {
    let history = History::of(SESSION);
    let text = resume(&history, &ResumeQuery::new("s").last(3)).text;
    let before = section(&text, "Before them, in short");
    assert!(
        before.contains("user: make it fast") && before.contains("assistant: Two tests fail."),
        "{text}"
    );
    assert!(
        !before.contains("Read") && !section(&text, "The last steps").contains("make it fast"),
        "{text}"
    );
}

#[test]
fn of_what_came_before_a_compaction_the_summary_is_told() {
    let text = of("user first request
         model Old words.
         summary We made it fast.
         user second request
         model New words.");
    assert!(
        section(&text, "What came before, summed up by the program").contains("We made it fast."),
        "{text}"
    );
    assert!(text.contains("New words.") && !text.contains("Old words."), "{text}");
    assert!(section(&text, "What was asked first").contains("first request"), "{text}");
}

#[test]
fn of_two_requests_with_one_parent_the_newer_stands() {
    let history = History::of("user begin\nmodel Yes?\nuser old request\nmodel Old words.");
    let again = |id: &str, parent: &str, ns: i64, payload: &str| {
        Event::new("step")
            .id(id)
            .parent(parent)
            .session("s")
            .instance("s")
            .time_ns(ns)
            .payload(payload.to_owned())
    };
    history.store.append(again("n1", "2", 10_000_000_000, "user new request")).unwrap();
    history.store.append(again("n2", "n1", 11_000_000_000, "model New words.")).unwrap();
    // The old branch goes on for a while.
    history.store.append(again("o1", "4", 12_000_000_000, "model Late old words.")).unwrap();
    let text = resume(&history, &ResumeQuery::new("s")).text;
    assert!(section(&text, "What is asked").contains("new request"), "{text}");
    let steps = section(&text, "The last steps");
    assert!(steps.contains("New words.") && !steps.contains("ld words."), "{text}");
}

#[test]
fn at_a_missing_parent_it_goes_on_by_time_and_says_so() {
    let history = History::of("user begin\nmodel Yes?");
    let after = Event::new("step").id("n").parent("gone").session("s").instance("s");
    history.store.append(after.time_ns(10_000_000_000).payload("user go on")).unwrap();
    let text = resume(&history, &ResumeQuery::new("s")).text;
    assert!(text.contains("The event gone is not stored"), "{text}");
    assert!(section(&text, "The last steps").contains("Yes?"), "{text}");
}

#[test]
fn each_agent_has_its_last_word() {
    let mut history = History::of("user find out\ncall t Task look");
    history.spawn("s/one", "2", "user look\nmodel First.\nmodel It is in a.rs.");
    history.add("s", "good t It is in a.rs.");
    let text = resume(&history, &ResumeQuery::new("s")).text;
    let agents = section(&text, "The last word of each agent");
    assert!(agents.contains("one: It is in a.rs.") && !agents.contains("First."), "{text}");
    assert!(section(&text, "What is asked").contains("find out"), "{text}");
}

#[test]
fn of_a_session_that_is_not_there_nothing_is_told() {
    let snapshot = History::of("user x").snapshot();
    let answer = resume_context(&snapshot, &readings(), &ResumeQuery::new("other"));
    assert!(answer.unwrap().is_none());
}

#[test]
fn of_an_agent_what_it_did_is_told() {
    let mut history = History::of("user find out\ncall t Task look");
    history.spawn("s/one", "2", "user look around\nmodel It is in a.rs.\ncall x Bash sleep 9");
    let text = resume(&history, &ResumeQuery::new("s/one")).text;
    assert!(section(&text, "What is asked").contains("look around"), "{text}");
    assert!(section(&text, "Calls without a result").contains("sleep 9"), "{text}");
    assert!(!text.contains("find out"), "{text}");
}

#[test]
fn however_many_steps_are_asked_for_no_more_are_read_than_there_is_room_for() {
    let mut lines = vec!["user begin".to_owned()];
    let long = "y".repeat(60_000);
    for n in 0..2000 {
        lines.push(format!("call c{n} Bash step {n}"));
        lines.push(format!("good c{n} {long}"));
    }
    let history = History::of(&lines.join("\n"));
    let all = resume(&history, &ResumeQuery::new("s").tokens(1000).last(usize::MAX));
    let few = resume(&history, &ResumeQuery::new("s").tokens(1000).last(200));
    assert!(all.text.len() <= 4000 && all.text.contains("step 1999"), "{}", all.text);
    assert_eq!(all.text, few.text);
}
