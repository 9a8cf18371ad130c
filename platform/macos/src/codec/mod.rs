//! The kernel's words in ours. Layouts are those of xnu's public headers, named where they are used; they have not
//! changed since Mac OS X 10.4, and every Mac that is left is little-endian.

mod event;
mod interface;
mod kind;
mod message;
mod request;
mod route;
mod sockaddr;

pub use event::{is_kernel_change, is_routing_change};
pub use interface::{InterfaceRow, LinkState, address_flags, interfaces, link};
pub use kind::kind;
pub use request::{
    AddressFlagsRequest, Ioctl, MediaRequest, NdRequest, SET_EVENT_FILTER, address_flags_reply, address_flags_request,
    event_filter, media_active, media_request, nd_link_mtu, nd_request,
};
pub use route::{SCOPED_METRIC, lookup_reply, lookup_request, neighbours, reply_is_to, routes, tidy};
