//! What holds for every duration, schedule and moment: the same cases in every run.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use twinkey_core::policy::{duration, spell};
use twinkey_core::{
    Description, Schedule, SecretAddress, SecretId, Slot, Stage, VersionId, due_at, due_slot,
    escape_control, overlap_ends,
};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 200,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(1),
        ..ProptestConfig::default()
    }
}

fn moment() -> impl Strategy<Value = DateTime<Utc>> {
    (0..4_000_000_000_000_i64).prop_map(|ms| DateTime::UNIX_EPOCH + TimeDelta::milliseconds(ms))
}

fn length() -> impl Strategy<Value = TimeDelta> {
    (0..=3650 * 86400_i64).prop_map(TimeDelta::seconds)
}

fn rate() -> impl Strategy<Value = Schedule> {
    let unit = prop_oneof![Just("minutes"), Just("hours"), Just("days")];
    (1..=1000_u32, unit).prop_map(|(count, unit)| {
        let text = format!("rate({count} {unit})");
        text.parse().expect("within the vendor's bounds")
    })
}

fn cron() -> impl Strategy<Value = Schedule> {
    let hours = prop_oneof![
        (0..24_u32).prop_map(|hour| hour.to_string()),
        Just("/8".to_owned())
    ];
    let days = prop_oneof![
        (1..=28_u32, 1..=12_u32).prop_map(|(day, month)| format!("{day} {month} ?")),
        (1..=7_u32, 1..=4_u32).prop_map(|(day, week)| format!("? * {day}#{week}")),
        Just("L * ?".to_owned()),
        Just("* * ?".to_owned()),
    ];
    (hours, days).prop_map(|(hours, days)| {
        let text = format!("cron(0 {hours} {days} *)");
        text.parse().expect("a schedule by the vendor's rules")
    })
}

fn schedule() -> impl Strategy<Value = Schedule> {
    prop_oneof![rate(), cron()]
}

/// A secret that has been rotated, so that its overlap counts.
fn rotated(current_since: DateTime<Utc>) -> Description {
    let version = |name: &str, stages: &[Stage]| {
        let id = VersionId::parse(name.repeat(32)).expect("32 characters");
        (id, stages.iter().cloned().collect::<BTreeSet<_>>())
    };
    Description {
        versions: BTreeMap::from([
            version("a", &[Stage::Previous, Stage::Slot(Slot::A)]),
            version("b", &[Stage::Current, Stage::Slot(Slot::B)]),
        ]),
        current_since: Some(current_since),
        rotated_at: None,
        rotation_enabled: true,
        ..Description::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn a_duration_is_the_same_length_in_every_unit(days in 0..=3650_i64) {
        let expected = Ok(TimeDelta::days(days));
        prop_assert_eq!(duration(&format!("{days}d")), expected.clone());
        prop_assert_eq!(duration(&format!("{}h", days * 24)), expected.clone());
        prop_assert_eq!(duration(&format!("{}m", days * 1440)), expected.clone());
        prop_assert_eq!(duration(&format!("{}s", days * 86400)), expected);
    }

    #[test]
    fn a_spelt_duration_is_short_of_it_by_less_than_a_24th(length in length()) {
        let spelt: TimeDelta = spell(length)
            .split(' ')
            .map(|part| duration(part).expect("a part is a duration"))
            .sum();
        prop_assert!(spelt <= length);
        prop_assert!((length - spelt) * 24 <= length, "{}", spell(length));
    }

    #[test]
    fn a_later_anchor_is_never_due_earlier(
        schedule in schedule(), one in moment(), other in moment(),
    ) {
        let (earlier, later) = (one.min(other), one.max(other));
        let next = |anchor| schedule.next_after(anchor).expect("another occurrence");
        prop_assert!(next(earlier) > earlier);
        prop_assert!(next(earlier) <= next(later));
    }

    #[test]
    fn nothing_is_due_between_a_moment_and_the_next_occurrence(
        schedule in cron(), anchor in moment(), part in 1..100_i32,
    ) {
        let next = schedule.next_after(anchor).expect("another occurrence");
        let between = anchor + (next - anchor) / 100 * part;
        prop_assert_eq!(schedule.next_after(between), Some(next));
    }

    #[test]
    fn p9_a_rotation_is_due_at_its_slot_or_when_the_overlap_ends_and_before_neither(
        schedule in schedule(), since in moment(), overlap in length(), passed in length(),
    ) {
        let (description, now) = (rotated(since), since + passed);
        let slot = due_slot(&schedule, &description, now).expect("a slot");
        let due = due_at(&schedule, &description, overlap, now).expect("a moment");
        prop_assert!(slot > since);
        prop_assert!(due >= slot && due >= since + overlap);
        prop_assert!(due == slot || Some(due) == overlap_ends(&description, overlap, now));
    }

    #[test]
    fn p5_each_slot_has_a_token_of_its_own(
        name in "[a-z/]{1,20}", one in moment(), other in moment(),
    ) {
        let address = SecretAddress { store: "store".into(), secret: SecretId::new(name) };
        let token = |slot| VersionId::scheduled(&address, slot);
        prop_assert_eq!(token(one) == token(other), one == other);
    }

    #[test]
    fn p8_an_escaped_text_is_one_line_and_what_was_one_already_stays(text in any::<String>()) {
        let escaped = escape_control(&text);
        prop_assert!(!escaped.chars().any(char::is_control));
        prop_assert_eq!(escaped == text, !text.chars().any(char::is_control));
        prop_assert_eq!(escape_control(&escaped), escaped);
    }
}
