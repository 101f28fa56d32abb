//! Scripts of all that is done with a store, harmed at every operation: a crash, a failing call,
//! a failing read; and at every operation of the recovery. What is left must be what a plain
//! model says.
//!
//! `FOREBEAR_TORTURE_STRIDE` sets of how many places one is tried, 1 for all of them;
//! `FOREBEAR_TORTURE_SEEDS` how many random scripts there are, and `FOREBEAR_TORTURE_SEED` the
//! first one's seed. A failure names its script or seed, and what was done to it.

mod driver;
mod model;
#[path = "../support/random.rs"]
mod random;
mod scripts;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use forebear::storage::{Fault, SimulatedDisk};

use crate::driver::{After, Progress, Torture};
use crate::random::Random;

const FAULTS: [Fault; 3] = [Fault::Io, Fault::Full, Fault::Interrupted];

/// Of so many places one is tried unless set otherwise.
const STRIDE: u64 = 6;
/// Random scripts unless set otherwise, and the seed of the first.
const SEEDS: u64 = 2_000;
const FIRST_SEED: u64 = 1;

#[test]
fn there_are_scripts_of_all_that_is_done_with_a_store() {
    let scripts = scripts::scripts();
    assert!(scripts.len() >= 20, "{} scripts", scripts.len());
}

#[test]
fn a_crash_at_every_operation_leaves_a_prefix_with_all_that_was_acknowledged() {
    each_script(|number, torture| {
        let name = &torture.script.name;
        for crash in 1..=torture.operations + 1 {
            let disk = SimulatedDisk::with_seed(number.rotate_left(32) ^ crash);
            disk.crash_at(crash);
            let mut progress = torture.run(&disk);
            // Dropped on a dead disk, it can't write what the check would then see.
            drop(progress.store.take());
            let context = format!("{name}: a crash at {crash}");
            let goes_on = is_tried(crash, STRIDE);
            torture.check_after(&disk, After::Kill, &progress, goes_on, &context);
            for loss in 0..2 {
                let after = After::PowerLoss(crash * 2 + loss);
                torture.check_after(&disk, after, &progress, false, &context);
            }
        }
    });
}

#[test]
fn a_crash_at_every_operation_of_the_recovery_leaves_the_same() {
    each_script(|number, torture| {
        for crash in (1..=torture.operations + 1).filter(|&crash| is_tried(crash + number, STRIDE))
        {
            let disk = SimulatedDisk::with_seed(number.rotate_left(32) ^ crash);
            disk.crash_at(crash);
            let mut progress = torture.run(&disk);
            drop(progress.store.take());
            let name = format!("{}: a crash at {crash}", torture.script.name);
            harm_recovery(torture, &disk.kill(), Fault::Crash, &progress, &name);
            // What survived a power loss is on the disk: it is what a kill leaves, too.
            let lost = disk.power_loss(crash);
            let progress = progress.after_power_loss();
            harm_recovery(torture, &lost, Fault::Crash, &progress, &name);
        }
    });
}

#[test]
fn a_recovery_that_fails_anywhere_is_done_by_the_next() {
    each_script(|number, torture| {
        let stride = 4 * STRIDE;
        for crash in (1..=torture.operations + 1).filter(|&crash| is_tried(crash + number, stride))
        {
            let disk = SimulatedDisk::with_seed(number.rotate_left(32) ^ crash);
            disk.crash_at(crash);
            let mut progress = torture.run(&disk);
            drop(progress.store.take());
            let name = format!("{}: a crash at {crash}", torture.script.name);
            let fault = FAULTS[(crash % 3) as usize];
            harm_recovery(torture, &disk.kill(), fault, &progress, &name);
        }
    });
}

#[test]
fn every_call_fails_once_and_from_then_on_without_harm() {
    each_script(|number, torture| {
        for call in 1..=torture.operations {
            for (which, fault) in (0..).zip(FAULTS) {
                for for_ever in [false, true] {
                    let place = call * 6 + which * 2 + u64::from(for_ever) + number;
                    if is_tried(place, STRIDE) {
                        fail_call(torture, call, fault, for_ever);
                    }
                }
            }
        }
    });
}

#[test]
fn every_read_fails_once_and_from_then_on_without_harm() {
    each_script(|number, torture| {
        for read in 1..=torture.reads {
            for for_ever in [false, true] {
                if !is_tried(read * 2 + u64::from(for_ever) + number, 2 * STRIDE) {
                    continue;
                }
                let disk = SimulatedDisk::with_seed(read);
                disk.fail_reads(read, for_ever);
                let mut progress = torture.run(&disk);
                drop(progress.store.take());
                disk.end_faults();
                let how = if for_ever { "from then on" } else { "once" };
                let context = format!("{}: read {read} failed {how}", torture.script.name);
                torture.check_after(&disk, After::Kill, &progress, false, &context);
                let after = After::PowerLoss(read);
                torture.check_after(&disk, after, &progress, false, &context);
            }
        }
    });
}

#[test]
fn random_scripts_survive_random_faults() {
    let seeds = setting("FOREBEAR_TORTURE_SEEDS").unwrap_or(SEEDS);
    let first = setting("FOREBEAR_TORTURE_SEED").unwrap_or(FIRST_SEED);
    in_parallel(seeds, |number| random_script(first.wrapping_add(number)));
}

#[test]
fn a_seed_plays_the_same_again() {
    for seed in 0..20 {
        let [one, other] = [(); 2].map(|()| {
            let torture = Torture::new(scripts::random(seed));
            let disk = SimulatedDisk::with_seed(seed);
            disk.crash_at(torture.operations / 2);
            let mut progress = torture.run(&disk);
            drop(progress.store.take());
            let names = forebear::storage::Storage::list(&disk.kill()).expect("lists");
            (
                torture.operations,
                torture.reads,
                progress.after_power_loss().to_string(),
                names.len(),
            )
        });
        assert_eq!(one, other, "seed {seed}");
    }
}

/// Plays a script from a seed, once without harm and then with a few harms.
fn random_script(seed: u64) {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let torture = Torture::new(scripts::random(seed));
        let mut random = Random::new(seed);
        let operation = 1 + random.below(torture.operations);
        let name = format!("seed {seed}: fault at {operation}");
        match random.below(4) {
            0 | 1 => {
                let disk = SimulatedDisk::with_seed(seed);
                disk.crash_at(operation);
                let mut progress = torture.run(&disk);
                drop(progress.store.take());
                torture.check_after(&disk, After::Kill, &progress, random.percent(20), &name);
                let after = After::PowerLoss(random.next());
                torture.check_after(&disk, after, &progress, random.percent(20), &name);
            }
            2 => {
                let disk = SimulatedDisk::with_seed(seed);
                disk.crash_at(operation);
                let mut progress = torture.run(&disk);
                drop(progress.store.take());
                let lost = disk.power_loss(random.next());
                let progress = progress.after_power_loss();
                let again = 1 + random.below(12);
                harm_recovery_at(&torture, &lost, Fault::Crash, again, &progress, &name);
            }
            _ => fail_call(&torture, operation, *random.pick(&FAULTS), random.percent(50)),
        }
    }));
    if let Err(failure) = played {
        eprintln!(
            "the same again: FOREBEAR_TORTURE_SEED={seed} FOREBEAR_TORTURE_SEEDS=1 cargo test -p \
             forebear-core --test torture random_scripts"
        );
        resume_unwind(failure);
    }
}

/// Has a call fail, and checks what is left; in a store that was full, that it goes on once it
/// has room.
fn fail_call(torture: &Torture, call: u64, fault: Fault, for_ever: bool) {
    let disk = SimulatedDisk::with_seed(call);
    if for_ever {
        disk.fail_from(call, fault);
    } else {
        disk.fail_at(call, fault);
    }
    let mut progress = torture.run(&disk);
    let how = if for_ever { "from then on" } else { "once" };
    let context = format!("{}: {fault:?} at call {call}, {how}", torture.script.name);
    drop(progress.store.take());
    disk.end_faults();
    torture.check_after(&disk, After::Kill, &progress, is_tried(call, STRIDE), &context);
    torture.check_after(&disk, After::PowerLoss(call), &progress, false, &context);
}

/// Opens the disk once for each operation that this takes, and harms that.
fn harm_recovery(
    torture: &Torture,
    disk: &SimulatedDisk,
    fault: Fault,
    progress: &Progress,
    name: &str,
) {
    for again in 1.. {
        if !harm_recovery_at(torture, disk, fault, again, progress, name) {
            return;
        }
    }
}

/// Returns whether the fault struck.
fn harm_recovery_at(
    torture: &Torture,
    disk: &SimulatedDisk,
    fault: Fault,
    again: u64,
    progress: &Progress,
    name: &str,
) -> bool {
    let disk = disk.kill();
    disk.fail_at(again, fault);
    let opened = torture.recover(&disk);
    let struck = disk.operations() >= again;
    drop(opened);
    disk.end_faults();
    let context = format!("{name}, then {fault:?} at {again} of the recovery");
    torture.check_after(&disk, After::Kill, progress, false, &context);
    let after = After::PowerLoss(again);
    torture.check_after(&disk, after, progress, false, &context);
    struck
}

/// Plays each script in one of as many threads as there are processors.
fn each_script(play: impl Fn(u64, &Torture) + Sync) {
    let scripts = scripts::scripts();
    in_parallel(scripts.len() as u64, |number| {
        play(number, &Torture::new(scripts[number as usize].clone()));
    });
}

fn in_parallel(count: u64, play: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return;
                    }
                    play(number);
                }
            });
        }
    });
}

/// Whether a place is one of those that are tried.
fn is_tried(place: u64, stride: u64) -> bool {
    let stride = setting("FOREBEAR_TORTURE_STRIDE").unwrap_or(stride);
    place.is_multiple_of(stride)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}
