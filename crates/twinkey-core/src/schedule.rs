//! Schedules: `rate(…)` and `cron(…)`, by Secrets Manager's rules.
//!
//! The cron grammar is narrower than what cron libraries accept; the rules checked here are those of
//! <https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_schedule.html>.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// When a secret rotates by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    text: String,
    rule: Rule,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Rate(TimeDelta),
    Cron(Box<Cron>),
}

/// Why a text is no schedule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no schedule: {problem}")]
pub struct ScheduleError {
    text: String,
    problem: String,
}

impl Schedule {
    /// The first due moment after `anchor`, the moment when AWSCURRENT last moved. A schedule
    /// missed several times is therefore due once.
    #[must_use]
    pub fn next_after(&self, anchor: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.rule {
            Rule::Rate(interval) => anchor.checked_add_signed(*interval),
            Rule::Cron(cron) => cron.find_next_occurrence(&anchor, false).ok(),
        }
    }

    /// An interval between two due moments that is at least as long as `limit`, if there is one in two years.
    pub(crate) fn interval_of_at_least(&self, limit: TimeDelta) -> Option<TimeDelta> {
        if let Some(interval) = self.interval() {
            return (interval >= limit).then_some(interval);
        }
        std::iter::successors(self.next_after(DateTime::UNIX_EPOCH), |at| {
            self.next_after(*at)
        })
        .take_while(|at| matches!(at.year(), 1970 | 1971))
        .filter_map(|at| Some(self.next_after(at)? - at))
        .find(|interval| *interval >= limit)
    }

    /// The fixed interval of a `rate`.
    #[must_use]
    pub fn interval(&self) -> Option<TimeDelta> {
        match &self.rule {
            Rule::Rate(interval) => Some(*interval),
            Rule::Cron(_) => None,
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    /// `rate(20 minutes)`, `cron(0 8 1 * ? *)`; and `rate 20 minutes`, because AWS tags
    /// generally allow no parentheses.
    fn from_str(text: &str) -> Result<Self, ScheduleError> {
        let rule = if let Some(inner) = inside(text, "rate") {
            rate(inner).map(Rule::Rate)
        } else if let Some(inner) = inside(text, "cron") {
            cron(inner).map(|cron| Rule::Cron(Box::new(cron)))
        } else {
            Err("write rate(20 minutes) or cron(0 8 1 * ? *)".into())
        };
        match rule {
            Ok(rule) => Ok(Self {
                text: text.to_owned(),
                rule,
            }),
            Err(problem) => Err(ScheduleError {
                text: text.to_owned(),
                problem,
            }),
        }
    }
}

fn inside<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let rest = text.strip_prefix(word)?;
    rest.strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'))
        .or_else(|| rest.strip_prefix(' '))
}

fn rate(inner: &str) -> Result<TimeDelta, String> {
    let wrong = || {
        "a rate is a whole number above zero and minutes, hours or days, as in rate(20 minutes)"
            .to_owned()
    };
    let (count, unit) = inner.split_once(' ').ok_or_else(wrong)?;
    if count.is_empty() || !count.bytes().all(|b| b.is_ascii_digit()) {
        return Err(wrong());
    }
    let count: i64 = count.parse().map_err(|_| wrong())?;
    let interval = match unit {
        "minute" | "minutes" => TimeDelta::try_minutes(count),
        "hour" | "hours" => TimeDelta::try_hours(count),
        "day" | "days" => TimeDelta::try_days(count),
        _ => return Err(wrong()),
    };
    let interval = interval
        .filter(|interval| *interval > TimeDelta::zero())
        .ok_or_else(wrong)?;
    // Secrets Manager's own ceiling: AutomaticallyAfterDays 1..1000.
    if interval > TimeDelta::days(1000) {
        return Err("Secrets Manager's longest interval is 1000 days".into());
    }
    Ok(interval)
}

fn cron(inner: &str) -> Result<Cron, String> {
    let fields: Vec<&str> = inner.split(' ').collect();
    let [minutes, hours, day_of_month, month, day_of_week, year] = fields[..] else {
        return Err(
            "a cron schedule has six fields: minutes hours day-of-month month day-of-week year"
                .into(),
        );
    };
    if minutes != "0" {
        return Err("the minutes field must be 0: rotation windows open on the hour".into());
    }
    if year != "*" {
        return Err("the year field must be *".into());
    }
    if (day_of_month == "?") == (day_of_week == "?") {
        return Err("exactly one of day-of-month and day-of-week must be ?".into());
    }
    only("hours", hours, "0123456789*,-/")?;
    only("day-of-month", day_of_month, "0123456789*,-/?L")?;
    only("month", month, "0123456789*,-/ABCDEFGHIJKLMNOPQRSTUVWXYZ")?;
    only(
        "day-of-week",
        day_of_week,
        "0123456789*,-/?#ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    )?;
    let cron = occurrences(inner)?;
    let at_any_hour = occurrences(&format!("0 * {day_of_month} {month} {day_of_week} *"))?;
    if comes_up(&cron, &at_any_hour) {
        Ok(cron)
    } else {
        Err("there is no such day or hour".into())
    }
}

/// The library would look for a day that does not exist for 3000 years; the calendar repeats after
/// 28.
fn comes_up(cron: &Cron, at_any_hour: &Cron) -> bool {
    let is_in = |cron: &Cron, moment| cron.is_time_matching(&moment).unwrap_or(false);
    let day = (0..28 * 366)
        .map(|number| DateTime::UNIX_EPOCH + TimeDelta::days(number))
        .find(|day| is_in(at_any_hour, *day));
    day.is_some_and(|day| (0..24).any(|hour| is_in(cron, day + TimeDelta::hours(hour))))
}

fn occurrences(fields: &str) -> Result<Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .year(Year::Required)
        .alternative_weekdays(true)
        .sloppy_ranges(true)
        .build()
        .parse(&format!("0 {fields}"))
        .map_err(|error| error.to_string())
}

fn only(field: &str, text: &str, allowed: &str) -> Result<(), String> {
    match text.chars().find(|c| !allowed.contains(*c)) {
        Some(foreign) => Err(format!(
            "Secrets Manager does not know {foreign:?} in the {field} field"
        )),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment in a test")
    }

    fn next(schedule: &str, anchor: &str) -> DateTime<Utc> {
        let schedule: Schedule = schedule.parse().expect("a valid schedule");
        schedule.next_after(at(anchor)).expect("another occurrence")
    }

    #[test]
    fn a_rate_counts_from_the_last_change() {
        assert_eq!(
            next("rate(20 minutes)", "2026-01-01T00:00:05Z"),
            at("2026-01-01T00:20:05Z")
        );
        assert_eq!(
            next("rate 30 days", "2026-01-01T00:00:00Z"),
            at("2026-01-31T00:00:00Z")
        );
        assert_eq!(
            next("rate(1 hour)", "2026-01-01T00:00:00Z"),
            at("2026-01-01T01:00:00Z")
        );
    }

    #[test]
    fn a_cron_schedule_means_what_secrets_manager_means() {
        let from = "2026-11-22T09:00:00Z"; // a Sunday
        assert_eq!(next("cron(0 8 1 * ? *)", from), at("2026-12-01T08:00:00Z"));
        assert_eq!(next("cron(0 /8 * * ? *)", from), at("2026-11-22T16:00:00Z"));
        assert_eq!(next("cron(0 12 ? * 2 *)", from), at("2026-11-23T12:00:00Z"));
        assert_eq!(
            next("cron(0 12 ? * MON-FRI *)", from),
            at("2026-11-23T12:00:00Z")
        );
        assert_eq!(next("cron(0 0 L * ? *)", from), at("2026-11-30T00:00:00Z"));
        assert_eq!(
            next("cron(0 0 ? * SUN#1 *)", from),
            at("2026-12-06T00:00:00Z")
        );
        assert_eq!(
            next("cron(0 16 ? * SUNL *)", from),
            at("2026-11-29T16:00:00Z")
        );
        assert_eq!(
            next("cron(0 10 ? 1/3 1 *)", from),
            at("2027-01-03T10:00:00Z")
        );
        assert_eq!(next("cron 0 8 1 * ? *", from), at("2026-12-01T08:00:00Z"));
        // The rarest of all: a leap day, and one on a Thursday.
        assert_eq!(next("cron(0 0 29 2 ? *)", from), at("2028-02-29T00:00:00Z"));
        assert_eq!(
            next("cron(0 0 ? 2 THU#5 *)", from),
            at("2052-02-29T00:00:00Z")
        );
    }

    #[test]
    fn p11_what_secrets_manager_rejects_is_rejected_with_the_reason() {
        for (schedule, reason) in [
            ("cron(5 8 1 * ? *)", "minutes field"),
            ("cron(0 8 1 * ? 2027)", "year field"),
            ("cron(0 8 1 * * *)", "exactly one"),
            ("cron(0 8 ? * ? *)", "exactly one"),
            ("cron(0 8 15W * ? *)", "'W'"),
            ("cron(0 8 1 * ?)", "six fields"),
            ("cron(0 25 1 * ? *)", ""),
            ("cron(0 0 31 2 ? *)", "no such day"),
            ("cron(0 8 31 4 ? *)", "no such day"),
            ("cron(0 8 ? * L *)", ""),
            ("cron(0 , * * ? *)", ""),
            ("rate(0 minutes)", "above zero"),
            ("rate(1001 days)", "1000 days"),
            ("rate(1 week)", "minutes, hours or days"),
            ("rate(1.5 hours)", "whole number"),
            ("rate(+5 hours)", "whole number"),
            ("rate(99999999999999999999 days)", "whole number"),
            ("every day", "write rate"),
            ("", "write rate"),
        ] {
            let error = schedule.parse::<Schedule>().expect_err(schedule);
            assert!(error.to_string().contains(reason), "{schedule}: {error}");
        }
    }

    #[test]
    fn a_schedule_missed_many_times_is_due_once() {
        let schedule: Schedule = "rate(20 minutes)".parse().expect("valid");
        let anchor = Utc.timestamp_opt(0, 0).single().expect("the epoch");
        let due = schedule.next_after(anchor).expect("due");
        let now = anchor + TimeDelta::hours(9);
        assert!(due <= now);
        assert!(schedule.next_after(now).expect("due") > now);
    }

    #[test]
    fn a_schedule_is_shown_as_it_was_written_and_a_rate_has_an_interval() {
        let longest: Schedule = "rate(1000 days)".parse().expect("the longest interval");
        assert_eq!(longest.interval(), Some(TimeDelta::days(1000)));
        assert_eq!(longest.to_string(), "rate(1000 days)");
        let cron: Schedule = "cron 0 8 1 * ? *".parse().expect("a valid schedule");
        assert_eq!(cron.interval(), None);
        assert_eq!(cron.to_string(), "cron 0 8 1 * ? *");
    }
}
