//! Makes a failing history shorter while it still fails.

use crate::agree::Mismatch;
use crate::history::{Op, Step};
use crate::replay::replay;

/// The shortest part of the history found to fail, and how it fails. Steps and
/// then single operations are left out in ever smaller runs (Zeller and
/// Hildebrandt, "Simplifying and isolating failure-inducing input", 2002).
pub(crate) fn shrink(steps: Vec<Step>, seed: u64, mismatch: Mismatch) -> (Vec<Step>, Mismatch) {
    let mut found = (steps, mismatch);
    let mut fails = |steps: &[Step]| replay(steps, seed).err();
    let mut budget = REPLAYS_MAX;
    loop {
        let before = weight(&found.0);
        let count = found.0.len();
        found = leave_out(found, count, &mut budget, &mut fails, |steps, from, to| {
            let mut steps = steps.to_vec();
            steps.drain(from..to);
            steps
        });
        let ops = found.0.iter().map(ops_in).sum();
        found = leave_out(found, ops, &mut budget, &mut fails, without_ops);
        if weight(&found.0) == before || budget == 0 {
            return found;
        }
    }
}

fn leave_out(
    mut found: (Vec<Step>, Mismatch),
    mut count: usize,
    budget: &mut usize,
    fails: &mut impl FnMut(&[Step]) -> Option<Mismatch>,
    without: impl Fn(&[Step], usize, usize) -> Vec<Step>,
) -> (Vec<Step>, Mismatch) {
    let mut run = count.div_ceil(2);
    while run > 0 {
        let mut from = 0;
        while from < count && *budget > 0 {
            let to = (from + run).min(count);
            let shorter = without(&found.0, from, to);
            *budget -= 1;
            if let Some(mismatch) = fails(&shorter) {
                found = (shorter, mismatch);
                count -= to - from;
            } else {
                from = to;
            }
        }
        run /= 2;
    }
    found
}

/// The history without the operations from one place to another, counted over
/// all of its blocks.
fn without_ops(steps: &[Step], from: usize, to: usize) -> Vec<Step> {
    let mut at = 0;
    let mut keep = |ops: &Vec<Op>| -> Vec<Op> {
        ops.iter()
            .filter(|_| {
                at += 1;
                !(from..to).contains(&(at - 1))
            })
            .cloned()
            .collect()
    };
    steps
        .iter()
        .map(|step| match step {
            Step::Write(ops, durability) => Step::Write(keep(ops), *durability),
            other => other.clone(),
        })
        .collect()
}

fn ops_in(step: &Step) -> usize {
    match step {
        Step::Write(ops, _) => ops.len(),
        Step::Snapshot | Step::Close | Step::Kill => 0,
    }
}

fn weight(steps: &[Step]) -> usize {
    steps.len() + steps.iter().map(ops_in).sum::<usize>()
}

/// Replays that a failure may cost before it is shown.
const REPLAYS_MAX: usize = 3000;
