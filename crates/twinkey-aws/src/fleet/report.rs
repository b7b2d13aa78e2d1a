//! What a tick tells: of each secret what was done and why, and figures over all of them.

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_core::{RetiredKey, SecretId, StoreError, VersionId};

/// What one tick found and did. It holds no secret value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Over all managed secrets that were listed.
    pub figures: Figures,
    /// Why not every secret was listed: what was found was worked on all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incomplete: Option<Reason>,
    /// Every managed secret, by name.
    pub secrets: Vec<SecretReport>,
}

/// What silence would hide. A secret that is another's to rotate counts in none but `managed`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Secrets with a tag of ours that says, or should say, when they rotate.
    pub managed: usize,
    /// Due for longer than [`crate::Limits::overdue_after`], whatever the reason: one whose rotation is
    /// turned off counts, too.
    pub secrets_overdue: usize,
    /// How long the oldest AWSCURRENT has been current. Of a secret that was looked at no closer, by its
    /// last rotation, or else by its creation: a value put by hand since makes it too old, never too young.
    pub oldest_key_age_seconds: i64,
    /// Rotations in flight for longer than [`crate::Limits::longest_rotation`].
    pub stuck_pending: usize,
}

/// One secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretReport {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: SecretId,
    /// What was done.
    pub action: Action,
    /// The rotation that was asked for, or is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<VersionId>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What a person should look at, though it stopped nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warning: Option<Reason>,
    /// When it is, or was, due by its tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<DateTime<Utc>>,
    /// Keys that were made dead because their rotation was abandoned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retired: Vec<RetiredKey>,
}

/// What was done for one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Its rotation has been asked for.
    Asked,
    /// A rotation is in flight, by whomever it was asked for.
    InProgress,
    /// A rotation that was in flight for too long has been ended, and a new one asked for.
    AbandonedAndAsked,
    /// Its time has not come.
    NotDue,
    /// It cannot, or must not, be rotated by us.
    Skipped,
    /// Asking, or what comes before it, failed. The next tick tries again.
    Failed,
    /// The deadline came first. It is nearer to the front of the next tick.
    NotReached,
}

/// Why, for alarms and for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// A stable name.
    pub code: &'static str,
    /// A sentence.
    pub message: String,
}

impl Reason {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
        }
    }
}

impl From<&StoreError> for Reason {
    fn from(error: &StoreError) -> Self {
        Self::new(error.code(), error.to_string())
    }
}
