//! Carrying state over: what segments say that are about to be dropped is written to
//! the active log once more, folded.

use crate::base::error::Result;
use crate::base::kinds::Kinds;
use crate::base::state::KindId;
use crate::base::warnings::WarningKind;
use crate::log::encoded::Encoded;
use crate::view::View;
use crate::writer::{BLOCK_TARGET_BYTES, Writer};

impl Writer {
    /// Writes what the oldest segments, so many, say of keys and what was carried over
    /// into them, unless it is superseded. It is durable when this returns. Readers
    /// don't count it while those segments are listed: a crash before they go changes
    /// nothing, and neither does doing it again.
    ///
    /// State that can't be read, since its segment is damaged, is left out with a
    /// warning: it must not pin a segment for ever.
    pub(super) fn carry(&mut self, view: &View, count: usize) -> Result<()> {
        let kinds = view.kinds();
        kinds.expect_all("to drop segments")?;
        let outcome = kinds.ids().into_iter().try_for_each(|kind| {
            let carried = match kind {
                KindId::LINEAGE => self.carry_lineage(view, count),
                kind => self.carry_kind(view, count, &kinds, kind),
            };
            unless_damaged(view, carried).map(drop)
        });
        if self.held_back.is_some() {
            return outcome;
        }
        // Also where it failed: what is in the index has to be in the log.
        self.end_carrying()?;
        outcome
    }

    /// Writes what is left to be written, and syncs it.
    pub(super) fn end_carrying(&mut self) -> Result<()> {
        if !self.block.is_empty() {
            self.write_carried()?;
        }
        self.log.sync().inspect_err(|error| self.note_failure(error))
    }

    fn carry_kind(&mut self, view: &View, count: usize, kinds: &Kinds, kind: KindId) -> Result<()> {
        let mut after = None;
        loop {
            let names = view.state_names(kind, after.as_deref(), NAMES, 0..count)?;
            let Some(last) = names.last().cloned() else { return Ok(()) };
            for name in names {
                let carried = carried(view, count, kinds, kind, name);
                if let Some(record) = unless_damaged(view, carried)?.flatten() {
                    self.push_carried(&record)?;
                }
            }
            after = Some(last);
        }
    }

    /// Adds a record to the block, and writes it once it is large; or holds it back.
    pub(super) fn push_carried(&mut self, record: &Encoded) -> Result<()> {
        if let Some(held_back) = &mut self.held_back {
            held_back.push(record.clone());
            return Ok(());
        }
        self.push_state(record)?;
        if self.block.body_len() >= BLOCK_TARGET_BYTES {
            self.write_carried()?;
        }
        Ok(())
    }

    /// Writes the block. After a failure the log can't be gone on from.
    fn write_carried(&mut self) -> Result<()> {
        let outcome = self.write_block();
        self.block.clear();
        outcome.inspect_err(|error| self.note_failure(error))
    }
}

/// What was asked for; none, with a warning, where it is damaged.
pub(super) fn unless_damaged<T>(view: &View, outcome: Result<T>) -> Result<Option<T>> {
    match outcome {
        Err(error) if error.is_damaged() => {
            let message = "state of segments that were dropped is lost";
            view.segments.warnings().report_error(WarningKind::StateLost, message, error);
            Ok(None)
        }
        outcome => outcome.map(Some),
    }
}

/// The record that carries what the oldest sources say of a key; none where nothing
/// does or newer ones say otherwise.
fn carried(
    view: &View,
    count: usize,
    kinds: &Kinds,
    kind: KindId,
    key: String,
) -> Result<Option<Encoded>> {
    let live = view.says_from(kind, &key, count)?;
    if kind.replaces() && live {
        return Ok(None);
    }
    let folded = view.folded(kind, &key, 0..count)?;
    let Some(value) = folded.value.filter(|_| folded.from_them) else { return Ok(None) };
    let value = kinds.carry_over(kind, value, live)?;
    Ok(Some(Encoded::carried(view.segment(count - 1), kind, key, &value)))
}

/// Keys that are looked at together.
const NAMES: usize = 1000;
