//! The oracle on literal packets, each from a sentence of an RFC. Checksums and headers were packed by hand; none comes from
//! either translator.

use everclat_xlat_oracle::generator::Way;
use everclat_xlat_oracle::segment::segments;
use everclat_xlat_oracle::{Answer, Offload, Oracle, Prefix, Setup};

/// 192.0.0.2 is 2001:db8::c1a7 on an uplink of 1500 bytes.
fn oracle() -> Oracle {
    let mut v6 = [0; 16];
    v6[..4].copy_from_slice(&[0x20, 1, 0x0d, 0xb8]);
    v6[14..].copy_from_slice(&[0xc1, 0xa7]);
    let setup = Setup {
        prefix: Prefix::WELL_KNOWN,
        v4: [192, 0, 0, 2],
        v6,
        gateway: [192, 0, 0, 1],
        mtu6: 1500,
        mtu4: 1480,
        lowest_ipv6_mtu: 1280,
        copy_traffic_class: true,
        drop_udp_without_checksum: false,
    };
    Oracle::new(setup, 1)
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits")).collect()
}

fn out(packet: &str) -> Answer {
    oracle().v4_to_v6(&hex(packet), Offload::default())
}

fn inward(packet: &str) -> Answer {
    oracle().v6_to_v4(&hex(packet), Offload::default())
}

fn forward(packet: &str) -> Answer {
    Answer::Forward(hex(packet), Offload::default())
}

/// RFC 6052 section 2.4, table 2: 192.0.2.33 under each prefix length.
#[test]
fn addresses_of_the_table() {
    for (bits, length, address) in [
        ("20010db8", 32, "20010db8c000022100000000"),
        ("20010db801", 40, "20010db801c0000200210000"),
        ("20010db80122", 48, "20010db80122c00000022100"),
        ("20010db8012203", 56, "20010db8012203c000000221"),
        ("20010db801220344", 64, "20010db80122034400c0000221"),
        ("20010db801220344", 96, "20010db80122034400000000c0000221"),
    ] {
        let whole = |text: &str| {
            let mut bytes = hex(text);
            bytes.resize(16, 0);
            <[u8; 16]>::try_from(bytes).unwrap()
        };
        let prefix = Prefix { bits: whole(bits), length };
        assert_eq!(prefix.embed([192, 0, 2, 33]), whole(address), "/{length}");
        assert_eq!(prefix.extract(whole(address)), Some([192, 0, 2, 33]), "/{length}");
    }
}

/// RFC 7915 section 4.1: no Fragment header, traffic class copied, hop limit less by one. UDP over both pseudo-headers.
#[test]
fn udp_to_the_uplink() {
    assert_eq!(
        out("45280020 00070000 40119067 c0000002 c6336401 12340035 000c2a73 64617461"),
        forward(
            "62800000 000c113f 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
             12340035 000cfb14 64617461"
        )
    );
}

/// RFC 7915 section 5.2: type 129 becomes 0, the pseudo-header goes. Section 5.1: DF clear, an identification.
#[test]
fn an_echo_reply_to_the_host() {
    assert_eq!(
        inward(
            "60000000 000c3a3f 0064ff9b 00000000 00000000 c6336401 20010db8 00000000 00000000 0000c1a7
             81004409 42420007 70696e67"
        ),
        forward("45000020 00010000 3e0192a5 c6336401 c0000002 0000dee5 42420007 70696e67")
    );
}

/// RFC 7915 section 5.3: the quotation is translated like a packet, but its hop limit stays.
#[test]
fn time_exceeded_to_the_host() {
    assert_eq!(
        inward(
            "60000000 003a3a3c 0064ff9b 00000000 00000000 cb007109 20010db8 00000000 00000000 0000c1a7
             03006030 00000000
             60000000 000a1101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
             12340035 000a6b72 6869"
        ),
        forward(
            "4500003a 00010000 3b0183b6 cb007109 c0000002 0b00df52 00000000
             4500001e 00000000 0111cf98 c0000002 c6336401 12340035 000a9ad0 6869"
        )
    );
}

/// RFC 7915 section 5.1: an illegal source, here an IPv4-mapped one, is dropped in silence.
#[test]
fn time_exceeded_from_an_ipv4_mapped_address() {
    let packet = "60000000 003a3a3c 00000000 00000000 0000ffff cb007109 20010db8 00000000 00000000 0000c1a7
         03006030 00000000
         60000000 000a1101 20010db8 00000000 00000000 0000c1a7 0064ff9b 00000000 00000000 c6336401
         12340035 000a6b72 6869";
    assert_eq!(inward(packet), Answer::Drop("illegal-source"));
}

/// draft-ietf-v6ops-icmpext-xlat-v6only-source sections 3 and 4.1: 192.0.0.8 is not for what lies under the prefix, here
/// with a bit of octet 8 set.
#[test]
fn time_exceeded_from_under_the_prefix_with_octet_8_set() {
    let mut setup = oracle().setup;
    setup.prefix = Prefix { bits: [0x20, 1, 0x0d, 0xb8, 1, 0x22, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], length: 48 };
    let packet = hex("60000000 003a3a3c 20010db8 0122cb00 01710900 00000000 20010db8 00000000 00000000 0000c1a7
         030097ed 00000000
         60000000 000a1101 20010db8 00000000 00000000 0000c1a7 20010db8 0122c633 00640100 00000000
         12340035 000a9f34 6869");
    assert_eq!(Oracle::new(setup, 1).v6_to_v4(&packet, Offload::default()), Answer::Drop("not-from-pref64"));
}

/// RFC 7915 section 4.1: a source route with hops left, type 3 code 5; the packet is quoted as it came.
#[test]
fn a_source_route_is_refused() {
    let packet = "4700001c 00000000 4011ca68 c0000002 c6336401 830704c6 33640900";
    let Answer::Reply(reason, error) = out(packet) else { panic!("{:?}", out(packet)) };
    assert_eq!(reason, "source-route");
    assert_eq!(error[20..22], [3, 5]);
    assert_eq!(error[28..], hex(packet));
}

/// RFC 7915 section 4.1: what must not be fragmented and does not fit is answered with the size that does.
#[test]
fn too_big_is_answered() {
    let mut packet = hex("450005c9 00004000 402f4acf c0000002 c6336401");
    packet.resize(1481, 0);
    let Answer::Reply(reason, error) = oracle().v4_to_v6(&packet, Offload::default()) else { panic!("passed") };
    assert_eq!((reason, error.len()), ("too-big", 576));
    assert_eq!(error[20..22], [3, 4]);
    assert_eq!(error[24..28], 1480_u32.to_be_bytes());
}

/// RFC 7915 section 4.1: at most 1232 bytes behind the Fragment header, identification and offsets carried over.
#[test]
fn a_large_packet_is_cut() {
    let mut packet = hex("450005c9 beef0000 402fcbdf c0000002 c6336401");
    packet.resize(1481, 7);
    let Answer::Fragments(pieces) = oracle().v4_to_v6(&packet, Offload::default()) else { panic!("not cut") };
    let heads = ["2c3f", "2f000001 0000beef", "2f0004d0 0000beef"].map(hex);
    assert_eq!(pieces.iter().map(Vec::len).collect::<Vec<_>>(), [1280, 48 + 229]);
    assert_eq!([&pieces[0][40..48], &pieces[1][40..48]], [&heads[1], &heads[2]]);
    assert!(pieces.iter().all(|piece| piece[6..8] == heads[0]));
}

/// RFC 4884 sections 4.1 and 5.1, RFC 7915 section 4.2: the length attribute changes its unit and counts the padding.
#[test]
fn extensions_keep_their_place() {
    // 128 bytes of quotation in words of four, then a structure of eight bytes.
    let mut quoted = hex("45000080 00000000 402f9018 c6336401 c0000002");
    quoted.resize(128, 1);
    let mut message = [hex("03010000 00200000"), quoted.clone(), hex("20000000 00040101")].concat();
    let sum = message.chunks(2).map(|word| u32::from(word[0]) * 256 + u32::from(word[1])).sum::<u32>();
    message[2..4].copy_from_slice(&u16::try_from(0xffff - sum % 0xffff).unwrap().to_be_bytes());
    let packet = [hex("450000a4 00000000 40019022 c0000002 c6336401"), message].concat();
    let Answer::Forward(new, _) = oracle().v4_to_v6(&packet, Offload::default()) else { panic!("refused") };
    // 148 bytes of quotation, four of padding: 19 units of eight.
    assert_eq!(new[40..42], [1, 0]);
    assert_eq!(new[44..48], [19, 0, 0, 0]);
    assert_eq!(new[48 + 148..48 + 152], [0; 4]);
    assert_eq!(new[48 + 152..], hex("20000000 00040101"));
}

/// Two segments of a TCP super-packet: sequence numbers, PSH in the last, lengths, identifications.
#[test]
fn a_super_packet_is_cut_into_its_segments() {
    let packet = hex("4500002e 00050000 40060000 c0000002 c6336401
         04d201bb 00000010 00000020 5018ffff 00000000 616263646566");
    let offload = Offload { flags: 1, gso_type: 1, hdr_len: 40, gso_size: 4, csum_start: 20, csum_offset: 16 };
    let cut = segments(&packet, Way::Out, offload).unwrap();
    let word = |packet: &[u8], at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    assert_eq!(cut.iter().map(|packet| word(packet, 2)).collect::<Vec<_>>(), [44, 42]);
    assert_eq!(cut.iter().map(|packet| word(packet, 4)).collect::<Vec<_>>(), [5, 6]);
    assert_eq!(cut.iter().map(|packet| word(packet, 26)).collect::<Vec<_>>(), [0x10, 0x14]);
    assert_eq!(cut.iter().map(|packet| packet[33]).collect::<Vec<_>>(), [0x10, 0x18]);
    assert_eq!([&cut[0][40..], &cut[1][40..]], [b"abcd".as_slice(), b"ef"]);
}
