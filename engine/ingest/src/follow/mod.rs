//! Following files that grow, move and are replaced.

mod follower;
mod search;
mod signal;
mod status;
mod tracked;
mod turns;
mod watch;

pub use follower::{Follower, Polled};
pub use signal::StopHandle;
pub use status::{FilePosition, FilePositions, FollowStatus};
