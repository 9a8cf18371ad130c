//! The two ends of the translator in the real service: its tunnel, and the cable.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use everclat_e2e::{Daemon, PATIENCE, World};
use lab::{AnnouncedPref64, Nat64, Netns};
use model::{FastState, FastStatus, Status};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use xlat::Pref64;

use crate::packets::{Ends, FRAGMENT, ICMP, ICMPV6, TCP, UDP, V4, V6, open_tcp, sealed, udp};

/// Peers of the tests are all in 203.0.113.0/24: nobody answers there.
pub(crate) const PEER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 7);
const NOBODY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 0);
/// Its packet is the last one of a check: what has not come before it does not come.
const SENTINEL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 255);

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Out {
    /// On the other side, translated.
    pub(crate) passed: Vec<Vec<u8>>,
    /// On the same side, back to where it came from.
    pub(crate) back: Vec<Vec<u8>>,
}

/// A service between two pairs of raw sockets.
pub(crate) struct Wire {
    /// The host's IPv4 address.
    pub(crate) host: Ipv4Addr,
    pub(crate) x: Ipv6Addr,
    pub(crate) pref64: Pref64,
    app_sends: Socket,
    /// What comes out of the tunnel.
    app_gets: Socket,
    net_sends: Socket,
    /// What arrives at the router.
    net_gets: Socket,
    checks: u16,
    daemon: Option<Daemon>,
    _world: World,
}

impl Wire {
    /// A lab with one uplink under `pref64`, and the service ready in it.
    pub(crate) fn new(name: &str, pref64: Pref64, settings: &str) -> Result<Self> {
        let world = World::new(name, |config| {
            config.uplinks.truncate(1);
            config.uplinks[0].nat64 = Nat64::Reflector;
            config.uplinks[0].pref64 = vec![AnnouncedPref64::new(pref64)];
        })?;
        let daemon = world.start_with(settings)?;
        daemon.ready()?;
        let clat = daemon.status()?.clat.context("armed")?;
        // Neither kernel is to answer what the tests send.
        let length = match pref64.prefix_len() {
            32 => 56,
            96 => 120,
            // Bits 64 to 71 lie between.
            other => other + 32,
        };
        let nobody = format!("{}/{length}", pref64.embed(NOBODY));
        drop_all(world.lab.router("eth0")?, "ip6", &format!("ip6 daddr {nobody}"))?;
        drop_all(world.lab.host(), "ip", "iifname everclat0")?;
        let (host, router) = (world.lab.host(), world.lab.router("eth0")?);
        Ok(Self {
            host: clat.v4,
            x: clat.v6,
            pref64,
            app_sends: host.enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))))??,
            app_gets: host.enter(|| listen(ETHERTYPE_IPV4))??,
            net_sends: router.enter(|| Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(255))))??,
            net_gets: router.enter(|| listen(ETHERTYPE_IPV6))??,
            checks: 0,
            daemon: Some(daemon),
            _world: world,
        })
    }

    /// Has the flows of the tests go by the fast path.
    pub(crate) fn speed_up(&mut self) -> Result<()> {
        let daemon = self.daemon.as_ref().context("running")?;
        daemon.reaches("the fast path on", |status| fast(status).is_some_and(|fast| fast.state == FastState::On))?;
        let reply = self.v6_in(UDP).with(&self.sealed6(udp(b"reply"), UDP));
        self.inbound(&[reply])?;
        for protocol in [UDP, TCP] {
            for turned in [false, true] {
                let mut message = if protocol == UDP { udp(b"warm") } else { open_tcp(b"warm") };
                if turned {
                    // What the network sends has the same ports: those of another flow.
                    message[..4].copy_from_slice(&[0, 9, 0x12, 0x34]);
                }
                let packet = self.v4_out(protocol).with(&self.sealed4(message, protocol));
                // Those that it takes, and one to see.
                self.outbound(&vec![packet.clone(); 8])?;
                self.outbound(&[packet])?;
            }
        }
        let gone = self.fast()?.packets;
        ensure!(gone.out == 4, "one packet of each flow: {gone:?}");
        Ok(())
    }

    /// What the status says about the fast path.
    pub(crate) fn fast(&self) -> Result<FastStatus> {
        let status = self.daemon.as_ref().context("running")?.status()?;
        fast(&status).cloned().context("it says nothing about the fast path")
    }

    /// Ends the service; says which drops it has counted.
    pub(crate) fn end(mut self) -> Result<std::collections::BTreeMap<String, u64>> {
        let daemon = self.daemon.take().context("ended once")?;
        let drops = daemon.status()?.clat.context("armed")?.drops;
        daemon.stop()?;
        Ok(drops)
    }

    /// The peer's address on the cable.
    pub(crate) fn peer(&self) -> Ipv6Addr {
        self.pref64.embed(PEER)
    }

    /// An IPv4 header from the host to the peer.
    pub(crate) fn v4_out(&self, protocol: u8) -> V4<'static> {
        let (source, destination) = (self.host, PEER);
        V4 { tos: 0, id: 0x4711, fragment: 0, ttl: 64, protocol, source, destination, options: &[] }
    }

    /// What [`v4_out`](Self::v4_out) becomes.
    pub(crate) fn v6_out(&self, next: u8) -> V6 {
        V6 { class: 0, hops: 63, next, source: self.x, destination: self.peer() }
    }

    /// An IPv6 header from the peer to X.
    pub(crate) fn v6_in(&self, next: u8) -> V6 {
        V6 { class: 0, hops: 64, next, source: self.peer(), destination: self.x }
    }

    /// What [`v6_in`](Self::v6_in) becomes, but for the identification.
    pub(crate) fn v4_in(&self, protocol: u8) -> V4<'static> {
        let (source, destination) = (PEER, self.host);
        V4 { tos: 0, id: 0, fragment: 0, ttl: 63, protocol, source, destination, options: &[] }
    }

    /// `message`, sealed for the IPv4 side, outbound or inbound: the sums are the same.
    pub(crate) fn sealed4(&self, message: Vec<u8>, protocol: u8) -> Vec<u8> {
        let ends = if protocol == ICMP { Ends::None } else { Ends::V4(self.host, PEER) };
        sealed(message, protocol, ends)
    }

    /// The same for the IPv6 side.
    pub(crate) fn sealed6(&self, message: Vec<u8>, protocol: u8) -> Vec<u8> {
        sealed(message, protocol, Ends::V6(self.x, self.peer()))
    }

    /// An app sends `packets`.
    pub(crate) fn outbound(&mut self, packets: &[Vec<u8>]) -> Result<Out> {
        let (sentinel, tag) = self.sentinel()?;
        // An option that says nothing, for which no packet overtakes another: all that need a look go by the service.
        let last = V4 { destination: SENTINEL, options: &[1, 1, 1, 1], ..self.v4_out(UDP) };
        let last = last.with(&sealed(sentinel, UDP, Ends::V4(self.host, SENTINEL)));
        for packet in packets.iter().chain([&last]) {
            let destination = packet[16..20].first_chunk::<4>().copied().context("a header")?;
            let to = SockAddr::from(SocketAddrV4::new(destination.into(), 0));
            self.app_sends.send_to(packet, &to).with_context(|| format!("send {packet:02x?}"))?;
        }
        let passed = until_tag(&self.net_gets, &tag, |packet| is_ours(packet, self.x))?;
        Ok(Out { passed, back: pending(&self.app_gets)? })
    }

    /// The network sends `packets` to X.
    pub(crate) fn inbound(&mut self, packets: &[Vec<u8>]) -> Result<Out> {
        let (sentinel, tag) = self.sentinel()?;
        let source = self.pref64.embed(SENTINEL);
        let last = V6 { source, ..self.v6_in(UDP) }.with(&sealed(sentinel, UDP, Ends::V6(source, self.x)));
        let to = SockAddr::from(SocketAddrV6::new(self.x, 0, 0, 0));
        for packet in packets.iter().chain([&last]) {
            self.net_sends.send_to(packet, &to).with_context(|| format!("send {packet:02x?}"))?;
        }
        let passed = until_tag(&self.app_gets, &tag, |_| true)?;
        // The frame back left before the sentinel passed, but it crosses the cable.
        let back = pending(&self.net_gets)?.into_iter().filter(|packet| is_ours(packet, self.x)).collect();
        Ok(Out { passed, back })
    }

    /// A datagram that is like no other, and what to know it by.
    fn sentinel(&mut self) -> Result<(Vec<u8>, Vec<u8>)> {
        self.checks += 1;
        // What earlier checks have left behind.
        pending(&self.app_gets)?;
        pending(&self.net_gets)?;
        let tag = [b"everclat wire test ".as_slice(), &self.checks.to_be_bytes()].concat();
        Ok((udp(&tag), tag))
    }
}

fn fast(status: &Status) -> Option<&FastStatus> {
    status.clat.as_ref()?.fast_path.as_ref()
}

/// A table of our own that drops what `matches` before anybody sees it; taps are in front of it.
fn drop_all(netns: &Netns, family: &str, matches: &str) -> Result<()> {
    let chain = "{ type filter hook prerouting priority raw; }";
    netns.run(&["nft", "add", "table", family, "wire"])?;
    netns.run(&["nft", &format!("add chain {family} wire silence {chain}")])?;
    netns.run(&["nft", &format!("add rule {family} wire silence {matches} drop")])?;
    Ok(())
}

/// Sees every packet of `ethertype` that comes in, from its IP header on.
fn listen(ethertype: u16) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(i32::from(ethertype.to_be()))))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// From X, and not neighbour discovery or a probe of the service's own.
fn is_ours(packet: &[u8], x: Ipv6Addr) -> bool {
    let upper = if packet[6] == FRAGMENT { 48 } else { 40 };
    let is_discovery = packet[6] == ICMPV6 && packet.get(upper).is_some_and(|kind| (133..=137).contains(kind));
    let to_tests = packet[24..40].windows(3).any(|window| window == [203, 0, 113]);
    let is_error = packet[6] == ICMPV6 && packet.get(40).is_some_and(|kind| *kind < 128);
    packet[8..24] == x.octets() && !is_discovery && (to_tests || is_error)
}

fn receive(socket: &Socket) -> Result<Option<Vec<u8>>> {
    let mut buffer = vec![0; 65_536];
    match rustix::net::recv(socket, buffer.as_mut_slice(), rustix::net::RecvFlags::empty()) {
        Ok((length, _)) => {
            buffer.truncate(length);
            Ok(Some(buffer))
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn pending(socket: &Socket) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    while let Some(packet) = receive(socket)? {
        all.push(packet);
        ensure!(all.len() < 10_000, "no end of packets");
    }
    Ok(all)
}

/// Everything `wanted` in front of the packet that ends with `tag`.
fn until_tag(socket: &Socket, tag: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Vec<u8>>> {
    let begin = Instant::now();
    let mut all = Vec::new();
    while begin.elapsed() < PATIENCE {
        match receive(socket)? {
            Some(packet) if packet.ends_with(tag) => return Ok(all),
            Some(packet) if wanted(&packet) => all.push(packet),
            Some(_) => {}
            None => std::thread::sleep(Duration::from_micros(200)),
        }
    }
    bail!("the sentinel did not pass; before it: {all:02x?}")
}
