//! What a layer stores of what services instrument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::{env, thread, time::Duration};

use forebear::storage::{Intercepted, Operation, SimulatedDisk};
use forebear::{Event, EventLogger, Filter, Store, StoredEvent, context};
use forebear_tracing::{Builder, OverflowPolicy, SpanTimes};
use tracing::subscriber::with_default;
use tracing::{Instrument, Level, error, info, info_span, span, warn};
use tracing_subscriber::prelude::*;

fn recorded(layer: Builder, work: impl FnOnce()) -> u64 {
    let (layer, guard) = layer.build();
    with_default(tracing_subscriber::registry().with(layer), work);
    guard.flush().expect("flushes");
    guard.lost()
}

fn layer(store: &Store) -> Builder {
    forebear_tracing::layer(store.clone())
}

fn events(store: &Store) -> Vec<StoredEvent> {
    let events = store.snapshot().events(Filter::new());
    let mut events: Vec<_> = events.iter().map(|event| event.expect("reads")).collect();
    events.reverse();
    events
}

fn payload(event: &StoredEvent) -> serde_json::Value {
    serde_json::from_slice(event.payload().expect("has one")).expect("is JSON")
}

fn one(store: &Store, kind: &str) -> StoredEvent {
    let of_kind: Vec<_> = events(store).into_iter().filter(|event| event.kind() == kind).collect();
    let [event] = of_kind.as_slice() else { panic!("{} of {kind}", of_kind.len()) };
    event.clone()
}

#[test]
fn spans_and_events_hang_where_they_happened() {
    let store = forebear::in_memory().expect("opens");
    let lost = recorded(layer(&store).instance("worker").session("s"), || {
        let request = info_span!("request", user = "ada", size = 7, code = tracing::field::Empty);
        let _entered = request.enter();
        info!(step = 1, "inside");
        let detached = span!(parent: None, Level::WARN, "detached");
        detached.in_scope(|| warn!(parent: &request, "told"));
        request.record("code", 402);
        error!("refused");
    });
    assert_eq!(lost, 0);
    let request = one(&store, "request");
    assert_eq!(payload(&request)["user"], "ada");
    assert_eq!(payload(&request)["code"], 402);
    assert_eq!((request.instance(), request.session()), ("worker", Some("s")));
    assert!(request.label("duration_ns").is_some() && request.label("busy_ns").is_some());
    assert_eq!(one(&store, "detached").parent(), None);
    let logs: Vec<_> = events(&store).into_iter().filter(|event| event.kind() == "log").collect();
    let messages: Vec<_> = logs.iter().map(|log| payload(log)["message"].clone()).collect();
    assert_eq!(messages, ["inside", "told", "refused"]);
    assert!(logs.iter().all(|log| log.parent() == Some(request.id())));
    assert_eq!(logs[2].label("level"), Some("error"));
    let errors = store.snapshot().events(Filter::new().errors()).page().expect("lists").items;
    assert_eq!(errors.len(), 1);
}

#[test]
fn a_span_with_an_error_failed_and_what_follows_is_linked() {
    let store = forebear::in_memory().expect("opens");
    recorded(layer(&store), || {
        let cause = info_span!("cause");
        let failure = std::io::Error::other("no route");
        let effect = span!(
            parent: None, Level::INFO, "effect", error = &failure as &dyn std::error::Error
        );
        effect.follows_from(&cause);
        let child = info_span!(parent: &cause, "child");
        child.follows_from(&effect);
    });
    let (cause, effect) = (one(&store, "cause"), one(&store, "effect"));
    assert_eq!(effect.parent(), Some(cause.id()));
    assert_eq!(effect.label("is_error"), Some("true"));
    assert_eq!(payload(&effect)["error"], "no route");
    let child = one(&store, "child");
    assert_eq!(child.parent(), Some(cause.id()));
    assert_eq!(payload(&child)["follows_from"][0], effect.id().to_string());
}

#[test]
fn the_context_of_the_logger_is_the_parent_of_what_has_none() {
    let store = forebear::in_memory().expect("opens");
    let logger = EventLogger::new(store.clone());
    let request = logger.span(Event::new("request")).expect("logs");
    recorded(layer(&store), || request.run(|| info!("inside")));
    assert_eq!(one(&store, "log").parent(), Some(request.id()));
    assert_eq!(context::current(), None);
}

#[test]
fn a_field_session_is_that_of_all_below() {
    let store = forebear::in_memory().expect("opens");
    recorded(layer(&store).session("all").spans(SpanTimes::Close), || {
        let outer = info_span!("outer", session = "checkout-42");
        let inner = outer.in_scope(|| info_span!("inner"));
        inner.in_scope(|| info!("inside"));
        info!("outside");
    });
    let sessions: BTreeMap<_, _> = events(&store)
        .iter()
        .map(|event| {
            (
                format!("{} {}", event.kind(), payload(event)["message"]),
                event.session().map(str::to_owned),
            )
        })
        .collect();
    let told: Vec<_> = sessions.values().map(|session| session.as_deref().unwrap_or("")).collect();
    assert_eq!(told, ["checkout-42", "checkout-42", "all", "checkout-42"], "{sessions:?}");
}

#[test]
fn tasks_keep_their_spans_over_awaits() {
    let store = forebear::in_memory().expect("opens");
    recorded(layer(&store), || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        runtime.block_on(async {
            let task = |name: &'static str| {
                async move {
                    for _ in 0..3 {
                        info!(name);
                        tokio::task::yield_now().await;
                    }
                }
                .instrument(info_span!("task", name))
            };
            tokio::join!(task("a"), task("b"));
        });
    });
    let spans: BTreeMap<_, _> = events(&store)
        .iter()
        .filter(|event| event.kind() == "task")
        .map(|event| (event.id().clone(), payload(event)["name"].clone()))
        .collect();
    let logs: Vec<_> = events(&store).into_iter().filter(|event| event.kind() == "log").collect();
    assert_eq!((spans.len(), logs.len()), (2, 6));
    for log in logs {
        assert_eq!(spans[log.parent().expect("has one")], payload(&log)["name"]);
    }
}

#[test]
fn the_store_s_own_traces_are_not_recorded() {
    let store = forebear::builder().segment_events(10).in_memory().expect("opens");
    recorded(layer(&store), || {
        for _ in 0..100 {
            store.append(Event::new("step")).expect("appends");
        }
        store.seal().expect("seals");
    });
    assert!(events(&store).iter().all(|event| event.kind() == "step"));
}

/// Random trees of spans are stored as they are.
#[test]
fn random_trees_are_stored_as_they_are() {
    for seed in 0..20 {
        let store = forebear::in_memory().expect("opens");
        let times = if seed % 2 == 0 { SpanTimes::OpenAndClose } else { SpanTimes::Close };
        let (mut random, mut next, mut expected) = (seed, 0_u64, BTreeMap::new());
        recorded(layer(&store).spans(times), || {
            grow(&mut random, &mut next, &mut expected, None, 0);
        });
        let events = events(&store);
        let number = |event: &StoredEvent| payload(event)["number"].as_u64().expect("has one");
        let of_id: BTreeMap<_, _> =
            events.iter().map(|event| (event.id().clone(), number(event))).collect();
        let stored: BTreeMap<_, _> = events
            .iter()
            .map(|event| (number(event), event.parent().map(|parent| of_id[parent])))
            .collect();
        assert_eq!(stored, expected, "seed {seed}");
    }
}

fn grow(
    random: &mut u64,
    next: &mut u64,
    expected: &mut BTreeMap<u64, Option<u64>>,
    parent: Option<u64>,
    depth: u32,
) {
    let mut below = |end: u64| {
        *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (*random >> 33) % end
    };
    let (count, leaf) = (below(4) + 1, depth == 4 || below(3) == 0);
    for _ in 0..count {
        let number = *next;
        *next += 1;
        expected.insert(number, parent);
        if leaf {
            info!(number);
        } else {
            info_span!("span", number)
                .in_scope(|| grow(random, next, expected, Some(number), depth + 1));
        }
    }
}

/// However slow the disk is: what was sent is stored or counted as lost, and the loss is told.
#[test]
fn stored_and_lost_are_all_that_was_sent() {
    let spans: u64 = env::var(SPANS).ok().and_then(|n| n.parse().ok()).unwrap_or(SPANS_DEFAULT);
    for policy in [OverflowPolicy::Drop, OverflowPolicy::Sample(10), OverflowPolicy::Block] {
        let is_slow = Arc::new(AtomicBool::new(true));
        let slow = Arc::clone(&is_slow);
        let disk = Intercepted::new(SimulatedDisk::new(), move |operation, perform| {
            if operation == Operation::Write && slow.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(2));
            }
            perform()
        });
        let store = forebear::builder().queue_bytes(256 << 10).open_on(Arc::new(disk));
        let store = store.expect("opens");
        let (layer, guard) = layer(&store).on_overflow(policy).build();
        with_default(tracing_subscriber::registry().with(layer), || {
            for number in 0..spans {
                let span = info_span!("span", number);
                span.in_scope(|| info!(number));
            }
            is_slow.store(false, Ordering::Relaxed);
            guard.flush().expect("flushes");
            // There is room again: what was lost is told with the next.
            info!("last");
        });
        guard.flush().expect("flushes");
        let snapshot = store.snapshot();
        let (mut stored, mut told) = (0, 0);
        for event in &snapshot.events(Filter::new().with_superseded()) {
            let event = event.expect("reads");
            if event.kind() == "lost" {
                told += event.label("count").and_then(|n| n.parse::<u64>().ok()).expect("counts");
            } else {
                stored += 1;
            }
        }
        assert_eq!(stored + guard.lost(), 3 * spans + 1, "{policy:?}");
        assert_eq!(told, guard.lost(), "{policy:?}");
        assert_eq!(guard.lost() == 0, policy == OverflowPolicy::Block, "{policy:?}");
    }
}

/// How many spans are sent, each opened and closed around an event.
const SPANS: &str = "FOREBEAR_TRACING_SPANS";
const SPANS_DEFAULT: u64 = 50_000;
