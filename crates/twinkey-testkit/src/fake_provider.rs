//! Providers for the fake server, one for each origin of a key.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use twinkey_core::{
    Choose, Clock, Credential, DocumentError, ErrorKind, Fence, Issue, KeyId, KeyLabel, LastLook,
    ListedKey, Listing, Origin, Provider, ProviderError, Random, Ready, Retired, RetiredKey,
    Retiring, SecretAddress, SecretValue, Verdict,
};

use crate::fake_server::Key;
use crate::{FakeClock, FakeServer};

/// How long a token lives.
const TOKEN_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// How the fake server's keys come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FakeKind {
    /// Chosen; two accounts, each with one password that is replaced in its place.
    Password,
    /// Chosen; any number beside each other, listed by the server.
    KeyPair,
    /// Issued; dead after an hour.
    Token {
        /// Whether the server can list them.
        listable: bool,
    },
}

impl FakeKind {
    /// Every kind there is.
    pub const ALL: [Self; 4] = [
        Self::Password,
        Self::KeyPair,
        Self::Token { listable: true },
        Self::Token { listable: false },
    ];

    /// Whether nothing can be unknown: the server lists its keys, or there are only two places.
    #[must_use]
    pub fn is_listed(self) -> bool {
        self != Self::Token { listable: false }
    }

    /// Whether the server issues keys of this kind, and not we choose them.
    #[must_use]
    pub fn is_issued(self) -> bool {
        matches!(self, Self::Token { .. })
    }

    /// Whether keys of this kind die by themselves.
    #[must_use]
    pub fn expires(self) -> bool {
        self.is_issued()
    }
}

impl fmt::Display for FakeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "password (chosen, two places)",
            Self::KeyPair => "key pair (chosen, listed)",
            Self::Token { listable: true } => "token (issued, listed)",
            Self::Token { listable: false } => "token (issued, not listed)",
        })
    }
}

/// A document of the fake server.
#[derive(Clone, Serialize, Deserialize)]
pub struct FakeSecret {
    /// The server's name: the target.
    pub server: String,
    /// The account, for passwords; the same for all keys otherwise.
    pub account: String,
    /// The key itself.
    pub value: Option<String>,
    /// When it dies by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

impl fmt::Debug for FakeSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeSecret")
            .field("account", &self.account)
            .finish_non_exhaustive()
    }
}

impl Credential for FakeSecret {
    fn parse(value: &SecretValue) -> Result<Self, DocumentError> {
        serde_json::from_str(value.expose())
            .map_err(|_| DocumentError::new("document", "is not the fake server's"))
    }

    fn render(&self) -> SecretValue {
        SecretValue::new(serde_json::to_string(self).unwrap_or_default())
    }

    fn key_id(&self) -> Option<KeyId> {
        // The fake's values are no secrets: they say TEST.
        self.value.as_ref().map(KeyId::new)
    }

    fn expires_at(&self) -> Option<DateTime<Utc>> {
        self.expires_at
    }

    fn same_target(&self, other: &Self) -> Result<(), DocumentError> {
        if self.server == other.server {
            return Ok(());
        }
        Err(DocumentError::new(
            "server",
            "differs from the current document's",
        ))
    }

    fn continues(&self, current: &Self) -> Result<(), DocumentError> {
        self.same_target(current)?;
        if self.value.is_some() && self.value == current.value {
            return Err(DocumentError::new("value", "is the current document's"));
        }
        let password = current.account != SHARED_ACCOUNT;
        if password && self.account != twin(&current.account) {
            return Err(DocumentError::new(
                "account",
                "is not the current account's twin",
            ));
        }
        Ok(())
    }
}

/// The account of every kind whose keys stand beside each other.
const SHARED_ACCOUNT: &str = "shared";

fn twin(account: &str) -> String {
    account
        .strip_suffix("_clone")
        .map_or_else(|| format!("{account}_clone"), str::to_owned)
}

/// A provider for the fake server.
#[derive(Clone, Debug)]
pub struct FakeProvider {
    kind: FakeKind,
    server: FakeServer,
    clock: FakeClock,
}

impl FakeProvider {
    /// A provider of one kind.
    #[must_use]
    pub fn new(kind: FakeKind, server: FakeServer, clock: FakeClock) -> Self {
        Self {
            kind,
            server,
            clock,
        }
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> FakeKind {
        self.kind
    }

    /// The document of a key that somebody made by hand and that the server accepts; for an issued
    /// kind one that holds no key yet.
    #[must_use]
    pub fn first_document(&self) -> FakeSecret {
        let (account, value) = match self.kind {
            FakeKind::Password => ("app", Some("TEST-first")),
            FakeKind::KeyPair => (SHARED_ACCOUNT, Some("TEST-first")),
            FakeKind::Token { .. } => (SHARED_ACCOUNT, None),
        };
        if let Some(value) = value {
            self.server.add_by_hand(account, value);
        }
        FakeSecret {
            server: "fake".into(),
            account: account.into(),
            value: value.map(Into::into),
            expires_at: None,
        }
    }

    fn retire_value(&self, value: &str) -> Retired {
        if self.server.remove(value) {
            Retired::Refused
        } else {
            Retired::AlreadyGone
        }
    }
}

#[async_trait]
impl Provider for FakeProvider {
    type Secret = FakeSecret;

    fn origin(&self) -> Origin<'_, FakeSecret> {
        match self.kind {
            FakeKind::Password | FakeKind::KeyPair => Origin::Chosen(self),
            FakeKind::Token { .. } => Origin::Issued(self),
        }
    }

    async fn ready(
        &self,
        current: &FakeSecret,
        _: &SecretAddress,
    ) -> Result<Ready<FakeSecret>, ProviderError> {
        Ok(current.clone().into())
    }

    async fn verify(&self, secret: &FakeSecret) -> Result<Verdict, ProviderError> {
        Ok(match &secret.value {
            None => Verdict::NoKey,
            Some(value) if self.server.accepts(value) => Verdict::Accepted,
            Some(_) => Verdict::Refused {
                reason: "the fake server does not know it".into(),
            },
        })
    }

    async fn retire(&self, key: Retiring<'_, FakeSecret>) -> Result<Retired, ProviderError> {
        let value = match key {
            Retiring::Secret(secret) => secret.value.as_deref(),
            Retiring::Listed { key, .. } => Some(key.handle.as_str()),
        };
        Ok(value.map_or(Retired::AlreadyGone, |value| self.retire_value(value)))
    }

    async fn list(
        &self,
        _: &FakeSecret,
        address: &SecretAddress,
    ) -> Result<Listing, ProviderError> {
        let listed = |key: Key| ListedKey {
            key_id: KeyId::new(&key.value),
            handle: key.value,
        };
        Ok(match self.kind {
            FakeKind::Password => Listing::FixedSlots,
            FakeKind::KeyPair | FakeKind::Token { listable: true } => Listing::Keys(
                self.server
                    .owned_by(address)
                    .into_iter()
                    .map(listed)
                    .collect(),
            ),
            FakeKind::Token { listable: false } => Listing::CannotList {
                dead_within: TOKEN_LIFETIME,
            },
        })
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        matches!(self.kind, FakeKind::Token { .. }).then_some(TOKEN_LIFETIME)
    }
}

#[async_trait]
impl Choose<FakeSecret> for FakeProvider {
    fn choose(
        &self,
        current: &FakeSecret,
        _label: &KeyLabel,
        random: &mut Random,
    ) -> Result<FakeSecret, DocumentError> {
        let account = match self.kind {
            FakeKind::Password => twin(&current.account),
            _ => current.account.clone(),
        };
        let value = Some(format!("TEST-chosen-{:x}", random.next_u64()));
        Ok(FakeSecret {
            account,
            value,
            ..current.clone()
        })
    }

    async fn apply(
        &self,
        pending: &FakeSecret,
        fence: &Fence,
        last_look: &dyn LastLook,
    ) -> Result<Option<RetiredKey>, ProviderError> {
        last_look.take(None).await?;
        let key = Key {
            account: pending.account.clone(),
            value: pending.value.clone().unwrap_or_default(),
            owner: Some(fence.address.clone()),
            expires_at: None,
        };
        // Keys that stand beside each other have no place that could be fenced.
        let replaced = if self.kind == FakeKind::Password {
            if !self.server.pass_fence(&pending.account, &fence.pending) {
                return Err(superseded());
            }
            self.server.replace(key)
        } else {
            self.server.place(key);
            None
        };
        let version = None;
        let how = Retired::Replaced;
        Ok(replaced.map(|value| RetiredKey {
            key: KeyId::new(value),
            version,
            how,
        }))
    }
}

#[async_trait]
impl Issue<FakeSecret> for FakeProvider {
    async fn mint(
        &self,
        current: &FakeSecret,
        label: &KeyLabel,
    ) -> Result<FakeSecret, ProviderError> {
        let value = self.server.next_value();
        let expires_at = Some(self.clock.now() + TOKEN_LIFETIME);
        self.server.place(Key {
            account: current.account.clone(),
            value: value.clone(),
            owner: Some(label.address.clone()),
            expires_at,
        });
        Ok(FakeSecret {
            value: Some(value),
            expires_at,
            ..current.clone()
        })
    }
}

fn superseded() -> ProviderError {
    ProviderError {
        kind: ErrorKind::Conflict,
        code: "Superseded",
        message: "a later rotation has passed".into(),
        hint: None,
        retry_after: None,
    }
}
