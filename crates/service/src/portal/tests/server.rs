//! An HTTPS server that does as it is told, and says what it was asked.

use std::net::Ipv6Addr;
use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, KeyPair, SanType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Whose certificate it is, beside `::1`.
pub(super) const NAME: &str = "portal.example";

/// A self-signed certificate and its key.
pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    pub(super) pem: String,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    pub(super) fn new() -> Self {
        Self::with(CertificateParams::new(vec![NAME.into()]).unwrap())
    }

    pub(super) fn expired() -> Self {
        let mut params = CertificateParams::new(vec![NAME.into()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        Self::with(params)
    }

    pub(super) fn of_somebody_else() -> Self {
        Self::from(&CertificateParams::new(vec!["elsewhere.example".into()]).unwrap())
    }

    fn with(mut params: CertificateParams) -> Self {
        params.subject_alt_names.push(SanType::IpAddress(Ipv6Addr::LOCALHOST.into()));
        Self::from(&params)
    }

    fn from(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let pem = certificate.pem();
        Self { certificate: certificate.der().clone(), pem, key: PrivateKeyDer::try_from(key.serialize_der()).unwrap() }
    }
}

/// Serves until it is dropped. The script says what is sent to the request with a number, counted from 0, and whether the
/// connection is closed after it.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: JoinSet<()>,
}

type Script = Arc<dyn Fn(usize, u16) -> Vec<u8> + Send + Sync>;

impl Server {
    /// With a script that also gets the port.
    pub(super) async fn start(
        identity: &Identity,
        script: impl Fn(usize, u16) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.clone()], identity.key.clone_key())
            .unwrap();
        let listener = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), Arc::new(script), Arc::clone(&asked)));
        Self { port, asked, _serving: serving }
    }

    /// Always says `body`.
    pub(super) async fn says(identity: &Identity, body: &str) -> Self {
        let response = ok(body.as_bytes());
        Self::start(identity, move |_, _| response.clone()).await
    }

    pub(super) fn uri(&self) -> String {
        format!("https://{NAME}:{}/api?v=1", self.port)
    }

    /// Heads of the requests so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// A whole answer.
pub(super) fn ok(body: &[u8]) -> Vec<u8> {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-type: application/captive+json\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// An answer without body.
pub(super) fn status(line: &str, headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 {line}\r\n{headers}content-length: 0\r\n\r\n").into_bytes()
}

async fn serve(listener: TcpListener, tls: TlsAcceptor, script: Script, asked: Arc<Mutex<Vec<String>>>) {
    let port = listener.local_addr().unwrap().port();
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, script, asked) = (tls.clone(), Arc::clone(&script), Arc::clone(&asked));
        connections.spawn(async move {
            // A client may turn away from the certificate.
            let Ok(mut stream) = tls.accept(stream).await else { return };
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let Ok(byte) = stream.read_u8().await else { return };
                head.push(byte);
            }
            let number = {
                let mut asked = asked.lock().unwrap();
                asked.push(String::from_utf8(head).unwrap());
                asked.len() - 1
            };
            let answer = script(number, port);
            if answer.is_empty() {
                std::future::pending::<()>().await;
            }
            // The client may have heard enough.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        });
    }
}
