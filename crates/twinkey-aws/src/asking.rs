//! `RotateSecret`: asks Secrets Manager to send the rotation function its steps.

use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use twinkey_core::{SecretId, StoreError, VersionId};

use crate::SecretsManagerStore;
use crate::call::Call;
use crate::limits;
use crate::store_call::{Asked, StoreCall};

/// What Secrets Manager said to a request that it understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The rotation has begun, or had begun by the same token.
    Begun,
    /// AWSPENDING is on a version of another token: nothing has begun.
    PreviousIncomplete,
}

/// "A previous rotation isn't complete. That rotation will be reattempted."
const PREVIOUS: &str = "previous rotation";
/// "Secrets Manager cannot invoke the specified Lambda function. Ensure that the function policy grants access
/// to the principal secretsmanager.amazonaws.com."
const CANNOT_INVOKE: &str = "cannot invoke the specified Lambda function";

impl SecretsManagerStore {
    /// One call. Repeatable with the same token: it asks for the same rotation.
    pub(crate) async fn ask(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Answer, StoreError> {
        limits::check_secret(secret)?;
        let request = self.client.rotate_secret().secret_id(secret.as_str());
        let request = request.client_request_token(token.as_str());
        let Err(error) = request.send().await else {
            return Ok(Answer::Begun);
        };
        let says = |words| {
            error
                .message()
                .is_some_and(|message| message.contains(words))
        };
        if says(PREVIOUS) {
            return Ok(Answer::PreviousIncomplete);
        }
        if says(CANNOT_INVOKE) {
            return Err(StoreError::Denied {
                action: "lambda:InvokeFunction".into(),
                reason: format!("Secrets Manager may not invoke the rotation function of {secret}"),
            });
        }
        let call = StoreCall {
            operation: "RotateSecret",
            secret,
            asked: Asked::Secret,
        };
        Err(call.refused(&error))
    }
}
