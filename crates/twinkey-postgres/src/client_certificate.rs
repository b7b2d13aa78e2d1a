//! A client certificate, by which the admin proves who it is within TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::client::ResolvesClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};
use twinkey_core::DocumentError;
use twinkey_document::{Fields, optional_text, text};

/// A certificate, its chain and its private key.
#[derive(Clone)]
pub(crate) struct ClientCertificate(Arc<CertifiedKey>);

impl ClientCertificate {
    /// From `sslcert` and `sslkey`: libpq's names, but PEM itself instead of a file's path.
    pub(crate) fn from_fields(fields: &Fields) -> Result<Option<Self>, DocumentError> {
        if optional_text(fields, "sslcert")?.is_none() && optional_text(fields, "sslkey")?.is_none()
        {
            return Ok(None);
        }
        let chain = chain(&text(fields, "sslcert")?)?;
        let key = private_key(&text(fields, "sslkey")?)?;
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let certified =
            CertifiedKey::from_der(chain, key, &provider).map_err(|error| unusable(&error))?;
        Ok(Some(Self(Arc::new(certified))))
    }

    /// For one handshake.
    pub(crate) fn presenter(&self) -> Arc<Presenter> {
        Arc::new(Presenter {
            certified: Arc::clone(&self.0),
            presented: AtomicBool::new(false),
        })
    }
}

fn chain(pem: &str) -> Result<Vec<CertificateDer<'static>>, DocumentError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match chain {
        Ok(chain) if !chain.is_empty() => Ok(chain),
        _ => {
            let problem = "holds no PEM certificate, or a damaged one; \
                 it is the certificate itself, not the path of a file";
            Err(DocumentError::new("sslcert", problem))
        }
    }
}

fn private_key(pem: &str) -> Result<PrivateKeyDer<'static>, DocumentError> {
    let problem = if pem.contains("ENCRYPTED") {
        "is encrypted; write it without a passphrase: openssl pkcs8 -topk8 -nocrypt"
    } else {
        "holds no PEM private key, or a damaged one; it is the key itself, not the path of a file"
    };
    PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| DocumentError::new("sslkey", problem))
}

fn unusable(error: &rustls::Error) -> DocumentError {
    match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            DocumentError::new("sslkey", "is not the key of the certificate in sslcert")
        }
        rustls::Error::InvalidCertificate(_) => {
            DocumentError::new("sslcert", "does not begin with an X.509 certificate")
        }
        _ => DocumentError::new("sslkey", "is a private key of a kind that TLS does not use"),
    }
}

/// Shows the certificate to a server that asks for one, and remembers whether it did.
#[derive(Debug)]
pub(crate) struct Presenter {
    certified: Arc<CertifiedKey>,
    presented: AtomicBool,
}

impl Presenter {
    /// Whether the server has asked and got it.
    pub(crate) fn has_presented(&self) -> bool {
        self.presented.load(Ordering::Relaxed)
    }
}

impl ResolvesClientCert for Presenter {
    /// Whose authorities the server trusts does not matter: if ours is not among them, it says so.
    fn resolve(
        &self,
        _authorities: &[&[u8]],
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        // Without a scheme in common, rustls would show nothing.
        self.certified.key.choose_scheme(schemes)?;
        self.presented.store(true, Ordering::Relaxed);
        Some(Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
