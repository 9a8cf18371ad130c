//! systemd-resolved: resolvers by link, whoever gave them.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use zbus::Connection;

use super::bus::{Failure, property};
use crate::codec::resolvers::resolved_servers;

pub(super) const NAME: &str = "org.freedesktop.resolve1";
pub(super) const MANAGER: &str = "org.freedesktop.resolve1.Manager";
const PATH: &str = "/org/freedesktop/resolve1";

/// The links that have resolvers.
pub(super) async fn links(bus: &Connection, owner: &str) -> Result<BTreeMap<u32, Vec<Ipv6Addr>>, Failure> {
    let servers = property(bus, owner, PATH, MANAGER, "DNS").await?;
    let servers = Vec::<(i32, i32, Vec<u8>)>::try_from(servers).map_err(|_| Failure::Refused)?;
    Ok(resolved_servers(&servers))
}
