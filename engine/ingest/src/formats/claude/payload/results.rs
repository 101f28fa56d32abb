//! Results of calls, and what the program reports of them beside the words.

use std::time::Duration;

use forebear_readings::json::{JsonCursor, JsonStr};
use forebear_readings::{Access, CallResult, FileUse, Interruption, Reading};

use super::words;

/// Finds out what a result that says it failed is. The exit code stands before what the
/// command printed, and only where it failed.
pub(super) fn weigh(result: &mut CallResult<'_>) {
    result.interruption = words::interruption_of(&result.text);
    result.mishap = words::mishap_of(&result.text);
    result.exit_code = result.text.first().and_then(words::exit_code_of);
}

/// What the program reports of the one call that a line has the result of.
#[derive(Debug, Default)]
pub(super) struct ToolReport<'p> {
    file: Option<JsonStr<'p>>,
    read_file: Option<JsonStr<'p>>,
    /// Whether it says that the file was made or changed.
    changed: bool,
    interrupted: bool,
    exit_code: Option<i64>,
    duration_ms: Option<u64>,
}

impl<'p> ToolReport<'p> {
    pub(super) fn read(value: &mut JsonCursor<'p>) -> Self {
        let mut report = Self::default();
        value.object(|key, value| match key {
            "filePath" | "notebook_path" => report.file = value.text(),
            "oldString" | "newString" | "structuredPatch" | "originalFile" | "edits" => {
                report.changed = true;
            }
            "file" => value.object(|key, value| {
                if key == "filePath" {
                    report.read_file = value.text();
                }
            }),
            "interrupted" => report.interrupted = value.is_true(),
            "exitCode" => report.exit_code = value.integer(),
            "durationMs" | "totalDurationMs" => report.duration_ms = value.number(),
            "durationSeconds" => {
                let seconds = value.scalar().and_then(|scalar| match scalar {
                    forebear_readings::json::Scalar::Number(text) => text.parse::<f64>().ok(),
                    _ => None,
                });
                let duration = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
                report.duration_ms = duration.map(|duration| duration.as_millis() as u64);
            }
            _ => {}
        });
        report
    }

    /// Adds it to the line's results.
    pub(super) fn apply(self, reading: &mut Reading<'p>, denial: bool) {
        if let [result] = &mut *reading.results {
            result.duration_ns = self.duration_ms.and_then(|ms| ms.checked_mul(1_000_000));
            result.exit_code = result.exit_code.or(self.exit_code);
            if self.interrupted && result.interruption.is_none() {
                result.interruption = Some(Interruption::Stopped);
            }
        }
        if denial {
            let denied = reading.results.iter_mut().filter(|result| result.is_error);
            for result in denied.filter(|result| result.interruption.is_none()) {
                result.interruption = Some(Interruption::Refused);
            }
        }
        let file = |path: JsonStr<'p>, access| FileUse { path: path.into(), access };
        reading.files.extend(self.read_file.map(|path| file(path, Access::Read)));
        let written = self.file.filter(|_| self.changed);
        reading.files.extend(written.map(|path| file(path, Access::Written)));
    }
}
