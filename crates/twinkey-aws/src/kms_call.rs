//! Calls to KMS, and what their refusals mean. Its words are not passed on.

use twinkey_core::StoreError;

use crate::call::Call;
use crate::limits::invalid;

/// One call, for its errors.
pub(crate) struct KmsCall<'a> {
    /// The operation, as IAM spells it without its service.
    pub(crate) operation: &'static str,
    /// What is encrypted.
    pub(crate) what: &'a str,
    /// By which key; empty where the ciphertext says so itself.
    pub(crate) key: &'a str,
}

impl Call for KmsCall<'_> {
    fn service(&self) -> &'static str {
        "KMS"
    }

    fn prefix(&self) -> &'static str {
        "kms"
    }

    fn operation(&self) -> &'static str {
        self.operation
    }

    fn subject(&self) -> String {
        self.what.into()
    }

    /// <https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html>
    fn own(&self, code: &str, _message: &str) -> Option<StoreError> {
        let key = || format!("KMS key {}", self.key());
        Some(match code {
            "InvalidCiphertextException" | "IncorrectKeyException" => unreadable(
                self.what,
                "it was encrypted for something else or by another key, or it was changed",
            ),
            "DisabledException" | "KMSInvalidStateException" => {
                self.denied("the key is disabled, or about to be deleted")
            }
            "NotFoundException" => invalid(key(), "there is none"),
            "InvalidKeyUsageException" => invalid(key(), "it is not a key for this use"),
            "KeyUnavailableException" | "DependencyTimeoutException" => {
                self.transient("the key is not available for now")
            }
            _ => return None,
        })
    }

    fn lacking(&self) -> String {
        format!("on the KMS key {}, for {}", self.key(), self.what)
    }
}

impl KmsCall<'_> {
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
                "this use",
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
