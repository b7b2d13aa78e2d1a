//! The keys of a secret's labelled versions, and what their server says of them now.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use twinkey_core::{
    Failure, InUse, KeyId, Kinds, SecretId, SecretValue, Selector, Stage, StoreError, Verdict,
    Version, VersionId,
};

use crate::place::Opened;
use crate::problem::Problem;

const UNKNOWN_KIND: &str = "UnknownKind";

/// One labelled version and its key.
#[derive(Debug, Serialize)]
pub(crate) struct KeyView {
    pub(crate) version: VersionId,
    pub(crate) stages: Vec<Stage>,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) key: Option<KeyId>,
    pub(crate) expires_at: Option<DateTime<Utc>>,
    pub(crate) last_used: Option<DateTime<Utc>>,
    /// Of older keys, where their server tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) in_use: Option<InUse>,
    #[serde(flatten)]
    pub(crate) life: Life,
}

/// Whether a key is live, as its server says now.
#[derive(Debug, Serialize)]
#[serde(tag = "life", rename_all = "snake_case")]
pub(crate) enum Life {
    /// The server accepts it.
    Live,
    /// The server refuses it.
    Dead { reason: String },
    /// The document holds none.
    NoKey,
    /// The server gave no answer, or the document is of no kind that we know.
    Unknown { error: Failure },
}

impl KeyView {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.life, Life::Live)
    }

    /// Whether the document is of no kind that we know.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(&self.life, Life::Unknown { error } if error.error_type == UNKNOWN_KIND)
    }

    /// The label that matters most to a reader.
    pub(crate) fn stage(&self) -> &str {
        let most = self.stages.iter().min_by_key(|stage| rank(stage));
        most.map_or("-", Stage::as_str)
    }
}

fn rank(stage: &Stage) -> usize {
    let known = [Stage::Current, Stage::Previous, Stage::Pending];
    known
        .iter()
        .position(|known| known == stage)
        .unwrap_or(known.len())
}

/// How many keys are live: the same key may be in several versions, if somebody put it again.
pub(crate) fn live(keys: &[KeyView]) -> usize {
    let live = keys.iter().filter(|key| key.is_live());
    live.map(|key| &key.key).collect::<BTreeSet<_>>().len()
}

/// Looks at every labelled version that has a value, AWSCURRENT first.
pub(crate) async fn look(opened: &Opened, secret: &SecretId) -> Result<Vec<KeyView>, Problem> {
    let kinds = opened.kinds().await?;
    let store = opened.store();
    let description = store.describe(secret).await?;
    let current = store
        .read(secret, &Selector::Stage(Stage::Current))
        .await?
        .value;
    let mut views = Vec::new();
    for id in description.versions.into_keys() {
        match store.read(secret, &Selector::Version(id)).await {
            Ok(version) => views.push(view(kinds.as_ref(), version, &current).await),
            Err(StoreError::NoVersion { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    views.sort_by_key(|view| view.stages.iter().map(rank).min());
    Ok(views)
}

async fn view(kinds: &dyn Kinds, version: Version, current: &SecretValue) -> KeyView {
    let unknown = |error_type: &str, message: String| Life::Unknown {
        error: Failure::new(error_type, message, None),
    };
    let stages = version.stages.into_iter().collect();
    let seen = KeyView {
        version: version.id,
        stages,
        created_at: version.created_at,
        key: None,
        expires_at: None,
        last_used: None,
        in_use: None,
        life: Life::NoKey,
    };
    match kinds.open(&version.value) {
        Err(error) => KeyView {
            life: unknown(UNKNOWN_KIND, error.to_string()),
            ..seen
        },
        Ok(rotator) => match rotator.inspect(&version.value, current).await {
            Ok(inspection) => KeyView {
                key: inspection.key,
                expires_at: inspection.expires_at,
                last_used: inspection.last_used,
                in_use: inspection.in_use,
                life: Life::from(inspection.verdict),
                ..seen
            },
            Err(error) => KeyView {
                key: rotator.parse(&version.value).ok().flatten(),
                life: unknown(error.code, error.message),
                ..seen
            },
        },
    }
}

impl From<Verdict> for Life {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Accepted => Self::Live,
            Verdict::Refused { reason } => Self::Dead { reason },
            Verdict::NoKey => Self::NoKey,
        }
    }
}
