//! What Secrets Manager publishes: how many calls a second, per account and region.

use serde::{Deserialize, Serialize};

/// Calls that share one quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quota {
    /// `GetSecretValue`.
    GetSecretValue,
    /// `DescribeSecret`.
    DescribeSecret,
    /// `PutSecretValue` and `UpdateSecretVersionStage`.
    Writes,
    /// `RotateSecret`.
    RotateSecret,
    /// `ListSecrets`.
    ListSecrets,
    /// `ListSecretVersionIds`.
    ListSecretVersionIds,
}

impl Quota {
    /// Every one that a rotation or a tick draws on.
    pub const ALL: [Self; 6] = [
        Self::GetSecretValue,
        Self::DescribeSecret,
        Self::Writes,
        Self::RotateSecret,
        Self::ListSecrets,
        Self::ListSecretVersionIds,
    ];

    /// How many calls in a second. None of them can be raised.
    /// <https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>
    #[must_use]
    pub fn per_second(self) -> u32 {
        match self {
            Self::GetSecretValue => 10_000,
            Self::DescribeSecret => 40_000,
            Self::Writes | Self::RotateSecret | Self::ListSecretVersionIds => 50,
            Self::ListSecrets => 100,
        }
    }

    /// The vendor's words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::GetSecretValue => "GetSecretValue",
            Self::DescribeSecret => "DescribeSecret",
            Self::Writes => "PutSecretValue, UpdateSecretVersionStage, …",
            Self::RotateSecret => "RotateSecret, CancelRotateSecret",
            Self::ListSecrets => "ListSecrets",
            Self::ListSecretVersionIds => "ListSecretVersionIds",
        }
    }

    /// How long an answer takes: assumed, in the order of what an SDK in the same region sees.
    pub(crate) fn milliseconds(self) -> u64 {
        match self {
            Self::GetSecretValue | Self::DescribeSecret => 15,
            Self::ListSecretVersionIds => 20,
            Self::Writes => 30,
            Self::RotateSecret => 60,
            Self::ListSecrets => 100,
        }
    }
}

/// Fills up to one second's worth, by a second's worth in a second.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    per_second: u64,
    thousandths: u64,
    filled_at: u64,
}

impl Bucket {
    /// As much of a quota as others leave.
    pub(crate) fn new(quota: Quota, percent: u64) -> Self {
        let per_second = u64::from(quota.per_second()) * percent / 100;
        Self {
            per_second,
            thousandths: per_second * 1000,
            filled_at: 0,
        }
    }

    /// Whether there is room for one more call at this millisecond.
    pub(crate) fn take(&mut self, at: u64) -> bool {
        let more = at.saturating_sub(self.filled_at) * self.per_second;
        self.filled_at = at;
        self.thousandths = (self.thousandths + more).min(self.per_second * 1000);
        let allowed = self.thousandths >= 1000;
        if allowed {
            self.thousandths -= 1000;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_lets_a_second_s_worth_pass_at_once_and_then_one_in_each_fiftieth() {
        let mut bucket = Bucket::new(Quota::Writes, 100);
        let passed = (0..60).filter(|_| bucket.take(7)).count();
        assert_eq!(passed, 50);
        assert!(!bucket.take(26));
        assert!(bucket.take(27));
        assert!(!bucket.take(27));
    }
}
