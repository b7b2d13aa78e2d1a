//! What KMS refused, as a [`StoreError`]. Its words are not passed on.

use std::error::Error;

use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use twinkey_core::{StoreError, escape_control};

use crate::denial::Denial;
use crate::limits::invalid;
use crate::refusal::{is_about_credentials, is_throttling, lacks_credentials};

/// One call, for its errors.
pub(crate) struct KmsCall<'a> {
    /// The operation, as IAM spells it without its service.
    pub(crate) operation: &'static str,
    /// What is encrypted.
    pub(crate) what: &'a str,
    /// By which key; empty where the ciphertext says so itself.
    pub(crate) key: &'a str,
}

impl KmsCall<'_> {
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
            SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_)
                if lacks_credentials(error) =>
            {
                self.denied("no AWS credentials were found")
            }
            SdkError::ConstructionFailure(_) => invalid(
                self.operation,
                "the request could not be made; is a region set?",
            ),
            SdkError::TimeoutError(_) => self
                .transient("no answer in time (in a VPC, KMS needs an endpoint or a NAT gateway)"),
            SdkError::DispatchFailure(_) => {
                self.transient("the connection was refused, closed or could not be trusted")
            }
            _ => self.transient("the answer was not understood"),
        }
    }

    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>
    fn classify(&self, status: u16, code: &str, message: &str) -> StoreError {
        match code {
            "InvalidCiphertextException" | "IncorrectKeyException" => unreadable(
                self.what,
                "it was encrypted for something else or by another key, or it was changed",
            ),
            "DisabledException" | "KMSInvalidStateException" => {
                self.denied("the key is disabled, or about to be deleted")
            }
            "NotFoundException" => invalid(format!("KMS key {}", self.key()), "there is none"),
            "InvalidKeyUsageException" => invalid(
                format!("KMS key {}", self.key()),
                "it is not a symmetric key for encryption",
            ),
            "AccessDeniedException" | "AccessDenied" => {
                let denial = Denial::parse(message).map(|denial| denial.reason());
                self.denied(&denial.unwrap_or_else(|| self.on_key()))
            }
            "KeyUnavailableException" | "DependencyTimeoutException" => {
                self.transient("the key is not available for now")
            }
            _ if is_throttling(code) || status == 429 => self.transient("rate exceeded"),
            _ if status >= 500 => self.transient("the service failed"),
            _ if status == 403 || is_about_credentials(code) => {
                self.denied("the credentials are not accepted")
            }
            _ => invalid(self.operation, "KMS takes no such request"),
        }
    }

    pub(crate) fn transient(&self, reason: &str) -> StoreError {
        StoreError::Transient {
            doing: format!("{} of {}", self.operation, self.what),
            reason: reason.into(),
        }
    }

    fn denied(&self, reason: &str) -> StoreError {
        StoreError::Denied {
            action: format!("kms:{}", self.operation),
            reason: escape_control(reason),
        }
    }

    fn on_key(&self) -> String {
        format!("on the KMS key {}, for {}", self.key(), self.what)
    }

    fn key(&self) -> &str {
        match self.key {
            "" => "that the ciphertext names",
            key => key,
        }
    }
}

pub(crate) fn unreadable(what: &str, reason: &str) -> StoreError {
    StoreError::Corrupt {
        what: what.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_each_refusal_of_kms_says_what_to_do() {
        let call = KmsCall {
            operation: "Decrypt",
            what: "the store's data key",
            key: "alias/TEST",
        };
        for (status, code, stable, part) in [
            (400, "InvalidCiphertextException", "StoreCorrupt", "changed"),
            (400, "IncorrectKeyException", "StoreCorrupt", "another key"),
            (400, "DisabledException", "StoreDenied", "disabled"),
            (400, "NotFoundException", "InvalidRequest", "alias/TEST"),
            (
                400,
                "InvalidKeyUsageException",
                "InvalidRequest",
                "symmetric",
            ),
            (400, "AccessDeniedException", "StoreDenied", "kms:Decrypt"),
            (400, "ExpiredTokenException", "StoreDenied", "credentials"),
            (
                500,
                "KeyUnavailableException",
                "StoreUnavailable",
                "for now",
            ),
            (400, "ThrottlingException", "StoreUnavailable", "rate"),
            (500, "KMSInternalException", "StoreUnavailable", "failed"),
            (400, "Unheard", "InvalidRequest", "Decrypt"),
        ] {
            let error = call.classify(status, code, "TEST-message");
            assert_eq!(error.code(), stable, "{code}");
            let told = format!("{error} {error:?}");
            assert!(told.contains(part), "{told}");
            assert!(!told.contains("TEST-message"), "{told}");
        }
    }
}
