//! The kernel's words in ours.

pub mod advertisement;
pub mod dhcp4;
mod notice;
pub mod resolvers;
mod snapshot;

pub use notice::{Notice, notices};
pub use snapshot::{OwnRoute, address, hears_routers, link, neighbour, own_route, route, route_lookup};
