//! A system bus of the test's own, with a stand-in for NetworkManager in the host's network.

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, Result, ensure};
use futures::StreamExt;
use lab::Netns;
use tempfile::TempDir;
use zbus::message::Type;
use zbus::{Message, MessageStream, ObjectPath, Variant};

const NAME: &str = "org.freedesktop.NetworkManager";
const DEVICE: &str = "/org/freedesktop/NetworkManager/Devices/2";
const LEASE: &str = "/org/freedesktop/NetworkManager/DHCP6Config/2";
/// Says that this process is the stand-in, and which bus it is on.
const ADDRESS: &str = "EVERCLAT_TEST_BUS";
/// What the DHCPv6 server named.
const SERVERS: &str = "EVERCLAT_TEST_NAME_SERVERS";
/// That it is on the bus.
const HERE: &str = "the stand-in is on the bus";

const CONFIG: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=LISTEN</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="false"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
    <allow user="*"/>
  </policy>
</busconfig>
"#;

/// Bus and stand-in; both end with the value.
pub(super) struct Bus {
    pub(super) address: String,
    children: Vec<Child>,
    _directory: TempDir,
}

impl Bus {
    /// The stand-in is the test program itself, run once more with `test` as its only test: a service counts only when
    /// its process is in the network that it speaks of.
    pub(super) fn start(host: &Netns, test: &str, servers: &str) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("bus");
        let config = directory.path().join("config");
        std::fs::write(&config, CONFIG.replace("LISTEN", socket.to_str().context("a path in UTF-8")?))?;
        let address = format!("unix:path={}", socket.display());
        let mut bus = Self { address, children: Vec::new(), _directory: directory };
        let mut daemon = host.command("dbus-daemon");
        daemon.arg(format!("--config-file={}", config.display()));
        daemon.args(["--nofork", "--nopidfile", "--print-address"]).stdout(Stdio::piped()).stderr(Stdio::null());
        bus.children.push(daemon.spawn()?);
        bus.hears("unix:")?;
        let mut stand_in = host.command(std::env::current_exe()?);
        stand_in.args(["--exact", test, "--nocapture"]).stdout(Stdio::piped());
        stand_in.env(ADDRESS, &bus.address).env(SERVERS, servers);
        bus.children.push(stand_in.spawn()?);
        bus.hears(HERE)?;
        Ok(bus)
    }

    /// Waits until the last child says a line that begins so.
    fn hears(&mut self, wanted: &str) -> Result<()> {
        let said = self.children.last_mut().and_then(|child| child.stdout.as_mut()).context("its output")?;
        let found = BufReader::new(said).lines().map_while(Result::ok).any(|line| line.contains(wanted));
        ensure!(found, "never said: {wanted}");
        Ok(())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Plays NetworkManager if this process is there for that; does not end then.
pub(super) fn stand_in() -> Result<()> {
    let Ok(address) = std::env::var(ADDRESS) else { return Ok(()) };
    let servers = std::env::var(SERVERS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let bus = zbus::connection::Builder::address(address.as_str()).build().await?;
        let mut messages = MessageStream::from(&bus);
        bus.request_name(NAME).await?;
        println!("{HERE}");
        while let Some(Ok(message)) = messages.next().await {
            if message.message_type() == Type::MethodCall {
                bus.send(&answer(&message, &servers)?).await?;
            }
        }
        anyhow::bail!("the bus has ended")
    })
}

fn answer(call: &Message, servers: &str) -> Result<Message> {
    let header = call.header();
    let reply = Message::method_return(&header);
    let path = |path: &'static str| ObjectPath::try_from(path).map(Variant::from);
    Ok(match header.member().context("a member")?.as_str() {
        "GetAllDevices" => reply.build(&vec![ObjectPath::try_from(DEVICE)?])?,
        "GetAll" => reply.build(&HashMap::from([
            ("DeviceType", Variant::from(1_u32)),
            ("Managed", Variant::from(true)),
            ("Interface", Variant::from("eth0")),
            ("Dhcp6Config", path(LEASE)?),
        ]))?,
        "Get" => reply.build(&Variant::from(HashMap::from([("dhcp6_name_servers", Variant::from(servers))])))?,
        other => anyhow::bail!("asked for {other}"),
    })
}
