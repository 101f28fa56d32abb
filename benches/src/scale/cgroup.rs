//! A group of processes whose memory is limited (cgroup v2), where this process
//! may make one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Such a group; it is removed when dropped, once its processes have ended.
#[derive(Debug)]
pub(crate) struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes a group below this process's own, or says why that can't be done.
    /// Changes nothing about any group that there is.
    pub(crate) fn new(memory_bytes: u64) -> Result<Self, String> {
        let own = own_group()?;
        let handed_on = read(&own.join("cgroup.subtree_control"))?;
        if !handed_on.split_whitespace().any(|controller| controller == "memory") {
            let there = read(&own.join("cgroup.controllers"))?;
            return Err(format!(
                "{} hands on the controllers [{}], of [{}] that it has, and memory is needed; \
                 under systemd, try `systemd-run --scope -p MemoryMax={memory_bytes} \
                 -p MemorySwapMax=0` before this command with `--parts walks`",
                own.display(),
                handed_on.trim(),
                there.trim()
            ));
        }
        let path = own.join(format!("forebear-scale-{}", std::process::id()));
        fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let group = Self(path);
        group.set("memory.max", &memory_bytes.to_string())?;
        group.set("memory.swap.max", "0")?;
        Ok(group)
    }

    /// Moves a process into the group.
    pub(crate) fn add(&self, process: u32) -> io::Result<()> {
        fs::write(self.0.join("cgroup.procs"), process.to_string())
    }

    fn set(&self, file: &str, value: &str) -> Result<(), String> {
        let path = self.0.join(file);
        fs::write(&path, value).map_err(|error| format!("{}: {error}", path.display()))
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // What is left is an empty group, which costs nothing.
        let _ = fs::remove_dir(&self.0);
    }
}

/// The folder of the group that this process is in.
fn own_group() -> Result<PathBuf, String> {
    let mounts = read(Path::new("/proc/self/mounts"))?;
    let mount = mounts
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .find(|fields| fields.get(2) == Some(&"cgroup2"))
        .ok_or("no file system of the type cgroup2 is mounted")?;
    let groups = read(Path::new("/proc/self/cgroup"))?;
    let own = groups
        .lines()
        .find_map(|line| line.strip_prefix("0::/"))
        .ok_or("/proc/self/cgroup names no group of version 2")?;
    Ok(Path::new(mount[1]).join(own))
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}
