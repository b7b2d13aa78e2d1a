//! One call to AWS, and what came of it instead of an answer: what is the same for every service. No error carries a
//! value.

use std::error::Error;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use twinkey_core::{StoreError, escape_control};

use crate::denial::Denial;
use crate::limits::invalid;

/// A call, for its errors.
pub trait Call {
    /// The service's name.
    fn service(&self) -> &'static str;

    /// What its actions begin with in a policy.
    fn prefix(&self) -> &'static str;

    /// The operation, as IAM spells it without its service.
    fn operation(&self) -> &'static str;

    /// What the call is about.
    fn subject(&self) -> String;

    /// What the codes mean that are the service's own; none for one that any service may answer.
    fn own(&self, code: &str, message: &str) -> Option<StoreError>;

    /// What a refusal means whose code nobody here knows.
    fn unheard(&self, _code: &str, _message: &str) -> StoreError {
        let reason = format!("{} takes no such request", self.service());
        invalid(self.operation(), reason)
    }

    /// Why a right is missing, where the service does not say of which resource.
    fn lacking(&self) -> String {
        format!("on {}", self.subject())
    }

    /// What to tell of an error.
    fn refused<E: ProvideErrorMetadata + Error + 'static>(
        &self,
        error: &SdkError<E, HttpResponse>,
    ) -> StoreError {
        let in_vpc = "in a VPC, the service needs an endpoint or a NAT gateway";
        match error {
            SdkError::ServiceError(refusal) => {
                let status = refusal.raw().status().as_u16();
                let code = refusal.err().code().unwrap_or_default();
                let message = refusal.err().message().unwrap_or_default();
                self.classify(status, code, message)
            }
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_)
                if lacks_credentials(error) =>
            {
                self.denied("no AWS credentials were found")
            }
            SdkError::ConstructionFailure(_) => invalid(
                self.operation(),
                "the request could not be made; is a region set?",
            ),
            SdkError::TimeoutError(_) => self.transient(format!("no answer in time ({in_vpc})")),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => {
                self.transient(format!("the service was not reached in time ({in_vpc})"))
            }
            SdkError::DispatchFailure(_) => {
                self.transient("the connection was refused, closed or could not be trusted")
            }
            // The answer itself may hold a value, and so may the parser's words on it.
            _ => self.transient(MISUNDERSTOOD),
        }
    }

    /// The same, of an answer's status and its error's code and message.
    fn classify(&self, status: u16, code: &str, message: &str) -> StoreError {
        if let Some(own) = self.own(code, message) {
            return own;
        }
        match code {
            // The last is SNS's.
            "AccessDeniedException" | "AccessDenied" | "AuthorizationError" => {
                match Denial::parse(message) {
                    Some(denial) => StoreError::Denied {
                        action: denial.action.to_owned(),
                        reason: escape_control(&denial.reason()),
                    },
                    None => self.denied(self.lacking()),
                }
            }
            _ if is_throttling(code) || status == 429 => self.transient("rate exceeded"),
            _ if status >= 500 => self.transient("the service failed"),
            _ if status == 403 || is_about_credentials(code) => {
                self.denied(format!("{}: the credentials are not accepted", brief(code)))
            }
            _ => self.unheard(code, message),
        }
    }

    /// A right is missing, or the credentials are.
    fn denied(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Denied {
            action: format!("{}:{}", self.prefix(), self.operation()),
            reason: escape_control(&reason.into()),
        }
    }

    /// The same call may pass in a moment.
    fn transient(&self, reason: impl Into<String>) -> StoreError {
        StoreError::Transient {
            doing: format!("{} of {}", self.operation(), self.subject()),
            reason: reason.into(),
        }
    }

    /// An answer that lacks what its documentation promises.
    fn misunderstood(&self) -> StoreError {
        self.transient(MISUNDERSTOOD)
    }
}

const MISUNDERSTOOD: &str = "the answer was not understood";

/// Before anything was sent.
fn lacks_credentials(error: &(dyn Error + 'static)) -> bool {
    error.is::<CredentialsError>() || error.source().is_some_and(lacks_credentials)
}

/// A code that the server made up is not repeated at length.
pub(crate) fn brief(code: &str) -> String {
    let short: String = code.chars().take(80).collect();
    escape_control(&short)
}

fn is_throttling(code: &str) -> bool {
    code.contains("Throttl")
        || [
            "TooManyRequestsException",
            "RequestLimitExceeded",
            "SlowDown",
        ]
        .contains(&code)
}

fn is_about_credentials(code: &str) -> bool {
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
