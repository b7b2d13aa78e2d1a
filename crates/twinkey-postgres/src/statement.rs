//! The statements that change a role. Every name and value in them is quoted by the driver's
//! own functions; a password is in them only as its verifier.

use std::fmt::Write as _;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::mark::Mark;
use crate::snapshot::{Membership, Role, Setting};
use crate::verifier::Verifier;

/// Gives a role a new password, and writes the mark.
pub(crate) fn replace(role: &str, verifier: &Verifier, mark: &Mark) -> String {
    format!("{} {}", password(role, verifier), comment(mark))
}

/// Takes a role's password away: no password opens it any longer.
pub(crate) fn lock_out(role: &str) -> String {
    format!("ALTER ROLE {} PASSWORD NULL;", escape_identifier(role))
}

/// Ends both keys of a pair, and then the mark on it.
pub(crate) fn end_pair(original: &str, twin: &str) -> String {
    let (original, twin) = (escape_identifier(original), escape_identifier(twin));
    format!(
        "ALTER ROLE {original} PASSWORD NULL; ALTER ROLE {twin} PASSWORD NULL; \
         COMMENT ON ROLE {twin} IS NULL;"
    )
}

/// Creates the twin of `original`, with its attributes and settings, acting as the mark's owner.
pub(crate) fn create_twin(
    original: &Role,
    admin: &Role,
    major_version: u32,
    verifier: &Verifier,
    mark: &Mark,
) -> String {
    let twin = escape_identifier(&mark.twin);
    let mut sql = format!("CREATE ROLE {twin} LOGIN INHERIT");
    for attribute in attributes(original, admin, major_version) {
        let _ = write!(sql, " {attribute}");
    }
    let _ = write!(sql, " CONNECTION LIMIT {}", original.connection_limit);
    if let Some(time) = &original.valid_until {
        let _ = write!(sql, " VALID UNTIL {}", escape_literal(time));
    }
    let _ = write!(sql, "; {}", password(&mark.twin, verifier));
    sql.push_str(&memberships(original, mark, major_version));
    for setting in &original.settings {
        sql.push_str(&copy(&twin, setting));
    }
    let owner = escape_literal(&mark.owner);
    let _ = write!(sql, " ALTER ROLE {twin} SET role TO {owner};");
    let _ = write!(sql, " {}", comment(mark));
    sql
}

/// Lets a role's logins in a database act as the owner again, where the present setting stands.
pub(crate) fn act_as(role: &Role, owner: &str, database: &str) -> String {
    let name = escape_identifier(&role.name);
    let here =
        |setting: &Setting| setting.is_role() && setting.database.as_deref() == Some(database);
    let has_its_own = role.settings.iter().any(here);
    let place = place(&name, has_its_own.then_some(database));
    format!("ALTER ROLE {place} SET role TO {};", escape_literal(owner))
}

fn password(role: &str, verifier: &Verifier) -> String {
    format!(
        "ALTER ROLE {} PASSWORD {};",
        escape_identifier(role),
        escape_literal(verifier.expose())
    )
}

/// Writes the mark.
pub(crate) fn comment(mark: &Mark) -> String {
    format!(
        "COMMENT ON ROLE {} IS {};",
        escape_identifier(&mark.twin),
        escape_literal(&mark.render())
    )
}

/// What the original may do. The twin acts as its owner, whose attributes count as soon as it is
/// logged in; so it does without those that the admin may not give, except REPLICATION and
/// SUPERUSER, without which a rotation is not begun. NOINHERIT is not copied: the twin has its
/// rights, CONNECT among them, from its owner.
pub(crate) fn attributes(original: &Role, admin: &Role, major_version: u32) -> Vec<&'static str> {
    let may = |has: bool| admin.is_superuser || (major_version >= 16 && has);
    let mut attributes = Vec::new();
    if original.is_superuser {
        attributes.push("SUPERUSER");
    }
    if original.may_create_databases && (major_version < 16 || may(admin.may_create_databases)) {
        attributes.push("CREATEDB");
    }
    if original.may_create_roles {
        attributes.push("CREATEROLE");
    }
    if original.may_replicate {
        attributes.push("REPLICATION");
    }
    if original.bypasses_row_security && may(admin.bypasses_row_security) {
        attributes.push("BYPASSRLS");
    }
    attributes
}

/// Of the original, which `pg_hba.conf` or a database may know by name, if it is the owner; else of
/// whatever the original was granted, the owner among it: then neither login stands above the other.
fn memberships(original: &Role, mark: &Mark, major_version: u32) -> String {
    let twin = escape_identifier(&mark.twin);
    if mark.owner == mark.original {
        return format!(" GRANT {} TO {twin};", escape_identifier(&mark.original));
    }
    let mut sql = String::new();
    for membership in &original.memberships {
        let _ = write!(sql, " {}", grant(membership, &twin, major_version));
    }
    sql
}

/// Grants a role as another was granted it, to the option. `to` is quoted already.
pub(crate) fn grant(membership: &Membership, to: &str, major_version: u32) -> String {
    let role = escape_identifier(&membership.role);
    let options = if major_version >= 16 {
        let [admin, inherit, set] = membership
            .options()
            .map(|option| if option { "TRUE" } else { "FALSE" });
        format!(" WITH ADMIN {admin}, INHERIT {inherit}, SET {set}")
    } else if membership.admin {
        " WITH ADMIN OPTION".into()
    } else {
        String::new()
    };
    format!("GRANT {role} TO {to}{options};")
}

/// Settings that hold a list of names. Their stored form is quoted already, and quoting it
/// again would make one long name of it.
const LISTS: [&str; 6] = [
    "local_preload_libraries",
    "search_path",
    "session_preload_libraries",
    "shared_preload_libraries",
    "temp_tablespaces",
    "unix_socket_directories",
];

/// Gives a role a setting that another has, within a transaction. The role's name is quoted already.
pub(crate) fn copy(twin: &str, setting: &Setting) -> String {
    if setting.is_role() && setting.database.is_none() {
        // The twin acts as the owner.
        return String::new();
    }
    let name = setting.name.to_ascii_lowercase();
    let place = place(twin, setting.database.as_deref());
    let parameter = escape_identifier(&setting.name);
    let value = escape_literal(&setting.value);
    if !is_list(setting) {
        return format!(" ALTER ROLE {place} SET {parameter} TO {value};");
    }
    let literal = escape_literal(&name);
    format!(
        " SELECT pg_catalog.set_config({literal}, {value}, true); \
         ALTER ROLE {place} SET {parameter} FROM CURRENT; \
         SELECT pg_catalog.set_config('search_path', 'pg_catalog', true);"
    )
}

/// The same for whoever runs it outside a transaction, in which alone it has its effect.
pub(crate) fn copy_by_itself(twin: &str, setting: &Setting) -> String {
    let sql = copy(twin, setting);
    let sql = sql.trim_start();
    if is_list(setting) {
        format!("BEGIN; {sql} COMMIT;")
    } else {
        sql.to_owned()
    }
}

fn is_list(setting: &Setting) -> bool {
    LISTS.contains(&setting.name.to_ascii_lowercase().as_str())
}

/// Where a setting stands: at the role, or at the role in a database. The role's name is quoted already.
pub(crate) fn place(role: &str, database: Option<&str>) -> String {
    match database {
        Some(database) => format!("{role} IN DATABASE {}", escape_identifier(database)),
        None => role.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use twinkey_core::{SecretAddress, SecretId};

    use super::*;
    use crate::snapshot::plain_role;

    fn verifier() -> Verifier {
        Verifier::of(&"TEST-password".to_owned().into()).unwrap()
    }

    fn mark(original: &str, twin: &str) -> Mark {
        let address = SecretAddress {
            store: "store".into(),
            secret: SecretId::new("it's"),
        };
        Mark::new(address, original, twin, original)
    }

    #[test]
    fn hostile_names_stay_names() {
        let hostile = "a\"; DROP ROLE b; -- \\ ' %s";
        let original = plain_role(hostile);
        let mark = mark(hostile, "twin\"");
        let sql = create_twin(&original, &plain_role("admin"), 15, &verifier(), &mark);
        assert!(sql.starts_with("CREATE ROLE \"twin\"\"\" LOGIN"));
        assert!(sql.contains("GRANT \"a\"\"; DROP ROLE b; -- \\ ' %s\" TO \"twin\"\"\";"));
        assert!(sql.contains("SET role TO  E'a\"; DROP ROLE b; -- \\\\ '' %s';"));
        assert!(sql.contains("it''s"));
    }

    #[test]
    fn p8_no_password_is_in_any_statement() {
        let mark = mark("app", "app_clone");
        let created = create_twin(
            &plain_role("app"),
            &plain_role("admin"),
            15,
            &verifier(),
            &mark,
        );
        for sql in [created, replace("app", &verifier(), &mark)] {
            assert!(sql.contains("SCRAM-SHA-256$") && !sql.contains("TEST-password"));
        }
    }

    #[test]
    fn attributes_that_the_admin_may_not_give_are_left_to_the_owner() {
        let original = Role {
            may_create_databases: true,
            may_create_roles: true,
            bypasses_row_security: true,
            ..plain_role("app")
        };
        let given = |admin: &Role, version| attributes(&original, admin, version);
        let admin = plain_role("admin");
        assert_eq!(given(&admin, 15), ["CREATEDB", "CREATEROLE"]);
        assert_eq!(given(&admin, 16), ["CREATEROLE"]);
        let root = Role {
            is_superuser: true,
            ..admin
        };
        assert_eq!(given(&root, 15), ["CREATEDB", "CREATEROLE", "BYPASSRLS"]);
    }
}
