//! The mark that we leave at the server: a comment on the twin, and only there.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use twinkey_core::{Fence, SecretAddress, VersionStamp};

const PREFIX: &str = "twinkey:";
const VERSION: u32 = 1;

/// Whose pair of roles this is, and which version's key is in each of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    version: u32,
    #[serde(flatten)]
    pub(crate) address: SecretAddress,
    pub(crate) original: String,
    pub(crate) twin: String,
    pub(crate) owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original_key: Option<VersionStamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    twin_key: Option<VersionStamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    original_changed_at: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    twin_changed_at: Option<DateTime<Utc>>,
}

impl Mark {
    /// The mark of a pair before its first change.
    pub(crate) fn new(address: SecretAddress, original: &str, twin: &str, owner: &str) -> Self {
        Self {
            version: VERSION,
            address,
            original: original.into(),
            twin: twin.into(),
            owner: owner.into(),
            original_key: None,
            twin_key: None,
            original_changed_at: None,
            twin_changed_at: None,
        }
    }

    /// Whether a comment is meant as a mark, readable or not.
    pub(crate) fn is_one(comment: &str) -> bool {
        comment.starts_with(PREFIX)
    }

    /// Reads a comment. `None`: it is no mark, or one of a form that we do not know.
    pub(crate) fn parse(comment: &str) -> Option<Self> {
        let mark: Self = serde_json::from_str(comment.strip_prefix(PREFIX)?).ok()?;
        (mark.version == VERSION).then_some(mark)
    }

    /// The comment's text.
    pub(crate) fn render(&self) -> String {
        let json = serde_json::to_string(self).expect("names and times can always be written");
        format!("{PREFIX}{json}")
    }

    /// Whether the pair is these two, in either order.
    pub(crate) fn pairs(&self, one: &str, other: &str) -> bool {
        (self.original == one && self.twin == other) || (self.original == other && self.twin == one)
    }

    /// Whether a role belongs to the pair.
    pub(crate) fn names(&self, role: &str) -> bool {
        self.original == role || self.twin == role
    }

    /// The version in a role's place, if a later one than `stamp` is there: then whoever holds
    /// `stamp` was frozen while rotations passed. (P5)
    pub(crate) fn later_than(&self, role: &str, stamp: &VersionStamp) -> Option<&VersionStamp> {
        // A store that tells whole seconds gives two versions the same time. Neither is later: then the last look
        // at the labels decides alone.
        self.other_than(role, stamp)
            .filter(|there| there.created_at > stamp.created_at)
    }

    /// The version in a role's place, unless it is this one.
    pub(crate) fn other_than(&self, role: &str, stamp: &VersionStamp) -> Option<&VersionStamp> {
        self.key(role).filter(|there| there.id != stamp.id)
    }

    /// Whether a role's place is this version's.
    pub(crate) fn holds(&self, role: &str, stamp: &VersionStamp) -> bool {
        self.key(role).is_some_and(|there| there.id == stamp.id)
    }

    fn key(&self, role: &str) -> Option<&VersionStamp> {
        if role == self.twin {
            self.twin_key.as_ref()
        } else {
            self.original_key.as_ref()
        }
    }

    /// When the key in a role was put there, by the server's clock: sessions that began before were opened with
    /// a key that is dead.
    pub(crate) fn changed_at(&self, role: &str) -> Option<DateTime<Utc>> {
        if role == self.twin {
            self.twin_changed_at
        } else {
            self.original_changed_at
        }
    }

    /// The mark after a change of `role` at this time of the server's. A repeated change has the time of the
    /// first. The other role's place only ever moves forward: a
    /// late redelivery knows an older version of it than we may have marked since.
    pub(crate) fn advanced(&self, role: &str, fence: &Fence, now: DateTime<Utc>) -> Self {
        let mut next = self.clone();
        let changed_at = if role == self.twin {
            &mut next.twin_changed_at
        } else {
            &mut next.original_changed_at
        };
        if changed_at.is_none() || !self.holds(role, &fence.pending) {
            *changed_at = Some(now);
        }
        let (changed, other) = if role == self.twin {
            (&mut next.twin_key, &mut next.original_key)
        } else {
            (&mut next.original_key, &mut next.twin_key)
        };
        *changed = Some(fence.pending.clone());
        let newer = |there: &VersionStamp| there.created_at >= fence.current.created_at;
        if !other.as_ref().is_some_and(newer) {
            *other = Some(fence.current.clone());
        }
        next
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use chrono::TimeDelta;
    use twinkey_core::{SecretId, VersionId};

    use super::*;

    fn stamp(number: i64) -> VersionStamp {
        VersionStamp {
            id: VersionId::parse(format!("{number:032}")).unwrap(),
            created_at: DateTime::UNIX_EPOCH + TimeDelta::seconds(number),
        }
    }

    fn fence(current: i64, pending: i64) -> Fence {
        Fence {
            address: address(),
            pending: stamp(pending),
            current: stamp(current),
        }
    }

    fn address() -> SecretAddress {
        SecretAddress {
            store: "store".into(),
            secret: SecretId::new("it's \"quoted\""),
        }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn mark() -> Mark {
        Mark::new(address(), "app", "app_clone", "app")
    }

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is_one() {
        let mark = mark().advanced("app_clone", &fence(1, 2), at(2));
        assert_eq!(Mark::parse(&mark.render()), Some(mark.clone()));
        let later = mark.render().replace("\"version\":1", "\"version\":2");
        for other in ["the shop's login", "twinkey:{}", later.as_str()] {
            assert_eq!(Mark::parse(other), None, "{other}");
        }
        assert!(Mark::is_one(&later) && !Mark::is_one("the shop's login"));
    }

    #[test]
    fn p5_an_older_pending_is_stopped_and_the_same_one_may_come_again() {
        let mark = mark().advanced("app_clone", &fence(1, 4), at(4));
        assert!(mark.later_than("app_clone", &stamp(3)).is_some());
        assert!(mark.later_than("app_clone", &stamp(4)).is_none());
        assert!(mark.later_than("app_clone", &stamp(5)).is_none());
        assert!(mark.later_than("app", &stamp(2)).is_none());
        assert!(mark.later_than("app", &stamp(0)).is_some());
    }

    #[test]
    fn versions_of_the_same_second_are_not_later_than_each_other() {
        let twice = Fence {
            pending: VersionStamp {
                created_at: stamp(1).created_at,
                ..stamp(2)
            },
            ..fence(1, 2)
        };
        let mark = mark().advanced("app_clone", &twice, at(2));
        assert_eq!(mark.later_than("app", &twice.pending), None);
    }

    #[test]
    fn p5_a_late_redelivery_does_not_take_the_other_roles_place_back() {
        let mark = mark()
            .advanced("app_clone", &fence(1, 2), at(2))
            .advanced("app", &fence(2, 3), at(3))
            .advanced("app_clone", &fence(1, 2), at(2));
        assert!(mark.later_than("app", &stamp(1)).is_some());
    }

    #[test]
    fn a_repeated_change_has_the_time_of_the_first_and_a_mark_of_old_has_none() {
        let first = mark().advanced("app_clone", &fence(1, 2), at(10));
        let again = first.advanced("app_clone", &fence(1, 2), at(11));
        assert_eq!(again.changed_at("app_clone"), Some(at(10)));
        assert_eq!(again.changed_at("app"), None);
        let later = again.advanced("app_clone", &fence(3, 4), at(12));
        assert_eq!(later.changed_at("app_clone"), Some(at(12)));
        assert_eq!(Mark::parse(&first.render()), Some(first.clone()));
        let of_old = Mark {
            twin_changed_at: None,
            ..first
        };
        assert!(!of_old.render().contains("changed_at"));
        let repeated = of_old.advanced("app_clone", &fence(1, 2), at(13));
        assert_eq!(repeated.changed_at("app_clone"), Some(at(13)));
    }
}
