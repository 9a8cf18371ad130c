//! Small servers: HTTP that tells what it sees, TCP and UDP echo (RFC 862).

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;

pub(crate) const HTTP_PORT: u16 = 80;
pub(crate) const ECHO_PORT: u16 = 7;
/// Idle connections of a forgotten test end some day.
const IDLE: Duration = Duration::from_secs(600);
/// Largest page of `/bytes/<n>`.
const MAX_PAGE: u64 = 1 << 30;

pub(super) fn run(name: String, tcp: bool, udp: &[IpAddr]) -> anyhow::Result<()> {
    let name: Arc<str> = name.into();
    let mut threads = Vec::new();
    // One socket per address, so that each answer comes from the address that was asked.
    for address in udp {
        let at = SocketAddr::new(*address, ECHO_PORT);
        let socket = UdpSocket::bind(at).with_context(|| format!("UDP echo on {at}"))?;
        threads.push(thread::spawn(move || echo_udp(&socket)));
    }
    if tcp {
        threads.push(listen(ECHO_PORT, echo_tcp)?);
        threads.push(listen(HTTP_PORT, move |stream| serve_page(&stream, &name))?);
    }
    for thread in threads {
        if thread.join().is_err() {
            anyhow::bail!("a server has panicked");
        }
    }
    Ok(())
}

/// Serves `port` on all addresses of both families, each connection on a thread.
fn listen(
    port: u16,
    serve: impl Fn(TcpStream) -> io::Result<()> + Clone + Send + 'static,
) -> anyhow::Result<thread::JoinHandle<()>> {
    let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).with_context(|| format!("TCP port {port}"))?;
    Ok(thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            let handled = stream.and_then(|stream| {
                stream.set_read_timeout(Some(IDLE))?;
                thread::Builder::new().spawn(move || serve(stream))
            });
            if let Err(error) = handled {
                eprintln!("port {port}: {error}");
                thread::sleep(Duration::from_millis(10));
            }
        }
    }))
}

fn echo_udp(socket: &UdpSocket) {
    let mut buffer = vec![0; 65_536];
    loop {
        // Errors are those of earlier answers (port unreachable).
        if let Ok((length, from)) = socket.recv_from(&mut buffer) {
            drop(socket.send_to(&buffer[..length], from));
        }
    }
}

fn echo_tcp(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 65_536];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            length => stream.write_all(&buffer[..length])?,
        }
    }
}

fn serve_page(stream: &TcpStream, name: &str) -> io::Result<()> {
    let mut reader = BufReader::new(stream.take(16 * 1024));
    let mut request = String::new();
    reader.read_line(&mut request)?;
    let mut header = String::from("start");
    while !header.trim_end().is_empty() {
        header.clear();
        reader.read_line(&mut header)?;
    }
    let path = request.split_ascii_whitespace().nth(1).unwrap_or("/");
    if let Some(length) = path.strip_prefix("/bytes/").and_then(|n| n.parse::<u64>().ok()) {
        let length = length.min(MAX_PAGE);
        write_head(stream, length)?;
        io::copy(&mut io::repeat(b'.').take(length), &mut &*stream)?;
        return Ok(());
    }
    let page = page(name, stream.peer_addr()?, stream.local_addr()?);
    write_head(stream, u64::try_from(page.len()).unwrap_or(u64::MAX))?;
    (&*stream).write_all(page.as_bytes())
}

fn write_head(mut stream: &TcpStream, length: u64) -> io::Result<()> {
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())
}

fn page(name: &str, client: SocketAddr, server: SocketAddr) -> String {
    let (client, server) = (client.ip().to_canonical(), server.ip().to_canonical());
    format!("server: {name} {server}\nclient: {client}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_ipv4_clients_as_ipv4() {
        let client = "[::ffff:10.64.1.2]:5000".parse().unwrap();
        let server = "[::ffff:198.51.100.10]:80".parse().unwrap();
        assert_eq!(page("inet", client, server), "server: inet 198.51.100.10\nclient: 10.64.1.2\n");
    }
}
