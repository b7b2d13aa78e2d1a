//! Errors: typed, stable names for alarms, a sentence for people, a hint for what to do next.

use std::fmt;

use chrono::TimeDelta;

use crate::{InUse, KeyId, RetiredKey, SecretId, Step, StoreError, VersionId};

/// Something is wrong with a document. Names the field, never the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("field {field}: {problem}")]
pub struct DocumentError {
    /// The field, by name or JSON pointer; `document` for the whole.
    pub field: String,
    /// What is wrong with it.
    pub problem: String,
}

impl DocumentError {
    /// Names a field and what is wrong with it.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}

/// What the caller of a provider can do about its error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Try again later; whether a change took effect is unknown.
    Transient,
    /// The server wants to be asked later, as one does whose limit is exceeded. Nothing changed.
    Busy,
    /// Our own rights are wrong: a person must grant or correct something. Nothing changed.
    Denied,
    /// The configuration or the document is wrong. Nothing changed.
    Unusable,
    /// A later rotation won, or somebody else owns the key. Nothing changed.
    Conflict,
}

/// A provider's error: what to do, what it was doing, why, without any value.
#[derive(Clone, Debug)]
pub struct ProviderError {
    /// What the caller can do.
    pub kind: ErrorKind,
    /// Stable name, for alarms: `AdminRefused`, `ServerTimeout`.
    pub code: &'static str,
    /// What it was doing, and why that failed: one sentence.
    pub message: String,
    /// What a person should do next.
    pub hint: Option<String>,
    /// When the server said to come back.
    pub retry_after: Option<TimeDelta>,
}

impl fmt::Display for ProviderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ProviderError {}

impl From<DocumentError> for ProviderError {
    fn from(error: DocumentError) -> Self {
        Self {
            kind: ErrorKind::Unusable,
            code: "InvalidDocument",
            message: error.to_string(),
            hint: None,
            retry_after: None,
        }
    }
}

/// Why a rotation step did not pass.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{step} of {secret}: {cause}")]
pub struct RotationError {
    /// The step.
    pub step: Step,
    /// The secret.
    pub secret: SecretId,
    /// The rotation.
    pub token: VersionId,
    /// What happened.
    pub cause: RotationFailure,
    /// Keys that the step had made dead before it failed.
    pub retired: Vec<RetiredKey>,
}

/// What stopped a step.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RotationFailure {
    /// The provider said so.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The store said so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document is wrong.
    #[error("the {whose} document: {error}")]
    Document {
        /// `current` or `pending`.
        whose: &'static str,
        /// What is wrong with it.
        error: DocumentError,
    },
    /// A tag is wrong.
    #[error(transparent)]
    Policy(#[from] crate::PolicyError),
    /// The store does not let this secret be rotated.
    #[error("rotation is turned off for this secret")]
    RotationOff,
    /// The token is no rotation in flight, or this step's turn has not come.
    #[error("out of order: {0}")]
    OutOfOrder(String),
    /// Consumers that cache have not had their time yet.
    #[error("the current key is younger than the minimum overlap; {} to go", crate::policy::spell(*wait))]
    Overlap {
        /// How long until the rotation may start.
        wait: TimeDelta,
    },
    /// Somebody still uses the key whose place the new one would take, and the secret's tags say to wait.
    #[error("the key {} that the next one replaces is still used by {in_use}; it is replaced all the same in {}",
        in_use.key, crate::policy::spell(*wait))]
    KeyInUse {
        /// Who.
        in_use: InUse,
        /// How long until it is replaced all the same.
        wait: TimeDelta,
    },
    /// The server refuses the current key, and the only free place may hold the last one that works.
    #[error("the server refuses the current key {}: {reason}", key.as_ref().map_or("(none)", KeyId::as_str))]
    CurrentRefused {
        /// The current key.
        key: Option<KeyId>,
        /// The server's reason.
        reason: String,
    },
    /// The server refuses the new key. It was not published.
    #[error("the server refuses the new key {}: {reason}", key.as_ref().map_or("(none)", KeyId::as_str))]
    PendingRefused {
        /// The new key.
        key: Option<KeyId>,
        /// The server's reason.
        reason: String,
    },
    /// A key may be live that no version holds: a mint whose reply was lost, or a key that could
    /// not be retired after it could not be stored. Its deadline bounds it.
    #[error("{error}; a key that nobody holds may be live until {dead_by}")]
    PossibleStray {
        /// What happened.
        error: ProviderError,
        /// When such a key is dead at the latest.
        dead_by: chrono::DateTime<chrono::Utc>,
    },
    /// The new key died before it was published; the rotation has been ended, the next starts afresh.
    #[error("the new key {} died before it was published: {reason}", key.as_ref().map_or("(none)", KeyId::as_str))]
    PendingDead {
        /// The new key.
        key: Option<KeyId>,
        /// How that is known.
        reason: String,
    },
}

impl RotationFailure {
    /// Stable name, for alarms and for Lambda's `errorType`.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::Provider(error) => error.code,
            Self::Store(error) => error.code(),
            Self::Document { .. } => "InvalidDocument",
            Self::Policy(_) => "InvalidPolicy",
            Self::RotationOff => "RotationOff",
            Self::OutOfOrder(_) => "OutOfOrder",
            Self::Overlap { .. } => "MinimumOverlap",
            Self::KeyInUse { .. } => "KeyInUse",
            Self::CurrentRefused { .. } => "CurrentRefused",
            Self::PendingRefused { .. } => "PendingRefused",
            Self::PossibleStray { .. } => "PossibleStray",
            Self::PendingDead { .. } => "PendingDead",
        }
    }

    /// What a person should do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Provider(error) | Self::PossibleStray { error, .. } => error.hint.clone(),
            Self::Store(StoreError::Corrupt { .. }) => Some(
                "use the wrapping key this store was made with, or restore the store from a backup".into(),
            ),
            Self::Overlap { .. } => Some(
                "wait, or, if the key has leaked: twinkey rotate NAME --force --reason '…'".into(),
            ),
            Self::KeyInUse { .. } => Some(
                "let these consumers read AWSCURRENT again and reconnect, or, if the key has leaked: \
                 twinkey rotate NAME --force --reason '…'"
                    .into(),
            ),
            Self::CurrentRefused { .. } => Some(
                "give the server the password under AWSCURRENT again, or put a document that works: \
                 twinkey put NAME --from-file -"
                    .into(),
            ),
            Self::PendingRefused { .. } => Some(
                "mend what the reason names, then: twinkey rotate NAME; it goes on with the same key".into(),
            ),
            Self::Document { whose, .. } if *whose == "pending" => Some(
                "end this rotation by putting the current document again: \
                 twinkey get NAME | twinkey put NAME --from-file -"
                    .into(),
            ),
            Self::Document { .. } => Some("correct the field and put the document again".into()),
            Self::OutOfOrder(_) => Some("look where it stands: twinkey status NAME".into()),
            _ => None,
        }
    }

    /// How long to wait before the next try, where that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<TimeDelta> {
        match self {
            Self::Provider(error) | Self::PossibleStray { error, .. } => error.retry_after,
            Self::Overlap { wait } => Some(*wait),
            _ => None,
        }
    }

    /// Whether the same step may pass later without anybody's help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Provider(error) | Self::PossibleStray { error, .. } => {
                matches!(error.kind, ErrorKind::Transient | ErrorKind::Busy)
            }
            Self::Store(error) => matches!(error, StoreError::Transient { .. }),
            Self::Overlap { .. } | Self::KeyInUse { .. } => true,
            _ => false,
        }
    }
}

impl From<StoreError> for ProviderError {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::Transient { .. } => ErrorKind::Transient,
            StoreError::Denied { .. } => ErrorKind::Denied,
            StoreError::Conflict { .. } => ErrorKind::Conflict,
            _ => ErrorKind::Unusable,
        };
        let (code, message) = (error.code(), error.to_string());
        Self {
            kind,
            code,
            message,
            hint: None,
            retry_after: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Policy, SCHEDULE_TAG};

    fn of_provider(kind: ErrorKind) -> ProviderError {
        ProviderError {
            kind,
            code: "ServerTimeout",
            message: "the server at db:5432 did not answer".into(),
            hint: Some("look whether it runs".into()),
            retry_after: None,
        }
    }

    fn of_document(whose: &'static str) -> RotationFailure {
        RotationFailure::Document {
            whose,
            error: DocumentError::new("port", "is no number"),
        }
    }

    fn secret() -> SecretId {
        SecretId::new("db/app")
    }

    fn transient() -> StoreError {
        StoreError::Transient {
            doing: "reading db/app".into(),
            reason: "it is locked".into(),
        }
    }

    fn conflict() -> StoreError {
        StoreError::Conflict {
            secret: secret(),
            reason: "the label is elsewhere".into(),
        }
    }

    fn denied() -> StoreError {
        StoreError::Denied {
            action: "PutSecretValue".into(),
            reason: "no permission".into(),
        }
    }

    fn corrupt() -> StoreError {
        StoreError::Corrupt {
            what: "version a".into(),
            reason: "the key is another".into(),
        }
    }

    fn policy() -> crate::PolicyError {
        let tags = [(SCHEDULE_TAG.to_owned(), "daily".to_owned())];
        Policy::parse(&tags.into()).expect_err("no schedule")
    }

    /// Every failure, its stable name, a piece of its hint, and whether it passes by itself.
    fn all() -> Vec<(RotationFailure, &'static str, Option<&'static str>, bool)> {
        let (key, reason) = (Some(KeyId::new("app_clone")), "it is locked".to_owned());
        let dead_by = chrono::DateTime::UNIX_EPOCH;
        let stray = |kind| RotationFailure::PossibleStray {
            error: of_provider(kind),
            dead_by,
        };
        let wait = TimeDelta::minutes(5);
        vec![
            (
                of_provider(ErrorKind::Transient).into(),
                "ServerTimeout",
                Some("whether it runs"),
                true,
            ),
            (
                of_provider(ErrorKind::Busy).into(),
                "ServerTimeout",
                Some("whether it runs"),
                true,
            ),
            (
                of_provider(ErrorKind::Denied).into(),
                "ServerTimeout",
                Some("whether it runs"),
                false,
            ),
            (transient().into(), "StoreUnavailable", None, true),
            (conflict().into(), "StoreConflict", None, false),
            (
                corrupt().into(),
                "StoreCorrupt",
                Some("the wrapping key"),
                false,
            ),
            (
                of_document("current"),
                "InvalidDocument",
                Some("correct the field"),
                false,
            ),
            (
                of_document("pending"),
                "InvalidDocument",
                Some("twinkey get NAME | twinkey put NAME"),
                false,
            ),
            (policy().into(), "InvalidPolicy", None, false),
            (RotationFailure::RotationOff, "RotationOff", None, false),
            (
                RotationFailure::OutOfOrder("early".into()),
                "OutOfOrder",
                Some("twinkey status NAME"),
                false,
            ),
            (
                RotationFailure::Overlap { wait },
                "MinimumOverlap",
                Some("--force --reason"),
                true,
            ),
            (
                RotationFailure::CurrentRefused {
                    key: key.clone(),
                    reason: reason.clone(),
                },
                "CurrentRefused",
                Some("put a document that works"),
                false,
            ),
            (
                RotationFailure::PendingRefused {
                    key: key.clone(),
                    reason: reason.clone(),
                },
                "PendingRefused",
                Some("goes on with the same key"),
                false,
            ),
            (
                stray(ErrorKind::Transient),
                "PossibleStray",
                Some("whether it runs"),
                true,
            ),
            (
                stray(ErrorKind::Denied),
                "PossibleStray",
                Some("whether it runs"),
                false,
            ),
            (
                RotationFailure::PendingDead { key, reason },
                "PendingDead",
                None,
                false,
            ),
        ]
    }

    #[test]
    fn every_failure_keeps_its_name_and_says_what_to_do_next() {
        for (failure, name, hint, is_transient) in all() {
            assert_eq!(failure.error_type(), name);
            assert_eq!(failure.is_transient(), is_transient, "{name}");
            let told = failure.hint();
            assert_eq!(told.is_some(), hint.is_some(), "{name}: {told:?}");
            assert!(
                told.unwrap_or_default().contains(hint.unwrap_or_default()),
                "{name}"
            );
        }
    }

    #[test]
    fn an_error_says_which_step_of_which_secret_and_why() {
        let error = RotationError {
            step: Step::SetSecret,
            secret: secret(),
            token: VersionId::parse("a".repeat(32)).expect("32 characters"),
            cause: of_provider(ErrorKind::Transient).into(),
            retired: Vec::new(),
        };
        assert_eq!(
            error.to_string(),
            "setSecret of db/app: the server at db:5432 did not answer"
        );
    }

    #[test]
    fn what_a_store_refuses_a_provider_refuses_in_the_same_way() {
        for (error, kind) in [
            (transient(), ErrorKind::Transient),
            (denied(), ErrorKind::Denied),
            (conflict(), ErrorKind::Conflict),
            (corrupt(), ErrorKind::Unusable),
        ] {
            let (code, message) = (error.code(), error.to_string());
            let error = ProviderError::from(error);
            assert_eq!((error.kind, error.code), (kind, code));
            assert_eq!(error.to_string(), message);
        }
    }
}
