//! Running the program under callgrind.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::sections::CountedSection;

/// Counts the instructions of a program's sections.
pub(super) struct Valgrind {
    program: PathBuf,
    folder: TempDir,
}

impl Valgrind {
    /// Fails where valgrind is not installed.
    pub(super) fn new(program: PathBuf) -> Result<Self, Box<dyn Error>> {
        let found = Command::new("valgrind").arg("--version").output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Err("expected valgrind on this machine, found none; install it".into());
        }
        Ok(Self { program, folder: TempDir::new()? })
    }

    /// What the measured part of a section takes.
    pub(super) fn count(&self, section: CountedSection) -> Result<u64, Box<dyn Error>> {
        let without = self.total(section, false)?;
        Ok(self.total(section, true)?.saturating_sub(without))
    }

    fn total(&self, section: CountedSection, measured: bool) -> Result<u64, Box<dyn Error>> {
        let out = self.folder.path().join("callgrind.out");
        let output = Command::new("valgrind")
            .arg("--tool=callgrind")
            // Threads take turns. Without it the load of the machine decides how long a caller and
            // the writer spin for each other, and a single append counts up to 8 % more.
            .arg("--fair-sched=yes")
            .arg(format!("--callgrind-out-file={}", out.display()))
            .arg(&self.program)
            .args(["work", section.name(), &measured.to_string()])
            .output()?;
        if !output.status.success() {
            let told = String::from_utf8_lossy(&output.stderr);
            return Err(format!("section {} failed under valgrind:\n{told}", section.name()).into());
        }
        let text = fs::read_to_string(&out)?;
        let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
        let total = total.ok_or_else(|| {
            format!("expected a line `totals:` in callgrind's {}, found none", out.display())
        })?;
        Ok(total.trim().parse()?)
    }
}
