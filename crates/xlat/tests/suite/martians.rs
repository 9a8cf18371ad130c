//! Addresses that pass nobody: as source and as destination, both ways, and inside ICMP errors (RFC 7915 sections 4.1 and
//! 5.1, RFC 6052 section 3.1, RFC 7335 section 4, the IANA registry of special-purpose addresses).

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, DropReason, Pref64};

use crate::support::{
    GATEWAY, HOST, ICMPV6, Outcome, PEER, PEER6, PLAIN, UDP, addresses4, addresses6, config, error4, error6, icmp,
    inbound, ipv4, ipv6, outbound, sealed, udp,
};

/// First and last of each range, never on the wire under any prefix.
const NEVER: [(&str, &str); 8] = [
    ("0.0.0.0", "0.255.255.255"),
    ("127.0.0.0", "127.255.255.255"),
    ("169.254.0.0", "169.254.255.255"),
    ("224.0.0.0", "239.255.255.255"),
    ("240.0.0.0", "255.255.255.254"),
    ("255.255.255.255", "255.255.255.255"),
    ("192.0.0.0", "192.0.0.7"),
    ("192.0.0.8", "192.0.0.8"),
];

/// The same for what is not to be used globally: refused under the well-known prefix only.
const NOT_GLOBAL: [(&str, &str); 6] = [
    ("10.0.0.0", "10.255.255.255"),
    ("172.16.0.0", "172.31.255.255"),
    ("192.168.0.0", "192.168.255.255"),
    ("100.64.0.0", "100.127.255.255"),
    // IETF protocol assignments but for two anycast addresses, which are global.
    ("192.0.0.11", "192.0.0.169"),
    ("192.0.0.170", "192.0.0.255"),
];

const GLOBAL: [&str; 12] = [
    "1.0.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "192.0.0.9",
    "192.0.0.10",
    "192.0.1.0",
    "191.255.255.255",
    "192.88.99.1",
    "223.255.255.255",
    "8.8.8.8",
];

fn edges(ranges: &[(&'static str, &'static str)]) -> Vec<Ipv4Addr> {
    ranges.iter().flat_map(|(first, last)| [first, last]).map(|text| text.parse().unwrap()).collect()
}

fn local(prefix: &str) -> Config {
    Config::new(prefix.parse().unwrap(), HOST, PLAIN, 1500)
}

fn to(config: &Config, dst: Ipv4Addr) -> Outcome {
    outbound(config, &ipv4(config.v4, dst, UDP, &sealed(udp(b"x"), UDP, &addresses4(config.v4, dst))))
}

fn from(config: &Config, src: Ipv4Addr) -> Outcome {
    let src = config.pref64.embed(src);
    inbound(config, &ipv6(src, config.v6, UDP, &sealed(udp(b"x"), UDP, &addresses6(src, config.v6))))
}

fn error_from(config: &Config, src: Ipv6Addr) -> Outcome {
    let quoted = ipv6(config.v6, config.pref64.embed(PEER), UDP, &udp(b"x"));
    inbound(config, &error6(src, config.v6, 3, 0, [0; 4], &quoted))
}

#[test]
fn r51_what_must_not_be_on_the_wire_is_neither_source_nor_destination() {
    for config in [config(PLAIN), local("2001:db8:64::/96"), local("2001:db8:6400::/40")] {
        for address in edges(&NEVER) {
            assert_eq!(to(&config, address), Outcome::Drop(DropReason::IllegalDestination), "to {address}");
            assert_eq!(from(&config, address), Outcome::Drop(DropReason::IllegalSource), "from {address}");
            let error = error_from(&config, config.pref64.embed(address));
            assert_eq!(error, Outcome::Drop(DropReason::IllegalSource), "error from {address}");
        }
    }
}

#[test]
fn r41_what_is_not_global_does_not_go_under_the_well_known_prefix() {
    let config = config(PLAIN);
    for address in edges(&NOT_GLOBAL) {
        assert_eq!(to(&config, address).reply().0, DropReason::PrivateDestination, "to {address}");
        assert_eq!(from(&config, address), Outcome::Drop(DropReason::PrivateSource), "from {address}");
        let error = error_from(&config, config.pref64.embed(address));
        assert_eq!(error, Outcome::Drop(DropReason::PrivateSource), "error from {address}");
        // RFC 8215 for the first of these.
        for other in [local("64:ff9b:1::/48"), local("64:ff9b:1::/96"), local("2001:db8:64::/96")] {
            to(&other, address).forwarded();
            from(&other, address).forwarded();
        }
    }
}

#[test]
fn what_is_global_passes() {
    for config in [config(PLAIN), local("2001:db8:64::/96"), local("2001:db8:6400::/40")] {
        for text in GLOBAL {
            to(&config, text.parse().unwrap()).forwarded();
            from(&config, text.parse().unwrap()).forwarded();
        }
    }
}

/// The host's own addresses may lie outside 192.0.0.0/29: a packet to them would come back.
#[test]
fn own_addresses_are_nobody_elses() {
    let own: Ipv4Addr = "203.0.113.1".parse().unwrap();
    let mut config = Config::new("2001:db8:64::/96".parse().unwrap(), own, PLAIN, 1500);
    config.gateway_v4 = "203.0.113.2".parse().unwrap();
    for address in [own, config.gateway_v4] {
        assert_eq!(to(&config, address), Outcome::Drop(DropReason::IllegalDestination));
        assert_eq!(from(&config, address), Outcome::Drop(DropReason::IllegalSource));
    }
    // X may lie under the prefix: then some IPv4 address means us.
    let config =
        Config::new("2001:db8:64::/96".parse().unwrap(), HOST, "2001:db8:64::c633:6407".parse().unwrap(), 1500);
    let mirror: Ipv4Addr = "198.51.100.7".parse().unwrap();
    assert_eq!(to(&config, mirror), Outcome::Drop(DropReason::IllegalDestination));
    assert_eq!(from(&config, mirror), Outcome::Drop(DropReason::IllegalSource));
    to(&config, PEER).forwarded();
    from(&config, PEER).forwarded();
}

/// Nobody but us speaks as X, so an error from there is forged.
#[test]
fn x_is_no_router() {
    assert_eq!(error_from(&config(PLAIN), PLAIN), Outcome::Drop(DropReason::IllegalSource));
    let echo = sealed(icmp(129, 0, [0; 4], b""), ICMPV6, &addresses6(PLAIN, PLAIN));
    assert_eq!(inbound(&config(PLAIN), &ipv6(PLAIN, PLAIN, ICMPV6, &echo)), Outcome::Drop(DropReason::IllegalSource));
}

/// A packet with such an address did not pass here, so nobody can complain about it.
#[test]
fn errors_about_packets_that_cannot_have_passed_are_dropped() {
    let config = config(PLAIN);
    for peer in edges(&NEVER).into_iter().chain(edges(&NOT_GLOBAL)) {
        let quoted = ipv4(peer, HOST, UDP, &sealed(udp(b"x"), UDP, &addresses4(peer, HOST)));
        let out = outbound(&config, &error4(3, 3, [0; 4], &quoted));
        assert_eq!(out, Outcome::Drop(DropReason::ForeignInnerPacket), "{peer}");
        let embedded = config.pref64.embed(peer);
        let quoted = ipv6(PLAIN, embedded, UDP, &sealed(udp(b"x"), UDP, &addresses6(PLAIN, embedded)));
        let back = inbound(&config, &error6(PEER6, PLAIN, 1, 0, [0; 4], &quoted));
        assert_eq!(back, Outcome::Drop(DropReason::ForeignInnerPacket), "{peer}");
    }
}

#[test]
fn the_public_word_about_an_address_is_the_same() {
    let local: Pref64 = "2001:db8:64::/96".parse().unwrap();
    for address in edges(&NEVER) {
        assert!(!everclat_xlat::is_translatable(address, Pref64::WELL_KNOWN));
        assert!(!everclat_xlat::is_translatable(address, local));
    }
    for address in edges(&NOT_GLOBAL) {
        assert!(!everclat_xlat::is_translatable(address, Pref64::WELL_KNOWN));
        assert!(everclat_xlat::is_translatable(address, local));
    }
    assert!(!everclat_xlat::is_translatable(GATEWAY, local));
}
