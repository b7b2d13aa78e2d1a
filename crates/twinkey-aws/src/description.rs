//! What `DescribeSecret` says, as long as the secret is ours to rotate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use twinkey_core::{Description, SecretId, Stage, StoreError, VersionId};

use crate::date::date;
use crate::foreign::Owner;
use crate::limits::invalid;

/// Versions and their labels.
pub(crate) type Labels = BTreeMap<VersionId, BTreeSet<Stage>>;

/// A description, unless the secret is somebody else's to rotate.
pub(crate) fn description(
    secret: &SecretId,
    output: &DescribeSecretOutput,
) -> Result<Description, StoreError> {
    refuse_others(secret, output)?;
    Ok(Description {
        tags: tags(output.tags()),
        versions: labels(secret, output.version_ids_to_stages())?,
        rotation_enabled: output.rotation_enabled() == Some(true),
        // No date among them says when AWSCURRENT moved: see the README.
        current_since: None,
        rotated_at: output.last_rotated_date().and_then(date),
    })
}

pub(crate) fn tags(tags: &[Tag]) -> BTreeMap<String, String> {
    let pair = |tag: &Tag| Some((tag.key()?.into(), tag.value().unwrap_or_default().into()));
    tags.iter().filter_map(pair).collect()
}

/// Labelled versions only.
pub(crate) fn labels(
    secret: &SecretId,
    versions: Option<&HashMap<String, Vec<String>>>,
) -> Result<Labels, StoreError> {
    let versions = versions.into_iter().flatten();
    versions
        .filter(|(_, stages)| !stages.is_empty())
        .map(|(id, stages)| {
            let id = version_id(secret, id)?;
            Ok((id, stages.iter().cloned().map(Stage::from).collect()))
        })
        .collect()
}

pub(crate) fn version_id(secret: &SecretId, id: &str) -> Result<VersionId, StoreError> {
    VersionId::parse(id).map_err(|_| {
        let field = format!("secret {secret}");
        invalid(field, "it has a version whose id is no version id")
    })
}

fn refuse_others(secret: &SecretId, output: &DescribeSecretOutput) -> Result<(), StoreError> {
    if let Some(foreign) = Owner::from(output).foreign() {
        return Err(invalid(format!("secret {secret}"), foreign.to_string()));
    }
    if output.deleted_date().is_some() {
        return Err(StoreError::Conflict {
            secret: secret.clone(),
            reason: "it is scheduled for deletion; restore-secret takes that back".into(),
        });
    }
    Ok(())
}
