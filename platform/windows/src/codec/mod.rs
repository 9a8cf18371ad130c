//! IP Helper's words in ours.

mod kind;
mod rows;
mod snapshot;

pub use kind::kind;
pub use rows::{AddressRow, InterfaceRow, IpInterfaceRow, NeighbourRow, RouteRow, Tables};
pub use snapshot::{address_flags, route_lookup, snapshot};
