//! Which authorities AWS's certificates are verified by, read from one file: a cold start opens few.

use std::path::{Path, PathBuf};

use aws_sdk_secretsmanager::config::SharedHttpClient;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Where the common systems keep all authorities in one file. Most keep each in a file of its own too, and
/// a reader without a preference opens hundreds of them.
const BUNDLES: [&str; 3] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/cert.pem",
];
/// What OpenSSL and most other clients take their authorities from, where they are set.
const BUNDLE_VARIABLE: &str = "SSL_CERT_FILE";
const FOLDER_VARIABLE: &str = "SSL_CERT_DIR";
const END: &str = "-----END CERTIFICATE-----";

/// The one TLS stack, by the authorities of one file, or by the system's own way where there is none.
pub(crate) fn https_client() -> SharedHttpClient {
    let bundle = std::env::var_os(BUNDLE_VARIABLE).map(PathBuf::from);
    let trust = match bundle {
        // The system's own way heeds both, and trusts nobody where they name nothing.
        _ if std::env::var_os(FOLDER_VARIABLE).is_some() => None,
        Some(bundle) => read(&bundle),
        None => BUNDLES.iter().find_map(|bundle| read(Path::new(bundle))),
    };
    let context = TlsContext::builder()
        .with_trust_store(trust.unwrap_or_default())
        .build();
    let client =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
    match context {
        Ok(context) => client.tls_context(context).build_https(),
        Err(_) => client.build_https(),
    }
}

/// The authorities of a bundle that can be used: the client takes no others.
fn read(bundle: &Path) -> Option<TrustStore> {
    let text = std::fs::read_to_string(bundle).ok()?;
    let usable: String = text
        .split_inclusive(END)
        .filter(|it| is_usable(it))
        .collect();
    if usable.is_empty() {
        return None;
    }
    Some(TrustStore::empty().with_pem_certificate(usable))
}

fn is_usable(certificate: &str) -> bool {
    let parsed = CertificateDer::from_pem_slice(certificate.as_bytes());
    parsed.is_ok_and(|parsed| RootCertStore::empty().add(parsed).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_certificate_costs_no_other() {
        let issuer = rcgen::generate_simple_self_signed(vec!["TEST".into()]).expect("made");
        let good = issuer.cert.pem();
        let damaged = "-----BEGIN CERTIFICATE-----\nVEVTVA==\n-----END CERTIFICATE-----\n";
        let folder = tempfile::tempdir().expect("a folder");
        let bundle = folder.path().join("bundle.pem");
        std::fs::write(&bundle, format!("{damaged}# comment\n{good}")).expect("written");
        assert!(read(&bundle).is_some());
        std::fs::write(&bundle, damaged).expect("written");
        assert!(read(&bundle).is_none());
        assert!(read(&folder.path().join("missing")).is_none());
    }
}
