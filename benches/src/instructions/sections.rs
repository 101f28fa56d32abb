//! The work that is counted.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;

use clap::ValueEnum;
use forebear::{Durability, Event, Store};
use tempfile::TempDir;

use crate::data::{Chains, Tip};
use crate::ours::{Ours, batch, event};

/// Events that are appended, and that walks meet: chains of 100 edges.
const EVENTS: usize = 10_000;
const DEPTH: usize = 100;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum CountedSection {
    /// Appending all events in one batch.
    AppendBatch,
    /// Appending the events one by one.
    AppendSingle,
    /// Sealing the events.
    Seal,
    /// Walking chains in a log, reading ids.
    ChainLogIds,
    /// Walking chains in a log, reading payloads.
    ChainLogPayloads,
    /// Walking chains in a sealed segment, reading ids.
    ChainSealedIds,
    /// Walking chains in a sealed segment, reading payloads.
    ChainSealedPayloads,
}

impl CountedSection {
    pub(super) const ALL: [Self; 7] = [
        Self::AppendBatch,
        Self::AppendSingle,
        Self::Seal,
        Self::ChainLogIds,
        Self::ChainLogPayloads,
        Self::ChainSealedIds,
        Self::ChainSealedPayloads,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::AppendBatch => "append-batch",
            Self::AppendSingle => "append-single",
            Self::Seal => "seal",
            Self::ChainLogIds => "chain-log-ids",
            Self::ChainLogPayloads => "chain-log-payloads",
            Self::ChainSealedIds => "chain-sealed-ids",
            Self::ChainSealedPayloads => "chain-sealed-payloads",
        }
    }

    /// How many events or chains a section's count is of.
    pub(super) fn parts(self) -> u64 {
        let events = EVENTS as u64;
        if self.walks() { events / (DEPTH as u64 + 1) } else { events }
    }

    pub(super) fn part(self) -> &'static str {
        if self.walks() { "a chain" } else { "an event" }
    }

    /// Prepares and, if `measured`, does what is counted.
    pub(super) fn work(self, measured: bool) -> Result<(), Box<dyn Error>> {
        let folder = TempDir::new()?;
        let chains = Chains::new(DEPTH, EVENTS);
        match self {
            Self::AppendBatch => {
                let store = open(folder.path())?;
                let batch = batch(&chains.items);
                if measured {
                    store.write(batch)?;
                }
                store.close()?;
            }
            Self::AppendSingle => {
                let store = open(folder.path())?;
                let events: Vec<Event> = chains.items.iter().map(event).collect();
                if measured {
                    for event in events {
                        store.append(event)?;
                    }
                }
                store.close()?;
            }
            Self::Seal => {
                let store = open(folder.path())?;
                store.write(batch(&chains.items))?;
                if measured {
                    store.seal()?;
                }
                store.close()?;
            }
            Self::ChainLogIds => walk(folder.path(), false, measured, &chains, ids)?,
            Self::ChainLogPayloads => walk(folder.path(), false, measured, &chains, payloads)?,
            Self::ChainSealedIds => walk(folder.path(), true, measured, &chains, ids)?,
            Self::ChainSealedPayloads => walk(folder.path(), true, measured, &chains, payloads)?,
        }
        Ok(())
    }

    fn walks(self) -> bool {
        !matches!(self, Self::AppendBatch | Self::AppendSingle | Self::Seal)
    }
}

/// A store that seals in the writer, so that no count depends on when a thread runs.
fn open(folder: &Path) -> forebear::Result<Store> {
    forebear::builder()
        .durability(Durability::Flush)
        .seal_in_background(false)
        .open(folder.join("events.forebear"))
}

/// Walks each chain of a new store once to warm the caches and, if `measured`, once more.
fn walk(
    folder: &Path,
    sealed: bool,
    measured: bool,
    chains: &Chains,
    each: fn(&Ours, Tip) -> forebear::Result<()>,
) -> forebear::Result<()> {
    let store = open(folder)?;
    store.write(batch(&chains.items))?;
    if sealed {
        store.seal()?;
    }
    let store = Ours::of(store)?;
    for _ in 0..=usize::from(measured) {
        for tip in &chains.tips {
            each(&store, *tip)?;
        }
    }
    Ok(())
}

fn ids(store: &Ours, tip: Tip) -> forebear::Result<()> {
    assert_eq!(black_box(store.count(tip.id)?), DEPTH as u64 + 1, "events of the chain");
    Ok(())
}

fn payloads(store: &Ours, tip: Tip) -> forebear::Result<()> {
    assert_eq!(black_box(store.sum_payloads(tip.id)?), tip.sum, "the payloads' bytes");
    Ok(())
}
