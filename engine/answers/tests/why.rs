//! `failure_chain` over histories whose answer is obvious.

mod support;

use forebear::answers::{FailureReport, Outcome, WhyQuery, failure_chain};
use support::{History, readings};

fn why(history: &History, query: &WhyQuery) -> FailureReport {
    failure_chain(&history.snapshot(), &readings(), query).expect("the store is sound")
}

/// The failure of the session `s` that mattered: its event, and what became of it.
#[track_caller]
fn matters(lines: &str, expected: Option<(&str, &str)>) -> FailureReport {
    let report = why(&History::of(lines), &WhyQuery::session("s"));
    let found = report.failure.as_ref().map(|chain| {
        (chain.failure.id().to_string(), chain.outcome.map(Outcome::as_str).unwrap_or_default())
    });
    let found = found.as_ref().map(|(id, outcome)| (id.as_str(), *outcome));
    assert_eq!(found, expected, "{lines}\n{:#?}", report.all);
    report
}

/// What became of the failure that this event tells of.
#[track_caller]
fn outcome(lines: &str, id: &str) -> String {
    let report = why(&History::of(lines), &WhyQuery::session("s"));
    let listed = report.all.iter().find(|listed| listed.event.to_string() == id);
    let listed = listed.unwrap_or_else(|| panic!("no failure {id} in {:#?}", report.all));
    format!("{}{} {}", listed.outcome, if listed.minor { " minor" } else { "" }, listed.decided_by)
}

#[test]
fn the_call_the_decision_and_the_request_are_told() {
    let report = matters(
        "user make it fast
         model I'll look.
         call a Read src/a.rs
         good a fn main
         think it has to be rebuilt
         call b Bash cargo build
         code b 101 error[E0425]: no such name
         model It doesn't build, and I don't know why.",
        Some(("7", "answered")),
    );
    let chain = report.failure.unwrap();
    let call = chain.call.as_ref().unwrap();
    assert_eq!((call.tool.as_str(), call.target.as_deref()), ("Bash", Some("cargo build")));
    assert_eq!(
        (call.event.id().to_string().as_str(), call.input.as_str()),
        ("6", "Bash cargo build")
    );
    let decision = chain.decision.as_ref().unwrap();
    assert_eq!((decision.text.as_str(), decision.thought), ("it has to be rebuilt", true));
    assert_eq!(chain.request.as_ref().unwrap().text, "make it fast");
    assert_eq!((chain.text.as_str(), chain.exit_code), ("error[E0425]: no such name", Some(101)));
    assert_eq!((chain.end.kind, chain.end.by_time, chain.end.steps), ("request", false, 5));
    assert_eq!(chain.decided_by.unwrap().to_string(), "8");
}

#[test]
fn what_was_done_again_with_a_good_end_is_repaired() {
    let report = matters(
        "user test it
         call a Bash cd x && RUST_LOG=1 cargo test -p core
         fail a 1 test failed
         call b Bash cargo test -p core
         fail b 1 test failed
         call c Edit src/a.rs
         good c done
         call d Bash cargo test -p core --quiet
         good d ok
         model Done.",
        None,
    );
    assert_eq!((report.count(Outcome::Repaired), report.all.len()), (2, 2));
    let first = why(
        &History::of(
            "user test it
             call a Bash cargo test
             fail a no
             call b Bash cargo test
             fail b no
             call c Bash cargo test
             good c ok",
        ),
        &WhyQuery::event("3"),
    );
    let chain = first.failure.unwrap();
    let repair = chain.repaired_by.unwrap();
    assert_eq!((repair.event.to_string().as_str(), chain.retries), ("7", 1));
    assert_eq!((repair.call.unwrap().to_string().as_str(), repair.bypass), ("6", false));
}

#[test]
fn a_repair_is_a_later_call_and_not_a_later_result() {
    // The second call was made before the first one's result was known, and is no answer to it.
    matters(
        "user go
         call a Bash cargo build
         good a ok
         call b Bash cargo test
         fail b no
         model I give up.",
        Some(("5", "answered")),
    );
    let lines = "user go
         call a Bash make a
         call b Bash make b
         good a ok
         fail b no
         model I give up.";
    assert_eq!(outcome(lines, "5"), "answered 6");
}

#[test]
fn the_target_has_to_be_the_same() {
    let other_file = "user go
         call a Edit a.rs
         fail a no such line
         call b Write b.rs
         good b ok
         model Done.";
    assert_eq!(outcome(other_file, "3"), "answered 6");
    let same_file = "user go
         call a Edit ./a.rs
         fail a no such line
         call b Write a.rs
         good b ok
         model Done.";
    assert_eq!(outcome(same_file, "3"), "repaired 5");
    let git = "user go
         call a Bash git add -A && git commit -m x
         fail a hook failed
         call b Bash git commit --no-verify -m x
         good b ok
         model Done.";
    let report = why(&History::of(git), &WhyQuery::event("3"));
    assert!(report.failure.unwrap().repaired_by.unwrap().bypass);
    let rebase = "user go
         call a Bash git rebase main
         fail a CONFLICT
         call b Bash git -c core.editor=true rebase --continue
         good b ok";
    assert_eq!(outcome(rebase, "3"), "repaired 5");
}

#[test]
fn a_pipe_that_lets_a_failure_through_repairs_nothing() {
    let lines = "user go
         call a Bash go test ./...
         code a 1 --- FAIL: TestX
         call b Bash go test ./... | tail -5
         good b FAIL pkg 0.2s
         model Still broken.";
    assert_eq!(outcome(lines, "3"), "answered 6");
    assert_eq!(outcome(&lines.replace("FAIL pkg", "ok pkg"), "3"), "repaired 5");
}

#[test]
fn outcomes_are_tried_in_order() {
    let refused = "user go
         call a Bash rm -rf x
         refuse a
         stop";
    assert_eq!(outcome(refused, "3"), "interrupted 3");
    assert_eq!(outcome(refused, "4"), "interrupted minor 4");
    matters(refused, Some(("3", "interrupted")));

    let stopped_after = "user go
         call a Bash make
         fail a no
         think hm
         stop
         user do it otherwise
         model Done.";
    assert_eq!(outcome(stopped_after, "3"), "interrupted 5");

    let said_before_the_stop = "user go
         call a Bash make
         fail a no
         model I'll try make all.
         stop";
    assert_eq!(outcome(said_before_the_stop, "3"), "passed 5");

    let nothing_followed = "user go
         call a Bash make
         fail a no
         call b Bash make all
         fail b no";
    assert_eq!(outcome(nothing_followed, "3"), "open 5");
    matters(nothing_followed, Some(("5", "open")));

    let cut_off = "user go
         call a Bash make
         fail a no
         model I'll wait.
         call b Bash sleep 1000 && ls";
    assert_eq!(outcome(cut_off, "3"), "open 5");

    let went_on = "user go
         call a Bash make
         fail a no
         call b Read a.rs
         good b ok";
    assert_eq!(outcome(went_on, "3"), "passed 5");
}

#[test]
fn an_answer_of_the_service_repairs_its_errors_and_a_burst_is_one() {
    let lines = "user go
         service 529 overloaded
         service 529 overloaded
         service 529 overloaded";
    let report = matters(lines, Some(("4", "open")));
    assert_eq!((report.all.len(), report.failure.unwrap().retries), (1, 2));
    let answered = format!("{lines}\nmodel Here I am.");
    matters(&answered, None);
}

#[test]
fn what_is_minor_is_listed_and_not_named() {
    let lines = "user go
         call a Bash grep -rn x src
         code a 1
         call b Grep y
         fail b nothing
         call c Edit a.rs
         bad c read it first
         model Nothing found.";
    let report = matters(lines, None);
    assert_eq!(report.all.iter().filter(|listed| listed.minor).count(), 3);
    // Asked for, it is told all the same.
    let asked = why(&History::of(lines), &WhyQuery::event("3"));
    assert!(asked.failure.unwrap().minor);
}

#[test]
fn of_a_batch_that_was_refused_the_first_is_named() {
    let lines = "user go
         call a Bash make a
         call b Bash make b
         call c Bash make c
         refuse a
         refuse b
         refuse c";
    matters(lines, Some(("5", "interrupted")));
}

#[test]
fn failures_of_older_turns_are_listed_and_not_named() {
    let lines = "user go
         call a Bash make
         fail a no
         model I can't.
         user never mind, say hello
         model Hello.";
    let report = matters(lines, None);
    assert_eq!((report.all.len(), report.all[0].in_last_turn), (1, false));
    // A request that nothing came of yet begins no turn.
    matters(
        "user go\ncall a Bash make\nfail a no\nmodel I can't.\nuser go on",
        Some(("3", "answered")),
    );
}

#[test]
fn a_refusal_with_words_is_a_request() {
    let lines = "user go
         call a Bash rm x
         refuse a keep x, and build
         call b Bash make
         fail b no rule
         model No rule.";
    let report = matters(lines, Some(("5", "answered")));
    assert_eq!(report.failure.unwrap().request.unwrap().text, "keep x, and build");
}

#[test]
fn the_way_from_an_agents_failure_leads_to_the_users_request() {
    let mut history = History::of("user find out\nmodel I'll ask an agent.\ncall t Task look");
    history.spawn("s/one", "3", "user look around\ncall a Bash make\nfail a no\nmodel It fails.");
    history.add("s", "good t It fails.\nmodel It fails.");
    let report = why(&history, &WhyQuery::session("s"));
    let chain = report.failure.expect("the agent gave up");
    assert_eq!(chain.failure.instance(), "one");
    assert_eq!(chain.request.unwrap().text, "find out");
    assert_eq!(chain.decision.unwrap().text, "I'll ask an agent.");
    assert_eq!(chain.end.kind, "request");
    // Of the agent alone, too.
    let report = why(&history, &WhyQuery::session("s/one"));
    assert_eq!(report.failure.unwrap().failure.id().to_string(), "6");

    // What the session does again by itself repairs it.
    history.add("s", "call b Bash make\ngood b ok\nmodel Now it works.");
    assert!(why(&history, &WhyQuery::session("s")).failure.is_none());
}

#[test]
fn where_the_parent_is_missing_it_goes_on_by_time_and_says_so() {
    use forebear::Event;
    let history = History::of("user first\nmodel Fine.\nuser second\nmodel I see.");
    let failing = Event::new("result")
        .id("f")
        .parent("never stored")
        .session("s")
        .instance("s")
        .time_ns(60_000_000_000)
        .label("is_error", "true")
        .payload("fail x no");
    history.store.append(failing).unwrap();
    let chain = why(&history, &WhyQuery::session("s")).failure.unwrap();
    assert_eq!((chain.end.kind, chain.end.by_time), ("missing", true));
    assert_eq!(chain.end.parent.unwrap().to_string(), "never stored");
    assert_eq!(chain.request.unwrap().text, "second");
    assert_eq!(chain.decision.unwrap().text, "I see.");
    assert!(chain.call.is_none());
}

#[test]
fn failures_of_a_sort_are_counted_over_the_store() {
    let mut history =
        History::of("user go\ncall a Bash make\nfail a a.c:12: no rule for x\nmodel No.");
    history.add("t", "user go\ncall a Bash make\nfail a a.c:99: no rule for x\nmodel No.");
    history.add("t", "call b Read z\nfail b other words\nmodel No.");
    let chain = why(&history, &WhyQuery::event("7")).failure.unwrap();
    let earlier = chain.earlier.unwrap();
    assert_eq!((earlier.count, earlier.in_session, earlier.sessions), (2, 1, 2));
    assert_eq!((earlier.first.to_string().as_str(), earlier.complete), ("3", true));
}

#[test]
fn without_a_name_the_newest_session_with_one_that_matters_is_told() {
    let mut history = History::of("user go\ncall a Bash make\nfail a no\nmodel No.");
    history.add("t", "user go\ncall a Bash make\nfail a no\ncall b Bash make\ngood b ok");
    let report = why(&history, &WhyQuery::newest());
    assert_eq!(report.session.as_deref(), Some("s"));
    assert_eq!(report.failure.unwrap().failure.id().to_string(), "3");
    let elsewhere = why(&history, &WhyQuery::newest_in("/elsewhere"));
    assert!(elsewhere.failure.is_none() && elsewhere.session.is_none());
    let nothing = why(&History::of("user hello\nmodel Hello."), &WhyQuery::newest());
    assert!(nothing.failure.is_none() && nothing.all.is_empty() && nothing.complete);
}

#[test]
fn a_budget_that_is_used_up_is_told() {
    use forebear::answers::Budget;
    let history = History::of("user go\ncall a Bash make\nfail a no\nmodel No.");
    let query = WhyQuery::session("s").budget(Budget::default().events(2));
    assert!(!why(&history, &query).complete);
    assert!(why(&history, &WhyQuery::session("s")).complete);
}

#[test]
fn the_way_up_has_a_budget_of_its_own() {
    use forebear::answers::Budget;
    let history = History::of("user go\nmodel Let me see.\ncall a Bash make\nfail a no");
    let query = WhyQuery::session("s").budget(Budget::default().events(3));
    let report = why(&history, &query);
    assert!(!report.complete);
    let chain = report.failure.expect("it was read");
    assert_eq!((chain.end.kind, chain.request.unwrap().text.as_str()), ("request", "go"));
}

#[test]
fn the_newest_failure_may_be_of_no_session() {
    use forebear::Event;
    let step = |id: &str, instance: &str, second: i64, line: &str| {
        let event = Event::new("step").id(id).instance(instance).time_ns(second * 1_000_000_000);
        let event = event.payload(line.to_owned());
        if line.starts_with("fail") { event.label("is_error", "true") } else { event }
    };
    let history = History::new();
    let append = |event| {
        history.store.append(event).unwrap();
    };
    append(step("1", "job", 1, "call a Bash make"));
    append(step("2", "job", 2, "fail a no"));
    // Of another instance all is well again.
    append(step("3", "other", 3, "call b Bash make"));
    append(step("4", "other", 4, "fail b no"));
    append(step("5", "other", 5, "call c Bash make"));
    append(step("6", "other", 6, "good c ok"));
    // The same instance does it in a session: that repairs nothing of what is of none.
    append(step("7", "job", 7, "call d Bash make").session("s"));
    append(step("8", "job", 8, "good d ok").session("s"));
    let report = why(&history, &WhyQuery::newest());
    let chain = report.failure.expect("nothing repaired it");
    assert_eq!((report.session, chain.failure.id().to_string().as_str()), (None, "2"));
    assert_eq!((chain.outcome, report.all.len()), (Some(Outcome::Open), 1));
}

#[test]
fn the_newest_failure_is_looked_for_on_one_budget() {
    use forebear::answers::Budget;
    let repaired = "user go\ncall a Bash make\nfail a no\ncall b Bash make\ngood b ok";
    let mut history = History::of("user go\ncall a Bash make\nfail a no\nmodel No.");
    history.add("t", repaired).add("u", repaired);
    let newest = |events| {
        let query = WhyQuery::newest().budget(Budget::default().events(events));
        let report = why(&history, &query);
        (report.failure.is_some(), report.complete)
    };
    // Three rows, two sessions of five events, and one of four.
    assert_eq!(newest(17), (true, true));
    assert_eq!(newest(9), (false, false));
    assert_eq!(newest(2), (false, false));
}

#[test]
fn an_agent_is_named_by_its_session_however_many_slashes_there_are() {
    use forebear::{Event, Scope};
    let history = History::new();
    let failing = Event::new("result").id("f").session("team/a").instance("w/1");
    let failing = failing.scope(Scope::Own).label("is_error", "true").payload("fail y no");
    history.store.append(failing).unwrap();
    let report = why(&history, &WhyQuery::session("team/a/w/1"));
    assert_eq!(report.session.as_deref(), Some("team/a/w/1"));
    assert_eq!(report.failure.unwrap().failure.id().to_string(), "f");
    assert!(why(&history, &WhyQuery::session("team/a/w/2")).all.is_empty());
}

#[test]
fn a_long_session_full_of_failures_is_answered_in_time() {
    let mut lines = vec!["user go".to_owned()];
    for n in 0..6000 {
        lines.push(format!("call c{n} Bash make {}", n % 2));
        lines.push(format!("fail c{n} no"));
    }
    let history = History::of(&lines.join("\n"));
    let began = std::time::Instant::now();
    let report = why(&history, &WhyQuery::session("s"));
    assert_eq!(report.all.len(), 6000);
    // With every later step looked at for each failure it takes minutes.
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
