//! What was found of one part of a deployment.

use serde::Serialize;
use twinkey_core::{StoreError, escape_control};

/// What to do about most of what is missing.
pub(crate) const DEPLOY: &str = "deploy the templates again: infra/README.md";

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
                format!("grant {action} to whoever runs this, and run it again")
            }
            _ => "run it again".into(),
        };
        Self::new(subject, State::Unknown, error.to_string(), Some(hint))
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
