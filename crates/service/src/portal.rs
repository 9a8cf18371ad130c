//! The captive portal API (RFC 8908): one question over HTTPS, on the uplink that named the portal and on no other.
//!
//! When to ask is the engine's. Whatever a portal says is a stranger's word: bounded, and without control characters.

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests;
#[cfg_attr(target_os = "linux", path = "portal/rustls.rs")]
#[cfg_attr(not(target_os = "linux"), path = "portal/native.rs")]
mod tls;

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use hickory_resolver::proto::rr::RecordType;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, HOST, LOCATION};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use model::PortalAnswer;
use platform_api::UplinkSockets;
use serde_json::Value;
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::dns::{self, Outcome};
use tls::Tls;

/// RFC 8908 section 4.2.
const MEDIA_TYPE: &str = "application/captive+json";

/// The answer has a few hundred bytes.
const MAX_BODY: usize = 64 << 10;

/// No longer than what a DHCP option or an option of a router advertisement can hold (RFC 8910 section 2).
const MAX_URI: usize = 2048;

/// A portal that moves its API answers from a new place at once or after one step.
const MAX_REDIRECTS: usize = 3;

/// Behind a dead address another one may live.
const MAX_ADDRESSES: usize = 4;

/// A dead address must not cost much (RFC 8305 section 8: Connection Attempt Delay).
const HEAD_START: Duration = Duration::from_millis(250);

/// A name is looked up at the portal's own resolvers, which know it.
const LOOK_UP: Duration = Duration::from_secs(3);

/// Time for one question, the look-up of the API's name included: it is asked beside everything else, and a network that
/// takes longer is asked again.
pub const BUDGET: Duration = Duration::from_secs(10);

/// Asks the API at `uri`, which was learnt on `link`, over sockets bound to `link`, with names looked up at `servers`
/// there; for `budget` at the longest.
pub async fn ask<S: UplinkSockets>(
    sockets: &S,
    link: u32,
    servers: &[Ipv6Addr],
    uri: &str,
    budget: Duration,
) -> PortalAnswer {
    let way = Way { sockets, link, servers: &dns::endpoints(servers, link), tls: Tls::of_system };
    way.ask(uri, budget).await
}

/// Why there is no answer. No address and nothing of the portal's own words.
type Reason = &'static str;

struct Way<'a, S, T> {
    sockets: &'a S,
    link: u32,
    servers: &'a [SocketAddrV6],
    tls: T,
}

impl<S: UplinkSockets, T: Fn() -> io::Result<Tls> + Clone + Send + 'static> Way<'_, S, T> {
    async fn ask(&self, uri: &str, budget: Duration) -> PortalAnswer {
        let answer = match timeout(budget, self.follow(uri)).await {
            Ok(answer) => answer,
            Err(_) => Err("no answer in time"),
        };
        answer.unwrap_or_else(|reason| PortalAnswer::Failed { reason: reason.into() })
    }

    async fn follow(&self, uri: &str) -> Result<PortalAnswer, Reason> {
        // Reading the system's certificates takes milliseconds in which other things may run.
        let tls = tokio::task::spawn_blocking(self.tls.clone()).await;
        let tls = tls.ok().and_then(Result::ok).ok_or("no trusted certificates on this system")?;
        let mut uri = secure_uri(uri)?;
        for _ in 0..=MAX_REDIRECTS {
            let response = self.request(&tls, &uri).await?;
            if !response.0.status().is_redirection() {
                return read(response.0).await;
            }
            uri = redirected(&uri, &response.0)?;
        }
        Err("too many redirects")
    }

    /// The connection lives as long as the second value.
    async fn request(&self, tls: &Tls, uri: &Uri) -> Result<(Response<Incoming>, JoinSet<()>), Reason> {
        let host = uri.host().ok_or("not a URI with a host")?;
        let stream = self.connect(host, uri.port_u16().unwrap_or(443)).await?;
        let stream = tls.connect(host, stream).await.map_err(|_| "no trusted TLS connection")?;
        let handshake =
            hyper::client::conn::http1::Builder::new().max_buf_size(MAX_BODY).handshake(TokioIo::new(stream));
        let (mut sender, connection) = handshake.await.map_err(|_| "no HTTP connection")?;
        let mut driver = JoinSet::new();
        // What goes wrong with it, the request says too.
        driver.spawn(async { drop(connection.await) });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let authority = uri.authority().ok_or("not a URI with a host")?.as_str();
        let request = Request::get(path).header(HOST, authority).header(ACCEPT, MEDIA_TYPE);
        let request = request.body(Empty::<Bytes>::new()).map_err(|_| "not a URI to ask for")?;
        let response = sender.send_request(request).await.map_err(|_| "no HTTP answer")?;
        Ok((response, driver))
    }

    /// To the first address that takes the connection.
    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, Reason> {
        let addresses = self.addresses(host).await?;
        let mut waiting = addresses.into_iter().take(MAX_ADDRESSES);
        let mut under_way = FuturesUnordered::new();
        loop {
            if let Some(address) = waiting.next() {
                let scope = if address.is_unicast_link_local() { self.link } else { 0 };
                let to = SocketAddr::V6(SocketAddrV6::new(address, port, 0, scope));
                let socket = self.sockets.tcp(self.link).map(TcpSocket::from_std_stream);
                under_way.push(socket.map_err(|_| "the uplink is gone")?.connect(to));
            } else if under_way.is_empty() {
                return Err("cannot be reached");
            }
            tokio::select! {
                biased;
                Some(connected) = under_way.next() => if let Ok(stream) = connected {
                    return Ok(stream);
                },
                () = sleep(HEAD_START), if waiting.len() > 0 => {}
            }
        }
    }

    async fn addresses(&self, host: &str) -> Result<Vec<Ipv6Addr>, Reason> {
        if let Some(address) = literal(host) {
            return Ok(vec![address]);
        }
        if host.parse::<Ipv4Addr>().is_ok() {
            return Err("its URI has an IPv4 address");
        }
        let name = format!("{}.", host.trim_end_matches('.'));
        match dns::look_up(self.sockets, self.link, self.servers, &name, RecordType::AAAA, LOOK_UP).await {
            Outcome::Found(records, _) => Ok(dns::addresses(&records)),
            Outcome::Nothing(_) => Err("its name has no IPv6 address"),
            Outcome::Failed(_) => Err("its name cannot be looked up"),
        }
    }
}

/// `[2001:db8::1]`, as it stands in a URI.
fn literal(host: &str) -> Option<Ipv6Addr> {
    host.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Only HTTPS (RFC 8908 section 4), and no credentials for a stranger.
fn secure_uri(text: &str) -> Result<Uri, Reason> {
    if text.len() > MAX_URI {
        return Err("its URI is too long");
    }
    let uri: Uri = text.parse().map_err(|_| "not a URI")?;
    if uri.scheme_str() != Some("https") {
        return Err("its URI is not https");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err("its URI names a user");
    }
    Ok(uri)
}

/// Where `response` to `from` leads. Relative references keep scheme and host.
fn redirected(from: &Uri, response: &Response<Incoming>) -> Result<Uri, Reason> {
    let to = response.headers().get(LOCATION).and_then(|value| value.to_str().ok()).ok_or("a redirect to nowhere")?;
    if to.starts_with('/') && !to.starts_with("//") {
        let authority = from.authority().map_or("", |authority| authority.as_str());
        return secure_uri(&format!("https://{authority}{to}"));
    }
    secure_uri(to)
}

async fn read(response: Response<Incoming>) -> Result<PortalAnswer, Reason> {
    if response.status() != hyper::StatusCode::OK {
        return Err("an answer other than 200");
    }
    let body = Limited::new(response.into_body(), MAX_BODY).collect().await;
    understand(&body.map_err(|_| "an answer too long or cut short")?.to_bytes())
}

/// RFC 8908 section 5.
fn understand(body: &[u8]) -> Result<PortalAnswer, Reason> {
    let answer: Value = serde_json::from_slice(body).map_err(|_| "an answer that is not JSON")?;
    let captive = answer.get("captive").and_then(Value::as_bool).ok_or("an answer without \"captive\"")?;
    if !captive {
        return Ok(PortalAnswer::Open);
    }
    let page = answer.get("user-portal-url").and_then(Value::as_str).filter(|page| is_page(page)).map(str::to_owned);
    Ok(PortalAnswer::Captive { page })
}

/// People will be asked to open it: an ordinary address of an ordinary page and nothing else.
fn is_page(page: &str) -> bool {
    let plain = page.len() <= MAX_URI && page.bytes().all(|byte| byte.is_ascii_graphic());
    let web = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    plain && page.parse().is_ok_and(web)
}
