//! RFC 6052: R39, R40, R41.

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, DropReason, Pref64, Pref64Error};

use crate::support::{
    HOST, Outcome, PLAIN, UDP, addresses4, addresses6, config, inbound, ipv4, ipv6, outbound, sealed, udp,
};

/// RFC 6052 section 2.4, table 2, and table 3 for the well-known prefix.
const TABLE: [(&str, &str); 7] = [
    ("2001:db8::/32", "2001:db8:c000:221::"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
    ("64:ff9b::/96", "64:ff9b::192.0.2.33"),
];

const EXAMPLE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 33);

#[test]
fn the_examples_of_table_2_both_ways() {
    for (prefix, address) in TABLE {
        let pref64: Pref64 = prefix.parse().unwrap();
        let address: Ipv6Addr = address.parse().unwrap();
        assert_eq!(pref64.embed(EXAMPLE), address, "{prefix}");
        assert_eq!(pref64.extract(address), Some(EXAMPLE), "{prefix}");
        assert!(pref64.contains(address));
        assert_eq!(pref64.to_string(), prefix);
        assert_eq!(format!("{pref64:?}"), prefix);
    }
}

#[test]
fn every_octet_lands_where_figure_1_says() {
    // Position of each IPv4 octet among the 16, by prefix length.
    let figure = [
        (32, [4, 5, 6, 7]),
        (40, [5, 6, 7, 9]),
        (48, [6, 7, 9, 10]),
        (56, [7, 9, 10, 11]),
        (64, [9, 10, 11, 12]),
        (96, [12, 13, 14, 15]),
    ];
    for (len, places) in figure {
        let pref64 = Pref64::new("2001:db8::".parse().unwrap(), len).unwrap();
        let v4 = Ipv4Addr::new(0xff, 0x81, 0x7e, 0xa5);
        let mut expected = pref64.prefix().octets();
        for (place, octet) in places.into_iter().zip(v4.octets()) {
            expected[place] = octet;
        }
        assert_eq!(pref64.embed(v4).octets(), expected, "/{len}");
        assert_eq!(pref64.extract(expected.into()), Some(v4), "/{len}");
    }
}

#[test]
fn r39_other_lengths_are_refused() {
    for len in (0..=u8::MAX).filter(|len| ![32, 40, 48, 56, 64, 96].contains(len)) {
        assert_eq!(Pref64::new(Ipv6Addr::UNSPECIFIED, len), Err(Pref64Error::Length(len)));
    }
}

#[test]
fn r39_the_u_octet_and_host_bits_must_be_zero() {
    let set: Ipv6Addr = "2001:db8:0:0:100::".parse().unwrap();
    assert_eq!(Pref64::new(set, 96), Err(Pref64Error::UOctet(set)));
    assert_eq!(Pref64::new(set, 64), Err(Pref64Error::HostBits { prefix: set, len: 64 }));
    // Bits 72 to 95 belong to a /96.
    assert!("2001:db8:0:0:1:203::/96".parse::<Pref64>().is_ok());
    for (prefix, address) in TABLE {
        let pref64: Pref64 = prefix.parse().unwrap();
        let spoilt = address.parse::<Ipv6Addr>().unwrap().to_bits() | (1 << 60);
        assert_eq!(pref64.extract(Ipv6Addr::from_bits(spoilt)), None, "{prefix}");
    }
}

/// RFC 4291 sections 2.4 to 2.7: no packet to such an address gets to a translator, whatever somebody announces. RFC 8215
/// has taken its range out of ::/8.
#[test]
fn ranges_in_which_no_translator_can_be_are_refused() {
    let refused = |text: &str| text.parse::<Pref64>().unwrap_err().to_string();
    for (text, why) in [
        ("fe80::/64", "fe80:: is link-local: no router passes such packets on, so no NAT64 can be there"),
        ("febf:ffff::/32", "febf:ffff:: is link-local: no router passes such packets on, so no NAT64 can be there"),
        ("ff0e::/96", "ff0e:: is multicast, so no NAT64 can be there"),
        ("::/96", ":: lies in ::/8, where NAT64s have 64:ff9b::/96 and 64:ff9b:1::/48 alone"),
        ("::ffff:0:0/96", "::ffff:0.0.0.0 lies in ::/8, where NAT64s have 64:ff9b::/96 and 64:ff9b:1::/48 alone"),
        ("64:ff9b::/64", "64:ff9b:: lies in ::/8, where NAT64s have 64:ff9b::/96 and 64:ff9b:1::/48 alone"),
    ] {
        assert_eq!(refused(text), why);
    }
    // The first and the last of each, in every length.
    for (first, last) in [("::", "ff:ffff::"), ("fe80::", "febf:ffff::"), ("ff00::", "ffff:ffff::")] {
        for text in [first, last] {
            for len in [32, 40, 48, 56, 64, 96] {
                let address = text.parse().unwrap();
                let error = Pref64::new(address, len).unwrap_err();
                let known =
                    [Pref64Error::Reserved(address), Pref64Error::LinkLocal(address), Pref64Error::Multicast(address)];
                assert!(known.contains(&error), "{text}/{len}: {error}");
            }
        }
    }
    for text in ["64:ff9b:2::/48", "64:ff9b:0:1::/64", "64:ff9b::1:0:0/96", "64:ff9c::/32", "64:ff9a::/32"] {
        assert_eq!(refused(text).split_once(' ').unwrap().1.split_once(',').unwrap().0, "lies in ::/8", "{text}");
    }
}

#[test]
fn neighbours_of_those_ranges_are_prefixes_like_others() {
    for text in [
        "100::/32",
        "fe7f:ffff::/32",
        "fec0::/32",
        "feff:ffff::/32",
        "fc00::/96",
        "fd00:64::/96",
        "fdff:ffff::/32",
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "64:ff9b:1:ff00::/56",
        "64:ff9b:1:ffff::/64",
        "64:ff9b:1:fffe::/96",
    ] {
        let pref64: Pref64 = text.parse().unwrap();
        assert_eq!(pref64.to_string(), text);
    }
}

#[test]
fn the_length_and_the_bits_are_looked_at_first() {
    for (text, length, error) in [
        ("fe80::", 65, Pref64Error::Length(65)),
        ("ff02::1", 64, Pref64Error::HostBits { prefix: "ff02::1".parse().unwrap(), len: 64 }),
        ("::100:0:0:0", 96, Pref64Error::UOctet("::100:0:0:0".parse().unwrap())),
    ] {
        assert_eq!(Pref64::new(text.parse().unwrap(), length), Err(error));
    }
}

#[test]
fn text_that_is_no_prefix_says_what_is_wrong() {
    for text in ["", "64:ff9b::", "64:ff9b::/", "64:ff9b::/+96", "64:ff9b::/ 96", "1.2.3.4/96", "64:ff9b::/999"] {
        assert_eq!(text.parse::<Pref64>(), Err(Pref64Error::Syntax));
    }
    let message = "64:ff9b::/95".parse::<Pref64>().unwrap_err().to_string();
    assert_eq!(message, "/95 is no NAT64 prefix length; allowed are 32, 40, 48, 56, 64 and 96");
    let message = "64:ff9b::1/96".parse::<Pref64>().unwrap_err().to_string();
    assert_eq!(message, "64:ff9b::1/96 has bits set behind the prefix length; the rest of the address must be zero");
}

#[test]
fn r40_suffix_bits_are_zero_when_sent_and_ignored_when_received() {
    // Length of the suffix: what lies behind the IPv4 address.
    for (len, suffix) in [(32, 56), (40, 48), (48, 40), (56, 32), (64, 24)] {
        let pref64 = Pref64::new("2001:db8::".parse().unwrap(), len).unwrap();
        let address = pref64.embed(EXAMPLE).to_bits();
        let mask = (1_u128 << suffix) - 1;
        assert_eq!(address & mask, 0, "/{len}");
        assert_eq!(pref64.extract(Ipv6Addr::from_bits(address | mask)), Some(EXAMPLE), "/{len}");
    }
}

#[test]
fn r40_a_suffix_counts_in_the_checksum_though() {
    for prefix in ["2001:db8:ff00::/40", "2001:db8::/32"] {
        let pref64: Pref64 = prefix.parse().unwrap();
        let config = Config::new(pref64, HOST, PLAIN, 1500);
        let peer = Ipv6Addr::from_bits(pref64.embed(EXAMPLE).to_bits() | 0xabcd);
        let packet = ipv6(peer, PLAIN, UDP, &sealed(udp(b"data"), UDP, &addresses6(peer, PLAIN)));
        let translated = inbound(&config, &packet).forwarded();
        assert_eq!(translated[20..], sealed(udp(b"data"), UDP, &addresses4(EXAMPLE, HOST)), "{prefix}");
    }
}

#[test]
fn r41_private_addresses_do_not_go_under_the_well_known_prefix() {
    let edges = ["10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255", "192.168.0.0", "192.168.255.255"];
    for text in edges.into_iter().chain(["100.64.0.0", "100.127.255.255"]) {
        let private: Ipv4Addr = text.parse().unwrap();
        let out = ipv4(HOST, private, UDP, &sealed(udp(b""), UDP, &addresses4(HOST, private)));
        let (reason, error) = outbound(&config(PLAIN), &out).reply();
        assert_eq!(reason, DropReason::PrivateDestination, "{text}");
        assert_eq!(error[20..22], [3, 13], "{text}");
        let source = Pref64::WELL_KNOWN.embed(private);
        let back = ipv6(source, PLAIN, UDP, &sealed(udp(b""), UDP, &addresses6(source, PLAIN)));
        assert_eq!(inbound(&config(PLAIN), &back), Outcome::Drop(DropReason::PrivateSource), "{text}");
        // RFC 8215: a local prefix may.
        let local = Config::new("64:ff9b:1::/48".parse().unwrap(), HOST, PLAIN, 1500);
        outbound(&local, &out).forwarded();
    }
}

#[test]
fn r41_neighbours_of_the_private_ranges_pass() {
    for text in ["9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "192.167.255.255", "192.169.0.0"]
        .into_iter()
        .chain(["100.63.255.255", "100.128.0.0", "192.0.2.1", "198.18.0.1", "203.0.113.9"])
    {
        let peer: Ipv4Addr = text.parse().unwrap();
        outbound(&config(PLAIN), &ipv4(HOST, peer, UDP, &sealed(udp(b""), UDP, &addresses4(HOST, peer)))).forwarded();
    }
}

#[cfg(feature = "serde")]
#[test]
fn serde_uses_the_text_form() {
    use serde::de::value::{Error, StrDeserializer};
    use serde::de::{Deserialize, IntoDeserializer};

    struct Shown(Pref64);
    impl std::fmt::Display for Shown {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            serde::Serialize::serialize(&self.0, f)
        }
    }

    let read = |text: &'static str| {
        let text: StrDeserializer<'_, Error> = text.into_deserializer();
        Pref64::deserialize(text)
    };
    assert_eq!(read("64:ff9b::/96"), Ok(Pref64::WELL_KNOWN));
    assert!(read("64:ff9b::/95").unwrap_err().to_string().contains("allowed are 32, 40, 48, 56, 64 and 96"));
    assert_eq!(Shown(Pref64::WELL_KNOWN).to_string(), "64:ff9b::/96");
}
