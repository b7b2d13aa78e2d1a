//! The private key of an App, made for one test.

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// An App's key pair: 2048 bits, as GitHub makes them.
pub struct AppKey(KeyPair);

impl fmt::Debug for AppKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AppKey")
    }
}

impl AppKey {
    /// A fresh one.
    #[must_use]
    pub fn generate() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("a key"))
    }

    /// The private half as a PEM of PKCS#8.
    #[must_use]
    pub fn pkcs8_pem(&self) -> String {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a key");
        pem("PRIVATE KEY", der.as_ref())
    }

    /// The private half as GitHub gives it: a PEM of PKCS#1.
    #[must_use]
    pub fn pem(&self) -> String {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a key");
        // PKCS#8 wraps PKCS#1: version and algorithm before it, nothing after it.
        let at = octet_string(der.as_ref()).expect("PKCS#8") + 4;
        pem("RSA PRIVATE KEY", &der.as_ref()[at..])
    }

    /// Signs by PKCS#1 v1.5 over SHA-256, as KMS does for `RSASSA_PKCS1_V1_5_SHA_256`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = SystemRandom::new();
        let signed = self
            .0
            .sign(&RSA_PKCS1_SHA256, &random, message, &mut signature);
        signed.expect("a signature");
        signature
    }

    /// The public half, by which a server checks signatures: PKCS#1 in DER.
    #[must_use]
    pub fn public_der(&self) -> Vec<u8> {
        self.0.public_key().as_ref().to_vec()
    }
}

/// Where the octet string begins that holds the rest: its length in two bytes.
fn octet_string(der: &[u8]) -> Option<usize> {
    (0..der.len().saturating_sub(4)).find(|at| {
        let length = usize::from(der[at + 2]) * 256 + usize::from(der[at + 3]);
        der[*at] == 0x04 && der[at + 1] == 0x82 && at + 4 + length == der.len()
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let lines: Vec<&str> = text
        .as_bytes()
        .chunks(64)
        .map(|line| std::str::from_utf8(line).expect("base64"))
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}
