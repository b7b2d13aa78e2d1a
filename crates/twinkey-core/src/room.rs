//! Making room: before a third key could appear, all but one of the live ones are made dead.

use std::collections::BTreeSet;

use chrono::TimeDelta;

use crate::guard::{Position, position};
use crate::rotator::{accept_current, parse};
use crate::{
    Credential, Description, KeyId, ListedKey, Listing, Pass, Provider, Retired, RetiredKey,
    Retiring, RotationFailure, Selector, Slot, Stage, StoreError, Verdict, Version, VersionId,
};

/// The room for a new key.
pub(crate) struct Room {
    /// The slot that it takes.
    pub(crate) slot: Slot,
    /// How long a key may live that is lost before it is stored, where the server cannot list it.
    pub(crate) strays_die_within: Option<TimeDelta>,
}

/// Makes room before a new key is made, and says which slot it takes. Only a free slot's label may
/// move: a key that loses its label is forgotten. (P4) `None`: another delivery has stored the key
/// meanwhile.
pub(crate) async fn make_for_new<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    seen: &Description,
    current: &Version,
    parsed: &P::Secret,
) -> Result<Option<Room>, RotationFailure> {
    let listing = provider
        .list(parsed, &pass.store.address(pass.secret))
        .await?;
    let strays_die_within = match &listing {
        Listing::CannotList { dead_within } => Some(*dead_within),
        Listing::Keys(_) | Listing::FixedSlots => None,
    };
    let slot = free_slot(provider, pass, seen, current, parsed, &listing).await?;
    Ok(slot.map(|slot| Room {
        slot,
        strays_die_within,
    }))
}

async fn free_slot<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    seen: &Description,
    current: &Version,
    parsed: &P::Secret,
    listing: &Listing,
) -> Result<Option<Slot>, RotationFailure> {
    let verdict = provider.verify(parsed).await?;
    if let Listing::FixedSlots = listing {
        accept_current(listing, parsed, &verdict)?;
        return pending_slot(pass, seen, Some(&current.id)).await;
    }
    let keys = LabelledKeys::read(provider, pass, seen, current, parsed).await?;
    let keep = keys.keep(&verdict).await?;
    let Some(labels) = look_again(pass, seen, Position::Empty).await? else {
        return Ok(None);
    };
    let known = keys.retire_all_but(keep.as_ref(), None).await?;
    for stray in strays(listing, &known) {
        // It may be the key of another delivery of this step, which has stored it by now.
        if look_again(pass, &labels, Position::Empty).await?.is_none() {
            return Ok(None);
        }
        keys.retire_stray(stray).await?;
    }
    pending_slot(pass, &labels, keep.as_ref()).await
}

/// Makes room before a chosen key is applied; false if another delivery has published it meanwhile.
/// Where the server replaces a key in its place, there is nothing to retire: two stay live all along.
pub(crate) async fn make_for_chosen<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    current: &Version,
    old: &P::Secret,
    new: &P::Secret,
) -> Result<bool, RotationFailure> {
    let listing = provider.list(old, &pass.store.address(pass.secret)).await?;
    let verdict = provider.verify(old).await?;
    if let Listing::FixedSlots = listing {
        accept_current(&listing, old, &verdict)?;
        return Ok(true);
    }
    let seen = pass.store.describe(pass.secret).await?;
    let keys = LabelledKeys::read(provider, pass, &seen, current, old).await?;
    let keep = keys.keep(&verdict).await?;
    if look_again(pass, &seen, Position::Stored).await?.is_none() {
        return Ok(false);
    }
    let known = keys.retire_all_but(keep.as_ref(), new.key_id()).await?;
    for stray in strays(&listing, &known) {
        keys.retire_stray(stray).await?;
    }
    Ok(true)
}

/// The last look before keys are retired: what a person does to the labels while the server is asked
/// must be seen. (P1) It comes after the server's list: whatever is listed, and unlabelled now, was
/// there before, so a late invocation cannot kill a newer key. `None`: another delivery is further.
async fn look_again(
    pass: &Pass<'_>,
    seen: &Description,
    expected: Position,
) -> Result<Option<Description>, RotationFailure> {
    let now = pass.store.describe(pass.secret).await?;
    if position(&now, pass.token)? != expected {
        return Ok(None);
    }
    let is_as_seen = now.holder(&Stage::Current) == seen.holder(&Stage::Current)
        && live_set(&now, pass.token) == live_set(seen, pass.token);
    if !is_as_seen {
        return Err(RotationFailure::OutOfOrder(
            "labels have moved during this step".into(),
        ));
    }
    Ok(Some(now))
}

/// Versions whose keys may be live, besides the pending one: those with a label of ours or AWS's.
/// Ours come first: AWSPREVIOUS alone may be on a key that died long ago.
fn live_versions(description: &Description, token: &VersionId) -> Vec<VersionId> {
    let live = |stages: &BTreeSet<Stage>| {
        stages
            .iter()
            .any(|stage| matches!(stage, Stage::Current | Stage::Previous | Stage::Slot(_)))
    };
    let versions = description.versions.iter();
    let mut ids: Vec<VersionId> = versions
        .filter(|(id, stages)| *id != token && live(stages))
        .map(|(id, _)| id.clone())
        .collect();
    ids.sort_by_key(|id| description.slot(id).is_none());
    ids
}

/// The same without an order: a slot that another delivery has given meanwhile changes nothing.
fn live_set(description: &Description, token: &VersionId) -> BTreeSet<VersionId> {
    live_versions(description, token).into_iter().collect()
}

/// A key that a labelled version holds.
struct LabelledKey<S> {
    version: VersionId,
    key: KeyId,
    secret: S,
}

/// The keys of all labelled versions but the pending one.
struct LabelledKeys<'a, P: Provider> {
    provider: &'a P,
    pass: &'a Pass<'a>,
    current: (&'a VersionId, &'a P::Secret),
    keys: Vec<LabelledKey<P::Secret>>,
}

impl<'a, P: Provider> LabelledKeys<'a, P> {
    async fn read(
        provider: &'a P,
        pass: &'a Pass<'a>,
        description: &Description,
        current: &'a Version,
        parsed: &'a P::Secret,
    ) -> Result<Self, RotationFailure> {
        let mut keys = Vec::new();
        for version in live_versions(description, pass.token) {
            let secret = if version == current.id {
                Some(parsed.clone())
            } else {
                read_old::<P>(pass, description, &version).await?
            };
            if let Some((secret, key)) =
                secret.and_then(|secret| Some((secret.clone(), secret.key_id()?)))
            {
                keys.push(LabelledKey {
                    version,
                    key,
                    secret,
                });
            }
        }
        Ok(Self {
            provider,
            pass,
            current: (&current.id, parsed),
            keys,
        })
    }

    /// The version whose key stays live beside the new one: current; or, if the server refuses that
    /// for good, one that it still accepts.
    async fn keep(&self, verdict: &Verdict) -> Result<Option<VersionId>, RotationFailure> {
        let (current, _) = self.current;
        if *verdict == Verdict::Accepted {
            return Ok(Some(current.clone()));
        }
        for labelled in self
            .keys
            .iter()
            .filter(|labelled| labelled.version != *current)
        {
            if self.has_same_target(labelled)
                && self.provider.verify(&labelled.secret).await? == Verdict::Accepted
            {
                return Ok(Some(labelled.version.clone()));
            }
        }
        Ok(None)
    }

    /// Retires every labelled key except the kept version's and the pending one: by key, since the
    /// same key may be in two versions if somebody put it again. Returns all the keys it knows.
    async fn retire_all_but(
        &self,
        keep: Option<&VersionId>,
        pending: Option<KeyId>,
    ) -> Result<BTreeSet<KeyId>, RotationFailure> {
        let kept = self
            .keys
            .iter()
            .find(|labelled| Some(&labelled.version) == keep);
        let mut done: BTreeSet<KeyId> = pending
            .into_iter()
            .chain(kept.map(|kept| kept.key.clone()))
            .collect();
        for labelled in &self.keys {
            if done.insert(labelled.key.clone()) {
                self.retire_labelled(labelled).await?;
            }
        }
        Ok(done)
    }

    /// An old key is only ever sent to the server that current names. (P10)
    async fn retire_labelled(
        &self,
        labelled: &LabelledKey<P::Secret>,
    ) -> Result<(), RotationFailure> {
        let expiry = labelled.secret.expires_at();
        let how = match labelled.secret.same_target(self.current.1) {
            Ok(()) => {
                self.provider
                    .retire(Retiring::Secret(&labelled.secret))
                    .await?
            }
            Err(_) if expiry.is_some_and(|expiry| expiry <= self.pass.clock.now()) => {
                Retired::AlreadyGone
            }
            Err(error) => {
                return Err(RotationFailure::Document {
                    whose: "previous",
                    error,
                });
            }
        };
        let (key, version) = (labelled.key.clone(), Some(labelled.version.clone()));
        self.pass.note_retired(RetiredKey { key, version, how });
        Ok(())
    }

    async fn retire_stray(&self, key: &ListedKey) -> Result<(), RotationFailure> {
        let current = self.current.1;
        let how = self
            .provider
            .retire(Retiring::Listed { key, current })
            .await?;
        self.pass.note_retired(RetiredKey {
            key: key.key_id.clone(),
            version: None,
            how,
        });
        Ok(())
    }

    fn has_same_target(&self, labelled: &LabelledKey<P::Secret>) -> bool {
        labelled.secret.same_target(self.current.1).is_ok()
    }
}

/// Listed keys of ours that no labelled version holds.
fn strays<'a>(
    listing: &'a Listing,
    known: &'a BTreeSet<KeyId>,
) -> impl Iterator<Item = &'a ListedKey> {
    let listed = match listing {
        Listing::Keys(keys) => keys.as_slice(),
        Listing::FixedSlots | Listing::CannotList { .. } => &[],
    };
    listed.iter().filter(|key| !known.contains(&key.key_id))
}

/// An old version's document. One that cannot be read and has no slot was put by hand and
/// corrected: it holds no key of ours.
async fn read_old<P: Provider>(
    pass: &Pass<'_>,
    description: &Description,
    version: &VersionId,
) -> Result<Option<P::Secret>, RotationFailure> {
    let read = pass
        .store
        .read(pass.secret, &Selector::Version(version.clone()))
        .await?;
    match parse::<P>("previous", &read) {
        Err(_) if description.slot(version).is_none() => Ok(None),
        parsed => parsed.map(Some),
    }
}

/// The slot for the pending key: the one that the kept key is not in. A kept key without a slot
/// (put by hand, or never rotated) is given one first. `None`: another delivery is further.
async fn pending_slot(
    pass: &Pass<'_>,
    seen: &Description,
    keep: Option<&VersionId>,
) -> Result<Option<Slot>, RotationFailure> {
    let Some(keep) = keep else {
        return Ok(Some(Slot::A));
    };
    match give_slot(pass, seen, keep).await {
        // Another delivery of this step may have been quicker: what it did is what we want. One that
        // was frozen while rotations passed must not move the labels of later keys.
        Err(StoreError::Conflict { .. }) => match look_again(pass, seen, Position::Empty).await? {
            Some(labels) => Ok(Some(give_slot(pass, &labels, keep).await?.other())),
            None => Ok(None),
        },
        given => Ok(Some(given?.other())),
    }
}

async fn give_slot(
    pass: &Pass<'_>,
    description: &Description,
    keep: &VersionId,
) -> Result<Slot, StoreError> {
    if let Some(slot) = description.slot(keep) {
        return Ok(slot);
    }
    let previous = description
        .holder(&Stage::Previous)
        .and_then(|id| description.slot(id));
    let slot = previous.map_or(Slot::A, Slot::other);
    let stage = Stage::Slot(slot);
    pass.store
        .move_stage(pass.secret, &stage, description.holder(&stage), Some(keep))
        .await?;
    Ok(slot)
}
