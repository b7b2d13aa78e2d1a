//! What a tick asks of Secrets Manager.

use async_trait::async_trait;
use aws_sdk_secretsmanager::types::SecretListEntry;
use twinkey_core::{SecretAddress, SecretId, Store, StoreError, VersionId};

use super::versions::DatedVersion;
use crate::asking::Answer;
use crate::{SecretsManagerStore, Which};

/// The secrets of a region, as a tick sees them. Each method is one call, but for a secret that has more than a
/// hundred versions.
#[async_trait]
pub trait Region: Send + Sync {
    /// Which secret in which store this name means. Pure.
    fn address(&self, secret: &SecretId) -> SecretAddress;

    /// `ListSecrets`: a page of the secrets with a tag of ours; the first one without a token. Read-only.
    async fn page(&self, token: Option<String>) -> Result<Page, StoreError>;

    /// `ListSecretVersionIds`: all versions, those without a label too. Read-only.
    async fn versions(&self, secret: &SecretId) -> Result<Vec<DatedVersion>, StoreError>;

    /// `RotateSecret`. Repeatable with the same token: it asks for the same rotation.
    async fn ask(&self, secret: &SecretId, token: &VersionId) -> Result<Answer, StoreError>;
}

/// One page of the list.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// At most a hundred.
    pub secrets: Vec<SecretListEntry>,
    /// What the next page is asked for by; none after the last.
    pub next: Option<String>,
}

#[async_trait]
impl Region for SecretsManagerStore {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        Store::address(self, secret)
    }

    async fn page(&self, token: Option<String>) -> Result<Page, StoreError> {
        let page = self.list_page(Which::Tagged, token).await?;
        Ok(Page {
            secrets: page.secret_list.unwrap_or_default(),
            next: page.next_token,
        })
    }

    async fn versions(&self, secret: &SecretId) -> Result<Vec<DatedVersion>, StoreError> {
        self.dated_versions(secret).await
    }

    async fn ask(&self, secret: &SecretId, token: &VersionId) -> Result<Answer, StoreError> {
        SecretsManagerStore::ask(self, secret, token).await
    }
}
