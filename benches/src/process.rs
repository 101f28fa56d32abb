//! What the system says about this process. Linux alone tells.

use std::error::Error;
use std::fs;
use std::time::Duration;

/// Memory that is not a file's, in bytes.
pub fn anonymous_bytes() -> Result<u64, Box<dyn Error>> {
    kibibytes("/proc/self/status", "RssAnon:")
}

/// Memory that is not a file's, in bytes, as the kernel finds it page by page:
/// exact, and slow.
pub fn anonymous_bytes_exact() -> Result<u64, Box<dyn Error>> {
    kibibytes("/proc/self/smaps_rollup", "Anonymous:")
}

/// The most memory that was resident at any time, pages of files included, in bytes.
pub fn peak_bytes() -> Result<u64, Box<dyn Error>> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// How long the threads of this name have run so far; unlike the time on the clock
/// it leaves out most of what else the machine does.
pub fn thread_time(name: &str) -> Result<Duration, Box<dyn Error>> {
    let mut nanoseconds = 0;
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == name {
            let ran = fs::read_to_string(task.join("schedstat"))?;
            let ran = ran.split_whitespace().next().ok_or("expected a time, found none")?;
            nanoseconds += ran.parse::<u64>()?;
        }
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// How long all threads of this process have run so far, those that ended too.
pub fn processor_time() -> Result<Duration, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // Behind the name, which may have spaces and brackets in it.
    let fields = text.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: Result<Vec<u64>, _> =
        fields.split_whitespace().skip(11).take(2).map(str::parse).collect();
    // Linux tells them in hundredths of a second on every platform.
    Ok(Duration::from_millis(10 * ticks?.iter().sum::<u64>()))
}

/// What the machine has had to do on average over the last minute: processes that
/// ran or waited to.
pub fn load_average() -> Result<f64, Box<dyn Error>> {
    let text = fs::read_to_string("/proc/loadavg")?;
    let first = text.split_whitespace().next().ok_or("expected a load average, found none")?;
    Ok(first.parse()?)
}

fn kibibytes(file: &str, field: &str) -> Result<u64, Box<dyn Error>> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.ok_or_else(|| format!("expected a line {field} in {file}, found none"))?;
    Ok(number.parse::<u64>()? * 1024)
}
