//! TLS on Linux: rustls, with the roots of the distribution or of `SSL_CERT_FILE` and `SSL_CERT_DIR`.

use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Makes verified connections.
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Reads the roots afresh: an administrator may have added one.
    pub(super) fn of_system() -> io::Result<Self> {
        Self::trusting(rustls_native_certs::load_native_certs().certs)
    }

    pub(super) fn trusting(certificates: Vec<CertificateDer<'static>>) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        // Some collections have one that is no longer understood.
        let (added, _) = roots.add_parsable_certificates(certificates);
        if added == 0 {
            return Err(io::ErrorKind::NotFound.into());
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// To `host`, which may be an IPv6 address in brackets.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(name).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}
