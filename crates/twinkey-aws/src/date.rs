//! Dates of the wire.

use aws_sdk_secretsmanager::primitives::DateTime as AwsDateTime;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};

/// On the wire it is a number of seconds, whose last digits are noise.
pub(crate) fn date(date: &AwsDateTime) -> Option<DateTime<Utc>> {
    let exact = DateTime::from_timestamp(date.secs(), date.subsec_nanos())?;
    exact.duration_round(TimeDelta::microseconds(1)).ok()
}
