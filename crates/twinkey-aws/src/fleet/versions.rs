//! `ListSecretVersionIds`: a secret's versions, their labels and dates. No value.

use aws_sdk_secretsmanager::types::SecretVersionsListEntry;
use chrono::{DateTime, Utc};
use std::collections::BTreeSet;
use twinkey_core::{SecretId, Stage, StoreError, VersionId};

use crate::SecretsManagerStore;
use crate::call::Call;
use crate::date::date;
use crate::description::version_id;
use crate::limits::invalid;
use crate::store_call::{Asked, StoreCall};

/// One version, those without a label too.
#[derive(Clone, Debug)]
pub struct DatedVersion {
    /// Its id.
    pub id: VersionId,
    /// Its labels.
    pub stages: BTreeSet<Stage>,
    /// `CreatedDate`. Whether a version that has no value yet has one, no page says.
    pub created: Option<DateTime<Utc>>,
}

/// More than Secrets Manager keeps of a secret that rotates every few minutes.
const MOST_PAGES: usize = 30;

impl SecretsManagerStore {
    /// All of them, a hundred to a call.
    pub(crate) async fn dated_versions(
        &self,
        secret: &SecretId,
    ) -> Result<Vec<DatedVersion>, StoreError> {
        let call = StoreCall {
            operation: "ListSecretVersionIds",
            secret,
            asked: Asked::Secret,
        };
        let (mut versions, mut next) = (Vec::new(), None);
        for _ in 0..MOST_PAGES {
            let request = self
                .client
                .list_secret_version_ids()
                .secret_id(secret.as_str())
                .include_deprecated(true)
                .max_results(100)
                .set_next_token(next);
            let page = request.send().await.map_err(|error| call.refused(&error))?;
            for entry in page.versions() {
                versions.push(dated(secret, entry)?);
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(versions);
            }
        }
        let field = format!("secret {secret}");
        Err(invalid(field, "it has more versions than can be listed"))
    }
}

fn dated(secret: &SecretId, entry: &SecretVersionsListEntry) -> Result<DatedVersion, StoreError> {
    Ok(DatedVersion {
        id: version_id(secret, entry.version_id().unwrap_or_default())?,
        stages: entry
            .version_stages()
            .iter()
            .cloned()
            .map(Stage::from)
            .collect(),
        created: entry.created_date().and_then(date),
    })
}
