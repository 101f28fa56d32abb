//! Parts that run in a process of their own.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::scale::cgroup::Cgroup;
use crate::scale::figures::Figures;
use crate::scale::options::{ScaleOptions, Size};
use crate::scale::{Result, machine, open, read, segments, sqlite, transcripts, walks, write};

/// Has a child do `task`, and gives back what it measured.
pub(crate) fn run(options: &ScaleOptions, task: &str) -> Result<Figures> {
    run_in(options, task, None)
}

/// Has a child do `task` within a group of processes whose memory is limited.
pub(crate) fn run_in(
    options: &ScaleOptions,
    task: &str,
    group: Option<&Cgroup>,
) -> Result<Figures> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(options.child_args(task)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    // The child waits for its input to end: by then it is in its group.
    let joined = group.map_or(Ok(()), |group| group.add(child.id()));
    drop(child.stdin.take());
    let output = child.wait_with_output()?;
    joined?;
    if !output.status.success() {
        return Err(format!("{task}: the child ended with {}", output.status).into());
    }
    Figures::from_lines(&String::from_utf8(output.stdout)?)
}

/// Does what the parent asked for and hands it the figures.
pub(crate) fn serve(options: &ScaleOptions, task: &str) -> Result<()> {
    io::copy(&mut io::stdin(), &mut io::sink())?;
    let (task, size) = task.split_once(':').unwrap_or((task, ""));
    let size = Size::parse(size).ok_or_else(|| format!("expected a size, found {size:?}"));
    let figures = match task {
        "machine" => machine::measure(options)?,
        "write" => write::measure(options, size?)?,
        "burst" => write::measure_burst(options)?,
        "sqlite" => sqlite::measure(options)?,
        "open" => open::measure(options, size?)?,
        "read" => read::measure(options)?,
        "read-ours" => read::measure_ours(options)?,
        "walks" => walks::measure(options)?,
        "transcripts" => transcripts::measure(options)?,
        "segments" => segments::measure(options)?,
        other => return Err(format!("expected the name of a task, found {other:?}").into()),
    };
    io::stdout().write_all(figures.to_lines().as_bytes())?;
    Ok(())
}
