//! What the server as a whole says of the roles: true in every database.

use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::adoption::report::{Connected, Membership};
use crate::session::{Session, StatementError};

/// A role, as far as adoption needs more of it than a rotation.
pub(crate) struct Held {
    pub(crate) name: String,
    pub(crate) inherits: bool,
    /// The admin may use its rights now.
    pub(crate) is_used: bool,
    /// The admin may lend itself the role and give it back without losing what it has.
    pub(crate) is_lendable: bool,
}

/// What a database holds of a role, from afar.
pub(crate) struct Holding {
    /// `None`: shared by all databases.
    pub(crate) database: Option<String>,
    pub(crate) role: String,
    /// The system catalog that lists such objects.
    pub(crate) catalog: String,
    pub(crate) is_owned: bool,
    pub(crate) count: i64,
}

pub(crate) async fn held(session: &Session, roles: &[&str]) -> Result<Vec<Held>, StatementError> {
    let lendable = if session.major_version() >= 16 {
        "NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles me ON me.rolname = current_user
                      WHERE m.roleid = r.oid AND m.member = me.oid AND m.grantor = me.oid)"
    } else {
        "NOT pg_has_role(r.oid, 'MEMBER')"
    };
    let sql = format!(
        "SELECT r.rolname::text AS name, r.rolinherit AS inherits,
                pg_has_role(r.oid, 'USAGE') AS is_used, {lendable} AS is_lendable
           FROM pg_roles r WHERE r.rolname::text = ANY ($1)"
    );
    let read = |row: &Row| {
        Ok(Held {
            name: field(row, "name")?,
            inherits: field(row, "inherits")?,
            is_used: field(row, "is_used")?,
            is_lendable: field(row, "is_lendable")?,
        })
    };
    rows(session, &sql, roles, read).await
}

pub(crate) async fn memberships(
    session: &Session,
    roles: &[&str],
) -> Result<Vec<Membership>, StatementError> {
    let options = if session.major_version() >= 16 {
        "m.inherit_option AS inherit, m.set_option AS set"
    } else {
        "NULL::boolean AS inherit, NULL::boolean AS set"
    };
    let sql = format!(
        "SELECT r.rolname::text AS role, member.rolname::text AS member,
                grantor.rolname::text AS grantor, m.admin_option AS admin, {options}
           FROM pg_auth_members m
           JOIN pg_roles r ON r.oid = m.roleid
           JOIN pg_roles member ON member.oid = m.member
           LEFT JOIN pg_roles grantor ON grantor.oid = m.grantor
          WHERE r.rolname::text = ANY ($1) OR member.rolname::text = ANY ($1)
          ORDER BY 1, 2, 3"
    );
    let read = |row: &Row| {
        Ok(Membership {
            role: field(row, "role")?,
            member: field(row, "member")?,
            grantor: field(row, "grantor")?,
            admin: field(row, "admin")?,
            inherit: field(row, "inherit")?,
            set: field(row, "set")?,
        })
    };
    rows(session, &sql, roles, read).await
}

/// What is owned by the roles or granted to them in all databases, also those that are closed to us.
pub(crate) async fn holdings(
    session: &Session,
    roles: &[&str],
) -> Result<Vec<Holding>, StatementError> {
    const SQL: &str = "
        SELECT d.datname::text AS database, r.rolname::text AS role, s.classid::regclass::text AS catalog,
               s.deptype = 'o' AS is_owned, count(*) AS count
          FROM pg_shdepend s
          JOIN pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass
          LEFT JOIN pg_database d ON d.oid = s.dbid
         WHERE r.rolname::text = ANY ($1) AND s.classid <> 'pg_auth_members'::regclass
         GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4";
    let read = |row: &Row| {
        Ok(Holding {
            database: field(row, "database")?,
            role: field(row, "role")?,
            catalog: field(row, "catalog")?,
            is_owned: field(row, "is_owned")?,
            count: field(row, "count")?,
        })
    };
    rows(session, SQL, roles, read).await
}

/// Without `pg_read_all_stats` the server hides from where others are connected.
pub(crate) async fn connected(
    session: &Session,
    roles: &[&str],
) -> Result<Vec<Connected>, StatementError> {
    const SQL: &str = "
        SELECT a.usename::text AS role, a.datname::text AS database,
               coalesce(a.application_name, '') AS application, host(a.client_addr) AS address,
               coalesce(a.query = '<insufficient privilege>', false) AS hidden, count(*) AS sessions
          FROM pg_stat_activity a
         WHERE a.usename::text = ANY ($1) AND a.pid <> pg_backend_pid()
         GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4";
    let read = |row: &Row| {
        Ok(Connected {
            role: field(row, "role")?,
            database: field(row, "database")?,
            application: field(row, "application")?,
            address: field(row, "address")?,
            hidden: field(row, "hidden")?,
            sessions: field(row, "sessions")?,
        })
    };
    rows(session, SQL, roles, read).await
}

/// The session's database.
pub(crate) async fn database(session: &Session) -> Result<String, StatementError> {
    let rows = session
        .query("SELECT current_database()::text AS name", &[])
        .await?;
    field(rows.first().ok_or(StatementError::Form)?, "name")
}

/// Rows about roles, which are the statement's only parameter.
pub(crate) async fn rows<T>(
    session: &Session,
    sql: &str,
    roles: &[&str],
    read: impl Fn(&Row) -> Result<T, StatementError>,
) -> Result<Vec<T>, StatementError> {
    let parameters: [(&(dyn ToSql + Sync), Type); 1] = [(&roles, Type::TEXT_ARRAY)];
    let rows = session.query(sql, &parameters).await?;
    rows.iter().map(read).collect()
}

pub(crate) fn field<'a, T: FromSql<'a>>(row: &'a Row, name: &str) -> Result<T, StatementError> {
    row.try_get(name).map_err(|_| StatementError::Form)
}
