//! How forebear and SQLite compare, measured side by side in one run: walks
//! alternate between them, so that what else the machine does hits both.

use std::error::Error;
use std::time::{Duration, Instant};

use crate::data::{DEPTHS, Random, Tip};
use crate::pair::Pair;

/// What walking a chain of one depth costs: medians.
#[derive(Clone, Copy, Debug)]
struct Costs {
    depth: usize,
    ours: Duration,
    ours_columns: Duration,
    sqlite: Duration,
}

/// Rounds of each depth, an odd number; a round asks each side once.
const ROUNDS: usize = 21;

/// Walks at the least in a round, and events to meet at the least: a single
/// short walk is too short to be timed.
const WALKS_MIN: usize = 3;
const EVENTS_MIN: usize = 3_000;

/// Measures every depth and prints a table.
pub fn print() -> Result<(), Box<dyn Error>> {
    println!("Walking a chain to its root, all payload bytes summed (medians of {ROUNDS} rounds):");
    println!(
        "{:>8} {:>12} {:>12} {:>12} {:>9} {:>9}",
        "depth", "forebear", "no payload", "SQLite", "faster", "no payl."
    );
    let mut all = Vec::new();
    for depth in DEPTHS {
        let costs = measure(depth)?;
        println!(
            "{:>8} {:>12} {:>12} {:>12} {:>8.1}x {:>8.1}x",
            costs.depth,
            microseconds(costs.ours),
            microseconds(costs.ours_columns),
            microseconds(costs.sqlite),
            ratio(costs.sqlite, costs.ours),
            ratio(costs.sqlite, costs.ours_columns),
        );
        all.push(costs);
    }
    let at = |depth| all.iter().find(|costs| costs.depth == depth);
    if let (Some(short), Some(long)) = (at(100), at(100_000)) {
        println!(
            "100,000 deep costs {:.0} times as much as 100 deep (SQLite: {:.0} times)",
            ratio(long.ours, short.ours),
            ratio(long.sqlite, short.sqlite),
        );
    }
    Ok(())
}

fn measure(depth: usize) -> Result<Costs, Box<dyn Error>> {
    let pair = Pair::build(depth)?;
    let mut random = Random::new(!(depth as u64));
    let walks = (EVENTS_MIN / (depth + 1)).max(WALKS_MIN);
    let (mut ours, mut ours_columns, mut sqlite) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let tips: Vec<Tip> = (0..walks).map(|_| pair.tip(&mut random)).collect();
        ours.push(time(&tips, |tip| pair.ours(tip)));
        sqlite.push(time(&tips, |tip| pair.sqlite(tip)));
        ours_columns.push(time(&tips, |tip| {
            assert_eq!(pair.ours_columns(tip), depth as u64 + 1, "events of the chain");
        }));
    }
    Ok(Costs {
        depth,
        ours: median(ours),
        ours_columns: median(ours_columns),
        sqlite: median(sqlite),
    })
}

/// The time of one walk.
fn time(tips: &[Tip], mut walk: impl FnMut(Tip)) -> Duration {
    let begun = Instant::now();
    for tip in tips {
        walk(*tip);
    }
    begun.elapsed() / tips.len() as u32
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn ratio(a: Duration, b: Duration) -> f64 {
    a.as_secs_f64() / b.as_secs_f64()
}

fn microseconds(time: Duration) -> String {
    format!("{:.1} us", time.as_secs_f64() * 1e6)
}
