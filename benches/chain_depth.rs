//! Walking chains of causes, 1 to 100,000 deep: forebear with and without
//! payloads, and SQLite's recursive CTE on the same data.

use std::error::Error;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use forebear_benches::data::{DEPTHS, Random};
use forebear_benches::pair::Pair;
use forebear_benches::ratios;

fn main() -> Result<(), Box<dyn Error>> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(3))
        .configure_from_args();
    let mut group = criterion.benchmark_group("chain_depth");
    for depth in DEPTHS {
        let pair = Pair::build(depth)?;
        let mut random = Random::new(!(depth as u64));
        group.throughput(Throughput::Elements(depth as u64 + 1));
        group.bench_function(BenchmarkId::new("forebear", depth), |bencher| {
            bencher.iter(|| pair.ours(pair.tip(&mut random)));
        });
        group.bench_function(BenchmarkId::new("forebear, no payload", depth), |bencher| {
            bencher.iter(|| pair.ours_columns(pair.tip(&mut random)));
        });
        group.bench_function(BenchmarkId::new("SQLite", depth), |bencher| {
            bencher.iter(|| pair.sqlite(pair.tip(&mut random)));
        });
    }
    group.finish();
    criterion.final_summary();
    ratios::print()
}
