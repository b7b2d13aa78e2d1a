//! Whose pair two roles are: ours, nobody's yet, or somebody else's.

use twinkey_core::{DocumentError, SecretAddress};

use crate::document::{CLONE, PostgresSecret};
use crate::error::{Holder, PostgresError};
use crate::mark::Mark;
use crate::snapshot::{Role, Snapshot};
use crate::statement;

/// How far a pair of roles has come.
#[derive(Debug)]
pub(crate) enum Pairing {
    /// The first exists, the second does not, and nobody has marked either.
    First,
    /// Both exist and are marked as ours.
    Marked(Box<Mark>),
}

impl Pairing {
    /// Decides by the marks alone, never by names: a role that merely has the right name is
    /// somebody else's.
    pub(crate) fn find(
        snapshot: &Snapshot,
        username: &str,
        twin: &str,
        address: &SecretAddress,
    ) -> Result<Self, PostgresError> {
        let exists = |name: &str| snapshot.role(name).is_some();
        if !exists(username) {
            return Err(missing(snapshot, username, twin));
        }
        let mut ours = None;
        for (role, comment) in snapshot.marked() {
            if let Some(mark) = own_mark(role, comment, [username, twin], address)? {
                ours = Some(mark);
            }
        }
        match ours {
            Some(_) if !exists(twin) => Err(PostgresError::RoleMissing(twin.into())),
            Some(mark) => Ok(Self::Marked(Box::new(mark))),
            None if exists(twin) => Err(unmarked(snapshot, username, twin, address)),
            None => Ok(Self::First),
        }
    }
}

/// A role that is not there. The mark went with it if it was the twin, which can be made anew.
fn missing(snapshot: &Snapshot, role: &str, other: &str) -> PostgresError {
    let is_unmarked = |role: &Role| !role.comment.as_deref().is_some_and(Mark::is_one);
    match snapshot.role(other) {
        Some(other) if is_unmarked(other) => PostgresError::TwinMissing {
            twin: role.into(),
            original: other.name.clone(),
        },
        _ => PostgresError::RoleMissing(role.into()),
    }
}

/// A mark that concerns one of the two roles must be ours and of exactly this pair; and one of
/// ours must be on no other pair, whose keys nobody would end any longer. (P2, P4)
fn own_mark(
    role: &Role,
    comment: &str,
    pair: [&str; 2],
    address: &SecretAddress,
) -> Result<Option<Mark>, PostgresError> {
    let on_pair = pair.contains(&role.name.as_str());
    let foreign = |holder| PostgresError::ForeignMark {
        role: role.name.clone(),
        holder,
    };
    let Some(mark) = Mark::parse(comment).filter(|mark| mark.twin == role.name) else {
        // Only on a role of ours does it matter what we cannot read.
        return if on_pair {
            Err(foreign(Holder::Unreadable))
        } else {
            Ok(None)
        };
    };
    if !pair.iter().any(|name| mark.names(name)) {
        return if mark.address == *address {
            Err(former(mark))
        } else {
            Ok(None)
        };
    }
    if mark.address != *address {
        return Err(foreign(Holder::Secret(mark.address)));
    }
    if !mark.pairs(pair[0], pair[1]) {
        let problem = format!(
            "this secret's roles are marked as {} and {} at the server",
            mark.original, mark.twin
        );
        return Err(DocumentError::new("twin", problem).into());
    }
    Ok(Some(mark))
}

/// What two roles are that both exist and that nobody has marked: ours once, if both act as one.
fn unmarked(
    snapshot: &Snapshot,
    username: &str,
    twin: &str,
    address: &SecretAddress,
) -> PostgresError {
    let owner = |name| Some(snapshot.role(name)?.acts_everywhere_as());
    match owner(username) {
        Some(one) if owner(twin) == Some(one) => mark_missing([username, twin], one, address),
        _ => PostgresError::ForeignTwin(twin.into()),
    }
}

/// Says how the mark is written again.
pub(crate) fn mark_missing(pair: [&str; 2], owner: &str, address: &SecretAddress) -> PostgresError {
    let (original, twin) = sides(pair, owner);
    let mark = Mark::new(address.clone(), original, twin, owner);
    PostgresError::MarkMissing {
        original: original.into(),
        twin: twin.into(),
        mend: statement::comment(&mark),
    }
}

/// Which of two logins is the original and which the twin. The original is the owner; where a third
/// role is, the one that the other is named after.
pub(crate) fn sides<'a>(pair: [&'a str; 2], owner: &str) -> (&'a str, &'a str) {
    let [one, other] = pair;
    let is_clone = owner != one && one.strip_suffix(CLONE) == Some(other);
    if owner == other || is_clone {
        (other, one)
    } else {
        (one, other)
    }
}

fn former(mark: Mark) -> PostgresError {
    PostgresError::FormerPair {
        original: mark.original,
        twin: mark.twin,
    }
}

/// The twin of a document that names none: by AWS's convention the clone. A role whose name
/// ends like a clone's is the clone of the shorter one only if our own mark says so.
pub(crate) fn default_twin(
    snapshot: &Snapshot,
    secret: &PostgresSecret,
    address: &SecretAddress,
) -> String {
    let marked = snapshot
        .role(secret.username())
        .and_then(|role| Mark::parse(role.comment.as_deref()?));
    match (marked, secret.stripped_name()) {
        (Some(mark), Some(original))
            if mark.address == *address && mark.pairs(original, secret.username()) =>
        {
            original.into()
        }
        _ => secret.clone_name(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use twinkey_core::SecretId;

    use super::*;
    use crate::snapshot::{of_roles, plain_role};

    fn address(secret: &str) -> SecretAddress {
        SecretAddress {
            store: "store".into(),
            secret: SecretId::new(secret),
        }
    }

    fn commented(name: &str, comment: &str) -> Role {
        Role {
            comment: Some(comment.into()),
            ..plain_role(name)
        }
    }

    fn marked(twin: &str, original: &str, secret: &str) -> Role {
        let mark = Mark::new(address(secret), original, twin, original);
        commented(twin, &mark.render())
    }

    fn find(roles: Vec<Role>, username: &str, twin: &str) -> Result<Pairing, PostgresError> {
        Pairing::find(&of_roles(15, roles), username, twin, &address("ours"))
    }

    #[test]
    fn a_pair_is_first_or_ours_from_either_side() {
        let first = find(vec![plain_role("app")], "app", "app_clone");
        assert!(matches!(first, Ok(Pairing::First)));
        for (username, twin) in [("app", "app_clone"), ("app_clone", "app")] {
            let roles = vec![plain_role("app"), marked("app_clone", "app", "ours")];
            let pairing = find(roles, username, twin);
            assert!(matches!(pairing, Ok(Pairing::Marked(_))));
        }
    }

    #[test]
    fn a_role_that_only_has_the_name_is_somebody_elses() {
        for clone in [plain_role("app_clone"), commented("app_clone", "reports")] {
            let found = find(vec![plain_role("app"), clone], "app", "app_clone");
            assert!(matches!(found, Err(PostgresError::ForeignTwin(_))));
        }
    }

    #[test]
    fn a_mark_of_another_secret_on_either_role_or_naming_either_refuses() {
        for role in [
            marked("app_clone", "app", "theirs"),
            marked("app_blue", "app", "theirs"),
            marked("app", "shop", "theirs"),
            commented("app_clone", "twinkey:{\"version\":9}"),
        ] {
            let found = find(vec![plain_role("app"), role], "app", "app_clone");
            assert!(matches!(found, Err(PostgresError::ForeignMark { .. })));
        }
        let unrelated = vec![plain_role("app"), marked("b_clone", "b", "theirs")];
        assert!(find(unrelated, "app", "app_clone").is_ok());
    }

    #[test]
    fn our_own_mark_of_another_pair_asks_for_the_right_twin() {
        let roles = vec![plain_role("app"), marked("blue", "app", "ours")];
        let found = find(roles, "app", "app_clone");
        assert!(matches!(found, Err(PostgresError::Document(error)) if error.field == "twin"));
    }

    #[test]
    fn p4_our_own_mark_on_roles_that_are_not_this_pair_refuses() {
        let former = || marked("app_clone", "app", "ours");
        for roles in [
            vec![plain_role("shop"), former()],
            vec![
                plain_role("shop"),
                former(),
                marked("shop_clone", "shop", "ours"),
            ],
        ] {
            let found = find(roles, "shop", "shop_clone");
            let Err(PostgresError::FormerPair { original, twin }) = found else {
                panic!("{found:?}")
            };
            assert_eq!((original.as_str(), twin.as_str()), ("app", "app_clone"));
        }
    }

    #[test]
    fn the_mark_that_is_missing_belongs_on_the_one_that_is_not_the_original() {
        for (pair, owner, twin) in [
            (["app", "blue"], "app", "blue"),
            (["blue", "app"], "app", "blue"),
            (["app", "app_clone"], "shop", "app_clone"),
            (["app_clone", "app"], "shop", "app_clone"),
            (
                ["app_clone", "app_clone_clone"],
                "app_clone",
                "app_clone_clone",
            ),
        ] {
            let missing = mark_missing(pair, owner, &address("ours"));
            assert!(
                matches!(&missing, PostgresError::MarkMissing { twin: found, .. } if found == twin),
                "{missing}"
            );
        }
    }

    #[test]
    fn a_role_that_went_missing_is_named() {
        let gone = find(vec![marked("app_clone", "app", "ours")], "app_clone", "app");
        assert!(matches!(gone, Err(PostgresError::RoleMissing(role)) if role == "app"));
    }
}
