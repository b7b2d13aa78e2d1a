//! A new key that will never be published is made dead.

use crate::engine::published;
use crate::guard::{Position, whereabouts};
use crate::{
    Credential, Ended, Pass, Provider, RetiredKey, Retiring, RotationFailure, Stage, Version,
};

/// Ends a rotation whose key has died by itself meanwhile.
pub(crate) async fn bury_if_expired<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    pending: &P::Secret,
) -> Result<(), RotationFailure> {
    match pending.expires_at() {
        Some(expiry) if expiry <= pass.clock.now() => {
            Err(bury(provider, pass, pending, format!("it expired at {expiry}")).await?)
        }
        _ => Ok(()),
    }
}

/// Ends a rotation that can never be finished: its key is made dead, then the label comes off.
pub(crate) async fn bury<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    pending: &P::Secret,
    reason: String,
) -> Result<RotationFailure, RotationFailure> {
    give_up(provider, pass, pending).await?;
    pass.detach_pending().await?;
    Ok(RotationFailure::PendingDead {
        key: pending.key_id(),
        reason,
    })
}

/// Makes the key of a rotation dead from which AWSPENDING has been taken.
pub(crate) async fn end<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    ended: &Ended,
    key: &P::Secret,
) -> Result<(), RotationFailure> {
    // Somebody may have put the same key again.
    let holds_it = |version: &Version| {
        P::Secret::parse(&version.value).is_ok_and(|secret| secret.render() == key.render())
    };
    if holds_it(&ended.current) || ended.previous.as_ref().is_some_and(holds_it) {
        return Err(published());
    }
    // The last look: a finishSecret that was on its way, or a person, may have published it. (P1)
    let now = pass.store.describe(pass.secret).await?;
    let is_as_seen = now.holder(&Stage::Current) == Some(&ended.current.id)
        && now.holder(&Stage::Previous) == ended.previous.as_ref().map(|version| &version.id);
    if !is_as_seen {
        return Err(RotationFailure::OutOfOrder(
            "labels have moved during this".into(),
        ));
    }
    retire(provider, pass, key).await
}

/// Makes the pending key dead.
async fn give_up<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    pending: &P::Secret,
) -> Result<(), RotationFailure> {
    // The last look: what a person has published meanwhile is no longer ours to end. (P1)
    let description = pass.store.describe(pass.secret).await?;
    match whereabouts(&description, pass.token)? {
        Position::Stored => {}
        Position::Published => return Err(published()),
        Position::Empty => {
            return Err(RotationFailure::OutOfOrder(
                "the new key has lost its slot label during this step".into(),
            ));
        }
    }
    retire(provider, pass, pending).await
}

async fn retire<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    secret: &P::Secret,
) -> Result<(), RotationFailure> {
    let how = provider.retire(Retiring::Secret(secret)).await?;
    if let Some(key) = secret.key_id() {
        let version = Some(pass.token.clone());
        pass.note_retired(RetiredKey { key, version, how });
    }
    Ok(())
}
