//! Where a rotation stands, read from labels and lease.

use chrono::{DateTime, Utc};
use twinkey_core::{Stage, VersionId};

use crate::lease::Lease;
use crate::state::State;

/// Where a secret's rotation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// None is in flight.
    Idle,
    /// A process works on this one.
    Running(VersionId),
    /// This one was begun and nobody works on it: it is to be finished before another begins.
    Interrupted {
        /// Its token.
        token: VersionId,
        /// Whether its new value is stored. Without one, nothing has been made yet.
        has_value: bool,
    },
}

impl State {
    /// A binding lease counts even where AWSPENDING is gone already: its process is about to
    /// write how the rotation ended.
    pub(crate) fn standing(&self, now: DateTime<Utc>) -> Standing {
        if let Some(token) = self.bound(now) {
            return Standing::Running(token.clone());
        }
        match self.holder(&Stage::Pending) {
            None => Standing::Idle,
            Some(token) => Standing::Interrupted {
                token: token.clone(),
                has_value: self.has_value(token),
            },
        }
    }

    /// Whether a rotation may begin. AWSPENDING on the current version is no obstacle, as in
    /// Secrets Manager: that rotation is over but for the label.
    pub(crate) fn is_free(&self, now: DateTime<Utc>) -> bool {
        let pending = self.holder(&Stage::Pending);
        self.bound(now).is_none() && (pending.is_none() || pending == self.holder(&Stage::Current))
    }

    fn bound(&self, now: DateTime<Utc>) -> Option<&VersionId> {
        let rotation = self.rotation.as_ref()?;
        let lease = rotation.lease.as_ref()?;
        lease.binds(now).then_some(&rotation.token)
    }

    pub(crate) fn is_leased_to(&self, token: &VersionId, lease: &Lease) -> bool {
        self.rotation.as_ref().is_some_and(|rotation| {
            let held = rotation
                .lease
                .as_ref()
                .is_some_and(|held| held.is_held_by(lease));
            rotation.token == *token && held
        })
    }
}

impl Standing {
    pub(crate) fn is_interrupted(&self, token: &VersionId) -> bool {
        matches!(self, Self::Interrupted { token: interrupted, .. } if interrupted == token)
    }
}
