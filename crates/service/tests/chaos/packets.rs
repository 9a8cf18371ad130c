//! Packets of others.

use std::net::{Ipv4Addr, Ipv6Addr};

pub(crate) const ICMPV6: u8 = 58;
pub(crate) const UDP: u8 = 17;
const ECHO_REQUEST: u8 = 128;
const ECHO_REPLY: u8 = 129;

/// The ones' complement sum of `parts`, the slow way.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}

/// An app's datagram with four bytes in it.
pub(crate) fn udp4(from: Ipv4Addr, to: Ipv4Addr, mark: u16) -> Vec<u8> {
    let addresses = [from.octets(), to.octets()].concat();
    let mark = mark.to_be_bytes();
    let mut udp = vec![0x12, 0x34, 0, 53, 0, 12, 0, 0, mark[0], mark[1], 1, 1];
    let sum = checksum(&[&addresses, &[0, UDP, 0, 12], &udp]);
    udp[6..8].copy_from_slice(&sum);
    let mut header = vec![0x45, 0, 0, 32, 0, 0, 0x40, 0, 64, UDP, 0, 0];
    header.extend(&addresses);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum);
    [header, udp].concat()
}

/// A neighbour solicitation (135) or advertisement (136) without options.
pub(crate) fn neighbour(kind: u8, from: Ipv6Addr, to: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(target.octets());
    let addresses = [from.octets(), to.octets()].concat();
    let sum = checksum(&[&addresses, &[0, 24, 0, ICMPV6], &icmp]);
    icmp[2..4].copy_from_slice(&sum);
    [&[0x60, 0, 0, 0, 0, 24, ICMPV6, 255], &addresses[..], &icmp].concat()
}

pub(crate) fn source(packet: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(<[u8; 16]>::try_from(&packet[8..24]).unwrap())
}

pub(crate) fn destination(packet: &[u8]) -> Ipv6Addr {
    Ipv6Addr::from(<[u8; 16]>::try_from(&packet[24..40]).unwrap())
}

/// What a server says to an echo request or a datagram.
pub(crate) fn reply(packet: &[u8]) -> Option<Vec<u8>> {
    let mut reply = packet.to_vec();
    reply[8..24].copy_from_slice(&packet[24..40]);
    reply[24..40].copy_from_slice(&packet[8..24]);
    match (packet[6], packet[40]) {
        (UDP, _) => {
            // The checksum does not mind.
            reply[40..42].copy_from_slice(&packet[42..44]);
            reply[42..44].copy_from_slice(&packet[40..42]);
        }
        (ICMPV6, ECHO_REQUEST) => {
            reply[40] = ECHO_REPLY;
            reply[42..44].copy_from_slice(&[0, 0]);
            let sum = checksum(&[&reply[8..40], &reply[4..6], &[0, ICMPV6], &reply[40..]]);
            reply[42..44].copy_from_slice(&sum);
        }
        _ => return None,
    }
    Some(reply)
}
