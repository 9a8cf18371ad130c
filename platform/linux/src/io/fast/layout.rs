//! What stands in the maps of `bpf/clat.c`, as plain words.

use std::net::{Ipv4Addr, Ipv6Addr};

use model::FlowKey;
use platform_api::{FastConfig, FastSeed};

/// Which place of `STATE` says which config is in force, and which that what apps send is left alone.
pub(super) const STATE_CONFIG: u32 = 0;
pub(super) const STATE_HELD: u32 = 1;
/// How many places `CONFIG` has; the same number stands for none of them.
pub(super) const CONFIGS: u32 = 4;

/// How many flows there can be.
pub(super) const FLOWS: usize = 4096;

const ETHERTYPE_IPV6: u16 = 0x86dd;
const CONFIG_WORDS: usize = 24;

/// `struct config`.
pub(super) type Config = [u32; CONFIG_WORDS];
/// `struct key`.
pub(super) type Key = [u32; 3];
/// `struct flow`: four words in two, and two moments.
pub(super) type Flow = [u64; 4];
/// `struct counters`.
pub(super) type Counters = [u64; 7];
/// `struct tested`.
pub(super) type Tested = [u32; 6];

/// A word that holds these bytes in this order.
fn word(bytes: [u8; 4]) -> u32 {
    u32::from_ne_bytes(bytes)
}

fn words(address: Ipv6Addr) -> [u32; 4] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.octets();
    [word([a, b, c, d]), word([e, f, g, h]), word([i, j, k, l]), word([m, n, o, p])]
}

/// `None`: the IPv4 address is no word of its own under this prefix.
pub(super) fn config(config: &FastConfig, generation: u32, test: bool) -> Option<Config> {
    let v4_word = match config.pref64.prefix_len() {
        96 => 3,
        32 => 1,
        _ => return None,
    };
    let ([p0, p1, p2, p3], [x0, x1, x2, x3]) = (words(config.pref64.prefix()), words(config.v6));
    let ([t0, t1, t2, t3, t4, t5], [f0, f1, f2, f3, f4, f5]) = (config.gateway_mac.0, config.mac.0);
    let [high, low] = ETHERTYPE_IPV6.to_be_bytes();
    Some([
        generation,
        config.tun,
        config.link,
        word(config.v4.octets()),
        p0,
        p1,
        p2,
        p3,
        v4_word,
        x0,
        x1,
        x2,
        x3,
        word([t0, t1, t2, t3]),
        word([t4, t5, f0, f1]),
        word([f2, f3, f4, f5]),
        word([high, low, 0, 0]),
        config.mtu6.into(),
        config.divisible.into(),
        config.mtu4.into(),
        config.first_id.into(),
        config.id_mask.into(),
        config.id_start.into(),
        test.into(),
    ])
}

pub(super) fn key(key: &FlowKey) -> Key {
    let ([a, b], [c, d]) = (key.port.to_be_bytes(), key.peer_port.to_be_bytes());
    [word(key.peer.octets()), word([a, b, c, d]), key.protocol.into()]
}

pub(super) fn flow_key([peer, ports, protocol]: Key) -> FlowKey {
    let [a, b, c, d] = ports.to_ne_bytes();
    FlowKey {
        peer: Ipv4Addr::from(peer.to_ne_bytes()),
        port: u16::from_be_bytes([a, b]),
        peer_port: u16::from_be_bytes([c, d]),
        protocol: u8::try_from(protocol).unwrap_or_default(),
    }
}

/// A flow that has just been seen.
pub(super) fn flow(seed: &FastSeed, generation: u32, now: u64) -> Flow {
    [pair(generation, seed.expects), pair(seed.end, seed.udp_gso.into()), now, 0]
}

/// What the app of a flow expects next.
pub(super) fn expects(flow: &Flow) -> u32 {
    let [first, ..] = flow;
    let [_, _, _, _, a, b, c, d] = first.to_ne_bytes();
    u32::from_ne_bytes([a, b, c, d])
}

fn pair(first: u32, second: u32) -> u64 {
    let ([a, b, c, d], [e, f, g, h]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u64::from_ne_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there() -> FlowKey {
        FlowKey { peer: Ipv4Addr::new(198, 51, 100, 7), port: 40_000, peer_port: 443, protocol: 6 }
    }

    #[test]
    fn a_key_stands_as_on_the_wire_and_is_read_back() {
        let bytes: Vec<u8> = key(&there()).iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes[..8], [198, 51, 100, 7, 0x9c, 0x40, 0x01, 0xbb]);
        assert_eq!(flow_key(key(&there())), there());
    }

    #[test]
    fn a_flow_begins_with_four_words() {
        let seed = FastSeed { expects: 0x0102_0304, end: 5, udp_gso: true };
        let flow = flow(&seed, 9, 77);
        let bytes: Vec<u8> = flow.iter().flat_map(|word| word.to_ne_bytes()).collect();
        let words: Vec<u32> = bytes[..16].as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word)).collect();
        assert_eq!((words, flow[2], flow[3]), (vec![9, 0x0102_0304, 5, 1], 77, 0));
        assert_eq!(expects(&flow), 0x0102_0304);
    }

    #[test]
    fn frames_have_their_header_as_on_the_wire() {
        let config = config(&super::super::trial::config(7), 1, false).unwrap();
        let bytes: Vec<u8> = config[13..17].iter().flat_map(|word| word.to_ne_bytes()).collect();
        assert_eq!(bytes, [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x86, 0xdd, 0, 0]);
    }

    #[test]
    fn only_prefixes_that_keep_the_address_in_one_word() {
        let mut wanted = super::super::trial::config(7);
        let place = |wanted: &FastConfig| config(wanted, 1, false).map(|config| config[8]);
        assert_eq!(place(&wanted), Some(3));
        wanted.pref64 = "2001:db8::/32".parse().unwrap();
        assert_eq!(place(&wanted), Some(1));
        wanted.pref64 = "2001:db8::/64".parse().unwrap();
        assert_eq!(place(&wanted), None);
    }
}
