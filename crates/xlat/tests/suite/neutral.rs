//! RFC 6052 section 4.1 and data-path.md section 11: R42.

use std::net::{Ipv4Addr, Ipv6Addr};

use everclat_xlat::{Config, Pref64, is_neutral, neutral_address};

use crate::support::{
    HOST, NEUTRAL, PEER, PEER6, PLAIN, TCP, UDP, addresses4, addresses6, bytes, config, ipv4, outbound, plain_sum,
    sealed, tcp, udp,
};

#[test]
fn the_worked_example() {
    let base = "2001:db8:464:1:5a11:c73e:0:9d42".parse().unwrap();
    assert_eq!(neutral_address(base, 6, HOST, Pref64::WELL_KNOWN), Some(NEUTRAL));
    assert!(is_neutral(HOST, NEUTRAL, Pref64::WELL_KNOWN));
    assert_eq!(plain_sum(&[&addresses4(HOST, PEER)]), 0xea37);
    assert_eq!(plain_sum(&[&addresses6(NEUTRAL, PEER6)]), 0xea37);
}

#[test]
fn any_word_of_the_interface_identifier_will_do() {
    let base: Ipv6Addr = "2001:db8:464:1:5a11:c73e:1234:9d42".parse().unwrap();
    for prefix in ["64:ff9b::/96", "2001:db8:64:1::/96", "2001:db8:1:2:4:8000::/96", "2001:db8::/32", "fd00::/32"] {
        let pref64: Pref64 = prefix.parse().unwrap();
        for word in 4..8 {
            let x = neutral_address(base, word, HOST, pref64).unwrap();
            for other in (0..8).filter(|other| *other != word) {
                assert_eq!(x.segments()[other], base.segments()[other]);
            }
            assert!(is_neutral(HOST, x, pref64));
            for peer in [[8, 8, 8, 8], [255, 255, 255, 254], [1, 0, 0, 0]].map(Ipv4Addr::from) {
                let v4 = plain_sum(&[&addresses4(HOST, peer)]);
                let v6 = plain_sum(&[&addresses6(x, pref64.embed(peer))]);
                assert_eq!(v4 % 0xffff, v6 % 0xffff, "{prefix} word {word} peer {peer}");
            }
        }
    }
}

#[test]
fn there_is_no_solution_elsewhere() {
    for word in [0, 1, 2, 3, 8, usize::MAX] {
        assert_eq!(neutral_address(NEUTRAL, word, HOST, Pref64::WELL_KNOWN), None);
    }
    for prefix in ["2001:db8:100::/40", "2001:db8:122::/48", "2001:db8:122:300::/56", "2001:db8:122:344::/64"] {
        let pref64: Pref64 = prefix.parse().unwrap();
        assert!(!pref64.is_neutral_possible());
        assert_eq!(neutral_address(NEUTRAL, 6, HOST, pref64), None);
        assert!(!is_neutral(HOST, NEUTRAL, pref64));
    }
    assert!(!is_neutral(HOST, PLAIN, Pref64::WELL_KNOWN));
}

#[test]
fn a_neutral_address_leaves_even_a_wrong_checksum_alone() {
    let mut segment = tcp(b"x");
    segment[16..18].copy_from_slice(&[0xde, 0xad]);
    let out = outbound(&config(NEUTRAL), &ipv4(HOST, PEER, TCP, &segment)).forwarded();
    assert_eq!(out[40..], segment);
}

#[test]
fn neutral_or_not_the_result_is_right() {
    for prefix in ["64:ff9b::/96", "2001:db8:64::/96", "2001:db8::/32", "2001:db8:ab00::/40", "2001:db8:122:344::/64"] {
        let pref64: Pref64 = prefix.parse().unwrap();
        let solved = neutral_address(PLAIN, 5, HOST, pref64);
        for x in [PLAIN, NEUTRAL].into_iter().chain(solved) {
            let config = Config::new(pref64, HOST, x, 1500);
            for (number, message) in [(TCP, tcp(&bytes(33))), (UDP, udp(&bytes(32)))] {
                let packet = ipv4(HOST, PEER, number, &sealed(message.clone(), number, &addresses4(HOST, PEER)));
                let out = outbound(&config, &packet).forwarded();
                assert_eq!(out[40..], sealed(message, number, &addresses6(x, pref64.embed(PEER))), "{prefix} {x}");
            }
        }
    }
}
