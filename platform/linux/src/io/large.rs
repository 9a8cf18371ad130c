//! BIG TCP (Linux 5.19): frames larger than an IPv6 payload can be, from an uplink whose `gro_max_size` somebody has raised
//! above 65536. The payload length is 0, and a jumbo option (RFC 2675) says the real one; kernels that no longer insert
//! the option say nothing. IPv4 has no such thing, and the tunnel takes none: they are cut into super-packets that fit.
//!
//! Nothing of this costs anything until the first such frame has come. That one is lost; TCP sends it again.

use std::os::fd::AsFd;

use rustix::net::RecvFlags;
use xlat::{PacketBuf, VnetHeader};

use super::port::PREFIX;

/// The kernel's GRO_MAX_SIZE, eight times 65535, and what stands in front.
const LARGEST: usize = 8 * 65_535 + PREFIX;
const IPV6: usize = 40;
const JUMBO: usize = 8;
const TCP: u8 = 6;
const CHECKSUM: usize = 16;
/// Total length of an IPv4 packet, less its header.
const IPV4_PAYLOAD: usize = 65_535 - 20;

const FIN: u8 = 0x01;
const PSH: u8 = 0x08;
const CWR: u8 = 0x80;

/// A frame that may be large, and what of it has been handed out.
#[derive(Debug)]
pub(super) struct Large {
    data: Box<[u8]>,
    cut: Option<Cut>,
}

/// Where a large frame is to be cut. Offsets count from the IPv6 header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    /// Where the TCP header begins, and where it ends.
    tcp: usize,
    payload: usize,
    end: usize,
    /// As the kernel names it, with ECN.
    gso_type: u8,
    gso_size: u16,
    /// Bytes of payload in a piece.
    piece: usize,
    /// Where the next piece begins.
    next: usize,
}

impl Default for Large {
    fn default() -> Self {
        Self { data: vec![0; LARGEST].into_boxed_slice(), cut: None }
    }
}

impl Large {
    /// Whether pieces of the last frame wait.
    pub(super) fn is_waiting(&self) -> bool {
        self.cut.is_some()
    }

    /// Puts the next piece, or the next frame, into `buf` as if it had been received there; says of how many bytes.
    pub(super) fn recv(&mut self, socket: impl AsFd, buf: &mut PacketBuf) -> rustix::io::Result<usize> {
        if self.cut.is_none() {
            let (total, _) = rustix::net::recv(socket, &mut *self.data, RecvFlags::empty())?;
            let frame = self.data.get(..total).unwrap_or_default();
            if !is_large(frame) {
                return copied(frame, buf).ok_or(rustix::io::Errno::AGAIN);
            }
            self.cut = Cut::of(frame);
        }
        let (Some(cut), Some(packet)) = (self.cut, self.data.get(PREFIX..)) else {
            // Nothing that TCP has made.
            return Err(rustix::io::Errno::AGAIN);
        };
        let (front, _) = self.data.split_at(PREFIX);
        let total = cut.write(front, packet, buf.recv_area(PREFIX));
        let next = cut.next + cut.piece;
        self.cut = total.is_some().then_some(Cut { next, ..cut }).filter(|cut| cut.next < cut.end);
        total.ok_or(rustix::io::Errno::AGAIN)
    }
}

fn copied(frame: &[u8], buf: &mut PacketBuf) -> Option<usize> {
    buf.recv_area(PREFIX).get_mut(..frame.len())?.copy_from_slice(frame);
    Some(frame.len())
}

/// An IPv6 packet that cannot say how long it is.
fn is_large(frame: &[u8]) -> bool {
    frame.len() > PREFIX + IPV6 + 65_535 || frame.get(PREFIX + 4..PREFIX + 6) == Some(&[0, 0])
}

impl Cut {
    fn of(frame: &[u8]) -> Option<Self> {
        let vnet = VnetHeader::decode(frame.first_chunk()?);
        let packet = frame.get(PREFIX..)?;
        let tcp = match *packet.get(6)? {
            TCP => IPV6,
            // Hop-by-hop options of eight bytes: nothing but the jumbo option (RFC 2675 section 2).
            0 => {
                let [TCP, 0, 0xc2, 4, ..] = *packet.get(IPV6..)?.first_chunk::<JUMBO>()? else { return None };
                IPV6 + JUMBO
            }
            _ => return None,
        };
        let header = usize::from(packet.get(tcp + 12)? >> 4) * 4;
        let (payload, gso_size) = (tcp + header, usize::from(vnet.gso_size));
        if header < 20
            || payload >= packet.len()
            || vnet.gso_type & !VnetHeader::GSO_ECN != VnetHeader::GSO_TCPV6
            || gso_size == 0
        {
            return None;
        }
        // As many whole segments as an IPv4 packet holds.
        let piece = (IPV4_PAYLOAD.checked_sub(header)? / gso_size) * gso_size;
        (piece > 0).then_some(Self {
            tcp,
            payload,
            end: packet.len(),
            gso_type: vnet.gso_type,
            gso_size: vnet.gso_size,
            piece,
            next: payload,
        })
    }

    /// Writes the next piece behind what stands in front of an IPv6 packet; says of how many bytes in all.
    fn write(&self, front: &[u8], packet: &[u8], to: &mut [u8]) -> Option<usize> {
        let body = packet.get(self.next..self.end.min(self.next + self.piece))?;
        let header = self.payload - self.tcp;
        let length = header + body.len();
        let first = self.next == self.payload;
        let kind = if first { self.gso_type } else { self.gso_type & !VnetHeader::GSO_ECN };
        let many = body.len() > usize::from(self.gso_size);
        let vnet = VnetHeader {
            flags: VnetHeader::F_NEEDS_CSUM,
            gso_type: if many { kind } else { VnetHeader::GSO_NONE },
            gso_size: if many { self.gso_size } else { 0 },
            hdr_len: u16::try_from(PREFIX - VnetHeader::LEN + IPV6 + header).ok()?,
            csum_start: u16::try_from(PREFIX - VnetHeader::LEN + IPV6).ok()?,
            csum_offset: u16::try_from(CHECKSUM).ok()?,
        };
        let total = PREFIX + IPV6 + length;
        let (written, _) = to.split_at_mut_checked(total)?;
        let (before, rest) = written.split_at_mut_checked(PREFIX)?;
        before.copy_from_slice(front);
        before.first_chunk_mut::<{ VnetHeader::LEN }>()?.copy_from_slice(&vnet.encode());
        let (ip, rest) = rest.split_first_chunk_mut::<IPV6>()?;
        ip.copy_from_slice(packet.get(..IPV6)?);
        let payload_length = u16::try_from(length).ok()?;
        ip[4..6].copy_from_slice(&payload_length.to_be_bytes());
        ip[6] = TCP;
        let sum = pseudo_sum(&ip[8..], payload_length);
        let (tcp, to) = rest.split_at_mut_checked(header)?;
        tcp.copy_from_slice(packet.get(self.tcp..self.payload)?);
        let sequence: &mut [u8; 4] = tcp.get_mut(4..)?.first_chunk_mut()?;
        let offset = u32::try_from(self.next - self.payload).ok()?;
        *sequence = u32::from_be_bytes(*sequence).wrapping_add(offset).to_be_bytes();
        let flags = tcp.get_mut(13)?;
        // RFC 3168 section 6.1.2: once. And only who says the last byte says that it is the last.
        *flags &= !(if first { 0 } else { CWR });
        *flags &= !(if self.next + body.len() == self.end { 0 } else { FIN | PSH });
        tcp.get_mut(CHECKSUM..)?.first_chunk_mut::<2>()?.copy_from_slice(&sum.to_be_bytes());
        to.copy_from_slice(body);
        Some(total)
    }
}

/// What stands in the checksum field while the rest of the sum is left to others: addresses, length and protocol (RFC 8200
/// section 8.1), not inverted.
fn pseudo_sum(addresses: &[u8], length: u16) -> u16 {
    let (words, _) = addresses.as_chunks::<2>();
    let words = words.iter().map(|word| u32::from(u16::from_be_bytes(*word)));
    let mut sum = words.sum::<u32>() + u32::from(length) + u32::from(TCP);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or_default()
}

/// Receives as read(2) does, but says how long what came really was.
pub(super) fn recv_all(socket: impl AsFd, area: &mut [u8]) -> rustix::io::Result<usize> {
    let (_, total) = rustix::net::recv(socket, area, RecvFlags::TRUNC)?;
    Ok(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GSO: u16 = 1428;

    /// As a veth pair of Linux 6.18 hands it on, with as much payload.
    fn frame(payload: usize, option: bool, flags: u8) -> Vec<u8> {
        let vnet = VnetHeader {
            flags: VnetHeader::F_NEEDS_CSUM,
            gso_type: VnetHeader::GSO_TCPV6 | VnetHeader::GSO_ECN,
            gso_size: GSO,
            hdr_len: if option { 94 } else { 86 },
            csum_start: if option { 62 } else { 54 },
            csum_offset: 16,
        };
        let mut frame = vnet.encode().to_vec();
        frame.extend([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 0x86, 0xdd]);
        frame.extend([0x60, 0, 0, 0, 0, 0, if option { 0 } else { TCP }, 64]);
        frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        frame.extend([0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
        if option {
            let length = u32::try_from(JUMBO + 32 + payload).unwrap();
            frame.extend([TCP, 0, 0xc2, 4]);
            frame.extend(length.to_be_bytes());
        }
        frame.extend([0x14, 0x51, 0x14, 0x52, 0xff, 0xff, 0, 0, 0, 0, 0, 9, 0x80, flags, 1, 0, 0xab, 0xcd, 0, 0]);
        frame.extend([1; 12]);
        frame.extend((0..payload).map(|at| u8::try_from(at % 251).unwrap()));
        frame
    }

    fn pieces(frame: &[u8]) -> Vec<Vec<u8>> {
        let mut cut = Cut::of(frame);
        let mut pieces = Vec::new();
        while let Some(now) = cut {
            let mut to = vec![0; 70_000];
            let total = now.write(&frame[..PREFIX], &frame[PREFIX..], &mut to).unwrap();
            to.truncate(total);
            pieces.push(to);
            cut = Some(Cut { next: now.next + now.piece, ..now }).filter(|cut| cut.next < cut.end);
        }
        pieces
    }

    #[test]
    fn the_pieces_are_what_tcp_would_have_sent() {
        for option in [true, false] {
            for payload in [65_600, 65_500 * 2, 184_000, 524_000] {
                let frame = frame(payload, option, 0x80 | 0x10 | PSH | FIN);
                assert!(is_large(&frame));
                let pieces = pieces(&frame);
                let mut all: Vec<u8> = Vec::new();
                for (number, piece) in pieces.iter().enumerate() {
                    let (first, last) = (number == 0, number + 1 == pieces.len());
                    let vnet = VnetHeader::decode(piece.first_chunk().unwrap());
                    let ip = &piece[PREFIX..];
                    let length = usize::from(u16::from_be_bytes([ip[4], ip[5]]));
                    assert_eq!((ip.len(), ip[6]), (40 + length, TCP));
                    assert!(ip.len() - 20 <= 65_535, "an IPv4 packet can hold it");
                    let body = &ip[72..];
                    assert!(last || body.len() % usize::from(GSO) == 0, "whole segments");
                    assert_eq!(vnet.is_gso(), body.len() > usize::from(GSO));
                    assert_eq!(vnet.gso_type & VnetHeader::GSO_ECN != 0, first && vnet.is_gso());
                    assert_eq!((vnet.csum_start, vnet.csum_offset, vnet.hdr_len), (54, 16, 86));
                    let sequence = u32::from_be_bytes([ip[44], ip[45], ip[46], ip[47]]);
                    assert_eq!(sequence, 0xffff_0000_u32.wrapping_add(u32::try_from(all.len()).unwrap()));
                    let flags = 0x10 | if first { CWR } else { 0 } | if last { PSH | FIN } else { 0 };
                    assert_eq!(ip[53], flags);
                    // The rest of the sum, over header and payload, makes it whole.
                    let (x, y): ([u8; 16], [u8; 16]) = (ip[8..24].try_into().unwrap(), ip[24..40].try_into().unwrap());
                    let mut segment = ip[40..].to_vec();
                    let partial = u16::from_be_bytes([segment[16], segment[17]]);
                    segment[16..18].copy_from_slice(&[0, 0]);
                    let whole = xlat::transport_checksum(x.into(), y.into(), TCP, &segment);
                    let sum =
                        segment.chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0)));
                    let mut sum = u64::from(partial) + sum.map(u64::from).sum::<u64>();
                    while sum > 0xffff {
                        sum = (sum & 0xffff) + (sum >> 16);
                    }
                    assert_eq!(!u16::try_from(sum).unwrap(), whole);
                    all.extend(body);
                }
                assert_eq!(all, frame[frame.len() - payload..]);
            }
        }
    }

    #[test]
    fn what_is_no_large_segment_of_tcp_is_not_cut() {
        let good = frame(70_000, true, 0x10);
        let broken = |at: usize, value: u8| {
            let mut frame = good.clone();
            frame[at] = value;
            Cut::of(&frame)
        };
        assert!(Cut::of(&good).is_some());
        assert_eq!(broken(1, 5), None, "UDP");
        assert_eq!(broken(PREFIX + 6, 17), None);
        assert_eq!(broken(PREFIX + IPV6 + 2, 5), None, "another option");
        assert_eq!(broken(PREFIX + IPV6 + 1, 1), None, "longer options");
        assert_eq!(broken(PREFIX + IPV6 + JUMBO + 12, 0x40), None, "a header that is none");
        for cut in [0, PREFIX, PREFIX + IPV6, PREFIX + IPV6 + JUMBO + 32] {
            assert_eq!(Cut::of(&good[..cut]), None);
        }
        assert!(!is_large(&good[..PREFIX]));
    }
}
