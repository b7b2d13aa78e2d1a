//! What would stop a rotation now, all of it at once: each check is the rotation's own.

use twinkey_core::ProviderError;

use crate::adoption::look::Look;
use crate::adoption::plan::{Plan, mark};
use crate::adoption::report::{MendedBy, Obstacle, TwinState};
use crate::error::PostgresError;
use crate::rights;
use crate::snapshot::Role;
use crate::statement;

/// What is in the way, and who can mend it.
pub(crate) struct InTheWay {
    pub(crate) error: PostgresError,
    pub(crate) mended_by: MendedBy,
}

impl InTheWay {
    pub(crate) fn find(look: &Look, plan: &Plan) -> Vec<Self> {
        let mut found = Vec::from_iter(look.standing.refusal.clone());
        found.extend(unseen(look));
        if look.standing.twin_is != TwinState::Foreign {
            found.extend(usable(look));
            found.extend(allowed(look));
            let acting = acting(look);
            // How they act is said once, with what mends it.
            let unequal = if acting.is_empty() {
                unequal(look)
            } else {
                None
            };
            found.extend(acting);
            found.extend(unequal);
        }
        let mut all: Vec<Self> = Vec::new();
        for error in found {
            // The same server is read-only for both roles.
            if !all
                .iter()
                .any(|it| it.error.to_string() == error.to_string())
            {
                let mended_by = who_mends(&error, look, plan);
                all.push(Self { error, mended_by });
            }
        }
        all
    }

    pub(crate) fn report(&self) -> Obstacle {
        let told = ProviderError::from(self.error.clone());
        Obstacle {
            error_type: told.code,
            message: told.message,
            hint: told.hint.filter(|_| self.mended_by != MendedBy::Statements),
            mended_by: self.mended_by,
        }
    }
}

fn who_mends(error: &PostgresError, look: &Look, plan: &Plan) -> MendedBy {
    let planned = match error {
        PostgresError::MissingRight { .. } => return MendedBy::Script,
        PostgresError::RoleActsAsOther { .. } | PostgresError::RoleNotMember { .. } => true,
        PostgresError::RoleMissing(role) => *role == look.standing.owner,
        PostgresError::ForeignTwin(_) | PostgresError::MarkMissing { .. } => {
            look.standing.twin_is == TwinState::OfAnotherTool
        }
        _ => false,
    };
    if planned && !plan.is_empty() {
        MendedBy::Statements
    } else {
        MendedBy::Hand
    }
}

/// What a login owns in a database that we cannot see would stay where it is.
fn unseen(look: &Look) -> impl Iterator<Item = PostgresError> {
    let givers = look.givers();
    let concerned = move |database: &str| {
        let mut holdings = look.holdings.iter();
        holdings.any(|it| {
            it.database.as_deref() == Some(database) && givers.contains(&it.role.as_str())
        })
    };
    let unseen = look.unseen.iter();
    unseen
        .filter(move |unseen| concerned(&unseen.database))
        .map(|unseen| PostgresError::DatabaseUnseen {
            database: unseen.database.clone(),
            reason: unseen.reason.clone(),
            admin: look.admin().into(),
        })
}

fn logins(look: &Look) -> impl Iterator<Item = &Role> {
    let logins = look.standing.logins().into_iter();
    logins.filter_map(|login| look.role(login))
}

fn usable(look: &Look) -> Vec<PostgresError> {
    logins(look)
        .filter_map(|role| rights::check_usable(&look.snapshot, &[role]).err())
        .collect()
}

fn allowed(look: &Look) -> Vec<PostgresError> {
    let owner = look.role(&look.standing.owner);
    let mut concerned: Vec<&Role> = logins(look).collect();
    // A third owner is granted to the twin.
    concerned.extend(owner.filter(|_| look.standing.twin_is != TwinState::Ours));
    let mut missing: Vec<PostgresError> = concerned
        .into_iter()
        .filter_map(|role| rights::check_change(&look.snapshot, &[role]).err())
        .collect();
    missing.extend(creating(look, owner));
    // And so is all that the original was granted.
    if look.standing.has_third_owner()
        && look.standing.twin_is == TwinState::Missing
        && let Some(original) = look.role(&look.standing.original)
    {
        missing.extend(rights::missing_for_memberships(&look.snapshot, original));
    }
    missing
}

/// What it takes to make the twin, or the mark on one that another tool has made.
fn creating(look: &Look, owner: Option<&Role>) -> Option<PostgresError> {
    let original = look.role(&look.standing.original)?;
    let owner = owner.unwrap_or(original);
    match look.standing.twin_is {
        TwinState::Missing => rights::check_creation(&look.snapshot, original, owner).err(),
        TwinState::OfAnotherTool => rights::check_owner(original, owner).err(),
        TwinState::Ours | TwinState::Foreign => None,
    }
}

/// In what the two logins of a pair of ours differ, with the SQL that mends it.
fn unequal(look: &Look) -> Option<PostgresError> {
    if look.standing.twin_is != TwinState::Ours {
        return None;
    }
    let original = look.role(&look.standing.original)?;
    let owed = look
        .snapshot
        .admin()
        .map(|admin| statement::attributes(original, admin, look.snapshot.major_version));
    rights::check_equal(&look.snapshot, &mark(look), owed.as_deref()).err()
}

fn acting(look: &Look) -> Vec<PostgresError> {
    let owner = &look.standing.owner;
    if look.role(owner).is_none() {
        return vec![PostgresError::RoleMissing(owner.clone())];
    }
    logins(look)
        .filter_map(|role| rights::check_acting(role, owner, &look.database).err())
        .collect()
}
