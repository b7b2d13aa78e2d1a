//! Certificates for loopback servers, and authorities that nobody else trusts.

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SignatureAlgorithm,
};

use crate::ClusterError;

const SERVER: &str = "throwaway server";

/// How an authority signs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signatures {
    /// ECDSA on P-256, with SHA-256.
    #[default]
    P256,
    /// ECDSA on P-384, with SHA-384.
    P384,
    /// Ed25519, which names no hash.
    Ed25519,
}

impl Signatures {
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &PKCS_ECDSA_P256_SHA256,
            Self::P384 => &PKCS_ECDSA_P384_SHA384,
            Self::Ed25519 => &PKCS_ED25519,
        }
    }
}

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
        Self::signing(name, Signatures::default())
    }

    /// One that signs in another way.
    pub fn signing(name: &str, signatures: Signatures) -> Result<Self, ClusterError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate_for(signatures.algorithm())?;
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
        self.sign(CertificateParams::new(names)?, SERVER)
    }

    /// Makes a server certificate whose time is over.
    pub fn issue_expired(&self, names: &[String]) -> Result<Certificate, ClusterError> {
        let mut params = CertificateParams::new(names)?;
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign(params, SERVER)
    }

    /// Makes a certificate for a client of this name.
    pub fn issue_client(&self, name: &str) -> Result<Certificate, ClusterError> {
        self.sign(client()?, name)
    }

    /// Makes a certificate for a client of this name, whose time is over.
    pub fn issue_expired_client(&self, name: &str) -> Result<Certificate, ClusterError> {
        let mut params = client()?;
        params.not_after = rcgen::date_time_ymd(2001, 1, 1);
        self.sign(params, name)
    }

    fn sign(&self, mut params: CertificateParams, name: &str) -> Result<Certificate, ClusterError> {
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Certificate {
            pem: certificate.pem(),
            key: key.serialize_pem(),
        })
    }
}

fn client() -> Result<CertificateParams, ClusterError> {
    let mut params = CertificateParams::new([])?;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}
