//! Errors as Secrets Manager spells them.

use serde_json::{Value, json};
use twinkey_core::{SecretId, Selector, StoreError};

/// An error answer.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

const CALLER: &str = "arn:aws:sts::123456789012:assumed-role/TEST-role/TEST-function";

impl Refusal {
    pub(crate) fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status: 400,
            code,
            message: message.into(),
        }
    }

    pub(crate) fn invalid_parameter(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    pub(crate) fn throttled() -> Self {
        Self::new("ThrottlingException", "Rate exceeded")
    }

    pub(crate) fn denied(operation: &str, arn: &str) -> Self {
        let action = format!("secretsmanager:{operation}");
        let message = format!(
            "User: {CALLER} is not authorized to perform: {action} on resource: {arn} because no \
             identity-based policy allows the {action} action"
        );
        Self::new("AccessDeniedException", message)
    }

    pub(crate) fn denied_logs(parameters: &Value) -> Self {
        let action = "logs:FilterLogEvents";
        let group = parameters["logGroupName"].as_str().unwrap_or("*");
        let message = format!(
            "User: {CALLER} is not authorized to perform: {action} on resource: \
             arn:aws:logs:eu-central-1:123456789012:log-group:{group}:log-stream: because no \
             identity-based policy allows the {action} action"
        );
        Self::new("AccessDeniedException", message)
    }

    pub(crate) fn denied_by_kms() -> Self {
        Self::new("AccessDeniedException", "Access to KMS is not allowed")
    }

    pub(crate) fn broken_kms(operation: &str) -> Self {
        let code = match operation {
            "PutSecretValue" => "EncryptionFailure",
            _ => "DecryptionFailure",
        };
        Self::new(code, "Secrets Manager can't use the provided KMS key.")
    }

    pub(crate) fn expired_credentials() -> Self {
        let message = "The security token included in the request is expired";
        Self::new("ExpiredTokenException", message)
    }

    pub(crate) fn broken() -> Self {
        Self {
            status: 500,
            ..Self::new(
                "InternalServiceError",
                "An error occurred on the server side.",
            )
        }
    }

    pub(crate) fn quoting(parameters: &Value) -> Self {
        let message = format!(
            "1 validation error detected: Value '{parameters}' failed to satisfy constraint"
        );
        Self::new("ValidationException", message)
    }

    pub(crate) fn no_secret() -> Self {
        let message = "Secrets Manager can't find the specified secret.";
        Self::new("ResourceNotFoundException", message)
    }

    /// `GetSecretValue` finds no value.
    pub(crate) fn no_value(at: &Selector) -> Self {
        let what = match at {
            Selector::Stage(stage) => format!("staging label: {stage}"),
            Selector::Version(id) | Selector::VersionAt(id, _) => format!("VersionId: {id}"),
        };
        let message = format!("Secrets Manager can't find the specified secret value for {what}");
        Self::new("ResourceNotFoundException", message)
    }

    /// `GetSecretValue` finds the version, without that label.
    pub(crate) fn not_associated() -> Self {
        let message =
            "You provided a VersionStage that is not associated to the provided VersionId.";
        Self::new("InvalidRequestException", message)
    }

    /// What the fake refused in `operation`, in the vendor's words as far as they are known.
    pub(crate) fn of(operation: &str, secret: &SecretId, error: StoreError) -> Self {
        match error {
            StoreError::NoSecret(_) => Self::no_secret(),
            StoreError::NoVersion {
                at: Selector::Version(id),
                ..
            } if operation == "UpdateSecretVersionStage" => {
                let message =
                    format!("Secrets Manager can't find the specified version {id} of the secret.");
                Self::new("ResourceNotFoundException", message)
            }
            StoreError::NoVersion { at, .. } => Self::no_value(&at),
            StoreError::Conflict { reason, .. } => match operation {
                "PutSecretValue" | "CreateSecret" => Self::token_in_use(secret),
                "RotateSecret" => Self::new("InvalidRequestException", reason),
                // Public reports of a compare-and-swap that lost name this one.
                _ => Self::invalid_parameter(reason),
            },
            StoreError::Invalid { reason, .. } if reason.contains("at most") => {
                Self::new("LimitExceededException", reason)
            }
            StoreError::Invalid { reason, .. } => match operation {
                "RotateSecret" => Self::new("InvalidRequestException", reason),
                _ => Self::invalid_parameter(reason),
            },
            StoreError::Transient { .. } => Self::throttled(),
            other => panic!("the fake does not refuse so: {other:?}"),
        }
    }

    pub(crate) fn token_in_use(secret: &SecretId) -> Self {
        let message = format!(
            "You can't use this ClientRequestToken because that value is already in use for a \
             version of secret {secret}."
        );
        Self::new("ResourceExistsException", message)
    }

    pub(crate) fn body(&self) -> Value {
        json!({"__type": self.code, "message": self.message})
    }
}

impl From<std::convert::Infallible> for Refusal {
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}
