//! Calls of the store, and what their refusals mean.

use twinkey_core::{SecretId, Selector, StoreError, VersionId, escape_control};

use crate::call::{Call, brief};
use crate::denial::Denial;
use crate::limits::invalid;

/// One call, for its errors.
pub(crate) struct StoreCall<'a> {
    /// The operation, as IAM spells it without its service.
    pub(crate) operation: &'static str,
    pub(crate) secret: &'a SecretId,
    pub(crate) asked: Asked<'a>,
}

/// What the call was about: it decides what a refusal means.
pub(crate) enum Asked<'a> {
    /// `DescribeSecret`.
    Secret,
    /// `GetSecretValue`.
    Value(&'a Selector),
    /// `PutSecretValue`: what the server says of it may quote the value.
    Put,
    /// `UpdateSecretVersionStage`, to this version.
    Move(Option<&'a VersionId>),
}

const LONGEST_MESSAGE: usize = 300;

impl Call for StoreCall<'_> {
    fn service(&self) -> &'static str {
        "Secrets Manager"
    }

    fn prefix(&self) -> &'static str {
        "secretsmanager"
    }

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn subject(&self) -> String {
        self.secret.to_string()
    }

    fn own(&self, code: &str, message: &str) -> Option<StoreError> {
        Some(match code {
            "ResourceNotFoundException" => self.not_found(message),
            "ResourceExistsException" => self.conflict("this version already has another value"),
            "InvalidRequestException" => self.state_forbids(message),
            "InvalidParameterException" => self.invalid_parameter(message),
            "DecryptionFailure" => self.denied_by_kms("kms:Decrypt", code),
            "EncryptionFailure" => self.denied_by_kms("kms:GenerateDataKey", code),
            // "Access to KMS is not allowed"
            "AccessDeniedException" | "AccessDenied"
                if message.contains("KMS") && Denial::parse(message).is_none() =>
            {
                self.denied_by_kms(self.kms_action(), code)
            }
            _ => return None,
        })
    }

    fn unheard(&self, code: &str, message: &str) -> StoreError {
        invalid(self.operation, self.told(code, message))
    }
}

impl StoreCall<'_> {
    fn not_found(&self, message: &str) -> StoreError {
        // "Secrets Manager can't find the specified secret." and "... the specified secret value for ..."
        let whole = message.trim_end().ends_with("the specified secret.");
        let at = match self.asked {
            Asked::Value(at) if !whole => Some(at.clone()),
            Asked::Move(Some(to)) if !whole => Some(Selector::Version(to.clone())),
            _ => None,
        };
        let secret = self.secret.clone();
        match at {
            Some(at) => StoreError::NoVersion { secret, at },
            None => StoreError::NoSecret(secret),
        }
    }

    /// "A parameter value is not valid for the current state of the resource."
    fn state_forbids(&self, message: &str) -> StoreError {
        match self.asked {
            // "You provided a VersionStage that is not associated to the provided VersionId."
            Asked::Value(at @ Selector::VersionAt(..)) if message.contains("not associated") => {
                StoreError::NoVersion {
                    secret: self.secret.clone(),
                    at: at.clone(),
                }
            }
            _ => self.conflict(self.told("the secret's state forbids it", message)),
        }
    }

    /// A compare-and-swap that lost is reported so. What could be wrong with it in every state has been
    /// checked before the call.
    fn invalid_parameter(&self, message: &str) -> StoreError {
        match self.asked {
            Asked::Move(Some(to)) if message.contains("valid version") && names(message, to) => {
                StoreError::NoVersion {
                    secret: self.secret.clone(),
                    at: Selector::Version(to.clone()),
                }
            }
            Asked::Move(_) => self.conflict(self.told("the label is elsewhere", message)),
            _ => invalid(
                self.operation,
                self.told("InvalidParameterException", message),
            ),
        }
    }

    fn denied_by_kms(&self, action: &str, code: &str) -> StoreError {
        let secret = self.secret;
        StoreError::Denied {
            action: action.into(),
            reason: format!(
                "on the KMS key of {secret} ({code}): the caller lacks the right, or the key is disabled"
            ),
        }
    }

    fn kms_action(&self) -> &'static str {
        match self.asked {
            Asked::Put => "kms:GenerateDataKey",
            _ => "kms:Decrypt",
        }
    }

    fn conflict(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Conflict {
            secret: self.secret.clone(),
            reason: reason.into(),
        }
    }

    /// The server's words where they cannot hold a value, otherwise ours.
    fn told(&self, ours: &str, theirs: &str) -> String {
        if matches!(self.asked, Asked::Put) || theirs.is_empty() {
            return brief(ours);
        }
        let short: String = theirs.chars().take(LONGEST_MESSAGE).collect();
        escape_control(&short)
    }
}

fn names(message: &str, version: &VersionId) -> bool {
    message.contains(version.as_str())
}
