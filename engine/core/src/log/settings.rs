//! The settings of a store, read from the blocks of a log where its manifest is lost.

use crate::base::error::Result;
use crate::base::format::StoreId;
use crate::log::block::Records;
use crate::log::record::{ArchivedSettingsMeta, FRAME_BYTES, RecordKind, SettingsMeta, access};
use crate::log::scan::{ScanItem, Scanner};
use crate::storage::StorageFile;

/// What the blocks of one log say of the settings.
#[derive(Debug, Default)]
pub(crate) struct LoggedSettings {
    /// The last that were read; those of a store without any where blocks have none.
    last: Option<SettingsMeta>,
    is_unknown: bool,
}

impl LoggedSettings {
    /// Reads those in the body of a sound block. Blocks come in the order of the log.
    pub(crate) fn read(&mut self, format: u32, body: &[u8]) -> Result<()> {
        // Logs of format 1 have no such record.
        self.is_unknown |= format == 1;
        let last = self.last.get_or_insert_default();
        for record in Records::new(body) {
            let (_, frame, bytes) = record?;
            if frame.kind == RecordKind::Settings {
                let meta = &bytes[FRAME_BYTES..FRAME_BYTES + frame.meta_len];
                *last = access::<ArchivedSettingsMeta>(meta)?.to_settings();
            }
        }
        Ok(())
    }

    /// Notes that blocks may be lost, which may have had newer ones: to go by older ones could
    /// drop what is to be kept.
    pub(crate) fn note_damage(&mut self) {
        self.is_unknown = true;
    }

    /// Whether no block was there to say anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.last.is_none() && !self.is_unknown
    }

    /// The settings; none where nobody can say.
    pub(crate) fn known(&self) -> Option<&SettingsMeta> {
        self.last.as_ref().filter(|_| !self.is_unknown)
    }
}

/// The settings as a log has them. Reads all of it.
pub(crate) fn settings_of(
    file: &dyn StorageFile,
    name: &str,
    segment: u64,
    store: StoreId,
) -> Result<LoggedSettings> {
    let mut scanner = Scanner::new(file, name, segment, Some(store), None)?;
    let mut settings = LoggedSettings::default();
    while let Some(item) = scanner.next()? {
        match item {
            ScanItem::Block(header) => settings.read(header.version, scanner.body())?,
            ScanItem::Damage(..) => settings.note_damage(),
        }
    }
    Ok(settings)
}
