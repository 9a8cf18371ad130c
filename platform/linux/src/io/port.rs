use std::array;
use std::io;
use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use model::MacAddress;
use platform_api::{AT_ONCE, Frame, PortConfig, Ready, UplinkPort};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags};
use socket2::{Domain, SockFilter, Socket, Type};
use xlat::{PacketBuf, VnetHeader};

use super::large::{Large, recv_all};
use super::{EventWaker, filter};
use crate::sys;

const ETHERNET: usize = 14;
const ETHERNET_U16: u16 = 14;
pub(super) const PREFIX: usize = VnetHeader::LEN + ETHERNET;
const ETHERTYPE_IPV6: u16 = 0x86dd;
const IPV6_HEADER: usize = 40;

/// Holds 40 Gbit/s through a scheduling gap of a few milliseconds; taken from kernel memory only while it is filled.
const RECEIVE_BUFFER: usize = 32 << 20;
/// How long the queue is, is for the uplink's own queueing discipline to say: fq_codel, the usual one, sees to it that nobody
/// waits long, and drops what is too much from whoever sends most once it holds 32 MB. This is a little more (the kernel
/// doubles it). Where there is no such discipline, it is the limit.
const SEND_BUFFER: usize = 17 << 20;

/// Two packet sockets on the uplink and the multicast membership by which solicitations for X reach us. All of it
/// ends with the value.
#[derive(Debug)]
pub struct PacketPort {
    receive: Socket,
    /// Bound to no protocol, so that sending costs no copy of what arrives.
    transmit: Socket,
    mac: MacAddress,
    /// Once a frame has come that no IPv6 packet can be.
    large: OnceLock<Mutex<Large>>,
    _group: UdpSocket,
}

impl PacketPort {
    pub(super) fn open(config: &PortConfig) -> io::Result<Self> {
        let receive = Socket::new(Domain::PACKET, Type::RAW, None)?;
        let program: Vec<SockFilter> = filter::program(config.mac, config.v6).into_iter().map(Into::into).collect();
        receive.attach_filter(&program)?;
        sys::enable_vnet_header(receive.as_fd())?;
        set_socket_recv_buffer_size_force(&receive, RECEIVE_BUFFER)?;
        receive.set_nonblocking(true)?;
        // Only now does anything arrive, so nothing unfiltered ever does.
        sys::bind_to_link(receive.as_fd(), config.link, ETHERTYPE_IPV6)?;

        let transmit = Socket::new(Domain::PACKET, Type::RAW, None)?;
        sys::enable_vnet_header(transmit.as_fd())?;
        set_socket_send_buffer_size_force(&transmit, SEND_BUFFER)?;
        transmit.set_nonblocking(true)?;
        sys::bind_to_link(transmit.as_fd(), config.link, 0)?;

        let group = UdpSocket::bind((std::net::Ipv6Addr::UNSPECIFIED, 0))?;
        group.join_multicast_v6(&config.solicited_node(), config.link)?;
        Ok(Self { receive, transmit, mac: config.mac, large: OnceLock::new(), _group: group })
    }

    /// Whether packets wait that no descriptor tells of.
    pub(super) fn is_waiting(&self) -> bool {
        self.large().is_some_and(|large| large.is_waiting())
    }

    /// Tells of the others.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.receive.as_fd()
    }

    fn large(&self) -> Option<MutexGuard<'_, Large>> {
        // Only the thread that receives takes it; nobody panics while holding it.
        self.large.get().map(|large| large.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn receive(&self, buf: &mut PacketBuf) -> rustix::io::Result<usize> {
        if let Some(mut large) = self.large() {
            return large.recv(&self.receive, buf);
        }
        let area = buf.recv_area(PREFIX);
        let total = recv_all(&self.receive, area)?;
        if total <= area.len() {
            return Ok(total);
        }
        self.prepare_for_large();
        Err(Errno::AGAIN)
    }

    /// A frame has come that did not fit. What was cut off is gone.
    #[cold]
    fn prepare_for_large(&self) {
        self.large.get_or_init(|| {
            tracing::info!("the uplink delivers frames above 64 KiB (BIG TCP); they are cut from now on");
            Mutex::default()
        });
    }

    /// Puts the headers in front of the IPv6 packet in `buf`.
    fn encode(&self, buf: &mut PacketBuf, to: MacAddress) -> io::Result<()> {
        let mut header = buf.vnet;
        if header.needs_csum() {
            header.csum_start = header.csum_start.saturating_add(ETHERNET_U16);
        }
        if header.is_gso() {
            header.hdr_len = header.hdr_len.saturating_add(ETHERNET_U16);
        }
        let ethernet = buf.push_front::<ETHERNET>().ok_or(io::ErrorKind::InvalidInput)?;
        ethernet[..6].copy_from_slice(&to.0);
        ethernet[6..12].copy_from_slice(&self.mac.0);
        ethernet[12..].copy_from_slice(&ETHERTYPE_IPV6.to_be_bytes());
        *buf.push_front().ok_or(io::ErrorKind::InvalidInput)? = header.encode();
        Ok(())
    }
}

impl UplinkPort<EventWaker> for PacketPort {
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<Option<MacAddress>> {
        let total = match self.receive(buf) {
            Ok(total) => total,
            Err(error) if is_passing(error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        Ok(decode(buf, total))
    }

    fn recv_all(&self, frames: &mut [Frame]) -> io::Result<usize> {
        if let ([frame], _) | ([frame, ..], Some(_)) = (&mut *frames, self.large.get()) {
            let from = self.recv(&mut frame.packet)?;
            frame.from = from.unwrap_or(frame.from);
            return Ok(usize::from(from.is_some()));
        }
        let mut lengths = [0; AT_ONCE];
        let areas = frames.iter_mut().map(|frame| frame.packet.recv_area(PREFIX));
        let received = match sys::recv_many(self.receive.as_fd(), areas, &mut lengths) {
            Ok(received) => received,
            Err(error) if Errno::from_io_error(&error).is_some_and(is_passing) => return Ok(0),
            Err(error) => return Err(error),
        };
        let mut taken = 0;
        for (place, total) in lengths.into_iter().enumerate().take(received) {
            let Some(frame) = frames.get_mut(place) else { break };
            if total > frame.packet.recv_area(PREFIX).len() {
                self.prepare_for_large();
            } else if let Some(from) = decode(&mut frame.packet, total) {
                frame.from = from;
                // Behind those that were taken already: what is no packet leaves no gap.
                frames.swap(taken, place);
                taken += 1;
            }
        }
        Ok(taken)
    }

    fn send(&self, buf: &mut PacketBuf, to: MacAddress) -> io::Result<()> {
        self.encode(buf, to)?;
        rustix::io::write(&self.transmit, buf.packet())?;
        Ok(())
    }

    fn send_all(&self, bufs: &mut [PacketBuf], to: MacAddress, mut sent: impl FnMut(usize, io::Result<()>)) {
        let mut place = 0;
        let mut tell = |result| {
            sent(place, result);
            place += 1;
        };
        for bufs in bufs.chunks_mut(AT_ONCE) {
            if let [buf] = bufs {
                tell(self.send(buf, to));
                continue;
            }
            for buf in &mut *bufs {
                if self.encode(buf, to).is_err() {
                    // The kernel takes nothing for a frame that does not even have the offload header.
                    buf.truncate(0);
                }
            }
            let count = bufs.len();
            let slices: [[IoSlice<'_>; 1]; AT_ONCE] =
                array::from_fn(|at| [IoSlice::new(bufs.get(at).map(PacketBuf::packet).unwrap_or_default())]);
            let mut controls: [SendAncillaryBuffer<'_, '_, '_>; AT_ONCE] = array::from_fn(|_| Default::default());
            let mut slices = slices.iter();
            let mut messages = controls
                .each_mut()
                .map(|control| MMsgHdr::new(slices.next().map(<[_; 1]>::as_slice).unwrap_or_default(), control));
            let mut done = 0;
            while let Some(rest @ [_, ..]) = messages.get_mut(done..count) {
                match rustix::net::sendmmsg(&self.transmit, rest, SendFlags::empty()) {
                    Ok(number @ 1..) => {
                        (0..number).for_each(|_| tell(Ok(())));
                        done += number;
                    }
                    Err(Errno::INTR) => {}
                    // About the first of them. What stops the kernel behind that is told when it is asked again.
                    result => {
                        tell(result.map_err(io::Error::from).and(Err(io::ErrorKind::WriteZero.into())));
                        done += 1;
                    }
                }
            }
        }
    }

    fn send_frame(&self, frame: &[u8]) -> io::Result<()> {
        let header = VnetHeader::default().encode();
        rustix::io::writev(&self.transmit, &[IoSlice::new(&header), IoSlice::new(frame)])?;
        Ok(())
    }

    fn wait(&self, waker: &EventWaker, timeout: Option<Duration>) -> io::Result<Ready> {
        if self.is_waiting() {
            return Ok(Ready::Packet);
        }
        waker.wait_for(&self.receive, timeout)
    }
}

/// Whether there is nothing to receive for now, and nothing wrong.
fn is_passing(error: Errno) -> bool {
    // The last one is said once when the link goes down; the same socket works again when it comes back.
    matches!(error, Errno::AGAIN | Errno::INTR | Errno::NETDOWN)
}

/// Makes the IPv6 packet of a frame that came into `buf` with `total` bytes; who sent it, or `None` if it is none.
fn decode(buf: &mut PacketBuf, total: usize) -> Option<MacAddress> {
    let prefix: [u8; PREFIX] = buf.received(PREFIX, total)?.first_chunk().copied()?;
    let (vnet, ethernet) = prefix.split_at(VnetHeader::LEN);
    let source = ethernet.get(6..)?.first_chunk()?;
    let mut header = VnetHeader::decode(vnet.first_chunk()?);
    // The kernel counts from the Ethernet header, the translator from the IP header.
    if header.needs_csum() {
        header.csum_start = header.csum_start.saturating_sub(ETHERNET_U16);
    }
    if header.is_gso() {
        header.hdr_len = header.hdr_len.saturating_sub(ETHERNET_U16);
    } else {
        trim_padding(buf);
    }
    buf.vnet = header;
    Some(MacAddress(*source))
}

/// Frames shorter than 60 bytes are padded on the wire.
fn trim_padding(buf: &mut PacketBuf) {
    let payload = buf.packet().get(4..6).and_then(|bytes| bytes.first_chunk()).map(|raw| u16::from_be_bytes(*raw));
    if let Some(payload) = payload {
        let length = IPV6_HEADER + usize::from(payload);
        if length < buf.len() {
            buf.truncate(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use xlat::HEADROOM;

    use super::*;

    /// First in every network namespace. Its own frames come back to it.
    const LOOPBACK: u32 = 1;
    const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

    fn port(x: Ipv6Addr) -> Option<PacketPort> {
        match PacketPort::open(&PortConfig { link: LOOPBACK, mac: MAC, v6: x }) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                eprintln!("SKIPPED: may not open a packet socket ({error}); run as root");
                None
            }
            other => Some(other.unwrap()),
        }
    }

    /// A packet to X with so much payload, told from others by its hop limit.
    fn packet(x: Ipv6Addr, hops: u8, payload: u16) -> PacketBuf {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(payload.to_be_bytes());
        packet.extend([59, hops]);
        packet.extend("2001:db8:64::1".parse::<Ipv6Addr>().unwrap().octets());
        packet.extend(x.octets());
        packet.resize(40 + usize::from(payload), hops);
        let mut buf = PacketBuf::new();
        assert!(buf.set_packet(&packet));
        buf
    }

    fn sent(port: &PacketPort, bufs: &mut [PacketBuf]) -> Vec<(usize, Option<Errno>)> {
        let mut sent = Vec::new();
        port.send_all(bufs, MAC, |place, result| {
            sent.push((place, result.err().map(|error| Errno::from_io_error(&error).unwrap())));
        });
        sent
    }

    /// All that comes, by calls for `room` packets each.
    fn received(port: &PacketPort, room: usize) -> Vec<Vec<u8>> {
        let mut frames: Vec<Frame> = (0..room).map(|_| Frame::default()).collect();
        let mut received = Vec::new();
        for _ in 0..100 {
            let taken = port.recv_all(&mut frames).unwrap();
            assert!(frames[..taken].iter().all(|frame| frame.from == MAC));
            received.extend(frames[..taken].iter().map(|frame| frame.packet.packet().to_vec()));
            if taken == 0 {
                return received;
            }
        }
        panic!("there is no end");
    }

    #[test]
    fn one_that_the_kernel_refuses_keeps_none_back() {
        let x = "2001:db8:1::a1:b2c3".parse().unwrap();
        let Some(port) = port(x) else { return };
        let sizes = [8, 8, 65_535, 8, 0, 65_535, 65_535, 1400];
        let mut bufs: Vec<PacketBuf> = (1..).zip(sizes).map(|(hops, size)| packet(x, hops, size)).collect();
        // No room for any header.
        let taken = bufs[4].len() + HEADROOM;
        while bufs[4].push_front::<1>().is_some() {}
        assert_eq!(bufs[4].len(), taken);

        let results = sent(&port, &mut bufs);
        let refused = [(2, Errno::MSGSIZE), (4, Errno::INVAL), (5, Errno::MSGSIZE), (6, Errno::MSGSIZE)];
        let expected = |place| refused.iter().find(|(refused, _)| *refused == place).map(|(_, error)| *error);
        assert_eq!(results, (0..8).map(|place| (place, expected(place))).collect::<Vec<_>>());

        let packets = received(&port, AT_ONCE);
        assert_eq!(packets.iter().map(|packet| packet[7]).collect::<Vec<_>>(), [1, 2, 4, 8]);
        assert_eq!(packets[3].len(), 1440);
    }

    #[test]
    fn more_than_go_at_once_arrive_in_their_order_however_many_are_taken() {
        let x = "2001:db8:1::a1:b2c4".parse().unwrap();
        let Some(port) = port(x) else { return };
        let count = u8::try_from(2 * AT_ONCE + 1).unwrap();
        for room in [1, 2, 5, AT_ONCE, AT_ONCE + 3] {
            let mut bufs: Vec<PacketBuf> = (1..=count).map(|hops| packet(x, hops, u16::from(hops) * 16)).collect();
            let results = sent(&port, &mut bufs);
            assert_eq!(results, (0..bufs.len()).map(|place| (place, None)).collect::<Vec<_>>());
            let packets = received(&port, room);
            let expected: Vec<Vec<u8>> =
                (1..=count).map(|hops| packet(x, hops, u16::from(hops) * 16).packet().to_vec()).collect();
            assert!(packets == expected, "{room}: {:?}", packets.iter().map(|packet| packet[7]).collect::<Vec<_>>());
        }
    }
}
