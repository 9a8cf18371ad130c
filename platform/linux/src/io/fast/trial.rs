//! The programs are tried before they are trusted: super-packets go through both of them and have to come out as they
//! went in, in the tunnel and nowhere else. Kernels have shrunk or refused some of them.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use model::{FastReason, FlowKey, MacAddress};
use platform_api::{FastConfig, FastLane, FastRefusal, FastSeed, TunId};
use socket2::{Domain, Socket, Type};
use xlat::{Pref64, VnetHeader};

use super::layout::Tested;
use super::{LinuxFast, gone, lock};
use crate::sys;

const ETHERTYPE_IPV4: u16 = 0x0800;
/// Addresses that no packet of an app has (RFC 7600; RFC 7723).
const HERE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);
const THERE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 9);
const PORT: u16 = 49_152;
const PAYLOAD: u16 = 4000;
const SEGMENT: u16 = 1200;

/// The tunnel is switched on a moment after it is opened.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// What the trial translates by. X is what the peer becomes, so that what leaves is what comes back.
pub(super) fn config(tun: u32) -> FastConfig {
    FastConfig {
        tun,
        link: tun,
        v4: HERE,
        v6: Pref64::WELL_KNOWN.embed(THERE),
        pref64: Pref64::WELL_KNOWN,
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        gateway_mac: MacAddress([2, 0, 0, 0, 0, 2]),
        mtu6: 1500,
        divisible: 1280,
        mtu4: 1480,
        first_id: 0,
        id_mask: 0x1fff,
        id_start: 0,
    }
}

/// Tries both kinds of super-packets.
pub(super) fn run(fast: &LinuxFast, tun: &TunId) -> Result<(), FastRefusal> {
    let failed =
        |error: io::Error| FastRefusal::new(FastReason::SelfTest, format!("the trial could not begin: {error}"));
    fast.start_as(&config(tun.index), true).map_err(failed)?;
    let result = try_both(fast, tun);
    fast.stop();
    fast.clear();
    result
}

fn try_both(fast: &LinuxFast, tun: &TunId) -> Result<(), FastRefusal> {
    let failed =
        |error: io::Error| FastRefusal::new(FastReason::SelfTest, format!("the trial could not begin: {error}"));
    let socket = socket(tun.index).map_err(|_| gone())?;
    for protocol in [libc::IPPROTO_TCP, libc::IPPROTO_UDP] {
        let protocol = u8::try_from(protocol).unwrap_or_default();
        let key = FlowKey { peer: THERE, port: PORT, peer_port: PORT, protocol };
        fast.admit(&key, &FastSeed { udp_gso: true, ..FastSeed::default() }).map_err(failed)?;
        lock(&fast.tested).set(0, [0; 6], 0).map_err(super::io_error).map_err(failed)?;
        let (packet, header) = super_packet(protocol);
        send(&socket, &packet)?;
        judge(tested(fast).map_err(failed)?, header)?;
    }
    Ok(())
}

/// What the programs have noted. They work in the moment of sending, or soon after.
fn tested(fast: &LinuxFast) -> io::Result<Tested> {
    let end = Instant::now() + Duration::from_millis(500);
    loop {
        let tested = lock(&fast.tested).get(&0, 0).map_err(super::io_error)?;
        let [seen, ..] = tested;
        if seen > 0 || Instant::now() > end {
            return Ok(tested);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn judge(tested: Tested, header: u16) -> Result<(), FastRefusal> {
    let len = u32::from(20 + header + PAYLOAD);
    let segment = u32::from(SEGMENT);
    let expected = [1, len + 20, segment, len, segment, 1];
    if tested == expected {
        return Ok(());
    }
    let text = format!("super-packets do not come through as they should: {tested:?} instead of {expected:?}");
    Err(FastRefusal::new(FastReason::SelfTest, text))
}

fn socket(tun: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    sys::enable_vnet_header(socket.as_fd())?;
    sys::bind_to_link(socket.as_fd(), tun, ETHERTYPE_IPV4)?;
    Ok(socket)
}

fn send(socket: &Socket, packet: &[u8]) -> Result<(), FastRefusal> {
    let end = Instant::now() + PATIENCE;
    loop {
        match socket.send(packet) {
            Ok(_) => return Ok(()),
            Err(error) if error.raw_os_error() == Some(libc::ENETDOWN) && Instant::now() < end => {
                std::thread::sleep(PAUSE);
            }
            Err(error)
                if [Some(libc::ENXIO), Some(libc::ENODEV), Some(libc::ENETDOWN)].contains(&error.raw_os_error()) =>
            {
                return Err(gone());
            }
            // What the programs drop in the end was still sent; whatever else it is, their notes will tell.
            Err(_) => return Ok(()),
        }
    }
}

/// An offload header and an IPv4 packet of several segments, and how long its transport header is.
fn super_packet(protocol: u8) -> (Vec<u8>, u16) {
    let is_tcp = i32::from(protocol) == libc::IPPROTO_TCP;
    let (header, checksum, kind) =
        if is_tcp { (20, 16, VnetHeader::GSO_TCPV4) } else { (8, 6, VnetHeader::GSO_UDP_L4) };
    let vnet = VnetHeader {
        flags: VnetHeader::F_NEEDS_CSUM,
        gso_type: kind,
        hdr_len: 20 + header,
        gso_size: SEGMENT,
        csum_start: 20,
        csum_offset: checksum,
    };
    let mut ip = vec![0x45, 0];
    ip.extend((20 + header + PAYLOAD).to_be_bytes());
    ip.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
    ip.extend(HERE.octets());
    ip.extend(THERE.octets());
    let sum = !xlat_sum(&ip);
    ip.splice(10..12, sum.to_be_bytes());
    let mut transport = [PORT.to_be_bytes(), PORT.to_be_bytes()].concat();
    if is_tcp {
        // Sequence 1, acknowledgement 1, five words, ACK.
        transport.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 1, 0, 0x5e, 0xed, 0, 0]);
    } else {
        transport.extend((header + PAYLOAD).to_be_bytes());
        transport.extend([0x5e, 0xed]);
    }
    let mut packet = vnet.encode().to_vec();
    packet.extend(ip);
    packet.extend(transport);
    packet.extend(std::iter::repeat_n(0x5a, usize::from(PAYLOAD)));
    (packet, header)
}

/// The ones' complement sum of a header.
fn xlat_sum(bytes: &[u8]) -> u16 {
    let (words, _) = bytes.as_chunks::<2>();
    let sum: u32 = words.iter().map(|word| u32::from(u16::from_be_bytes(*word))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_through_unchanged_passes() {
        let good = [1, 4060, 1200, 4040, 1200, 1];
        assert_eq!(judge(good, 20), Ok(()));
        for (place, wrong) in [(0, 0), (0, 2), (1, 4040), (2, 1180), (3, 4060), (4, 1220), (5, 0)] {
            let mut bad = good;
            bad[place] = wrong;
            assert_eq!(judge(bad, 20).unwrap_err().reason, FastReason::SelfTest);
        }
    }

    #[test]
    fn its_packets_are_sound() {
        for (protocol, len) in [(6, 20), (17, 8)] {
            let (packet, header) = super_packet(protocol);
            let ip = &packet[VnetHeader::LEN..];
            assert_eq!((header, ip.len()), (len, usize::from(20 + len + PAYLOAD)));
            assert_eq!(xlat_sum(&ip[..20]), 0xffff);
        }
    }
}
