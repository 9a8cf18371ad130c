//! What fits: paths that are narrower than the link, with routers that say so and with routers that do not; and frames
//! that are larger than any packet.

mod big_tcp;
mod black_hole;
mod narrow;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::World;
use lab::Netns;
use rustix::net::sockopt::{Ipv4PathMtuDiscovery, set_ip_mtu_discover};

/// The NAT64's side of the router, and the one towards the servers.
const NAT64: &str = "nat64-0";
const CORE: &str = "inet";

fn single(name: &str) -> Result<World> {
    World::new(name, |config| config.uplinks.truncate(1))
}

fn router(world: &World) -> Result<&Netns> {
    Ok(world.lab.router("eth0")?)
}

/// Between the host and the NAT64, IPv6 packets above `mtu` do not pass, either way.
fn narrow_ipv6(world: &World, mtu: u16) -> Result<()> {
    let (router, prefix, mtu) = (router(world)?, world.lab.prefix("eth0")?.to_string(), mtu.to_string());
    router.ip(&["link", "set", NAT64, "mtu", &mtu])?;
    // A router heeds the MTU of a route when it is locked.
    router.ip(&["-6", "route", "replace", &prefix, "dev", "lan", "mtu", "lock", &mtu])?;
    Ok(())
}

/// Behind the NAT64, IPv4 packets above `mtu` do not pass on their way to the servers.
fn narrow_ipv4(world: &World, mtu: u16) -> Result<()> {
    let mtu = mtu.to_string();
    router(world)?.ip(&["route", "replace", "default", "via", "10.255.1.1", "dev", CORE, "mtu", "lock", &mtu])?;
    Ok(())
}

/// The router says no more that packets are too big.
fn mute(world: &World) -> Result<()> {
    nft(world, "add table inet mute")?;
    nft(world, "add chain inet mute out { type filter hook output priority 0; }")?;
    nft(world, "add rule inet mute out icmpv6 type packet-too-big counter drop")?;
    nft(world, "add rule inet mute out icmp type destination-unreachable icmp code 4 counter drop")
}

fn nft(world: &World, rule: &str) -> Result<()> {
    router(world)?.run(&["nft", rule])?;
    Ok(())
}

/// The MTU that the host's kernel has learnt for the first server.
fn learnt(world: &World) -> Result<Option<u16>> {
    let said = world.lab.host().ip(&["route", "get", &world.lab.server_v4().to_string()])?;
    let mut words = said.split_whitespace().skip_while(|word| *word != "mtu");
    Ok(words.nth(1).and_then(|mtu| mtu.parse().ok()))
}

/// Somebody at the first IPv4 server who takes `bytes` bytes from whoever connects, says so, and sends them back if he is
/// still listened to.
struct Peer {
    address: SocketAddr,
    thread: std::thread::JoinHandle<Result<()>>,
}

impl Peer {
    fn start(world: &World, bytes: usize) -> Result<Self> {
        let server = world.lab.server_v4();
        let listener = world.lab.inet().enter(|| TcpListener::bind((server, 0)))??;
        let address = listener.local_addr()?;
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept()?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.set_write_timeout(Some(Duration::from_secs(20)))?;
            let mut taken = vec![0; bytes];
            stream.read_exact(&mut taken)?;
            stream.write_all(b"!")?;
            stream.write_all(&taken)?;
            Ok(())
        });
        Ok(Self { address, thread })
    }

    /// Sends so many bytes and, if `back`, takes them back, one after the other; says how long each took. What comes back
    /// has to be what was sent.
    fn exchange(self, netns: &Netns, bytes: usize, back: bool) -> Result<(Duration, Duration)> {
        let address = self.address;
        let sent: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect();
        let taken = netns.enter(|| -> Result<_> {
            let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
            stream.set_read_timeout(Some(Duration::from_secs(20)))?;
            stream.set_write_timeout(Some(Duration::from_secs(20)))?;
            let begin = Instant::now();
            stream.write_all(&sent)?;
            stream.read_exact(&mut [0])?;
            let up = begin.elapsed();
            if back {
                let mut taken = vec![0; bytes];
                stream.read_exact(&mut taken)?;
                ensure!(taken == sent, "the bytes that came back are others");
            }
            Ok((up, begin.elapsed().saturating_sub(up)))
        })?;
        let taken = taken.context("the exchange")?;
        if back {
            self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        }
        Ok(taken)
    }
}

/// `bytes` up and then down over IPv4 through the translator.
fn exchange(world: &World, bytes: usize) -> Result<(Duration, Duration)> {
    Peer::start(world, bytes)?.exchange(world.lab.host(), bytes, true)
}

/// `bytes` up.
fn upload(world: &World, bytes: usize) -> Result<Duration> {
    Ok(Peer::start(world, bytes)?.exchange(world.lab.host(), bytes, false)?.0)
}

/// A UDP socket of the host, connected to the echo service.
fn echo_socket(world: &World, discover: Ipv4PathMtuDiscovery) -> Result<socket2::Socket> {
    let server = world.lab.server_v4();
    let socket = world.lab.host().enter(|| -> Result<_> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
        socket.connect(&SocketAddr::from((server, everclat_e2e::ECHO)).into())?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        Ok(socket)
    })??;
    set_ip_mtu_discover(&socket, discover)?;
    Ok(socket)
}
