//! list: which secrets there are.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_core::{Failure, SCHEDULE_TAG, SecretId, Store};

use crate::place::Opened;
use crate::present::{self, ago};
use crate::problem::Problem;

#[derive(Serialize)]
struct Entry {
    secret: SecretId,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<String, String>,
    current_since: Option<DateTime<Utc>>,
    /// A damaged secret does not hide the others.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Failure>,
}

pub(crate) async fn list(opened: &Opened, json: bool) -> Result<(), Problem> {
    let mut entries = Vec::new();
    for secret in opened.store.names().await? {
        entries.push(entry(opened, secret).await);
    }
    if json {
        present::json(&entries);
        return Ok(());
    }
    let heads = ["SECRET", "SCHEDULE", "CURRENT SINCE"];
    let mut rows = vec![heads.map(String::from).to_vec()];
    let now = opened.clock.now();
    rows.extend(entries.iter().map(|entry| row(entry, now)));
    present::table(&rows);
    Ok(())
}

async fn entry(opened: &Opened, secret: SecretId) -> Entry {
    match opened.store.describe(&secret).await {
        Ok(seen) => Entry {
            secret,
            tags: seen.tags,
            current_since: seen.current_since,
            error: None,
        },
        Err(error) => {
            let Problem(error) = error.into();
            Entry {
                secret,
                tags: BTreeMap::new(),
                current_since: None,
                error: Some(error),
            }
        }
    }
}

fn row(entry: &Entry, now: DateTime<Utc>) -> Vec<String> {
    let schedule = entry.tags.get(SCHEDULE_TAG).cloned();
    let since = entry.current_since.map(|since| ago(since, now));
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
