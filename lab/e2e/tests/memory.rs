//! What survives the service: after `kill -9` or a stop the next one goes on where it was.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use everclat_e2e::{Daemon, ECHO, PATIENCE, World, until};
use lab::{AnnouncedPref64, RaPatch};
use model::{Pref64Source, State, Status};

/// Less than a slow router takes, and than any question; plenty for a loaded machine.
const AT_ONCE: Duration = Duration::from_secs(2);
/// A remembered prefix that nobody confirms is shown with less than this.
const UNCONFIRMED_S: u64 = 31;

/// One uplink, where the router announces its resolver and nobody but that tells the prefix.
fn dns_only(name: &str) -> Result<World> {
    let world = World::new(name, |config| {
        config.uplinks.truncate(1);
        let uplink = &mut config.uplinks[0];
        uplink.translated = uplink.pref64.drain(..).map(|announced| announced.prefix).collect();
    })?;
    // The last resort where nobody else knows a resolver.
    std::fs::write(format!("/etc/netns/{}/resolv.conf", world.lab.host().name()), "")?;
    Ok(world)
}

fn one_router(name: &str) -> Result<World> {
    World::new(name, |config| config.uplinks.truncate(1))
}

/// Armed, X beyond doubt, and all that on the disk.
fn remembered(world: &World, daemon: &Daemon) -> Result<Status> {
    daemon.ready()?;
    let status = daemon.status()?;
    let x = status.clat.as_ref().context("armed")?.v6.to_string();
    until(PATIENCE, || Ok(kept(world).is_some_and(|text| text.contains(&x)))).context("X is not kept")?;
    Ok(status)
}

fn kept(world: &World) -> Option<String> {
    std::fs::read_to_string(world.state().join("memory.json")).ok()
}

fn silence(world: &World, silent: bool) -> Result<()> {
    world.lab.set_ra("eth0", RaPatch::silence(silent))?;
    Ok(())
}

fn x_and_source(status: &Status) -> Result<(std::net::Ipv6Addr, Pref64Source, u64)> {
    let first = status.pref64.first().context("a prefix")?;
    Ok((status.clat.as_ref().context("armed")?.v6, first.source, first.expires_s.context("a lifetime")?))
}

/// The network says nothing for a while: nobody could learn a prefix, and IPv4 works all the same. Then it is confirmed.
fn goes_on(world: &World, source: Pref64Source) -> Result<()> {
    type End = fn(Daemon) -> Result<()>;
    let ends: [(&str, End); 2] = [("killed", |daemon| daemon.kill().map(drop)), ("stopped", Daemon::stop)];
    for (how, end) in ends {
        silence(world, false)?;
        let daemon = world.start()?;
        let before = remembered(world, &daemon)?;
        silence(world, true)?;
        end(daemon)?;
        let daemon = world.start_verbose("")?;
        let took = world.first_reply().with_context(|| format!("{how}: {}", daemon.log()))?;
        ensure!(took < AT_ONCE, "{how}: {took:?}");
        let status = daemon.status()?;
        let (x, by, left) = x_and_source(&status)?;
        ensure!(x == x_and_source(&before)?.0, "{how}: another X");
        ensure!(by == source && left < UNCONFIRMED_S, "{how}: {:?}\n{}", status.pref64, daemon.log());
        silence(world, false)?;
        daemon.reaches("confirmed", |status| {
            x_and_source(status).is_ok_and(|(now, by, left)| now == x && by == source && left > UNCONFIRMED_S)
        })?;
        ensure!(world.udp()?.received == 10, "{how}");
        ensure!(daemon.status()?.rearms.count == 0, "{how}: nothing was interrupted");
        daemon.stop()?;
    }
    Ok(())
}

#[test]
fn a_routers_prefix_is_used_before_the_router_has_spoken() -> Result<()> {
    goes_on(&one_router("e2e-mem-ra")?, Pref64Source::Ra)
}

#[test]
fn a_prefix_of_dns_is_used_before_anybody_could_be_asked() -> Result<()> {
    goes_on(&dns_only("e2e-mem-dns")?, Pref64Source::Dns)
}

/// The app's connection has the same addresses at both ends afterwards.
#[test]
fn a_connection_lives_on_over_kill_9() -> Result<()> {
    let world = one_router("e2e-mem-tcp")?;
    let daemon = world.start()?;
    remembered(&world, &daemon)?;
    let server = SocketAddr::new(world.lab.server_v4().into(), ECHO);
    let mut stream = world.lab.host().enter(|| TcpStream::connect_timeout(&server, PATIENCE))??;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut echo = |line: &[u8; 8]| -> Result<()> {
        let mut back = [0; 8];
        stream.write_all(line)?;
        stream.read_exact(&mut back)?;
        ensure!(back == *line);
        Ok(())
    };
    echo(b"before..")?;
    silence(&world, true)?;
    daemon.kill()?;
    let daemon = world.start()?;
    echo(b"after...").with_context(|| daemon.log())?;
    daemon.stop()
}

#[test]
fn what_was_taken_back_meanwhile_is_not_used_for_long() -> Result<()> {
    let world = one_router("e2e-mem-gone")?;
    let before = world.residue()?;
    let daemon = world.start()?;
    remembered(&world, &daemon)?;
    daemon.kill()?;
    world.lab.set_ra("eth0", RaPatch::announce([]))?;
    let daemon = world.start()?;
    // The router answers at once, and says none; its resolver has the same one still.
    let by_dns = |status: &Status| status.pref64.iter().all(|known| known.source == Pref64Source::Dns);
    daemon.reaches("by DNS alone", |status| status.clat.is_some() && by_dns(status))?;
    let took = daemon.started.elapsed();
    ensure!(took < AT_ONCE, "{took:?}");
    until(PATIENCE, || Ok(kept(&world).is_some_and(|text| !text.contains("\"ra\""))))?;
    daemon.stop()?;
    world.assert_as_before(&before)
}

#[test]
fn another_prefix_takes_over_without_a_gap() -> Result<()> {
    let world = one_router("e2e-mem-other")?;
    let daemon = world.start()?;
    remembered(&world, &daemon)?;
    daemon.kill()?;
    let next: lab::Pref64 = "2001:db8:1064::/96".parse()?;
    world.lab.add_nat64("eth0", next)?;
    world.lab.set_ra("eth0", RaPatch::announce([AnnouncedPref64::new(next)]))?;
    let daemon = world.start()?;
    let status = daemon.reaches("the new one", |status| {
        status.clat.is_some() && status.pref64.iter().all(|known| known.prefix == next)
    })?;
    ensure!(status.state == State::Working && world.udp()?.received == 10, "{status:#?}");
    daemon.stop()
}

/// Whatever is in the place of the file, the service starts, says so in one line, works, and puts its own there.
#[test]
fn garbage_does_no_harm() -> Result<()> {
    type Prepare = fn(&Path) -> Result<()>;
    let prepared: [(&str, Prepare); 7] = [
        ("nothing in it", |file| Ok(std::fs::write(file, b"")?)),
        ("noise", |file| Ok(std::fs::write(file, [0xff, 0x1b, 0, 0x7f].repeat(100))?)),
        ("half of it", |file| {
            let whole = std::fs::read(file)?;
            Ok(std::fs::write(file, &whole[..whole.len() / 2])?)
        }),
        ("a later version", |file| {
            let text = std::fs::read_to_string(file)?;
            ensure!(text.contains("everclat.memory/1"));
            Ok(std::fs::write(file, text.replace("everclat.memory/1", "everclat.memory/2"))?)
        }),
        ("huge", |file| Ok(std::fs::write(file, vec![b'['; 1 << 20])?)),
        ("a link", |file| {
            std::fs::rename(file, file.with_extension("elsewhere"))?;
            Ok(symlink(file.with_extension("elsewhere"), file)?)
        }),
        ("anybody's", |file| Ok(std::fs::set_permissions(file, PermissionsExt::from_mode(0o666))?)),
    ];
    let world = one_router("e2e-mem-garbage")?;
    let daemon = world.start()?;
    remembered(&world, &daemon)?;
    daemon.stop()?;
    let file = world.state().join("memory.json");
    for (what, prepare) in prepared {
        prepare(&file).with_context(|| what.to_owned())?;
        let daemon = world.start()?;
        remembered(&world, &daemon).with_context(|| what.to_owned())?;
        ensure!(world.udp()?.received == 10, "{what}");
        let log = daemon.log();
        let warnings = log.lines().filter(|line| line.contains("WARN")).collect::<Vec<_>>();
        ensure!(warnings.len() == 1 && warnings[0].contains("former process"), "{what}: {warnings:#?}");
        ensure!(!log.contains("2001:db8:1:"), "{what}: no addresses in the log");
        daemon.stop()?;
        ensure!(std::fs::symlink_metadata(&file)?.permissions().mode() & 0o777 == 0o600, "{what}");
    }
    Ok(())
}

#[test]
fn a_disk_that_refuses_costs_one_line() -> Result<()> {
    let world = one_router("e2e-mem-full")?;
    // Even root cannot write a file there.
    std::fs::create_dir_all(world.state().join("memory.new/in the way"))?;
    let daemon = world.start()?;
    daemon.ready()?;
    until(PATIENCE, || Ok(daemon.log().contains("cannot keep what is known")))?;
    ensure!(world.udp()?.received == 10);
    std::thread::sleep(Duration::from_secs(2));
    ensure!(daemon.log().matches("cannot keep what is known").count() == 1, "{}", daemon.log());
    ensure!(kept(&world).is_none());
    daemon.stop()
}
