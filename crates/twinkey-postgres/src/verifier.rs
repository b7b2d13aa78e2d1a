//! SCRAM-SHA-256 verifiers: what a server keeps instead of a password.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use postgres_protocol::password::scram_sha_256;
use secrecy::{ExposeSecret, SecretString};

use crate::error::PostgresError;

/// A verifier of the exact form that a server recognises. It is still worth guarding: it allows
/// offline guessing.
pub(crate) struct Verifier(String);

impl Verifier {
    /// Computes the verifier of a password, with a fresh salt.
    pub(crate) fn of(password: &SecretString) -> Result<Self, PostgresError> {
        Self::parse(scram_sha_256(password.expose_secret().as_bytes()))
    }

    /// A server takes a malformed verifier for a password in clear, logs it, and accepts that
    /// very text as the password from then on: so its form is checked before it is sent.
    /// <https://www.postgresql.org/docs/current/catalog-pg-authid.html>
    fn parse(text: String) -> Result<Self, PostgresError> {
        if is_verifier(&text) {
            Ok(Self(text))
        } else {
            Err(PostgresError::MalformedVerifier)
        }
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(redacted)")
    }
}

/// `SCRAM-SHA-256$<iterations>:<salt>$<stored key>:<server key>`
fn is_verifier(text: &str) -> bool {
    let Some((iterations, rest)) = text
        .strip_prefix("SCRAM-SHA-256$")
        .and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let Some((salt, keys)) = rest.split_once('$') else {
        return false;
    };
    let Some((stored, server)) = keys.split_once(':') else {
        return false;
    };
    iterations.bytes().all(|byte| byte.is_ascii_digit())
        && iterations.parse::<u32>().is_ok_and(|count| count >= 4096)
        && has_bytes(salt, 16)
        && has_bytes(stored, 32)
        && has_bytes(server, 32)
}

fn has_bytes(text: &str, length: usize) -> bool {
    STANDARD
        .decode(text)
        .is_ok_and(|bytes| bytes.len() == length)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn p8_only_the_exact_form_counts_as_a_verifier() {
        let good = scram_sha_256(b"TEST-password");
        assert!(Verifier::parse(good.clone()).is_ok());
        for bad in [
            String::new(),
            "TEST-password".into(),
            good.replace("4096", "+4096"),
            good.replace("4096", "1"),
            good.replace('$', ":"),
            good.replace("SCRAM-SHA-256", "scram-sha-256"),
            good.trim_end_matches('=').into(),
            format!("{good} "),
            format!("{good}:"),
            good[..good.len() - 8].into(),
        ] {
            let refused = Verifier::parse(bad.clone());
            assert!(
                matches!(refused, Err(PostgresError::MalformedVerifier)),
                "{bad}"
            );
        }
    }

    #[test]
    fn p8_a_verifier_shows_nothing_of_itself() {
        let verifier = Verifier::of(&"TEST-password".to_owned().into()).unwrap();
        assert_eq!(format!("{verifier:?}"), "Verifier(redacted)");
        assert!(verifier.expose().starts_with("SCRAM-SHA-256$4096:"));
    }
}
