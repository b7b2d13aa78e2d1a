//! A person asks for one rotation.

use twinkey_core::{
    Clock, Description, Policy, RotationFailure, SecretId, Stage, Store, StoreError, VersionId,
    escape_control, overlap_ends,
};

use crate::SecretsManagerStore;
use crate::asking::Answer;

/// A person's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualAsk {
    /// A name or an ARN.
    pub secret: SecretId,
    /// Why, in the person's words: for the record of the one who asks. Secrets Manager has no room for it.
    pub reason: Option<String>,
    /// Whether the minimum overlap is waived, for which a reason is needed.
    pub force: bool,
}

/// A rotation that Secrets Manager has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The secret's ARN.
    pub secret: SecretId,
    /// The rotation, by which its record is found. It says that a person asked, and whether by force.
    pub token: VersionId,
    /// The person's reason, without control characters.
    pub reason: Option<String>,
}

/// Why no rotation was asked for. Nothing changed, but that a forced request may have ended one that had
/// made no key yet.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotAsked {
    /// A forced rotation takes time from the consumers: somebody will ask why.
    #[error("a forced rotation needs a reason")]
    NoReason,
    /// Another rotation is in flight.
    #[error("{}", in_flight(secret, token.as_ref()))]
    InProgress {
        /// The secret's ARN.
        secret: SecretId,
        /// Its rotation, unless it began this very moment.
        token: Option<VersionId>,
    },
    /// The policy, the minimum overlap, or Secrets Manager itself.
    #[error(transparent)]
    Refused(#[from] Box<RotationFailure>),
}

impl NotAsked {
    /// Stable name, for alarms and for Lambda's `errorType`.
    #[must_use]
    pub fn error_type(&self) -> &'static str {
        match self {
            Self::NoReason => "ReasonMissing",
            Self::InProgress { .. } => "RotationInProgress",
            Self::Refused(failure) => failure.error_type(),
        }
    }

    /// What a person should do next, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoReason => Some("say why: \"reason\": \"…\"".into()),
            Self::InProgress {
                secret,
                token: Some(token),
            } => Some(format!(
                "wait for its end, or end it: {{\"abandon\": {{\"secretId\": \"{secret}\", \"token\": \"{token}\"}}}}"
            )),
            Self::InProgress { token: None, .. } => Some("wait for its end".into()),
            Self::Refused(failure) => failure.hint(),
        }
    }
}

impl From<StoreError> for NotAsked {
    fn from(error: StoreError) -> Self {
        Box::new(RotationFailure::from(error)).into()
    }
}

impl SecretsManagerStore {
    /// Asks for one rotation: one `DescribeSecret` and one `RotateSecret`. It does not wait for its end.
    ///
    /// NOT repeatable: each call is a rotation of its own, unless the one before is in flight. The minimum
    /// overlap is checked here as far as the tags tell it, and by createSecret in any case. (P9)
    pub async fn rotate_one(
        &self,
        ask: &ManualAsk,
        clock: &dyn Clock,
        random: &mut twinkey_core::Random,
    ) -> Result<Asked, NotAsked> {
        let reason = ask.reason.as_deref().map(str::trim);
        let reason = reason.filter(|reason| !reason.is_empty());
        if ask.force && reason.is_none() {
            return Err(NotAsked::NoReason);
        }
        let seen = self.look(&ask.secret).await?;
        check(&seen.description, ask.force, clock).map_err(Box::new)?;
        let secret = seen.arn;
        self.make_way(&secret, &seen.description, ask.force).await?;
        let token = VersionId::manual(random, ask.force);
        match self.ask(&secret, &token).await? {
            Answer::Begun => Ok(Asked {
                secret,
                token,
                reason: reason.map(escape_control),
            }),
            Answer::PreviousIncomplete => Err(NotAsked::InProgress {
                secret,
                token: None,
            }),
        }
    }

    /// A forced rotation does not wait for one that has stored no value: values come with a slot label.
    async fn make_way(
        &self,
        secret: &SecretId,
        description: &Description,
        force: bool,
    ) -> Result<(), NotAsked> {
        let pending = description.holder(&Stage::Pending);
        let Some(pending) = pending.filter(|id| !description.carries(id, &Stage::Current)) else {
            return Ok(());
        };
        if force && description.slot(pending).is_none() {
            let detached = self.move_stage(secret, &Stage::Pending, Some(pending), None);
            return Ok(detached.await?);
        }
        Err(NotAsked::InProgress {
            secret: secret.clone(),
            token: Some(pending.clone()),
        })
    }
}

fn check(description: &Description, force: bool, clock: &dyn Clock) -> Result<(), RotationFailure> {
    if !description.rotation_enabled {
        return Err(RotationFailure::RotationOff);
    }
    let overlap = Policy::parse(&description.tags)?
        .min_overlap
        .unwrap_or_default();
    let now = clock.now();
    // As far as it is known without the value: AWSCURRENT may be younger, by a person's hand.
    let description = description.clone().dated_by(None);
    match overlap_ends(&description, overlap, now) {
        Some(end) if end > now && !force => Err(RotationFailure::Overlap { wait: end - now }),
        _ => Ok(()),
    }
}

fn in_flight(secret: &SecretId, token: Option<&VersionId>) -> String {
    match token {
        Some(token) => format!("rotation {token} of {secret} is in flight"),
        None => format!("another rotation of {secret} has just begun"),
    }
}
