//! What the caller hears when the function has not done what it was asked for.

use std::fmt::Display;

use lambda_runtime::Diagnostic;
use twinkey_core::{Failure, RotationError, SecretId};

use crate::event::EventError;

/// A failure, and what failed. Holds no value: Lambda shows it to whoever called, and the runtime logs
/// its `Debug`.
#[derive(Debug)]
pub(crate) struct Refusal {
    /// Which step of which secret, where it was one.
    pub(crate) what: Option<String>,
    /// Why, and what to do next.
    pub(crate) failure: Failure,
}

impl Refusal {
    pub(crate) fn of(what: impl Display, failure: Failure) -> Self {
        Self {
            what: Some(what.to_string()),
            failure,
        }
    }
}

impl From<&EventError> for Refusal {
    fn from(error: &EventError) -> Self {
        Self {
            what: None,
            failure: Failure::new(error.error_type(), error.to_string(), None),
        }
    }
}

/// One sentence, and on a line of its own what to do next.
impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let Failure {
            error_type,
            message,
            hint,
            ..
        } = refusal.failure;
        let what = refusal.what.map(|what| format!("{what}: "));
        let hint = hint.map(|hint| format!("\nhint: {hint}"));
        Self {
            error_type,
            error_message: [what.unwrap_or_default(), message, hint.unwrap_or_default()].concat(),
        }
    }
}

/// The engine's error of a step.
pub(crate) fn failed(error: &RotationError) -> Failure {
    named(Failure::from(error), &error.secret)
}

/// With the secret's name in the command of its hint.
pub(crate) fn named(failure: Failure, secret: &SecretId) -> Failure {
    let name = |hint: String| hint.replace("NAME", secret.as_str());
    Failure {
        hint: failure.hint.map(name),
        ..failure
    }
}

/// A variable of the function's environment that cannot be used.
pub(crate) fn misconfigured(error: &dyn Display) -> Failure {
    let hint = "correct the variable in the function's environment";
    Failure::new("InvalidEnvironment", error.to_string(), Some(hint.into()))
}

#[cfg(test)]
mod tests {
    use twinkey_core::{RotationFailure, Step, VersionId};

    use super::*;

    #[test]
    fn a_failed_step_is_told_with_its_name_its_reason_and_the_next_command() {
        let error = RotationError {
            step: Step::SetSecret,
            secret: SecretId::new("TEST-app"),
            token: VersionId::parse("a".repeat(32)).expect("32 characters"),
            cause: RotationFailure::OutOfOrder("early".into()),
            retired: Vec::new(),
        };
        let refusal = Refusal::of("setSecret of TEST-app", failed(&error));
        let told = Diagnostic::from(refusal);
        assert_eq!(told.error_type, "OutOfOrder");
        assert_eq!(
            told.error_message,
            "setSecret of TEST-app: out of order: early\n\
             hint: look where it stands: twinkey status TEST-app"
        );
    }
}
