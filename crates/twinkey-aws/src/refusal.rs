//! What came instead of an answer, as a [`StoreError`]. None carries a value.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use twinkey_core::{SecretId, Selector, StoreError, VersionId, escape_control};

use crate::denial::Denial;
use crate::limits::invalid;

/// One call, for its errors.
pub(crate) struct Call<'a> {
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

impl Call<'_> {
    /// What to tell of an error.
    pub(crate) fn refused<E: ProvideErrorMetadata + Error + 'static>(
        &self,
        error: &SdkError<E, HttpResponse>,
    ) -> StoreError {
        match error {
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                let code = refusal.err().code().unwrap_or_default();
                let message = refusal.err().message().unwrap_or_default();
                self.classify(status, code, message)
            }
            SdkError::TimeoutError(_) => self.transient(
                "no answer in time (in a VPC, Secrets Manager needs an endpoint or a NAT gateway)",
            ),
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_)
                if lacks_credentials(error) =>
            {
                StoreError::Denied {
                    action: self.action(),
                    reason: "no AWS credentials were found".into(),
                }
            }
            SdkError::ConstructionFailure(_) => {
                invalid(self.operation, "the request could not be made; is a region set?")
            }
            SdkError::DispatchFailure(failure) if failure.is_timeout() => self.transient(
                "the service was not reached in time (in a VPC, it needs an endpoint or a NAT gateway)",
            ),
            SdkError::DispatchFailure(_) => {
                self.transient("the connection was refused, closed or could not be trusted")
            }
            // The answer itself may hold a value, and so may the parser's words on it.
            _ => self.transient("the answer was not understood"),
        }
    }

    fn classify(&self, status: u16, code: &str, message: &str) -> StoreError {
        match code {
            "ResourceNotFoundException" => self.not_found(message),
            "ResourceExistsException" => self.conflict("this version already has another value"),
            "InvalidRequestException" => self.state_forbids(message),
            "InvalidParameterException" => self.invalid_parameter(message),
            "ValidationException" | "LimitExceededException" | "SerializationException" => {
                invalid(self.operation, self.told(code, message))
            }
            "DecryptionFailure" => self.denied_by_kms("kms:Decrypt", code),
            "EncryptionFailure" => self.denied_by_kms("kms:GenerateDataKey", code),
            "AccessDeniedException" | "AccessDenied" => self.denied(message),
            _ if is_throttling(code) || status == 429 => self.transient("rate exceeded"),
            _ if status >= 500 => self.transient("the service failed"),
            _ if status == 403 || is_about_credentials(code) => StoreError::Denied {
                action: self.action(),
                reason: format!("{}: the credentials are not accepted", name(code)),
            },
            _ => invalid(self.operation, self.told(code, message)),
        }
    }

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

    fn denied(&self, message: &str) -> StoreError {
        match Denial::parse(message) {
            Some(denial) => StoreError::Denied {
                action: denial.action.to_owned(),
                reason: escape_control(&denial.reason()),
            },
            // "Access to KMS is not allowed"
            None if message.contains("KMS") => {
                self.denied_by_kms(self.kms_action(), "AccessDeniedException")
            }
            None => StoreError::Denied {
                action: self.action(),
                reason: format!("on {}", self.secret),
            },
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

    fn action(&self) -> String {
        format!("secretsmanager:{}", self.operation)
    }

    fn conflict(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Conflict {
            secret: self.secret.clone(),
            reason: reason.into(),
        }
    }

    fn transient(&self, reason: &str) -> StoreError {
        StoreError::Transient {
            doing: format!("{} of {}", self.operation, self.secret),
            reason: reason.into(),
        }
    }

    /// The server's words where they cannot hold a value, otherwise ours.
    fn told(&self, ours: &str, theirs: &str) -> String {
        if matches!(self.asked, Asked::Put) || theirs.is_empty() {
            return name(ours);
        }
        let short: String = theirs.chars().take(LONGEST_MESSAGE).collect();
        escape_control(&short)
    }
}

/// Before anything was sent.
pub(crate) fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

fn names(message: &str, version: &VersionId) -> bool {
    message.contains(version.as_str())
}

/// A code that the server made up is not repeated at length.
fn name(code: &str) -> String {
    let short: String = code.chars().take(80).collect();
    escape_control(&short)
}

pub(crate) fn is_throttling(code: &str) -> bool {
    code.contains("Throttl")
        || [
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "SlowDown",
        ]
        .contains(&code)
}

pub(crate) fn is_about_credentials(code: &str) -> bool {
    [
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "MissingAuthenticationTokenException",
        "ExpiredTokenException",
        "ExpiredToken",
        "RequestExpired",
        "NotAuthorized",
        "OptInRequired",
    ]
    .contains(&code)
}
