//! Ordinary clients of the servers, for the network that the calling thread is in.
//!
//! In a lab: `lab.host().enter(|| probe::udp(&probe::Udp::to(target)))`, or as a process of its own
//! `lab-node probe udp 198.51.100.10:7`.

use std::io::{self, BufRead, BufReader, Error, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A series of UDP datagrams to an echo server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp {
    /// The server.
    pub target: SocketAddr,
    /// How many.
    pub count: u32,
    /// Time between two.
    pub interval: Duration,
    /// How long to wait for late answers after the last one.
    pub linger: Duration,
    /// Payload bytes, at least 4.
    pub size: usize,
}

impl Udp {
    /// Ten datagrams in 100 ms.
    #[must_use]
    pub fn to(target: SocketAddr) -> Self {
        let interval = Duration::from_millis(10);
        Self { target, count: 10, interval, linger: Duration::from_secs(1), size: 64 }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UdpReport {
    /// Datagrams that the kernel took.
    pub sent: u32,
    /// Datagrams that it refused (no route, for instance).
    pub refused: u32,
    /// Different answers.
    pub received: u32,
    /// Answers that had come before.
    pub duplicates: u32,
    /// From the first datagram to the first answer.
    pub first_ms: Option<f64>,
    /// Longest time without an answer, between the first one and the last.
    pub longest_gap_ms: f64,
    /// Round-trip times: fastest, median, slowest.
    pub rtt_ms: Option<[f64; 3]>,
}

/// Sends and listens. Not connected: each datagram takes the route of its moment, as a new flow would.
///
/// # Errors
/// When no socket can be had; unanswered and refused datagrams are counted instead.
pub fn udp(probe: &Udp) -> io::Result<UdpReport> {
    let socket = UdpSocket::bind(any_for(probe.target))?;
    let listener = socket.try_clone()?;
    let start = Instant::now();
    let total = probe.interval * probe.count + probe.linger;
    std::thread::scope(|scope| {
        let answers = scope.spawn(move || collect(&listener, probe.count, start, start + total));
        let mut payload = vec![0; probe.size.max(4)];
        let mut sent_at = Vec::new();
        for number in 0..probe.count {
            let due = start + probe.interval * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            payload[..4].copy_from_slice(&number.to_be_bytes());
            let now = start.elapsed();
            sent_at.push(socket.send_to(&payload, probe.target).is_ok().then_some(now));
        }
        let answers = answers.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(udp_report(&sent_at, &answers))
    })
}

fn any_for(target: SocketAddr) -> SocketAddr {
    match target {
        SocketAddr::V4(_) => SocketAddr::from(([0; 4], 0)),
        SocketAddr::V6(_) => SocketAddr::from(([0; 16], 0)),
    }
}

/// Numbers and arrival times, until all have come or the time is over.
fn collect(socket: &UdpSocket, count: u32, start: Instant, end: Instant) -> Vec<(u32, Duration)> {
    let mut answers = Vec::new();
    let mut buffer = vec![0; 65_536];
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    while answers.len() < wanted {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            break;
        }
        // An error is a timeout, or an ICMP message about an earlier datagram.
        if let Ok((4.., _)) = socket.recv_from(&mut buffer) {
            let number = u32::from_be_bytes([buffer[0], buffer[1], buffer[2], buffer[3]]);
            answers.push((number, start.elapsed()));
        }
    }
    answers
}

fn udp_report(sent_at: &[Option<Duration>], answers: &[(u32, Duration)]) -> UdpReport {
    let ms = |duration: Duration| duration.as_secs_f64() * 1000.0;
    let total = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let mut seen = vec![false; sent_at.len()];
    let mut times = Vec::new();
    for (number, at) in answers {
        let index = usize::try_from(*number).unwrap_or(usize::MAX);
        if let (Some(Some(sent)), Some(seen @ false)) = (sent_at.get(index), seen.get_mut(index)) {
            *seen = true;
            times.push(at.saturating_sub(*sent));
        }
    }
    times.sort();
    let sent = sent_at.iter().flatten().count();
    let gaps = answers.windows(2).map(|pair| pair[1].1.saturating_sub(pair[0].1));
    UdpReport {
        sent: total(sent),
        refused: total(sent_at.len() - sent),
        received: total(times.len()),
        duplicates: total(answers.len() - times.len()),
        first_ms: answers.first().map(|(_, at)| ms(*at)),
        longest_gap_ms: gaps.max().map_or(0.0, ms),
        rtt_ms: times.first().zip(times.last()).map(|(min, max)| [ms(*min), ms(times[times.len() / 2]), ms(*max)]),
    }
}

/// A TCP echo.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TcpReport {
    /// Time until connected.
    pub connect_ms: f64,
    /// Time until everything had come back.
    pub total_ms: f64,
    /// Bytes that came back as they were sent.
    pub bytes: usize,
}

/// Connects to an echo server, sends `bytes` bytes and reads them back.
///
/// # Errors
/// When the connection fails, stalls for `timeout`, or gives back something else.
pub fn tcp(target: SocketAddr, bytes: usize, timeout: Duration) -> io::Result<TcpReport> {
    let start = Instant::now();
    let stream = connect(target, timeout)?;
    let connect_ms = start.elapsed().as_secs_f64() * 1000.0;
    let sent: Vec<u8> = (0..bytes).map(|at| u8::try_from(at % 251).unwrap_or(0)).collect();
    let mut received = vec![0; bytes];
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| (&stream).write_all(&sent));
        (&stream).read_exact(&mut received)?;
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })?;
    if received != sent {
        return Err(Error::other("the echo differs from what was sent"));
    }
    Ok(TcpReport { connect_ms, total_ms: start.elapsed().as_secs_f64() * 1000.0, bytes })
}

fn connect(target: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, timeout)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpReport {
    /// Status code.
    pub status: u16,
    /// The body; the lab's page is `server: <name> <address>` and `client: <address>`.
    pub body: String,
}

/// `GET path`. The lab's servers know `/` and `/bytes/<n>`.
///
/// # Errors
/// When the connection fails, stalls for `timeout`, or the answer is not HTTP.
pub fn http(target: SocketAddr, path: &str, timeout: Duration) -> io::Result<HttpReport> {
    let stream = connect(target, timeout)?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n");
    (&stream).write_all(request.as_bytes())?;
    let mut reader = BufReader::new(&stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let status = line.split_ascii_whitespace().nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| Error::other("the answer is not HTTP"))?;
    while !line.trim_end().is_empty() {
        line.clear();
        reader.read_line(&mut line)?;
    }
    let mut body = String::new();
    reader.read_to_string(&mut body)?;
    Ok(HttpReport { status, body })
}

/// Answer of a DNS server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsReport {
    /// 0 is NOERROR, 3 NXDOMAIN.
    pub rcode: u8,
    /// AAAA records in the order of the answer.
    pub addresses: Vec<Ipv6Addr>,
}

/// Asks `server` for the AAAA records of `name`, once.
///
/// # Errors
/// When nothing comes in `timeout`, or something that is no answer.
pub fn aaaa(server: SocketAddr, name: &str, timeout: Duration) -> io::Result<DnsReport> {
    let socket = UdpSocket::bind(any_for(server))?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(timeout))?;
    let query = dns_query(name).ok_or_else(|| Error::other("not a host name"))?;
    socket.send(&query)?;
    let mut buffer = [0; 1500];
    let length = socket.recv(&mut buffer)?;
    dns_answer(&buffer[..length], query.len()).ok_or_else(|| Error::other("malformed DNS answer"))
}

const TYPE_AAAA: u16 = 28;

fn dns_query(name: &str) -> Option<Vec<u8>> {
    // Recursion desired, one question; the lab has no spoofers, so the id is constant.
    let mut query = vec![0x64, 0x64, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.trim_end_matches('.').split('.') {
        query.push(u8::try_from(label.len()).ok().filter(|length| (1..64).contains(length))?);
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 28, 0, 1]);
    Some(query)
}

/// The question of the answer is as long as that of the query.
fn dns_answer(answer: &[u8], query_length: usize) -> Option<DnsReport> {
    let header = answer.get(..12)?;
    let records = u16::from_be_bytes([header[6], header[7]]);
    let mut rest = answer.get(query_length..)?;
    let mut addresses = Vec::new();
    for _ in 0..records {
        rest = skip_name(rest)?;
        let (fixed, data) = rest.split_at_checked(10)?;
        let length = usize::from(u16::from_be_bytes([fixed[8], fixed[9]]));
        let (data, next) = data.split_at_checked(length)?;
        if u16::from_be_bytes([fixed[0], fixed[1]]) == TYPE_AAAA {
            addresses.push(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?));
        }
        rest = next;
    }
    Some(DnsReport { rcode: header[3] & 0x0f, addresses })
}

fn skip_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        let (length, after) = rest.split_first()?;
        match length {
            0 => return Some(after),
            0xc0.. => return after.get(1..),
            _ => rest = after.get(usize::from(*length)..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_gap_is_the_longest_silence_between_answers() {
        let sent = [Some(ms(0)), Some(ms(10)), None, Some(ms(30))];
        let report = udp_report(&sent, &[(0, ms(2)), (1, ms(11)), (1, ms(12)), (3, ms(40))]);
        assert_eq!((report.sent, report.refused, report.received, report.duplicates), (3, 1, 3, 1));
        assert_eq!((report.first_ms, report.longest_gap_ms), (Some(2.0), 28.0));
        assert_eq!(report.rtt_ms, Some([1.0, 2.0, 10.0]));
    }

    #[test]
    fn nothing_answered_is_a_report_too() {
        let report = udp_report(&[Some(ms(0))], &[]);
        assert_eq!((report.received, report.first_ms, report.rtt_ms), (0, None, None));
    }

    #[test]
    fn dns_answers_are_read_behind_compressed_names() {
        let mut answer = dns_query("a.example").unwrap();
        let query_length = answer.len();
        answer[2..4].copy_from_slice(&[0x81, 0x80]);
        answer[7] = 1;
        answer.extend([0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 60, 0, 16]);
        answer.extend(Ipv6Addr::LOCALHOST.octets());
        let expected = DnsReport { rcode: 0, addresses: vec![Ipv6Addr::LOCALHOST] };
        assert_eq!(dns_answer(&answer, query_length), Some(expected));
        assert_eq!(dns_answer(&answer[..answer.len() - 1], query_length), None);
        assert_eq!(dns_query("a..b"), None);
    }
}
