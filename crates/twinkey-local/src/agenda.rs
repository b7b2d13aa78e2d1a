//! What a scheduler remembers between two ticks: who is to be left alone until when, and what
//! has been reported already. It is lost with the process, which costs one more attempt.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use twinkey_core::SecretId;

const FIRST_PAUSE: TimeDelta = TimeDelta::minutes(1);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);

#[derive(Default)]
pub(crate) struct Agenda {
    setbacks: BTreeMap<SecretId, Setback>,
    problems: BTreeMap<Option<SecretId>, String>,
}

struct Setback {
    failures: u32,
    retry_at: DateTime<Utc>,
}

impl Agenda {
    /// Whether a secret's turn may come.
    pub(crate) fn allows(&self, secret: &SecretId, now: DateTime<Utc>) -> bool {
        self.setbacks
            .get(secret)
            .is_none_or(|setback| setback.retry_at <= now)
    }

    /// Notes a failure and says when the secret's turn comes again: after a minute, then after
    /// twice as long each time, but not before the server said.
    pub(crate) fn failed(
        &mut self,
        secret: &SecretId,
        now: DateTime<Utc>,
        at_least: Option<TimeDelta>,
    ) -> DateTime<Utc> {
        let failures = self
            .setbacks
            .get(secret)
            .map_or(0, |setback| setback.failures);
        let pause = (FIRST_PAUSE * 2_i32.pow(failures.min(4))).min(LONGEST_PAUSE);
        let setback = Setback {
            failures: failures + 1,
            retry_at: now + pause.max(at_least.unwrap_or_default()),
        };
        let retry_at = setback.retry_at;
        self.setbacks.insert(secret.clone(), setback);
        retry_at
    }

    /// Notes that a secret has to wait, which is no failure.
    pub(crate) fn postponed(&mut self, secret: &SecretId, until: DateTime<Utc>) {
        let failures = self
            .setbacks
            .get(secret)
            .map_or(0, |setback| setback.failures);
        let setback = Setback {
            failures,
            retry_at: until,
        };
        self.setbacks.insert(secret.clone(), setback);
    }

    pub(crate) fn succeeded(&mut self, secret: &SecretId) {
        self.setbacks.remove(secret);
    }

    /// Whether a problem differs from what was last said of the same secret.
    pub(crate) fn is_news(&mut self, secret: Option<&SecretId>, problem: &str) -> bool {
        let last = self.problems.insert(secret.cloned(), problem.to_owned());
        last.as_deref() != Some(problem)
    }

    pub(crate) fn no_problem(&mut self, secret: Option<&SecretId>) {
        self.problems.remove(&secret.cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_from_a_minute_to_a_quarter_of_an_hour() {
        let (mut agenda, secret) = (Agenda::default(), SecretId::new("db"));
        let now = DateTime::UNIX_EPOCH;
        let mut pause = || (agenda.failed(&secret, now, None) - now).num_minutes();
        let pauses: Vec<i64> = (0..7).map(|_| pause()).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 15, 15, 15]);
        assert!(!agenda.allows(&secret, now + TimeDelta::minutes(14)));
        assert!(agenda.allows(&secret, now + TimeDelta::minutes(15)));
        assert!(agenda.allows(&SecretId::new("other"), now));
        agenda.succeeded(&secret);
        assert!(agenda.allows(&secret, now));
        let told = agenda.failed(&secret, now, Some(TimeDelta::hours(2)));
        assert_eq!(told, now + TimeDelta::hours(2));
    }

    #[test]
    fn a_problem_is_news_once() {
        let (mut agenda, secret) = (Agenda::default(), SecretId::new("db"));
        assert!(agenda.is_news(Some(&secret), "a"));
        assert!(!agenda.is_news(Some(&secret), "a"));
        assert!(agenda.is_news(None, "a"));
        assert!(agenda.is_news(Some(&secret), "b"));
        agenda.no_problem(Some(&secret));
        assert!(agenda.is_news(Some(&secret), "b"));
    }
}
