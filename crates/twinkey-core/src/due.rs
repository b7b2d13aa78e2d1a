//! When a secret is due, and when it may be rotated at the earliest.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Description, Schedule};

/// When the minimum overlap is over: the earliest moment at which an unforced rotation starts.
/// `None` where nothing would be retired, so that nothing needs to wait. (P9)
#[must_use]
pub fn overlap_ends(description: &Description, min_overlap: TimeDelta) -> Option<DateTime<Utc>> {
    let since = description.current_since?;
    description.holds_previous().then(|| since + min_overlap)
}

/// The due slot after AWSCURRENT last moved: what a scheduled rotation's token is derived from.
#[must_use]
pub fn due_slot(schedule: &Schedule, description: &Description) -> Option<DateTime<Utc>> {
    schedule.next_after(description.current_since?)
}

/// When the scheduler starts a rotation: at the due slot, but not within the minimum overlap.
#[must_use]
pub fn due_at(
    schedule: &Schedule,
    description: &Description,
    min_overlap: TimeDelta,
) -> Option<DateTime<Utc>> {
    let slot = due_slot(schedule, description)?;
    Some(overlap_ends(description, min_overlap).map_or(slot, |earliest| slot.max(earliest)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Stage, VersionId};

    fn description(versions: &[(char, &[Stage])]) -> Description {
        Description {
            versions: versions
                .iter()
                .map(|(name, stages)| {
                    let id = VersionId::parse(name.to_string().repeat(32)).expect("32 characters");
                    (id, stages.iter().cloned().collect::<BTreeSet<_>>())
                })
                .collect(),
            current_since: Some(DateTime::UNIX_EPOCH),
            rotation_enabled: true,
            ..Description::default()
        }
    }

    #[test]
    fn p9_a_first_rotation_never_waits_and_a_later_one_waits_out_the_overlap() {
        let schedule: Schedule = "rate(20 minutes)".parse().expect("valid");
        let slot = DateTime::UNIX_EPOCH + TimeDelta::minutes(20);
        let first = description(&[('a', &[Stage::Current])]);
        assert_eq!(due_at(&schedule, &first, TimeDelta::hours(1)), Some(slot));
        let later = description(&[('a', &[Stage::Previous]), ('b', &[Stage::Current])]);
        let end = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert_eq!(due_at(&schedule, &later, TimeDelta::hours(1)), Some(end));
        assert_eq!(due_at(&schedule, &later, TimeDelta::minutes(1)), Some(slot));
    }
}
