//! When an invocation must have ended: before Lambda ends the process that works on it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use twinkey_core::Failure;

/// What is left of an invocation for saying that its time is over: writing two lines and sending one answer.
pub(crate) const MARGIN: Duration = Duration::from_millis(500);

/// The longest that Lambda lets an invocation last.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-timeout.html>
const LONGEST: Duration = Duration::from_mins(15);

/// When this process began: no event that it was given can have been over before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began(pub(crate) SystemTime);

impl Began {
    /// How long an invocation may take that must have ended a margin before `deadline`. A deadline before our
    /// own beginning is none: `cargo lambda watch` sends a constant of 1970.
    pub(crate) fn time_left(self, deadline: SystemTime, now: SystemTime) -> Duration {
        if deadline < self.0 {
            return LONGEST;
        }
        let left = deadline.duration_since(now).unwrap_or_default();
        left.saturating_sub(MARGIN)
    }
}

/// By when the event at hand must be answered. Clones are the same; each new event sets it anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Deadline(Arc<Mutex<Limit>>);

#[derive(Debug, Default)]
struct Limit {
    time: Duration,
    /// None until the first event has come.
    until: Option<Instant>,
    was_missed: bool,
}

impl Deadline {
    /// A new event has so much time.
    pub(crate) fn begin(&self, time: Duration) {
        *self.limit() = Limit {
            time,
            until: Some(Instant::now() + time),
            was_missed: false,
        };
    }

    /// Runs an outside call, or a chain of them. `None`: the time is over. What was under way is dropped then, as
    /// if the process had died; and from then on nothing more is begun.
    pub(crate) async fn keep<T>(&self, call: impl Future<Output = T>) -> Option<T> {
        let until = self.limit().until?;
        let answer = if until > Instant::now() {
            tokio::time::timeout_at(until, call).await.ok()
        } else {
            None
        };
        if answer.is_none() {
            self.limit().was_missed = true;
        }
        answer
    }

    /// The failure of an event, which is told as this deadline's where that has cut a call off. What the
    /// event had made dead until then stays told; so does a possible stray, which matters more.
    pub(crate) fn judge(&self, failure: Failure) -> Failure {
        let limit = self.limit();
        if limit.was_missed && failure.error_type != "PossibleStray" {
            exceeded(limit.time, failure)
        } else {
            failure
        }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn exceeded(time: Duration, failure: Failure) -> Failure {
    let message = format!(
        "ended after {} ms, before Lambda would have ended the function: {}; \
         whether that call took effect is unknown",
        time.as_millis(),
        failure.message
    );
    let hint = "see whether the function reaches Secrets Manager and the server (subnets, security groups, \
                endpoints), and give it a timeout of at least 30 seconds; the same event again goes on from here";
    Failure {
        retired: failure.retired,
        ..Failure::new("DeadlineExceeded", message, Some(hint.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_ends_a_margin_before_lambda_ends_it() {
        let second = Duration::from_secs(1);
        let began = Began(SystemTime::UNIX_EPOCH + 100 * second);
        let now = began.0 + 10 * second;
        let left = |deadline| began.time_left(deadline, now);
        assert_eq!(left(now + 3 * second), Duration::from_millis(2500));
        assert_eq!(left(now + MARGIN / 2), Duration::ZERO);
        assert_eq!(left(now - second), Duration::ZERO);
        assert_eq!(left(SystemTime::UNIX_EPOCH), LONGEST);
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_is_cut_off_and_no_other_is_begun_after_it() {
        let deadline = Deadline::default();
        assert_eq!(deadline.keep(async { 1 }).await, None, "before any event");
        deadline.begin(Duration::from_secs(1));
        assert_eq!(deadline.keep(async { 1 }).await, Some(1));
        assert_eq!(deadline.keep(std::future::pending::<u8>()).await, None);
        assert_eq!(deadline.keep(async { 1 }).await, None, "begun too late");
        deadline.begin(Duration::from_secs(1));
        assert_eq!(deadline.keep(async { 1 }).await, Some(1), "another event");
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_told_as_the_deadlines_only_where_that_was_missed() {
        let deadline = Deadline::default();
        let failure = |name: &str| Failure::new(name, "GetSecretValue of TEST", None);
        deadline.begin(Duration::from_secs(1));
        let told = deadline.judge(failure("StoreUnavailable"));
        assert_eq!(told.error_type, "StoreUnavailable");
        assert_eq!(deadline.keep(std::future::pending::<u8>()).await, None);
        let told = deadline.judge(failure("StoreUnavailable"));
        assert_eq!(told.error_type, "DeadlineExceeded");
        assert!(
            told.message.contains("GetSecretValue of TEST"),
            "{}",
            told.message
        );
        let told = deadline.judge(failure("PossibleStray"));
        assert_eq!(told.error_type, "PossibleStray");
    }
}
