//! systemd-networkd: who gave a link its resolvers.

use std::collections::BTreeMap;
use std::net::Ipv6Addr;

use zbus::{Connection, OwnedObjectPath};

use super::bus::{Failure, MAX_LINKS, Picture, call};
use crate::codec::resolvers::networkd_link;

pub(super) const NAME: &str = "org.freedesktop.network1";
pub(super) const LINK: &str = "org.freedesktop.network1.Link";
const MANAGER: &str = "org.freedesktop.network1.Manager";
const PATH: &str = "/org/freedesktop/network1";

type Links = BTreeMap<u32, Vec<Ipv6Addr>>;

/// The links that networkd manages, with what their networks gave; of those that cannot be asked about, what was known
/// before. Before version 250 it describes no resolvers, and is as good as absent.
pub(super) async fn links(bus: &Connection, owner: &str, former: &Links) -> Result<Picture<Links>, Failure> {
    let all: Vec<(i32, String, OwnedObjectPath)> = call(bus, owner, PATH, MANAGER, "ListLinks", &()).await?;
    let mut links = Picture { said: BTreeMap::new(), whole: true };
    for (number, _, _) in all.iter().take(MAX_LINKS) {
        let Ok(index) = u32::try_from(*number) else { continue };
        match call::<_, String>(bus, owner, PATH, MANAGER, "DescribeLink", number).await {
            Ok(text) => links.said.extend(networkd_link(&text).map(|servers| (index, servers))),
            // The next signal says so.
            Err(Failure::Gone) => {}
            Err(Failure::Refused) => {
                links.said.extend(former.get(&index).map(|servers| (index, servers.clone())));
                links.whole = false;
            }
            // Each further question would take as long.
            Err(Failure::Silent) => return Err(Failure::Silent),
        }
    }
    Ok(links)
}
