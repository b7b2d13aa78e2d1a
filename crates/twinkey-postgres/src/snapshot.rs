//! What the server says of the roles concerned, and of us: everything in one statement.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::error::PostgresError;
use crate::mark::Mark;
use crate::session::{Session, StatementError};

/// The roles asked for, those that carry a mark of ours, and the admin's own.
pub(crate) struct Snapshot {
    pub(crate) major_version: u32,
    pub(crate) read_only: bool,
    /// The server's clock.
    pub(crate) now: DateTime<Utc>,
    /// Whether the session may end others', and see when they began.
    pub(crate) may_end_sessions: bool,
    /// As whom the session logged in.
    pub(crate) login: String,
    /// As whom it acts.
    pub(crate) acts_as: String,
    roles: Vec<Role>,
}

/// One role, as far as it matters for its key or its twin.
#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)] // As the catalog has them.
pub(crate) struct Role {
    pub(crate) name: String,
    pub(crate) is_superuser: bool,
    pub(crate) may_create_roles: bool,
    pub(crate) may_create_databases: bool,
    pub(crate) may_log_in: bool,
    pub(crate) may_replicate: bool,
    pub(crate) bypasses_row_security: bool,
    pub(crate) connection_limit: i32,
    pub(crate) valid_until: Option<String>,
    pub(crate) is_expired: bool,
    pub(crate) comment: Option<String>,
    pub(crate) settings: Vec<Setting>,
    /// Whether it is the admin itself.
    pub(crate) is_me: bool,
    /// Whether the admin has ADMIN OPTION on it.
    pub(crate) is_administered: bool,
    /// Whether the admin may grant it: since version 16, whether ADMIN OPTION on it is its own, or of a
    /// role that it inherits from.
    pub(crate) is_grantable: bool,
    /// Whether the pair's original may act as it already.
    pub(crate) is_open_to_original: bool,
    /// What it was granted directly. Not looked up for roles that were not asked for.
    pub(crate) memberships: Vec<Membership>,
    /// As whom it may act. Not looked up for roles that were not asked for.
    pub(crate) may_act_as: Vec<String>,
}

/// A role that another was granted, by one or by many; with the options that any of them gave.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[allow(clippy::struct_excessive_bools)] // As the catalog has them.
pub(crate) struct Membership {
    pub(crate) role: String,
    /// May grant it on.
    pub(crate) admin: bool,
    /// Has its rights without acting as it. Before version 16 the member decides: always true here.
    pub(crate) inherit: bool,
    /// May act as it. Before version 16 always.
    pub(crate) set: bool,
    /// Those that are still there: before version 16 they may be gone.
    pub(crate) grantors: Vec<String>,
    /// Whether the admin may grant it, as of [`Role::is_grantable`].
    pub(crate) grantable: bool,
    /// Whether it is a superuser, which only superusers grant.
    pub(crate) is_superuser: bool,
}

impl Membership {
    pub(crate) fn options(&self) -> [bool; 3] {
        [self.admin, self.inherit, self.set]
    }
}

/// One entry of `ALTER ROLE … SET`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Setting {
    /// `ALTER ROLE … IN DATABASE`.
    pub(crate) database: Option<String>,
    pub(crate) name: String,
    pub(crate) value: String,
    /// Who may set it, where the server knows the name.
    pub(crate) context: Option<String>,
    /// Whether the admin was granted it by name.
    pub(crate) granted: bool,
}

impl Setting {
    /// Whether it says as whom to act.
    pub(crate) fn is_role(&self) -> bool {
        self.name.eq_ignore_ascii_case("role")
    }

    /// Whether an admin without further rights may copy it. The catalog keeps quiet about `role`.
    pub(crate) fn is_open(&self) -> bool {
        self.granted || self.is_role() || self.context.as_deref() == Some("user")
    }
}

impl Snapshot {
    /// Looks up roles by name; those that do not exist are not in it. Read-only.
    pub(crate) async fn take(
        session: &Session,
        original: &str,
        names: &[&str],
    ) -> Result<Self, StatementError> {
        let sql = query(session.major_version());
        let parameters: [(&(dyn ToSql + Sync), Type); 2] =
            [(&names, Type::TEXT_ARRAY), (&original, Type::TEXT)];
        let rows = session.query(&sql, &parameters).await?;
        // Our own role is always among them.
        let row = rows.first().ok_or(StatementError::Form)?;
        Ok(Self {
            major_version: session.major_version(),
            read_only: field(row, "read_only")?,
            now: DateTime::from_timestamp_micros(field(row, "now")?).ok_or(StatementError::Form)?,
            may_end_sessions: field(row, "may_end_sessions")?,
            login: field(row, "login")?,
            acts_as: field(row, "acts_as")?,
            roles: rows.iter().map(Role::read).collect::<Result<_, _>>()?,
        })
    }

    pub(crate) fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// A role that must be there.
    pub(crate) fn existing(&self, name: &str) -> Result<&Role, PostgresError> {
        self.role(name)
            .ok_or_else(|| PostgresError::RoleMissing(name.into()))
    }

    pub(crate) fn admin(&self) -> Option<&Role> {
        self.roles.iter().find(|role| role.is_me)
    }

    /// Every role with a mark, readable or not.
    pub(crate) fn marked(&self) -> impl Iterator<Item = (&Role, &str)> {
        self.roles.iter().filter_map(|role| {
            let comment = role.comment.as_deref()?;
            Mark::is_one(comment).then_some((role, comment))
        })
    }
}

impl Role {
    /// As whom its logins act in a database, by `ALTER ROLE … SET role`.
    pub(crate) fn acts_as(&self, database: &str) -> Option<&str> {
        let setting = self.role_set(Some(database)).or(self.role_set(None))?;
        // As itself, whatever a more general setting says.
        (setting != "none").then_some(setting)
    }

    /// As whom its logins act where no database says otherwise.
    pub(crate) fn acts_everywhere_as(&self) -> &str {
        let set = self.role_set(None).filter(|name| *name != "none");
        set.unwrap_or(&self.name)
    }

    pub(crate) fn membership(&self, role: &str) -> Option<&Membership> {
        self.memberships.iter().find(|one| one.role == role)
    }

    fn role_set(&self, database: Option<&str>) -> Option<&str> {
        let here =
            |setting: &&Setting| setting.is_role() && setting.database.as_deref() == database;
        let setting = self.settings.iter().find(here)?;
        Some(&setting.value)
    }

    fn read(row: &Row) -> Result<Self, StatementError> {
        Ok(Self {
            name: field(row, "name")?,
            is_superuser: field(row, "is_superuser")?,
            may_create_roles: field(row, "may_create_roles")?,
            may_create_databases: field(row, "may_create_databases")?,
            may_log_in: field(row, "may_log_in")?,
            may_replicate: field(row, "may_replicate")?,
            bypasses_row_security: field(row, "bypasses_row_security")?,
            connection_limit: field(row, "connection_limit")?,
            valid_until: field(row, "valid_until")?,
            is_expired: field(row, "is_expired")?,
            comment: field(row, "comment")?,
            settings: list(row, "settings")?,
            is_me: field(row, "is_me")?,
            is_administered: field(row, "is_administered")?,
            is_grantable: field(row, "is_grantable")?,
            is_open_to_original: field(row, "is_open_to_original")?,
            memberships: list(row, "memberships")?,
            may_act_as: list(row, "may_act_as")?,
        })
    }
}

fn list<T: DeserializeOwned>(row: &Row, name: &str) -> Result<Vec<T>, StatementError> {
    let json: String = field(row, name)?;
    serde_json::from_str(&json).map_err(|_| StatementError::Form)
}

fn field<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StatementError> {
    row.try_get(name).map_err(|_| StatementError::Form)
}

/// Rights on single parameters exist since version 15; before, anybody could set an unknown one.
/// <https://www.postgresql.org/docs/15/release-15.html>
/// Since version 16 a member may be one without the right to act as the role.
/// <https://www.postgresql.org/docs/16/release-16.html>
fn query(major_version: u32) -> String {
    let granted = if major_version >= 15 {
        "pg_catalog.has_parameter_privilege(entry.name, 'SET')"
    } else {
        "known.name IS NULL"
    };
    let (acting, inherit, set) = if major_version >= 16 {
        (
            "SET",
            "pg_catalog.bool_or(m.inherit_option)",
            "pg_catalog.bool_or(m.set_option)",
        )
    } else {
        ("MEMBER", "true", "true")
    };
    QUERY
        .replace("{inherit}", inherit)
        .replace("{set}", set)
        .replace("{granted}", granted)
        .replace("{acting}", acting)
}

const QUERY: &str = "
SELECT r.rolname::text AS name,
       r.rolsuper AS is_superuser,
       r.rolcreaterole AS may_create_roles,
       r.rolcreatedb AS may_create_databases,
       r.rolcanlogin AS may_log_in,
       r.rolreplication AS may_replicate,
       r.rolbypassrls AS bypasses_row_security,
       r.rolconnlimit AS connection_limit,
       r.rolvaliduntil::text AS valid_until,
       coalesce(r.rolvaliduntil <= pg_catalog.now(), false) AS is_expired,
       mark.description AS comment,
       coalesce((
           SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                      'database', d.datname, 'name', entry.name, 'value', entry.value,
                      'context', known.context, 'granted', {granted}))
             FROM pg_catalog.pg_db_role_setting s
             LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase
            CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS line
            CROSS JOIN LATERAL (
                      SELECT pg_catalog.split_part(line, '=', 1) AS name,
                             pg_catalog.substr(line, pg_catalog.strpos(line, '=') + 1) AS value
                  ) AS entry
             LEFT JOIN pg_catalog.pg_settings known
                    ON pg_catalog.lower(known.name) = pg_catalog.lower(entry.name)
            WHERE s.setrole = r.oid)::text, '[]') AS settings,
       r.rolname = current_user AS is_me,
       pg_catalog.pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION') AS is_administered,
       EXISTS (
           SELECT FROM pg_catalog.pg_auth_members a
            WHERE a.roleid = r.oid AND a.admin_option
              AND pg_catalog.pg_has_role(a.member, 'USAGE')) AS is_grantable,
       coalesce((
           SELECT pg_catalog.pg_has_role(o.oid, r.oid, 'MEMBER')
             FROM pg_catalog.pg_roles o
            WHERE o.rolname::text = $2), false) AS is_open_to_original,
       coalesce((
           SELECT pg_catalog.json_agg(pg_catalog.json_build_object(
                      'role', granted.rolname, 'admin', m.admin, 'inherit', m.inherit,
                      'set', m.set, 'grantors', m.grantors, 'is_superuser', granted.rolsuper,
                      'grantable', EXISTS (
                          SELECT FROM pg_catalog.pg_auth_members a
                           WHERE a.roleid = granted.oid AND a.admin_option
                             AND pg_catalog.pg_has_role(a.member, 'USAGE'))))
             FROM (SELECT m.roleid, pg_catalog.bool_or(m.admin_option) AS admin,
                          {inherit} AS inherit, {set} AS set,
                          coalesce(pg_catalog.array_agg(g.rolname) FILTER (WHERE g.oid IS NOT NULL), '{}')
                              AS grantors
                     FROM pg_catalog.pg_auth_members m
                     LEFT JOIN pg_catalog.pg_roles g ON g.oid = m.grantor
                    WHERE m.member = r.oid
                    GROUP BY m.roleid) m
             JOIN pg_catalog.pg_roles granted ON granted.oid = m.roleid
            WHERE r.rolname::text = ANY ($1) OR r.rolname = current_user)::text, '[]')
           AS memberships,
       coalesce((
           SELECT pg_catalog.json_agg(o.rolname)
             FROM pg_catalog.pg_roles o
            WHERE r.rolname::text = ANY ($1)
              AND pg_catalog.pg_has_role(r.oid, o.oid, '{acting}'))::text, '[]') AS may_act_as,
       (pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()) * 1000000)::bigint AS now,
       pg_catalog.pg_has_role('pg_signal_backend', 'USAGE')
           AND pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE') AS may_end_sessions,
       session_user::text AS login,
       current_user::text AS acts_as,
       pg_catalog.pg_is_in_recovery()
           OR pg_catalog.current_setting('transaction_read_only') = 'on' AS read_only
  FROM pg_catalog.pg_roles r
  LEFT JOIN pg_catalog.pg_shdescription mark
         ON mark.objoid = r.oid AND mark.classoid = 'pg_catalog.pg_authid'::pg_catalog.regclass
 WHERE r.rolname::text = ANY ($1)
    OR r.rolname = current_user
    OR pg_catalog.starts_with(mark.description, 'twinkey:')";

#[cfg(test)]
pub(crate) fn of_roles(major_version: u32, roles: Vec<Role>) -> Snapshot {
    Snapshot {
        major_version,
        read_only: false,
        now: DateTime::UNIX_EPOCH,
        may_end_sessions: false,
        login: "admin".into(),
        acts_as: "admin".into(),
        roles,
    }
}

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn plain_role(name: &str) -> Role {
    Role {
        name: name.into(),
        is_superuser: false,
        may_create_roles: false,
        may_create_databases: false,
        may_log_in: true,
        may_replicate: false,
        bypasses_row_security: false,
        connection_limit: -1,
        valid_until: None,
        is_expired: false,
        comment: None,
        settings: Vec::new(),
        is_me: false,
        is_administered: false,
        is_grantable: false,
        is_open_to_original: true,
        memberships: Vec::new(),
        may_act_as: Vec::new(),
    }
}
