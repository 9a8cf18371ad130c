//! Native IPv4 as a network gives it: by leases of a real server to a real client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::events::{Events, Notice};
use everclat_e2e::stream::Stream;
use everclat_e2e::{Daemon, ECHO, PATIENCE, World, figure, is_full, repetitions, until};
use lab::residue::HostState;
use lab::{ClientEnd, Dhcp4Client, Dhcp4Server, Error, probe};
use model::{Code, State, Status};

use crate::native::{has_default, summary, wait_for_echo, watch};
use crate::{has_our_route, single};

/// The shortest that the client takes.
const SHORT: Dhcp4Server = Dhcp4Server { lease_s: 20, ipv6_only_s: None };
/// A client that would take IPv4 in any case.
const OLD: Dhcp4Client = Dhcp4Client { asks_ipv6_only: false };
/// How long a lease of [`SHORT`] may last, and a client's pause between two questions that nobody answers.
const A_WHILE: Duration = Duration::from_secs(30);
/// Longer than the kernel's pause between two carrier events.
const CARRIER_PAUSE: Duration = Duration::from_millis(1100);

/// A lab with a DHCPv4 server on Ethernet; `None` where the programs are not to be had.
fn served(world: Result<World>, server: Dhcp4Server) -> Result<Option<World>> {
    let world = world?;
    let started = world.lab.start_dhcp4_server("eth0", server);
    let started = started.and_then(|()| world.lab.start_dhcp4_client("eth0", OLD));
    let stopped = started.and_then(|()| world.lab.stop_dhcp4_client("eth0", ClientEnd::Releases));
    match stopped {
        Ok(()) => Ok(Some(world)),
        Err(error @ Error::MissingTools(_)) => {
            println!("SKIPPED: {error}");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// What the IPv4-only server sees as the client's address, by a page of its own.
fn seen_by_the_server(world: &World) -> Result<String> {
    let server = SocketAddr::new(IpAddr::V4(world.lab.server_v4()), 80);
    let page = world.lab.host().enter(|| probe::http(server, "/", PATIENCE))??;
    let client = page.body.lines().find_map(|line| line.strip_prefix("client: "));
    client.map(str::to_owned).with_context(|| page.body.clone())
}

/// Native IPv4 serves, and it is that of the lease.
fn serves_by_lease(world: &World) -> Result<()> {
    ensure!(world.udp()?.received == 10, "native IPv4 serves");
    let client = seen_by_the_server(world)?;
    ensure!(client.starts_with("192.0.2."), "translated all the same: {client}");
    Ok(())
}

/// The translator serves.
fn serves_by_us(world: &World) -> Result<()> {
    ensure!(world.udp()?.received == 10, "translated IPv4 serves");
    let client = seen_by_the_server(world)?;
    ensure!(client.starts_with("10."), "not from TAYGA's pool: {client}");
    Ok(())
}

fn stands_by(daemon: &Daemon) -> Result<Status> {
    daemon.reaches("standby", |status| status.state == State::StandbyNative && status.code == Code::NativeIpv4)
}

fn arms(daemon: &Daemon) -> Result<Status> {
    daemon.reaches("armed", |status| status.clat.is_some())
}

/// In the host: from the native default's appearance to the end of ours.
fn our_default_goes() -> Result<Duration> {
    let came = watch(A_WHILE, |routes| has_default(routes, "eth0"))?;
    watch(PATIENCE, |routes| !has_default(routes, "everclat0"))?;
    Ok(came.elapsed())
}

/// In the host: from the native default's end to the first reply by us.
fn ipv4_is_back(server: Ipv4Addr, patience: Duration) -> Result<Duration> {
    let went = watch(patience, |routes| !has_default(routes, "eth0"))?;
    wait_for_echo(server)?;
    Ok(went.elapsed())
}

/// Measures in the host while `work` is done.
fn while_doing(
    world: &World,
    measure: impl FnOnce() -> Result<Duration> + Send,
    work: impl FnOnce() -> lab::Result<()>,
) -> Result<Duration> {
    std::thread::scope(|scope| {
        let measured = scope.spawn(|| world.lab.host().enter(measure)?);
        // It reads routes by then.
        std::thread::sleep(Duration::from_millis(50));
        work()?;
        measured.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Bars of the full run as for native IPv4 set by hand: 100 ms and 300 ms.
#[test]
fn a_lease_and_its_release() -> Result<()> {
    let Some(world) = served(single("e2e-dhcp-lease"), Dhcp4Server::default())? else { return Ok(()) };
    let server = world.lab.server_v4();
    let daemon = world.start()?;
    daemon.ready()?;
    let (mut gone, mut back) = (Vec::new(), Vec::new());
    for _ in 0..repetitions(3, 20) {
        arms(&daemon)?;
        gone.push(while_doing(&world, our_default_goes, || world.lab.start_dhcp4_client("eth0", OLD))?);
        stands_by(&daemon)?;
        serves_by_lease(&world)?;
        let first_reply = || ipv4_is_back(server, PATIENCE);
        back.push(while_doing(&world, first_reply, || world.lab.stop_dhcp4_client("eth0", ClientEnd::Releases))?);
        arms(&daemon)?;
        serves_by_us(&world)?;
    }
    let came = summary("DHCP lease: our default gone", &mut gone);
    let went = summary("DHCP release: first IPv4 reply through us", &mut back);
    let bars = if is_full() { (100, 300) } else { (1000, 3000) };
    ensure!(came <= Duration::from_millis(bars.0), "{gone:?}");
    ensure!(went <= Duration::from_millis(bars.1), "{back:?}");
    daemon.stop()
}

/// The client has been asking all the while; nobody touches the host when the server appears.
#[test]
fn a_server_appears() -> Result<()> {
    let Some(world) = served(single("e2e-dhcp-server"), Dhcp4Server::default())? else { return Ok(()) };
    world.lab.stop_dhcp4_server("eth0")?;
    world.lab.start_dhcp4_client("eth0", OLD)?;
    let daemon = world.start()?;
    daemon.ready()?;
    serves_by_us(&world)?;
    let took = while_doing(&world, our_default_goes, || world.lab.start_dhcp4_server("eth0", Dhcp4Server::default()))?;
    ensure!(took <= Duration::from_secs(1), "our default goes {took:?} after the lease");
    stands_by(&daemon)?;
    serves_by_lease(&world)?;
    daemon.stop()
}

/// A lease runs out while nothing happens; `end` is what keeps it from being renewed.
fn a_lease_ends(name: &str, figure: &str, end: impl Fn(&World) -> lab::Result<()>) -> Result<()> {
    let Some(world) = served(single(name), SHORT)? else { return Ok(()) };
    let server = world.lab.server_v4();
    let daemon = world.start()?;
    daemon.ready()?;
    let mut back = Vec::new();
    for _ in 0..repetitions(1, 5) {
        world.lab.start_dhcp4_server("eth0", SHORT)?;
        world.lab.start_dhcp4_client("eth0", OLD)?;
        stands_by(&daemon)?;
        end(&world)?;
        serves_by_lease(&world)?;
        back.push(world.lab.host().enter(|| ipv4_is_back(server, A_WHILE))??);
        arms(&daemon)?;
        serves_by_us(&world)?;
    }
    let median = summary(figure, &mut back);
    ensure!(median <= Duration::from_millis(if is_full() { 300 } else { 3000 }), "{back:?}");
    daemon.stop()
}

#[test]
fn the_server_goes_and_the_lease_runs_out() -> Result<()> {
    a_lease_ends("e2e-dhcp-expiry", "DHCP lease expired: first IPv4 reply through us", |world| {
        world.lab.stop_dhcp4_server("eth0")
    })
}

/// Nobody is left who would take address and route away: the kernel does, when their time is over.
#[test]
fn the_client_dies_and_the_kernel_ends_its_lease() -> Result<()> {
    a_lease_ends("e2e-dhcp-crash", "DHCP client dead, address expired: first IPv4 reply through us", |world| {
        world.lab.stop_dhcp4_client("eth0", ClientEnd::Crashes)
    })
}

/// Open files of a process.
fn open_files(daemon: &Daemon) -> Result<usize> {
    Ok(std::fs::read_dir(format!("/proc/{}/fd", daemon.pid()))?.count())
}

/// A lease comes and goes, as fast as client and server can.
fn flap(world: &World) -> Result<()> {
    let routes = || world.lab.host().ip(&["-4", "route", "show", "default", "dev", "eth0"]);
    let has_lease = |wanted: bool| {
        let said = || std::fs::read_to_string(world.lab.directory().join("DHCPv4-client-eth0.log")).unwrap_or_default();
        until(PATIENCE, || Ok(routes()?.is_empty() != wanted)).with_context(|| format!("a lease: {wanted}\n{}", said()))
    };
    world.lab.start_dhcp4_client("eth0", OLD)?;
    has_lease(true)?;
    world.lab.stop_dhcp4_client("eth0", ClientEnd::Releases)?;
    has_lease(false).map(drop)
}

/// Nobody waits for the service in between.
#[test]
fn ten_leases_leave_nothing() -> Result<()> {
    let Some(world) = served(single("e2e-dhcp-flap"), Dhcp4Server::default())? else { return Ok(()) };
    // The client itself leaves a sysctl of the interface changed.
    flap(&world)?;
    let before = world.residue()?;
    let daemon = world.start()?;
    daemon.ready()?;
    serves_by_us(&world)?;
    // The tunnel is another one each time, with another number.
    let lines = |state: &HostState| {
        let lines = ["routes", "rules", "nft"].map(|name| state.section(name).map(str::to_owned).collect::<Vec<_>>());
        lines.concat()
    };
    let (armed, files) = (lines(&world.residue()?), open_files(&daemon)?);
    for _ in 0..10 {
        flap(&world)?;
    }
    arms(&daemon)?;
    serves_by_us(&world)?;
    let mut now = Vec::new();
    let same = until(PATIENCE, || {
        now = lines(&world.residue()?);
        Ok(now == armed && open_files(&daemon)? <= files)
    });
    ensure!(same.is_ok(), "before: {armed:#?}\nnow: {now:#?}\nopen files: {files}, now {}", open_files(&daemon)?);
    daemon.stop()?;
    ensure!(!has_our_route(&world)?, "a route of ours is left");
    world.assert_as_before(&before)
}

/// Standing back as long as Ethernet has IPv4, translating on Wi-Fi as soon as it has not.
#[test]
fn ethernet_with_a_lease_and_wifi_without() -> Result<()> {
    let Some(world) = served(World::new("e2e-dhcp-two", |_| ()), Dhcp4Server::default())? else { return Ok(()) };
    world.lab.start_dhcp4_client("eth0", OLD)?;
    let daemon = world.start()?;
    let server = SocketAddr::new(IpAddr::V4(world.lab.server_v4()), ECHO);
    let (mut away, mut lost) = (Vec::new(), Vec::new());
    for _ in 0..repetitions(2, 20) {
        stands_by(&daemon)?;
        serves_by_lease(&world)?;
        let events = Events::listen(world.lab.host())?;
        let stream = Stream::start(world.lab.host(), server)?;
        // So that the kernel tells at once.
        std::thread::sleep(CARRIER_PAUSE);
        world.lab.cut("eth0")?;
        let cut = events.first(|notice| *notice == Notice::Link { name: "eth0".to_owned(), running: false })?;
        until(PATIENCE, || Ok(stream.is_back_since(cut))).context("IPv4 by Wi-Fi")?;
        away.push(stream.finish().outage(cut).context("an outage that ends")?);
        let on_wifi = |status: &Status| status.uplink.as_ref().is_some_and(|uplink| uplink.name == "wlan0");
        daemon.reaches("on Wi-Fi", |status| status.clat.is_some() && on_wifi(status))?;
        serves_by_us(&world)?;
        let stream = Stream::start(world.lab.host(), server)?;
        world.lab.restore("eth0")?;
        stands_by(&daemon)?;
        lost.push(stream.finish().lost());
    }
    let median = summary("Ethernet with a DHCP lease cut: first IPv4 reply through us on Wi-Fi", &mut away);
    lost.sort_unstable();
    let (half, most) = (lost[lost.len() / 2], lost[lost.len() - 1]);
    figure("Ethernet back with a DHCP lease: probes lost", &format!("median {half}, worst {most}, n={}", lost.len()));
    ensure!(median <= Duration::from_millis(if is_full() { 300 } else { 3000 }), "{away:?}");
    // The bar for a return between two translated uplinks.
    ensure!(half == 0, "lost on the way back to Ethernet: {lost:?}");
    daemon.stop()
}

/// The network would have IPv4 for those who cannot do without, and says so (RFC 8925).
#[test]
fn the_server_prefers_ipv6_only_clients() -> Result<()> {
    let server = Dhcp4Server { lease_s: 3600, ipv6_only_s: Some(1800) };
    let Some(world) = served(single("e2e-dhcp-108"), server)? else { return Ok(()) };
    let daemon = world.start()?;
    daemon.ready()?;
    let offered =
        |status: &Status| status.interfaces.iter().find(|link| link.name == "eth0").and_then(|link| link.opt108);
    ensure!(offered(&daemon.status()?).is_none(), "nobody has asked yet: {:?}", daemon.status()?.interfaces);
    // One that knows the option takes no lease, and asks no more.
    let asked = Instant::now();
    world.lab.start_dhcp4_client("eth0", Dhcp4Client::default())?;
    let status = daemon.reaches("told of option 108", |status| offered(status).is_some())?;
    figure("DHCP option 108: in the status after the client's start", &format!("{:.1?}", asked.elapsed()));
    ensure!(offered(&status) == Some(1800) && status.clat.is_some(), "{status:?}");
    serves_by_us(&world)?;
    let addresses = world.lab.host().ip(&["-4", "address", "show", "dev", "eth0"])?;
    ensure!(addresses.trim().is_empty(), "IPv4 all the same: {addresses}");
    let said = String::from_utf8(daemon.cli(&["status", "-v"])?.stdout)?;
    ensure!(said.contains("option 108, 1800 s"), "{said}");
    // One that does not takes it, and is served.
    world.lab.start_dhcp4_client("eth0", OLD)?;
    let status = stands_by(&daemon)?;
    ensure!(offered(&status) == Some(1800), "{status:?}");
    serves_by_lease(&world)?;
    daemon.stop()
}
