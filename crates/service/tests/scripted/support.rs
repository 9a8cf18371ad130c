//! A service on a scripted host, and packets for it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use everclat_service::Options;
use ipc::{Client, Server};
use model::{Pref64, Status};
use platform_fake::{Fake, pref64_option};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

/// A test that waits longer than this has failed.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Service {
    pub(crate) fake: Fake,
    pub(crate) socket: PathBuf,
    pub(crate) runtime: Runtime,
    dir: TempDir,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Service {
    pub(crate) fn start(fake: &Fake) -> Self {
        Self::start_with(fake, "")
    }

    pub(crate) fn start_with(fake: &Fake, config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let options = Options {
            config: dir.path().join("config.toml"),
            policy_dir: dir.path().join("policy.d"),
            state_dir: dir.path().join("state"),
            socket: dir.path().join("everclatd.sock"),
        };
        std::fs::write(&options.config, config).unwrap();
        let socket = options.socket.clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, listening) = std::sync::mpsc::channel();
        let theirs = fake.clone();
        let thread = std::thread::spawn(move || {
            runtime().block_on(async move {
                let server = Server::bind(&options.socket, "everclatd test").await?;
                bound.send(()).unwrap();
                let stop = async move {
                    let _ = stopped.await;
                };
                everclat_service::serve(&options, server, theirs.host(), theirs.io(), theirs.clock(), stop, no_reload())
                    .await
            })
        });
        listening.recv_timeout(PATIENCE).unwrap();
        Self { fake: fake.clone(), socket, runtime: runtime(), dir, stop, thread }
    }

    /// Started, and armed with 64:ff9b::/96.
    pub(crate) fn armed(fake: &Fake) -> Self {
        let service = Self::start(fake);
        service.hear_prefix();
        service.wait_code("CL-004");
        assert!(fake.view().is_armed(), "{:?}", fake.view());
        service
    }

    /// A router announces 64:ff9b::/96, as soon as somebody listens.
    pub(crate) fn hear_prefix(&self) {
        self.fake.wait_call(platform_fake::Call::SolicitRouters, 0);
        self.fake.hear(platform_fake::ETH, &pref64_option(Pref64::WELL_KNOWN, 65_528));
    }

    pub(crate) fn client(&self) -> Client {
        self.runtime.block_on(Client::connect(&self.socket, "test")).unwrap()
    }

    pub(crate) fn status(&self) -> Status {
        let mut client = self.client();
        self.runtime.block_on(client.status()).unwrap()
    }

    /// Watches until the code is `code`.
    pub(crate) fn wait_code(&self, code: &str) -> Status {
        let mut client = self.client();
        let mut last = None;
        let watching = async {
            client.watch().await.unwrap();
            loop {
                let status = client.next().await.unwrap();
                if status.code.as_str() == code {
                    return status;
                }
                last = Some(status);
            }
        };
        match self.runtime.block_on(async { tokio::time::timeout(PATIENCE, watching).await }) {
            Ok(status) => status,
            Err(_) => panic!("waited in vain for {code}: {last:?}"),
        }
    }

    /// Asks until the status is as it should be; for counters, which are no news to watchers.
    pub(crate) fn ask_until(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        let end = Instant::now() + PATIENCE;
        loop {
            let status = self.status();
            if condition(&status) {
                return status;
            }
            assert!(Instant::now() < end, "waited in vain for {what}: {status:?}");
        }
    }

    /// Writes a policy file, as the administrator's tools do.
    pub(crate) fn policy(&self, name: &str, text: &str) -> PathBuf {
        let directory = self.dir.path().join("policy.d");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(name), text).unwrap();
        directory.join(name)
    }

    /// Tells it to stop and waits until it has.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        // It may have ended by itself.
        let _ = self.stop.send(());
        let result = self.thread.join().unwrap();
        drop(self.dir);
        result
    }

    /// Waits until it has ended by itself.
    pub(crate) fn outcome(self) -> anyhow::Result<()> {
        let result = self.thread.join().unwrap();
        drop((self.stop, self.dir));
        result
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The ones' complement sum of `parts`, the slow way.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}

fn datagram(pseudo: &[u8], ports: (u16, u16), payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let mut udp = [ports.0.to_be_bytes(), ports.1.to_be_bytes(), length.to_be_bytes(), [0, 0]].concat();
    udp.extend(payload);
    let sum = checksum(&[pseudo, &length.to_be_bytes(), &[0, 17], &udp]);
    udp[6..8].copy_from_slice(&sum.to_be_bytes());
    udp
}

/// UDP over IPv4.
pub(crate) fn udp4(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), payload: &[u8]) -> Vec<u8> {
    let addresses = [from.0.octets(), to.0.octets()].concat();
    let udp = datagram(&addresses, (from.1, to.1), payload);
    let total = u16::try_from(20 + udp.len()).unwrap().to_be_bytes();
    let mut header = vec![0x45, 0, total[0], total[1], 0, 0, 0x40, 0, 64, 17, 0, 0];
    header.extend(&addresses);
    let sum = checksum(&[&header]);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    [header, udp].concat()
}

/// UDP over IPv6.
pub(crate) fn udp6(from: (Ipv6Addr, u16), to: (Ipv6Addr, u16), payload: &[u8]) -> Vec<u8> {
    let addresses = [from.0.octets(), to.0.octets()].concat();
    let udp = datagram(&addresses, (from.1, to.1), payload);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend(u16::try_from(udp.len()).unwrap().to_be_bytes());
    packet.extend([17, 64]);
    packet.extend(&addresses);
    packet.extend(&udp);
    packet
}

/// "No route to destination" about a packet (RFC 4443 section 3.1).
pub(crate) fn unreachable6((from, to): (Ipv6Addr, Ipv6Addr), about: &[u8]) -> Vec<u8> {
    icmp6(from, to, 64, [&[1, 0, 0, 0, 0, 0, 0, 0], about].concat())
}

/// A neighbour solicitation (135) or advertisement (136) as an IPv6 packet, without options.
pub(crate) fn neighbour(kind: u8, from: Ipv6Addr, to: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let mut icmp = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    icmp.extend(target.octets());
    icmp6(from, to, 255, icmp)
}

fn icmp6(from: Ipv6Addr, to: Ipv6Addr, hops: u8, mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    let addresses = [from.octets(), to.octets()].concat();
    let sum = checksum(&[&addresses, &length, &[0, 58], &message]);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], 58, hops];
    packet.extend(addresses);
    packet.extend(message);
    packet
}

/// Nobody sends a SIGHUP.
fn no_reload() -> tokio::sync::mpsc::Receiver<()> {
    tokio::sync::mpsc::channel(1).1
}
