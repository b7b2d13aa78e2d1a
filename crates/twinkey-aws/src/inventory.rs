//! `ListSecrets`: which secrets there are in a region.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::list_secrets::ListSecretsOutput;
use aws_sdk_secretsmanager::types::{Filter, FilterNameStringType, SecretListEntry};
use chrono::{DateTime, Utc};
use twinkey_core::{SecretId, StoreError, escape_control};

use crate::SecretsManagerStore;
use crate::call::Call;
use crate::date::date;
use crate::description::tags;
use crate::foreign::Owner;
use crate::store_call::{Asked, StoreCall};

/// Not only the tags that we know: a misspelt one would otherwise be a silent default. Secrets Manager
/// matches by prefix.
const OUR_TAGS: &str = "twinkey:";
const PAGE: i32 = 100;

/// Which secrets to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Every secret of the region, whosever it is.
    All,
    /// Those with a tag that begins with `twinkey:`.
    Tagged,
}

/// One secret, as far as `ListSecrets` tells of it: that may be minutes behind.
#[derive(Clone, Debug)]
pub struct Listed {
    /// Its name.
    pub name: SecretId,
    /// Its ARN.
    pub arn: SecretId,
    /// Its tags, ours and others'.
    pub tags: BTreeMap<String, String>,
    /// When its last rotation finished.
    pub rotated_at: Option<DateTime<Utc>>,
    /// The ARN of its rotation function, if one is configured.
    pub function: Option<String>,
    /// Whether its rotation is turned on.
    pub rotation_enabled: bool,
    /// The customer's KMS key that encrypts it, by its ARN, its id or an alias.
    pub key: Option<String>,
    /// Whether it is somebody else's to rotate: a service's, or a replica's primary.
    pub is_foreign: bool,
}

impl Listed {
    /// Whether it has a tag of ours.
    pub fn is_tagged(&self) -> bool {
        self.tags.keys().any(|key| key.starts_with(OUR_TAGS))
    }
}

impl SecretsManagerStore {
    /// The secrets of the region, in the order of their names. One call for each hundred.
    pub async fn list(&self, which: Which) -> Result<Vec<Listed>, StoreError> {
        let (mut listed, mut token) = (Vec::new(), None);
        loop {
            let page = self.list_page(which, token).await?;
            listed.extend(page.secret_list().iter().map(Listed::from));
            token = page.next_token;
            if token.is_none() {
                listed.sort_by(|a: &Listed, b| a.name.cmp(&b.name));
                return Ok(listed);
            }
        }
    }

    /// One page of the list.
    pub(crate) async fn list_page(
        &self,
        which: Which,
        token: Option<String>,
    ) -> Result<ListSecretsOutput, StoreError> {
        let everything = SecretId::new("the region's secrets");
        let call = StoreCall {
            operation: "ListSecrets",
            secret: &everything,
            asked: Asked::Secret,
        };
        let by_tag = Filter::builder()
            .key(FilterNameStringType::TagKey)
            .values(OUR_TAGS)
            .build();
        let request = self
            .client
            .list_secrets()
            .set_filters((which == Which::Tagged).then(|| vec![by_tag]))
            .include_planned_deletion(false)
            .max_results(PAGE)
            .set_next_token(token);
        request.send().await.map_err(|error| call.refused(&error))
    }
}

impl From<&SecretListEntry> for Listed {
    fn from(entry: &SecretListEntry) -> Self {
        Self {
            name: SecretId::new(escape_control(entry.name().unwrap_or_default())),
            arn: SecretId::new(entry.arn().unwrap_or_default()),
            tags: tags(entry.tags()),
            rotated_at: entry.last_rotated_date().and_then(date),
            function: entry.rotation_lambda_arn().map(escape_control),
            rotation_enabled: entry.rotation_enabled() == Some(true),
            key: entry.kms_key_id().map(escape_control),
            is_foreign: Owner::from(entry).foreign().is_some(),
        }
    }
}
