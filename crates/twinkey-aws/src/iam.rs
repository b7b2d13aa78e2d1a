//! Tokens by which RDS lets database users in: a signed request that is never sent.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4::SigningParams;
use aws_smithy_runtime_api::client::identity::Identity;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::OnceCell;
use tokio::time::timeout;
use twinkey_core::{IamLogin, IamTokens, SecretValue, StoreError};

use crate::limits::invalid;
use crate::{Patience, connect};

/// How long RDS takes a token.
const VALIDITY: Duration = Duration::from_mins(15);
const ACTION: &str = "rds-db:connect";
/// `SigV4` leaves these as they are, and nothing else.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// In the order of AWS's own clients; RDS is known to read that one.
const PARAMETERS: [&str; 7] = [
    "X-Amz-Algorithm",
    "X-Amz-Credential",
    "X-Amz-Date",
    "X-Amz-Expires",
    "X-Amz-SignedHeaders",
    "X-Amz-Security-Token",
    "X-Amz-Signature",
];

/// IAM, by one caller's credentials. No call is made but to find those.
pub struct Iam {
    credentials: Option<SharedCredentialsProvider>,
    region: Option<String>,
    patience: Patience,
}

impl Iam {
    /// By the credentials and the region of a configuration.
    #[must_use]
    pub fn new(config: &SdkConfig, patience: Patience) -> Self {
        Self {
            credentials: config.credentials_provider(),
            region: config.region().map(ToString::to_string),
            patience,
        }
    }

    async fn credentials(&self) -> Result<Credentials, StoreError> {
        let Some(provider) = &self.credentials else {
            return Err(denied("no AWS credentials were found"));
        };
        let found = timeout(self.patience.call, provider.provide_credentials()).await;
        let late = |_| StoreError::Transient {
            doing: "looking for AWS credentials".into(),
            reason: "no answer in time".into(),
        };
        found.map_err(late)?.map_err(|error| lacking(&error))
    }
}

/// What a provider says may name files and URLs with secrets in them.
fn lacking(error: &CredentialsError) -> StoreError {
    match error {
        CredentialsError::CredentialsNotLoaded(_) => denied("no AWS credentials were found"),
        CredentialsError::ProviderTimedOut(_) => StoreError::Transient {
            doing: "looking for AWS credentials".into(),
            reason: "their provider did not answer in time".into(),
        },
        _ => denied("the AWS credentials could not be loaded"),
    }
}

fn denied(reason: &str) -> StoreError {
    StoreError::Denied {
        action: ACTION.into(),
        reason: reason.into(),
    }
}

#[async_trait]
impl IamTokens for Iam {
    async fn token(&self, login: IamLogin<'_>) -> Result<SecretValue, StoreError> {
        let region = login.region.or(self.region.as_deref());
        let region = region.ok_or_else(|| invalid("region", "is set neither here nor there"))?;
        let credentials = self.credentials().await?;
        token(login, region, credentials, SystemTime::now())
    }
}

/// IAM as the process's environment names it, which is read when the first token is asked for: most secrets need
/// none.
#[derive(Debug, Default)]
pub struct IamOnDemand(OnceCell<Iam>);

#[async_trait]
impl IamTokens for IamOnDemand {
    async fn token(&self, login: IamLogin<'_>) -> Result<SecretValue, StoreError> {
        let iam = self
            .0
            .get_or_init(async || Iam::new(&connect().await, Patience::default()))
            .await;
        iam.token(login).await
    }
}

impl fmt::Debug for Iam {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Iam")
    }
}

fn token(
    login: IamLogin<'_>,
    region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<SecretValue, StoreError> {
    let user = escaped(login.user);
    let request = format!(
        "{}:{}/?Action=connect&DBUser={user}",
        login.host, login.port
    );
    let signature = signature(&format!("https://{request}"), region, credentials, now)
        .map_err(|()| invalid("host", "cannot be part of an IAM token"))?;
    let mut token = request;
    for name in PARAMETERS {
        if let Some((_, value)) = signature.iter().find(|(found, _)| found == name) {
            token.extend(["&", name, "=", &escaped(value)]);
        }
    }
    Ok(SecretValue::new(token))
}

/// The parameters that sign a request.
fn signature(
    url: &str,
    region: &str,
    credentials: Credentials,
    now: SystemTime,
) -> Result<Vec<(String, String)>, ()> {
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(VALIDITY);
    settings.signature_location = SignatureLocation::QueryParams;
    let identity = Identity::from(credentials);
    let params = SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("rds-db")
        .time(now)
        .settings(settings)
        .build()
        .map_err(drop)?;
    let body = SignableBody::Bytes(&[]);
    let request = SignableRequest::new("GET", url, std::iter::empty(), body).map_err(drop)?;
    let signed = sign(request, &params.into()).map_err(drop)?;
    let (instructions, _) = signed.into_parts();
    let (_, params) = instructions.into_parts();
    let owned = |(name, value): (&str, std::borrow::Cow<'_, str>)| (name.into(), value.into());
    Ok(params.into_iter().map(owned).collect())
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
