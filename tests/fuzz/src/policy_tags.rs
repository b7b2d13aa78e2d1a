use std::collections::BTreeMap;

use chrono::TimeDelta;
use twinkey_core::policy::{duration, spell};
use twinkey_core::{MIN_OVERLAP_TAG, Policy, SCHEDULE_TAG};

/// Tags, one `key=value` a line: those of others change nothing, ours mean what they say or are
/// refused by name.
pub fn policy_tags(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let tags: BTreeMap<String, String> = text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let mut ours = tags.clone();
    ours.retain(|key, _| key.starts_with("twinkey:"));
    let policy = Policy::parse(&tags);
    assert_eq!(policy, Policy::parse(&ours), "others' tags change nothing");
    match policy {
        Ok(policy) => assert_meant(&policy, &ours),
        Err(error) => {
            assert!(ours.contains_key(&error.tag));
            super::assert_presentable(&error.to_string(), None);
        }
    }
    for value in tags.values() {
        assert_spelt(value);
    }
}

fn assert_meant(policy: &Policy, ours: &BTreeMap<String, String>) {
    assert_eq!(policy.schedule.is_some(), ours.contains_key(SCHEDULE_TAG));
    assert_eq!(
        policy.min_overlap.is_some(),
        ours.contains_key(MIN_OVERLAP_TAG)
    );
    let known = usize::from(policy.schedule.is_some()) + usize::from(policy.min_overlap.is_some());
    assert_eq!(ours.len(), known, "an unknown tag is refused");
}

/// What is spelt for people is never longer, and says nothing only of nothing.
fn assert_spelt(text: &str) {
    let length = match duration(text) {
        Ok(length) => length,
        Err(error) => return super::assert_presentable(&error, None),
    };
    assert!(length >= TimeDelta::zero() && length <= TimeDelta::days(3650));
    let spelt: TimeDelta = spell(length)
        .split(' ')
        .map(|part| duration(part).expect("a part is a duration"))
        .sum();
    assert!(spelt <= length);
    assert_eq!(spelt.is_zero(), length.is_zero());
}
