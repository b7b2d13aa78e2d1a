//! The half of each step that knows what kind of key it is, for every [`Provider`] at once.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::guard::Position;
use crate::last_look::StoreLook;
use crate::room::{make_for_chosen, make_for_new};
use crate::{
    Choose, Credential, Description, DocumentError, ErrorKind, Fence, Issue, KeyId, KeyLabel,
    Listing, Origin, Pass, Provider, ProviderError, Random, RetiredKey, Retiring, RotationFailure,
    SecretValue, Selector, Slot, Stage, StepReport, StepResult, StoreError, Verdict, Version,
    VersionStamp,
};

/// A provider whose document type has been erased. Implemented once, for every [`Provider`].
#[async_trait]
pub trait Rotator: Send + Sync {
    /// How long a key of this kind stays current at least, unless a tag says otherwise.
    fn min_overlap(&self) -> TimeDelta;

    /// Whether a text is a document of this kind. Pure.
    fn parse(&self, value: &SecretValue) -> Result<Option<KeyId>, DocumentError>;

    /// createSecret: makes a key's value and stores it as pending.
    async fn create(
        &self,
        pass: &Pass<'_>,
        description: Description,
        current: Version,
        random: &mut Random,
    ) -> Result<StepReport, RotationFailure>;

    /// setSecret: makes the server accept the pending key.
    async fn set(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure>;

    /// testSecret: uses the pending key as consumers will.
    async fn test(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure>;

    /// testSecret without a pending value: shows that a rotation could succeed. Changes nothing.
    async fn check(&self, pass: &Pass<'_>, current: Version)
    -> Result<StepReport, RotationFailure>;

    /// What the server says now of the key in a document, provided that it is the server that
    /// `current` names: a key is sent nowhere else. Read-only. (P10)
    async fn inspect(
        &self,
        value: &SecretValue,
        current: &SecretValue,
    ) -> Result<Inspection, ProviderError>;
}

/// What the server says of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The key, if the document holds one.
    pub key: Option<KeyId>,
    /// When it dies by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// What the server says.
    pub verdict: Verdict,
}

#[async_trait]
impl<P: Provider> Rotator for P {
    fn min_overlap(&self) -> TimeDelta {
        self.origin().min_overlap()
    }

    fn parse(&self, value: &SecretValue) -> Result<Option<KeyId>, DocumentError> {
        Ok(P::Secret::parse(value)?.key_id())
    }

    async fn create(
        &self,
        pass: &Pass<'_>,
        description: Description,
        current: Version,
        random: &mut Random,
    ) -> Result<StepReport, RotationFailure> {
        let parsed = parse::<P>("current", &current)?;
        let ready = self
            .ready(&parsed, &pass.store.address(pass.secret))
            .await?;
        let Some(slot) = make_for_new(self, pass, &description, &current, &ready).await? else {
            return Ok(StepReport::already_done());
        };
        match self.origin() {
            Origin::Chosen(choose) => choose_and_store(choose, pass, &ready, slot, random).await,
            Origin::Issued(issue) => mint_and_store(self, issue, pass, &ready, slot).await,
        }
    }

    async fn set(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure> {
        let (old, new) = parse_pair::<P>(pass, &current, &pending).await?;
        bury_if_expired(self, pass, &new).await?;
        let Origin::Chosen(choose) = self.origin() else {
            return Ok(StepReport::done(new.key_id()));
        };
        if !make_for_chosen(self, pass, &current, &old, &new).await? {
            return Ok(StepReport::already_done());
        }
        let fence = Fence {
            address: pass.store.address(pass.secret),
            pending: stamp(&pending),
            current: stamp(&current),
        };
        let last_look = StoreLook {
            pass,
            current: fence.current.clone(),
        };
        if let Some(replaced) = choose.apply(&new, &fence, &last_look).await? {
            pass.note_retired(replaced);
        }
        Ok(StepReport::done(new.key_id()))
    }

    async fn test(
        &self,
        pass: &Pass<'_>,
        current: Version,
        pending: Version,
    ) -> Result<StepReport, RotationFailure> {
        let (_, new) = parse_pair::<P>(pass, &current, &pending).await?;
        bury_if_expired(self, pass, &new).await?;
        let reason = match self.verify(&new).await? {
            Verdict::Accepted => return Ok(StepReport::done(new.key_id())),
            Verdict::Refused { reason } => reason,
            Verdict::NoKey => "the document holds no key".into(),
        };
        match self.origin() {
            // Applying again may still mend it.
            Origin::Chosen(_) => Err(RotationFailure::PendingRefused {
                key: new.key_id(),
                reason,
            }),
            Origin::Issued(_) => Err(bury(self, pass, &new, reason).await?),
        }
    }

    async fn check(
        &self,
        pass: &Pass<'_>,
        current: Version,
    ) -> Result<StepReport, RotationFailure> {
        let parsed = parse::<P>("current", &current)?;
        let address = pass.store.address(pass.secret);
        let ready = self.ready(&parsed, &address).await?;
        let listing = self.list(&ready, &address).await?;
        let verdict = self.verify(&ready).await?;
        accept_current(&listing, &ready, &verdict)?;
        Ok(StepReport {
            result: StepResult::OnlyChecked,
            key: ready.key_id(),
            retired: Vec::new(),
        })
    }

    async fn inspect(
        &self,
        value: &SecretValue,
        current: &SecretValue,
    ) -> Result<Inspection, ProviderError> {
        let secret = P::Secret::parse(value)?;
        secret.same_target(&P::Secret::parse(current)?)?;
        let verdict = self.verify(&secret).await?;
        Ok(Inspection {
            key: secret.key_id(),
            expires_at: secret.expires_at(),
            verdict,
        })
    }
}

pub(crate) fn parse<P: Provider>(
    whose: &'static str,
    version: &Version,
) -> Result<P::Secret, RotationFailure> {
    P::Secret::parse(&version.value).map_err(|error| RotationFailure::Document { whose, error })
}

/// Parses both documents and pins the pending one to what current names. (P10) One for the place that
/// current is in can never be applied: AWSCURRENT was moved by hand, and the rotation is ended.
async fn parse_pair<P: Provider>(
    pass: &Pass<'_>,
    current: &Version,
    pending: &Version,
) -> Result<(P::Secret, P::Secret), RotationFailure> {
    let old = parse::<P>("current", current)?;
    let new = parse::<P>("pending", pending)?;
    new.same_target(&old)
        .map_err(|error| RotationFailure::Document {
            whose: "pending",
            error,
        })?;
    if let Err(error) = new.continues(&old) {
        pass.detach_pending().await?;
        return Err(RotationFailure::PendingDead {
            key: new.key_id(),
            reason: format!("AWSCURRENT has moved into its place ({error})"),
        });
    }
    Ok((old, new))
}

fn stamp(version: &Version) -> VersionStamp {
    VersionStamp {
        id: version.id.clone(),
        created_at: version.created_at,
    }
}

/// Where the only free place may hold the last key that works, a refused current key stops
/// the rotation before anything is changed.
pub(crate) fn accept_current<S: Credential>(
    listing: &Listing,
    current: &S,
    verdict: &Verdict,
) -> Result<(), RotationFailure> {
    match (listing, verdict) {
        (Listing::FixedSlots, Verdict::Refused { reason }) => {
            Err(RotationFailure::CurrentRefused {
                key: current.key_id(),
                reason: reason.clone(),
            })
        }
        _ => Ok(()),
    }
}

async fn choose_and_store<S: Credential>(
    choose: &dyn Choose<S>,
    pass: &Pass<'_>,
    current: &S,
    slot: Slot,
    random: &mut Random,
) -> Result<StepReport, RotationFailure> {
    let pending = choose
        .choose(current, random)
        .map_err(|error| RotationFailure::Document {
            whose: "current",
            error,
        })?;
    match put(pass, slot, &pending.render()).await {
        Ok(()) => Ok(StepReport::done(pending.key_id())),
        // Another delivery won: its value is the rotation's. Ours was never known to anybody.
        Err(StoreError::Conflict { .. }) => still_in_flight(pass).await,
        Err(error) => Err(error.into()),
    }
}

async fn mint_and_store<P: Provider>(
    provider: &P,
    issue: &dyn Issue<P::Secret>,
    pass: &Pass<'_>,
    current: &P::Secret,
    slot: Slot,
) -> Result<StepReport, RotationFailure> {
    let label = KeyLabel {
        address: pass.store.address(pass.secret),
        version: pass.token.clone(),
    };
    let minted = match issue.mint(current, &label).await {
        Ok(minted) => minted,
        Err(error) if error.kind == ErrorKind::Transient => {
            return Err(lost(provider, pass, current, error).await);
        }
        // An answer: nothing was made.
        Err(error) => return Err(error.into()),
    };
    let value = minted.render();
    let Err(error) = put(pass, slot, &value).await else {
        return Ok(StepReport::done(minted.key_id()));
    };
    if let StoreError::Transient { .. } = error {
        match stored(pass).await {
            // The reply was lost, not the value: another delivery may have published it by now.
            Ok(Some(there)) if there == value => return Ok(StepReport::done(minted.key_id())),
            Ok(_) => {}
            Err(unknown) => return Err(lost(provider, pass, current, unknown.into()).await),
        }
    }
    // Nobody but us knows this key: it dies before we return.
    if let Err(retiring) = provider.retire(Retiring::Secret(&minted)).await {
        return Err(lost(provider, pass, current, retiring).await);
    }
    match error {
        StoreError::Conflict { .. } => still_in_flight(pass).await,
        error => Err(error.into()),
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

/// A key may be live that no version holds: says until when, if the server cannot list it. (P2, P4)
async fn lost<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    current: &P::Secret,
    error: ProviderError,
) -> RotationFailure {
    match provider
        .list(current, &pass.store.address(pass.secret))
        .await
    {
        Ok(Listing::CannotList { dead_within }) => RotationFailure::PossibleStray {
            error,
            dead_by: pass.clock.now() + dead_within,
        },
        _ => error.into(),
    }
}

/// Repeats the identical put while its outcome is unknown: success means stored, conflict
/// means another delivery won.
async fn put(pass: &Pass<'_>, slot: Slot, value: &SecretValue) -> Result<(), StoreError> {
    const REPEATS: usize = 2;
    let stages = [Stage::Pending, Stage::Slot(slot)];
    let mut result = pass
        .store
        .put(pass.secret, pass.token, value, &stages)
        .await;
    for _ in 0..REPEATS {
        let Err(StoreError::Transient { .. }) = result else {
            break;
        };
        result = pass
            .store
            .put(pass.secret, pass.token, value, &stages)
            .await;
    }
    result
}

async fn still_in_flight(pass: &Pass<'_>) -> Result<StepReport, RotationFailure> {
    pass.position().await.map(|_| StepReport::already_done())
}

async fn bury_if_expired<P: Provider>(
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
async fn bury<P: Provider>(
    provider: &P,
    pass: &Pass<'_>,
    pending: &P::Secret,
    reason: String,
) -> Result<RotationFailure, RotationFailure> {
    // The last look: what a person has published meanwhile is no longer ours to end. (P1)
    if pass.position().await? != Position::Stored {
        return Err(RotationFailure::OutOfOrder(
            "the new key was published during this step".into(),
        ));
    }
    let how = provider.retire(Retiring::Secret(pending)).await?;
    if let Some(key) = pending.key_id() {
        pass.note_retired(RetiredKey {
            key,
            version: Some(pass.token.clone()),
            how,
        });
    }
    pass.detach_pending().await?;
    Ok(RotationFailure::PendingDead {
        key: pending.key_id(),
        reason,
    })
}
