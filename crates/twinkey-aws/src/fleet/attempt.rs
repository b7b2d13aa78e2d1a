//! The token of the rotation that is due: whoever computes it gets the same.

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{SecretAddress, Stage, VersionId};

use super::versions::DatedVersion;

const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// How often a slot's rotation has been tried.
pub(crate) struct Attempts<'a> {
    pub(crate) address: SecretAddress,
    pub(crate) slot: DateTime<Utc>,
    pub(crate) versions: &'a [DatedVersion],
    /// A rotation that has just been abandoned.
    pub(crate) abandoned: Option<&'a VersionId>,
    /// When the secret last changed: no attempt that is over ended later.
    pub(crate) changed: Option<DateTime<Utc>>,
}

impl Attempts<'_> {
    /// The next attempt's token. An attempt that has ended needs another one: a version holds one value for
    /// ever, and one that a refusal left behind may not be taken up again.
    pub(crate) fn token(&self) -> VersionId {
        VersionId::scheduled(&self.address, self.moment(self.over().len()))
    }

    /// When the next attempt may come: after a minute, then after twice as long each time, up to a quarter
    /// of an hour, as the one-machine scheduler does it.
    pub(crate) fn not_before(&self) -> Option<DateTime<Utc>> {
        let over = self.over();
        if self.abandoned.is_some() || over.is_empty() {
            return None;
        }
        let ended = over.iter().filter_map(|version| version.created).max();
        let doubled = u32::try_from(over.len() - 1).map_or(4, |times| times.min(4));
        let pause = (FIRST_PAUSE * 2_i32.pow(doubled)).min(LONGEST_PAUSE);
        Some(ended.or(self.changed)? + pause)
    }

    /// Attempts of this slot that have ended without becoming current.
    fn over(&self) -> Vec<&DatedVersion> {
        let attempt = |number| VersionId::scheduled(&self.address, self.moment(number));
        (0..self.versions.len())
            .map_while(|number| self.ended(&attempt(number)))
            .collect()
    }

    fn ended(&self, token: &VersionId) -> Option<&DatedVersion> {
        let version = self.versions.iter().find(|version| version.id == *token)?;
        let is_over = self.abandoned == Some(token) || !version.stages.contains(&Stage::Pending);
        is_over.then_some(version)
    }

    fn moment(&self, attempt: usize) -> DateTime<Utc> {
        self.slot + TimeDelta::seconds(i64::try_from(attempt).unwrap_or_default())
    }
}
