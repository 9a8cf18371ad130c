//! An uplink slower than what apps send: nothing of ours waits for it.

use std::net::{IpAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use everclat_e2e::World;
use lab::{AnnouncedPref64, Nat64, Pref64};

/// Nobody else listens there.
const STREAM: u16 = 9002;
const FLOOD: u16 = 9003;
/// What the server sends, one every [`PAUSE`].
const DATAGRAMS: usize = 150;
const PAUSE: Duration = Duration::from_millis(10);

/// An app sends a hundred times as much as the uplink takes, which has a long queue. Meanwhile replies to another app
/// come in as they were sent, and Everclat pauses as soon as it is told to.
#[test]
fn what_comes_in_and_who_commands_do_not_wait_for_a_full_uplink() -> Result<()> {
    let pref64: Pref64 = "2001:db8:64::/96".parse()?;
    let world = World::new("e2e-slow", |config| {
        config.uplinks.truncate(1);
        config.uplinks[0].nat64 = Nat64::Reflector;
        config.uplinks[0].pref64 = vec![AnnouncedPref64::new(pref64)];
    })?;
    let daemon = world.start_with("FastPath = \"off\"\n")?;
    daemon.ready()?;
    let (host, server) = (world.lab.host(), world.lab.server_v4());
    let far = world.lab.router("eth0")?.enter(|| UdpSocket::bind((IpAddr::V6(pref64.embed(server)), STREAM)))??;
    let app = host.enter(|| UdpSocket::bind(("0.0.0.0", 0)))??;
    app.connect((server, STREAM))?;
    app.send(b"begin")?;
    far.set_read_timeout(Some(Duration::from_secs(5)))?;
    let (_, x) = far.recv_from(&mut [0; 64]).context("the request never came")?;
    host.run(&["tc", "qdisc", "add", "dev", "eth0", "root", "tbf", "rate", "1mbit", "burst", "5k", "limit", "50mb"])?;

    let flood = host.enter(|| UdpSocket::bind(("0.0.0.0", 0)))??;
    flood.connect((server, FLOOD))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| -> Result<()> {
        scope.spawn(|| {
            let end = Instant::now() + Duration::from_secs(20);
            while !over.load(Ordering::Relaxed) && Instant::now() < end {
                for _ in 0..16 {
                    let _ = flood.send(&[0; 1200]);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let result = judge(&daemon, &far, &app, x);
        over.store(true, Ordering::Relaxed);
        result
    })?;
    daemon.stop()
}

fn judge(daemon: &everclat_e2e::Daemon, far: &UdpSocket, app: &UdpSocket, x: std::net::SocketAddr) -> Result<()> {
    // Until the uplink is full, and whoever waits for it does.
    std::thread::sleep(Duration::from_millis(700));
    app.set_read_timeout(Some(Duration::from_secs(1)))?;
    let (mut latest, mut longest) = (Instant::now(), Duration::ZERO);
    for number in 0..DATAGRAMS {
        far.send_to(&number.to_be_bytes(), x)?;
        app.recv(&mut [0; 64]).with_context(|| format!("datagram {number} never came"))?;
        longest = longest.max(latest.elapsed());
        latest = Instant::now();
        std::thread::sleep(PAUSE);
    }
    println!("longest pause between replies, one every {PAUSE:?}: {longest:?}");
    ensure!(longest < Duration::from_millis(500), "replies waited: {longest:?}");
    let clat = daemon.status()?.clat.context("armed")?;
    let begin = Instant::now();
    ensure!(daemon.cli(&["pause"])?.status.success());
    daemon.reaches("paused", |status| status.state == model::State::Paused)?;
    println!("paused after {:?}", begin.elapsed());
    ensure!(begin.elapsed() < Duration::from_secs(1), "pausing waited: {:?}", begin.elapsed());
    println!("refused by the uplink: {:?}", clat.drops);
    ensure!(clat.drops.contains_key(model::SEND_ERROR), "it was never full, so this proves nothing: {clat:?}");
    Ok(())
}
