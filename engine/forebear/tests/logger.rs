//! Events that are logged hang where they belong, whatever runs them.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::{Context as Task, Waker};

use forebear::context::{self, Context, WithParent};
use forebear::{Durability, Event, EventId, EventLogger, Filter, LinkKind, Store};
use rayon::prelude::*;
use tokio::sync::oneshot;
use tokio::{runtime, task};

fn logger() -> (Store, EventLogger) {
    let store = forebear::in_memory().expect("opens");
    (store.clone(), EventLogger::new(store).durability(Durability::Flush))
}

fn parent_of(store: &Store, id: &str) -> Option<String> {
    let event = store.get(id).expect("reads").expect("is stored");
    event.parent().map(ToString::to_string)
}

fn log(logger: &EventLogger, id: &str) {
    logger.log(Event::new("step").id(id)).expect("logs").expect("is stored");
}

#[test]
fn an_explicit_parent_wins_and_a_root_is_one() {
    let (store, logger) = logger();
    context::with_parent("a", || {
        log(&logger, "inner");
        logger.log(Event::new("step").id("told").parent("b")).expect("logs");
        context::with_parent("c", || log(&logger, "nested"));
        Context::root().run(|| log(&logger, "root"));
        log(&logger, "again");
    });
    log(&logger, "after");
    let parents = ["inner", "told", "nested", "root", "again", "after"];
    let parents = parents.map(|id| parent_of(&store, id));
    let expected = [Some("a"), Some("b"), Some("c"), None, Some("a"), None];
    assert_eq!(parents, expected.map(|parent| parent.map(str::to_owned)));
}

#[test]
fn a_panic_restores_the_context_and_fails_the_span() {
    let (store, logger) = logger();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let span = logger.span(Event::new("job").id("job")).expect("logs");
        let _ = span.record(|| -> Result<(), String> {
            log(&logger, "inside");
            panic!("on purpose");
        });
    }));
    assert!(panicked.is_err());
    assert_eq!(context::current(), None);
    store.flush().expect("flushes");
    let job = store.get("job").expect("reads").expect("is stored");
    assert_eq!((job.label("is_error"), job.label("error")), (Some("true"), Some("panicked")));
    assert_eq!(parent_of(&store, "inside").as_deref(), Some("job"));
}

#[test]
fn two_tasks_that_take_turns_on_one_thread_keep_their_parents() {
    let (store, logger) = logger();
    let step = |name: &'static str| {
        let logger = logger.clone();
        async move {
            for turn in 0..5 {
                logger.log(Event::new("step").id(format!("{name}{turn}"))).expect("logs");
                task::yield_now().await;
            }
        }
    };
    let (a, b) = (step("a").with_parent("A"), step("b").with_parent("B"));
    let runtime = runtime::Builder::new_current_thread().build().expect("builds");
    runtime.block_on(async { tokio::join!(a, b) });
    for turn in 0..5 {
        assert_eq!(parent_of(&store, &format!("a{turn}")).as_deref(), Some("A"));
        assert_eq!(parent_of(&store, &format!("b{turn}")).as_deref(), Some("B"));
    }
    assert_eq!(context::current(), None);
}

#[test]
fn fifty_tasks_on_two_threads_keep_their_chains() {
    let (store, logger) = logger();
    let runtime = runtime::Builder::new_multi_thread().worker_threads(2).build().expect("builds");
    log(&logger, "ask");
    runtime.block_on(async {
        let tasks: Vec<_> = (0..50)
            .map(|number| task::spawn(deploy(logger.clone(), number).with_parent("ask")))
            .collect();
        for task in tasks {
            task.await.expect("ends").expect("logs");
        }
    });
    store.flush().expect("flushes");
    for number in 0..50 {
        let chain = store.chain(format!("log {number}")).expect("reads").expect("is stored");
        let ids: Vec<_> = chain.map(|event| event.expect("reads").id().to_string()).collect();
        let expected = ["log", "inner", "deploy"].map(|name| format!("{name} {number}"));
        assert_eq!(ids[..3], expected);
        assert_eq!(ids[3], "ask");
    }
}

async fn deploy(logger: EventLogger, number: u32) -> forebear::Result<()> {
    let span = logger.span_async(Event::new("deploy").id(format!("deploy {number}"))).await?;
    let inner = logger.clone();
    span.record_async(async move {
        task::yield_now().await;
        let span = inner.span(Event::new("inner").id(format!("inner {number}")))?;
        let last = inner.clone();
        span.record_async(async move {
            task::yield_now().await;
            last.log_async(Event::new("log").id(format!("log {number}"))).await.map(drop)
        })
        .await
    })
    .await
}

#[test]
fn what_select_drops_was_cancelled_and_leaves_nothing_behind() {
    let (store, logger) = logger();
    let runtime = runtime::Builder::new_current_thread().build().expect("builds");
    runtime.block_on(async {
        let span = logger.span(Event::new("slow").id("slow")).expect("logs");
        let (_never, forever) = oneshot::channel::<()>();
        let slow = span.record_async(async { forever.await.map_err(|error| error.to_string()) });
        tokio::select! {
            biased;
            _ = slow => panic!("it never ends"),
            () = task::yield_now() => log(&logger, "beside"),
        }
    });
    store.flush().expect("flushes");
    let slow = store.get("slow").expect("reads").expect("is stored");
    assert_eq!((slow.label("interrupted"), slow.label("is_error")), (Some("stopped"), None));
    assert_eq!(parent_of(&store, "beside"), None);
}

#[test]
fn what_a_future_drops_is_dropped_in_its_context() {
    struct LogsWhenDropped(EventLogger);
    impl Drop for LogsWhenDropped {
        fn drop(&mut self) {
            log(&self.0, "dropped");
        }
    }

    let (store, logger) = logger();
    let guard = LogsWhenDropped(logger);
    let future = async move {
        let _guard = guard;
        std::future::pending::<()>().await;
    };
    let mut future = Box::pin(future.with_parent("ask"));
    assert!(future.as_mut().poll(&mut Task::from_waker(Waker::noop())).is_pending());
    drop(future);
    assert_eq!(parent_of(&store, "dropped").as_deref(), Some("ask"));
    assert_eq!(context::current(), None);
}

#[test]
fn a_span_has_room_for_the_labels_of_its_end() {
    let (store, logger) = logger();
    let with_labels = |count: usize| {
        let event = Event::new("deploy").id(format!("deploy-{count}"));
        (0..count).fold(event, |event, number| event.label(format!("label-{number}"), "x"))
    };
    let error = logger.span(with_labels(62)).expect_err("its end would have no room");
    assert!(error.is_invalid(), "{error}");
    let span = logger.span(with_labels(60)).expect("begins").label("more", "x");
    span.label("too many", "x").label("more", "y").fail("broke").expect("ends");
    let stored = store.get("deploy-60").expect("reads").expect("is stored");
    assert_eq!((stored.labels().count(), stored.label("more")), (64, Some("y")));
    assert_eq!((stored.label("error"), logger.lost()), (Some("broke"), 1));
}

#[test]
fn rayon_and_blocking_threads_take_the_context_along() {
    let (store, logger) = logger();
    let span = logger.span(Event::new("batch").id("batch")).expect("logs");
    let context = span.context();
    (0..200).into_par_iter().for_each(|number: u32| {
        context.run(|| log(&logger, &format!("item {number}")));
    });
    span.end().expect("ends");
    for number in 0..200 {
        assert_eq!(parent_of(&store, &format!("item {number}")).as_deref(), Some("batch"));
    }
}

#[test]
fn what_is_not_durable_is_not_stored_and_breaks_no_chain() {
    let (store, logger) = logger();
    let logger = logger.durable_if(|event| event.as_kind() != "progress");
    let job = logger.span(Event::new("job").id("job")).expect("logs");
    job.run(|| {
        let progress = logger.span(Event::new("progress").id("progress")).expect("passes");
        progress.run(|| log(&logger, "inside"));
        progress.fail("nobody hears it").expect("ends");
    });
    assert!(store.get("progress").expect("reads").is_none());
    assert_eq!(parent_of(&store, "inside").as_deref(), Some("job"));
}

#[test]
fn an_agent_is_an_actor_of_its_own() {
    let (store, logger) = logger();
    let logger = logger.session("s").instance("main");
    let call = logger.span(Event::new("call").id("call").payload("{}")).expect("logs");
    let agent = call.run(|| logger.agent("helper", Event::new("request").id("task")));
    let agent = agent.expect("logs");
    agent.run(|| {
        log(&logger, "own");
        logger.log(Event::new("step").id("other").session("elsewhere")).expect("logs");
    });
    agent.end().expect("ends");
    let get = |id: &str| store.get(id).expect("reads").expect("is stored");
    assert_eq!(get("task").link(), Some(LinkKind::Spawned));
    assert_eq!((get("own").instance(), get("own").session()), ("helper", Some("s")));
    assert_eq!((get("other").instance(), get("other").session()), ("main", Some("elsewhere")));
    call.end().expect("ends");
    assert_eq!(get("call").instance(), "main");
    assert!(get("call").label("duration_ns").is_some(), "beside the same payload");
}

#[test]
fn an_end_that_finds_the_store_closed_is_counted() {
    let (store, logger) = logger();
    let span = logger.span(Event::new("job")).expect("logs");
    store.close().expect("closes");
    drop(span);
    assert_eq!(logger.lost(), 1);
}

#[test]
fn a_future_logs_in_the_context_it_was_called_in() {
    let (store, logger) = logger();
    let future = context::with_parent("a", || logger.log_async(Event::new("step").id("b")));
    let mut future = pin!(future);
    let mut task = Task::from_waker(Waker::noop());
    while future.as_mut().poll(&mut task).is_pending() {
        std::thread::yield_now();
    }
    assert_eq!(parent_of(&store, "b").as_deref(), Some("a"));
}

/// A payload with a type says all there is: labels beside it are no news, so that an end
/// without another payload can't be stored. That is said.
#[test]
fn an_end_that_a_typed_payload_hides_is_an_error() {
    let (_, logger) = logger();
    let typed = || Event::new("job").payload("{}").payload_type("acme.job");
    let span = logger.span(typed()).expect("logs");
    assert!(span.end().is_err_and(|error| error.is_invalid()));
    let span = logger.span(typed()).expect("logs");
    assert!(span.record(|| Ok::<_, String>(())).is_ok());
    assert_eq!(logger.lost(), 1);
    let span = logger.span(typed()).expect("logs");
    span.payload(r#"{"done":true}"#).end().expect("ends");
}

/// Random trees of spans, run by closures and futures in turn: what is stored is the tree.
#[test]
fn random_trees_of_spans_are_stored_as_they_are() {
    for seed in 0..40 {
        let (store, logger) = logger();
        let mut tree = Tree { random: seed, expected: Vec::new(), next: 0 };
        tree.grow(&logger, None, 0);
        store.flush().expect("flushes");
        let snapshot = store.snapshot();
        let mut stored: Vec<_> = snapshot
            .events(Filter::new())
            .iter()
            .map(|event| event.expect("reads"))
            .map(|event| (event.id().clone(), event.parent().cloned()))
            .collect();
        stored.sort();
        tree.expected.sort();
        assert_eq!(stored, tree.expected, "seed {seed}");
    }
}

struct Tree {
    random: u64,
    expected: Vec<(EventId, Option<EventId>)>,
    next: u32,
}

impl Tree {
    fn grow(&mut self, logger: &EventLogger, parent: Option<&EventId>, depth: u32) {
        for _ in 0..=self.below(3) {
            let event = Event::new("span").id(format!("{}", self.next));
            self.next += 1;
            self.expected.push((event.as_id().clone(), parent.cloned()));
            if depth == 4 || self.below(3) == 0 {
                logger.log(event).expect("logs");
                continue;
            }
            let span = logger.span(event).expect("logs");
            let id = span.id().clone();
            if self.below(2) == 0 {
                span.run(|| self.grow(logger, Some(&id), depth + 1));
            } else {
                let mut task = Task::from_waker(Waker::noop());
                let future = span.record_async(async {
                    self.grow(logger, Some(&id), depth + 1);
                    Ok::<(), String>(())
                });
                let mut future = pin!(future);
                while future.as_mut().poll(&mut task).is_pending() {
                    std::thread::yield_now();
                }
            }
        }
    }

    fn below(&mut self, end: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.random >> 33) % end
    }
}

#[test]
fn why_explains_what_failed_in_a_span() {
    let (store, logger) = logger();
    let request = logger.span(Event::new("request").id("ask").payload("POST /orders/7")).unwrap();
    let failed = request.record(|| {
        let reserve = logger.span(Event::new("reserve").id("reserve"))?;
        reserve.record(|| Err::<(), _>(forebear::Error::invalid("nothing is left")))
    });
    assert!(failed.is_err());
    let report = forebear::answers::failure_chain(
        &store.snapshot(),
        &forebear::readings::Readings::default(),
        &forebear::answers::WhyQuery::newest(),
    );
    let found = report.unwrap().failure.expect("it failed");
    assert_eq!(found.failure.id().to_string(), "reserve");
    assert!(found.text.contains("nothing is left"), "{}", found.text);
}
