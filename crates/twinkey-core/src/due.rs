//! When a secret is due, and when it may be rotated at the earliest.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{Description, Schedule};

/// How far ahead of ours another clock may be and still be believed.
const CLOCK_SLACK: TimeDelta = TimeDelta::minutes(5);

/// When AWSCURRENT last moved, unless that lies in the future: then a clock was wrong, and nobody
/// must wait for years until it is right.
fn believable(description: &Description, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    description
        .current_since
        .filter(|since| *since <= now + CLOCK_SLACK)
}

/// When the minimum overlap is over: the earliest moment at which an unforced rotation starts.
/// `None` where nothing would be retired, so that nothing needs to wait. (P9)
pub fn overlap_ends(
    description: &Description,
    min_overlap: TimeDelta,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let since = believable(description, now)?;
    let waits = description.holds_previous() && min_overlap > TimeDelta::zero();
    waits.then(|| since + min_overlap)
}

/// The due slot after AWSCURRENT last moved: what a scheduled rotation's token is derived from.
pub fn due_slot(
    schedule: &Schedule,
    description: &Description,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match believable(description, now) {
        Some(since) => schedule.next_after(since),
        None => description.current_since.map(|_| now),
    }
}

/// When the scheduler starts a rotation: at the due slot, but not within the minimum overlap.
pub fn due_at(
    schedule: &Schedule,
    description: &Description,
    min_overlap: TimeDelta,
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    let slot = due_slot(schedule, description, now)?;
    Some(overlap_ends(description, min_overlap, now).map_or(slot, |earliest| slot.max(earliest)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Slot, Stage, VersionId};

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
            rotated_at: None,
            rotation_enabled: true,
            ..Description::default()
        }
    }

    #[test]
    fn p9_a_first_rotation_never_waits_and_a_later_one_waits_out_the_overlap() {
        let schedule: Schedule = "rate(20 minutes)".parse().expect("valid");
        let slot = DateTime::UNIX_EPOCH + TimeDelta::minutes(20);
        let now = DateTime::UNIX_EPOCH;
        let first = description(&[('a', &[Stage::Current])]);
        assert_eq!(
            due_at(&schedule, &first, TimeDelta::hours(1), now),
            Some(slot)
        );
        let later = description(&[
            ('a', &[Stage::Previous, Stage::Slot(Slot::A)]),
            ('b', &[Stage::Current, Stage::Slot(Slot::B)]),
        ]);
        let end = DateTime::UNIX_EPOCH + TimeDelta::hours(1);
        assert_eq!(
            due_at(&schedule, &later, TimeDelta::hours(1), now),
            Some(end)
        );
        assert_eq!(
            due_at(&schedule, &later, TimeDelta::minutes(1), now),
            Some(slot)
        );
    }

    #[test]
    fn p9_a_clock_that_was_years_ahead_once_does_not_stop_rotation_for_years() {
        let schedule: Schedule = "rate(20 minutes)".parse().expect("valid");
        let mut ahead = description(&[
            ('a', &[Stage::Previous, Stage::Slot(Slot::A)]),
            ('b', &[Stage::Current, Stage::Slot(Slot::B)]),
        ]);
        let now = DateTime::UNIX_EPOCH;
        ahead.current_since = Some(now + TimeDelta::days(1825));
        assert_eq!(overlap_ends(&ahead, TimeDelta::hours(1), now), None);
        assert_eq!(
            due_at(&schedule, &ahead, TimeDelta::hours(1), now),
            Some(now)
        );
        ahead.current_since = Some(now + TimeDelta::minutes(1));
        assert!(
            overlap_ends(&ahead, TimeDelta::hours(1), now).is_some(),
            "clocks differ a little"
        );
    }

    #[test]
    fn p9_values_put_by_hand_before_any_rotation_make_nobody_wait() {
        let by_hand = description(&[('a', &[Stage::Previous]), ('b', &[Stage::Current])]);
        assert_eq!(
            overlap_ends(&by_hand, TimeDelta::hours(1), DateTime::UNIX_EPOCH),
            None
        );
    }

    #[test]
    fn p9_where_there_is_no_overlap_nobody_waits_not_even_for_a_clock_that_is_ahead() {
        let mut description = description(&[
            ('a', &[Stage::Previous, Stage::Slot(Slot::A)]),
            ('b', &[Stage::Current, Stage::Slot(Slot::B)]),
        ]);
        let now = DateTime::UNIX_EPOCH;
        description.current_since = Some(now + TimeDelta::minutes(1));
        assert_eq!(overlap_ends(&description, TimeDelta::zero(), now), None);
    }
}
