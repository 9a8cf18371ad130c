//! States and their reasons, as a helpdesk would see them.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::{PATIENCE, World, until};
use lab::{Dns64, RaPatch, UplinkConfig};
use model::{Code, State};

/// One uplink without DNS64: with two, or with DNS, another way to the NAT64 would take over, which is another matter.
fn single(name: &str) -> Result<World> {
    World::new(name, |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].dns64 = Dns64::Off;
    })
}

#[test]
fn native_ipv4_comes_and_goes() -> Result<()> {
    let world = single("e2e-native")?;
    let daemon = world.start()?;
    daemon.ready()?;
    world.lab.native4("eth0", true)?;
    let begin = Instant::now();
    until(PATIENCE, || Ok(world.lab.host().run(&["ip", "route", "show", "proto", "236"])?.trim().is_empty()))?;
    let gone = begin.elapsed();
    ensure!(gone < Duration::from_secs(1), "our default stayed for {gone:?}");
    let status = daemon.reaches("standby", |status| status.state == State::StandbyNative)?;
    ensure!(status.code == Code::NativeIpv4 && status.clat.is_none() && status.plane.is_none(), "{status:#?}");
    ensure!(status.uplink.is_none(), "no plane, no uplink");
    ensure!(world.udp()?.received == 10, "native IPv4 serves");
    ensure!(daemon.cli(&["wait", "--timeout", "1s"])?.status.success(), "standby is healthy");

    world.lab.native4("eth0", false)?;
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10);
    let rearms = daemon.status()?.rearms;
    ensure!(rearms.count == 1 && rearms.last_reason.as_deref() == Some("native-ipv4"), "{rearms:?}");
    daemon.stop()
}

#[test]
fn a_withdrawn_prefix_disarms_and_a_new_one_arms() -> Result<()> {
    let world = single("e2e-withdraw")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let announced = world.lab.ra("eth0")?.config.pref64;
    world.lab.set_ra("eth0", RaPatch::withdrawn())?;
    let status = daemon.reaches("down", |status| status.state == State::Down)?;
    ensure!(status.code == Code::NoPref64 && status.pref64.is_empty() && status.clat.is_none(), "{status:#?}");
    ensure!(!status.causes.is_empty(), "a reason for the helpdesk");
    let wait = daemon.cli(&["wait", "--timeout", "200ms"])?;
    ensure!(wait.status.code() == Some(5), "{wait:?}");
    world.lab.set_ra("eth0", RaPatch::announce(announced))?;
    daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

#[test]
fn a_prefix_runs_out() -> Result<()> {
    let world = single("e2e-expire")?;
    let mut announced = world.lab.ra("eth0")?.config.pref64;
    announced[0].lifetime_s = 8;
    world.lab.set_ra("eth0", RaPatch { interval_ms: Some(600_000), ..RaPatch::announce(announced) })?;
    let daemon = world.start()?;
    daemon.ready()?;
    let first = daemon.status()?.pref64[0].expires_s;
    ensure!(first.is_some_and(|left| left <= 8), "{first:?}");
    // It would be asked in time, and answer.
    world.lab.set_ra("eth0", RaPatch { silent: Some(true), send_now: false, ..RaPatch::default() })?;
    let status = daemon.reaches("expired", |status| status.state == State::Down)?;
    ensure!(status.code == Code::Pref64Expired, "{status:#?}");
    ensure!(daemon.started.elapsed() >= Duration::from_secs(8));
    daemon.stop()
}

#[test]
fn crooked_advertisements_are_counted_and_harmless() -> Result<()> {
    let world = single("e2e-crooked")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let crooked: [&[u8]; 5] = [
        // PREF64 of 24 bytes, of 8 bytes; reserved length codes; a prefix with a u octet.
        &[38, 3, 7, 8, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[38, 1, 7, 8, 0, 0x64, 0xff, 0x9b],
        &[38, 2, 7, 8 | 6, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
        &[38, 2, 7, 8 | 7, 0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0],
        &[38, 2, 7, 8, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0x40, 0, 0, 0],
    ];
    for option in crooked {
        world.lab.set_ra("eth0", RaPatch { send_now: true, ..RaPatch::raw([option.to_vec()]) })?;
    }
    // The kernel drops a whole advertisement with a zero-length option; that must not hurt either.
    world.lab.set_ra("eth0", RaPatch { send_now: true, ..RaPatch::raw([vec![38, 0, 0, 0, 0, 0, 0, 0]]) })?;
    let status = daemon.reaches("counted", |status| status.ignored.router_options >= 5)?;
    ensure!(status.state == State::Working && status.pref64.len() == 1, "{status:#?}");
    ensure!(world.udp()?.received == 10);
    daemon.stop()
}

#[test]
fn no_link_then_a_link() -> Result<()> {
    let world = single("e2e-link")?;
    world.lab.cut("eth0")?;
    let daemon = world.start()?;
    let status = daemon.reaches("no network", |status| status.state == State::NoNetwork)?;
    ensure!(status.code == Code::NoLink, "{status:#?}");
    world.lab.restore("eth0")?;
    daemon.reaches("armed", |status| status.clat.is_some())?;
    world.first_reply()?;
    daemon.stop()
}

#[test]
fn a_network_without_nat64() -> Result<()> {
    let world = World::new("e2e-none", |config| config.uplinks = vec![UplinkConfig::new("eth0", 100, None)])?;
    let daemon = world.start()?;
    let early = daemon.reaches("an answer", |_| true)?;
    ensure!(early.state == State::Checking, "it may still come: {early:#?}");
    let status = daemon.reaches("down", |status| status.state == State::Down)?;
    ensure!(status.code == Code::NoPref64, "{status:#?}");
    ensure!(world.udp()?.sent == 0, "no route of ours where it would lead nowhere");
    daemon.stop()
}

#[test]
fn people_pause_rearm_and_check() -> Result<()> {
    let world = single("e2e-people")?;
    let daemon = world.start()?;
    daemon.ready()?;
    ensure!(daemon.cli(&["check"])?.status.code() == Some(0));

    let paused = daemon.cli(&["pause", "--for", "1h", "--reason", "a test call"])?;
    let said = String::from_utf8_lossy(&paused.stdout).into_owned();
    ensure!(paused.status.success() && said.contains("a test call"), "{paused:?}");
    ensure!(world.udp()?.sent == 0, "no IPv4 route while paused");
    ensure!(daemon.cli(&["check"])?.status.code() == Some(14));
    ensure!(daemon.cli(&["check", "--binary"])?.status.code() == Some(1));
    ensure!(daemon.cli(&["resume"])?.status.success());
    ensure!(world.udp()?.received == 10);

    // Longer than any calendar: told and taken back like any other.
    ensure!(daemon.cli(&["pause", "--for", "400000000000"])?.status.success());
    ensure!(daemon.status()?.pause.is_some_and(|pause| pause.until.as_deref() == Some("9999-12-31T23:59:59Z")));
    ensure!(daemon.cli(&["resume"])?.status.success());

    ensure!(daemon.cli(&["pause", "--for", "1s"])?.status.success());
    daemon.reaches("armed by itself", |status| status.clat.is_some())?;

    let x = daemon.status()?.clat.context("armed")?.v6;
    ensure!(daemon.cli(&["rearm"])?.status.success());
    let status = daemon.reaches("armed again", |status| status.clat.is_some())?;
    ensure!(status.clat.is_some_and(|clat| clat.v6 == x) && status.rearms.last_reason.as_deref() == Some("asked-for"));
    ensure!(world.udp()?.received == 10);

    // A user who is no administrator: reads, re-arms, pauses within limits.
    let user = |arguments: &[&str]| daemon.cli_of_user(arguments);
    daemon.open_to_users()?;
    ensure!(user(&["status"])?.status.success());
    ensure!(user(&["pause", "--for", "10m"])?.status.success());
    ensure!(user(&["resume"])?.status.success());
    let refused = user(&["pause", "--for", "2h"])?;
    ensure!(refused.status.code() == Some(4), "{refused:?}");
    ensure!(String::from_utf8_lossy(&refused.stderr).contains("60 minutes"), "{refused:?}");
    daemon.stop()
}

#[test]
fn settings_change_while_it_runs() -> Result<()> {
    let world = single("e2e-config")?;
    let daemon = world.start_with("# ours\nMtu = 1300\n")?;
    daemon.ready()?;
    let mtu = |status: &model::Status| status.clat.as_ref().map(|clat| clat.mtu);
    ensure!(mtu(&daemon.status()?) == Some(1300));
    let file = daemon.socket().with_file_name("config.toml");
    let file = file.to_str().context("a path in UTF-8")?;

    let set = daemon.cli(&["config", "set", "Mtu", "1400", "--file", file])?;
    ensure!(set.status.success(), "{set:?}");
    daemon.reaches("the new MTU", |status| mtu(status) == Some(1400))?;
    ensure!(world.say(&["ip", "route"])?.contains("mtu 1400"));
    ensure!(world.udp()?.received == 10);
    ensure!(std::fs::read_to_string(file)?.starts_with("# ours\n"), "comments stay");
    let get = daemon.cli(&["config", "get", "Mtu"])?;
    ensure!(String::from_utf8_lossy(&get.stdout) == "1400\n", "{get:?}");

    // A bad value is refused before it is written; one that somebody writes by hand leaves the last good one.
    let bad = daemon.cli(&["config", "set", "Mtu", "12", "--file", file])?;
    ensure!(bad.status.code() == Some(2) && String::from_utf8_lossy(&bad.stderr).contains("1252"), "{bad:?}");
    std::fs::write(file, "Mtu = 12\n")?;
    ensure!(daemon.cli(&["config", "validate", file])?.status.code() == Some(20));
    daemon.hang_up()?;
    until(PATIENCE, || {
        let list = daemon.cli(&["config", "list"])?;
        Ok(String::from_utf8_lossy(&list.stderr).contains("config.toml:1: Mtu: 12 is not allowed"))
    })?;
    ensure!(mtu(&daemon.status()?) == Some(1400), "the last good value stays");

    let unset = daemon.cli(&["config", "unset", "Mtu", "--file", file])?;
    ensure!(unset.status.success(), "{unset:?}");
    daemon.reaches("the default", |status| mtu(status) == Some(1472))?;
    daemon.stop()
}

#[test]
fn two_services_side_by_side() -> Result<()> {
    let (one, two) = (single("e2e-one")?, single("e2e-two")?);
    let (first, second) = (one.start()?, two.start()?);
    first.ready()?;
    second.ready()?;
    ensure!(one.udp()?.received == 10 && two.udp()?.received == 10);
    // In one and the same network they must not be two.
    let third = one
        .lab
        .host()
        .command(everclat_e2e::binary("everclatd"))
        .args(["run", "--socket"])
        .arg(first.socket().with_extension("other"))
        .arg("--state-dir")
        .arg(first.socket().with_extension("state"))
        .output()?;
    ensure!(
        !third.status.success() && String::from_utf8_lossy(&third.stderr).contains("another everclatd"),
        "{third:?}"
    );
    ensure!(one.udp()?.received == 10, "the first one goes on");
    first.stop()?;
    second.stop()
}

#[test]
fn the_socket_bears_garbage() -> Result<()> {
    let world = single("e2e-socket")?;
    let daemon = world.start()?;
    daemon.ready()?;
    let mut idle = Vec::new();
    for _ in 0..50 {
        idle.push(UnixStream::connect(daemon.socket())?);
    }
    for garbage in [&b"\0\0\0\x05hello"[..], b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n", b"\0\0\0\x02{}", b"\0"] {
        let mut stream = UnixStream::connect(daemon.socket())?;
        stream.write_all(garbage)?;
        stream.shutdown(std::net::Shutdown::Write)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        // Answered with a refusal or closed; never left hanging.
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
    }
    ensure!(daemon.status()?.state == State::Working);
    drop(idle);
    daemon.stop()
}

#[test]
fn the_command_line_says_what_is_wrong() -> Result<()> {
    let nobody = tempfile::tempdir()?;
    let socket = nobody.path().join("none.sock");
    let run = |arguments: &[&str]| {
        std::process::Command::new(everclat_e2e::binary("everclat"))
            .env("EVERCLAT_SOCKET", &socket)
            .args(arguments)
            .output()
    };
    let output = run(&["status"])?;
    ensure!(output.status.code() == Some(3) && output.stdout.is_empty(), "{output:?}");
    ensure!(String::from_utf8_lossy(&output.stderr).contains("not running"), "{output:?}");
    ensure!(run(&["wait", "--timeout", "100ms"])?.status.code() == Some(3));
    ensure!(run(&["wait", "--for", "nonsense"])?.status.code() == Some(2));
    ensure!(run(&["frobnicate"])?.status.code() == Some(2));
    let version = run(&["version"])?;
    ensure!(version.status.success() && String::from_utf8_lossy(&version.stdout).starts_with("everclat 0."));
    Ok(())
}
