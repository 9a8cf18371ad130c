//! The kernel's words in ours.

mod notice;
mod snapshot;

pub use notice::{Notice, notices};
pub use snapshot::{OwnRoute, address, is_continuity_route, link, neighbour, route, route_lookup};
