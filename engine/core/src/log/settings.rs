//! The settings of a store, read from the blocks of a log where its manifest is lost.

use crate::base::error::Result;
use crate::base::format::StoreId;
use crate::log::block::Records;
use crate::log::record::{ArchivedSettingsMeta, FRAME_BYTES, RecordKind, SettingsMeta, access};
use crate::log::scan::{ScanItem, Scanner};
use crate::manifest::Retention;
use crate::storage::StorageFile;

/// What the blocks of one log say of the settings.
#[derive(Debug, Default)]
pub(crate) struct LoggedSettings {
    /// The last that were read; those of a store without any where blocks have none.
    last: Option<SettingsMeta>,
    /// Whether newer ones than the last may have been lost.
    is_unknown: bool,
}

/// The retention policy that the blocks of a log say is kept with the store.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LoggedPolicy {
    /// None, or this one.
    Known(Option<Retention>),
    /// Nobody can say.
    Unknown,
    /// Words that this version does not read.
    Unreadable(String),
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
                // Newer than whatever was lost before it.
                self.is_unknown = false;
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

    /// The policy in the last settings.
    pub(crate) fn policy(&self) -> LoggedPolicy {
        let Some(last) = self.last.as_ref().filter(|_| !self.is_unknown) else {
            return LoggedPolicy::Unknown;
        };
        let Some(words) = &last.retention else { return LoggedPolicy::Known(None) };
        match Retention::parse(words) {
            Some(policy) => LoggedPolicy::Known(Some(policy)),
            None => LoggedPolicy::Unreadable(words.clone()),
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::format::FORMAT_VERSION;
    use crate::log::block::{BlockBuilder, HEADER_BYTES};
    use crate::log::encoded::Encoded;

    /// The body of a block with one record of settings.
    fn body(retention: &str) -> Vec<u8> {
        let meta = SettingsMeta { retention: Some(retention.to_owned()), archive: false };
        let mut block = BlockBuilder::new();
        block.push(&Encoded::settings(&meta), false);
        block.bytes()[HEADER_BYTES..].to_vec()
    }

    #[test]
    fn settings_behind_damage_are_known_and_those_before_it_are_not() {
        let mut settings = LoggedSettings::default();
        settings.read(FORMAT_VERSION, &body("max_events=1")).expect("reads");
        let policy = |events| LoggedPolicy::Known(Some(Retention::new().max_events(events)));
        assert_eq!(settings.policy(), policy(1));
        settings.note_damage();
        assert_eq!(settings.policy(), LoggedPolicy::Unknown);
        settings.read(FORMAT_VERSION, &[]).expect("reads");
        assert_eq!(settings.policy(), LoggedPolicy::Unknown, "a block without any says nothing");
        settings.read(FORMAT_VERSION, &body("max_events=2")).expect("reads");
        assert_eq!(settings.policy(), policy(2));
    }

    #[test]
    fn a_policy_that_can_not_be_read_is_not_taken_for_none() {
        let mut settings = LoggedSettings::default();
        settings.read(FORMAT_VERSION, &body("max_events=many")).expect("reads");
        assert_eq!(settings.policy(), LoggedPolicy::Unreadable("max_events=many".to_owned()));
    }
}
