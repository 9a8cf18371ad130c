//! The Node Identification object on errors of routers that have no IPv4 address: R78 to R80
//! (draft-ietf-v6ops-icmpext-xlat-v6only-source section 4 and appendix A, draft-ietf-intarea-extended-icmp-nodeid
//! section 3, RFC 4884 sections 3 to 8).

use std::net::Ipv6Addr;

use everclat_xlat::Pref64;

use crate::support::{
    Fields, HOST, ICMP, PEER, PEER6, PLAIN, UDP, addresses4, addresses6, bytes, checksum, config, error6, hex, icmp,
    inbound, ipv4_with, ipv6_with, sealed, udp,
};

const ROUTER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 1);

/// Header of the structure: version 2, checksum. Header of the object: 24 bytes, class 5, C-Type with bit 5 set (counted
/// from the left, "IP address follows"). Then address family 2, two bytes that are zero, [`ROUTER`].
const STRUCTURE: &str = "2000 ad27  0018 05 04  0002 0000  2001 0db8 ffff 0000 0000 0000 0000 0001";
const OBJECT: &str = "0018 05 04  0002 0000  2001 0db8 ffff 0000 0000 0000 0000 0001";
/// A structure of a router's own: an MPLS label stack (RFC 4950), class 1, C-Type 1, one entry.
const LABELS: &str = "2000 0bc9  0008 01 01  1234 c0f9";
/// The same and the object behind it; the checksum covers both.
const LABELS_AND_OBJECT: &str = "2000 d8f0  0008 01 01  1234 c0f9  0018 05 04  0002 0000 \
                                 2001 0db8 ffff 0000 0000 0000 0000 0001";

/// A packet the host sent, in both families.
fn quoted(payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let v6 = ipv6_with(PLAIN, PEER6, UDP, &sealed(udp(payload), UDP, &addresses6(PLAIN, PEER6)), 0, 1);
    let fields = Fields { tos: 0, id: 0, frag: if payload.len() + 28 > 1260 { 0x4000 } else { 0 }, ttl: 1 };
    (v6, ipv4_with(HOST, PEER, UDP, &sealed(udp(payload), UDP, &addresses4(HOST, PEER)), &[], fields))
}

fn expected(kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    let outer = Fields { tos: 0, id: 1, frag: 0, ttl: 63 };
    let message = sealed(icmp(kind, code, rest, quoted), ICMP, &[]);
    ipv4_with([192, 0, 0, 8].into(), HOST, ICMP, &message, &[], outer)
}

#[track_caller]
fn translate(source: Ipv6Addr, kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]) -> Vec<u8> {
    inbound(&config(PLAIN), &error6(source, PLAIN, kind, code, rest, quoted)).forwarded()
}

fn padded(mut bytes: Vec<u8>, len: usize) -> Vec<u8> {
    bytes.resize(len, 0);
    bytes
}

#[test]
fn the_literals_have_right_checksums() {
    for text in [STRUCTURE, LABELS, LABELS_AND_OBJECT] {
        assert_eq!(checksum(&[&hex(text)]), 0, "{text}");
    }
}

#[test]
fn r78_a_whole_message_to_the_byte() {
    let (v6, _) = quoted(b"probe");
    let out = translate(ROUTER, 3, 0, [0; 4], &v6);
    let mut literal = hex(
        // IPv4: 184 bytes, identification 1, TTL 63, ICMP, 192.0.0.8 to 192.0.0.2.
        "4500 00b8 0001 0000 3f01 fb39 c000 0008 c000 0002 \
         0b00 df35 0020 0000 \
         4500 0021 0000 0000 0111 cf95 c000 0002 c633 6401 1234 0035 000d be5e 7072 6f62 65",
    );
    // The quotation is filled up to 128 bytes, 32 words: the length above.
    literal.resize(28 + 128, 0);
    literal.extend(hex(STRUCTURE));
    assert_eq!(out, literal);
}

#[test]
fn r78_every_error_of_an_untranslatable_source_has_it() {
    let (v6, v4) = quoted(b"probe");
    let behind = [padded(v4, 128), hex(STRUCTURE)].concat();
    for (kind, code, rest, new, attribute) in [
        (1, 0, [0; 4], (3, 1), [0, 32, 0, 0]),
        (1, 4, [0; 4], (3, 3), [0, 32, 0, 0]),
        // ICMPv4 has room for length and MTU both.
        (2, 0, [0, 0, 5, 0x78], (3, 4), [0, 32, 5, 0x64]),
        (3, 0, [0; 4], (11, 0), [0, 32, 0, 0]),
        (3, 1, [0; 4], (11, 1), [0, 32, 0, 0]),
        // Pointer and length.
        (4, 0, [0, 0, 0, 7], (12, 0), [8, 32, 0, 0]),
        (4, 1, [0, 0, 0, 6], (3, 2), [0, 32, 0, 0]),
    ] {
        assert_eq!(
            translate(ROUTER, kind, code, rest, &v6),
            expected(new.0, new.1, attribute, &behind),
            "{kind}/{code}"
        );
    }
}

#[test]
fn r78_no_object_for_a_source_that_is_translatable() {
    let (v6, v4) = quoted(b"probe");
    for (kind, rest) in [(1, [0; 4]), (2, [0, 0, 5, 0x78]), (3, [0; 4]), (4, [0; 4])] {
        let out = translate(Pref64::WELL_KNOWN.embed([203, 0, 113, 9].into()), kind, 0, rest, &v6);
        assert_eq!(out[12..16], [203, 0, 113, 9]);
        assert_eq!(out[25], 0, "no length");
        assert_eq!(out[28..], v4);
    }
}

#[test]
fn r78_a_long_quotation_makes_room_within_576_bytes() {
    // 576 - 20 - 8 - 28 = 520 bytes, 130 words.
    for payload in [492, 493, 600, 1180] {
        let (v6, v4) = quoted(&bytes(payload));
        let behind = [&v4[..520], &hex(STRUCTURE)].concat();
        let out = translate(ROUTER, 3, 0, [0; 4], &v6);
        assert_eq!(out.len(), 576);
        assert_eq!(out, expected(11, 0, [0, 130, 0, 0], &behind), "{payload} bytes");
    }
    // One word less is filled up to the word.
    let (v6, v4) = quoted(&bytes(487));
    let behind = [padded(v4, 516), hex(STRUCTURE)].concat();
    assert_eq!(translate(ROUTER, 3, 0, [0; 4], &v6), expected(11, 0, [0, 129, 0, 0], &behind));
}

#[test]
fn r80_the_object_is_appended_to_a_structure_that_is_there() {
    // 128 bytes quoted, of which 108 remain, filled up to 128 again.
    let (v6, v4) = quoted(&bytes(80));
    let body = [v6, hex(LABELS)].concat();
    let behind = [padded(v4, 128), hex(LABELS_AND_OBJECT)].concat();
    assert_eq!(translate(ROUTER, 3, 0, [16, 0, 0, 0], &body), expected(11, 0, [0, 32, 0, 0], &behind));
    assert_eq!(translate(ROUTER, 1, 0, [16, 0, 0, 0], &body), expected(3, 1, [0, 32, 0, 0], &behind));
}

#[test]
fn r80_a_long_quotation_makes_room_for_both() {
    let (v6, v4) = quoted(&bytes(952));
    let body = [v6, hex(LABELS)].concat();
    // 548 - 12 - 24 = 512 bytes, 128 words.
    let behind = [&v4[..512], &hex(LABELS_AND_OBJECT)].concat();
    assert_eq!(translate(ROUTER, 3, 0, [125, 0, 0, 0], &body), expected(11, 0, [0, 128, 0, 0], &behind));
}

#[test]
fn r80_a_structure_without_checksum_stays_without() {
    let (v6, v4) = quoted(&bytes(80));
    let body = [v6, hex("2000 0000  0008 01 01  1234 c0f9")].concat();
    let behind = [padded(v4, 128), hex("2000 0000  0008 01 01  1234 c0f9"), hex(OBJECT)].concat();
    assert_eq!(translate(ROUTER, 3, 0, [16, 0, 0, 0], &body), expected(11, 0, [0, 32, 0, 0], &behind));
}

/// RFC 4884 section 5: what has not the right version and checksum is no structure. Nothing is appended to that, as a
/// checksum that is set right would make it look like one.
#[test]
fn r80_what_is_no_structure_is_replaced_by_one() {
    let (v6, v4) = quoted(&bytes(80));
    let behind = [padded(v4, 128), hex(STRUCTURE)].concat();
    for broken in [
        // Version 1; checksum wrong; cut inside the header; an object that ends behind the end, or before it begins; one
        // whose length is no number of words; bytes left over.
        "1000 1bc9  0008 01 01  1234 c0f9",
        "2000 0bca  0008 01 01  1234 c0f9",
        "2000",
        "2000 0000  000c 01 01  1234 c0f9",
        "2000 0000  0003 01 01  1234 c0f9",
        "2000 0000  0007 01 01  1234 c0f9",
        "2000 0000  0008 01 01  1234 c0f9  0008",
    ] {
        let body = [v6.clone(), hex(broken)].concat();
        assert_eq!(translate(ROUTER, 3, 0, [16, 0, 0, 0], &body), expected(11, 0, [0, 32, 0, 0], &behind), "{broken}");
    }
}

#[test]
fn r80_a_structure_that_leaves_no_room_for_the_object_gives_way() {
    let (v6, v4) = quoted(&bytes(80));
    let structure = |payload: usize| {
        let mut object = hex("2000 0000");
        object.extend(u16::try_from(payload + 4).unwrap().to_be_bytes());
        object.extend([1, 1]);
        object.extend(bytes(payload));
        object
    };
    // 548 - 128 - 24 = 396 bytes.
    let fits = structure(388);
    let behind = [padded(v4.clone(), 128), fits.clone(), hex(OBJECT)].concat();
    let out = translate(ROUTER, 3, 0, [16, 0, 0, 0], &[v6.clone(), fits].concat());
    assert_eq!(out, expected(11, 0, [0, 32, 0, 0], &behind));
    assert_eq!(out.len(), 576);
    let behind = [padded(v4, 128), hex(STRUCTURE)].concat();
    let out = translate(ROUTER, 3, 0, [16, 0, 0, 0], &[v6, structure(392)].concat());
    assert_eq!(out, expected(11, 0, [0, 32, 0, 0], &behind));
}

/// The largest packet fills the buffer to its end: the object must not need room behind it.
#[test]
fn r78_the_largest_message_has_it_too() {
    let (v6, v4) = quoted(&bytes(1180));
    let mut body = v6;
    body.resize(65_535 - 8, 0);
    let out = translate(ROUTER, 3, 0, [0; 4], &body);
    assert_eq!(out, expected(11, 0, [0, 130, 0, 0], &[&v4[..520], &hex(STRUCTURE)].concat()));
}

/// RFC 4884 section 7: a checksum of zero means that there is none. With this router the sum comes out so, and a receiver that
/// insists on a checksum would not believe the structure.
#[test]
fn r80_a_checksum_that_comes_out_zero_is_sent_as_ones() {
    let router = Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0, 0, 0, 0, 0xad28);
    let (v6, _) = quoted(b"probe");
    let out = translate(router, 3, 0, [0; 4], &v6);
    let structure = hex("2000 ffff  0018 05 04  0002 0000  2001 0db8 ffff 0000 0000 0000 0000 ad28");
    assert_eq!(checksum(&[&structure]), 0);
    assert_eq!(out[out.len() - 28..], structure);
}
