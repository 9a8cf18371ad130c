//! A captive portal's API (RFC 8908) behind the router, with a certificate that only those trust who were told to.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::Netns;
use rcgen::{CertificateParams, KeyPair, SanType};
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use tempfile::TempDir;

/// Serves until it is dropped.
pub(super) struct Api {
    address: SocketAddr,
    /// What it answers, and how often it was asked.
    said: Arc<Mutex<(String, usize)>>,
    directory: TempDir,
    refused: Arc<AtomicUsize>,
    over: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Api {
    /// Listens at `address` in `netns`.
    pub(super) fn start(netns: &Netns, address: IpAddr, body: &str) -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.subject_alt_names.push(SanType::IpAddress(address));
        let certificate = params.self_signed(&key)?;
        let directory = tempfile::tempdir()?;
        std::fs::write(directory.path().join("roots.pem"), certificate.pem())?;
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(anyhow::Error::msg)?;
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)?;
        let listener = netns.enter(|| TcpListener::bind((address, 0)))??;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let said = Arc::new(Mutex::new((body.to_owned(), 0)));
        let over = Arc::new(AtomicBool::new(false));
        let refused = Arc::new(AtomicUsize::new(0));
        let (config, words) = (Arc::new(config), Arc::clone(&said));
        let (end, failures) = (Arc::clone(&over), Arc::clone(&refused));
        let serving = std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Whoever does not trust it hangs up.
                    Ok((stream, _)) => match answer(stream, &config, &words) {
                        Ok(()) => {}
                        Err(_) => drop(failures.fetch_add(1, Ordering::Relaxed)),
                    },
                    Err(_) => std::thread::sleep(Duration::from_millis(5)),
                }
            }
        });
        Ok(Self { address, said, directory, refused, over, serving: Some(serving) })
    }

    pub(super) fn uri(&self) -> String {
        format!("https://{}/api", self.address)
    }

    /// The roots of whoever trusts it.
    pub(super) fn roots(&self) -> PathBuf {
        self.directory.path().join("roots.pem")
    }

    /// What it answers from now on.
    pub(super) fn says(&self, body: &str) {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).0 = body.to_owned();
    }

    /// How often somebody came and did not ask.
    pub(super) fn refused(&self) -> usize {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn asked(&self) -> usize {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).1
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(serving) = self.serving.take() {
            let _ = serving.join();
        }
    }
}

fn answer(stream: TcpStream, config: &Arc<ServerConfig>, said: &Mutex<(String, usize)>) -> Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(config))?, stream);
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    head.strip_prefix(b"GET /api HTTP/1.1\r\n").context("the one question")?;
    let body = {
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        said.1 += 1;
        said.0.clone()
    };
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: application/captive+json\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}
