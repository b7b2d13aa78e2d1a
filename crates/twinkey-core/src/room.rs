//! Making room: before a third key could appear, all but one of the live ones are made dead.

use std::collections::BTreeSet;

use crate::guard::{Position, position};
use crate::rotator::{accept_current, parse};
use crate::{
    Credential, Description, KeyId, Listing, Pass, Provider, RetiredKey, Retiring, RotationFailure,
    Selector, Slot, Stage, StoreError, Verdict, Version, VersionId,
};

/// Room for one new key.
pub(crate) struct Room {
    /// The slot it takes.
    pub(crate) slot: Slot,
    /// The keys that were made dead for it.
    pub(crate) retired: Vec<RetiredKey>,
}

impl Room {
    /// The version whose key stays live beside the new one: current, or, if the server refuses
    /// that for good, the one that may still live.
    pub(crate) fn keep(
        description: &Description,
        current: &VersionId,
        token: &VersionId,
        verdict: &Verdict,
    ) -> Option<VersionId> {
        if *verdict == Verdict::Accepted {
            return Some(current.clone());
        }
        let others = live_versions(description, token);
        let previous = description
            .holder(&Stage::Previous)
            .filter(|id| *id != current);
        previous
            .or_else(|| others.iter().find(|id| *id != current))
            .cloned()
    }

    /// Makes room before a mint. The server's list is read first, then the labels: whatever is
    /// listed and unlabelled was there before, so a late invocation cannot kill a newer key.
    /// `None`: another delivery has stored the key meanwhile.
    pub(crate) async fn make_for_issued<P: Provider>(
        provider: &P,
        pass: &Pass<'_>,
        current: &Version,
        parsed: &P::Secret,
    ) -> Result<Option<Self>, RotationFailure> {
        let listing = provider
            .list(parsed, &pass.store.address(pass.secret))
            .await?;
        let description = pass.store.describe(pass.secret).await?;
        if position(&description, pass.token)? != Position::Empty {
            return Ok(None);
        }
        let verdict = provider.verify(parsed).await?;
        let keep = Self::keep(&description, &current.id, pass.token, &verdict);
        let spared: Vec<&VersionId> = keep.iter().collect();
        let retired =
            retire_all_but(provider, pass, &description, parsed, &spared, &listing).await?;
        let slot = pending_slot(pass, &description, keep.as_ref()).await?;
        Ok(Some(Self { slot, retired }))
    }

    /// Makes room before a chosen key is applied. Where the server replaces a key in its place,
    /// there is nothing to retire: two stay live all along.
    pub(crate) async fn make_for_chosen<P: Provider>(
        provider: &P,
        pass: &Pass<'_>,
        current: &Version,
        old: &P::Secret,
        new: &P::Secret,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        let listing = provider.list(old, &pass.store.address(pass.secret)).await?;
        let verdict = provider.verify(old).await?;
        if let Listing::FixedSlots = listing {
            accept_current(provider, pass, old, &verdict).await?;
            return Ok(Vec::new());
        }
        let description = pass.store.describe(pass.secret).await?;
        position(&description, pass.token)?;
        let keep = Self::keep(&description, &current.id, pass.token, &verdict);
        let spared: Vec<&VersionId> = keep.iter().chain([pass.token]).collect();
        let _ = new;
        retire_all_but(provider, pass, &description, old, &spared, &listing).await
    }
}

/// Versions whose keys may be live, besides the pending one: those with a label of ours or AWS's.
fn live_versions(description: &Description, token: &VersionId) -> Vec<VersionId> {
    let live = |stages: &BTreeSet<Stage>| {
        stages
            .iter()
            .any(|stage| matches!(stage, Stage::Current | Stage::Previous | Stage::Slot(_)))
    };
    description
        .versions
        .iter()
        .filter(|(id, stages)| *id != token && live(stages))
        .map(|(id, _)| id.clone())
        .collect()
}

/// Retires the key of every labelled version and every listed key, except the spared ones.
async fn retire_all_but<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    description: &Description,
    current: &P::Secret,
    spared: &[&VersionId],
    listing: &Listing,
) -> Result<Vec<RetiredKey>, RotationFailure> {
    let mut known: BTreeSet<KeyId> = BTreeSet::new();
    let mut doomed = Vec::new();
    let mut versions = live_versions(description, pass.token);
    versions.extend(
        spared
            .iter()
            .filter(|id| **id == pass.token)
            .map(|id| (*id).clone()),
    );
    for id in versions {
        let version = pass
            .store
            .read(pass.secret, &Selector::Version(id.clone()))
            .await?;
        let secret = parse::<P>("previous", &version)?;
        known.extend(secret.key_id());
        if !spared.contains(&&id) {
            doomed.push(secret);
        }
    }
    let mut retired = Vec::new();
    for secret in doomed {
        let Some(key) = secret.key_id() else { continue };
        let how = provider.retire(Retiring::Secret(&secret)).await?;
        retired.push(RetiredKey { key, how });
    }
    if let Listing::Keys(keys) = listing {
        for key in keys.iter().filter(|key| !known.contains(&key.key_id)) {
            let how = provider.retire(Retiring::Listed { key, current }).await?;
            retired.push(RetiredKey {
                key: key.key_id.clone(),
                how,
            });
        }
    }
    Ok(retired)
}

/// The slot for the pending key: the one that the kept key is not in. A kept key without a slot
/// (put by hand, or never rotated) is given one first.
pub(crate) async fn pending_slot(
    pass: &Pass<'_>,
    description: &Description,
    keep: Option<&VersionId>,
) -> Result<Slot, StoreError> {
    let Some(keep) = keep else { return Ok(Slot::A) };
    if let Some(slot) = description.slot(keep) {
        return Ok(slot.other());
    }
    let previous = description
        .holder(&Stage::Previous)
        .and_then(|id| description.slot(id));
    let slot = previous.map_or(Slot::A, Slot::other);
    let stage = Stage::Slot(slot);
    pass.store
        .move_stage(pass.secret, &stage, description.holder(&stage), Some(keep))
        .await?;
    Ok(slot.other())
}
