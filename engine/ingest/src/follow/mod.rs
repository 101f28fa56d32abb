//! Following files that grow, move and are replaced.

mod follower;
mod signal;
mod status;
mod tracked;
mod watch;

pub use follower::{Follower, Polled};
pub use signal::StopHandle;
pub use status::{FilePosition, FollowStatus};
