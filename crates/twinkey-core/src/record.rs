//! What a rotation leaves behind for people: who asked, what happened, how long it took.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    KeyId, Retired, RotationError, RotationFailure, SecretId, Step, StepReport, Trigger, VersionId,
};

/// One rotation, as far as it has come. No value is ever part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The secret.
    pub secret: SecretId,
    /// The rotation's token, which is the new version's id.
    pub token: VersionId,
    /// Who asked.
    pub trigger: Trigger,
    /// Why, in the words of the one who asked.
    pub reason: Option<String>,
    /// When it was asked for.
    pub started_at: DateTime<Utc>,
    /// When its outcome was known.
    pub finished_at: Option<DateTime<Utc>>,
    /// Every delivery of a step, in order.
    pub steps: Vec<StepRecord>,
    /// How it ended.
    pub outcome: Outcome,
}

/// One delivery of one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step.
    pub step: Step,
    /// When it was delivered.
    pub started_at: DateTime<Utc>,
    /// How long it took, in milliseconds.
    pub milliseconds: u64,
    /// What it did.
    #[serde(flatten)]
    pub outcome: StepOutcome,
}

/// What one delivery of a step did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum StepOutcome {
    /// It passed.
    Passed(StepReport),
    /// It did not.
    Failed(Failure),
}

/// An error as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Stable name of the error.
    pub error_type: String,
    /// The error for people.
    pub message: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub hint: Option<String>,
    /// How long to wait before the next try, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub retry_after_seconds: Option<u64>,
    /// Keys that were made dead before it happened.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub retired: Vec<RetiredKey>,
}

impl Failure {
    /// An error that made nothing dead.
    pub fn new(
        error_type: impl Into<String>,
        message: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            error_type: error_type.into(),
            message: message.into(),
            hint,
            retry_after_seconds: None,
            retired: Vec::new(),
        }
    }
}

impl From<&RotationFailure> for Failure {
    fn from(failure: &RotationFailure) -> Self {
        Self {
            retry_after_seconds: failure.retry_after().map(seconds),
            ..Self::new(failure.error_type(), failure.to_string(), failure.hint())
        }
    }
}

impl From<&RotationError> for Failure {
    fn from(error: &RotationError) -> Self {
        Self {
            retired: error.retired.clone(),
            ..Self::from(&error.cause)
        }
    }
}

/// Whole seconds, never fewer than there are.
fn seconds(wait: TimeDelta) -> u64 {
    let whole = wait.num_seconds() + i64::from(wait.subsec_nanos() > 0);
    u64::try_from(whole).unwrap_or(0)
}

/// How a rotation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum Outcome {
    /// It has not ended: a process works on it, or the next one will.
    InProgress,
    /// AWSCURRENT is the new key.
    Succeeded,
    /// It stopped at an error. What was live stays live.
    Failed(Failure),
}

/// A key that a step made dead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetiredKey {
    /// Which.
    pub key: KeyId,
    /// The version that held it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub version: Option<VersionId>,
    /// How its death is known.
    pub how: Retired,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ErrorKind, ProviderError};

    #[test]
    fn p7_a_failure_keeps_what_had_been_made_dead_before_it() {
        let dead = RetiredKey {
            key: KeyId::new("app_clone"),
            version: None,
            how: Retired::Refused,
        };
        let error = RotationError {
            step: Step::CreateSecret,
            secret: SecretId::new("app/key"),
            token: VersionId::parse("a".repeat(32)).expect("32 characters"),
            cause: RotationFailure::RotationOff,
            retired: vec![dead.clone()],
        };
        assert_eq!(Failure::from(&error).retired, [dead]);
    }

    #[test]
    fn a_failure_says_in_whole_seconds_how_long_to_wait() {
        let told = |failure: &RotationFailure| Failure::from(failure).retry_after_seconds;
        let overlap = |wait| told(&RotationFailure::Overlap { wait });
        assert_eq!(overlap(TimeDelta::seconds(42)), Some(42));
        assert_eq!(overlap(TimeDelta::milliseconds(1001)), Some(2));
        assert_eq!(overlap(TimeDelta::seconds(-1)), Some(0));
        let error = ProviderError {
            kind: ErrorKind::Transient,
            code: "RateLimited",
            message: "too many requests".into(),
            hint: None,
            retry_after: Some(TimeDelta::seconds(60)),
        };
        assert_eq!(told(&error.clone().into()), Some(60));
        let dead_by = DateTime::UNIX_EPOCH;
        let stray = RotationFailure::PossibleStray { error, dead_by };
        assert_eq!(told(&stray), Some(60));
        assert_eq!(told(&RotationFailure::RotationOff), None);
    }
}
