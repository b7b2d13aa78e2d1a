//! What is dated of a secret as a whole.

use chrono::{DateTime, Utc};

/// When a secret was created, changed and rotated: `CreatedDate`, `LastChangedDate` and `LastRotatedDate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretDates {
    /// When its first value or tag was put.
    pub created: DateTime<Utc>,
    /// When anything of it changed last.
    pub changed: DateTime<Utc>,
    /// When a rotation last moved AWSCURRENT to its pending version. A value put by hand is no rotation.
    pub rotated: Option<DateTime<Utc>>,
}

impl SecretDates {
    pub(super) fn new(now: DateTime<Utc>) -> Self {
        Self {
            created: now,
            changed: now,
            rotated: None,
        }
    }
}
