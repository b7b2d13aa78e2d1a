//! What `DescribeSecret` says, and which secrets are not ours to rotate.

use std::collections::BTreeMap;

use aws_sdk_secretsmanager::operation::describe_secret::DescribeSecretOutput;
use aws_sdk_secretsmanager::types::Tag;
use twinkey_core::{Description, SecretId, Stage, StoreError, VersionId};

use crate::limits::invalid;
use crate::store::date;

/// A description, unless the secret is somebody else's to rotate.
pub(crate) fn description(
    secret: &SecretId,
    output: &DescribeSecretOutput,
) -> Result<Description, StoreError> {
    refuse_others(secret, output)?;
    Ok(Description {
        tags: output.tags().iter().filter_map(tag).collect(),
        versions: versions(secret, output)?,
        rotation_enabled: output.rotation_enabled() == Some(true),
        // No date among them says when AWSCURRENT moved: see the README.
        current_since: None,
        rotated_at: output.last_rotated_date().and_then(date),
    })
}

fn tag(tag: &Tag) -> Option<(String, String)> {
    Some((tag.key()?.into(), tag.value().unwrap_or_default().into()))
}

fn versions(
    secret: &SecretId,
    output: &DescribeSecretOutput,
) -> Result<BTreeMap<VersionId, std::collections::BTreeSet<Stage>>, StoreError> {
    let versions = output.version_ids_to_stages().into_iter().flatten();
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

/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/service-linked-secrets.html>
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/managed-external-secrets.html>
/// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/create-manage-multi-region-secrets.html>
fn refuse_others(secret: &SecretId, output: &DescribeSecretOutput) -> Result<(), StoreError> {
    let refuse = |reason: String| Err(invalid(format!("secret {secret}"), reason));
    if let Some(service) = present(output.owning_service()) {
        let service = twinkey_core::escape_control(service);
        return refuse(format!(
            "it is owned by the service {service}, which rotates it"
        ));
    }
    if let Some(kind) = present(output.r#type()) {
        let kind = twinkey_core::escape_control(kind);
        return refuse(format!(
            "it is a managed external secret of type {kind}, which Secrets Manager rotates without a function"
        ));
    }
    if let Some(primary) = present(output.primary_region())
        && region(output.arn()).is_some_and(|here| here != primary)
    {
        let primary = twinkey_core::escape_control(primary);
        return refuse(format!(
            "it is a replica; rotate it in its primary region, {primary}, or promote it"
        ));
    }
    if output.deleted_date().is_some() {
        return Err(StoreError::Conflict {
            secret: secret.clone(),
            reason: "it is scheduled for deletion; restore-secret takes that back".into(),
        });
    }
    Ok(())
}

fn present(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}

/// The region of `arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME`.
fn region(arn: Option<&str>) -> Option<&str> {
    arn?.split(':').nth(3)
}
