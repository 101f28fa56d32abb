//! Sessions, relationships and waves against SQLite, which computes the same answers
//! from the same rows: random histories over many small segments, looked at while they
//! grow, by old snapshots, when they were opened again and when segments were dropped.

#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "SQLite has no numbers without a sign, and those here are small"
)]

mod history;
mod sql;
mod transcripts;

use std::collections::BTreeSet;

use forebear::{
    Cursor, Event, Filter, LinkKind, Liveness, Relationship, RelationshipType, Retention, Scope,
    Session, SessionFilter, SessionPatch, SessionProblem, SessionReads, SessionStatus, SessionType,
    SessionWrites, Snapshot, Store,
};

use crate::history::{NOW_NS, Writer, liveness};
use crate::sql::Sql;

#[test]
fn every_answer_is_that_of_sqlite() {
    for seed in 0..HISTORIES {
        let folder = tempfile::tempdir().expect("a folder");
        let open = || {
            let builder = forebear::builder().segment_events([7, 40, 100_000][seed as usize % 3]);
            builder.open(folder.path().join("store")).expect("opens")
        };
        let (mut store, sql) = (open(), Sql::new());
        let mut writer = Writer::new(seed);
        let mut old = None;
        for step in 0..6 {
            for _ in 0..12 {
                writer.write(&store, &sql);
            }
            if step == 2 {
                old = Some((store.snapshot(), answers(&store.snapshot())));
            }
            if step % 2 == 1 {
                store.close().expect("closes");
                store = open();
            }
            compare(&store.snapshot(), &sql, 0);
        }
        let (snapshot, then) = old.expect("was taken");
        assert_eq!(answers(&snapshot), then, "an old snapshot sees what it saw");
        store.seal().expect("seals");
        compare(&store.snapshot(), &sql, 0);
        for file in std::fs::read_dir(folder.path().join("store")).expect("lists") {
            let path = file.expect("lists").path();
            if path.extension().is_some_and(|extension| extension == "idx") {
                std::fs::remove_file(path).expect("removes");
            }
        }
        store.close().expect("closes");
        store = open();
        compare(&store.snapshot(), &sql, 0);
        // What is dropped is carried, also where it was carried before.
        for keep in [200, 60, 0] {
            store.retain(&Retention::new().max_events(keep)).expect("drops");
            compare(&store.snapshot(), &sql, first_seq(&store));
            for _ in 0..4 {
                writer.write_state(&store, &sql);
            }
            store.seal().expect("seals");
            compare(&store.snapshot(), &sql, first_seq(&store));
            store.close().expect("closes");
            store = open();
            compare(&store.snapshot(), &sql, first_seq(&store));
        }
    }
}

#[test]
fn depth_and_paths_end_in_circles_and_siblings_lead_nowhere() {
    let store = forebear::in_memory().expect("opens");
    let relate = |parent: &str, child: &str| {
        store.relate(Relationship::new(parent, child)).expect("relates");
    };
    relate("a", "b");
    relate("b", "c");
    relate("c", "a");
    relate("d", "d");
    let sibling = Relationship::new("a", "e").relationship_type(RelationshipType::Sibling);
    store.relate(sibling).expect("relates");
    let snapshot = store.snapshot();
    let place = snapshot.session_place("c").expect("reads");
    assert_eq!((place.depth, place.path.as_str(), place.cycle), (2, "a.b.c", true));
    let place = snapshot.session_place("e").expect("reads");
    assert_eq!((place.depth, place.cycle), (0, false));
    let tree = snapshot.session_tree("a").page().expect("reads").items;
    let names: Vec<_> = tree.iter().map(|node| node.session.id.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"], "each once");
    let problems = snapshot.session_problems().page().expect("reads").items;
    assert!(problems.contains(&SessionProblem::SelfReference { session: "d".into() }));
    assert!(problems.contains(&SessionProblem::Cycle { session: "b".into() }));
    store.upsert_session(SessionPatch::new("x.y").parent("r")).expect("writes");
    store.upsert_session(SessionPatch::new("y").parent("x")).expect("writes");
    store.upsert_session(SessionPatch::new("x").parent("r")).expect("writes");
    let problems = store.snapshot().session_problems().page().expect("reads").items;
    let duplicate = |problem: &SessionProblem| matches!(problem, SessionProblem::DuplicatePath { path, .. } if path == "r.x.y");
    assert!(problems.iter().any(duplicate), "{problems:?}");
}

#[test]
fn an_agent_is_below_the_session_that_its_call_belongs_to() {
    let event =
        |id: &str, instance: &str| Event::new("step").id(id).session("s").instance(instance);
    let spawned = |id: &str, instance: &str, by: &str| {
        event(id, instance).scope(Scope::Own).parent(by).link(LinkKind::Spawned)
    };
    let store = forebear::in_memory().expect("opens");
    // A worker of the session makes the call, and has no session of its own.
    store.append(event("call", "worker")).expect("appends");
    store.append(spawned("first", "one", "call")).expect("appends");
    store.append(spawned("second", "two", "first")).expect("appends");
    let snapshot = store.snapshot();
    let children = |parent: &str| -> Vec<String> {
        let page = snapshot.session_children(parent).page().expect("reads");
        page.items.into_iter().map(|found| found.child).collect()
    };
    assert_eq!((children("s"), children("s/one")), (vec!["s/one".into()], vec!["s/two".into()]));
    let tree = snapshot.session_tree("s").page().expect("reads").items;
    let paths: Vec<_> = tree.iter().map(|node| node.path.as_str()).collect();
    assert_eq!(paths, ["s", "s.s/one", "s.s/one.s/two"]);
}

#[test]
fn a_tree_of_many_agents_reads_each_of_them_once() {
    const AGENTS: usize = 900;
    let store = forebear::in_memory().expect("opens");
    let mut before = "call".to_owned();
    store.append(Event::new("step").id(&*before).session("s")).expect("appends");
    let payload = format!(r#"{{"text":"{}"}}"#, "x".repeat(4000));
    let events: Vec<_> = (0..AGENTS)
        .map(|n| {
            let (id, by) = (format!("e{n}"), before.clone());
            before.clone_from(&id);
            let event = Event::new("step").id(id).session("s").instance(format!("a{n:04}"));
            event.scope(Scope::Own).parent(by).link(LinkKind::Spawned).payload(payload.clone())
        })
        .collect();
    store.append_batch(events).expect("appends");
    let began = std::time::Instant::now();
    let snapshot = store.snapshot();
    let page = snapshot.session_tree("s").limit(AGENTS + 1).page().expect("reads");
    assert_eq!((page.items.len(), page.items[AGENTS].below), (AGENTS + 1, AGENTS as u64));
    // Every agent once more for each of them takes a minute.
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn what_can_not_be_stored_is_refused() {
    let store = forebear::in_memory().expect("opens");
    let refused = |patch: SessionPatch| store.upsert_session(patch).is_err_and(|e| e.is_invalid());
    assert!(refused(SessionPatch::new("")));
    assert!(refused(SessionPatch::new("a\0b")));
    assert!(refused(SessionPatch::new("s".repeat(2050))));
    assert!(refused(SessionPatch::new("s").metadata("{")));
    assert!(refused(SessionPatch::new("s").metadata(format!("\"{}\"", "x".repeat(70_000)))));
    assert!(store.relate(Relationship::new("a", "")).is_err_and(|error| error.is_invalid()));
    let sessions = store.snapshot().sessions(SessionFilter::new()).page();
    assert!(sessions.expect("lists").items.is_empty());
}

/// All that an old snapshot is asked again.
fn answers(snapshot: &Snapshot) -> Vec<Session> {
    all_sessions(snapshot, &SessionFilter::new())
}

fn all_sessions(snapshot: &Snapshot, filter: &SessionFilter) -> Vec<Session> {
    let mut query = snapshot.sessions(filter.clone().liveness(liveness())).limit(3);
    let mut found = Vec::new();
    loop {
        let page = query.page().expect("lists");
        found.extend(page.items);
        let Some(next) = page.next else { return found };
        let again: Cursor = next.to_string().parse().expect("is a cursor");
        query = query.after(again);
    }
}

fn compare(snapshot: &Snapshot, sql: &Sql, first_seq: u64) {
    let sessions = all_sessions(snapshot, &SessionFilter::new());
    let expected = sql.sessions(first_seq);
    let lines: Vec<String> = sessions.iter().map(line).collect();
    assert_eq!(lines, expected);
    for session in &sessions {
        let id = &session.id;
        assert_eq!(snapshot.session_as_of(id, liveness()).expect("reads").as_ref(), Some(session));
        let children = snapshot.session_children(id).page().expect("lists").items;
        let names: Vec<_> = children.iter().map(|found| found.child.clone()).collect();
        assert_eq!(names, sql.children(id), "children of {id}");
        for found in &children {
            let stated = sql.stated(id, &found.child);
            assert_eq!(found.stated, stated.is_some(), "{found:?}");
            if let Some(kind) = stated.flatten() {
                assert_eq!(found.relationship_type.as_str(), kind);
            }
        }
        let parents = snapshot.session_parents(id).page().expect("lists").items;
        let names: Vec<_> = parents.iter().map(|found| found.parent.clone()).collect();
        assert_eq!(names, sql.parents(id), "parents of {id}");
        let place = snapshot.session_place(id).expect("reads");
        let (depth, path, cycle) = sql.place(id);
        assert_eq!((place.cycle, cycle), (cycle, cycle), "{id}");
        if !cycle {
            assert_eq!((place.depth, place.path), (depth, path), "{id}");
        }
        let tree = snapshot.session_tree(id).page().expect("reads").items;
        let below: BTreeSet<_> = tree.iter().map(|node| node.session.id.clone()).collect();
        assert_eq!(below.len(), tree.len(), "each once");
        let (names, events, errors, output) = sql.tree(id);
        assert_eq!(below, names, "below {id}");
        let total = tree[0].total;
        assert_eq!((total.events, total.errors, total.tokens.output), (events, errors, output));
        if first_seq == 0 {
            timeline(snapshot, sql, id);
        }
    }
    filters(snapshot, sql, first_seq);
    let waves = snapshot.waves().page().expect("lists").items;
    let waves: Vec<_> = waves
        .into_iter()
        .map(|wave| (wave.id, wave.sessions, wave.events, wave.start_ns, wave.end_ns))
        .collect();
    assert_eq!(waves, sql.waves(first_seq));
    let metrics = snapshot.session_metrics(SessionFilter::new()).page().expect("lists").items;
    for (metrics, session) in metrics.iter().zip(&sessions) {
        assert_eq!((&metrics.id, metrics.events), (&session.id, session.events));
        assert_eq!(metrics.duration, session.duration());
    }
    problems(snapshot, sql);
}

fn timeline(snapshot: &Snapshot, sql: &Sql, id: &str) {
    let page = snapshot.session_timeline(id, Filter::new()).limit(1000).page().expect("lists");
    let found: Vec<_> =
        page.items.iter().map(|entry| (entry.event.seq(), entry.session.id.clone())).collect();
    assert_eq!(found, sql.timeline(id), "timeline of {id}");
    for correlation in snapshot.session_correlations(id).page().expect("lists").items {
        let child = &correlation.relationship.child;
        let expected = sql.correlation(id, child);
        assert_eq!(correlation.child_duration.map(|d| d.as_nanos() as i64), expected.1, "{child}");
        let delay = correlation.spawn_delay.map(|delay| delay.as_nanos() as i64);
        assert_eq!(delay, expected.0, "{id} {child}");
    }
}

fn filters(snapshot: &Snapshot, sql: &Sql, first_seq: u64) {
    let check = |filter: SessionFilter, takes: &dyn Fn(&Session) -> bool| {
        let found: Vec<_> = all_sessions(snapshot, &filter).iter().map(line).collect();
        let all = all_sessions(snapshot, &SessionFilter::new());
        let expected: Vec<_> = all.iter().filter(|session| takes(session)).map(line).collect();
        assert_eq!(found, expected);
        found.len()
    };
    for &status in SessionStatus::ALL {
        let found = check(SessionFilter::new().status(status), &|s| s.status == status);
        assert_eq!(found, sql.count_sessions(first_seq, &format!(" {status} ")));
    }
    for &kind in SessionType::ALL {
        check(SessionFilter::new().session_type(kind), &|s| s.session_type == kind);
    }
    check(SessionFilter::new().source_app("app1"), &|s| s.source_app.as_deref() == Some("app1"));
    let of_w1 = snapshot.events(Filter::new().label("wave_id", "w1")).limit(1000).page();
    let of_w1: BTreeSet<_> = (of_w1.expect("lists").items.iter())
        .filter_map(|event| {
            Session::name_of(event.session().unwrap_or_default(), event.instance(), event.scope())
        })
        .collect();
    let is_in_w1 = |s: &Session| s.wave_id.as_deref() == Some("w1") || of_w1.contains(&s.id);
    check(SessionFilter::new().wave("w1"), &is_in_w1);
    let middle = NOW_NS / 2;
    check(SessionFilter::new().since_ns(middle), &|s| s.end_ns.is_some_and(|end| end >= middle));
    check(SessionFilter::new().until_ns(middle), &|s| s.start_ns.is_some_and(|at| at < middle));
}

fn problems(snapshot: &Snapshot, sql: &Sql) {
    let found = snapshot.session_problems().page().expect("lists").items;
    let [mut selves, mut unknown, mut cycles] = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    for problem in found {
        match problem {
            SessionProblem::SelfReference { session } => selves.insert(session),
            SessionProblem::UnknownChild { parent, child } => {
                unknown.insert(format!("{parent} {child}"))
            }
            SessionProblem::Cycle { session } => cycles.insert(session),
            other => panic!("expected none of {other:?}"),
        };
    }
    assert_eq!((selves, unknown, cycles), sql.problems());
}

/// A session as SQLite is asked to print it.
fn line(session: &Session) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let number = |number: Option<i64>| number.map_or("-".into(), |number| number.to_string());
    let tokens = session.tokens;
    format!(
        "{} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {} {}",
        session.id,
        session.session_type,
        session.status,
        text(&session.parent),
        number(session.start_ns),
        number(session.end_ns),
        session.events,
        session.errors,
        session.open_calls,
        session.agents,
        tokens.input,
        tokens.output,
        tokens.cache_read,
        tokens.cache_written,
        text(&session.model),
        text(&session.source_app),
        text(&session.wave_id),
    )
}

fn first_seq(store: &Store) -> u64 {
    store.snapshot().segments()[0].first_seq
}

/// Checked by hand to be the same on every machine.
#[test]
fn liveness_has_a_default_of_ten_minutes() {
    let minute = 60_000_000_000;
    let store = forebear::in_memory().expect("opens");
    store.append(Event::new("e").session("s").time_ns(0)).expect("appends");
    let status = |now| {
        let session = store.snapshot().session_as_of("s", Liveness::as_of(now)).expect("reads");
        session.expect("is there").status
    };
    assert_eq!(status(10 * minute - 1), SessionStatus::Active);
    assert_eq!(status(10 * minute), SessionStatus::Completed);
}

const HISTORIES: u64 = 6;
