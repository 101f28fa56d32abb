//! `search` over histories whose answer is obvious.

mod support;

use forebear::answers::{Budget, Match, SearchQuery, search};
use forebear::{Cursor, Event, Filter};
use support::{History, readings};

fn matches(history: &History, query: &SearchQuery) -> (Vec<Match>, Option<Cursor>) {
    let (snapshot, readings) = (history.snapshot(), readings());
    let mut search = search(&snapshot, &readings, query).expect("it can be looked for");
    let found = search.by_ref().map(|found| found.expect("the store is sound")).collect();
    (found, search.cursor().expect("the store is sound"))
}

#[track_caller]
fn finds(history: &History, words: &str, expected: &[&str]) {
    let (found, next) = matches(history, &SearchQuery::new(words));
    let ids: Vec<String> = found.iter().map(|found| found.event.id().to_string()).collect();
    assert_eq!(
        (ids, next),
        (expected.iter().map(|id| (*id).to_owned()).collect(), None),
        "{words}"
    );
    for found in found {
        let said = &found.snippet[found.at.0..found.at.1];
        assert_eq!(said.to_lowercase(), words.to_lowercase(), "{:?}", found.snippet);
    }
}

#[test]
fn what_is_said_thought_called_and_given_back_is_found_newest_first() {
    let history = History::of(
        "user the Cache is slow
         think a cache in front
         call a Bash grep cache src
         fail a no cache here
         model There is no CACHE.",
    );
    finds(&history, "cache", &["5", "4", "3", "2", "1"]);
    finds(&history, "Cache", &["1"]);
    finds(&history, "no cache here", &["4"]);
    finds(&history, "nowhere", &[]);
}

#[test]
fn a_match_stands_in_its_context_with_the_title_of_its_session() {
    let long = "x ".repeat(300);
    let history = History::of(&format!("user mend the parser\nmodel {long}needle {long}"));
    let (found, _) = matches(&history, &SearchQuery::new("needle"));
    let [found] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(found.title.as_deref(), Some("mend the parser"));
    assert!(found.snippet.starts_with('…') && found.snippet.ends_with('…'), "{found:?}");
    assert!(found.snippet.len() < 250 && found.snippet.contains(" needle "), "{found:?}");
}

#[test]
fn expressions_filters_and_versions_of_words_are_found() {
    let mut history = History::of("user error 12 in a.rs\nmodel error 7 in b.rs");
    history.add("t", "user error 9 in c.rs");
    let query = SearchQuery::new(r"error \d in").regex(true);
    assert_eq!(matches(&history, &query).0.len(), 2);
    let of_t = query.clone().filter(Filter::new().session("t"));
    assert_eq!(matches(&history, &of_t).0.len(), 1);
    let snapshot = history.snapshot();
    assert!(search(&snapshot, &readings(), &SearchQuery::new("(").regex(true)).is_err());
}

#[test]
fn a_payload_that_no_reader_knows_is_found_by_all_of_it() {
    let store = forebear::in_memory().unwrap();
    store.append(Event::new("order").id("o").payload(r#"{"total":7,"by":"J\u00fcrgen"}"#)).unwrap();
    let (snapshot, readings) = (store.snapshot(), forebear::readings::Readings::default());
    let finds = |words| search(&snapshot, &readings, &SearchQuery::new(words)).unwrap().count();
    assert_eq!((finds("\"total\":7"), finds("total"), finds("nobody")), (1, 1, 0));
}

#[test]
fn a_search_goes_on_where_it_ended() {
    let lines: Vec<String> = (0..500).map(|n| format!("model needle {n}")).collect();
    let history = History::of(&lines.join("\n"));
    let (snapshot, readings) = (history.snapshot(), readings());
    let mut query = SearchQuery::new("needle");
    let mut all = Vec::new();
    for pages in 1.. {
        let mut found = search(&snapshot, &readings, &query).unwrap();
        for found in found.by_ref().take(70) {
            all.push(found.unwrap().event.id().to_string());
        }
        let Some(next) = found.cursor().unwrap() else {
            assert_eq!(pages, 8);
            break;
        };
        query = query.after(next);
    }
    let expected: Vec<String> = (1..=500).rev().map(|n: u32| n.to_string()).collect();
    assert_eq!(all, expected);
}

#[test]
fn what_was_not_looked_through_is_told() {
    let history = History::of("model needle 1\nmodel needle 2\nmodel needle 3");
    let (snapshot, readings) = (history.snapshot(), readings());
    let query = SearchQuery::new("needle").budget(Budget::default().events(2));
    let mut found = search(&snapshot, &readings, &query).unwrap();
    assert_eq!(found.by_ref().count(), 2);
    assert!(!found.is_complete());
    assert_eq!(found.searched().0, 2);
    let rest = SearchQuery::new("needle").after(found.cursor().unwrap());
    let rest = matches(&history, &rest).0;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].event.id().to_string(), "1");
}

#[test]
fn a_search_whose_budget_is_used_up_gives_no_more_and_skips_nothing() {
    let history = History::of("model needle 1\nmodel needle 2\nmodel needle 3\nmodel needle 4");
    let (snapshot, readings) = (history.snapshot(), readings());
    let mut query = SearchQuery::new("needle").budget(Budget::default().events(1));
    let mut all = Vec::new();
    loop {
        let mut found = search(&snapshot, &readings, &query).unwrap();
        all.extend(found.next().map(|found| found.unwrap().event.id().to_string()));
        // Asked again and again it stays at its end.
        assert!(found.next().is_none() && found.next().is_none());
        let Some(next) = found.cursor().unwrap() else { break };
        query = query.after(next);
    }
    assert_eq!(all, ["4", "3", "2", "1"]);
}
