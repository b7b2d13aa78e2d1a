//! TLS: the chain and the host name are always verified.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;
use twinkey_tls::Authorities;

use crate::authentication_guard::Guard;

/// With the authorities that the operator trusts.
pub(crate) fn client(authorities: &Authorities) -> Result<MakeRustlsConnect, rustls::Error> {
    Ok(MakeRustlsConnect::new(authorities.client()?))
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
