//! The JSON web token by which an App proves who it is.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;
use serde_json::json;
use twinkey_core::{Borrow, SecretId, SecretValue, Sign};

use crate::app::{App, AppKey};
use crate::error::GithubError;

/// How far GitHub's clock may be behind ours.
const BACKDATED: TimeDelta = TimeDelta::seconds(60);
/// GitHub takes ten minutes at most, by its own clock.
/// <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app>
const LIFETIME: TimeDelta = TimeDelta::minutes(9);

/// Signs for `app`, as at `now`.
pub(crate) async fn sign(
    app: &App,
    now: DateTime<Utc>,
    borrow: &dyn Borrow,
    signer: &dyn Sign,
) -> Result<SecretString, GithubError> {
    let input = signing_input(&app.id, now);
    let signature = match &app.key {
        AppKey::Kms(key) => {
            let signature = signer.sign(key, input.as_bytes()).await;
            signature.map_err(|error| GithubError::NotSigned {
                key: key.clone(),
                error,
            })?
        }
        AppKey::Secret(secret) => {
            let pem = borrow
                .current(secret)
                .await
                .map_err(GithubError::AppKeyUnread)?;
            sign_by_pem(secret, &pem, input.as_bytes())?
        }
    };
    Ok(format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature)).into())
}

fn signing_input(app: &str, now: DateTime<Utc>) -> String {
    let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = json!({"alg": "RS256", "typ": "JWT"});
    let claims = json!({
        "iat": (now - BACKDATED).timestamp(),
        "exp": (now + LIFETIME).timestamp(),
        "iss": app,
    });
    format!("{}.{}", part(header), part(claims))
}

/// GitHub gives a PEM of PKCS#1; PKCS#8 is taken too.
fn sign_by_pem(
    secret: &SecretId,
    pem: &SecretValue,
    message: &[u8],
) -> Result<Vec<u8>, GithubError> {
    let unusable = |problem| GithubError::AppKeyUnusable {
        secret: secret.clone(),
        problem,
    };
    let der = PrivateKeyDer::from_pem_slice(pem.expose().as_bytes())
        .map_err(|_| unusable("it holds no PEM with a private key"))?;
    let pair = match &der {
        PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(unusable("its private key is not an RSA key")),
    };
    let pair = pair.map_err(|_| unusable("its private key is not an RSA key"))?;
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        message,
        &mut signature,
    )
    .map_err(|_| unusable("its private key cannot sign"))?;
    Ok(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_claims_leave_room_for_a_clock_that_is_wrong_by_a_minute() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let input = signing_input("Iv23TEST", now);
        let parts: Vec<_> = input
            .split('.')
            .map(|part| URL_SAFE_NO_PAD.decode(part).expect("base64"))
            .map(|part| String::from_utf8(part).expect("text"))
            .collect();
        assert_eq!(parts[0], r#"{"alg":"RS256","typ":"JWT"}"#);
        assert_eq!(
            parts[1],
            r#"{"iat":1799999940,"exp":1800000540,"iss":"Iv23TEST"}"#
        );
    }

    #[test]
    fn p8_a_secret_that_is_no_key_is_refused_without_its_text() {
        let secret = SecretId::new("app/pem");
        for text in [
            "TEST-no-pem",
            "-----BEGIN PRIVATE KEY-----\nVEVTVA==\n-----END PRIVATE KEY-----\n",
        ] {
            let error =
                sign_by_pem(&secret, &SecretValue::new(text.into()), b"x").expect_err("none");
            let told = error.to_string();
            assert!(
                told.contains("app/pem") && !told.contains("TEST") && !told.contains("VEVTVA"),
                "{told}"
            );
        }
    }
}
