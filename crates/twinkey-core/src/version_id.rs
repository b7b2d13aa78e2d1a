//! Version ids: a rotation's token is the id of the version it makes, and says who asked.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::SecretAddress;

/// The id of a version: a `ClientRequestToken` of 32 to 64 visible ASCII characters.
///
/// `RotateSecret` has no other channel for who asked, so the token carries it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VersionId(String);

/// Who asked for a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// Secrets Manager's own rotation.
    SecretsManager,
    /// A scheduler of ours: the one-machine one, or an `EventBridge` tick.
    Schedule,
    /// A person.
    Manual,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SecretsManager => "secrets-manager",
            Self::Schedule => "schedule",
            Self::Manual => "manual",
        })
    }
}

const SCHEDULE: &str = "twinkey-schedule-";
const MANUAL: &str = "twinkey-manual-";
const FORCED: &str = "twinkey-manual-forced-";

/// Why a text is no version id.
#[derive(Debug, thiserror::Error)]
#[error("a version id has 32 to 64 visible ASCII characters")]
pub struct InvalidVersionId;

impl VersionId {
    /// Parses an id that somebody else chose.
    pub fn parse(text: impl Into<String>) -> Result<Self, InvalidVersionId> {
        let text = text.into();
        let fits = (32..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        fits.then_some(Self(text)).ok_or(InvalidVersionId)
    }

    /// A token for a rotation that a person asks for.
    #[must_use]
    pub fn manual(random: &mut (impl rand::CryptoRng + ?Sized), forced: bool) -> Self {
        let prefix = if forced { FORCED } else { MANUAL };
        Self(format!("{prefix}{}", random_hex(random)))
    }

    /// A token for the rotation that is due at `slot`, the same for every asker: a duplicate
    /// tick asks for the same rotation.
    #[must_use]
    pub fn scheduled(address: &SecretAddress, slot: chrono::DateTime<chrono::Utc>) -> Self {
        let name = format!(
            "{}\n{}\n{}",
            address.store,
            address.secret,
            slot.to_rfc3339()
        );
        Self(format!("{SCHEDULE}{}", hex(&Sha256::digest(name)[..16])))
    }

    /// An id for a value that a person puts.
    #[must_use]
    pub fn random(random: &mut (impl rand::CryptoRng + ?Sized)) -> Self {
        Self(random_hex(random))
    }

    /// Who asked for the rotation with this token.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        if self.0.starts_with(SCHEDULE) {
            Trigger::Schedule
        } else if self.0.starts_with(MANUAL) {
            Trigger::Manual
        } else {
            Trigger::SecretsManager
        }
    }

    /// Whether a person waived the minimum overlap.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.0.starts_with(FORCED)
    }

    /// The id as stores spell it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn random_hex(random: &mut (impl rand::CryptoRng + ?Sized)) -> String {
    let mut bytes = [0; 16];
    random.fill_bytes(&mut bytes);
    hex(&bytes)
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl TryFrom<String> for VersionId {
    type Error = InvalidVersionId;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(text)
    }
}

impl From<VersionId> for String {
    fn from(id: VersionId) -> Self {
        id.0
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::SecretId;

    fn random() -> rand::rngs::StdRng {
        rand::rngs::StdRng::seed_from_u64(1)
    }

    #[test]
    fn a_token_tells_who_asked_and_whether_it_was_forced() {
        let manual = VersionId::manual(&mut random(), false);
        let forced = VersionId::manual(&mut random(), true);
        assert_eq!(
            (manual.trigger(), manual.is_forced()),
            (Trigger::Manual, false)
        );
        assert_eq!(
            (forced.trigger(), forced.is_forced()),
            (Trigger::Manual, true)
        );
        let theirs =
            VersionId::parse("5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11").expect("36 characters");
        assert_eq!(theirs.trigger(), Trigger::SecretsManager);
    }

    #[test]
    fn p5_a_duplicate_tick_asks_for_the_same_rotation_and_the_next_slot_for_another() {
        let address = SecretAddress {
            store: "s".into(),
            secret: SecretId::new("db"),
        };
        let slot = chrono::DateTime::UNIX_EPOCH;
        let token = VersionId::scheduled(&address, slot);
        assert_eq!(token, VersionId::scheduled(&address, slot));
        assert_ne!(
            token,
            VersionId::scheduled(&address, slot + chrono::TimeDelta::seconds(1))
        );
        assert_eq!(token.trigger(), Trigger::Schedule);
    }

    #[test]
    fn every_token_we_make_is_within_the_vendors_bounds() {
        let address = SecretAddress {
            store: "s".into(),
            secret: SecretId::new("db"),
        };
        for token in [
            VersionId::manual(&mut random(), true),
            VersionId::random(&mut random()),
            VersionId::scheduled(&address, chrono::DateTime::UNIX_EPOCH),
        ] {
            VersionId::parse(token.as_str()).expect("32 to 64 characters");
        }
        assert!(VersionId::parse("short").is_err());
        assert!(VersionId::parse("x".repeat(65)).is_err());
        assert!(VersionId::parse(" ".repeat(40)).is_err());
    }

    #[test]
    fn an_id_and_a_trigger_are_shown_as_they_are_stored() {
        let text = "5c0e8c35-7e0f-4d0b-8a52-5f3a0e9b0d11";
        let id = VersionId::parse(text).expect("36 characters");
        assert_eq!(
            (id.to_string(), format!("{id:?}")),
            (text.into(), text.into())
        );
        assert_eq!(serde_json::to_value(&id).expect("a string"), text);
        for trigger in [Trigger::SecretsManager, Trigger::Schedule, Trigger::Manual] {
            let stored = serde_json::to_value(trigger).expect("a string");
            assert_eq!(stored, trigger.to_string());
        }
    }

    #[test]
    fn only_an_id_within_the_bounds_is_read_from_a_store() {
        let read = |text: &str| serde_json::from_value::<VersionId>(text.into());
        assert!(read(&"x".repeat(32)).is_ok() && read(&"x".repeat(64)).is_ok());
        assert!(read(&"x".repeat(31)).is_err() && read(&"x".repeat(65)).is_err());
    }
}
