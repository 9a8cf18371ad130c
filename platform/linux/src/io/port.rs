use std::io;
use std::io::IoSlice;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use model::MacAddress;
use platform_api::{PortConfig, Ready, UplinkPort};
use rustix::net::sockopt::{set_socket_recv_buffer_size_force, set_socket_send_buffer_size_force};
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
/// A few super-packets: more would only add delay.
const SEND_BUFFER: usize = 4 << 20;

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
        sys::bind_to_link(transmit.as_fd(), config.link, 0)?;

        let group = UdpSocket::bind((std::net::Ipv6Addr::UNSPECIFIED, 0))?;
        group.join_multicast_v6(&config.solicited_node(), config.link)?;
        Ok(Self { receive, transmit, mac: config.mac, large: OnceLock::new(), _group: group })
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
        // What was cut off is gone.
        tracing::info!("the uplink delivers frames above 64 KiB (BIG TCP); they are cut from now on");
        self.large.get_or_init(Mutex::default);
        Err(rustix::io::Errno::AGAIN)
    }
}

impl UplinkPort<EventWaker> for PacketPort {
    fn recv(&self, buf: &mut PacketBuf) -> io::Result<Option<MacAddress>> {
        let total = match self.receive(buf) {
            Ok(total) => total,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return Ok(None),
            // Said once when the link goes down; the same socket works again when it comes back.
            Err(rustix::io::Errno::NETDOWN) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let prefix: Option<[u8; PREFIX]> = buf.received(PREFIX, total).and_then(|prefix| prefix.first_chunk().copied());
        let Some(prefix) = prefix else { return Ok(None) };
        let (vnet, ethernet) = prefix.split_at(VnetHeader::LEN);
        let (Some(vnet), Some(source)) = (vnet.first_chunk(), ethernet.get(6..).and_then(|rest| rest.first_chunk()))
        else {
            return Ok(None);
        };
        let mut header = VnetHeader::decode(vnet);
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
        Ok(Some(MacAddress(*source)))
    }

    fn send(&self, buf: &mut PacketBuf, to: MacAddress) -> io::Result<()> {
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
        rustix::io::write(&self.transmit, buf.packet())?;
        Ok(())
    }

    fn send_frame(&self, frame: &[u8]) -> io::Result<()> {
        let header = VnetHeader::default().encode();
        rustix::io::writev(&self.transmit, &[IoSlice::new(&header), IoSlice::new(frame)])?;
        Ok(())
    }

    fn wait(&self, waker: &EventWaker, timeout: Option<Duration>) -> io::Result<Ready> {
        if self.large().is_some_and(|large| large.is_waiting()) {
            return Ok(Ready::Packet);
        }
        waker.wait(&self.receive, timeout)
    }
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
