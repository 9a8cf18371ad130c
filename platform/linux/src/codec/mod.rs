//! The kernel's words in ours.

pub mod advertisement;
pub mod dhcp4;
pub mod diag;
mod notice;
pub mod resolvers;
mod snapshot;

pub use notice::{Notice, notices};
pub use snapshot::{
    OwnRoute, address, blinks, hears_routers, link, neighbour, own_route, refreshed, route, route_lookup,
};
