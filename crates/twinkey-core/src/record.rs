//! What a rotation leaves behind for people: who asked, what happened, how long it took.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{KeyId, Retired, RotationError, SecretId, Step, StepReport, Trigger, VersionId};

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
            retired: Vec::new(),
        }
    }
}

impl From<&RotationError> for Failure {
    fn from(error: &RotationError) -> Self {
        Self {
            error_type: error.cause.error_type().into(),
            message: error.cause.to_string(),
            hint: error.cause.hint(),
            retired: error.retired.clone(),
        }
    }
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
