//! The store trait: versions and labels, with Secrets Manager's semantics.

use async_trait::async_trait;

use crate::{Description, SecretAddress, SecretId, SecretValue, Stage, Version, VersionId};

/// Which version to read. A store is always asked by an explicit label or version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// The version that carries this label.
    Stage(Stage),
    /// This version, whatever labels it carries.
    Version(VersionId),
    /// This version, provided that it carries this label: the read is itself the guard.
    VersionAt(VersionId, Stage),
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stage(stage) => write!(f, "version labelled {stage}"),
            Self::Version(id) => write!(f, "version {id}"),
            Self::VersionAt(id, stage) => write!(f, "version {id} labelled {stage}"),
        }
    }
}

/// Keeps versions and labels. Implementations are shared between tasks.
///
/// Every store refuses by one rule, and a refusal changes nothing. [`StoreError::NoSecret`]: there is
/// no such secret. [`StoreError::Invalid`]: the request could be right in no state (no label, an empty
/// value, AWSCURRENT on no version, a quota). [`StoreError::NoVersion`]: it names a version that the
/// secret does not have. [`StoreError::Conflict`]: another state would have granted it. Where two
/// apply, it is either.
#[async_trait]
pub trait Store: Send + Sync {
    /// Which secret in which store this name means. Pure.
    fn address(&self, secret: &SecretId) -> SecretAddress;

    /// Tags, labels and dates, without a value. Read-only.
    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError>;

    /// One version's value. Read-only. A version that has no value yet, or does not carry the
    /// label asked for, is [`StoreError::NoVersion`].
    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError>;

    /// Stores a value as version `version` and moves `stages`, at least one, to it in the same
    /// instant, from wherever they are.
    ///
    /// Repeatable with the same value: already done is success, and moves no label again. With another
    /// value it is a [`StoreError::Conflict`]: a stored value is immutable. A store may refuse
    /// AWSPENDING for a token whose rotation has ended, as [`StoreError::Conflict`] too.
    /// After [`StoreError::Transient`] the outcome is unknown: repeat the identical call.
    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError>;

    /// Moves a label by compare-and-swap: it must sit on `from` now (`None`: on no version), and
    /// sits on `to` afterwards (`None`: on no version). Where it sits elsewhere it is a
    /// [`StoreError::Conflict`], and so is moving AWSCURRENT to a version without a value; a `to`
    /// that does not exist is [`StoreError::NoVersion`], and taking AWSCURRENT off
    /// [`StoreError::Invalid`]. Moving AWSCURRENT moves AWSPREVIOUS to the version that lost it.
    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError>;
}

/// What can go wrong at a store. No variant carries a value.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no secret of that name.
    #[error("there is no secret {0}")]
    NoSecret(SecretId),
    /// The secret has no such version, or, to be read, that version has no value yet.
    #[error("secret {secret} has no {at}")]
    NoVersion {
        /// The secret that was asked for.
        secret: SecretId,
        /// What was asked for.
        at: Selector,
    },
    /// A compare-and-swap lost, a stored value would have been replaced, or a version has no value yet.
    /// Nothing changed.
    #[error("secret {secret}: {reason}")]
    Conflict {
        /// The secret concerned.
        secret: SecretId,
        /// What stood in the way.
        reason: String,
    },
    /// The request itself is wrong, in whatever state the secret is. Nothing changed.
    #[error("{field}: {reason}")]
    Invalid {
        /// Which part of the request.
        field: String,
        /// What is wrong with it, without its value.
        reason: String,
    },
    /// Our own rights do not allow it. Nothing changed.
    #[error("{action} was denied: {reason}")]
    Denied {
        /// The call that was denied.
        action: String,
        /// The store's reason.
        reason: String,
    },
    /// What is stored does not authenticate: a wrong key, or changed bytes. Never a value.
    #[error("{what} does not authenticate: {reason}")]
    Corrupt {
        /// Which entry.
        what: String,
        /// What that means.
        reason: String,
    },
    /// The store did not answer, or not in time. Whether the call took effect is unknown.
    #[error("{doing}: {reason}")]
    Transient {
        /// What we were doing.
        doing: String,
        /// What came instead of an answer.
        reason: String,
    },
}

impl StoreError {
    /// Stable name for alarms.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSecret(_) => "SecretNotFound",
            Self::NoVersion { .. } => "VersionNotFound",
            Self::Conflict { .. } => "StoreConflict",
            Self::Invalid { .. } => "InvalidRequest",
            Self::Denied { .. } => "StoreDenied",
            Self::Corrupt { .. } => "StoreCorrupt",
            Self::Transient { .. } => "StoreUnavailable",
        }
    }
}

/// Lets a provider read the AWSCURRENT of another secret: an admin password, say.
#[async_trait]
pub trait Borrow: Send + Sync {
    /// The current document of `secret`. Read-only.
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError>;
}

#[async_trait]
impl<S: Store + ?Sized> Borrow for S {
    async fn current(&self, secret: &SecretId) -> Result<SecretValue, StoreError> {
        Ok(self
            .read(secret, &Selector::Stage(Stage::Current))
            .await?
            .value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_for_is_told_in_words() {
        let id = VersionId::parse("a".repeat(32)).expect("32 characters");
        for (at, words) in [
            (
                Selector::Stage(Stage::Current),
                "version labelled AWSCURRENT".to_owned(),
            ),
            (Selector::Version(id.clone()), format!("version {id}")),
            (
                Selector::VersionAt(id.clone(), Stage::Pending),
                format!("version {id} labelled AWSPENDING"),
            ),
        ] {
            let secret = SecretId::new("db/app");
            let error = StoreError::NoVersion { secret, at };
            assert_eq!(error.to_string(), format!("secret db/app has no {words}"));
        }
    }
}
