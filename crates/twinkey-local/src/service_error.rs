//! Why a rotation that was asked for did not come about.

use chrono::TimeDelta;
use twinkey_core::{Failure, Record, RotationError, RotationFailure, SecretId, StoreError, policy};

/// A rotation that was asked for did not come about.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// The store said so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nothing was begun: the document or a tag is wrong.
    #[error("secret {secret}: {cause}")]
    NotBegun {
        /// The secret.
        secret: SecretId,
        /// What is wrong.
        cause: Box<RotationFailure>,
    },
    /// Nothing was begun: consumers that cache have not had their time yet. (P9)
    #[error("secret {secret}: the current key is younger than the minimum overlap; {} to go", policy::spell(*wait))]
    Overlap {
        /// The secret.
        secret: SecretId,
        /// How long until it may start.
        wait: TimeDelta,
    },
    /// A step did not pass.
    #[error("{error}")]
    Step {
        /// What happened.
        error: Box<RotationError>,
        /// The rotation's record.
        record: Box<Record>,
        /// Whether the rotation stays pending: the next request or tick goes on with it.
        pending: bool,
    },
    /// The rotation in flight, which the request joined, did not come about.
    #[error("secret {}: the rotation in flight failed: {}", record.secret, failure.message)]
    Joined {
        /// What happened to it.
        failure: Box<Failure>,
        /// The rotation's record.
        record: Box<Record>,
    },
}

impl ServiceError {
    /// Stable name, for alarms and for `--json`.
    #[must_use]
    pub fn error_type(&self) -> &str {
        match self {
            Self::Store(error) => error.code(),
            Self::NotBegun { cause, .. } => cause.error_type(),
            Self::Overlap { wait, .. } => RotationFailure::Overlap { wait: *wait }.error_type(),
            Self::Step { error, .. } => error.cause.error_type(),
            Self::Joined { failure, .. } => &failure.error_type,
        }
    }

    /// What a person should do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Store(error) => RotationFailure::Store(error.clone()).hint(),
            Self::NotBegun { cause, .. } => cause.hint(),
            Self::Overlap { wait, .. } => RotationFailure::Overlap { wait: *wait }.hint(),
            Self::Step { error, .. } => error.cause.hint(),
            Self::Joined { failure, .. } => failure.hint.clone(),
        }
    }

    /// The record of the rotation that failed, if one was begun.
    #[must_use]
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Step { record, .. } | Self::Joined { record, .. } => Some(record),
            _ => None,
        }
    }

    /// When the server said to come back.
    #[must_use]
    pub fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::Overlap { wait, .. } => Some(*wait),
            Self::Step { error, .. } => error.cause.retry_after(),
            _ => None,
        }
    }
}
