//! One secret, and what Secrets Manager lets its versions and labels do. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{Description, SecretId, SecretValue, Selector, Stage, StoreError, VersionId};

use super::SecretDates;

const MOST_LABELS: usize = 20;
const LONGEST_LABEL: usize = 256;
const LONGEST_VALUE: usize = 65_536;
const MOST_VERSIONS: usize = 100;
const KEPT_FOR: TimeDelta = TimeDelta::hours(24);

/// The vendor's words for a `RotateSecret` while another rotation is pending.
const STILL_ROTATING: &str =
    "A previous rotation isn't complete. That rotation will be reattempted.";

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Secret {
    pub(super) name: SecretId,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) versions: BTreeMap<VersionId, Entry>,
    pub(super) rotation_enabled: bool,
    pub(super) has_function: bool,
    current_since: Option<DateTime<Utc>>,
    pub(super) dates: SecretDates,
    last_stored: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) value: Option<(SecretValue, DateTime<Utc>)>,
    pub(super) stages: BTreeSet<Stage>,
    /// When the version appeared, with or without its value.
    created: DateTime<Utc>,
}

impl Secret {
    pub(super) fn new(name: &SecretId, now: DateTime<Utc>) -> Self {
        Self {
            name: name.clone(),
            tags: BTreeMap::new(),
            versions: BTreeMap::new(),
            rotation_enabled: true,
            has_function: true,
            current_since: None,
            dates: SecretDates::new(now),
            last_stored: None,
        }
    }

    pub(super) fn holder(&self, stage: &Stage) -> Option<VersionId> {
        self.versions
            .iter()
            .find_map(|(id, entry)| entry.stages.contains(stage).then(|| id.clone()))
    }

    pub(super) fn has_value(&self, id: &VersionId) -> bool {
        self.versions
            .get(id)
            .is_some_and(|entry| entry.value.is_some())
    }

    /// The version that a selector means, provided that it has a value.
    pub(super) fn find(&self, at: &Selector) -> Option<(VersionId, &Entry)> {
        let id = match at {
            Selector::Stage(stage) => self.holder(stage),
            Selector::Version(id) => Some(id.clone()),
            Selector::VersionAt(id, stage) => self.holder(stage).filter(|holder| holder == id),
        }?;
        let entry = self.versions.get(&id)?;
        entry.value.is_some().then_some((id, entry))
    }

    pub(super) fn describe(&self) -> Description {
        let labelled = self
            .versions
            .iter()
            .filter(|(_, entry)| !entry.stages.is_empty());
        Description {
            tags: self.tags.clone(),
            versions: labelled
                .map(|(id, entry)| (id.clone(), entry.stages.clone()))
                .collect(),
            rotation_enabled: self.rotation_enabled,
            current_since: self.current_since,
            rotated_at: None,
        }
    }

    /// `PutSecretValue`.
    pub(super) fn put(
        &mut self,
        id: &VersionId,
        value: &SecretValue,
        stages: &[Stage],
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        check_value(value)?;
        if stages.is_empty() {
            // The vendor would move AWSCURRENT: nobody should mean that by saying nothing.
            return Err(invalid("stages", "name at least one label"));
        }
        match self.versions.get(id).and_then(|entry| entry.value.as_ref()) {
            Some((stored, _)) if stored == value => return Ok(()),
            Some(_) => return Err(self.conflict("this version already has another value")),
            None => {}
        }
        self.abandon_rotation_of_others(id);
        self.store(id, value, now);
        for stage in stages {
            self.attach(stage, id, now);
        }
        Ok(())
    }

    /// A new version in the middle of a rotation ends it: `RotationAbandoned`.
    fn abandon_rotation_of_others(&mut self, id: &VersionId) {
        if self
            .holder(&Stage::Pending)
            .is_some_and(|holder| holder != *id)
        {
            self.detach(&Stage::Pending);
        }
    }

    fn store(&mut self, id: &VersionId, value: &SecretValue, now: DateTime<Utc>) {
        let stored = self
            .last_stored
            .map_or(now, |last| now.max(last + TimeDelta::microseconds(1)));
        self.last_stored = Some(stored);
        self.entry(id, now).value = Some((value.clone(), stored));
    }

    /// `UpdateSecretVersionStage`: a compare-and-swap.
    pub(super) fn move_stage(
        &mut self,
        stage: &Stage,
        from: Option<&VersionId>,
        to: Option<&VersionId>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if to.is_none() && *stage == Stage::Current {
            return Err(invalid("AWSCURRENT", "it can be moved, not taken off"));
        }
        // "If the staging label is attached to a version and you do not specify RemoveFromVersionId,
        // or the version does not match, then the operation fails."
        if self.holder(stage).as_ref() != from {
            return Err(self.conflict("the label is on another version"));
        }
        match to {
            None => {
                self.detach(stage);
                Ok(())
            }
            Some(to) => {
                self.check_target(stage, to)?;
                // What a person moves back by hand was no rotation.
                if *stage == Stage::Current && self.holder(&Stage::Pending).as_ref() == Some(to) {
                    self.dates.rotated = Some(now);
                }
                self.attach(stage, to, now);
                Ok(())
            }
        }
    }

    fn check_target(&self, stage: &Stage, to: &VersionId) -> Result<(), StoreError> {
        if !self.versions.contains_key(to) {
            return Err(StoreError::NoVersion {
                secret: self.name.clone(),
                at: Selector::Version(to.clone()),
            });
        }
        let consumers_read_it = matches!(stage, Stage::Current | Stage::Previous);
        if consumers_read_it && !self.has_value(to) {
            return Err(self.conflict("the version has no value yet"));
        }
        Ok(())
    }

    /// `RotateSecret`: rotation is on from now on, and a version with AWSPENDING has no value.
    pub(super) fn begin(
        &mut self,
        token: &VersionId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if !self.has_function {
            return Err(invalid(
                "RotationLambdaARN",
                "no rotation function is configured",
            ));
        }
        let (pending, current) = (self.holder(&Stage::Pending), self.holder(&Stage::Current));
        if pending
            .as_ref()
            .is_some_and(|id| id != token && Some(id) != current.as_ref())
        {
            return Err(self.conflict(STILL_ROTATING));
        }
        self.rotation_enabled = true;
        if current.as_ref() == Some(token) || pending.as_ref() == Some(token) {
            // The token makes the request repeatable.
            return Ok(());
        }
        if self.has_value(token) {
            return Err(self.conflict("the token has been used up"));
        }
        self.attach(&Stage::Pending, token, now);
        Ok(())
    }

    /// `RotateSecret` with `RotateImmediately=false`: the version is there for one step only, so it
    /// cannot be that of a rotation.
    pub(super) fn begin_test(
        &mut self,
        token: &VersionId,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        if self.versions.contains_key(token) {
            return Err(self.conflict("the token has been used up"));
        }
        self.begin(token, now)
    }

    pub(super) fn end_test(&mut self, token: &VersionId) {
        self.versions.remove(token);
    }

    /// Puts a label on a version and takes it off every other; AWSPREVIOUS follows AWSCURRENT.
    fn attach(&mut self, stage: &Stage, to: &VersionId, now: DateTime<Utc>) {
        let from = self.detach(stage);
        self.entry(to, now).stages.insert(stage.clone());
        if *stage == Stage::Current && from.as_ref() != Some(to) {
            self.current_since = Some(now);
            if let Some(from) = from {
                self.attach(&Stage::Previous, &from, now);
            }
        }
    }

    pub(super) fn detach(&mut self, stage: &Stage) -> Option<VersionId> {
        let holder = self.holder(stage)?;
        self.versions.get_mut(&holder)?.stages.remove(stage);
        Some(holder)
    }

    fn entry(&mut self, id: &VersionId, now: DateTime<Utc>) -> &mut Entry {
        self.versions.entry(id.clone()).or_insert(Entry {
            value: None,
            stages: BTreeSet::new(),
            created: now,
        })
    }

    /// "A secret can have up to 20 staging labels."
    pub(super) fn check_labels(&self) -> Result<(), StoreError> {
        let labels = || self.versions.values().flat_map(|entry| &entry.stages);
        if labels().count() > MOST_LABELS {
            return Err(invalid("stages", "a secret carries at most 20 labels"));
        }
        if labels().any(|label| !(1..=LONGEST_LABEL).contains(&label.as_str().len())) {
            return Err(invalid("stages", "a label has 1 to 256 bytes"));
        }
        Ok(())
    }

    /// "Secrets Manager removes deprecated versions when there are more than 100, but none that was
    /// created less than 24 hours ago."
    pub(super) fn prune(&mut self, now: DateTime<Utc>) {
        let surplus = self.versions.len().saturating_sub(MOST_VERSIONS);
        let mut deprecated: Vec<(DateTime<Utc>, VersionId)> = self
            .versions
            .iter()
            .filter(|(_, entry)| entry.stages.is_empty() && entry.created <= now - KEPT_FOR)
            .map(|(id, entry)| (entry.created, id.clone()))
            .collect();
        deprecated.sort();
        for (_, id) in deprecated.into_iter().take(surplus) {
            self.versions.remove(&id);
        }
    }

    fn conflict(&self, reason: &str) -> StoreError {
        StoreError::Conflict {
            secret: self.name.clone(),
            reason: reason.into(),
        }
    }
}

fn check_value(value: &SecretValue) -> Result<(), StoreError> {
    if (1..=LONGEST_VALUE).contains(&value.expose().len()) {
        return Ok(());
    }
    Err(invalid("value", "a value has 1 to 65536 bytes"))
}

fn invalid(field: &str, reason: &str) -> StoreError {
    StoreError::Invalid {
        field: field.into(),
        reason: reason.into(),
    }
}
