//! What a tick may cost, and when it calls a thing late.

use chrono::TimeDelta;

/// What a tick may cost, and when it calls a thing late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Secrets that are looked at and asked for in a second, each by one `ListSecretVersionIds` and at most
    /// one `RotateSecret`. Secrets Manager allows 50 `RotateSecret` and `CancelRotateSecret` in a second,
    /// per account and region; persons and other tools need some of them.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
    pub per_second: u32,
    /// A pending version that is older is stuck. Four invocations of the longest kind that Lambda knows are
    /// an hour: none of one pass is running any more.
    /// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
    pub longest_rotation: TimeDelta,
    /// A secret that has been due for longer is overdue: longer than from one tick to the next and a rotation.
    pub overdue_after: TimeDelta,
    /// With less than this left until the deadline, no secret is begun.
    pub for_asking: TimeDelta,
    /// With less than this left, no rotation is abandoned.
    pub for_abandoning: TimeDelta,
}

impl Default for Limits {
    /// Ten secrets in a second, for a tick every five minutes or oftener.
    fn default() -> Self {
        Self {
            per_second: 10,
            longest_rotation: TimeDelta::hours(1),
            overdue_after: TimeDelta::minutes(10),
            for_asking: TimeDelta::seconds(5),
            for_abandoning: TimeDelta::seconds(20),
        }
    }
}
