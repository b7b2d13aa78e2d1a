//! What the command shows when it fails: one sentence, and what to do next.

use twinkey_aws::{NotAsked, NotHere};
use twinkey_core::{
    DocumentError, Failure, InvalidVersionId, PolicyError, ProviderError, RotationError,
    RotationFailure, SecretId, StoreError, escape_control,
};
use twinkey_local::{OpenError, ServiceError};

/// A failure, as it is shown. Never holds a value.
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) Failure);

impl Problem {
    pub(crate) fn new(error_type: &str, message: impl Into<String>) -> Self {
        Self(Failure::new(error_type, message, None))
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new("InvalidRequest", message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// A store is made on this machine only.
    pub(crate) fn no_store_to_make() -> Self {
        Self::usage("init makes an embedded store; Secrets Manager is there already")
            .with_hint("make a secret: aws secretsmanager create-secret --name NAME")
    }

    /// A store is locked by one key.
    pub(crate) fn two_keys() -> Self {
        Self::usage("--kms-key locks the store by KMS, without a key file")
            .with_hint("leave out --key-file, and unset TWINKEY_KEY_FILE")
    }

    /// The scheduler works on this machine only.
    pub(crate) fn no_scheduler_here() -> Self {
        Self::usage(
            "run rotates what is due in an embedded store; on AWS the rotation function does",
        )
        .with_hint(
            "send the function a tick, as the templates in infra/ do; see whether one comes: twinkey deploy-check",
        )
    }

    /// The same, with the store in the commands of the hint, so that they can be pasted.
    pub(crate) fn on_aws(mut self) -> Self {
        let named = |hint: String| {
            let commands = [
                "adopt", "get", "list", "put", "rotate", "status", "tag", "untag",
            ];
            commands.iter().fold(hint, |hint, command| {
                hint.replace(
                    &format!("twinkey {command}"),
                    &format!("twinkey --store aws {command}"),
                )
            })
        };
        self.0.hint = self.0.hint.map(named);
        self
    }

    /// Names the secret in the hint, so that its command can be pasted.
    pub(crate) fn about(mut self, secret: &SecretId) -> Self {
        self.0.hint = self
            .0
            .hint
            .map(|hint| hint.replace("NAME", secret.as_str()));
        self
    }

    /// Says it on stderr, or as JSON on stdout.
    pub(crate) fn show(&self, json: bool) {
        if json {
            let error = serde_json::json!({ "error": self.0 });
            crate::present::line(&error.to_string());
            return;
        }
        crate::present::note(&format!(
            "error: {} [{}]",
            escape_control(&self.0.message),
            self.0.error_type
        ));
        if let Some(hint) = &self.0.hint {
            crate::present::note(&format!("hint: {}", escape_control(hint)));
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let hint = store_hint(&error);
        Self(Failure::new(error.code(), error.to_string(), hint))
    }
}

fn store_hint(error: &StoreError) -> Option<String> {
    match error {
        StoreError::NoSecret(_) => Some("see which there are with: twinkey list".into()),
        StoreError::Denied { action, .. } if is_of_aws(action) => Some(format!(
            "see who is asking: aws sts get-caller-identity; it needs the right {action}"
        )),
        _ => RotationFailure::from(error.clone()).hint(),
    }
}

/// `secretsmanager:GetSecretValue`, unlike what a file's owner forbids.
fn is_of_aws(action: &str) -> bool {
    action.contains(':') && !action.contains(' ')
}

impl From<OpenError> for Problem {
    fn from(error: OpenError) -> Self {
        let hint = error.hint();
        Self(Failure::new("StoreNotOpened", error.to_string(), hint))
    }
}

impl From<ServiceError> for Problem {
    fn from(error: ServiceError) -> Self {
        if let ServiceError::Store(error) = error {
            return error.into();
        }
        Self(Failure::new(
            error.error_type(),
            error.to_string(),
            error.hint(),
        ))
    }
}

impl From<RotationError> for Problem {
    fn from(error: RotationError) -> Self {
        let failure = Failure::from(&error);
        let message = error.to_string();
        let hint = match &error.cause {
            RotationFailure::Store(error) => store_hint(error),
            _ => failure.hint,
        };
        Self(Failure {
            message,
            hint,
            ..failure
        })
    }
}

impl From<NotHere> for Problem {
    fn from(error: NotHere) -> Self {
        if let NotHere::Store(error) = error {
            return error.into();
        }
        let hint = error.hint();
        Self(Failure::new(error.error_type(), error.to_string(), hint))
    }
}

impl From<NotAsked> for Problem {
    fn from(error: NotAsked) -> Self {
        let hint = match &error {
            NotAsked::Refused(failure) => match failure.as_ref() {
                RotationFailure::Store(error) => return error.clone().into(),
                RotationFailure::RotationOff => Some(
                    "turn it on with a function: aws secretsmanager rotate-secret --secret-id NAME \
                     --rotation-lambda-arn …; without one: twinkey rotate NAME --here"
                        .into(),
                ),
                failure => failure.hint(),
            },
            NotAsked::InProgress { .. } => Some("see how far it is: twinkey status NAME".into()),
            other => other.hint(),
        };
        Self(Failure::new(error.error_type(), error.to_string(), hint))
    }
}

impl From<ProviderError> for Problem {
    fn from(error: ProviderError) -> Self {
        Self(Failure::new(error.code, error.message, error.hint))
    }
}

impl From<DocumentError> for Problem {
    fn from(error: DocumentError) -> Self {
        Self::new("InvalidDocument", error.to_string())
    }
}

impl From<PolicyError> for Problem {
    fn from(error: PolicyError) -> Self {
        Self::new("InvalidPolicy", error.to_string())
    }
}

impl From<InvalidVersionId> for Problem {
    fn from(error: InvalidVersionId) -> Self {
        Self::new("InvalidRequest", error.to_string())
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        Self::new("InputOutput", error.to_string())
    }
}
