//! systemd-networkd: who gave a link its resolvers.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use zbus::{Connection, OwnedObjectPath};

use super::bus::{Failure, MAX_LINKS, call};
use crate::codec::resolvers::networkd_link;

pub(super) const NAME: &str = "org.freedesktop.network1";
pub(super) const LINK: &str = "org.freedesktop.network1.Link";
const MANAGER: &str = "org.freedesktop.network1.Manager";
const PATH: &str = "/org/freedesktop/network1";

/// The links that networkd manages, with what their networks gave. Before version 250 it describes no resolvers, and is
/// as good as absent.
pub(super) async fn links(bus: &Connection, owner: &str) -> Result<BTreeMap<u32, Vec<Ipv6Addr>>, Failure> {
    let all: Vec<(i32, String, OwnedObjectPath)> = call(bus, owner, PATH, MANAGER, "ListLinks", &()).await?;
    let mut links = BTreeMap::new();
    for (number, _, _) in all.iter().take(MAX_LINKS) {
        let Ok(index) = u32::try_from(*number) else { continue };
        let Ok(text) = call::<_, String>(bus, owner, PATH, MANAGER, "DescribeLink", number).await else { continue };
        links.extend(networkd_link(&text).map(|servers| (index, servers)));
    }
    Ok(links)
}
