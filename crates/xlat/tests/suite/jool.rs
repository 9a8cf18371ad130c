//! Packets as a Jool NAT64 sends them, and what must come of them.
//!
//! Jool's conventions are those of its documentation (NICMx/Jool, `docs/en/usr-flags-global.md`) and of its translator
//! (`src/mod/common/rfc7915/4to6.c` and `common.c`): stateful (RFC 6146), traffic class from TOS, flow label zero,
//! hop limit one less, no Fragment header without need (never an atomic fragment), 16-bit identifications,
//! fragments of 1280 bytes, errors of at most 1280 bytes whose inner packet keeps the time to live that the IPv4
//! router saw. The packets are built after these, not recorded: Jool itself was not run.
//!
//! Checksums and headers on both sides come from a script outside this repository that packs them field by field. The
//! server is 198.51.100.1, a router on the way 203.0.113.9; what the host had sent from 192.0.0.2 is what it gets back.

use everclat_xlat::{PacketBuf, Translator, VnetHeader};

use crate::support::{PLAIN, Way, bytes, config, drive, hex, inbound};

#[track_caller]
fn check(v6: &[u8], v4: &[u8]) {
    assert_eq!(inbound(&config(PLAIN), v6).forwarded(), v4);
}

/// TOS 0xb8 and a time to live of 57 on the IPv4 side; the datagram had DF clear and an identification, of which
/// nothing is left (RFC 7915 section 4.1: no Fragment header for what needs none).
#[test]
fn a_small_datagram_without_df_has_no_fragment_header() {
    let v6 = hex("6b800000 000e1138 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         00351234 000e997b 616e7377 6572");
    let v4 = hex("45b80022 00010000 371198db c6336401 c0000002
         00351234 000ec8d9 616e7377 6572");
    check(&v6, &v4);
}

#[test]
fn a_large_datagram_with_df_stays_whole() {
    let v6 = hex("60000000 05801138 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         00351234 05806c10");
    let v4 = hex("45000594 00004000 37115422 c6336401 c0000002
         00351234 05809b6e");
    check(&[v6, bytes(1400)].concat(), &[v4, bytes(1400)].concat());
}

/// A datagram without checksum gets one in Jool, which writes the sum as it comes out. Once in 65,536 times that is
/// zero, without the change to 0xffff of RFC 768: to the host it has none again, which is as the server sent it.
#[test]
fn a_computed_udp_checksum_may_be_written_as_zero() {
    let v6 = hex("60000000 000a1138 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         00351234 000a0000 d3db");
    let v4 = hex("4500001e 00010000 37119997 c6336401 c0000002
         00351234 000a0000 d3db");
    check(&v6, &v4);
}

/// `lowest-ipv6-mtu` is 1280: 1232 bytes in the first fragment, identification 0x1234 as the IPv4 server had chosen it.
#[test]
fn a_large_datagram_without_df_comes_in_fragments_of_1280_bytes() {
    let first = hex("60000000 04d82c38 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         11000001 00001234 00351234 05c8000e");
    let last = hex("60000000 01002c38 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         110004d0 00001234");
    let data = bytes(1472);
    let (head, tail) = data.split_at(1224);
    let first = [&first, head].concat();
    assert_eq!(first.len(), 1280);
    let v4 = hex("450004e4 12342000 3711629e c6336401 c0000002
         00351234 05c82f6c");
    check(&first, &[&v4, head].concat());
    let v4 = hex("4500010c 1234009a 371185dc c6336401 c0000002");
    check(&[&last, tail].concat(), &[&v4, tail].concat());
}

#[test]
fn syn_and_ack() {
    let v6 = hex("60000000 00180632 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         01bb1234 a1b2c3d4 11223345 6012fe88 c21a0000 020405b4");
    let v4 = hex("4500002c 00010000 31069f94 c6336401 c0000002
         01bb1234 a1b2c3d4 11223345 6012fe88 f1780000 020405b4");
    check(&v6, &v4);
}

/// The identifier is again the one that the host had sent, not that of the pool.
#[test]
fn an_echo_reply_has_its_own_identifier() {
    let v6 = hex("60000000 000c3a32 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         81004409 42420007 70696e67");
    let v4 = hex("45000020 00010000 31019fa5 c6336401 c0000002
         0000dee5 42420007 70696e67");
    check(&v6, &v4);
}

/// The router quotes 28 bytes (RFC 792), so that the inner payload length promises more than there is. The option
/// `source-icmpv6-errors-better` is on, as by default: the router's own address under the prefix, for traceroute.
#[test]
fn time_exceeded_from_a_router() {
    let v6 = hex("6c000000 00383a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         0300653c 00000000
         60000000 00121101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 00124c5c");
    let v4 = hex("45c00038 00010000 3c0181f8 cb007109 c0000002
         0b00e464 00000000
         45000026 00000000 0111cf90 c0000002 c6336401
         1234829a 00127bba");
    check(&v6, &v4);
}

/// With it off, RFC 6146 section 3.5.1.1 to the letter: every router speaks as the server.
#[test]
fn time_exceeded_in_the_name_of_the_server() {
    let v6 = hex("6c000000 00383a3d 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         03007711 00000000
         60000000 00121101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 00124c5c");
    let v4 = hex("45c00038 00010000 3c0193cd c6336401 c0000002
         0b00e464 00000000
         45000026 00000000 0111cf90 c0000002 c6336401
         1234829a 00127bba");
    check(&v6, &v4);
}

#[test]
fn port_unreachable() {
    let v6 = hex("6c000000 00423a3d 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         010473c0 00000000
         60000000 0012113a 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 00124c5c 30313233 34353637 3839");
    let v4 = hex("45c00042 00010000 3c0193c3 c6336401 c0000002
         0303e757 00000000
         45000026 00000000 3a119690 c0000002 c6336401
         1234829a 00127bba 30313233 34353637 3839");
    check(&v6, &v4);
}

/// ICMPv4 codes 9, 10, 13 and 15 are one code in ICMPv6, and code 10 on the way back (RFC 7915 sections 4.2 and 5.2).
#[test]
fn administratively_prohibited() {
    let v6 = hex("6c000000 00423a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         010161ee 00000000
         60000000 0012113a 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 00124c5c 30313233 34353637 3839");
    let v4 = hex("45c00042 00010000 3c0181ee cb007109 c0000002
         030ae750 00000000
         45000026 00000000 3a119690 c0000002 c6336401
         1234829a 00127bba 30313233 34353637 3839");
    check(&v6, &v4);
}

/// Protocol Unreachable takes the way of a Parameter Problem that points at Next Header, for SCTP here.
#[test]
fn protocol_unreachable() {
    let v6 = hex("6c000000 00383a3d 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         04011470 00000006
         60000000 0008843a 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         73637470 73637470");
    let v4 = hex("45c00038 00010000 3c0193cd c6336401 c0000002
         03022d56 00000000
         4500001c 00000000 3a849627 c0000002 c6336401
         73637470 73637470");
    check(&v6, &v4);
}

/// Pointer 8 (time to live) became 7 (hop limit).
#[test]
fn parameter_problem() {
    let v6 = hex("6c000000 00383a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         040063fc 00000007
         60000000 0012113a 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 00124c5c");
    let v4 = hex("45c00038 00010000 3c0181f8 cb007109 c0000002
         0c00db64 08000000
         45000026 00000000 3a119690 c0000002 c6336401
         1234829a 00127bba");
    check(&v6, &v4);
}

/// An IPv4 link with 1400 bytes; one that does not say how many (the plateau below 1472, 1006 bytes, raised to IPv6's
/// minimum); and one with more than the NAT64's own IPv6 link, whose 1500 bytes are told instead.
#[test]
fn fragmentation_needed() {
    for (v6, v4) in [
        (
            hex("6c000000 00383a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         0200eec2 0000058c
         60000000 05ac063c 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         123401bb 11223344"),
            hex("45c00038 00010000 3c0181f8 cb007109 c0000002
         03049f2e 00000578
         450005c0 00004000 3c064f01 c0000002 c6336401
         123401bb 11223344"),
        ),
        (
            hex("6c000000 00383a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         0200ef4e 00000500
         60000000 05ac063c 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         123401bb 11223344"),
            hex("45c00038 00010000 3c0181f8 cb007109 c0000002
         03049fba 000004ec
         450005c0 00004000 3c064f01 c0000002 c6336401
         123401bb 11223344"),
        ),
        (
            hex("6c000000 00383a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         0200ee72 000005dc
         60000000 05ac063c 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         123401bb 11223344"),
            hex("45c00038 00010000 3c0181f8 cb007109 c0000002
         03049ede 000005c8
         450005c0 00004000 3c064f01 c0000002 c6336401
         123401bb 11223344"),
        ),
    ] {
        check(&v6, &v4);
    }
}

/// A label stack (RFC 4950) behind a probe of 60 bytes, padded by the router to 128. Jool cuts the grown quotation to
/// whole words of 8 bytes: 144 instead of 148; 124 are left, and padding makes 128 again.
#[test]
fn time_exceeded_with_a_label_stack() {
    let v6 = hex("6c000000 00a43a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         03004dc6 12000000
         60000000 00281101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         1234829a 0028ba33 00070e15 1c232a31 383f464d 545b6269 70777e85 8c939aa1 a8afb6bd c4cbd2d9 00000000 00000000
         00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
         00000000 00000000 2000c819 00080101 05dc1101");
    let v4 = hex("45c000a8 00010000 3c018188 cb007109 c0000002
         0b00df50 00200000
         4500003c 00000000 0111cf7a c0000002 c6336401
         1234829a 0028e991 00070e15 1c232a31 383f464d 545b6269 70777e85 8c939aa1 a8afb6bd c4cbd2d9 00000000 00000000
         00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000
         00000000 00000000 00000000 2000c819 00080101 05dc1101");
    check(&v6, &v4);
}

/// Jool cuts an error at 1280 bytes; for IPv4 it is cut again, at 576.
#[test]
fn an_error_with_a_long_quotation() {
    let v6 = hex("60000000 04d83a3d 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
         03001ead 00000000
         60000000 05ac063c 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         123401bb 11223344 55667788 5018ffff c6c40000");
    let v4 = hex("45000240 00010000 3c0180b0 cb007109 c0000002
         0b005537 00000000
         450005c0 00004000 3c064f01 c0000002 c6336401
         123401bb 11223344 55667788 5018ffff f6220000");
    let data = bytes(1432);
    let v6 = [&v6, &data[..1172]].concat();
    assert_eq!(v6.len(), 1280);
    check(&v6, &[&v4, &data[..508]].concat());
}

/// The host's own first fragment, with the identification that came back through the NAT64.
#[test]
fn reassembly_time_exceeded() {
    let v6 = hex("6c000000 00403a3d 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         03017079 00000000
         60000000 00482c3a 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         11000001 0000beef 1234829a 0040675d");
    let v4 = hex("45c00038 00010000 3c0193cd c6336401 c0000002
         0b01c934 00000000
         45000054 beef2000 3a11b772 c0000002 c6336401
         1234829a 004096bb");
    check(&v6, &v4);
}

/// Fragments do not use up the identifications that whole packets are given.
#[test]
fn identifications_of_fragments_and_of_whole_packets_are_apart() {
    let mut translator = Translator::new(config(PLAIN));
    let mut buf = PacketBuf::new();
    let mut send = |packet: &[u8]| drive(&mut translator, &mut buf, Way::In, packet, VnetHeader::default()).forwarded();
    let fragment = hex("60000000 01002c38 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         110004d0 00001234");
    let whole = hex("60000000 000c3a32 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
         81004409 42420007 70696e67");
    assert_eq!(send(&[fragment.clone(), bytes(248)].concat())[4..8], [0x12, 0x34, 0, 0x9a]);
    assert_eq!(send(&whole)[4..8], [0, 1, 0, 0]);
    assert_eq!(send(&[fragment, bytes(248)].concat())[4..8], [0x12, 0x34, 0, 0x9a]);
    assert_eq!(send(&whole)[4..8], [0, 2, 0, 0]);
}
