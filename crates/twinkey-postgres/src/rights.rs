//! Whether the admin may do what a rotation needs, checked before anything is changed. What is
//! missing comes with the SQL that mends it.

use postgres_protocol::escape::escape_identifier;

use crate::difference::differences;
use crate::error::{ADOPT, PostgresError};
use crate::mark::Mark;
use crate::snapshot::{Membership, Role, Setting, Snapshot};
use crate::statement;

/// From this version on, CREATEROLE alone changes nothing: it takes ADMIN OPTION on the role.
/// <https://www.postgresql.org/docs/16/release-16.html>
const ADMIN_OPTION_NEEDED: u32 = 16;

/// Whether the server takes changes, and these roles can be used once they are changed.
pub(crate) fn check_usable(snapshot: &Snapshot, roles: &[&Role]) -> Result<(), PostgresError> {
    if snapshot.read_only {
        return Err(PostgresError::ServerReadOnly);
    }
    for role in roles {
        if !role.may_log_in {
            return Err(PostgresError::RoleCannotLogIn(role.name.clone()));
        }
        if role.is_expired {
            return Err(PostgresError::RoleExpired(role.name.clone()));
        }
        if role.connection_limit == 0 && !role.is_superuser {
            return Err(PostgresError::RoleWithoutConnections(role.name.clone()));
        }
    }
    Ok(())
}

/// Whether what consumers create will belong to the owner. A login shows it, but only once the
/// role has a new password. (P6, P11)
pub(crate) fn check_acting(role: &Role, owner: &str, database: &str) -> Result<(), PostgresError> {
    let acts_as = role.acts_as(database).unwrap_or(&role.name);
    if acts_as != owner {
        return Err(PostgresError::RoleActsAsOther {
            role: role.name.clone(),
            acts_as: acts_as.into(),
            owner: owner.into(),
            mend: statement::act_as(role, owner, database),
        });
    }
    if role.name != owner && !role.may_act_as.iter().any(|other| other == owner) {
        return Err(PostgresError::RoleNotMember {
            role: role.name.clone(),
            owner: owner.into(),
        });
    }
    Ok(())
}

/// Whether a role acts as the owner in databases that its document does not name, as its twin will.
pub(crate) fn check_acting_everywhere(role: &Role, owner: &str) -> Result<(), PostgresError> {
    let acts_as = role.acts_everywhere_as();
    if acts_as == owner {
        return Ok(());
    }
    Err(PostgresError::RoleActsAsOther {
        role: role.name.clone(),
        acts_as: acts_as.into(),
        owner: owner.into(),
        mend: format!(
            "{ADOPT}, which hands over what {} owns, too",
            escape_identifier(&role.name)
        ),
    })
}

/// Whether the admin may end others' sessions, where the document wants that.
pub(crate) fn check_ending(snapshot: &Snapshot) -> Result<(), PostgresError> {
    match Rights::of(snapshot) {
        Some(rights) if !snapshot.may_end_sessions => Err(PostgresError::MissingRight {
            admin: rights.admin.name.clone(),
            right: "to end sessions and to see when they began".into(),
            mend: format!(
                "GRANT pg_signal_backend, pg_read_all_stats TO {};",
                escape_identifier(&rights.admin.name)
            ),
        }),
        _ => Ok(()),
    }
}

/// Whether the two roles of a pair can do the same once they are logged in.
pub(crate) fn check_equal(
    snapshot: &Snapshot,
    mark: &Mark,
    owed: Option<&[&str]>,
) -> Result<(), PostgresError> {
    let (original, twin) = (
        snapshot.existing(&mark.original)?,
        snapshot.existing(&mark.twin)?,
    );
    let version = snapshot.major_version;
    let found = differences(original, twin, &mark.owner, owed, version);
    if found.is_empty() {
        return Ok(());
    }
    Err(PostgresError::TwinsDiffer {
        original: mark.original.clone(),
        twin: mark.twin.clone(),
        differences: found,
    })
}

/// Whether the admin may change the passwords of both roles and the comment on one.
pub(crate) fn check_change(snapshot: &Snapshot, roles: &[&Role]) -> Result<(), PostgresError> {
    let Some(rights) = Rights::of(snapshot) else {
        return Ok(());
    };
    rights.check_createrole()?;
    rights.check_others(roles)?;
    for role in roles {
        rights.check_role(role)?;
    }
    Ok(())
}

/// Whether the pair may act as this owner. A document alone must not make a login that acts as
/// somebody else: only what the original may do already is shared with its twin. (P10)
pub(crate) fn check_owner(original: &Role, owner: &Role) -> Result<(), PostgresError> {
    if owner.name == original.name || owner.is_open_to_original {
        return Ok(());
    }
    Err(PostgresError::ForeignOwner {
        original: original.name.clone(),
        owner: owner.name.clone(),
    })
}

/// Whether the admin may create the twin of a role, acting as `owner`.
pub(crate) fn check_creation(
    snapshot: &Snapshot,
    original: &Role,
    owner: &Role,
) -> Result<(), PostgresError> {
    check_owner(original, owner)?;
    check_change(snapshot, &[original])?;
    let Some(rights) = Rights::of(snapshot) else {
        return Ok(());
    };
    if owner.name == original.name {
        rights.check_grantable(original)?;
    } else if let Some(error) = missing_for_memberships(snapshot, original).next() {
        return Err(error);
    }
    // The server asks for this attribute before the twin can act as its owner.
    if original.may_replicate && !rights.admin.may_replicate {
        return Err(rights.missing("REPLICATION, as the role has it", "REPLICATION"));
    }
    match original.settings.iter().find(|setting| !setting.is_open()) {
        Some(setting) => Err(rights.missing_setting(setting)),
        None => Ok(()),
    }
}

/// Why the admin could not grant the twin what the original was granted, for each role once.
pub(crate) fn missing_for_memberships(
    snapshot: &Snapshot,
    original: &Role,
) -> impl Iterator<Item = PostgresError> {
    let rights = Rights::of(snapshot);
    let check = move |one: &Membership| rights.as_ref()?.check_grant(one).err();
    original.memberships.iter().filter_map(check)
}

/// The rights of an admin who is no superuser.
struct Rights<'a> {
    admin: &'a Role,
    major_version: u32,
}

impl<'a> Rights<'a> {
    /// `None`: a superuser, who may do everything.
    fn of(snapshot: &'a Snapshot) -> Option<Self> {
        let admin = snapshot.admin().filter(|admin| !admin.is_superuser)?;
        Some(Self {
            admin,
            major_version: snapshot.major_version,
        })
    }

    fn check_createrole(&self) -> Result<(), PostgresError> {
        if self.admin.may_create_roles {
            return Ok(());
        }
        Err(self.missing("CREATEROLE", "CREATEROLE"))
    }

    /// Who makes a role has ADMIN OPTION on it, and so is its member: it cannot be a member of him too.
    fn check_others(&self, roles: &[&Role]) -> Result<(), PostgresError> {
        let is_its_own = roles.iter().any(|role| role.is_me);
        if self.major_version >= ADMIN_OPTION_NEEDED && is_its_own {
            return Err(PostgresError::AdminOfItself(self.admin.name.clone()));
        }
        Ok(())
    }

    fn check_role(&self, role: &Role) -> Result<(), PostgresError> {
        if role.is_superuser {
            return Err(PostgresError::SuperuserRole(role.name.clone()));
        }
        if self.major_version >= ADMIN_OPTION_NEEDED {
            return self.check_admin_option(role);
        }
        if role.may_replicate {
            // Before version 16 nobody else may alter a role with this attribute.
            let right = format!("SUPERUSER, because {} has REPLICATION", role.name);
            return Err(self.missing(&right, "SUPERUSER"));
        }
        Ok(())
    }

    fn check_admin_option(&self, role: &Role) -> Result<(), PostgresError> {
        if role.is_administered {
            return Ok(());
        }
        Err(self.missing_admin_option(&role.name))
    }

    /// Whether the twin can be granted the original.
    fn check_grantable(&self, role: &Role) -> Result<(), PostgresError> {
        if self.major_version < ADMIN_OPTION_NEEDED || role.is_grantable {
            return Ok(());
        }
        Err(self.missing_admin_option(&role.name))
    }

    /// Whether the twin can be granted what the original was.
    fn check_grant(&self, membership: &Membership) -> Result<(), PostgresError> {
        if membership.is_superuser {
            return Err(PostgresError::SuperuserRole(membership.role.clone()));
        }
        if self.major_version < ADMIN_OPTION_NEEDED || membership.grantable {
            return Ok(());
        }
        Err(self.missing_admin_option(&membership.role))
    }

    /// ADMIN OPTION alone: neither the role's rights nor acting as it are needed. What the admin has of it already stays as
    /// it is, whoever runs this: a second grantor's grant has options of its own.
    fn missing_admin_option(&self, role: &str) -> PostgresError {
        let held = self.admin.membership(role);
        let option = |held: bool| if held { "TRUE" } else { "FALSE" };
        let options = format!(
            "ADMIN TRUE, INHERIT {}, SET {}",
            option(held.is_some_and(|held| held.inherit)),
            option(held.is_some_and(|held| held.set))
        );
        PostgresError::MissingRight {
            admin: self.admin.name.clone(),
            right: format!("ADMIN OPTION on {role}"),
            mend: format!(
                "GRANT {} TO {} WITH {options};",
                escape_identifier(role),
                escape_identifier(&self.admin.name)
            ),
        }
    }

    fn missing_setting(&self, setting: &Setting) -> PostgresError {
        let admin = escape_identifier(&self.admin.name);
        PostgresError::MissingRight {
            admin: self.admin.name.clone(),
            right: format!("to copy the role's setting {}", setting.name),
            mend: if self.major_version >= 15 {
                let parameter = escape_identifier(&setting.name);
                format!("GRANT SET ON PARAMETER {parameter} TO {admin};")
            } else {
                format!("ALTER ROLE {admin} SUPERUSER;")
            },
        }
    }

    fn missing(&self, right: &str, attribute: &str) -> PostgresError {
        PostgresError::MissingRight {
            admin: self.admin.name.clone(),
            right: right.into(),
            mend: format!(
                "ALTER ROLE {} {attribute};",
                escape_identifier(&self.admin.name)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{of_roles, plain_role};

    fn admin() -> Role {
        Role {
            is_me: true,
            may_create_roles: true,
            ..plain_role("rotator")
        }
    }

    fn mend(result: Result<(), PostgresError>) -> String {
        match result {
            Err(PostgresError::MissingRight { mend, .. }) => mend,
            other => panic!("{other:?}"),
        }
    }

    fn creation(version: u32, admin: Role, original: &Role) -> Result<(), PostgresError> {
        check_creation(&of_roles(version, vec![admin]), original, original)
    }

    #[test]
    fn createrole_suffices_before_version_16_and_then_needs_admin_option() {
        let app = plain_role("app");
        assert!(creation(15, admin(), &app).is_ok());
        assert_eq!(
            mend(creation(16, admin(), &app)),
            "GRANT \"app\" TO \"rotator\" WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;"
        );
        let administered = Role {
            is_administered: true,
            is_grantable: true,
            ..app
        };
        assert!(creation(16, admin(), &administered).is_ok());
    }

    #[test]
    fn each_missing_right_comes_with_the_sql_that_mends_it() {
        let nobody = Role {
            may_create_roles: false,
            ..admin()
        };
        let app = plain_role("app");
        assert_eq!(
            mend(creation(15, nobody, &app)),
            "ALTER ROLE \"rotator\" CREATEROLE;"
        );
        let replica = Role {
            may_replicate: true,
            is_administered: true,
            is_grantable: true,
            ..app
        };
        assert_eq!(
            mend(creation(15, admin(), &replica)),
            "ALTER ROLE \"rotator\" SUPERUSER;"
        );
        assert_eq!(
            mend(creation(16, admin(), &replica)),
            "ALTER ROLE \"rotator\" REPLICATION;"
        );
    }

    #[test]
    fn a_setting_that_only_a_superuser_may_copy_is_found_before_anything_is_changed() {
        let setting = |context: Option<&str>, granted| Setting {
            database: None,
            name: "log_statement".into(),
            value: "all".into(),
            context: context.map(str::to_owned),
            granted,
        };
        for (setting, allowed) in [
            (setting(Some("user"), false), true),
            (setting(Some("superuser"), true), true),
            (setting(Some("superuser"), false), false),
            (setting(None, false), false),
        ] {
            let app = Role {
                settings: vec![setting],
                ..plain_role("app")
            };
            assert_eq!(creation(15, admin(), &app).is_ok(), allowed);
        }
    }

    #[test]
    fn a_superuser_may_everything_and_is_not_touched_by_anybody_else() {
        let app = Role {
            is_superuser: true,
            ..plain_role("app")
        };
        let refused = creation(15, admin(), &app);
        assert!(matches!(refused, Err(PostgresError::SuperuserRole(_))));
        let root = Role {
            is_superuser: true,
            ..admin()
        };
        assert!(creation(16, root, &app).is_ok());
    }
}
