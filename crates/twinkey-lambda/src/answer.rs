//! What the function answers.

use serde::Serialize;
use twinkey_aws::{Asked, Report};
use twinkey_core::{RetiredKey, SecretId, StepReport, VersionId};

/// What the function answers to an event that it has heeded.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Answer {
    /// To a step.
    Step(StepReport),
    /// To a schedule.
    Tick(Report),
    /// To a person who wants a rotation.
    Asked(AskedAnswer),
    /// To a person who ends one.
    Abandoned(AbandonedAnswer),
}

/// A rotation has begun: `{"result": "asked", …}`.
#[derive(Debug, Serialize)]
pub(crate) struct AskedAnswer {
    result: &'static str,
    /// Its ARN.
    secret: SecretId,
    token: VersionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl From<Asked> for AskedAnswer {
    fn from(asked: Asked) -> Self {
        Self {
            result: "asked",
            secret: asked.secret,
            token: asked.token,
            reason: asked.reason,
        }
    }
}

/// A rotation is over, now or since before: `{"result": "ended", …}`.
#[derive(Debug, Serialize)]
pub(crate) struct AbandonedAnswer {
    result: &'static str,
    /// Its ARN.
    pub(crate) secret: SecretId,
    token: VersionId,
    /// The keys that are dead now.
    pub(crate) retired: Vec<RetiredKey>,
}

impl AbandonedAnswer {
    pub(crate) fn new(secret: SecretId, token: VersionId, retired: Vec<RetiredKey>) -> Self {
        Self {
            result: "ended",
            secret,
            token,
            retired,
        }
    }
}
