//! Certificates for loopback servers, and authorities that nobody else trusts.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::ClusterError;

/// A certificate authority made for one test.
pub struct CertificateAuthority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

/// A certificate and its private key, both as PEM.
pub struct Certificate {
    /// The certificate.
    pub pem: String,
    /// Its private key.
    pub key: String,
}

impl CertificateAuthority {
    /// Makes an authority with a fresh key.
    pub fn new(name: &str) -> Result<Self, ClusterError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        let issuer = Issuer::new(params, key);
        Ok(Self { issuer, pem })
    }

    /// The authority's own certificate.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// Makes a server certificate for these host names and addresses.
    pub fn issue(&self, names: &[String]) -> Result<Certificate, ClusterError> {
        self.sign(CertificateParams::new(names)?)
    }

    /// Makes a server certificate whose time is over.
    pub fn issue_expired(&self, names: &[String]) -> Result<Certificate, ClusterError> {
        let mut params = CertificateParams::new(names)?;
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Certificate, ClusterError> {
        params
            .distinguished_name
            .push(DnType::CommonName, "throwaway server");
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Certificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}
