//! When a step must have ended: before Lambda ends the process that works on it.

use std::time::{Duration, SystemTime};

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
    /// How long a step may take that must have ended a margin before `deadline`. A deadline before our own
    /// beginning is none: `cargo lambda watch` sends a constant of 1970.
    pub(crate) fn time_left(self, deadline: SystemTime, now: SystemTime) -> Duration {
        if deadline < self.0 {
            return LONGEST;
        }
        let left = deadline.duration_since(now).unwrap_or_default();
        left.saturating_sub(MARGIN)
    }
}

/// Runs a step within its time. What is still under way is dropped, as if the process had died: the
/// next delivery goes on from there. (P5) Where no time is left, nothing is begun.
pub(crate) async fn within<T>(
    time: Duration,
    step: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    if time.is_zero() {
        return Err(exceeded(time));
    }
    match tokio::time::timeout(time, step).await {
        Ok(result) => result,
        Err(_) => Err(exceeded(time)),
    }
}

fn exceeded(time: Duration) -> Failure {
    let message = format!(
        "the step was ended after {} ms, before Lambda would have ended the function; \
         whether its last call took effect is unknown",
        time.as_millis()
    );
    let hint = "see whether the function reaches Secrets Manager and the server (subnets, security groups, \
                endpoints), and give it a timeout of at least 30 seconds; the next delivery goes on from here";
    Failure::new("DeadlineExceeded", message, Some(hint.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_a_margin_before_its_invocation() {
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
    async fn a_step_that_hangs_is_ended_and_one_that_ends_is_heard() {
        let time = Duration::from_secs(1);
        let hung = within::<()>(time, std::future::pending()).await;
        assert_eq!(hung.expect_err("ended").error_type, "DeadlineExceeded");
        let quick = within(time, async { Ok(1) }).await;
        assert_eq!(quick, Ok(1));
        let late = within(Duration::ZERO, async { Ok(1) }).await;
        assert!(late.is_err(), "begun without any time");
    }
}
