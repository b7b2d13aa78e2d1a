//! What was found of one part of a deployment.

use serde::Serialize;
use twinkey_core::{StoreError, escape_control};

/// What to do about most of what is missing. An unchanged stack of `CloudFormation`'s would not mend it.
pub(crate) const DEPLOY: &str =
    "terraform apply makes it again; CloudFormation: docs/operations.md, What is deployed";

/// One part of a deployment, and how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is about: `function twinkey-postgres`.
    pub subject: String,
    /// How it is.
    pub state: State,
    /// What was seen, without a value.
    pub detail: String,
    /// What to do about it; none if it is as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How a part of a deployment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Ok,
    /// There is none.
    Missing,
    /// It is there, and not as it should be.
    Wrong,
    /// It could not be looked at.
    Unknown,
}

impl Finding {
    pub(crate) fn ok(subject: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(subject, State::Ok, detail, None)
    }

    pub(crate) fn missing(
        subject: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(subject, State::Missing, detail, Some(hint.into()))
    }

    pub(crate) fn wrong(
        subject: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(subject, State::Wrong, detail, Some(hint.into()))
    }

    pub(crate) fn unknown(subject: impl Into<String>, error: &StoreError) -> Self {
        let hint = match error {
            StoreError::Denied { action, .. } => {
                format!(
                    "see who is asking: aws sts get-caller-identity; it needs the right {action}"
                )
            }
            StoreError::Transient { .. } => "run it again".into(),
            _ => "see whether AWS_ENDPOINT_URL names AWS; else please report it".into(),
        };
        Self::new(subject, State::Unknown, error.to_string(), Some(hint))
    }

    /// It cannot be told, for another reason than a call that failed.
    pub(crate) fn undecided(
        subject: impl Into<String>,
        detail: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self::new(subject, State::Unknown, detail, Some(hint.into()))
    }

    /// What comes from AWS or from other people is escaped here.
    fn new(
        subject: impl Into<String>,
        state: State,
        detail: impl Into<String>,
        hint: Option<String>,
    ) -> Self {
        Self {
            subject: escape_control(&subject.into()),
            state,
            detail: escape_control(&detail.into()),
            hint: hint.map(|hint| escape_control(&hint)),
        }
    }
}
