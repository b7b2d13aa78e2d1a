//! The half of each step that knows what kind of key it is, for every [`Provider`] at once.

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::giving_up::{bury, bury_if_expired, end};
use crate::guard::Position;
use crate::last_look::StoreLook;
use crate::new_key::{choose_and_store, mint_and_store};
use crate::room::{make_for_chosen, make_for_new};
use crate::{
    Credential, Description, DocumentError, ErrorKind, Fence, InUse, KeyId, Listing, Origin, Pass,
    Policy, Provider, ProviderError, Random, Ready, RotationFailure, SecretValue, StepReport,
    StepResult, Verdict, Version, VersionStamp,
};

/// A provider whose document type has been erased. Implemented once, for every [`Provider`].
#[async_trait]
pub trait Rotator: Send + Sync {
    /// How long a key of this kind stays current at least, unless a tag says otherwise.
    fn min_overlap(&self) -> TimeDelta;

    /// How long a new key lives, if keys of this kind die by themselves.
    fn lifetime(&self) -> Option<TimeDelta>;

    /// Whether a text is a document of this kind. Pure.
    fn parse(&self, value: &SecretValue) -> Result<Option<KeyId>, DocumentError>;

    /// createSecret: makes a key's value and stores it as pending.
    async fn create(
        &self,
        pass: &Pass<'_>,
        policy: &Policy,
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

    /// Ends a rotation: takes AWSPENDING off, if it is there, then makes the key dead.
    async fn abandon(&self, pass: &Pass<'_>, ended: Ended) -> Result<(), RotationFailure>;

    /// What the server says now of the key in a document, provided that it is the server that
    /// `current` names: a key is sent nowhere else. Read-only. (P10)
    async fn inspect(
        &self,
        value: &SecretValue,
        current: &SecretValue,
    ) -> Result<Inspection, ProviderError>;

    /// The end of a step: gives back what was taken for it.
    async fn close(&self);
}

/// A rotation that is to be ended, and what is published.
#[derive(Debug)]
pub struct Ended {
    /// What the rotation has stored.
    pub pending: Version,
    /// Under AWSCURRENT.
    pub current: Version,
    /// Under AWSPREVIOUS, if there is one.
    pub previous: Option<Version>,
    /// Whether AWSPENDING is on the rotation.
    pub is_pending: bool,
}

/// What the server says of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The key, if the document holds one.
    pub key: Option<KeyId>,
    /// When it dies by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When somebody last used it, where the server keeps that.
    pub last_used: Option<DateTime<Utc>>,
    /// Who uses it, if it is not the current one and the server tells.
    pub in_use: Option<InUse>,
    /// What the server says.
    pub verdict: Verdict,
}

#[async_trait]
impl<P: Provider> Rotator for P {
    fn min_overlap(&self) -> TimeDelta {
        self.origin().min_overlap()
    }

    fn lifetime(&self) -> Option<TimeDelta> {
        Provider::lifetime(self)
    }

    fn parse(&self, value: &SecretValue) -> Result<Option<KeyId>, DocumentError> {
        Ok(P::Secret::parse(value)?.key_id())
    }

    async fn create(
        &self,
        pass: &Pass<'_>,
        policy: &Policy,
        description: Description,
        current: Version,
        random: &mut Random,
    ) -> Result<StepReport, RotationFailure> {
        let parsed = parse::<P>("current", &current)?;
        let Ready {
            secret: ready,
            in_use,
        } = self
            .ready(&parsed, &pass.store.address(pass.secret))
            .await?;
        pass.respect_use(policy, &description, &current, in_use.as_ref())
            .await?;
        let Some(room) = make_for_new(self, pass, &description, &current, &ready).await? else {
            return Ok(StepReport::already_done());
        };
        let created = match self.origin() {
            Origin::Chosen(choose) => {
                choose_and_store(choose, pass, &ready, room.slot, random).await
            }
            Origin::Issued(issue) => mint_and_store(self, issue, pass, &ready, room).await,
        };
        created.map(|report| StepReport { in_use, ..report })
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
        match choose.apply(&new, &fence, &last_look).await {
            Ok(replaced) => {
                if let Some(key) = replaced {
                    pass.note_retired(key);
                }
                Ok(StepReport::done(new.key_id()))
            }
            // What stood in the way is that another delivery has finished this very rotation. (P5)
            Err(error) if error.kind == ErrorKind::Conflict && is_published(pass).await => {
                Ok(StepReport::already_done())
            }
            Err(error) => Err(error.into()),
        }
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
        let Ready {
            secret: ready,
            in_use,
        } = self.ready(&parsed, &address).await?;
        let listing = self.list(&ready, &address).await?;
        let verdict = self.verify(&ready).await?;
        accept_current(&listing, &ready, &verdict)?;
        Ok(StepReport {
            result: StepResult::OnlyChecked,
            key: ready.key_id(),
            in_use,
            retired: Vec::new(),
        })
    }

    async fn abandon(&self, pass: &Pass<'_>, ended: Ended) -> Result<(), RotationFailure> {
        let (old, new) = pinned::<P>(&ended.current, &ended.pending)?;
        if ended.is_pending {
            pass.detach_pending().await?;
        }
        // One for the place that AWSCURRENT is in was never applied: what lives there is not ours to end.
        if new.continues(&old).is_ok() {
            end(self, pass, &ended, &new).await?;
        }
        Ok(())
    }

    async fn inspect(
        &self,
        value: &SecretValue,
        current: &SecretValue,
    ) -> Result<Inspection, ProviderError> {
        let secret = P::Secret::parse(value)?;
        let current = P::Secret::parse(current)?;
        secret.same_target(&current)?;
        let seen = look_at(self, &secret, secret.key_id() != current.key_id()).await;
        Provider::close(self).await;
        seen
    }

    async fn close(&self) {
        Provider::close(self).await;
    }
}

async fn look_at<P: Provider>(
    provider: &P,
    secret: &P::Secret,
    is_older: bool,
) -> Result<Inspection, ProviderError> {
    // Before we use it ourselves.
    let in_use = if is_older {
        provider.in_use(secret).await?
    } else {
        None
    };
    let verdict = provider.verify(secret).await?;
    let last_used = match verdict {
        Verdict::Accepted => provider.last_used(secret).await?,
        Verdict::Refused { .. } | Verdict::NoKey => None,
    };
    Ok(Inspection {
        key: secret.key_id(),
        expires_at: secret.expires_at(),
        last_used,
        in_use,
        verdict,
    })
}

pub(crate) fn parse<P: Provider>(
    whose: &'static str,
    version: &Version,
) -> Result<P::Secret, RotationFailure> {
    P::Secret::parse(&version.value).map_err(|error| RotationFailure::Document { whose, error })
}

/// Parses both documents and pins the pending one to what current names. (P10)
fn pinned<P: Provider>(
    current: &Version,
    pending: &Version,
) -> Result<(P::Secret, P::Secret), RotationFailure> {
    let old = parse::<P>("current", current)?;
    let new = parse::<P>("pending", pending)?;
    match new.same_target(&old) {
        Ok(()) => Ok((old, new)),
        Err(error) => Err(RotationFailure::Document {
            whose: "pending",
            error,
        }),
    }
}

/// The same; a pending document that does not follow from current can never be applied, such as one for the place that
/// current is in, since AWSCURRENT was moved by hand. The rotation is ended.
async fn parse_pair<P: Provider>(
    pass: &Pass<'_>,
    current: &Version,
    pending: &Version,
) -> Result<(P::Secret, P::Secret), RotationFailure> {
    let (old, new) = pinned::<P>(current, pending)?;
    if let Err(error) = new.continues(&old) {
        pass.detach_pending().await?;
        return Err(RotationFailure::PendingDead {
            key: new.key_id(),
            reason: format!("AWSCURRENT is not what it was made to follow ({error})"),
        });
    }
    Ok((old, new))
}

async fn is_published(pass: &Pass<'_>) -> bool {
    matches!(pass.position().await, Ok(Position::Published))
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
