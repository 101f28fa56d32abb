//! Reads a log ahead: one thread reads and checks blocks while another applies them.

use std::ops::Range;

use crate::base::error::{Error, Result};
use crate::base::sync::channel::{Receiver, Sender, bounded};
use crate::base::sync::{scope, spawn_scoped};
use crate::log::block::Header;
use crate::log::index::Dictionary;
use crate::log::replay::{ParsedBlock, parse};
use crate::log::scan::{ScanItem, Scanner, Window};

/// Consecutive sound blocks and the window that holds their bodies.
struct BlockRun {
    window: Window,
    blocks: Vec<Block>,
}

struct Block {
    header: Header,
    /// The range of its body in the window.
    body: Range<usize>,
    parsed: Result<ParsedBlock>,
}

/// The scanner after the blocks that were applied, and what it found next.
pub(crate) struct Behind<'f> {
    pub(crate) scanner: Scanner<'f>,
    /// Damage; none at the end of the log.
    pub(crate) found: Option<ScanItem>,
    pub(crate) dictionary: Dictionary,
}

/// Passes blocks to `apply`, up to the first damage or the end of the log. `dictionary` is that
/// of the index. Takes memory for the largest block and a few windows.
pub(crate) fn apply_ahead(
    scanner: Scanner<'_>,
    dictionary: Dictionary,
    mut apply: impl FnMut(&Header, &[u8], Result<ParsedBlock>) -> Result<()>,
) -> Result<Behind<'_>> {
    scope(|scope| {
        let (found, stretches) = bounded(WINDOWS);
        let (returned, free) = bounded(WINDOWS);
        let ahead = Ahead { scanner, dictionary, found, free, spare: Vec::new() };
        let reading = spawn_scoped(scope, "forebear-open", move || ahead.run())
            .map_err(|error| Error::io("start a thread to read", "the log", error))?;
        for _ in 0..WINDOWS {
            // The channel has room for all windows.
            let _ = returned.send(Window::default());
        }
        for BlockRun { window, blocks } in stretches {
            for Block { header, body, parsed } in blocks {
                apply(&header, &window.bytes()[body], parsed)?;
            }
            let window = if window.capacity() > LARGE_BYTES { Window::default() } else { window };
            // Fails once the reading thread has ended.
            let _ = returned.send(window);
        }
        match reading.join() {
            Ok(outcome) => outcome,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The reading thread.
struct Ahead<'f> {
    scanner: Scanner<'f>,
    dictionary: Dictionary,
    found: Sender<BlockRun>,
    free: Receiver<Window>,
    /// Windows that the other thread has returned.
    spare: Vec<Window>,
}

impl<'f> Ahead<'f> {
    fn run(mut self) -> Result<Behind<'f>> {
        let mut blocks = Vec::new();
        loop {
            let next_len = self.scanner.next_len();
            let large = next_len.is_some_and(|length| length > LARGE_BYTES as u64);
            if (next_len.is_none() || large) && !blocks.is_empty() && !self.hand_over(&mut blocks) {
                return Ok(self.behind(None));
            }
            if large && !self.await_spares(WINDOWS) {
                return Ok(self.behind(None));
            }
            match self.scanner.next()? {
                Some(ScanItem::Block(header)) => {
                    let parsed = parse(self.scanner.body(), &mut self.dictionary);
                    blocks.push(Block { header, body: self.scanner.body_range(), parsed });
                }
                other => {
                    self.hand_over(&mut blocks);
                    return Ok(self.behind(other));
                }
            }
        }
    }

    fn behind(self, found: Option<ScanItem>) -> Behind<'f> {
        Behind { scanner: self.scanner, found, dictionary: self.dictionary }
    }

    /// Passes the blocks on and continues in another window. False where the other thread
    /// has stopped.
    fn hand_over(&mut self, blocks: &mut Vec<Block>) -> bool {
        if !self.await_spares(1) {
            return false;
        }
        let window = self.scanner.swap_window(self.spare.pop().unwrap_or_default());
        self.found.send(BlockRun { window, blocks: std::mem::take(blocks) }).is_ok()
    }

    /// Waits until this many windows are returned. With all of them, no other block is in
    /// memory. False where the other thread has stopped.
    fn await_spares(&mut self, count: usize) -> bool {
        while self.spare.len() < count {
            match self.free.recv() {
                Ok(window) => self.spare.push(window),
                Err(_) => return false,
            }
        }
        true
    }
}

/// Windows besides the one being filled.
const WINDOWS: usize = 2;
/// A block with more bytes is read only while no other is in memory.
const LARGE_BYTES: usize = 4 << 20;
