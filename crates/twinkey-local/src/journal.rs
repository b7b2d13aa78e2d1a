//! The records of rotations: opened, closed, and closed for a process that could not.

use twinkey_core::{Failure, Outcome, Record, SecretId, Stage, StoreError, VersionId};

use crate::ledger::Ledger;
use crate::state::State;
use crate::vault::corrupt;

/// Ends whatever rotation is in flight. Its process, if it lives, finds out at its next step.
pub(crate) fn abandon(
    ledger: &Ledger<'_>,
    secret: &SecretId,
    state: &mut State,
) -> Result<(), StoreError> {
    close_leftover(ledger, secret, state)?;
    state.detach(&Stage::Pending);
    state.rotation = None;
    Ok(())
}

/// Closes the record of a rotation whose process died after the labels had ended it.
pub(crate) fn close_leftover(
    ledger: &Ledger<'_>,
    secret: &SecretId,
    state: &State,
) -> Result<(), StoreError> {
    let Some(rotation) = &state.rotation else {
        return Ok(());
    };
    // A record that is missing must not keep a person from putting a value that works.
    let Some(record) = ledger.record(secret, &rotation.token)? else {
        return Ok(());
    };
    if record.outcome != Outcome::InProgress {
        return Ok(());
    }
    let published = state.holder(&Stage::Current) == Some(&rotation.token);
    let outcome = if published {
        Outcome::Succeeded
    } else {
        Outcome::Failed(abandoned())
    };
    close_record(ledger, record, outcome).map(|_| ())
}

fn abandoned() -> Failure {
    let message = "AWSPENDING was taken off its version before it was finished, by a value put by \
                   hand or another rotation";
    Failure::new("RotationAbandoned", message, None)
}

/// The record of a rotation that begins, or goes on.
pub(crate) fn open_record(
    ledger: &Ledger<'_>,
    secret: &SecretId,
    token: &VersionId,
    reason: Option<String>,
) -> Result<(), StoreError> {
    let earlier = ledger.record(secret, token)?;
    let mut record = earlier.unwrap_or_else(|| Record {
        secret: secret.clone(),
        token: token.clone(),
        trigger: token.trigger(),
        reason: None,
        started_at: ledger.now(),
        finished_at: None,
        steps: Vec::new(),
        outcome: Outcome::InProgress,
    });
    record.reason = reason.or(record.reason);
    record.finished_at = None;
    record.outcome = Outcome::InProgress;
    ledger.save_record(&record)
}

pub(crate) fn close_record(
    ledger: &Ledger<'_>,
    mut record: Record,
    outcome: Outcome,
) -> Result<Record, StoreError> {
    record.finished_at = Some(ledger.now());
    record.outcome = outcome;
    ledger.save_record(&record)?;
    Ok(record)
}

/// A rotation with a lease had its record written in the same transaction.
pub(crate) fn begun_record(
    ledger: &Ledger<'_>,
    secret: &SecretId,
    token: &VersionId,
) -> Result<Record, StoreError> {
    ledger.record(secret, token)?.ok_or_else(|| {
        corrupt(
            format!("the record of rotation {token} of secret {secret}"),
            "it was deleted from the file",
        )
    })
}
