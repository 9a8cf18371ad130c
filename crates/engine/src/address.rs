//! Which /64 and which interface identifier X gets.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use model::{AddressFlags, Link};
use sha2::{Digest, Sha256};
use xlat::Pref64;

/// The word of the interface identifier that is bent to make X checksum-neutral. Any would do.
const NEUTRAL_WORD: usize = 6;

/// The /64 of `link` from which X is taken: source address selection towards the NAT64 by RFC 6724 section 5, rules
/// 3 (avoid deprecated), 6 (matching label) and 8 (longest matching prefix). `None` when the link has no /64 that
/// is ready for use.
///
/// `kept` is the one in which X is, or is to be: it stays until it is gone, or a former network's, or packets from there do
/// not fit the NAT64. A `former` network's /64 is the last resort. With it comes the /64 to which X should move when it
/// can do so without harm, because all addresses of the one it is in are deprecated (RFC 4862 section 5.5.4).
pub(crate) fn choose_prefix(
    link: &Link,
    pref64: Pref64,
    kept: Option<Ipv6Net>,
    former: impl Fn(Ipv6Net) -> bool,
) -> Option<(Ipv6Net, Option<Ipv6Net>)> {
    let target = pref64.prefix();
    let usable = || link.global_v6().filter(|(net, flags)| net.prefix_len() == 64 && !flags.dad_failed);
    let rank = |(net, flags): &(Ipv6Net, AddressFlags)| (!former(net.trunc()), preference(*net, *flags, target));
    let best = usable().max_by_key(rank).map(|(net, _)| net.trunc())?;
    let fits = |net: Ipv6Net| label(net.addr()) == label(target);
    let stays = |kept: &Ipv6Net| usable().any(|(net, _)| net.trunc() == *kept) && !former(*kept);
    let chosen = kept.filter(stays).filter(|kept| fits(*kept) || !fits(best)).unwrap_or(best);
    let preferred = |prefix: Ipv6Net| usable().any(|(net, flags)| net.trunc() == prefix && !flags.deprecated);
    Some((chosen, Some(best).filter(|best| !preferred(chosen) && preferred(*best))))
}

/// Greater is better. The network itself comes last so that the choice does not depend on the order of addresses.
fn preference(net: Ipv6Net, flags: AddressFlags, target: Ipv6Addr) -> (bool, bool, u32, std::cmp::Reverse<Ipv6Addr>) {
    let common = (net.addr().to_bits() ^ target.to_bits()).leading_zeros().min(64);
    (!flags.deprecated, label(net.addr()) == label(target), common, std::cmp::Reverse(net.network()))
}

/// Labels of the default policy table, RFC 6724 section 2.1.
fn label(address: Ipv6Addr) -> u8 {
    let [first, second, ..] = address.segments();
    if address.is_loopback() {
        0
    } else if address.to_ipv4_mapped().is_some() {
        4
    } else if address.to_bits() >> 32 == 0 {
        3
    } else if first == 0x2002 {
        2
    } else if (first, second) == (0x2001, 0) {
        5
    } else if first & 0xfe00 == 0xfc00 {
        13
    } else if first & 0xffc0 == 0xfec0 {
        11
    } else if first == 0x3ffe {
        12
    } else {
        1
    }
}

/// X for the /64 `prefix`: a stable, opaque interface identifier (RFC 7217 section 5) that changes with `attempt`,
/// made checksum-neutral where the prefix length allows it. It does not depend on the interface: on a /64 that two
/// uplinks share, X moves with the uplink.
pub(crate) fn clat_address(secret: &[u8; 32], prefix: Ipv6Net, attempt: u8, v4: Ipv4Addr, pref64: Pref64) -> Ipv6Addr {
    // A reserved identifier (RFC 5453) is one in 2^45; the salt finds the next one all the same.
    for salt in 0..=u8::MAX {
        let digest = Sha256::new()
            .chain_update(b"everclat clat address v1")
            .chain_update(secret)
            .chain_update(prefix.network().octets())
            .chain_update([attempt, salt])
            .finalize();
        let mut identifier = [0; 8];
        identifier.copy_from_slice(&digest[..8]);
        let base = Ipv6Addr::from_bits(prefix.network().to_bits() | u128::from(u64::from_be_bytes(identifier)));
        let address = xlat::neutral_address(base, NEUTRAL_WORD, v4, pref64).unwrap_or(base);
        if !is_reserved(address) {
            return address;
        }
    }
    unreachable!("256 digests in a row hold a reserved interface identifier")
}

/// Interface identifiers that RFC 5453 and RFC 2526 set aside.
pub(crate) fn is_reserved(address: Ipv6Addr) -> bool {
    let [_, _, _, _, a, b, c, d] = address.segments();
    let anycast = (a, b, c) == (0xfdff, 0xffff, 0xffff) && d >= 0xff80;
    let router = (a, b, c, d) == (0, 0, 0, 0);
    let proxy = (a, b, c >> 8) == (0x0200, 0x5eff, 0xfe);
    anycast || router || proxy
}

#[cfg(test)]
mod tests {
    use model::{LinkAddress, LinkKind};

    use super::*;

    fn link(addresses: &[(&str, AddressFlags)]) -> Link {
        Link {
            index: 2,
            name: "eth0".into(),
            kind: LinkKind::Ethernet,
            mac: None,
            mtu6: 1500,
            up: true,
            carrier: true,
            forwards_ipv6: false,
            addresses: addresses
                .iter()
                .map(|(net, flags)| LinkAddress { net: net.parse().unwrap(), flags: *flags })
                .collect(),
        }
    }

    fn chosen(addresses: &[(&str, AddressFlags)], pref64: &str) -> Option<String> {
        choose_prefix(&link(addresses), pref64.parse().unwrap(), None, |_| false).map(|(net, _)| net.to_string())
    }

    #[test]
    fn a_global_prefix_beats_a_ula_for_a_public_nat64() {
        let plain = AddressFlags::default();
        let both = [("fd00:1::5/64", plain), ("2001:db8:1::5/64", plain)];
        assert_eq!(chosen(&both, "64:ff9b::/96").as_deref(), Some("2001:db8:1::/64"));
        assert_eq!(chosen(&both, "fd00:64::/96").as_deref(), Some("fd00:1::/64"));
    }

    #[test]
    fn the_longest_match_wins_among_equals() {
        let plain = AddressFlags::default();
        let both = [("2001:db8:8000::5/64", plain), ("2001:db8:6400::5/64", plain)];
        assert_eq!(chosen(&both, "2001:db8:64::/96").as_deref(), Some("2001:db8:6400::/64"));
    }

    #[test]
    fn deprecated_is_the_last_resort_and_other_lengths_are_none() {
        let old = AddressFlags { deprecated: true, ..AddressFlags::default() };
        let plain = AddressFlags::default();
        assert_eq!(
            chosen(&[("2001:db8:1::5/64", old), ("fd00::5/64", plain)], "64:ff9b::/96").as_deref(),
            Some("fd00::/64")
        );
        assert_eq!(chosen(&[("2001:db8:1::5/64", old)], "64:ff9b::/96").as_deref(), Some("2001:db8:1::/64"));
        assert_eq!(chosen(&[("2001:db8:1::5/128", plain), ("fe80::1/64", plain)], "64:ff9b::/96"), None);
    }

    #[test]
    fn what_is_kept_stays_while_it_is_there_and_fits() {
        let (plain, old) = (AddressFlags::default(), AddressFlags { deprecated: true, ..AddressFlags::default() });
        let kept = |addresses: &[(&str, AddressFlags)], kept: &str, former: &str| {
            let former: Option<Ipv6Net> = former.parse().ok();
            let kept = Some(kept.parse().unwrap());
            let (chosen, next) =
                choose_prefix(&link(addresses), Pref64::WELL_KNOWN, kept, |net| former == Some(net)).unwrap();
            assert_eq!(next.is_some(), Some(chosen) == kept && addresses[0].1.deprecated && addresses.len() > 1);
            chosen.to_string()
        };
        let both = [("2001:db8:1::5/64", old), ("2001:db8:2::5/64", plain)];
        assert_eq!(kept(&both, "2001:db8:1::/64", ""), "2001:db8:1::/64", "deprecated");
        assert_eq!(kept(&both, "2001:db8:3::/64", ""), "2001:db8:2::/64", "gone");
        assert_eq!(kept(&both, "2001:db8:1::/64", "2001:db8:1::/64"), "2001:db8:2::/64", "a former network's");
        let both_old = [("2001:db8:1::5/64", old), ("2001:db8:6400::5/64", old)];
        let target: Pref64 = "2001:db8:64::/96".parse().unwrap();
        let first = Some("2001:db8:1::/64".parse().unwrap());
        assert_eq!(choose_prefix(&link(&both_old), target, first, |_| false), first.map(|first| (first, None)));
        let mixed = [("fd00:1::5/64", plain), ("2001:db8:2::5/64", plain)];
        assert_eq!(kept(&mixed, "fd00:1::/64", ""), "2001:db8:2::/64", "a ULA does not fit a public NAT64");
        assert_eq!(kept(&mixed[..1], "fd00:1::/64", ""), "fd00:1::/64");
        assert_eq!(kept(&both[..1], "2001:db8:1::/64", "2001:db8:1::/64"), "2001:db8:1::/64", "there is no other");
    }

    #[test]
    fn x_is_stable_opaque_and_neutral() {
        let v4 = model::DEFAULT_CLAT_V4;
        let prefix: Ipv6Net = "2001:db8:1::/64".parse().unwrap();
        let make = |secret: u8, attempt, pref64: Pref64| clat_address(&[secret; 32], prefix, attempt, v4, pref64);
        let x = make(1, 0, Pref64::WELL_KNOWN);
        assert_eq!(x, make(1, 0, Pref64::WELL_KNOWN));
        assert!(prefix.contains(&x));
        assert!(xlat::is_neutral(v4, x, Pref64::WELL_KNOWN));
        assert_ne!(x, make(1, 1, Pref64::WELL_KNOWN), "the next attempt differs");
        assert_ne!(x, make(2, 0, Pref64::WELL_KNOWN), "another host differs");
        let uneven: Pref64 = "2001:db8:64::/48".parse().unwrap();
        assert!(prefix.contains(&make(1, 0, uneven)));
    }

    #[test]
    fn reserved_identifiers_are_known() {
        for reserved in ["2001:db8::", "2001:db8::fdff:ffff:ffff:ff80", "2001:db8::200:5eff:fe00:5213"] {
            assert!(is_reserved(reserved.parse().unwrap()), "{reserved}");
        }
        assert!(!is_reserved("2001:db8::1".parse().unwrap()));
    }
}
