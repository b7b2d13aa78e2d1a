//! TLS: the chain and the host name are always verified.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::ClientConfig;
use rustls::client::Resumption;
use tokio::net::TcpStream;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::authentication_guard::{Guard, Terms};
use crate::client_certificate::Presenter;
use crate::connection::{Login, Proof};

type Unguarded = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::TlsConnect;
type UnguardedStream = <MakeRustlsConnect as MakeTlsConnect<TcpStream>>::Stream;

/// Makes the TLS session and puts the guard inside it.
pub(crate) struct GuardedTls {
    inner: Unguarded,
    started: Arc<AtomicBool>,
    terms: Terms,
    presenter: Option<Arc<Presenter>>,
}

impl GuardedTls {
    /// For one login. The flag tells whether the server agreed to TLS at all.
    pub(crate) fn new(client: &ClientConfig, login: &Login<'_>) -> (Self, Arc<AtomicBool>) {
        let mut client = client.clone();
        let presenter = match &login.proof {
            Proof::Certificate(certificate, _) => Some(certificate.presenter()),
            Proof::Password(_) | Proof::Token(_) => None,
        };
        if let Some(presenter) = &presenter {
            client.client_auth_cert_resolver = Arc::clone(presenter) as _;
            // A resumed session would show no certificate again.
            client.resumption = Resumption::disabled();
        }
        let mut client = MakeRustlsConnect::new(client);
        let host = &login.address.host;
        let Ok(inner) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut client, host);
        let started = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&started);
        let guarded = Self {
            inner,
            started,
            terms: login.terms(),
            presenter,
        };
        (guarded, flag)
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
        let (terms, presenter) = (self.terms, self.presenter);
        Box::pin(async move {
            let stream = handshake.await.map_err(TlsFailure)?;
            let shown = presenter.is_some_and(|presenter| presenter.has_presented());
            Ok(Guard::new(stream, terms.after_handshake(shown)))
        })
    }
}
