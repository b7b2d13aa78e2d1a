//! One delivery of one step: what is asked, and what it reports.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::rotation_event::RotationEvent;
use crate::{InUse, KeyId, RetiredKey, SecretId, VersionId};

/// The four steps of a rotation, in their order.
///
/// Secrets Manager's user guide spells them in snake case, what it sends is camel case; both
/// are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Step {
    /// Make the new key's value and store it.
    #[serde(rename = "createSecret", alias = "create_secret")]
    CreateSecret,
    /// Make the server accept it.
    #[serde(rename = "setSecret", alias = "set_secret")]
    SetSecret,
    /// Use it as consumers will.
    #[serde(rename = "testSecret", alias = "test_secret")]
    TestSecret,
    /// Let consumers read it.
    #[serde(rename = "finishSecret", alias = "finish_secret")]
    FinishSecret,
}

impl Step {
    /// All four, in order.
    pub const ALL: [Self; 4] = [
        Self::CreateSecret,
        Self::SetSecret,
        Self::TestSecret,
        Self::FinishSecret,
    ];

    /// As Secrets Manager spells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CreateSecret => "createSecret",
            Self::SetSecret => "setSecret",
            Self::TestSecret => "testSecret",
            Self::FinishSecret => "finishSecret",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One delivery of one step. It is read from the event that Secrets Manager sends.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "RotationEvent")]
pub struct StepRequest {
    /// Which step.
    pub step: Step,
    /// Of which secret.
    pub secret: SecretId,
    /// In which rotation.
    pub token: VersionId,
}

/// What a step that passed has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepReport {
    /// Whether it did the work or found it done.
    pub result: StepResult,
    /// The new key, where the step got to know it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub key: Option<KeyId>,
    /// Who still used the key whose place the new one takes, where createSecret got to know it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub in_use: Option<InUse>,
    /// Keys that this step made dead.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub retired: Vec<RetiredKey>,
}

/// Whether a step did its work or found it done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepResult {
    /// It did its work.
    Done,
    /// An earlier delivery had done it.
    AlreadyDone,
    /// A test of the configuration alone (`RotateImmediately=false`): nothing was changed.
    OnlyChecked,
}

impl StepReport {
    /// The step did its work.
    #[must_use]
    pub fn done(key: Option<KeyId>) -> Self {
        Self {
            result: StepResult::Done,
            key,
            in_use: None,
            retired: Vec::new(),
        }
    }

    /// An earlier delivery had done it.
    #[must_use]
    pub fn already_done() -> Self {
        Self {
            result: StepResult::AlreadyDone,
            key: None,
            in_use: None,
            retired: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_step_are_read_and_one_is_written() {
        for (camel, snake, step) in [
            ("createSecret", "create_secret", Step::CreateSecret),
            ("setSecret", "set_secret", Step::SetSecret),
            ("testSecret", "test_secret", Step::TestSecret),
            ("finishSecret", "finish_secret", Step::FinishSecret),
        ] {
            for spelling in [camel, snake] {
                let read: Step = serde_json::from_value(spelling.into()).expect("a known step");
                assert_eq!(read, step);
            }
            assert_eq!(serde_json::to_value(step).expect("a string"), camel);
            assert_eq!(step.to_string(), camel);
        }
    }
}
