//! The probes on the command line.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use clap::Subcommand;
use serde::Serialize;

use crate::probe;
use crate::ra::wire;
use crate::sys::IcmpSocket;

/// Each prints its report as one line of JSON.
#[derive(Debug, Subcommand)]
pub(super) enum Probe {
    /// UDP echo, e.g. 198.51.100.10:7.
    Udp {
        target: SocketAddr,
        #[arg(long, default_value_t = 10)]
        count: u32,
        #[arg(long, default_value_t = 10)]
        interval_ms: u64,
        #[arg(long, default_value_t = 1000)]
        linger_ms: u64,
        #[arg(long, default_value_t = 64)]
        size: usize,
    },
    /// TCP echo.
    Tcp {
        target: SocketAddr,
        #[arg(long, default_value_t = 1000)]
        bytes: usize,
        #[arg(long, default_value_t = 3000)]
        timeout_ms: u64,
    },
    /// A page, e.g. of 198.51.100.10:80.
    Http {
        target: SocketAddr,
        #[arg(long, default_value = "/")]
        path: String,
        #[arg(long, default_value_t = 3000)]
        timeout_ms: u64,
    },
    /// AAAA records from a server, e.g. [2001:db8:53:1::53]:53.
    Dns {
        server: SocketAddr,
        name: String,
        #[arg(long, default_value_t = 1000)]
        timeout_ms: u64,
    },
    /// Router advertisements on an interface, as they come.
    Ra {
        interface: String,
        #[arg(long, default_value_t = 1)]
        count: u32,
        #[arg(long, default_value_t = 10_000)]
        timeout_ms: u64,
    },
}

impl Probe {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let ms = Duration::from_millis;
        match self {
            Self::Udp { target, count, interval_ms, linger_ms, size } => {
                let (interval, linger) = (ms(interval_ms), ms(linger_ms));
                let report = probe::udp(&probe::Udp { target, count, interval, linger, size })?;
                print(&report)?;
                anyhow::ensure!(report.received > 0, "no answer from {target}");
            }
            Self::Tcp { target, bytes, timeout_ms } => print(&probe::tcp(target, bytes, ms(timeout_ms))?)?,
            Self::Http { target, path, timeout_ms } => print(&probe::http(target, &path, ms(timeout_ms))?)?,
            Self::Dns { server, name, timeout_ms } => print(&probe::aaaa(server, &name, ms(timeout_ms))?)?,
            Self::Ra { interface, count, timeout_ms } => hear_routers(&interface, count, ms(timeout_ms))?,
        }
        Ok(())
    }
}

fn print(report: &impl Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(report)?);
    Ok(())
}

#[derive(Serialize)]
struct Heard {
    ms: u128,
    source: std::net::Ipv6Addr,
    /// `None` when malformed.
    ra: Option<crate::RaConfig>,
}

fn hear_routers(interface: &str, count: u32, timeout: Duration) -> anyhow::Result<()> {
    let socket = IcmpSocket::open(interface)?;
    let start = Instant::now();
    let mut buffer = [0; 65_536];
    let mut heard = 0;
    while heard < count {
        let left = timeout.saturating_sub(start.elapsed());
        anyhow::ensure!(!left.is_zero(), "{heard} of {count} advertisements heard on {interface}");
        socket.set_timeout(left)?;
        let Ok((length, source)) = socket.receive(&mut buffer) else { continue };
        if buffer[0] == wire::ROUTER_ADVERTISEMENT {
            heard += 1;
            print(&Heard { ms: start.elapsed().as_millis(), source, ra: wire::decode(&buffer[..length]).ok() })?;
        }
    }
    Ok(())
}
