//! Following files that grow, move and are replaced.

mod follower;
pub(crate) mod moved;
mod options;
pub(crate) mod position;
pub(crate) mod seen;
mod signal;
pub(crate) mod source;
mod status;
mod tracked;
mod watch;

pub use follower::{Follower, Polled};
pub use options::FollowOptions;
pub use signal::StopHandle;
pub use status::{FilePosition, FollowStatus};
