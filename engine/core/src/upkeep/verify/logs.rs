//! Checking the logs: every block up to where a snapshot sees.

use super::Verifier;
use crate::base::error::Result;
use crate::log::scan::{ScanItem, Scanner};
use crate::log::view::LogView;

impl Verifier<'_> {
    pub(super) fn log(&mut self, log: &LogView) -> Result<()> {
        let end = log.visible.log_end;
        let (name, file) = (log.log.reader.name(), log.log.reader.file());
        self.done.bytes += end;
        self.done.events += u64::from(log.visible.rows);
        let follows = self.chain.map(|chain| (chain, log.first_seq()));
        let scanner = Scanner::new(file, name, log.log.segment, self.store, follows);
        let Some(scanner) = self.ask(name, scanner)? else { return Ok(()) };
        let mut scanner = scanner.passing();
        if scanner.length() < end {
            let found = scanner.length();
            self.found(name, format!("expected {end} bytes, found {found}"));
        }
        let mut reached = 0;
        while reached < end {
            let next = scanner.next();
            match self.ask(name, next)?.flatten() {
                None => break,
                // What lies behind may be in the middle of being written.
                Some(ScanItem::Damage(range, _)) if range.start >= end => break,
                Some(ScanItem::Damage(range, reason)) => {
                    self.found(name, format!("bytes {} to {}: {reason}", range.start, range.end));
                    self.chain = None;
                    reached = range.end;
                }
                Some(ScanItem::Block(header)) => {
                    self.done.blocks += 1;
                    self.chain = Some(header.digest);
                    reached = header.end();
                }
            }
        }
        Ok(())
    }
}
