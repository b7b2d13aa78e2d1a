#![doc = include_str!("../README.md")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A PEM file with authorities to trust besides the system's.
pub const CA_BUNDLE: &str = "TWINKEY_CA_BUNDLE";

/// Whom to trust besides the system's authorities.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// The bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// It cannot be read.
    #[error("{CA_BUNDLE}: reading {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is not what it should be.
    #[error("{CA_BUNDLE}: {} holds no PEM certificate, or a damaged one", path.display())]
    NotPem {
        /// The file.
        path: PathBuf,
    },
}

impl Authorities {
    /// Reads [`CA_BUNDLE`] through `variable`, and the file that it names; an unset one is `None`.
    pub fn from_env(variable: impl Fn(&str) -> Option<String>) -> Result<Self, BundleError> {
        match variable(CA_BUNDLE).filter(|path| !path.is_empty()) {
            Some(path) => Self::from_file(Path::new(&path)),
            None => Ok(Self::default()),
        }
    }

    /// The authorities in a PEM file: one at least.
    pub fn from_file(path: &Path) -> Result<Self, BundleError> {
        let text = std::fs::read(path).map_err(|source| BundleError::Unreadable {
            path: path.to_owned(),
            source,
        })?;
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
        match certificates {
            Ok(certificates) if !certificates.is_empty() => Ok(Self(certificates)),
            _ => Err(BundleError::NotPem {
                path: path.to_owned(),
            }),
        }
    }

    /// Whether only the system's authorities are trusted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A client that trusts them and the system's. A system without any is no error here: the operator's may
    /// suffice, and if not, the handshake says so.
    pub fn client(&self) -> Result<ClientConfig, rustls::Error> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        roots.add_parsable_certificates(self.0.iter().cloned());
        // Named, not installed for the process: other parts of it may use another.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(config)
    }
}
