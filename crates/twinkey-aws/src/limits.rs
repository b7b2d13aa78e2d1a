//! What could be right in no state, refused before any call.
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>

use twinkey_core::{SecretId, SecretValue, Stage, StoreError, VersionId};

const LONGEST_VALUE: usize = 65_536;
const LONGEST_LABEL: usize = 256;
const MOST_LABELS: usize = 20;
const LONGEST_ID: usize = 2048;

pub(crate) fn check_secret(secret: &SecretId) -> Result<(), StoreError> {
    if (1..=LONGEST_ID).contains(&secret.as_str().len()) {
        return Ok(());
    }
    Err(invalid("SecretId", "a name or an ARN has 1 to 2048 bytes"))
}

pub(crate) fn check_value(value: &SecretValue) -> Result<(), StoreError> {
    if (1..=LONGEST_VALUE).contains(&value.expose().len()) {
        return Ok(());
    }
    Err(invalid("SecretString", "a value has 1 to 65536 bytes"))
}

pub(crate) fn check_stages(stages: &[Stage]) -> Result<(), StoreError> {
    if stages.is_empty() {
        // Secrets Manager would move AWSCURRENT: nobody should mean that by saying nothing.
        return Err(invalid("VersionStages", "name at least one label"));
    }
    if stages.len() > MOST_LABELS {
        let reason = "a secret carries at most 20 labels";
        return Err(invalid("VersionStages", reason));
    }
    stages.iter().try_for_each(check_stage)
}

pub(crate) fn check_move(
    stage: &Stage,
    from: Option<&VersionId>,
    to: Option<&VersionId>,
) -> Result<(), StoreError> {
    check_stage(stage)?;
    if to.is_some() {
        return Ok(());
    }
    if *stage == Stage::Current {
        return Err(invalid("AWSCURRENT", "it can be moved, not taken off"));
    }
    if from.is_none() {
        return Err(invalid("MoveToVersionId", "from no version to no version"));
    }
    Ok(())
}

fn check_stage(stage: &Stage) -> Result<(), StoreError> {
    if (1..=LONGEST_LABEL).contains(&stage.as_str().len()) {
        return Ok(());
    }
    Err(invalid("VersionStages", "a label has 1 to 256 bytes"))
}

pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> StoreError {
    StoreError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}
