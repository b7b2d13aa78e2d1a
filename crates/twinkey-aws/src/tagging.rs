//! `TagResource` and `UntagResource`: policy lives in tags.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::types::Tag;
use twinkey_core::{Policy, SecretId, StoreError};

use crate::SecretsManagerStore;
use crate::call::Call;
use crate::limits::{self, invalid};
use crate::store_call::{Asked, StoreCall};

impl SecretsManagerStore {
    /// Adds tags, or gives them new values. Nothing is sent unless those of ours are understood. One call.
    pub async fn tag(
        &self,
        secret: &SecretId,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), StoreError> {
        limits::check_secret(secret)?;
        Policy::parse(tags).map_err(|error| invalid("tags", error.to_string()))?;
        let tags = tags
            .iter()
            .map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = self.client.tag_resource().secret_id(secret.as_str());
        let request = request.set_tags(Some(tags.collect()));
        let sent = request.send().await;
        sent.map_err(|error| call("TagResource", secret).refused(&error))?;
        Ok(())
    }

    /// Removes tags. One that is not there is no error. One call.
    pub async fn untag(&self, secret: &SecretId, keys: &[String]) -> Result<(), StoreError> {
        limits::check_secret(secret)?;
        let request = self.client.untag_resource().secret_id(secret.as_str());
        let request = request.set_tag_keys(Some(keys.to_vec()));
        let sent = request.send().await;
        sent.map_err(|error| call("UntagResource", secret).refused(&error))?;
        Ok(())
    }
}

fn call<'a>(operation: &'static str, secret: &'a SecretId) -> StoreCall<'a> {
    StoreCall {
        operation,
        secret,
        asked: Asked::Secret,
    }
}
