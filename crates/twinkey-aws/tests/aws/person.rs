//! What a person and the rotation service do, by the vendor's SDK.

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata;
use aws_sdk_secretsmanager::types::{RotationRulesType, Tag};
use twinkey_core::{SecretId, SecretValue, StoreError, VersionId};

pub(crate) struct Person(Client);

impl Person {
    pub(crate) fn new(config: &SdkConfig) -> Self {
        Self(Client::new(config))
    }

    /// The first value creates the secret.
    pub(crate) async fn put(&self, secret: &SecretId, version: &VersionId, value: &SecretValue) {
        let put = self
            .0
            .put_secret_value()
            .secret_id(secret.as_str())
            .client_request_token(version.as_str())
            .secret_string(value.expose());
        let Err(error) = put.send().await else { return };
        assert_eq!(error.code(), Some("ResourceNotFoundException"));
        self.0
            .create_secret()
            .name(secret.as_str())
            .client_request_token(version.as_str())
            .secret_string(value.expose())
            .send()
            .await
            .expect("created");
    }

    pub(crate) async fn tag(&self, secret: &SecretId, key: &str, value: &str) {
        self.0
            .tag_resource()
            .secret_id(secret.as_str())
            .tags(Tag::builder().key(key).value(value).build())
            .send()
            .await
            .expect("tagged");
    }

    pub(crate) async fn rotate(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<(), StoreError> {
        let rotate = self
            .0
            .rotate_secret()
            .secret_id(secret.as_str())
            .client_request_token(token.as_str())
            .rotation_lambda_arn(FUNCTION)
            .rotation_rules(
                RotationRulesType::builder()
                    .automatically_after_days(30)
                    .build(),
            );
        let Err(error) = rotate.send().await else {
            return Ok(());
        };
        match (error.code(), error.message()) {
            (Some("InvalidRequestException"), Some(reason)) => Err(StoreError::Conflict {
                secret: secret.clone(),
                reason: reason.into(),
            }),
            (Some("ResourceNotFoundException"), Some(what)) if what.contains(FUNCTION) => Ok(()),
            (Some("ResourceNotFoundException"), _) => Err(StoreError::NoSecret(secret.clone())),
            _ => panic!("{error:?}"),
        }
    }
}

/// A function that does not exist: moto does not find it, and leaves the version pending that AWS
/// would have left. AWS itself would refuse before it makes the version.
const FUNCTION: &str = "arn:aws:lambda:eu-central-1:123456789012:function:TEST-missing";
