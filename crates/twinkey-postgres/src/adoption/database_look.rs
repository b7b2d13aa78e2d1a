//! What one database says of the roles: what they own there, what is granted to them, and what will be.

use tokio_postgres::Row;

use crate::adoption::report::DefaultPrivilege;
use crate::adoption::server_look::{database, field, rows};
use crate::session::{Session, StatementError};

/// How many names of each kind are shown.
const NAMES: usize = 20;

/// One database.
pub(crate) struct Database {
    pub(crate) name: String,
    pub(crate) owned: Vec<OwnedKind>,
    pub(crate) grants: Vec<Grant>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) defaults: Vec<DefaultPrivilege>,
}

/// What a role owns of one kind.
pub(crate) struct OwnedKind {
    pub(crate) role: String,
    /// Shared by all databases; told by each.
    pub(crate) is_shared: bool,
    pub(crate) kind: String,
    pub(crate) count: i64,
    pub(crate) names: Vec<String>,
}

/// One privilege on one object, granted to a role.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Grant {
    pub(crate) role: String,
    pub(crate) owner: Option<String>,
    pub(crate) is_shared: bool,
    /// As `GRANT … ON` calls it.
    pub(crate) kind: String,
    /// The object, quoted and with its schema.
    pub(crate) object: String,
    /// With its column, if it is for one.
    pub(crate) privilege: String,
    pub(crate) is_grantable: bool,
}

/// A row security policy for some of the roles.
pub(crate) struct Policy {
    pub(crate) name: String,
    /// Quoted and with its schema.
    pub(crate) table: String,
    pub(crate) roles: Vec<String>,
}

impl Database {
    pub(crate) async fn look(session: &Session, roles: &[&str]) -> Result<Self, StatementError> {
        Ok(Self {
            name: database(session).await?,
            owned: owned(session, roles).await?,
            grants: grants(session, roles).await?,
            policies: policies(session, roles).await?,
            defaults: defaults(session, roles).await?,
        })
    }
}

/// Default privileges are listed as what they are, not as something owned.
async fn owned(session: &Session, roles: &[&str]) -> Result<Vec<OwnedKind>, StatementError> {
    let sql = format!(
        "SELECT r.rolname::text AS role, s.dbid = 0 AS is_shared, i.type AS kind, count(*) AS count,
                (array_agg(i.identity ORDER BY i.identity))[1:{NAMES}] AS names
           FROM pg_shdepend s
           JOIN pg_roles r ON r.oid = s.refobjid AND s.refclassid = 'pg_authid'::regclass
          CROSS JOIN LATERAL pg_identify_object(s.classid, s.objid, s.objsubid) i
          WHERE s.deptype = 'o' AND s.classid <> 'pg_default_acl'::regclass
            AND r.rolname::text = ANY ($1)
            AND s.dbid IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
          GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
    );
    let read = |row: &Row| {
        Ok(OwnedKind {
            role: field(row, "role")?,
            is_shared: field(row, "is_shared")?,
            kind: field(row, "kind")?,
            count: field(row, "count")?,
            names: field(row, "names")?,
        })
    };
    rows(session, &sql, roles, read).await
}

async fn grants(session: &Session, roles: &[&str]) -> Result<Vec<Grant>, StatementError> {
    // Rights on single parameters exist since version 15.
    let parameters = if session.major_version() >= 15 {
        "UNION ALL SELECT 'PARAMETER', 'pg_parameter_acl'::regclass, oid, NULL, paracl, NULL, true
           FROM pg_parameter_acl"
    } else {
        ""
    };
    let sql = GRANTS.replace("{parameters}", parameters);
    let read = |row: &Row| {
        Ok(Grant {
            role: field(row, "role")?,
            owner: field(row, "owner")?,
            is_shared: field(row, "is_shared")?,
            kind: field(row, "kind")?,
            object: field(row, "object")?,
            privilege: field(row, "privilege")?,
            is_grantable: field(row, "is_grantable")?,
        })
    };
    rows(session, &sql, roles, read).await
}

/// What an owner has on its own objects is no grant.
const GRANTS: &str = "
WITH acls (kind, classid, objid, attribute, acl, owner, is_shared) AS (
    SELECT CASE relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, 'pg_class'::regclass, oid,
           NULL::name, relacl, relowner, false FROM pg_class
    UNION ALL SELECT 'TABLE', 'pg_class'::regclass, c.oid, a.attname, a.attacl, c.relowner, false
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE NOT a.attisdropped
    UNION ALL SELECT 'ROUTINE', 'pg_proc'::regclass, oid, NULL, proacl, proowner, false FROM pg_proc
    UNION ALL SELECT 'SCHEMA', 'pg_namespace'::regclass, oid, NULL, nspacl, nspowner, false
      FROM pg_namespace
    UNION ALL SELECT 'TYPE', 'pg_type'::regclass, oid, NULL, typacl, typowner, false FROM pg_type
    UNION ALL SELECT 'LANGUAGE', 'pg_language'::regclass, oid, NULL, lanacl, lanowner, false
      FROM pg_language
    UNION ALL SELECT 'FOREIGN DATA WRAPPER', 'pg_foreign_data_wrapper'::regclass, oid, NULL, fdwacl,
           fdwowner, false FROM pg_foreign_data_wrapper
    UNION ALL SELECT 'FOREIGN SERVER', 'pg_foreign_server'::regclass, oid, NULL, srvacl, srvowner,
           false FROM pg_foreign_server
    UNION ALL SELECT 'LARGE OBJECT', 'pg_largeobject'::regclass, oid, NULL, lomacl, lomowner, false
      FROM pg_largeobject_metadata
    UNION ALL SELECT 'DATABASE', 'pg_database'::regclass, oid, NULL, datacl, datdba, true
      FROM pg_database
    UNION ALL SELECT 'TABLESPACE', 'pg_tablespace'::regclass, oid, NULL, spcacl, spcowner, true
      FROM pg_tablespace
    {parameters}
)
SELECT r.rolname::text AS role, o.rolname::text AS owner, a.is_shared, a.kind,
       i.identity AS object,
       e.privilege_type || coalesce(' (' || quote_ident(a.attribute) || ')', '') AS privilege,
       bool_or(e.is_grantable) AS is_grantable
  FROM acls a
 CROSS JOIN LATERAL aclexplode(a.acl) e
  JOIN pg_roles r ON r.oid = e.grantee
  LEFT JOIN pg_roles o ON o.oid = a.owner
 CROSS JOIN LATERAL pg_identify_object(a.classid, a.objid, 0) i
 WHERE a.acl IS NOT NULL AND r.rolname::text = ANY ($1) AND a.owner IS DISTINCT FROM e.grantee
 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 4, 5, 6";

async fn policies(session: &Session, roles: &[&str]) -> Result<Vec<Policy>, StatementError> {
    const SQL: &str = "
        SELECT p.polname::text AS name, i.identity AS table,
               (SELECT array_agg(r.rolname::text ORDER BY r.rolname)
                  FROM pg_roles r WHERE r.oid = ANY (p.polroles)) AS roles
          FROM pg_policy p
         CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, p.polrelid, 0) i
         WHERE EXISTS (SELECT FROM pg_roles r
                        WHERE r.oid = ANY (p.polroles) AND r.rolname::text = ANY ($1))
         ORDER BY 2, 1";
    let read = |row: &Row| {
        Ok(Policy {
            name: field(row, "name")?,
            table: field(row, "table")?,
            roles: field(row, "roles")?,
        })
    };
    rows(session, SQL, roles, read).await
}

/// An entry for one schema adds to what is granted by default; an entry for all of them stands in its
/// place, so what is not in it has been revoked.
async fn defaults(
    session: &Session,
    roles: &[&str],
) -> Result<Vec<DefaultPrivilege>, StatementError> {
    const SQL: &str = "
        WITH entries AS (
            SELECT d.*, creator.rolname::text AS creator, n.nspname::text AS schema,
                   acldefault((CASE d.defaclobjtype WHEN 'S' THEN 's' ELSE d.defaclobjtype END)::\"char\",
                              d.defaclrole) AS usual,
                   CASE d.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
                        WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS'
                        ELSE 'LARGE OBJECTS' END AS objects
              FROM pg_default_acl d
              JOIN pg_roles creator ON creator.oid = d.defaclrole
              LEFT JOIN pg_namespace n ON n.oid = d.defaclnamespace
        ), told AS (
            SELECT e.creator, e.schema, e.objects, true AS granted, x.*
              FROM entries e CROSS JOIN LATERAL (
                   SELECT grantee, privilege_type, is_grantable FROM aclexplode(e.defaclacl)
                   EXCEPT
                   SELECT grantee, privilege_type, is_grantable FROM aclexplode(e.usual)
                    WHERE e.defaclnamespace = 0) x
            UNION ALL
            SELECT e.creator, e.schema, e.objects, false, x.*, false
              FROM entries e CROSS JOIN LATERAL (
                   SELECT grantee, privilege_type FROM aclexplode(e.usual)
                    WHERE e.defaclnamespace = 0
                   EXCEPT
                   SELECT grantee, privilege_type FROM aclexplode(e.defaclacl)) x
        )
        SELECT current_database()::text AS database, t.creator, t.schema, t.objects, t.granted,
               t.privilege_type AS privilege, g.rolname::text AS grantee, t.is_grantable AS grantable
          FROM told t LEFT JOIN pg_roles g ON g.oid = t.grantee
         WHERE t.creator = ANY ($1) OR g.rolname::text = ANY ($1)
         ORDER BY 2, 3, 4, 5, 7, 6";
    let read = |row: &Row| {
        Ok(DefaultPrivilege {
            database: field(row, "database")?,
            creator: field(row, "creator")?,
            schema: field(row, "schema")?,
            objects: field(row, "objects")?,
            granted: field(row, "granted")?,
            privilege: field(row, "privilege")?,
            grantee: field(row, "grantee")?,
            grantable: field(row, "grantable")?,
        })
    };
    rows(session, SQL, roles, read).await
}
