//! TLS: the chain and the host name are always verified.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::authentication_guard::Guard;

/// The system's authorities and the operator's. A system without any is no error here: the
/// operator's may suffice, and if not, the handshake says so.
pub(crate) fn client(
    authorities: &[CertificateDer<'static>],
) -> Result<MakeRustlsConnect, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(authorities.iter().cloned());
    // Named, not installed for the process: other parts of it may use another.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

type Unguarded = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;
type UnguardedStream = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// Makes the TLS session and puts the guard inside it.
pub(crate) struct GuardedTls {
    inner: Unguarded,
    started: Arc<AtomicBool>,
}

impl GuardedTls {
    /// For one connection to `host`. The flag tells whether the server agreed to TLS at all.
    pub(crate) fn new(client: &MakeRustlsConnect, host: &str) -> (Self, Arc<AtomicBool>) {
        let Ok(inner) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut client.clone(), host);
        let started = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&started);
        (Self { inner, started }, flag)
    }
}

/// The handshake failed: with a `rustls::Error` inside where that is the reason.
#[derive(Debug, thiserror::Error)]
#[error("TLS handshake")]
pub(crate) struct TlsFailure(pub(crate) io::Error);

impl TlsConnect<TcpStream> for GuardedTls {
    type Stream = Guard<UnguardedStream>;
    type Error = TlsFailure;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, TlsFailure>> + Send>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        self.started.store(true, Ordering::Relaxed);
        let handshake = self.inner.connect(stream);
        Box::pin(async { Ok(Guard::new(handshake.await.map_err(TlsFailure)?, true)) })
    }
}
