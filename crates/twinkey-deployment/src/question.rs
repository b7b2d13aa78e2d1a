//! One read-only call, and what its refusals mean.

use std::error::Error;

use aws_sdk_secretsmanager::config::http::HttpResponse;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use twinkey_aws::Call;
use twinkey_core::StoreError;

/// What the services say of what is not there. Each has words of its own.
const ABSENT: [&str; 8] = [
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchEntity",
    "NotFound",
    "NotFoundException",
    "QueueDoesNotExist",
    "ResourceNotFound",
    "ResourceNotFoundException",
    "TrailNotFoundException",
];

/// One call, for its errors.
pub(crate) struct Question<'a> {
    /// The service's name.
    pub(crate) service: &'static str,
    /// The right that it needs, as a policy has it.
    pub(crate) right: &'static str,
    /// What it is about.
    pub(crate) of: &'a str,
}

impl<'a> Question<'a> {
    pub(crate) fn new(service: &'static str, right: &'static str, of: &'a str) -> Self {
        Self { service, right, of }
    }

    /// The answer; none if what was asked about is not there.
    pub(crate) fn answer<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<Option<T>, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let error = match result {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        let code = error.as_service_error().and_then(|error| error.code());
        if code.is_some_and(|code| ABSENT.contains(&code)) {
            return Ok(None);
        }
        Err(self.refused(&error))
    }

    /// The answer, where nothing can be absent.
    pub(crate) fn required<T, E>(
        &self,
        result: Result<T, SdkError<E, HttpResponse>>,
    ) -> Result<T, StoreError>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        result.map_err(|error| self.refused(&error))
    }
}

impl Call for Question<'_> {
    fn service(&self) -> &'static str {
        self.service
    }

    fn prefix(&self) -> &'static str {
        self.right.split(':').next().unwrap_or_default()
    }

    fn operation(&self) -> &'static str {
        self.right.split(':').nth(1).unwrap_or_default()
    }

    fn subject(&self) -> String {
        self.of.into()
    }

    fn own(&self, _code: &str, _message: &str) -> Option<StoreError> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p11_a_refusal_names_the_right_and_what_it_was_asked_for() {
        let question = Question::new("Lambda", "lambda:GetPolicy", "twinkey-postgres");
        let error = question.classify(403, "AccessDeniedException", "TEST-message");
        let told = error.to_string();
        assert!(told.contains("lambda:GetPolicy"), "{told}");
        assert!(told.contains("twinkey-postgres"), "{told}");
        assert!(!told.contains("TEST-message"), "{told}");
    }
}
