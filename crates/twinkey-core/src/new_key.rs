//! createSecret's last part: a new key comes to be, and is stored as pending.

use crate::room::Room;
use crate::{
    Choose, Credential, ErrorKind, Issue, KeyLabel, Pass, Provider, ProviderError, Random,
    Retiring, RotationFailure, SecretValue, Selector, Slot, Stage, StepReport, StoreError,
};

/// Chooses a key and stores it.
pub(crate) async fn choose_and_store<S: Credential>(
    choose: &dyn Choose<S>,
    pass: &Pass<'_>,
    current: &S,
    slot: Slot,
    random: &mut Random,
) -> Result<StepReport, RotationFailure> {
    let pending = choose
        .choose(current, &label(pass), random)
        .map_err(|error| RotationFailure::Document {
            whose: "current",
            error,
        })?;
    match put(pass, slot, &pending.render()).await {
        Ok(()) => Ok(StepReport::done(pending.key_id())),
        // Another delivery won: its value is the rotation's. Ours was never known to anybody.
        Err(NotStored {
            error: StoreError::Conflict { .. },
            ..
        }) => still_in_flight(pass).await,
        Err(not_stored) => Err(not_stored.error.into()),
    }
}

/// Has a key minted and stores it: one that cannot be stored is retired before this returns.
pub(crate) async fn mint_and_store<P: Provider>(
    provider: &P,
    issue: &dyn Issue<P::Secret>,
    pass: &Pass<'_>,
    current: &P::Secret,
    room: Room,
) -> Result<StepReport, RotationFailure> {
    let lost = |error: ProviderError| match room.strays_die_within {
        Some(dead_within) => RotationFailure::PossibleStray {
            error,
            dead_by: pass.clock.now() + dead_within,
        },
        // The next rotation finds it on the server's list, and makes it dead.
        None => error.into(),
    };
    let minted = match issue.mint(current, &label(pass)).await {
        Ok(minted) => minted,
        Err(error) if error.kind == ErrorKind::Transient => {
            return Err(lost(error));
        }
        // An answer: nothing was made.
        Err(error) => return Err(error.into()),
    };
    let value = minted.render();
    let Err(NotStored { error, unknown }) = put(pass, room.slot, &value).await else {
        return Ok(StepReport::done(minted.key_id()));
    };
    if unknown {
        match stored(pass).await {
            // The reply was lost, not the value: another delivery may have published it by now.
            Ok(Some(there)) if there == value => return Ok(StepReport::done(minted.key_id())),
            Ok(_) => {}
            Err(unknown) => return Err(lost(unknown.into())),
        }
    }
    // Nobody but us knows this key: it dies before we return.
    if let Err(retiring) = provider.retire(Retiring::Secret(&minted)).await {
        return Err(lost(retiring));
    }
    match error {
        StoreError::Conflict { .. } => still_in_flight(pass).await,
        error => Err(error.into()),
    }
}

fn label(pass: &Pass<'_>) -> KeyLabel {
    KeyLabel {
        address: pass.store.address(pass.secret),
        version: pass.token.clone(),
    }
}

/// The value of this rotation's version, if it has one.
async fn stored(pass: &Pass<'_>) -> Result<Option<SecretValue>, StoreError> {
    let at = Selector::Version(pass.token.clone());
    match pass.store.read(pass.secret, &at).await {
        Ok(version) => Ok(Some(version.value)),
        Err(StoreError::NoVersion { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Why a put has not stored its value, as far as that is known.
struct NotStored {
    error: StoreError,
    /// One of the attempts was not heard of: it may have stored the value all the same.
    unknown: bool,
}

/// Repeats the identical put while its outcome is unknown: success means stored, conflict
/// means another delivery won.
async fn put(pass: &Pass<'_>, slot: Slot, value: &SecretValue) -> Result<(), NotStored> {
    let stages = [Stage::Pending, Stage::Slot(slot)];
    let mut repeats = 2;
    let mut unknown = false;
    loop {
        let put = pass.store.put(pass.secret, pass.token, value, &stages);
        let Err(error) = put.await else { return Ok(()) };
        let is_transient = matches!(error, StoreError::Transient { .. });
        unknown |= is_transient;
        if !is_transient || repeats == 0 {
            return Err(NotStored { error, unknown });
        }
        repeats -= 1;
    }
}

async fn still_in_flight(pass: &Pass<'_>) -> Result<StepReport, RotationFailure> {
    pass.position().await.map(|_| StepReport::already_done())
}
