//! Policy lives in tags, in every store with the same words; a document carries none.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::Schedule;

/// The tag that says when a secret rotates.
pub const SCHEDULE_TAG: &str = "twinkey:schedule";
/// The tag that says how long a key stays current at least.
pub const MIN_OVERLAP_TAG: &str = "twinkey:min-overlap";

/// The tag that says what becomes of a rotation while the key that it replaces is still used.
pub const IN_USE_TAG: &str = "twinkey:in-use";
/// The tag that says for how long `twinkey:in-use=hold` holds at most.
pub const HOLD_LIMIT_TAG: &str = "twinkey:hold-limit";

const PREFIX: &str = "twinkey:";
const TAGS: [&str; 4] = [SCHEDULE_TAG, MIN_OVERLAP_TAG, IN_USE_TAG, HOLD_LIMIT_TAG];
/// A forgotten consumer must not keep a leaked key alive for ever.
const HOLD_LIMIT: TimeDelta = TimeDelta::days(7);

/// What the tags of a secret say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// When it rotates by itself; `None` means only when asked.
    pub schedule: Option<Schedule>,
    /// How long a key stays current at least; `None` means the provider's default.
    pub min_overlap: Option<TimeDelta>,
    /// What becomes of a rotation while the key that it replaces is still used.
    pub while_in_use: WhileInUse,
    /// For how long it is held at most, from when AWSCURRENT last moved; `None` means seven days.
    pub hold_limit: Option<TimeDelta>,
}

/// What becomes of a rotation while the key that it replaces is still used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhileInUse {
    /// It is told, and goes on.
    #[default]
    Report,
    /// It is refused until nobody is seen to use the key, or the limit has passed.
    Hold,
}

/// A tag says something that we do not understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("tag {}: {problem}", crate::escape_control(tag))]
pub struct PolicyError {
    /// The tag's key.
    pub tag: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Policy {
    /// Reads the tags that begin with `twinkey:` and ignores all others. An unknown one is an
    /// error: a misspelt policy must not be a silent default.
    pub fn parse(tags: &BTreeMap<String, String>) -> Result<Self, PolicyError> {
        let mut policy = Self::default();
        for (tag, value) in tags.iter().filter(|(tag, _)| tag.starts_with(PREFIX)) {
            let wrong = |problem: String| PolicyError {
                tag: tag.clone(),
                problem,
            };
            match tag.as_str() {
                SCHEDULE_TAG => {
                    policy.schedule = Some(
                        value
                            .parse()
                            .map_err(|e: crate::ScheduleError| wrong(e.to_string()))?,
                    );
                }
                IN_USE_TAG => {
                    policy.while_in_use = match value.as_str() {
                        "report" => WhileInUse::Report,
                        "hold" => WhileInUse::Hold,
                        _ => return Err(wrong("must be report or hold".into())),
                    };
                }
                HOLD_LIMIT_TAG => policy.hold_limit = Some(duration(value).map_err(wrong)?),
                MIN_OVERLAP_TAG => policy.min_overlap = Some(duration(value).map_err(wrong)?),
                _ => return Err(wrong(format!("unknown; did you mean {}?", nearest(tag)))),
            }
        }
        Ok(policy)
    }

    /// For how long a rotation is held at most.
    #[must_use]
    pub fn hold_limit(&self) -> TimeDelta {
        self.hold_limit.unwrap_or(HOLD_LIMIT)
    }

    /// Shows that two keys can be unexpired at every moment, where a key dies `lifetime` after it was made: it is
    /// replaced by the next rotation, and consumers may hold it until the one after that.
    pub fn keeps_two(
        &self,
        default_overlap: TimeDelta,
        lifetime: TimeDelta,
    ) -> Result<(), PolicyError> {
        let Some(schedule) = &self.schedule else {
            return Ok(());
        };
        let half = lifetime / 2;
        let wrong = |tag: &str, interval| {
            let problem = format!(
                "a key lives {} and must outlive two rotations, but 2 × {} is not less than that: rotate more \
                 often than every {}",
                spell(lifetime),
                spell(interval),
                spell(half)
            );
            PolicyError {
                tag: tag.to_owned(),
                problem,
            }
        };
        let overlap = self.min_overlap.unwrap_or(default_overlap);
        if overlap >= half {
            return Err(wrong(MIN_OVERLAP_TAG, overlap));
        }
        match schedule.interval_of_at_least(half) {
            Some(interval) => Err(wrong(SCHEDULE_TAG, interval)),
            None => Ok(()),
        }
    }
}

/// Parses `<integer><s|m|h|d>`; `0s` means none.
pub fn duration(text: &str) -> Result<TimeDelta, String> {
    let wrong =
        || format!("{text:?} is no duration: write a whole number and s, m, h or d, as in 90m");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let digits = &text[..text.len() - unit.len_utf8()];
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: i64 = digits.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => return Err(wrong()),
    };
    let longest = TimeDelta::days(3650);
    count
        .checked_mul(seconds)
        .and_then(TimeDelta::try_seconds)
        .filter(|length| *length <= longest)
        .ok_or_else(|| format!("{text:?} is longer than ten years"))
}

/// Spells a duration for people, to the second: `1h 20m`, `3d`, `45s`.
#[must_use]
pub fn spell(length: TimeDelta) -> String {
    let seconds = length.num_seconds() + i64::from(length.subsec_nanos() > 0);
    let parts = [
        (seconds / 86400, 'd'),
        (seconds / 3600 % 24, 'h'),
        (seconds / 60 % 60, 'm'),
        (seconds % 60, 's'),
    ];
    let words: Vec<String> = parts
        .iter()
        .filter(|(count, _)| *count > 0)
        .take(2)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if words.is_empty() {
        "0s".into()
    } else {
        words.join(" ")
    }
}

fn nearest(tag: &str) -> &'static str {
    TAGS.into_iter()
        .min_by_key(|known| distance(tag, known))
        .unwrap_or(SCHEDULE_TAG)
}

/// Levenshtein distance over bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(k, v)| ((*k).into(), (*v).into()))
            .collect()
    }

    #[test]
    fn tags_of_others_are_left_alone() {
        assert_eq!(
            Policy::parse(&tags(&[("team", "payments")])),
            Ok(Policy::default())
        );
    }

    #[test]
    fn p11_a_misspelt_tag_is_an_error_that_names_the_nearest() {
        let error =
            Policy::parse(&tags(&[("twinkey:min-overlop", "1h")])).expect_err("unknown tag");
        assert_eq!(
            error.to_string(),
            "tag twinkey:min-overlop: unknown; did you mean twinkey:min-overlap?"
        );
        let error =
            Policy::parse(&tags(&[("twinkey:shedule", "rate(1 day)")])).expect_err("unknown tag");
        assert!(error.problem.contains("twinkey:schedule"), "{error}");
    }

    fn two_of_an_hour(pairs: &[(&str, &str)]) -> Result<(), String> {
        let policy = Policy::parse(&tags(pairs)).expect("valid tags");
        let kept = policy.keeps_two(TimeDelta::minutes(5), TimeDelta::hours(1));
        kept.map_err(|error| error.to_string())
    }

    #[test]
    fn p2_a_key_that_dies_before_the_second_rotation_after_it_is_no_second_key() {
        let (schedule, overlap) = (SCHEDULE_TAG, MIN_OVERLAP_TAG);
        assert_eq!(two_of_an_hour(&[]), Ok(()), "a person asks when it is time");
        assert_eq!(two_of_an_hour(&[(schedule, "rate(29 minutes)")]), Ok(()));
        let error = two_of_an_hour(&[(schedule, "rate(30 minutes)")]).expect_err("too slow");
        assert_eq!(
            error,
            "tag twinkey:schedule: a key lives 1h and must outlive two rotations, but 2 × 30m is not less than \
             that: rotate more often than every 30m"
        );
        let often = (schedule, "rate(20 minutes)");
        assert_eq!(two_of_an_hour(&[often, (overlap, "29m")]), Ok(()));
        let error = two_of_an_hour(&[often, (overlap, "30m")]).expect_err("rarely allowed");
        assert!(error.starts_with("tag twinkey:min-overlap: "), "{error}");
        let error = two_of_an_hour(&[(schedule, "cron(0 * * * ? *)")]).expect_err("hourly");
        assert!(error.contains("2 × 1h"), "{error}");
    }

    #[test]
    fn p2_the_longest_pause_of_a_schedule_counts() {
        let of_days = |schedule: &str, days| {
            let policy = Policy::parse(&tags(&[(SCHEDULE_TAG, schedule)])).expect("valid tags");
            policy.keeps_two(TimeDelta::hours(1), TimeDelta::days(days))
        };
        // 31 days at most, and from May to December 214.
        assert_eq!(of_days("cron(0 8 1 * ? *)", 63), Ok(()));
        of_days("cron(0 8 1 * ? *)", 62).expect_err("twice 31 days");
        assert_eq!(of_days("cron(0 8 1 1-5,12 ? *)", 429), Ok(()));
        of_days("cron(0 8 1 1-5,12 ? *)", 428).expect_err("twice 214 days");
        // Once a year.
        of_days("cron(0 8 1 1 ? *)", 730).expect_err("twice 365 days");
    }

    #[test]
    fn p8_a_tag_forges_no_line_of_a_log() {
        let error = Policy::parse(&tags(&[("twinkey:\nx", "1h")])).expect_err("unknown tag");
        assert!(
            error.to_string().starts_with("tag twinkey:\\nx: "),
            "{error}"
        );
    }

    #[test]
    fn p11_a_rotation_is_held_only_if_a_tag_says_so_and_not_for_ever() {
        let read = |value| Policy::parse(&tags(&[(IN_USE_TAG, value)]));
        assert_eq!(read("report"), Ok(Policy::default()));
        assert_eq!(Policy::default().hold_limit(), TimeDelta::days(7));
        let error = read("stop").expect_err("no such policy");
        assert_eq!(
            error.to_string(),
            "tag twinkey:in-use: must be report or hold"
        );
        let error = Policy::parse(&tags(&[(HOLD_LIMIT_TAG, "never")])).expect_err("no duration");
        assert_eq!(error.tag, HOLD_LIMIT_TAG);
    }

    #[test]
    fn durations_are_one_integer_and_one_unit() {
        assert_eq!(duration("0s"), Ok(TimeDelta::zero()));
        assert_eq!(duration("90m"), Ok(TimeDelta::minutes(90)));
        assert_eq!(duration("30d"), Ok(TimeDelta::days(30)));
        for wrong in [
            "",
            "s",
            "1",
            "1.5h",
            "-1h",
            "1h30m",
            "1 h",
            "1w",
            "1é",
            "99999999999999999999s",
            "3651d",
        ] {
            assert!(duration(wrong).is_err(), "{wrong:?} must be refused");
        }
    }

    #[test]
    fn durations_are_spelt_in_two_units_and_never_rounded_down_to_nothing() {
        assert_eq!(spell(TimeDelta::milliseconds(1)), "1s");
        assert_eq!(spell(TimeDelta::zero()), "0s");
        assert_eq!(spell(TimeDelta::seconds(4805)), "1h 20m");
        assert_eq!(spell(TimeDelta::days(3)), "3d");
    }

    #[test]
    fn the_distance_of_two_words_is_how_many_letters_change() {
        for (a, b, letters) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("abc", "abc", 0),
            ("flaw", "lawn", 2),
            ("kitten", "sitting", 3),
            ("saturday", "sunday", 3),
        ] {
            assert_eq!(distance(a, b), letters, "{a:?} {b:?}");
        }
    }

    #[test]
    fn every_tag_is_read() {
        let read = Policy::parse(&tags(&[
            (SCHEDULE_TAG, "rate(1 day)"),
            (MIN_OVERLAP_TAG, "90m"),
            (IN_USE_TAG, "hold"),
            (HOLD_LIMIT_TAG, "2d"),
        ]));
        let expected = Policy {
            schedule: "rate(1 day)".parse().ok(),
            min_overlap: Some(TimeDelta::minutes(90)),
            while_in_use: WhileInUse::Hold,
            hold_limit: Some(TimeDelta::days(2)),
        };
        assert!(expected.schedule.is_some());
        assert_eq!(read, Ok(expected));
    }
}
