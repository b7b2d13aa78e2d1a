//! The token by which Secrets Manager knows a rotation function that assumes a role.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// The event's `RotationToken`: it goes back to Secrets Manager with `PutSecretValue` and nowhere else.
/// Its `Debug` shows nothing and it has no `Display`.
#[derive(Clone)]
pub struct RotationToken(SecretString);

/// Why a text is no rotation token.
#[derive(Debug, thiserror::Error)]
#[error("a rotation token has 36 to 256 letters, digits and hyphens")]
pub struct InvalidRotationToken;

impl RotationToken {
    /// Takes the event's field.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidRotationToken> {
        let text = SecretString::from(text.into());
        let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let shown = text.expose_secret();
        let fits = (36..=256).contains(&shown.len()) && shown.bytes().all(known);
        fits.then_some(Self(text)).ok_or(InvalidRotationToken)
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for RotationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RotationToken(redacted)")
    }
}

/// As a field of an event. An error does not show what came.
impl<'de> Deserialize<'de> for RotationToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer);
        text.ok()
            .and_then(|text| Self::parse(text).ok())
            .ok_or_else(|| serde::de::Error::custom(InvalidRotationToken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "TEST-5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11";

    #[test]
    fn p8_a_rotation_token_shows_nothing_of_itself() {
        let token = RotationToken::parse(TOKEN).expect("a token");
        assert_eq!(token.expose(), TOKEN);
        assert_eq!(format!("{token:?}"), "RotationToken(redacted)");
    }

    #[test]
    fn p8_what_is_no_token_is_refused_without_being_shown() {
        let (short, long) = (&TOKEN[..35], "T".repeat(257));
        for wrong in ["", short, &long, &TOKEN.replace('-', "\n")] {
            let error = RotationToken::parse(wrong).expect_err("no token");
            assert!(!format!("{error} {error:?}").contains("TEST"));
        }
        for json in [format!("\"{short}\""), "4711".into(), "null".into()] {
            let error = serde_json::from_str::<RotationToken>(&json).expect_err("no token");
            assert!(!error.to_string().contains("TEST"), "{error}");
            assert!(!error.to_string().contains("4711"), "{error}");
        }
    }
}
