//! `forebear setup`: makes forebear known to the tools on this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use forebear::ingest::IngestOptions;
use forebear_wire::redact::Redactor;
use serde::Serialize;

use crate::command::Run;
use crate::commands::import;
use crate::failure::{CommandFailure, CommandResult, complain, warn};
use crate::global::Global;
use crate::output::{Out, draw, text};
use crate::place;
use crate::setup::change::{self, FileBackup, FoundEntry, SetupChange};
use crate::setup::record::{Added, SetupRecord};
use crate::setup::tools::{self, Called};
use crate::usual_folders::found_folders;

/// Lines of a file that are shown around a change.
const CONTEXT_LINES: usize = 2;

/// Make forebear known to the tools on this machine, and import what they wrote
///
/// Finds Claude Code, Codex, Cursor, Gemini, OpenCode and others by their folders, shows what
/// would be added to their files (the MCP server, and the hooks of Claude Code), adds it once
/// that is confirmed, and imports the transcripts that are there. What is there already stays;
/// a file that can't be read is left alone.
#[derive(Debug, Args)]
#[command(after_help = "\
Of each file that it changes it keeps the one before, as FILE.forebear-backup; one that is there
already stays. A file that changes while it asks is left alone. --undo takes out what was added
and has not been changed since, and nothing else.

With --json: objects with `tool`, `file`, `what` (mcp or hook) and `status`: added, there (as it
would be added), other (forebear is named in another way, which stays), removed, changed (since
it was added, so that it stays), unreadable, or would-add and would-remove with --dry-run.

Examples:
  forebear setup --dry-run
  forebear setup --yes
  forebear setup --undo")]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own
pub(crate) struct SetupArgs {
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,

    /// Change it without asking
    #[arg(long, short)]
    yes: bool,

    /// Take out what was added
    #[arg(long)]
    undo: bool,

    /// Do not import
    #[arg(long, conflicts_with = "undo")]
    no_import: bool,
}

/// What becomes of an entry.
#[derive(Clone, Serialize)]
struct PlannedEntry {
    tool: String,
    file: PathBuf,
    what: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// A file as it is and as it is to be.
struct Edited {
    before: Option<String>,
    after: String,
    /// Whether it is to be removed.
    goes: bool,
}

/// What becomes of an entry in the record.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryFate {
    Stays,
    /// It is there once its file is written.
    Comes,
    /// It is there until its file is written.
    Goes,
}

/// What is to be changed.
#[derive(Default)]
struct SetupPlan {
    files: BTreeMap<PathBuf, Edited>,
    lines: Vec<PlannedEntry>,
    record: Vec<(Added, EntryFate)>,
}

impl Run for SetupArgs {
    fn writes(&self) -> bool {
        true
    }

    fn run(&self, global: &Global) -> CommandResult {
        let kept = place::data_folder()?.join("setup.json");
        let record = SetupRecord::read(&kept)?;
        let plan = if self.undo { undo(record) } else { add(record, global)? };
        if plan.lines.is_empty() {
            return Err(CommandFailure::NothingFound(if self.undo {
                format!("nothing was added: {} is not there", kept.display())
            } else {
                "found none of the tools that can be told of forebear".to_owned()
            }));
        }
        self.show(&plan, global)?;
        if self.dry_run {
            return Ok(());
        }
        if !plan.files.is_empty() {
            self.confirm()?;
        }
        plan.apply(&kept)?;
        if self.undo || self.no_import {
            return Ok(());
        }
        match found_folders() {
            Ok(found) => {
                let paths = found.into_iter().map(|folder| folder.path);
                let options = IngestOptions::new(paths.collect::<Vec<_>>());
                import::import(place::open_or_hand_in(global)?, &options, global)
            }
            // The tools wrote nothing as yet.
            Err(_) => Ok(()),
        }
    }
}

impl SetupArgs {
    fn show(&self, plan: &SetupPlan, global: &Global) -> CommandResult {
        let mut out = Out::new();
        for planned in &plan.lines {
            let status = match planned.status {
                "added" if self.dry_run => "would-add",
                "removed" if self.dry_run => "would-remove",
                status => status,
            };
            if global.json {
                out.json(&PlannedEntry { status, ..planned.clone() })?;
                continue;
            }
            let PlannedEntry { tool, file, what, why, .. } = planned;
            let (says, style) = match status {
                "added" | "would-add" => ("add", draw::GREEN),
                "removed" | "would-remove" => ("take out", draw::GREEN),
                "there" => ("there already", draw::DIM),
                "other" => ("named in another way: left alone", draw::DIM),
                "changed" => ("changed since it was added: left alone", draw::DIM),
                _ => ("can't be read: left alone", draw::RED),
            };
            let tool = text::fit(tool, 14);
            let rest = format!("  {what:<4}  {}", text::clean(&file.display().to_string()));
            draw::line(
                &mut out,
                &[(draw::BOLD, &tool), (draw::DIM, &rest), (style, &format!("  {says}"))],
            )?;
            if let Some(why) = why {
                draw::remark(&mut out, &format!("    {why}"))?;
            }
        }
        if !global.json {
            for (file, edited) in &plan.files {
                show_difference(&mut out, file, edited)?;
            }
        }
        out.finish()?;
        Ok(())
    }

    fn confirm(&self) -> CommandResult {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() {
            return Err(CommandFailure::Usage(
                "nothing was changed: give --yes to change it, or --dry-run to look only"
                    .to_owned(),
            ));
        }
        eprint!("Change these files? [y/N] ");
        let _ = io::stderr().flush();
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(());
        }
        Err(CommandFailure::Failed("nothing was changed".to_owned()))
    }
}

/// What is to be added for the tools that are there.
fn add(record: SetupRecord, global: &Global) -> Result<SetupPlan, CommandFailure> {
    let home = etcetera::home_dir().map_err(|_| {
        CommandFailure::Failed("there is no home folder to look for tools in".to_owned())
    })?;
    let variable = |name: &str| env::var_os(name).map(PathBuf::from);
    let record = record.added.into_iter().map(|added| (added, EntryFate::Stays)).collect();
    let mut plan = SetupPlan { record, ..SetupPlan::default() };
    for change in tools::changes(&home, &variable, &called(global)?) {
        plan.add(&change);
    }
    Ok(plan)
}

/// What is to be taken out of what was added.
fn undo(record: SetupRecord) -> SetupPlan {
    let mut plan = SetupPlan::default();
    // The last first: the first was there before the others.
    for added in record.added.into_iter().rev() {
        plan.remove(added);
    }
    plan.record.reverse();
    plan
}

/// How other tools call this program.
fn called(global: &Global) -> Result<Called, CommandFailure> {
    let own = env::current_exe().and_then(fs::canonicalize).map_err(|error| {
        CommandFailure::Failed(format!("finding the path of this program: {error}"))
    })?;
    let folders = env::var_os("PATH").unwrap_or_default();
    let first = env::split_paths(&folders)
        .map(|folder| folder.join("forebear"))
        .find(|file| file.is_file());
    let is_found = first.and_then(|file| file.canonicalize().ok()).is_some_and(|file| file == own);
    let path = own.display().to_string();
    let command = if is_found { "forebear".to_owned() } else { path.clone() };
    let store = match &global.store {
        Some(store) => {
            let store = std::path::absolute(store)
                .map_err(|error| CommandFailure::Failed(format!("{}: {error}", store.display())))?;
            vec!["--store".to_owned(), store.display().to_string()]
        }
        None => Vec::new(),
    };
    Ok(Called { command, path, store })
}

impl SetupPlan {
    fn add(&mut self, change: &SetupChange) {
        let status = self.try_add(change);
        self.line(change.tool, &change.file, &change.entry, status);
    }

    fn try_add(
        &mut self,
        SetupChange { tool, file, entry }: &SetupChange,
    ) -> Result<&'static str, String> {
        let edited = self.edited(file, entry)?;
        match entry.find(&edited.after)? {
            FoundEntry::Same => return Ok("there"),
            FoundEntry::Other => return Ok("other"),
            FoundEntry::Nothing => {}
        }
        let made_levels = entry.missing_levels(&edited.after);
        let after = entry.added_to(&edited.after)?;
        let made_file = edited.before.is_none();
        self.files.insert(file.clone(), Edited { after, ..edited });
        let (tool, file, entry) = ((*tool).to_owned(), file.clone(), entry.clone());
        let added = Added { tool, file, entry, made_levels, made_file };
        self.record.push((added, EntryFate::Comes));
        Ok("added")
    }

    fn remove(&mut self, added: Added) {
        let status = self.try_remove(&added);
        let fate = if status.is_err() { EntryFate::Stays } else { EntryFate::Goes };
        self.line(&added.tool, &added.file, &added.entry, status);
        self.record.push((added, fate));
    }

    fn try_remove(&mut self, added: &Added) -> Result<&'static str, String> {
        let Added { file, entry, made_levels, made_file, .. } = added;
        let edited = self.edited(file, entry)?;
        if entry.find(&edited.after)? != FoundEntry::Same {
            return Ok("changed");
        }
        let after = entry.removed_from(&edited.after, *made_levels)?;
        // A file that was made and says nothing goes.
        let left: String = after.split_whitespace().collect();
        let goes = *made_file && matches!(left.as_str(), "" | "{}");
        self.files.insert(file.clone(), Edited { after, goes, ..edited });
        Ok("removed")
    }

    /// The file as it is after what was planned so far.
    fn edited(&self, file: &Path, entry: &change::SetupEntry) -> Result<Edited, String> {
        if let Some(Edited { before, after, .. }) = self.files.get(file) {
            return Ok(Edited { before: before.clone(), after: after.clone(), goes: false });
        }
        let before = change::read(file).map_err(|error| error.to_string())?;
        let after = match &before {
            Some(text) if !text.trim().is_empty() => text.clone(),
            _ => entry.empty_file().to_owned(),
        };
        Ok(Edited { before, after, goes: false })
    }

    fn line(
        &mut self,
        tool: &str,
        file: &Path,
        entry: &change::SetupEntry,
        status: Result<&'static str, String>,
    ) {
        let is_hook = matches!(entry, change::SetupEntry::Item { .. });
        let (status, why) = match status {
            Ok(status) => (status, None),
            Err(why) => ("unreadable", Some(why)),
        };
        let what = if is_hook { "hook" } else { "mcp" };
        self.lines.push(PlannedEntry {
            tool: tool.to_owned(),
            file: file.to_owned(),
            what,
            status,
            why,
        });
    }

    /// Writes the files, and the record of what was added. A file that can't be written, or
    /// was changed since it was read, is left as it is; the others are written.
    fn apply(self, kept: &Path) -> CommandResult {
        let recorded = |is_kept: &dyn Fn(&Added, EntryFate) -> bool| {
            let kept = self.record.iter().filter(|(added, fate)| is_kept(added, *fate));
            SetupRecord { added: kept.map(|(added, _)| added.clone()).collect() }
        };
        // At each moment the record has all that stands in the files, so that it can be undone
        // after a crash: what comes is recorded first, and what goes is struck out last.
        if self.record.iter().any(|(_, fate)| *fate == EntryFate::Comes) {
            recorded(&|_, _| true).write(kept)?;
        }
        let mut unwritten = BTreeSet::new();
        for (file, edited) in &self.files {
            let after = (!edited.goes).then_some(edited.after.as_str());
            match change::replace(file, edited.before.as_deref(), after) {
                Ok(Some(FileBackup::Made(backup))) => {
                    warn(&format!("forebear: the file before is {}", backup.display()));
                }
                Ok(Some(FileBackup::Earlier(backup))) => warn(&format!(
                    "forebear: {} is of an earlier change, and stays",
                    backup.display()
                )),
                Ok(None) => {}
                Err(error) => {
                    complain(&format!("writing {}: {error}", file.display()));
                    unwritten.insert(file);
                }
            }
        }
        let is_kept = |added: &Added, fate| match fate {
            EntryFate::Stays => true,
            EntryFate::Comes => !unwritten.contains(&added.file),
            EntryFate::Goes => unwritten.contains(&added.file),
        };
        recorded(&is_kept).write(kept)?;
        if unwritten.is_empty() {
            return Ok(());
        }
        let files = text::counted(unwritten.len() as u64, "file", "files");
        Err(CommandFailure::Failed(format!("{files} could not be written")))
    }
}

/// Shows the lines that come and go, with some around them.
fn show_difference(out: &mut Out, file: &Path, edited: &Edited) -> CommandResult {
    let before: Vec<&str> = edited.before.as_deref().unwrap_or_default().lines().collect();
    let after = if edited.goes { "" } else { &edited.after };
    let after: Vec<&str> = after.lines().collect();
    let same =
        |pairs: &mut dyn Iterator<Item = (&&str, &&str)>| pairs.take_while(|(a, b)| a == b).count();
    let head = same(&mut before.iter().zip(&after));
    let most = before.len().min(after.len()) - head;
    let tail = same(&mut before.iter().rev().zip(after.iter().rev())).min(most);
    writeln!(out)?;
    draw::line(out, &[(draw::BOLD, &text::clean(&file.display().to_string()))])?;
    let from = head.saturating_sub(CONTEXT_LINES);
    let to = (after.len() - tail + CONTEXT_LINES).min(after.len());
    let around = |lines| ("  ", draw::DIM, lines);
    // Keys of others may stand beside what is added, be it on the same line.
    let mut redactor = Redactor::new();
    for (mark, style, lines) in [
        around(&after[from..head]),
        ("- ", draw::RED, &before[head..before.len() - tail]),
        ("+ ", draw::GREEN, &after[head..after.len() - tail]),
        around(&after[after.len() - tail..to]),
    ] {
        for line in lines {
            let line = redactor.text(line);
            draw::line(out, &[(style, &text::clean(&format!("{mark}{line}")))])?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Tools' files that say `{}` or nothing, and the record's.
    fn machine() -> (tempfile::TempDir, [PathBuf; 3]) {
        let folder = tempfile::tempdir().unwrap();
        let files = ["one.json", "two.json", "setup.json"].map(|name| folder.path().join(name));
        fs::write(&files[0], "{}\n").unwrap();
        (folder, files)
    }

    fn change(file: &Path) -> SetupChange {
        let entry =
            change::SetupEntry::Member { path: vec!["mcp".to_owned()], value: json!({"a": 1}) };
        SetupChange { tool: "Tool", file: file.to_owned(), entry }
    }

    fn adding(files: &[&PathBuf]) -> SetupPlan {
        let mut plan = SetupPlan::default();
        for file in files {
            plan.add(&change(file));
        }
        plan
    }

    fn recorded(kept: &Path) -> Vec<PathBuf> {
        SetupRecord::read(kept).unwrap().added.into_iter().map(|added| added.file).collect()
    }

    #[test]
    fn a_file_that_changes_while_it_asks_stays_and_the_others_are_written() {
        let (_folder, [one, two, kept]) = machine();
        let plan = adding(&[&one, &two]);
        fs::write(&one, "{\"theirs\": 1}").unwrap();
        let failure = plan.apply(&kept).unwrap_err();
        assert!(
            matches!(&failure, CommandFailure::Failed(said) if said == "1 file could not be written")
        );
        assert_eq!(fs::read_to_string(&one).unwrap(), "{\"theirs\": 1}");
        assert!(fs::read_to_string(&two).unwrap().contains("forebear"));
        assert_eq!(recorded(&kept), std::slice::from_ref(&two));

        // As it takes out what was added: what stays is still known to have been added.
        adding(&[&one]).apply(&kept).unwrap();
        let plan = undo(SetupRecord::read(&kept).unwrap());
        let changed = fs::read_to_string(&one).unwrap().replace("theirs", "others");
        fs::write(&one, &changed).unwrap();
        plan.apply(&kept).unwrap_err();
        assert_eq!(fs::read_to_string(&one).unwrap(), changed);
        assert_eq!(recorded(&kept), std::slice::from_ref(&one));
        undo(SetupRecord::read(&kept).unwrap()).apply(&kept).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), "{\"others\": 1}");
        assert!(!kept.exists());
    }

    #[test]
    fn what_can_be_undone_is_recorded_before_and_struck_out_after() {
        let (_folder, [one, _, kept]) = machine();
        // A record that can't be written: a folder is in its place.
        fs::create_dir(&kept).unwrap();
        adding(&[&one]).apply(&kept).unwrap_err();
        assert_eq!(fs::read_to_string(&one).unwrap(), "{}\n", "added without a record");
        fs::remove_dir(&kept).unwrap();

        // An entry that can't be taken out stays recorded, and so does one beside it until it
        // is out.
        let (good, broken) = (change(&one), one.with_file_name("broken.json"));
        adding(&[&one, &broken]).apply(&kept).unwrap();
        fs::write(&broken, "{ broken").unwrap();
        let record = SetupRecord::read(&kept).unwrap();
        fs::remove_file(&kept).unwrap();
        fs::create_dir(&kept).unwrap();
        undo(record).apply(&kept).unwrap_err();
        let text = fs::read_to_string(&one).unwrap();
        assert_eq!(good.entry.find(&text), Ok(FoundEntry::Nothing), "struck out first: {text}");
    }

    #[test]
    fn an_empty_file_of_the_user_is_left_empty_and_not_removed() {
        let (_folder, [one, _, kept]) = machine();
        fs::write(&one, "").unwrap();
        let value = json!({"command": "forebear", "args": []});
        let entry = change::SetupEntry::Table { path: vec!["mcp_servers".to_owned()], value };
        let mut plan = SetupPlan::default();
        plan.add(&SetupChange { tool: "Tool", file: one.clone(), entry });
        plan.apply(&kept).unwrap();
        assert!(fs::read_to_string(&one).unwrap().contains("forebear"));
        undo(SetupRecord::read(&kept).unwrap()).apply(&kept).unwrap();
        assert_eq!(fs::read_to_string(&one).unwrap(), "");
    }
}
