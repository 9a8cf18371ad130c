//! Whom an operator names for checking its NAT64 (RFC 7050 section 3.2).

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV6};
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::proto::rr::rdata::{A, PTR};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use model::Pref64;
use platform_api::UplinkSockets;

use super::{Outcome, endpoints, look_up};

/// RFC 7050 section 8.
const WELL_KNOWN: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 0, 0, 170), Ipv4Addr::new(192, 0, 0, 171)];

/// The first one is used (RFC 7050 section 3.2); a few more are for when it is silent.
const MOST: usize = 4;

/// The servers that the operator of the NAT64 `prefix` names for connectivity checks, asked of `servers` on `link` for
/// `budget` at the longest: the PTR records of the prefix with 192.0.0.170 and 192.0.0.171 in it, then the A records
/// of the names that they give. At most four, in received order; empty when nobody is named, which is common.
///
/// Nothing is asked about 64:ff9b::/96, which all operators share: nobody could register a name for his own.
pub async fn check_points<S: UplinkSockets>(
    sockets: &S,
    link: u32,
    servers: &[Ipv6Addr],
    prefix: Pref64,
    budget: Duration,
) -> Vec<Ipv4Addr> {
    check_points_of(sockets, link, &endpoints(servers, link), prefix, budget).await
}

pub(super) async fn check_points_of<S: UplinkSockets>(
    sockets: &S,
    link: u32,
    servers: &[SocketAddrV6],
    prefix: Pref64,
    budget: Duration,
) -> Vec<Ipv4Addr> {
    if prefix.is_well_known() {
        return Vec::new();
    }
    // Two questions, one after the other.
    let each = budget / 2;
    let names = WELL_KNOWN.map(|address| async move {
        let name = Name::from(prefix.embed(address)).to_ascii();
        look_up(sockets, link, servers, &name, RecordType::PTR, each).await
    });
    let mut points = Vec::new();
    let names =
        distinct(
            join_all(names).await,
            |record| {
                if let RData::PTR(PTR(name)) = record { Some(name.to_ascii()) } else { None }
            },
        );
    let addresses =
        names.iter().map(|name| async move { look_up(sockets, link, servers, name, RecordType::A, each).await });
    points.extend(distinct(join_all(addresses).await, |record| {
        if let RData::A(A(address)) = record { Some(*address).filter(|address| is_public(*address)) } else { None }
    }));
    points
}

/// Each thing once, at most [`MOST`].
fn distinct<T: PartialEq>(outcomes: Vec<Outcome>, pick: impl Fn(&RData) -> Option<T>) -> Vec<T> {
    let mut found = Vec::new();
    for outcome in outcomes {
        let records = match outcome {
            Outcome::Found(records, _) => records,
            Outcome::Nothing(_) | Outcome::Failed(_) => continue,
        };
        for item in records.iter().filter_map(&pick) {
            if found.len() < MOST && !found.contains(&item) {
                found.push(item);
            }
        }
    }
    found
}

/// Whether a packet there leaves the operator's hands on purpose. Documentation ranges count as global
/// (docs/decisions/0004-documentation-ranges.md).
fn is_public(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let shared = a == 100 && b & 0xc0 == 64;
    let special = a == 0 || a >= 240 || (a, b, c) == (192, 0, 0);
    let local = address.is_private() || address.is_loopback() || address.is_link_local();
    !(shared || special || local || address.is_multicast())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses() {
        for public in ["198.51.100.10", "192.0.2.1", "198.18.0.1", "100.128.0.1", "192.0.1.1", "9.9.9.9"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for other in [
            "0.0.0.0",
            "10.1.1.1",
            "100.64.0.1",
            "100.127.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "172.16.0.1",
            "192.0.0.170",
            "192.168.1.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!is_public(other.parse().unwrap()), "{other}");
        }
    }
}
