//! The four steps: what is the same for every kind of key. What differs is in [`crate::Rotator`].

use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;

use crate::guard::{Position, position};
use crate::{
    Clock, Description, DocumentError, Ended, IN_USE_TAG, InUse, Policy, PolicyError, Random,
    RetiredKey, RotationError, RotationFailure, Rotator, SecretId, SecretValue, Selector, Stage,
    Step, StepReport, StepRequest, Store, StoreError, Version, VersionId, WhileInUse, overlap_ends,
};

/// Which provider a document belongs to.
pub trait Kinds: Send + Sync {
    /// The rotator for a document, by its own fields.
    fn open(&self, value: &SecretValue) -> Result<Box<dyn Rotator>, DocumentError>;
}

/// Runs the steps of rotations. It keeps nothing between two calls.
pub struct Engine<'a> {
    /// Where the secrets are.
    pub store: &'a dyn Store,
    /// Which kinds of keys there are.
    pub kinds: &'a dyn Kinds,
    /// What time it is.
    pub clock: &'a dyn Clock,
}

/// One pass of one step: what the rotator needs to know of its surroundings.
pub struct Pass<'a> {
    /// Where the secret is.
    pub store: &'a dyn Store,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// The secret.
    pub secret: &'a SecretId,
    /// The rotation.
    pub token: &'a VersionId,
    /// The keys that this delivery has made dead so far: told even if it fails later on.
    retired: Mutex<Vec<RetiredKey>>,
}

impl Engine<'_> {
    /// Performs one delivery of one step. Repeatable in every way a delivery can repeat: the
    /// end state is that of the calm run, or a typed error that left everything as it was.
    ///
    /// finishSecret relies on its caller for the order: Secrets Manager and the embedded store
    /// deliver it only after testSecret has passed.
    pub async fn step(
        &self,
        request: &StepRequest,
        random: &mut Random,
    ) -> Result<StepReport, RotationError> {
        let pass = Pass::new(self, &request.secret, &request.token);
        let result = match request.step {
            Step::CreateSecret => self.create_secret(&pass, random).await,
            Step::SetSecret => self.set_secret(&pass).await,
            Step::TestSecret => self.test_secret(&pass).await,
            Step::FinishSecret => pass.finish_secret().await,
        };
        let retired = pass.into_retired();
        match result {
            Ok(report) => Ok(StepReport { retired, ..report }),
            Err(cause) => Err(RotationError {
                step: request.step,
                secret: request.secret.clone(),
                token: request.token.clone(),
                cause,
                retired,
            }),
        }
    }

    /// Ends a rotation that is half done: AWSPENDING comes off its version, so that no delivery can publish
    /// it any more, then the key that the version holds is made dead. Until the next rotation that version
    /// keeps its slot label: whatever happens in between, the key is known, and repeating this makes it dead.
    /// Works where rotation is turned off, too.
    ///
    /// Returns the keys that are dead now. [`RotationFailure::OutOfOrder`] if it has been published: AWSCURRENT
    /// is on it, or another version that AWSCURRENT or AWSPREVIOUS is on holds its key; and if one of these two
    /// labels moves meanwhile. A rotation that has left nothing is left as it is.
    pub async fn abandon(
        &self,
        secret: &SecretId,
        token: &VersionId,
    ) -> Result<Vec<RetiredKey>, RotationFailure> {
        let pass = Pass::new(self, secret, token);
        let description = pass.store.describe(secret).await?;
        if description.carries(token, &Stage::Current) {
            return Err(published());
        }
        let is_pending = description.carries(token, &Stage::Pending);
        if description.slot(token).is_some() && !description.carries(token, &Stage::Previous) {
            let at = Selector::Version(token.clone());
            let ended = Ended {
                pending: pass.store.read(secret, &at).await?,
                current: pass.read(Stage::Current).await?,
                previous: match description.holder(&Stage::Previous) {
                    Some(_) => Some(pass.read(Stage::Previous).await?),
                    None => None,
                },
                is_pending,
            };
            let rotator = self.open(&ended.current)?;
            let abandoned = rotator.abandon(&pass, ended).await;
            rotator.close().await;
            abandoned?;
        } else if is_pending {
            pass.detach_pending().await?;
        }
        Ok(pass.into_retired())
    }

    async fn create_secret(
        &self,
        pass: &Pass<'_>,
        random: &mut Random,
    ) -> Result<StepReport, RotationFailure> {
        let description = pass.store.describe(pass.secret).await?;
        if position(&description, pass.token)? != Position::Empty {
            return Ok(StepReport::already_done());
        }
        let policy = Policy::parse(&description.tags)?;
        let current = pass.read(Stage::Current).await?;
        let rotator = self.open(&current)?;
        // Where keys are in use, even a schedule that is too slow is better than none.
        if !description.holds_previous() {
            keeps_two(&policy, rotator.as_ref())?;
        }
        pass.respect_overlap(
            &description,
            &current,
            policy.min_overlap.unwrap_or_else(|| rotator.min_overlap()),
        )
        .await?;
        let created = rotator
            .create(pass, &policy, description, current, random)
            .await;
        rotator.close().await;
        created
    }

    async fn set_secret(&self, pass: &Pass<'_>) -> Result<StepReport, RotationFailure> {
        let Some(pending) = pass.read_pending().await? else {
            return match pass.position().await? {
                Position::Published => Ok(StepReport::already_done()),
                _ => Err(RotationFailure::OutOfOrder(
                    "createSecret has not stored a value".into(),
                )),
            };
        };
        if pending.stages.contains(&Stage::Current) {
            return Ok(StepReport::already_done());
        }
        let current = pass.read(Stage::Current).await?;
        let rotator = self.open(&current)?;
        let set = rotator.set(pass, current, pending).await;
        rotator.close().await;
        set
    }

    async fn test_secret(&self, pass: &Pass<'_>) -> Result<StepReport, RotationFailure> {
        if let Some(pending) = pass.read_pending().await? {
            let current = pass.read(Stage::Current).await?;
            if current.id == *pass.token {
                return Ok(StepReport::already_done());
            }
            let rotator = self.open(&current)?;
            let tested = rotator.test(pass, current, pending).await;
            rotator.close().await;
            return tested;
        }
        let description = pass.store.describe(pass.secret).await?;
        match position(&description, pass.token)? {
            Position::Published => Ok(StepReport::already_done()),
            // Stored since: what has not been used must not pass as tested. (P6)
            Position::Stored => Err(RotationFailure::OutOfOrder(
                "the new key was stored during this step".into(),
            )),
            Position::Empty => self.check(pass, &description).await,
        }
    }

    /// testSecret without a pending key.
    async fn check(
        &self,
        pass: &Pass<'_>,
        description: &Description,
    ) -> Result<StepReport, RotationFailure> {
        let policy = Policy::parse(&description.tags)?;
        let current = pass.read(Stage::Current).await?;
        if current.id == *pass.token {
            return Ok(StepReport::already_done());
        }
        let rotator = self.open(&current)?;
        keeps_two(&policy, rotator.as_ref())?;
        let checked = rotator.check(pass, current).await;
        rotator.close().await;
        checked
    }

    fn open(&self, current: &Version) -> Result<Box<dyn Rotator>, RotationFailure> {
        self.kinds
            .open(&current.value)
            .map_err(|error| RotationFailure::Document {
                whose: "current",
                error,
            })
    }
}

/// Shows that the tags leave two keys of this kind unexpired at every moment.
fn keeps_two(policy: &Policy, rotator: &dyn Rotator) -> Result<(), RotationFailure> {
    match rotator.lifetime() {
        Some(lifetime) => Ok(policy.keeps_two(rotator.min_overlap(), lifetime)?),
        None => Ok(()),
    }
}

/// AWSCURRENT is on the version that was to be ended.
pub(crate) fn published() -> RotationFailure {
    RotationFailure::OutOfOrder("the new key has been published".into())
}

impl<'a> Pass<'a> {
    fn new(engine: &Engine<'a>, secret: &'a SecretId, token: &'a VersionId) -> Self {
        Self {
            store: engine.store,
            clock: engine.clock,
            secret,
            token,
            retired: Mutex::default(),
        }
    }

    fn into_retired(self) -> Vec<RetiredKey> {
        let retired = self.retired.into_inner();
        retired.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pass<'_> {
    async fn finish_secret(&self) -> Result<StepReport, RotationFailure> {
        let description = self.store.describe(self.secret).await?;
        match position(&description, self.token)? {
            Position::Published => return Ok(StepReport::already_done()),
            Position::Empty => {
                return Err(RotationFailure::OutOfOrder(
                    "createSecret has not stored a value".into(),
                ));
            }
            Position::Stored => {}
        }
        let current = description.holder(&Stage::Current);
        let moved = self
            .store
            .move_stage(self.secret, &Stage::Current, current, Some(self.token))
            .await;
        match moved {
            Ok(()) => Ok(StepReport::done(None)),
            // Another delivery of this step may have been quicker.
            Err(error @ StoreError::Conflict { .. }) => match self.position().await? {
                Position::Published => Ok(StepReport::already_done()),
                _ => Err(error.into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    /// Notes a death, so that it is told even if the step fails later on. (P7)
    pub(crate) fn note_retired(&self, key: RetiredKey) {
        self.retired
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(key);
    }

    pub(crate) async fn position(&self) -> Result<Position, RotationFailure> {
        position(&self.store.describe(self.secret).await?, self.token)
    }

    pub(crate) async fn read(&self, stage: Stage) -> Result<Version, StoreError> {
        self.store.read(self.secret, &Selector::Stage(stage)).await
    }

    async fn read_pending(&self) -> Result<Option<Version>, StoreError> {
        let at = Selector::VersionAt(self.token.clone(), Stage::Pending);
        match self.store.read(self.secret, &at).await {
            Ok(version) => Ok(Some(version)),
            Err(StoreError::NoVersion { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The last line of the overlap rule: a refusal takes AWSPENDING off its own token again,
    /// so that nothing stays pending and the next request starts afresh. (P9)
    async fn respect_overlap(
        &self,
        description: &Description,
        current: &Version,
        min_overlap: TimeDelta,
    ) -> Result<(), RotationFailure> {
        let now = self.clock.now();
        let description = description.clone().dated_by(Some(current.created_at));
        let wait =
            overlap_ends(&description, min_overlap, now).map_or(TimeDelta::zero(), |end| end - now);
        if self.token.is_forced() || wait <= TimeDelta::zero() {
            return Ok(());
        }
        self.detach_pending().await?;
        Err(RotationFailure::Overlap { wait })
    }

    /// Where the tags say so, a key that is still used is not replaced before the limit has passed: refused as
    /// within the overlap. A kind that cannot tell must not be held by a tag that means nothing there. (P9, P11)
    pub(crate) async fn respect_use(
        &self,
        policy: &Policy,
        description: &Description,
        current: &Version,
        in_use: Option<&InUse>,
    ) -> Result<(), RotationFailure> {
        if policy.while_in_use == WhileInUse::Report || self.token.is_forced() {
            return Ok(());
        }
        let now = self.clock.now();
        let dated = description.clone().dated_by(Some(current.created_at));
        // Nothing of ours is replaced by a first rotation.
        let Some(end) = overlap_ends(&dated, policy.hold_limit(), now) else {
            return Ok(());
        };
        let Some(in_use) = in_use else {
            return Err(PolicyError {
                tag: IN_USE_TAG.into(),
                problem: "hold: the server does not tell who uses a key of this kind".into(),
            }
            .into());
        };
        if in_use.is_over() || end <= now {
            return Ok(());
        }
        self.detach_pending().await?;
        Err(RotationFailure::KeyInUse {
            in_use: in_use.clone(),
            wait: end - now,
        })
    }

    /// Takes AWSPENDING off this rotation's version. Repeatable: already elsewhere is success.
    pub(crate) async fn detach_pending(&self) -> Result<(), StoreError> {
        match self
            .store
            .move_stage(self.secret, &Stage::Pending, Some(self.token), None)
            .await
        {
            Err(StoreError::Conflict { .. }) => Ok(()),
            result => result,
        }
    }
}
