//! The state of one secret: tags, versions with their labels, and the rotation in flight.
//! Pure: what the labels may do is decided here, what is stored where is not known here.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use twinkey_core::{Description, SecretId, Selector, Stage, StoreError, VersionId};

use crate::lease::Lease;

/// Secrets Manager's quota of labels on all versions of a secret.
const MOST_LABELS: usize = 20;
/// How many versions without labels are kept, and how long the others are.
const KEPT: usize = 100;
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// Everything about a secret but its values. Sealed as one row, so that no part of it can be
/// changed or brought back without the others.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) versions: BTreeMap<VersionId, VersionState>,
    pub(crate) current_since: Option<DateTime<Utc>>,
    /// When the newest value was stored; it outlives its version, so that the order does too.
    newest: Option<DateTime<Utc>>,
    pub(crate) rotation: Option<RotationState>,
}

/// One version, without its value.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct VersionState {
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) has_value: bool,
    pub(crate) stages: BTreeSet<Stage>,
}

/// A rotation that somebody works on or will take up again.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RotationState {
    pub(crate) token: VersionId,
    pub(crate) lease: Option<Lease>,
}

impl State {
    /// The version that carries a label.
    pub(crate) fn holder(&self, stage: &Stage) -> Option<&VersionId> {
        self.versions
            .iter()
            .find_map(|(id, version)| version.stages.contains(stage).then_some(id))
    }

    pub(crate) fn has_value(&self, id: &VersionId) -> bool {
        self.versions
            .get(id)
            .is_some_and(|version| version.has_value)
    }

    /// The version that a selector means, provided that it has a value.
    pub(crate) fn select(
        &self,
        secret: &SecretId,
        at: &Selector,
    ) -> Result<&VersionId, StoreError> {
        let id = match at {
            Selector::Stage(stage) => self.holder(stage),
            Selector::Version(id) => Some(id),
            Selector::VersionAt(id, stage) => self.holder(stage).filter(|holder| *holder == id),
        };
        id.and_then(|id| self.versions.get_key_value(id))
            .filter(|(_, version)| version.has_value)
            .map(|(id, _)| id)
            .ok_or_else(|| StoreError::NoVersion {
                secret: secret.clone(),
                at: at.clone(),
            })
    }

    /// Adds the valueless version of a rotation that begins.
    pub(crate) fn begin(&mut self, token: &VersionId, now: DateTime<Utc>) {
        self.versions.entry(token.clone()).or_insert(VersionState {
            created_at: now,
            has_value: false,
            stages: BTreeSet::new(),
        });
        self.attach(&Stage::Pending, token, now);
    }

    /// Notes that a version has its value now, and moves the labels to it.
    pub(crate) fn store(&mut self, id: &VersionId, stages: &[Stage], now: DateTime<Utc>) {
        let created_at = self.next_moment(now);
        let version = self.versions.entry(id.clone()).or_insert(VersionState {
            created_at,
            has_value: true,
            stages: BTreeSet::new(),
        });
        version.created_at = created_at;
        version.has_value = true;
        for stage in stages {
            self.attach(stage, id, now);
        }
    }

    /// Moves a label by compare-and-swap.
    pub(crate) fn swap(
        &mut self,
        secret: &SecretId,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let holder = self.holder(stage);
        if holder != from {
            let place = holder.map_or("no version".into(), |id| format!("version {id}"));
            return Err(conflict(secret, format!("{stage} is on {place} by now")));
        }
        match to {
            Some(id) => {
                self.refuse_target(secret, stage, id)?;
                self.attach(stage, id, now);
            }
            None if *stage == Stage::Current => {
                return Err(invalid("AWSCURRENT", "it can be moved, not taken off"));
            }
            None => self.detach(stage),
        }
        Ok(())
    }

    fn refuse_target(
        &self,
        secret: &SecretId,
        stage: &Stage,
        id: &VersionId,
    ) -> Result<(), StoreError> {
        let Some(version) = self.versions.get(id) else {
            return Err(StoreError::NoVersion {
                secret: secret.clone(),
                at: Selector::Version(id.clone()),
            });
        };
        let read_by_consumers = matches!(stage, Stage::Current | Stage::Previous);
        if read_by_consumers && !version.has_value {
            return Err(conflict(secret, format!("version {id} has no value yet")));
        }
        Ok(())
    }

    /// Puts a label on a version and takes it off every other. AWSCURRENT leaves AWSPREVIOUS
    /// on the version that lost it.
    pub(crate) fn attach(&mut self, stage: &Stage, id: &VersionId, now: DateTime<Utc>) {
        let loser = self.holder(stage).filter(|holder| *holder != id).cloned();
        let already = self.holder(stage) == Some(id);
        self.detach(stage);
        if let Some(version) = self.versions.get_mut(id) {
            version.stages.insert(stage.clone());
        }
        if *stage == Stage::Current && !already {
            self.current_since = Some(now);
            if let Some(loser) = loser {
                self.attach(&Stage::Previous, &loser, now);
            }
        }
    }

    /// Takes a label off whichever version carries it.
    pub(crate) fn detach(&mut self, stage: &Stage) {
        for version in self.versions.values_mut() {
            version.stages.remove(stage);
        }
    }

    /// Drops versions that nobody can ask for any more, and names those that had a value.
    pub(crate) fn prune(&mut self, now: DateTime<Utc>) -> Vec<VersionId> {
        self.versions
            .retain(|_, version| version.has_value || !version.stages.is_empty());
        let mut unlabelled: Vec<(DateTime<Utc>, VersionId)> = self
            .versions
            .iter()
            .filter(|(_, version)| version.stages.is_empty())
            .map(|(id, version)| (version.created_at, id.clone()))
            .collect();
        unlabelled.sort_by(|a, b| b.cmp(a));
        let old = |(created_at, _): &(DateTime<Utc>, VersionId)| *created_at < now - KEPT_FOR;
        let gone: Vec<VersionId> = unlabelled
            .into_iter()
            .skip(KEPT)
            .filter(old)
            .map(|(_, id)| id)
            .collect();
        for id in &gone {
            self.versions.remove(id);
        }
        gone
    }

    /// Whether the labels keep Secrets Manager's bounds.
    pub(crate) fn check_labels(&self) -> Result<(), StoreError> {
        let labels = || self.versions.values().flat_map(|version| &version.stages);
        if labels().count() > MOST_LABELS {
            return Err(invalid("stages", "a secret carries at most 20 labels"));
        }
        if labels().any(|stage| stage.as_str().is_empty() || stage.as_str().len() > 256) {
            return Err(invalid("stages", "a label has 1 to 256 bytes"));
        }
        Ok(())
    }

    /// What may be told without giving a value away.
    pub(crate) fn describe(&self) -> Description {
        Description {
            tags: self.tags.clone(),
            versions: self
                .versions
                .iter()
                .filter(|(_, version)| !version.stages.is_empty())
                .map(|(id, version)| (id.clone(), version.stages.clone()))
                .collect(),
            rotation_enabled: true,
            current_since: self.current_since,
            rotated_at: None,
        }
    }

    /// Later than every earlier value of this secret, even if the clock is not: fences at servers
    /// rely on the order. Whole milliseconds, so that no server rounds two into one.
    fn next_moment(&mut self, now: DateTime<Utc>) -> DateTime<Utc> {
        let step = TimeDelta::milliseconds(1);
        let moment = self.newest.map_or(now, |newest| now.max(newest + step));
        self.newest = Some(moment);
        moment
    }
}

pub(crate) fn conflict(secret: &SecretId, reason: impl Into<String>) -> StoreError {
    StoreError::Conflict {
        secret: secret.clone(),
        reason: reason.into(),
    }
}

pub(crate) fn invalid(field: impl Into<String>, reason: impl Into<String>) -> StoreError {
    StoreError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: char) -> VersionId {
        VersionId::parse(name.to_string().repeat(32)).expect("32 characters")
    }

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn with_current() -> State {
        let mut state = State::default();
        state.store(&id('a'), &[Stage::Current], at(0));
        state
    }

    #[test]
    fn awsprevious_follows_awscurrent() {
        let mut state = with_current();
        state.store(&id('b'), &[Stage::Current], at(1));
        state.store(&id('c'), &[Stage::Current], at(2));
        assert_eq!(state.holder(&Stage::Current), Some(&id('c')));
        assert_eq!(state.holder(&Stage::Previous), Some(&id('b')));
        assert!(state.versions[&id('a')].stages.is_empty());
        state.attach(&Stage::Current, &id('b'), at(3));
        assert_eq!(state.holder(&Stage::Previous), Some(&id('c')));
        assert_eq!(state.current_since, Some(at(3)));
        state.attach(&Stage::Current, &id('b'), at(4));
        assert_eq!(state.holder(&Stage::Previous), Some(&id('c')));
        assert_eq!(state.current_since, Some(at(3)), "it did not move");
    }

    #[test]
    fn p5_each_value_is_later_than_the_one_before_even_if_the_clock_stands_or_goes_back() {
        let mut state = with_current();
        state.store(&id('b'), &[Stage::Current], at(0));
        state.store(&id('c'), &[Stage::Current], at(-60));
        let created = |name| state.versions[&id(name)].created_at;
        assert!(created('a') < created('b') && created('b') < created('c'));
    }

    #[test]
    fn p1_awscurrent_never_goes_to_a_version_without_a_value_nor_nowhere() {
        let (mut state, secret) = (with_current(), SecretId::new("db"));
        state.begin(&id('b'), at(1));
        let a = id('a');
        let mut swap =
            |to: Option<&VersionId>| state.swap(&secret, &Stage::Current, Some(&a), to, at(2));
        assert!(matches!(
            swap(Some(&id('b'))),
            Err(StoreError::Conflict { .. })
        ));
        assert!(matches!(
            swap(Some(&id('x'))),
            Err(StoreError::NoVersion { .. })
        ));
        assert!(matches!(swap(None), Err(StoreError::Invalid { .. })));
        assert_eq!(state.holder(&Stage::Current), Some(&id('a')));
    }

    #[test]
    fn old_versions_without_labels_go_and_recent_ones_stay() {
        let mut state = with_current();
        for number in 0..130 {
            let id = VersionId::parse(format!("{number:032}")).expect("32 digits");
            state.store(&id, &[], at(number));
        }
        assert_eq!(state.prune(at(60)), [], "all younger than a day");
        let gone = state.prune(at(48 * 60));
        assert_eq!(gone.len(), 30);
        assert!(
            gone.iter()
                .all(|id| id.as_str() < "00000000000000000000000000000030")
        );
        assert!(
            state.has_value(&id('a')),
            "a labelled version stays however old"
        );
    }

    #[test]
    fn a_version_that_never_got_a_value_goes_with_its_label() {
        let mut state = with_current();
        state.begin(&id('b'), at(1));
        assert_eq!(state.prune(at(1)), []);
        assert!(state.versions.contains_key(&id('b')));
        state.detach(&Stage::Pending);
        assert_eq!(state.prune(at(1)), []);
        assert!(!state.versions.contains_key(&id('b')));
    }
}
