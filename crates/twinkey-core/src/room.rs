//! Making room: before a third key could appear, all but one of the live ones are made dead.

use std::collections::BTreeSet;

use crate::guard::{Position, position};
use crate::rotator::{accept_current, parse};
use crate::{
    Credential, Description, KeyId, Listing, Pass, Provider, Retired, RetiredKey, Retiring,
    RotationFailure, Selector, Slot, Stage, StoreError, Verdict, Version, VersionId,
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
        let sweep = Sweep {
            provider,
            pass,
            description: &description,
            current: parsed,
            listing: &listing,
        };
        let retired = sweep.retire_all_but(keep.as_ref(), None).await?;
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
        let sweep = Sweep {
            provider,
            pass,
            description: &description,
            current: old,
            listing: &listing,
        };
        sweep.retire_all_but(keep.as_ref(), new.key_id()).await
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

/// What was seen before anything is retired.
struct Sweep<'a, P: Provider> {
    provider: &'a P,
    pass: &'a Pass<'a>,
    description: &'a Description,
    current: &'a P::Secret,
    listing: &'a Listing,
}

impl<P: Provider> Sweep<'_, P> {
    /// Retires the key of every labelled version and every listed key, except the kept version's
    /// and the pending one.
    async fn retire_all_but(
        &self,
        keep: Option<&VersionId>,
        pending: Option<KeyId>,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        let mut known: BTreeSet<KeyId> = pending.into_iter().chain(self.current.key_id()).collect();
        let mut retired = Vec::new();
        for id in live_versions(self.description, self.pass.token) {
            let kept = keep == Some(&id);
            if kept && !matches!(self.listing, Listing::Keys(_)) {
                continue;
            }
            let Some((key, secret)) = self.labelled_key(&id).await? else {
                continue;
            };
            known.insert(key.clone());
            if !kept {
                let how = self.retire_labelled(&secret).await?;
                retired.push(RetiredKey { key, how });
            }
        }
        retired.extend(self.retire_strays(&known).await?);
        Ok(retired)
    }

    async fn labelled_key(
        &self,
        id: &VersionId,
    ) -> Result<Option<(KeyId, P::Secret)>, RotationFailure> {
        let at = Selector::Version(id.clone());
        let version = self.pass.store.read(self.pass.secret, &at).await?;
        let secret = parse::<P>("previous", &version)?;
        Ok(secret.key_id().map(|key| (key, secret)))
    }

    /// An old key is only ever sent to the server that current names. (P10)
    async fn retire_labelled(&self, secret: &P::Secret) -> Result<Retired, RotationFailure> {
        match self.current.continues(secret) {
            Ok(()) => Ok(self.provider.retire(Retiring::Secret(secret)).await?),
            Err(_)
                if secret
                    .expires_at()
                    .is_some_and(|expiry| expiry <= self.pass.clock.now()) =>
            {
                Ok(Retired::AlreadyGone)
            }
            Err(error) => Err(RotationFailure::Document {
                whose: "previous",
                error,
            }),
        }
    }

    async fn retire_strays(
        &self,
        known: &BTreeSet<KeyId>,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        let Listing::Keys(keys) = self.listing else {
            return Ok(Vec::new());
        };
        let mut retired = Vec::new();
        for key in keys.iter().filter(|key| !known.contains(&key.key_id)) {
            let how = self
                .provider
                .retire(Retiring::Listed {
                    key,
                    current: self.current,
                })
                .await?;
            retired.push(RetiredKey {
                key: key.key_id.clone(),
                how,
            });
        }
        Ok(retired)
    }
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
