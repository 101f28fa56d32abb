//! A disk in memory with the faults that disks have.

/// A folder in memory.
#[derive(Debug)]
pub struct SimulatedDisk;
