//! The store: each method is one call.

use std::fmt;

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::Builder;
use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
use chrono::{DateTime, Utc};
use twinkey_core::{
    Description, SecretAddress, SecretId, SecretValue, Selector, Stage, Store, StoreError, Version,
    VersionId, escape_control,
};

use crate::call::Call;
use crate::date::date;
use crate::description::{description, version_id};
use crate::limits::{self, invalid};
use crate::retries::OnlyIfThrottled;
use crate::store_call::{Asked, StoreCall};
use crate::{Patience, RotationToken};

/// Secrets Manager in one region, by one caller's rights. Clones share their connections.
#[derive(Clone)]
pub struct SecretsManagerStore {
    pub(crate) client: Client,
    rotation_token: Option<RotationToken>,
}

/// What one `DescribeSecret` tells of a secret that is ours to rotate.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The secret's ARN.
    pub arn: SecretId,
    /// Its tags, labels and dates.
    pub description: Description,
    /// The ARN of its rotation function, if one is configured; it may be turned off.
    pub function: Option<String>,
    /// When Secrets Manager rotates it at the latest, by its own schedule.
    pub next_rotation: Option<DateTime<Utc>>,
}

impl SecretsManagerStore {
    /// A store by the credentials, the region and the endpoint of a configuration; its timeouts and
    /// its retries are replaced by ours. No call is made.
    #[must_use]
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        Self {
            client: Client::new(&patience.apply(config)),
            rotation_token: None,
        }
    }

    /// The same store for one rotation whose event brought a token: each put sends it back.
    #[must_use]
    pub fn with_rotation_token(self, token: RotationToken) -> Self {
        Self {
            rotation_token: Some(token),
            ..self
        }
    }

    /// The ARN of a secret: what a rotation must be asked for by, so that a server's mark names one
    /// secret in one way. One call, unless it is one already.
    pub async fn arn(&self, secret: &SecretId) -> Result<SecretId, StoreError> {
        if secret.as_str().starts_with("arn:") {
            return Ok(secret.clone());
        }
        let output = self.described(secret).await?;
        named(secret, &output)
    }

    /// A secret and what is needed to rotate it, in one call.
    pub async fn look(&self, secret: &SecretId) -> Result<Seen, StoreError> {
        let output = self.described(secret).await?;
        Ok(Seen {
            arn: named(secret, &output)?,
            description: description(secret, &output)?,
            function: output.rotation_lambda_arn().map(escape_control),
            next_rotation: output.next_rotation_date().and_then(date),
        })
    }

    async fn described(&self, secret: &SecretId) -> Result<DescribeSecretOutput, StoreError> {
        limits::check_secret(secret)?;
        let call = StoreCall {
            operation: "DescribeSecret",
            secret,
            asked: Asked::Secret,
        };
        let request = self.client.describe_secret().secret_id(secret.as_str());
        request.send().await.map_err(|error| call.refused(&error))
    }
}

impl fmt::Debug for SecretsManagerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretsManagerStore")
    }
}

#[async_trait]
impl Store for SecretsManagerStore {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        SecretAddress {
            store: "aws".into(),
            secret: secret.clone(),
        }
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        description(secret, &self.described(secret).await?)
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        limits::check_secret(secret)?;
        let call = StoreCall {
            operation: "GetSecretValue",
            secret,
            asked: Asked::Value(at),
        };
        let request = self.client.get_secret_value().secret_id(secret.as_str());
        let request = match at {
            Selector::Stage(stage) => request.version_stage(stage.as_str()),
            Selector::Version(id) => request.version_id(id.as_str()),
            Selector::VersionAt(id, stage) => request
                .version_id(id.as_str())
                .version_stage(stage.as_str()),
        };
        let output = request.send().await.map_err(|error| call.refused(&error))?;
        version(secret, at, output)
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        limits::check_secret(secret)?;
        limits::check_value(value)?;
        limits::check_stages(stages)?;
        let call = StoreCall {
            operation: "PutSecretValue",
            secret,
            asked: Asked::Put,
        };
        let labels = stages.iter().map(|stage| stage.as_str().to_owned());
        let token = self.rotation_token.as_ref();
        let request = self
            .client
            .put_secret_value()
            .secret_id(secret.as_str())
            .client_request_token(version.as_str())
            .secret_string(value.expose())
            .set_version_stages(Some(labels.collect()))
            .set_rotation_token(token.map(|token| token.expose().to_owned()))
            .customize()
            .config_override(Builder::default().retry_classifier(OnlyIfThrottled));
        request.send().await.map_err(|error| call.refused(&error))?;
        Ok(())
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        limits::check_secret(secret)?;
        limits::check_move(stage, from, to)?;
        let call = StoreCall {
            operation: "UpdateSecretVersionStage",
            secret,
            asked: Asked::Move(to),
        };
        let text = |id: Option<&VersionId>| id.map(|id| id.as_str().to_owned());
        let request = self
            .client
            .update_secret_version_stage()
            .secret_id(secret.as_str())
            .version_stage(stage.as_str())
            .set_remove_from_version_id(text(from))
            .set_move_to_version_id(text(to))
            .customize()
            .config_override(Builder::default().retry_classifier(OnlyIfThrottled));
        request.send().await.map_err(|error| call.refused(&error))?;
        Ok(())
    }
}

fn named(secret: &SecretId, output: &DescribeSecretOutput) -> Result<SecretId, StoreError> {
    let arn = output.arn().map(SecretId::new);
    arn.ok_or_else(|| StoreError::NoSecret(secret.clone()))
}

fn version(
    secret: &SecretId,
    at: &Selector,
    output: GetSecretValueOutput,
) -> Result<Version, StoreError> {
    let stages = output.version_stages().iter().cloned().map(Stage::from);
    let stages = stages.collect();
    let id = version_id(secret, output.version_id().unwrap_or_default())?;
    let created_at = output.created_date().and_then(date).ok_or_else(|| {
        let field = format!("secret {secret}");
        invalid(field, format!("{at} has no date"))
    })?;
    let value = output.secret_string.map(SecretValue::new).ok_or_else(|| {
        let field = format!("secret {secret}");
        invalid(field, format!("{at} is binary; a document is text"))
    })?;
    Ok(Version {
        id,
        value,
        created_at,
        stages,
    })
}
