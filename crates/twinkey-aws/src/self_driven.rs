//! A rotation that no rotation function drives: what Secrets Manager would do for one is done here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use twinkey_core::{
    Description, RotationFailure, SecretAddress, SecretId, SecretValue, Selector, Stage, Store,
    StoreError, Version, VersionId,
};

use crate::{SecretsManagerStore, Seen};

/// The store as the engine must see it while it rotates a secret without a function in the caller's own process.
///
/// A rotation begins with AWSPENDING on a version without a value. Only Secrets Manager can make
/// one, and only for a function, so until the first put that version is told of here, and not there.
/// `PutSecretValue` then makes it, with its value and its labels, in one call.
///
/// Secrets Manager does not keep two such rotations of one secret apart. Each looks right before its put whether
/// another is in flight or has passed; if both look at the same moment, the later put takes the labels, and the
/// earlier rotation finds itself out of order. Clones are the same rotation.
#[derive(Clone, Debug)]
pub struct SelfDriven {
    store: SecretsManagerStore,
    secret: SecretId,
    token: VersionId,
    resumed: bool,
    /// Where AWSCURRENT was when it began: another rotation that passes takes it away.
    current: Option<VersionId>,
    /// Whether the version of the token is there only in our telling.
    told_only: Arc<AtomicBool>,
}

/// Why a rotation does not run in the caller's process. Nothing changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotHere {
    /// Two would rotate the same secret.
    #[error("{secret} is rotated by {}", function.as_deref().unwrap_or("Secrets Manager"))]
    HasFunction {
        /// The secret's ARN.
        secret: SecretId,
        /// The function's ARN; none where rotation is on without one.
        function: Option<String>,
    },
    /// AWSPENDING is on a version that no rotation of ours has made.
    #[error("AWSPENDING of {secret} is on version {version}, which is not twinkey's")]
    ForeignPending {
        /// The secret's ARN.
        secret: SecretId,
        /// The version.
        version: VersionId,
    },
    /// Secrets Manager said so.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotHere {
    /// Stable name.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::HasFunction { .. } => "RotationFunction",
            Self::ForeignPending { .. } => "RotationInProgress",
            Self::Store(error) => error.code(),
        }
    }

    /// What a person should do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::HasFunction { .. } => Some("have it rotated: twinkey rotate NAME".into()),
            Self::ForeignPending { secret, version } => Some(format!(
                "if nobody needs it: aws secretsmanager update-secret-version-stage --secret-id {secret} \
                 --version-stage AWSPENDING --remove-from-version-id {version}"
            )),
            Self::Store(error) => RotationFailure::from(error.clone()).hint(),
        }
    }
}

impl SelfDriven {
    /// Begins a rotation with this token, or goes on with one that was interrupted, by its own. One call.
    pub async fn begin(
        store: SecretsManagerStore,
        secret: &SecretId,
        token: VersionId,
    ) -> Result<Self, NotHere> {
        let seen = store.look(secret).await?;
        if seen.function.is_some() || seen.description.rotation_enabled {
            let (secret, function) = (seen.arn, seen.function);
            return Err(NotHere::HasFunction { secret, function });
        }
        let pending = pending(&seen.description).cloned();
        let (token, resumed) = match pending {
            None => (token, false),
            Some(pending) if seen.description.slot(&pending).is_some() => (pending, true),
            Some(version) => {
                let secret = seen.arn;
                return Err(NotHere::ForeignPending { secret, version });
            }
        };
        Ok(Self {
            store,
            secret: seen.arn,
            token,
            resumed,
            current: seen.description.holder(&Stage::Current).cloned(),
            told_only: Arc::new(AtomicBool::new(!resumed)),
        })
    }

    /// The secret's ARN.
    #[must_use]
    pub fn secret(&self) -> &SecretId {
        &self.secret
    }

    /// The rotation: the one asked for, or the one that was interrupted.
    #[must_use]
    pub fn token(&self) -> &VersionId {
        &self.token
    }

    /// Whether it is one that was interrupted.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.resumed
    }

    /// Takes AWSPENDING off a rotation that has succeeded, as Secrets Manager may. Repeatable.
    pub async fn close(&self) -> Result<(), StoreError> {
        let (secret, token) = (&self.secret, Some(&self.token));
        let stage = Stage::Pending;
        match self.store.move_stage(secret, &stage, token, None).await {
            Err(StoreError::Conflict { .. }) => Ok(()),
            result => result,
        }
    }

    /// A function that was configured meanwhile rotates the secret from now on.
    async fn look(&self, secret: &SecretId) -> Result<Seen, StoreError> {
        let seen = self.store.look(secret).await?;
        if seen.function.is_some() || seen.description.rotation_enabled {
            return Err(self.conflict("a rotation function has been configured meanwhile"));
        }
        Ok(seen)
    }

    fn conflict(&self, reason: &str) -> StoreError {
        StoreError::Conflict {
            secret: self.secret.clone(),
            reason: reason.into(),
        }
    }

    fn is_told_only(&self) -> bool {
        self.told_only.load(Ordering::SeqCst)
    }
}

/// AWSPENDING beside AWSCURRENT is a rotation that is over.
fn pending(description: &Description) -> Option<&VersionId> {
    let pending = description.holder(&Stage::Pending);
    pending.filter(|id| !description.carries(id, &Stage::Current))
}

#[async_trait]
impl Store for SelfDriven {
    fn address(&self, secret: &SecretId) -> SecretAddress {
        self.store.address(secret)
    }

    async fn describe(&self, secret: &SecretId) -> Result<Description, StoreError> {
        let mut description = self.look(secret).await?.description;
        description.rotation_enabled = true;
        if self.is_told_only() && pending(&description).is_none() {
            for stages in description.versions.values_mut() {
                stages.remove(&Stage::Pending);
            }
            let stages = description.versions.entry(self.token.clone()).or_default();
            stages.insert(Stage::Pending);
        }
        Ok(description)
    }

    async fn read(&self, secret: &SecretId, at: &Selector) -> Result<Version, StoreError> {
        self.store.read(secret, at).await
    }

    async fn put(
        &self,
        secret: &SecretId,
        version: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
    ) -> Result<(), StoreError> {
        let description = self.look(secret).await?.description;
        if pending(&description).is_some_and(|holder| holder != version) {
            return Err(self.conflict("another rotation has begun meanwhile"));
        }
        if description.holder(&Stage::Current) != self.current.as_ref() {
            return Err(self.conflict("AWSCURRENT has moved meanwhile"));
        }
        let stored = self.store.put(secret, version, value, stages).await;
        if stored.is_ok() {
            self.told_only.store(false, Ordering::SeqCst);
        }
        stored
    }

    async fn move_stage(
        &self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
    ) -> Result<(), StoreError> {
        if self.is_told_only() && *stage == Stage::Pending && from == Some(&self.token) {
            self.told_only.store(false, Ordering::SeqCst);
            return Ok(());
        }
        self.store.move_stage(secret, stage, from, to).await
    }
}
