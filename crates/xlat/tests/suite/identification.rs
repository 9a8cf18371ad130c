//! IPv4 identifications: R67, RFC 6864, RFC 7739 section 5.

use everclat_xlat::{PacketBuf, Translator, VnetHeader};

use crate::support::{PLAIN, Way, config, drive, udp6};

fn ids(translator: &mut Translator, count: usize) -> Vec<u16> {
    let mut buf = PacketBuf::new();
    let mut next = || {
        let out = drive(translator, &mut buf, Way::In, &udp6(PLAIN, b"x"), VnetHeader::default()).forwarded();
        u16::from_be_bytes([out[4], out[5]])
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn r67_identifications_begin_where_the_caller_says() {
    let mut translator = Translator::new(config(PLAIN));
    assert_eq!(ids(&mut translator, 3), [1, 2, 3]);
    translator.set_identifications(0..=u16::MAX, 0xfffe);
    assert_eq!(ids(&mut translator, 4), [0xfffe, 0xffff, 0, 1]);
}

#[test]
fn r67_a_range_is_not_left() {
    let mut translator = Translator::new(config(PLAIN));
    translator.set_identifications(0x4000..=0x7fff, 0x7ffe);
    assert_eq!(ids(&mut translator, 4), [0x7ffe, 0x7fff, 0x4000, 0x4001]);
    // A start outside is none.
    translator.set_identifications(0xc000..=0xffff, 5);
    assert_eq!(ids(&mut translator, 2), [0xc000, 0xc001]);
    translator.set_identifications(0xc000..=0xffff, 0xffff);
    assert_eq!(ids(&mut translator, 2), [0xffff, 0xc000]);
    // Backwards: a range of one.
    translator.set_identifications(core::ops::RangeInclusive::new(9, 8), 9);
    assert_eq!(ids(&mut translator, 2), [9, 9]);
}

#[test]
fn r67_they_go_on_over_a_change_of_configuration() {
    let mut translator = Translator::new(config(PLAIN));
    translator.set_identifications(0x4000..=0x7fff, 0x5000);
    assert_eq!(ids(&mut translator, 2), [0x5000, 0x5001]);
    translator.replace(config(PLAIN));
    assert_eq!(ids(&mut translator, 1), [0x5002]);
    translator.set_identifications(0x4000..=0x7fff, 0x7fff);
    translator.replace(config(PLAIN));
    assert_eq!(ids(&mut translator, 2), [0x7fff, 0x4000]);
}

/// The kernel numbers the segments of a super-packet from the identification of the whole: all must be in the range.
#[test]
fn r67_the_segments_of_a_super_packet_are_not_spread_over_the_end() {
    let mut translator = Translator::new(config(PLAIN));
    translator.set_identifications(0x4000..=0x7fff, 0x7ffd);
    let mut buf = PacketBuf::new();
    // Four segments of one byte.
    let vnet = VnetHeader { flags: 1, gso_type: 5, hdr_len: 48, gso_size: 1, csum_start: 40, csum_offset: 6 };
    let mut id = || {
        let (out, _) = drive(&mut translator, &mut buf, Way::In, &udp6(PLAIN, b"four"), vnet).with_offload();
        u16::from_be_bytes([out[4], out[5]])
    };
    assert_eq!([id(), id()], [0x4000, 0x4004]);
    drop(buf);
    assert_eq!(ids(&mut translator, 1), [0x4008]);
}
