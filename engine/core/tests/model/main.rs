//! The engine against a plain model: random histories are written to both, and
//! both must give the same answers to everything that can be asked.
//!
//! `FOREBEAR_CASES` sets how many histories there are, 1,000 unless set;
//! `FOREBEAR_SEED` sets the first one's seed. A failure prints the seed of its
//! history and the shortest part of the history that still fails.

mod agree;
mod history;
mod lineage;
mod listings;
mod oracle;
#[path = "../support/random.rs"]
mod random;
mod replay;
mod shrink;

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::history::history;
use crate::replay::{Traits, replay};

#[test]
fn every_answer_is_the_models() {
    let cases = setting("FOREBEAR_CASES").unwrap_or(CASES);
    let first_seed = setting("FOREBEAR_SEED").unwrap_or(FIRST_SEED);
    let next = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    let found = thread::scope(|scope| {
        let run = || {
            let mut found = Traits::default();
            loop {
                let case = next.fetch_add(1, Ordering::Relaxed);
                if case >= cases {
                    return found;
                }
                found.add(&check(first_seed.wrapping_add(case)));
            }
        };
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(run)).collect();
        workers.into_iter().fold(Traits::default(), |mut total, worker| {
            match worker.join() {
                Ok(found) => total.add(&found),
                Err(failure) => std::panic::resume_unwind(failure),
            }
            total
        })
    });
    println!("{found:?}");
    assert_eq!(found.histories, cases);
    if cases >= CASES {
        assert!(found.with_cycles * 10 >= cases, "too few cycles: {found:?}");
        assert!(found.reopened * 4 >= cases, "too few reopens: {found:?}");
        assert!(found.with_refused * 10 >= cases, "too few rivals: {found:?}");
        assert!(found.with_versions * 10 >= cases, "too few versions: {found:?}");
        assert!(found.largest > 1000, "too small: {found:?}");
    }
}

fn check(seed: u64) -> Traits {
    let steps = history(seed);
    match replay(&steps, seed) {
        Ok(traits) => traits,
        Err(mismatch) => {
            let (steps, mismatch) = shrink::shrink(steps, seed, mismatch);
            let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
            panic!("seed {seed}: {mismatch}\nafter\n{}", steps.join("\n"));
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("expected a number in {name}, found {text:?}")))
}

/// Histories in a run unless set otherwise.
const CASES: u64 = 1_000;
const FIRST_SEED: u64 = 0x0f0e_bea2;
