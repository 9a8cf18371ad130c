//! TLS of the system itself: SChannel on Windows, Secure Transport on macOS.

use std::io;

use tokio::net::TcpStream;
use tokio_native_tls::{TlsConnector, TlsStream};

/// Makes verified connections.
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// With the roots and the policy of the system.
    pub(super) fn of_system() -> io::Result<Self> {
        native_tls::TlsConnector::new().map(|tls| Self(tls.into())).map_err(io::Error::other)
    }

    /// To `host`, which may be an IPv6 address in brackets.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = host.trim_start_matches('[').trim_end_matches(']');
        self.0.connect(name, stream).await.map_err(io::Error::other)
    }
}
