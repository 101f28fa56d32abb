//! What a command is to the program.

use crate::failure::CommandResult;
use crate::global::Global;

/// What is asked for on the command line.
pub(crate) trait Run {
    /// Whether it may write to a store or to files, or consumes input that can be read
    /// only once. What only reads is run again where a segment expires under it.
    fn writes(&self) -> bool;

    /// Does it.
    fn run(&self, global: &Global) -> CommandResult;
}
