//! The provider traits: one kind of key at one kind of server, with its two possible origins.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    DocumentError, InUse, ProviderError, Random, RetiredKey, SecretAddress, SecretValue, VersionId,
};

/// What identifies a key in logs and records, and gives nothing away: a role name, the first
/// bytes of a token's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// Takes a name that is not secret. Control characters are shown escaped: a name must not be
    /// able to forge a line in a log.
    pub fn new(id: impl Into<String>) -> Self {
        Self(crate::escape_control(&id.into()))
    }

    /// The id as it appears in logs.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A parsed secret document of one provider. `Debug` must be redacted.
pub trait Credential: Sized + Clone + Send + Sync + fmt::Debug {
    /// Parses a document; the error names the field and never the value. Pure.
    fn parse(value: &SecretValue) -> Result<Self, DocumentError>;

    /// The document's text, unknown fields preserved in order. Pure.
    fn render(&self) -> SecretValue;

    /// The key's public identity, or none if the document holds no key yet. Pure.
    fn key_id(&self) -> Option<KeyId>;

    /// When the key dies by itself. Pure.
    fn expires_at(&self) -> Option<DateTime<Utc>>;

    /// Whether both are keys for the same account at the same server: where one may be sent, the
    /// other may. The error names the field that differs. Pure. (P10)
    fn same_target(&self, other: &Self) -> Result<(), DocumentError>;

    /// Whether this could be the successor of `current`: the same target, and not the place that
    /// `current` is in. The error names the field that differs. Pure. (P10)
    fn continues(&self, current: &Self) -> Result<(), DocumentError>;
}

/// One kind of key at one kind of server.
#[async_trait]
pub trait Provider: Send + Sync {
    /// The parsed document.
    type Secret: Credential;

    /// Who picks the value of a new key. The engine branches on this and on nothing else.
    fn origin(&self) -> Origin<'_, Self::Secret>;

    /// Read-only: shows that a rotation can succeed (address, our own rights, nobody else's
    /// keys in the way), and returns `current` completed with what the server knows of it, and who still uses
    /// the key whose place the next one takes.
    async fn ready(
        &self,
        current: &Self::Secret,
        address: &SecretAddress,
    ) -> Result<Ready<Self::Secret>, ProviderError>;

    /// Read-only: uses the key as its consumers will. A server that shows new keys late is waited
    /// for here, so that a refusal is final.
    async fn verify(&self, secret: &Self::Secret) -> Result<Verdict, ProviderError>;

    /// Makes the key stop working. Repeatable; already gone is success. Must not touch a newer key
    /// that has taken this one's place.
    async fn retire(&self, key: Retiring<'_, Self::Secret>) -> Result<Retired, ProviderError>;

    /// Read-only: which keys of this secret the server holds. `current` says where to ask.
    async fn list(
        &self,
        current: &Self::Secret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError>;

    /// How long a new key lives, if keys of this kind die by themselves.
    fn lifetime(&self) -> Option<TimeDelta> {
        None
    }

    /// Read-only: when somebody last used the key, where the server keeps that.
    async fn last_used(
        &self,
        _secret: &Self::Secret,
    ) -> Result<Option<DateTime<Utc>>, ProviderError> {
        Ok(None)
    }

    /// Read-only: who uses the key in this document, where the server tells.
    async fn in_use(&self, _secret: &Self::Secret) -> Result<Option<InUse>, ProviderError> {
        Ok(None)
    }

    /// The end of a step, whether it passed or not: gives back what was taken for it, such as a session at the
    /// server. What cannot be given back must end by itself.
    async fn close(&self) {}
}

/// What a look at the server has shown before a rotation.
#[derive(Clone, Debug)]
pub struct Ready<S> {
    /// The current document, completed.
    pub secret: S,
    /// Who uses the key whose place the next one takes. `None`: there is none, or the server does not tell.
    pub in_use: Option<InUse>,
}

/// Of a server that does not tell who uses a key.
impl<S> From<S> for Ready<S> {
    fn from(secret: S) -> Self {
        Self {
            secret,
            in_use: None,
        }
    }
}

/// Who picks the value of a new key.
pub enum Origin<'a, S> {
    /// We do, and tell the server: a password, a key pair.
    Chosen(&'a dyn Choose<S>),
    /// The server does, and shows it once: a token.
    Issued(&'a dyn Issue<S>),
}

impl<S> Origin<'_, S> {
    /// How long a key stays current at least when the secret's tags do not say. (P9)
    #[must_use]
    pub fn min_overlap(&self) -> TimeDelta {
        match self {
            Self::Chosen(_) => TimeDelta::hours(1),
            Self::Issued(_) => TimeDelta::minutes(5),
        }
    }
}

/// A key whose value we pick.
#[async_trait]
pub trait Choose<S>: Send + Sync {
    /// Same target as `current`, the free slot, a fresh value; the label goes into the document where the
    /// server has room for one. Pure but for `random`.
    fn choose(
        &self,
        current: &S,
        label: &KeyLabel,
        random: &mut Random,
    ) -> Result<S, DocumentError>;

    /// Makes the server accept `pending`. Repeatable: the same pending, the same end state.
    /// Fenced at the server where a key replaces another in its place: [`crate::ErrorKind::Conflict`] if a
    /// later rotation has passed. One that stands beside the others needs no fence if the server lists
    /// its keys: the next rotation ends it.
    /// Takes `last_look` right before the change, with no lock held at the server: what others change there meanwhile must
    /// make the change fail or begin anew.
    /// Returns the key that it replaced in its place, if this delivery did that.
    async fn apply(
        &self,
        pending: &S,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError>;
}

/// A key whose value the server picks.
#[async_trait]
pub trait Issue<S>: Send + Sync {
    /// NOT repeatable: each call may leave one more live key. The label goes with the key where
    /// the server has room for one.
    ///
    /// An error says that no key was made, unless it is [`crate::ErrorKind::Transient`]: so an answer that did not
    /// come, or that cannot be read, is transient. (P4)
    async fn mint(&self, current: &S, label: &KeyLabel) -> Result<S, ProviderError>;
}

/// Whose key it is: written beside the key where the server has room for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyLabel {
    /// The secret it belongs to.
    pub address: SecretAddress,
    /// The version that holds it.
    pub version: VersionId,
}

/// What a change at the server must be younger than: an invocation that was frozen while later
/// rotations passed finds their marks and stops.
#[derive(Clone, Debug)]
pub struct Fence {
    /// The secret whose keys these are.
    pub address: SecretAddress,
    /// The pending key's version.
    pub pending: VersionStamp,
    /// The current key's version.
    pub current: VersionStamp,
}

/// The last look at the store before a change at the server. It is taken as late as can be: what a
/// person does to the labels while a connection is made or a lock awaited must be seen. (P1)
#[async_trait]
pub trait LastLook: Send + Sync {
    /// [`crate::ErrorKind::Conflict`] unless the rotation is still in flight, AWSCURRENT is where it
    /// was, and `replaced`, the key that is about to be replaced in its place, is none that a later
    /// rotation than any in this store has made. Read-only.
    async fn take(&self, replaced: Option<&VersionStamp>) -> Result<(), ProviderError>;
}

/// Which version, and when its value was stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionStamp {
    /// The version.
    pub id: VersionId,
    /// When its value was stored, by the store's clock.
    pub created_at: DateTime<Utc>,
}

/// The server's answer to a key. All three are answers, not errors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The server accepts it, with what it is meant to be able to do.
    Accepted,
    /// The server does not.
    Refused {
        /// The server's reason, without a value.
        reason: String,
    },
    /// The document holds no key yet.
    NoKey,
}

/// Which key to retire.
#[derive(Clone, Copy, Debug)]
pub enum Retiring<'a, S> {
    /// The key in this document.
    Secret(&'a S),
    /// A key that only the server's list knows.
    Listed {
        /// The key.
        key: &'a ListedKey,
        /// Where and as whom to ask.
        current: &'a S,
    },
}

/// How it is known that a key is dead. (P7)
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Retired {
    /// One atomic statement put another key in its place.
    Replaced,
    /// The server was seen to refuse it afterwards.
    Refused,
    /// The server refused it or did not know it already before.
    AlreadyGone,
}

/// What a server can tell about the keys of a secret.
#[derive(Clone, Debug)]
pub enum Listing {
    /// These keys of ours exist.
    Keys(Vec<ListedKey>),
    /// There are only two places, and a new key replaces the old one in its place atomically.
    FixedSlots,
    /// The server does not list keys of this kind.
    CannotList {
        /// An unknown key is dead after this long at the latest: as long as a key lives, and besides as
        /// long as a call that nobody waits for any more may still take until it makes one.
        dead_within: TimeDelta,
    },
}

/// A key that the server lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedKey {
    /// Its public identity, equal to [`Credential::key_id`] of its document.
    pub key_id: KeyId,
    /// By which the server finds it, where that is not the key id.
    pub handle: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p8_a_key_id_is_shown_as_it_is_and_cannot_forge_a_line() {
        assert_eq!(KeyId::new("app_clone").to_string(), "app_clone");
        assert_eq!(
            KeyId::new("app\nlevel=info").to_string(),
            "app\\nlevel=info"
        );
    }
}
