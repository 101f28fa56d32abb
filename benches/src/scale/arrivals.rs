//! The order in which the events of a history arrive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::scale::history::History;

/// The numbers of a history's events in the order in which they arrive: that of
/// time, except for those that are late. Holds the late ones and nothing else.
#[derive(Clone, Debug)]
pub(crate) struct Arrivals {
    history: History,
    segment_events: u64,
    next: u64,
    /// When each late event is due, and its number, the first due on top.
    held: BinaryHeap<Reverse<(u64, u64)>>,
}

impl Arrivals {
    /// `segment_events` is by how much the latest ones are late.
    pub(crate) fn new(history: History, segment_events: u64) -> Self {
        Self { history, segment_events, next: 0, held: BinaryHeap::new() }
    }
}

impl Iterator for Arrivals {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            let ended = self.next == self.history.events;
            let due = self.held.peek().is_some_and(|Reverse((due, _))| *due <= self.next);
            if due || ended {
                return self.held.pop().map(|Reverse((_, number))| number);
            }
            let number = self.next;
            self.next += 1;
            match History::delay(number, self.segment_events) {
                0 => return Some(number),
                delay => self.held.push(Reverse((number + delay, number))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_arrives_once_and_one_of_twenty_parents_after_its_child() {
        let history = History { events: 100_000 };
        let mut arrived = vec![false; history.events as usize];
        let mut late = 0;
        for number in Arrivals::new(history, 10_000) {
            assert!(!arrived[number as usize]);
            arrived[number as usize] = true;
            late += u64::from(History::parent(number).is_some_and(|p| !arrived[p as usize]));
        }
        assert!(arrived.iter().all(|&arrived| arrived));
        assert!((4_000..5_500).contains(&late), "{late} of 100,000");
    }
}
