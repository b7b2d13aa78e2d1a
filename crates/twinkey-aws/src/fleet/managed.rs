//! One managed secret, as far as its entry in `ListSecrets` tells.

use aws_sdk_secretsmanager::types::{RotationRulesType, SecretListEntry};
use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::{
    Description, Policy, Schedule, SecretId, Stage, VersionId, due_at, due_slot, escape_control,
};

use super::report::Reason;
use super::versions::DatedVersion;
use crate::date::date;
use crate::description::{labels, tags};
use crate::foreign::{Foreign, Owner};

/// A secret with a tag of ours.
pub(crate) struct Managed {
    pub(crate) name: String,
    pub(crate) arn: SecretId,
    /// `current_since` is never later than the truth: the last rotation, or else the secret's creation.
    pub(crate) description: Description,
    pub(crate) policy: Policy,
    /// Why it cannot, or must not, be rotated by us.
    pub(crate) skip: Option<Reason>,
    /// Whether it is somebody else's to rotate.
    pub(crate) is_foreign: bool,
    pub(crate) rules: Option<Schedule>,
    rotated: Option<DateTime<Utc>>,
    changed: Option<DateTime<Utc>>,
}

/// When a secret is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    /// What the token is derived from.
    pub(crate) slot: DateTime<Utc>,
    /// The slot, but not within the minimum overlap.
    pub(crate) at: DateTime<Utc>,
}

impl Managed {
    /// None if its tags ask for no schedule: then only persons rotate it, and Secrets Manager.
    pub(crate) fn parse(entry: &SecretListEntry) -> Option<Self> {
        let name = escape_control(entry.name().unwrap_or_default());
        let arn = SecretId::new(entry.arn().unwrap_or_default());
        let rotated = entry.last_rotated_date().and_then(date);
        let labels = labels(&arn, entry.secret_versions_to_stages());
        let mut description = Description {
            tags: tags(entry.tags()),
            rotation_enabled: entry.rotation_enabled() == Some(true),
            current_since: rotated.or_else(|| entry.created_date().and_then(date)),
            ..Description::default()
        };
        let policy = Policy::parse(&description.tags);
        if policy
            .as_ref()
            .is_ok_and(|policy| policy.schedule.is_none())
        {
            return None;
        }
        let foreign = Owner::from(entry).foreign();
        let skip = match (&foreign, &labels, &policy) {
            (Some(foreign), ..) => Some(belongs_to(foreign)),
            (None, Err(error), _) => Some(Reason::from(error)),
            (None, _, Err(error)) => Some(Reason::new("InvalidPolicy", error.to_string())),
            _ => None,
        };
        description.versions = labels.unwrap_or_default();
        let skip = skip.or_else(|| unfit(&description));
        Some(Self {
            rules: entry.rotation_rules().and_then(rule),
            name,
            arn,
            description,
            policy: policy.unwrap_or_default(),
            skip,
            is_foreign: foreign.is_some(),
            rotated,
            changed: entry.last_changed_date().and_then(date),
        })
    }

    /// As `ListSecretVersionIds` shows it: later than the list, and with the date of a value put by hand.
    pub(crate) fn look_closer(&mut self, versions: &[DatedVersion]) {
        self.description.versions = versions
            .iter()
            .filter(|version| !version.stages.is_empty())
            .map(|version| (version.id.clone(), version.stages.clone()))
            .collect();
        let current = self.description.holder(&Stage::Current);
        let stored = versions.iter().find(|version| Some(&version.id) == current);
        let stored = stored.and_then(|version| version.created);
        if self.rotated.max(stored).is_some() {
            self.description.current_since = self.rotated.max(stored);
        }
        if self.skip.is_none() {
            self.skip = unfit(&self.description);
        }
    }

    /// When it is due. What has AWSCURRENT already is not asked for again: somebody was quicker, or a clock
    /// was set back.
    pub(crate) fn due(
        &self,
        now: DateTime<Utc>,
        token: impl Fn(DateTime<Utc>) -> VersionId,
    ) -> Option<Due> {
        let schedule = self.policy.schedule.as_ref()?;
        let overlap = self.policy.min_overlap.unwrap_or_default();
        let slot = due_slot(schedule, &self.description, now)?;
        let at = due_at(schedule, &self.description, overlap, now)?;
        if !self.description.carries(&token(slot), &Stage::Current) {
            return Some(Due { slot, at });
        }
        let slot = schedule.next_after(slot)?;
        Some(Due {
            slot,
            at: slot.max(at),
        })
    }

    /// When what is due will have been missed: the slot after it comes up.
    pub(crate) fn missed(&self, due: Due) -> Option<DateTime<Utc>> {
        self.policy.schedule.as_ref()?.next_after(due.slot)
    }

    /// The rotation in flight: AWSPENDING on a version that is not current.
    pub(crate) fn pending(&self) -> Option<&VersionId> {
        let pending = self.description.holder(&Stage::Pending);
        pending.filter(|id| !self.description.carries(id, &Stage::Current))
    }

    /// Since when at least a rotation is in flight: the date of its version, or else of the last change to
    /// the secret, which is never earlier.
    pub(crate) fn pending_since(&self, versions: &[DatedVersion]) -> Option<DateTime<Utc>> {
        let pending = self.pending()?;
        let version = versions.iter().find(|version| version.id == *pending);
        version.and_then(|version| version.created).or(self.changed)
    }

    /// The last moment at which anything of it changed, as far as the list knows.
    pub(crate) fn changed(&self) -> Option<DateTime<Utc>> {
        self.changed
    }

    /// How long its key has been current.
    pub(crate) fn age(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        Some(now - self.description.current_since?)
    }

    /// Secrets Manager's own schedule comes up before the tag's: both rotate, and the tag is no floor.
    pub(crate) fn warning(&self) -> Option<Reason> {
        let (rule, tag) = (self.rules.as_ref()?, self.policy.schedule.as_ref()?);
        let since = self.description.current_since?;
        let sooner =
            self.description.rotation_enabled && rule.next_after(since)? < tag.next_after(since)?;
        sooner.then(|| {
            let message = format!(
                "Secrets Manager's own schedule, {rule}, comes up before that of the tag, {tag}; \
                 make it longer: aws secretsmanager rotate-secret --no-rotate-immediately --rotation-rules …"
            );
            Reason::new("ShorterOwnSchedule", message)
        })
    }
}

fn belongs_to(foreign: &Foreign) -> Reason {
    let code = match foreign {
        Foreign::Service(_) => "OwnedByService",
        Foreign::External(_) => "ManagedExternal",
        Foreign::Replica(_) => "Replica",
    };
    Reason::new(code, foreign.to_string())
}

/// What `RotateSecret` would turn on again, or could not begin.
fn unfit(description: &Description) -> Option<Reason> {
    if !description.rotation_enabled {
        let message = "rotation is turned off; rotate-secret turns it on again";
        return Some(Reason::new("RotationOff", message));
    }
    if description.holder(&Stage::Current).is_none() {
        let message = "no version carries AWSCURRENT; put a value first";
        return Some(Reason::new("NoCurrent", message));
    }
    None
}

/// `AutomaticallyAfterDays` is told beside an expression, too.
fn rule(rules: &RotationRulesType) -> Option<Schedule> {
    if let Some(expression) = rules.schedule_expression() {
        return expression.parse().ok();
    }
    let days = rules.automatically_after_days()?;
    format!("rate({days} days)").parse().ok()
}
