//! Leases: which process works on a rotation, and until when others leave it alone.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A process's word that it works on a rotation. Lapsed, it means nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    holder: Uuid,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Lease {
    /// A lease for a new holder.
    #[must_use]
    pub fn new(now: DateTime<Utc>, length: TimeDelta) -> Self {
        Self {
            holder: Uuid::new_v4(),
            from: now,
            until: now + length,
        }
    }

    /// The same holder's lease, from now on.
    #[must_use]
    pub fn renewed(&self, now: DateTime<Utc>) -> Self {
        Self {
            holder: self.holder,
            from: now,
            until: now + (self.until - self.from),
        }
    }

    /// Whether others have to leave the rotation alone. A lease that begins far ahead was made
    /// by a clock that has been set back since; it must not bind for as long as that.
    #[must_use]
    pub fn binds(&self, now: DateTime<Utc>) -> bool {
        let length = self.until - self.from;
        self.from - length < now && now < self.until
    }

    pub(crate) fn from(&self) -> DateTime<Utc> {
        self.from
    }

    pub(crate) fn is_held_by(&self, other: &Self) -> bool {
        self.holder == other.holder
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_binds_until_it_lapses_and_not_for_years_if_the_clock_was_wrong() {
        let (start, length) = (DateTime::UNIX_EPOCH, TimeDelta::seconds(10));
        let lease = Lease::new(start, length);
        assert!(lease.binds(start));
        assert!(
            lease.binds(start - TimeDelta::seconds(5)),
            "clocks differ a little"
        );
        assert!(!lease.binds(start + length));
        assert!(!lease.binds(start - TimeDelta::days(365)));
        let renewed = lease.renewed(start + TimeDelta::seconds(8));
        assert!(renewed.binds(start + TimeDelta::seconds(17)) && renewed.is_held_by(&lease));
        assert!(!Lease::new(start, length).is_held_by(&lease));
    }
}
