//! The file: JSON with a version, times by the calendar. Whoever reads it again may be another version, another machine
//! or another year, so nothing in it is believed that could not have been written.

use std::net::Ipv6Addr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ipnet::Ipv6Net;
use model::{
    Generation, MacAddress, Memory, NetworkId, Pref64, Pref64Source, RememberedNetwork, RememberedPref64, Timestamp,
};
use serde::{Deserialize, Serialize};

const SCHEMA: &str = "everclat.memory/1";
/// A clock that is set right by less than this is no reason to forget.
const SLACK: Duration = Duration::from_secs(60);
/// The longest lifetime that an advertisement can say (RFC 8781 section 4), and the longest that an answer may have.
const LONGEST_RA: u64 = 65_528;
const LONGEST_DNS: u64 = 86_400;
/// As many as the engine knows of one uplink.
const MAX_PREFIXES: usize = 16;
/// Names of interfaces are shorter on every system.
const MAX_NAME: usize = 255;
/// Nobody has decided that often; and what comes after it can still be counted.
const MAX_GENERATION: u64 = 1 << 53;

/// What tells versions apart, whatever else there is.
#[derive(Deserialize)]
struct Head {
    schema: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    schema: String,
    /// Seconds since 1970, like all times here.
    written: u64,
    generation: u64,
    networks: Vec<Network>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Network {
    uplink: String,
    prefix: Ipv6Net,
    router: Ipv6Addr,
    router_mac: [u8; 6],
    attempt: u8,
    x: Option<Ipv6Addr>,
    pref64: Vec<Prefix>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Prefix {
    prefix: Pref64,
    source: Pref64Source,
    router: Option<Ipv6Addr>,
    expires: u64,
}

/// The file for `memory`; it is `now`, and `wall` on the calendar.
pub(super) fn encode(memory: &Memory, now: Timestamp, wall: SystemTime) -> serde_json::Result<Vec<u8>> {
    let written = seconds(wall);
    let prefix = |known: &RememberedPref64| Prefix {
        prefix: known.prefix,
        source: known.source,
        router: known.router,
        expires: written.saturating_add(known.expires.since(now).as_secs()),
    };
    let network = |network: &RememberedNetwork| Network {
        uplink: network.id.uplink.clone(),
        prefix: network.id.prefix,
        router: network.id.router,
        router_mac: network.id.router_mac.0,
        attempt: network.attempt,
        x: network.x,
        pref64: network.prefixes.iter().map(prefix).collect(),
    };
    let networks = memory.networks.iter().filter(|known| is_name(&known.id.uplink)).map(network).collect();
    let mut text = serde_json::to_vec_pretty(&File {
        schema: SCHEMA.to_owned(),
        written,
        generation: memory.generation.0,
        networks,
    })?;
    text.push(b'\n');
    Ok(text)
}

/// What `bytes` say at `now`, which is `wall` on the calendar; lifetimes that have ended are left out. Otherwise why none
/// of it is believed, without anything that stands in it.
pub(super) fn decode(bytes: &[u8], now: Timestamp, wall: SystemTime) -> Result<Memory, String> {
    let place = |error: &serde_json::Error| format!("line {} cannot be understood", error.line());
    let head: Head = serde_json::from_slice(bytes).map_err(|error| place(&error))?;
    if head.schema != SCHEMA {
        return Err("another version has written it".to_owned());
    }
    let file: File = serde_json::from_slice(bytes).map_err(|error| place(&error))?;
    let today = seconds(wall);
    if file.written > today.saturating_add(SLACK.as_secs()) {
        return Err("it is from the future, or the clock went backwards".to_owned());
    }
    if file.generation > MAX_GENERATION || file.networks.len() > Memory::MAX_NETWORKS {
        return Err("it has numbers that cannot be".to_owned());
    }
    let times = Times { written: file.written, today, now };
    let networks = file.networks.into_iter().map(|network| read(network, &times)).collect::<Option<_>>();
    let networks = networks.ok_or_else(|| "it has a network that cannot be".to_owned())?;
    Ok(Memory { generation: Generation(file.generation), networks })
}

struct Times {
    written: u64,
    today: u64,
    now: Timestamp,
}

fn read(network: Network, times: &Times) -> Option<RememberedNetwork> {
    let sound = is_name(&network.uplink)
        && network.prefix.prefix_len() == 64
        && network.prefix.addr() == network.prefix.network()
        && is_host(network.router)
        && network.x.is_none_or(|x| network.prefix.contains(&x))
        && network.pref64.len() <= MAX_PREFIXES;
    if !sound {
        return None;
    }
    let mut prefixes = Vec::new();
    for known in network.pref64 {
        let longest = match known.source {
            Pref64Source::Ra => LONGEST_RA,
            Pref64Source::Dns => LONGEST_DNS,
            Pref64Source::Policy | Pref64Source::Config => return None,
        };
        let lifetime = known.expires.saturating_sub(times.written);
        if lifetime > longest || known.router.is_some_and(|router| !is_host(router)) {
            return None;
        }
        // Should the clock have been set back a little, nothing lives longer for it.
        let left = known.expires.saturating_sub(times.today).min(lifetime);
        if left > 0 {
            let expires = times.now + Duration::from_secs(left);
            let (prefix, source, router) = (known.prefix, known.source, known.router);
            prefixes.push(RememberedPref64 { prefix, source, router, expires });
        }
    }
    Some(RememberedNetwork {
        id: NetworkId {
            uplink: network.uplink,
            prefix: network.prefix,
            router: network.router,
            router_mac: MacAddress(network.router_mac),
        },
        prefixes,
        attempt: network.attempt,
        x: network.x,
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME && !name.chars().any(char::is_control)
}

fn is_host(address: Ipv6Addr) -> bool {
    !address.is_unspecified() && !address.is_loopback() && !address.is_multicast()
}

/// Since 1970; a clock that has never been set is there.
fn seconds(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
