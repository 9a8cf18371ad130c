//! Real programs' traffic, captured behind the translator and behind the NAT64, in the eyes of Wireshark.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e::{ECHO, PATIENCE, World, figure, until};
use lab::{AnnouncedPref64, Netns, Pref64, probe};
use model::{FastState, Status};
use socket2::{Domain, Protocol, Socket, Type};

use crate::packets::{DF, UDP, V4, udp};

/// What Wireshark says of a frame that somebody made badly.
const BAD: &str = "ip.checksum.status == \"Bad\" || tcp.checksum.status == \"Bad\" || udp.checksum.status == \"Bad\" || \
                   icmp.checksum.status == \"Bad\" || icmpv6.checksum.status == \"Bad\" || _ws.malformed || ip.bogus_header_length \
                   || ipv6.opt.invalid_len";
/// The same program trusts checksums unless it is told not to.
const STRICT: [&str; 5] = [
    "ip.check_checksum:TRUE",
    "tcp.check_checksum:TRUE",
    "udp.check_checksum:TRUE",
    // Reassembled or not: each fragment is looked at as it is, and the whole besides.
    "ip.defragment:TRUE",
    "ipv6.defragment:TRUE",
];

/// A running capture.
struct Capture {
    child: Child,
    file: PathBuf,
}

impl Capture {
    fn start(netns: &Netns, interface: &str, file: PathBuf) -> Result<Self> {
        let mut command = netns.command("dumpcap");
        command.args(["-q", "-i", interface, "-B", "64", "-w"]).arg(&file);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // It writes its file's head once it listens.
        until(PATIENCE, || Ok(std::fs::metadata(&file).is_ok_and(|found| found.len() > 0)))?;
        std::thread::sleep(Duration::from_millis(300));
        Ok(Self { child, file })
    }

    fn end(mut self) -> Result<PathBuf> {
        // What is on its way to it.
        std::thread::sleep(Duration::from_millis(500));
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::INT)?;
        self.child.wait()?;
        Ok(self.file)
    }
}

/// How many frames of a capture `filter` matches, and the first of them.
fn frames(file: &Path, filter: &str) -> Result<(usize, String)> {
    let mut command = Command::new("tshark");
    command.arg("-r").arg(file).args(["-n", "-Y", filter]);
    for preference in STRICT {
        command.args(["-o", preference]);
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).output().context("tshark")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stdout);
    Ok((said.lines().count(), said.lines().take(5).collect::<Vec<_>>().join("\n")))
}

/// A datagram whose checksum is wrong.
fn damaged(world: &World) -> Result<()> {
    let server = world.lab.server_v4();
    let mut message = udp(b"damaged");
    message[6] = 0x5a;
    let header = V4 {
        id: 7,
        fragment: DF,
        ttl: 64,
        tos: 0,
        protocol: UDP,
        source: [0; 4].into(),
        destination: server,
        options: &[],
    };
    let socket = world.lab.host().enter(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255))))??;
    // The kernel fills in the source.
    socket.send_to(&header.with(&message), &SocketAddr::new(IpAddr::V4(server), 0).into())?;
    Ok(())
}

fn look(name: &str, pref64: Pref64) -> Result<()> {
    let world = World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].pref64 = vec![AnnouncedPref64::new(pref64)];
    })?;
    let (host, router, inet) = (world.lab.host(), world.lab.router("eth0")?, world.lab.inet());
    // Every segment and every checksum is made by a kernel before it is captured.
    for (netns, interface) in [(host, "eth0"), (router, "lan"), (router, "inet"), (inet, "r1")] {
        netns.run(&["ethtool", "-K", interface, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off"])?;
    }
    let daemon = world.start()?;
    daemon.ready()?;
    let is_on = |status: &Status| {
        let fast = status.clat.as_ref().and_then(|clat| clat.fast_path.as_ref());
        fast.is_some_and(|fast| fast.state == FastState::On)
    };
    if pref64.is_neutral_possible() {
        daemon.reaches("the fast path on", is_on)?;
    }
    let directory = tempfile::tempdir()?;
    let cable = Capture::start(router, "lan", directory.path().join("cable.pcapng"))?;
    let server = Capture::start(inet, "r1", directory.path().join("server.pcapng"))?;

    world.tcp(4 << 20)?;
    for size in [0, 1, 100, 1231, 1232, 1233, 1444, 1445, 4000, 20_000] {
        let target = SocketAddr::new(IpAddr::V4(world.lab.server_v4()), ECHO);
        let probe = probe::Udp { size, count: 3, ..probe::Udp::to(target) };
        let report = host.enter(|| probe::udp(&probe))??;
        ensure!(report.received == 3, "{size} bytes: {report:?}");
    }
    // TAYGA cuts the replies to the last two.
    for size in [0, 1, 55, 1200, 1233, 1444] {
        ensure!(world.ping("198.51.100.10", size)?, "ping of {size} bytes");
    }
    // A closed port, and a path narrower than the link: errors in both directions.
    world.udp_to_port(9999)?;
    router.run(&["ip", "link", "set", "dev", "inet", "mtu", "1400"])?;
    let said = world.say(&["ping", "-n", "-c1", "-W2", "-M", "do", "-s", "1440", "198.51.100.10"])?;
    ensure!(said.contains("mtu = 1400"), "{said}");

    // One that is damaged when it comes to us, to see that Wireshark sees it.
    damaged(&world)?;

    let (cable, server) = (cable.end()?, server.end()?);
    let clat = daemon.status()?.clat.context("armed")?;
    let (x, fast) = (clat.v6, clat.fast_path.context("the fast path")?.packets);
    ensure!(!pref64.is_neutral_possible() || fast.out.min(fast.inward) > 500, "most goes by the fast path: {fast:?}");
    let mut seen = 0;
    for (file, least) in [
        (
            &cable,
            [
                ("tcp && ipv6", 1000),
                ("udp && ipv6", 40),
                ("icmpv6.type == 128", 4),
                ("ipv6.fraghdr", 10),
                ("icmpv6.type < 5", 1),
            ],
        ),
        (
            &server,
            [
                ("tcp && ip", 1000),
                ("udp && ip", 40),
                ("icmp.type == 8", 4),
                ("ip.flags.mf == 1", 10),
                ("icmp.type == 3", 1),
            ],
        ),
    ] {
        for (filter, least) in least {
            let (count, _) = frames(file, filter)?;
            ensure!(count >= least, "only {count} of {filter}");
        }
        // What the server itself sends is nobody's translation.
        let (bad, first) = frames(file, &format!("({BAD}) && !(ip.src == {})", world.lab.server_v4()))?;
        ensure!(bad == 1, "{bad} bad frames in {}, besides the one that is meant to be:\n{first}", file.display());
        seen += frames(file, "ip || ipv6")?.0;
    }
    // Nobody but X and the servers behind the prefix talks to each other here.
    let others =
        format!("ipv6.src == {x} && !(ipv6.dst == {pref64}) && !(ipv6.dst == fe80::/10) && !(ipv6.dst == ff02::/16)");
    let (count, first) = frames(&cable, &others)?;
    ensure!(count == 0, "to elsewhere:\n{first}");
    let (count, first) =
        frames(&cable, "arp || ip || (ipv6.nxt == 44 && ipv6.fraghdr.offset == 0 && ipv6.fraghdr.more == 0)")?;
    ensure!(count == 0, "IPv4 on the cable, or a fragment that is all:\n{first}");
    figure(&format!("frames, all but the damaged one without fault, under {pref64}"), &seen.to_string());
    daemon.stop()
}

#[test]
fn what_leaves_is_right_in_the_eyes_of_wireshark() -> Result<()> {
    look("e2e-far96", "2001:db8:64::/96".parse()?)
}

#[test]
fn what_leaves_is_right_under_a_prefix_that_changes_every_checksum() -> Result<()> {
    look("e2e-far64", "2001:db8:64:64::/64".parse()?)
}
