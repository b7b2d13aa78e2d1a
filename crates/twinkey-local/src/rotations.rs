//! Rotations in the store: begun, leased, recorded and closed, each in one transaction.

use chrono::{DateTime, Utc};
use twinkey_core::{Outcome, Record, SecretId, Stage, StepRecord, StoreError, VersionId};

use crate::journal::{abandon, begun_record, close_leftover, close_record, open_record};
use crate::lease::Lease;
use crate::state::{RotationState, conflict};
use crate::{LocalStore, Standing};

/// A rotation that fails for months, four times an hour, keeps its latest deliveries.
const MOST_STEPS: usize = 500;

/// Whether a rotation was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    Yes,
    /// Another one is in flight, or has just passed.
    InTheWay,
}

/// What closing a rotation found.
#[derive(Clone, Debug)]
pub(crate) enum Closed {
    /// It is closed; its record, and whether it stays pending for another attempt.
    Ours { record: Box<Record>, pending: bool },
    /// Another process has taken it over, or it was abandoned.
    NotOurs,
}

impl LocalStore {
    /// Where the secret's rotation stands at `now`, by the machine's clock.
    pub async fn standing(
        &self,
        secret: &SecretId,
        now: DateTime<Utc>,
    ) -> Result<Standing, StoreError> {
        let secret = secret.clone();
        self.read_ledger(move |ledger| Ok(ledger.state(&secret)?.standing(now)))
            .await
    }

    /// Begins a rotation: its valueless AWSPENDING version, its lease and its record appear in
    /// one transaction. [`StoreError::Conflict`] if another rotation is in flight, or the token has been
    /// used up.
    pub async fn begin_rotation(
        &self,
        secret: &SecretId,
        token: &VersionId,
        reason: Option<&str>,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        match self.try_begin(secret, token, reason, lease, None).await? {
            Begun::Yes => Ok(()),
            Begun::InTheWay => Err(conflict(
                secret,
                "a previous rotation isn't complete; that rotation will be reattempted",
            )),
        }
    }

    /// As [`Self::begin_rotation`], provided that AWSCURRENT is where it was `seen` when the
    /// minimum overlap was checked.
    pub(crate) async fn try_begin(
        &self,
        secret: &SecretId,
        token: &VersionId,
        reason: Option<&str>,
        lease: &Lease,
        seen: Option<&VersionId>,
    ) -> Result<Begun, StoreError> {
        let (secret, token, lease) = (secret.clone(), token.clone(), lease.clone());
        let (reason, seen) = (reason.map(str::to_owned), seen.cloned());
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            let moved = seen.is_some() && seen.as_ref() != state.holder(&Stage::Current);
            if moved || !state.is_free(lease.from()) {
                return Ok(Begun::InTheWay);
            }
            if state.has_value(&token) {
                return Err(conflict(
                    &secret,
                    format!("version {token} exists; a rotation needs a token of its own"),
                ));
            }
            close_leftover(ledger, &secret, &state)?;
            state.begin(&token, ledger.now());
            open_record(ledger, &secret, &token, reason)?;
            state.rotation = Some(RotationState {
                token,
                lease: Some(lease),
            });
            ledger.save_state(&secret, state)?;
            Ok(Begun::Yes)
        })
        .await
    }

    /// Takes up an interrupted rotation. Of several that try, one gets it; the others get `false`.
    pub async fn take_up(
        &self,
        secret: &SecretId,
        token: &VersionId,
        lease: &Lease,
    ) -> Result<bool, StoreError> {
        let (secret, token, lease) = (secret.clone(), token.clone(), lease.clone());
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            if !state.standing(lease.from()).is_interrupted(&token) {
                return Ok(false);
            }
            open_record(ledger, &secret, &token, None)?;
            state.rotation = Some(RotationState {
                token,
                lease: Some(lease),
            });
            ledger.save_state(&secret, state)?;
            Ok(true)
        })
        .await
    }

    /// Prolongs a lease. `false` if it is not this holder's any more.
    pub async fn renew(
        &self,
        secret: &SecretId,
        token: &VersionId,
        lease: &Lease,
    ) -> Result<bool, StoreError> {
        let (secret, token, lease) = (secret.clone(), token.clone(), lease.clone());
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            if !state.is_leased_to(&token, &lease) {
                return Ok(false);
            }
            state.rotation = Some(RotationState {
                token,
                lease: Some(lease),
            });
            ledger.save_state(&secret, state)?;
            Ok(true)
        })
        .await
    }

    /// Notes one delivery of a step. Says whether the rotation is still this holder's.
    pub(crate) async fn append_step(
        &self,
        secret: &SecretId,
        token: &VersionId,
        lease: &Lease,
        step: StepRecord,
    ) -> Result<bool, StoreError> {
        let (secret, token, lease) = (secret.clone(), token.clone(), lease.clone());
        self.write_ledger(move |ledger| {
            let mut record = begun_record(ledger, &secret, &token)?;
            record.steps.push(step);
            let surplus = record.steps.len().saturating_sub(MOST_STEPS);
            record.steps.drain(..surplus);
            ledger.save_record(&record)?;
            Ok(ledger.state(&secret)?.is_leased_to(&token, &lease))
        })
        .await
    }

    /// Ends an attempt. AWSPENDING comes off a rotation that succeeded, as Secrets Manager does,
    /// and off one that made nothing; one with a stored value stays pending for another attempt.
    pub(crate) async fn close(
        &self,
        secret: &SecretId,
        token: &VersionId,
        lease: &Lease,
        outcome: Outcome,
    ) -> Result<Closed, StoreError> {
        let (secret, token, lease) = (secret.clone(), token.clone(), lease.clone());
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            if !state.is_leased_to(&token, &lease) {
                return Ok(Closed::NotOurs);
            }
            let ended = outcome == Outcome::Succeeded || !state.has_value(&token);
            if ended && state.holder(&Stage::Pending) == Some(&token) {
                state.detach(&Stage::Pending);
            }
            let pending = state.holder(&Stage::Pending) == Some(&token);
            state.rotation = pending.then(|| RotationState {
                token: token.clone(),
                lease: None,
            });
            let record = close_record(ledger, begun_record(ledger, &secret, &token)?, outcome)?;
            ledger.save_state(&secret, state)?;
            Ok(Closed::Ours {
                record: Box::new(record),
                pending,
            })
        })
        .await
    }

    /// Gives a lease back, so that nobody needs to wait for it to lapse. Blocks for milliseconds:
    /// it is called where nothing can be awaited.
    pub(crate) fn release_blocking(
        &self,
        secret: &SecretId,
        token: &VersionId,
        lease: &Lease,
    ) -> Result<(), StoreError> {
        self.write_ledger_blocking(|ledger| {
            let mut state = ledger.state(secret)?;
            if state.is_leased_to(token, lease) {
                state.rotation = Some(RotationState {
                    token: token.clone(),
                    lease: None,
                });
                ledger.save_state(secret, state)?;
            }
            Ok(())
        })
    }

    /// Ends an interrupted rotation that has made nothing yet, for one that cannot wait.
    pub(crate) async fn detach_empty(
        &self,
        secret: &SecretId,
        token: &VersionId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let (secret, token) = (secret.clone(), token.clone());
        self.write_ledger(move |ledger| {
            let mut state = ledger.state(&secret)?;
            if state.standing(now).is_interrupted(&token) && !state.has_value(&token) {
                abandon(ledger, &secret, &mut state)?;
                ledger.save_state(&secret, state)?;
            }
            Ok(())
        })
        .await
    }
}
