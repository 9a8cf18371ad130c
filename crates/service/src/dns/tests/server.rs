//! A DNS server that does as it is told, and says what it heard, byte by byte. It shares no code with the resolver.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// `ipv4only.arpa.` on the wire.
pub(crate) const NAME: &[u8] = b"\x08ipv4only\x04arpa\0";
/// A pointer to the question's name.
pub(crate) const SAME: &[u8] = &[0xc0, 12];

const AAAA: u16 = 28;
const A: u16 = 1;
const PTR: u16 = 12;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const NS: u16 = 2;

pub(crate) const RESPONSE: u16 = 0x8180;
pub(crate) const TRUNCATED: u16 = 0x8380;
pub(crate) const SERVFAIL: u16 = 0x8182;
pub(crate) const NXDOMAIN: u16 = 0x8183;
pub(crate) const REFUSED: u16 = 0x8185;

/// One question as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub(crate) tcp: bool,
    pub(crate) from: SocketAddr,
    pub(crate) at: Instant,
    pub(crate) bytes: Vec<u8>,
}

impl Heard {
    pub(crate) fn id(&self) -> [u8; 2] {
        [self.bytes[0], self.bytes[1]]
    }

    /// The type that is asked for.
    pub(crate) fn kind(&self) -> u16 {
        let at = self.bytes.len() - 4;
        u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]])
    }

    /// Whether it is about `name`.
    pub(crate) fn is_about(&self, name: &[u8]) -> bool {
        self.bytes[12..].starts_with(name)
    }

    /// An answer with this question's id and question section.
    pub(crate) fn answer(&self, flags: u16, answers: &[Vec<u8>], authority: &[Vec<u8>]) -> Vec<u8> {
        let mut message = self.id().to_vec();
        message.extend(flags.to_be_bytes());
        let count = |records: &[Vec<u8>]| u16::try_from(records.len()).unwrap();
        for number in [1, count(answers), count(authority), 0] {
            message.extend(number.to_be_bytes());
        }
        message.extend(&self.bytes[12..]);
        message.extend(answers.concat());
        message.extend(authority.concat());
        message
    }
}

/// Serves until it is dropped. The script says what is said to the question with a number, counted from 0: any number of
/// messages.
pub(crate) struct Server {
    pub(crate) address: SocketAddrV6,
    state: Arc<Mutex<State>>,
    tasks: JoinSet<()>,
}

struct State {
    script: Script,
    heard: Vec<Heard>,
}

type Script = Box<dyn FnMut(usize, &Heard) -> Vec<Vec<u8>> + Send>;

impl Server {
    /// On UDP and TCP.
    pub(crate) async fn start(script: impl FnMut(usize, &Heard) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
            // The other tests' sockets sit on ports drawn by lot; this one may be among them.
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let mut server = Self::on(udp, script);
        server.tasks.spawn(serve_tcp(tcp, Arc::clone(&server.state)));
        server
    }

    /// On UDP; TCP connections are refused.
    pub(crate) async fn udp_only(script: impl FnMut(usize, &Heard) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        Self::on(UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap(), script)
    }

    fn on(udp: UdpSocket, script: impl FnMut(usize, &Heard) -> Vec<Vec<u8>> + Send + 'static) -> Self {
        let address = SocketAddrV6::new(Ipv6Addr::LOCALHOST, udp.local_addr().unwrap().port(), 0, 0);
        let state = Arc::new(Mutex::new(State { script: Box::new(script), heard: Vec::new() }));
        let mut tasks = JoinSet::new();
        tasks.spawn(serve_udp(udp, Arc::clone(&state)));
        Self { address, state, tasks }
    }

    pub(crate) async fn silent() -> Self {
        Self::start(|_, _| Vec::new()).await
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
    }
}

fn hear(state: &Mutex<State>, heard: Heard) -> Vec<Vec<u8>> {
    let State { script, heard: all } = &mut *state.lock().unwrap();
    let answers = script(all.len(), &heard);
    all.push(heard);
    answers
}

async fn serve_udp(socket: UdpSocket, state: Arc<Mutex<State>>) {
    let mut buffer = [0; 2048];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let heard = Heard { tcp: false, from, at: Instant::now(), bytes: buffer[..length].to_vec() };
        for answer in hear(&state, heard) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

async fn serve_tcp(listener: TcpListener, state: Arc<Mutex<State>>) {
    loop {
        let (mut stream, from) = listener.accept().await.unwrap();
        let Ok(length) = stream.read_u16().await else { continue };
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await.unwrap();
        let heard = Heard { tcp: true, from, at: Instant::now(), bytes };
        for answer in hear(&state, heard) {
            stream.write_u16(u16::try_from(answer.len()).unwrap()).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    }
}

fn record(owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = owner.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend(1u16.to_be_bytes());
    record.extend(ttl.to_be_bytes());
    record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    record.extend(data);
    record
}

pub(crate) fn aaaa(owner: &[u8], ttl: u32, address: &str) -> Vec<u8> {
    record(owner, AAAA, ttl, &address.parse::<Ipv6Addr>().unwrap().octets())
}

pub(crate) fn a(owner: &[u8], ttl: u32, address: &str) -> Vec<u8> {
    record(owner, A, ttl, &address.parse::<Ipv4Addr>().unwrap().octets())
}

pub(crate) fn ptr(owner: &[u8], target: &[u8]) -> Vec<u8> {
    record(owner, PTR, 600, target)
}

pub(crate) fn cname(owner: &[u8], ttl: u32, target: &[u8]) -> Vec<u8> {
    record(owner, CNAME, ttl, target)
}

pub(crate) fn ns(owner: &[u8], target: &[u8]) -> Vec<u8> {
    record(owner, NS, 3600, target)
}

pub(crate) fn soa(ttl: u32, minimum: u32) -> Vec<u8> {
    let mut data = b"\x03sns\x03dns\x05icann\x03org\0\x03noc\x03dns\x05icann\x03org\0".to_vec();
    for number in [2_026_112_100, 7200, 3600, 604_800, minimum] {
        data.extend(u32::to_be_bytes(number));
    }
    record(NAME, SOA, ttl, &data)
}

/// The time between two questions.
pub(crate) fn gap(first: &Heard, second: &Heard) -> Duration {
    second.at.duration_since(first.at)
}
