//! System calls that neither rustix nor socket2 offers. The only `unsafe` of this crate.

mod bpf;
mod packet;
mod watch;

pub(crate) use bpf::read_hash;
pub(crate) use packet::{bind_to_link, enable_vnet_header, recv_many};
pub(crate) use watch::watch;
