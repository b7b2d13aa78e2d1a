//! list: which secrets there are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_aws::{Listed, Which};
use twinkey_core::{Failure, SCHEDULE_TAG, SecretId, Store};
use twinkey_local::LocalStore;

use crate::place::{At, Opened};
use crate::present::{self, ago};
use crate::problem::Problem;

#[derive(Serialize)]
struct Entry {
    secret: SecretId,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    /// Only where the store keeps it.
    current_since: Option<DateTime<Utc>>,
    /// Only where the store keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    rotated_at: Option<DateTime<Utc>>,
    /// A damaged secret does not hide the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) async fn list(opened: &Opened, json: bool) -> Result<(), Problem> {
    let (entries, since) = match &opened.at {
        At::Embedded(store) => (embedded(store).await?, "CURRENT SINCE"),
        At::Aws(aws) => {
            let listed = aws.store.list(Which::All).await?;
            (listed.into_iter().map(Entry::from).collect(), "ROTATED")
        }
    };
    if json {
        present::json(&entries);
        return Ok(());
    }
    let heads = ["SECRET", "SCHEDULE", since];
    let mut rows = vec![heads.map(String::from).to_vec()];
    let now = opened.clock.now();
    rows.extend(entries.iter().map(|entry| row(entry, now)));
    present::table(&rows);
    Ok(())
}

impl From<Listed> for Entry {
    fn from(listed: Listed) -> Self {
        Self {
            secret: listed.name,
            tags: listed.tags,
            current_since: None,
            rotated_at: listed.rotated_at,
            error: None,
        }
    }
}

async fn embedded(store: &LocalStore) -> Result<Vec<Entry>, Problem> {
    let mut entries = Vec::new();
    for secret in store.names().await? {
        entries.push(entry(store, secret).await);
    }
    Ok(entries)
}

async fn entry(store: &LocalStore, secret: SecretId) -> Entry {
    match store.describe(&secret).await {
        Ok(seen) => Entry {
            secret,
            tags: seen.tags,
            current_since: seen.current_since,
            rotated_at: seen.rotated_at,
            error: None,
        },
        Err(error) => {
            let Problem(error) = error.into();
            Entry {
                secret,
                tags: BTreeMap::new(),
                current_since: None,
                rotated_at: None,
                error: Some(error),
            }
        }
    }
}

fn row(entry: &Entry, now: DateTime<Utc>) -> Vec<String> {
    let schedule = entry.tags.get(SCHEDULE_TAG).cloned();
    let since = entry
        .current_since
        .or(entry.rotated_at)
        .map(|since| ago(since, now));
    let error = entry
        .error
        .as_ref()
        .map(|error| format!("cannot be read [{}]", error.error_type));
    let last = since.or(error).unwrap_or_else(|| "-".into());
    vec![
        entry.secret.to_string(),
        schedule.unwrap_or_else(|| "-".into()),
        last,
    ]
}
