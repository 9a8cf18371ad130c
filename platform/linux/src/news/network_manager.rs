//! NetworkManager: DHCPv6 leases and captive portals by device.

use std::collections::HashMap;
use std::net::Ipv6Addr;

use zbus::{Connection, OwnedObjectPath, OwnedVariant};

use super::bus::{Failure, MAX_LINKS, Picture, call, property};
use crate::codec::resolvers::dhcp6_name_servers;

pub(super) const NAME: &str = "org.freedesktop.NetworkManager";
pub(super) const DEVICE: &str = "org.freedesktop.NetworkManager.Device";
pub(super) const LEASE: &str = "org.freedesktop.NetworkManager.DHCP6Config";
const PATH: &str = "/org/freedesktop/NetworkManager";

/// `NMDeviceType`: Ethernet, Wi-Fi, bond, VLAN, bridge, team, macvlan, veth. Not tun (which taps are, too), WireGuard, IP
/// tunnels, PPP, modems: their resolvers are a VPN's or the peer's.
const UPLINK_TYPES: [u32; 8] = [1, 2, 10, 11, 13, 15, 18, 20];

/// `NM_CONNECTIVITY_PORTAL`.
const PORTAL: u32 = 2;

/// One device that NetworkManager manages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// Its object on the bus.
    pub(super) path: String,
    pub(super) interface: String,
    /// What its DHCPv6 server named.
    pub(super) resolvers: Vec<Ipv6Addr>,
    /// Its connectivity check met a captive portal, over either family.
    pub(super) portal: bool,
}

/// The devices as they are now; of those that cannot be asked about, what was known before.
pub(super) async fn devices(bus: &Connection, owner: &str, former: &[Device]) -> Result<Picture<Vec<Device>>, Failure> {
    let paths: Vec<OwnedObjectPath> = call(bus, owner, PATH, NAME, "GetAllDevices", &()).await?;
    let mut devices = Picture { said: Vec::new(), whole: true };
    for path in paths.iter().take(MAX_LINKS) {
        let former = former.iter().find(|device| device.path == path.as_str());
        match device(bus, owner, path.as_str(), former).await {
            Ok(Picture { said, whole }) => {
                devices.said.extend(said);
                devices.whole &= whole;
            }
            // The next signal says so.
            Err(Failure::Gone) => {}
            Err(Failure::Refused) => {
                devices.said.extend(former.cloned());
                devices.whole = false;
            }
            // Each further question would take as long.
            Err(Failure::Silent) => return Err(Failure::Silent),
        }
    }
    Ok(devices)
}

async fn device(
    bus: &Connection,
    owner: &str,
    path: &str,
    former: Option<&Device>,
) -> Result<Picture<Option<Device>>, Failure> {
    let nothing = Picture { said: None, whole: true };
    let all = "org.freedesktop.DBus.Properties";
    let mut has: HashMap<String, OwnedVariant> = call(bus, owner, path, all, "GetAll", &DEVICE).await?;
    let number = |name: &str| has.get(name).and_then(|value| u32::try_from(value).ok());
    let managed = has.get("Managed").is_some_and(|value| bool::try_from(value).unwrap_or_default());
    if !managed || !number("DeviceType").is_some_and(|kind| UPLINK_TYPES.contains(&kind)) {
        return Ok(nothing);
    }
    let portal = [number("Ip4Connectivity"), number("Ip6Connectivity")].contains(&Some(PORTAL));
    let Some(interface) = has.remove("Interface").and_then(|value| String::try_from(value).ok()) else {
        return Ok(nothing);
    };
    let lease = has.remove("Dhcp6Config").and_then(|value| OwnedObjectPath::try_from(value).ok());
    let mut whole = true;
    let resolvers = match lease.filter(|path| path.as_str() != "/") {
        None => Vec::new(),
        Some(lease) => match resolvers(bus, owner, lease.as_str()).await {
            Ok(resolvers) => resolvers,
            Err(Failure::Gone) => Vec::new(),
            Err(Failure::Refused) => {
                whole = false;
                former.map(|device| device.resolvers.clone()).unwrap_or_default()
            }
            Err(Failure::Silent) => return Err(Failure::Silent),
        },
    };
    Ok(Picture { said: Some(Device { path: path.to_owned(), interface, resolvers, portal }), whole })
}

async fn resolvers(bus: &Connection, owner: &str, lease: &str) -> Result<Vec<Ipv6Addr>, Failure> {
    let options = property(bus, owner, lease, LEASE, "Options").await?;
    let mut options = HashMap::<String, OwnedVariant>::try_from(options).unwrap_or_default();
    let text = options.remove("dhcp6_name_servers").and_then(|value| String::try_from(value).ok());
    Ok(text.map(|text| dhcp6_name_servers(&text)).unwrap_or_default())
}
