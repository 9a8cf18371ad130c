//! The packet buffer and the offload header's wire form.

use everclat_xlat::{HEADROOM, MAX_PACKET, PacketBuf, VnetHeader};

#[test]
fn a_received_packet_begins_behind_its_prefix() {
    let mut buf = PacketBuf::new();
    let area = buf.recv_area(24);
    assert_eq!(area.len(), 24 + MAX_PACKET);
    area[..27].copy_from_slice(&[7; 27]);
    area[24..27].copy_from_slice(&[1, 2, 3]);
    assert_eq!(buf.received(24, 27), Some([7; 24].as_slice()));
    assert_eq!(buf.packet(), [1, 2, 3]);
    assert_eq!(buf.len(), 3);
}

#[test]
fn less_than_the_prefix_or_more_than_the_area_is_no_packet() {
    let mut buf = PacketBuf::new();
    assert_eq!(buf.received(24, 23), None);
    assert!(buf.is_empty());
    assert_eq!(buf.received(24, 24), Some([0; 24].as_slice()));
    assert_eq!(buf.received(0, MAX_PACKET + 1), None);
    assert_eq!(buf.received(HEADROOM + 1, HEADROOM + 1), None);
    assert_eq!(buf.received(0, usize::MAX), None);
    assert!(buf.is_empty());
}

#[test]
fn it_grows_and_shrinks_at_both_ends() {
    let mut buf = PacketBuf::new();
    assert!(buf.set_packet(&[1, 2, 3, 4]));
    *buf.push_front().unwrap() = [8, 9];
    assert_eq!(buf.packet(), [8, 9, 1, 2, 3, 4]);
    assert!(buf.pull_front(3));
    assert!(!buf.pull_front(4));
    assert_eq!(buf.packet(), [2, 3, 4]);
    buf.truncate(5);
    assert_eq!(buf.len(), 3);
    buf.truncate(1);
    assert_eq!(buf.packet(), [2]);
    buf.packet_mut()[0] = 5;
    assert_eq!(buf.packet(), [5]);
}

#[test]
fn headroom_ends() {
    let mut buf = PacketBuf::new();
    assert!(buf.push_front::<HEADROOM>().is_some());
    assert!(buf.push_front::<1>().is_none());
    assert_eq!(buf.len(), HEADROOM);
    assert!(!buf.set_packet(&vec![0; MAX_PACKET + 1]));
    assert!(buf.is_empty());
    assert!(buf.set_packet(&vec![0; MAX_PACKET]));
}

#[test]
fn receiving_forgets_the_last_offload_header() {
    let mut buf = PacketBuf::new();
    buf.vnet.flags = 1;
    buf.recv_area(0);
    assert_eq!(buf.vnet, VnetHeader::default());
}

#[test]
fn the_offload_header_is_ten_bytes_in_native_order() {
    let header = VnetHeader { flags: 1, gso_type: 0x84, hdr_len: 60, gso_size: 1400, csum_start: 40, csum_offset: 16 };
    let mut wire = vec![1, 0x84];
    for field in [60_u16, 1400, 40, 16] {
        wire.extend(field.to_ne_bytes());
    }
    assert_eq!(header.encode().as_slice(), wire);
    assert_eq!(VnetHeader::decode(&header.encode()), header);
    assert!(header.is_gso() && header.needs_csum());
    assert!(!VnetHeader { gso_type: VnetHeader::GSO_ECN, ..VnetHeader::default() }.is_gso());
}
