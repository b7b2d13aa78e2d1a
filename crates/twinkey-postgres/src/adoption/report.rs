//! What a look at the server found: data for people and programs, without a value of any key.

use serde::Serialize;

/// What stands at the server, what is in the way of a rotation, and the SQL that mends it.
#[derive(Clone, Debug, Serialize)]
pub struct AdoptionReport {
    /// The server's address.
    pub server: String,
    /// Its major version.
    pub server_version: u32,
    /// Where consumers log in.
    pub database: String,
    /// The role by which we looked.
    pub admin: String,
    /// Who owns what the pair creates.
    pub layout: Layout,
    /// The login role that was there first.
    pub original: String,
    /// The other login role.
    pub twin: String,
    /// What the twin is today.
    pub twin_is: TwinState,
    /// The role that both act as.
    pub owner: String,
    /// These roles, as far as they exist.
    pub roles: Vec<RoleReport>,
    /// Memberships of these roles and in them, direct ones.
    pub memberships: Vec<Membership>,
    /// What they own, by role, database and kind.
    pub owned: Vec<Owned>,
    /// What others have granted them, by role, database and kind.
    pub grants: Vec<Granted>,
    /// `ALTER DEFAULT PRIVILEGES` of these roles and to them.
    pub default_privileges: Vec<DefaultPrivilege>,
    /// Who is logged in as one of them.
    pub connected: Vec<Connected>,
    /// Databases that could not be looked into, with the reason.
    pub unseen: Vec<Unseen>,
    /// What would stop a rotation now.
    pub in_the_way: Vec<Obstacle>,
    /// What a person should know.
    pub notes: Vec<String>,
    /// What the admin would run, in order; one transaction for each database.
    pub statements: Vec<Statement>,
    /// What the first rotation would run itself after that. The password's place is `<…>`.
    pub first_rotation: Vec<String>,
}

/// Who owns what the pair creates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// The original; its twin acts as it.
    Original,
    /// A third role; both act as it.
    ThirdRole,
}

/// What the twin is today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TwinState {
    /// It does not exist: the first rotation makes it.
    Missing,
    /// It carries our mark for this secret.
    Ours,
    /// It was made for this pair by another tool, and may act as the original or the owner.
    OfAnotherTool,
    /// Nothing shows that it belongs to this pair.
    Foreign,
}

/// One role.
#[derive(Clone, Debug, Serialize)]
pub struct RoleReport {
    /// Its name.
    pub name: String,
    /// Whether it exists.
    pub exists: bool,
    /// As `CREATE ROLE` spells them.
    pub attributes: Vec<String>,
    /// `COMMENT ON ROLE`; where twinkey keeps its mark.
    pub comment: Option<String>,
    /// `ALTER ROLE … SET`.
    pub settings: Vec<SettingReport>,
}

/// One entry of `ALTER ROLE … SET`.
#[derive(Clone, Debug, Serialize)]
pub struct SettingReport {
    /// In one database only.
    pub database: Option<String>,
    /// The parameter.
    pub name: String,
    /// Its value. Not shown for a parameter that the server does not know: it may be anything.
    pub value: Option<String>,
}

/// One direct membership.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Membership {
    /// The role that was granted.
    pub role: String,
    /// To whom.
    pub member: String,
    /// By whom.
    pub grantor: Option<String>,
    /// WITH ADMIN.
    pub admin: bool,
    /// WITH INHERIT; before PostgreSQL 16 the member's own attribute says so.
    pub inherit: Option<bool>,
    /// WITH SET, from PostgreSQL 16 on.
    pub set: Option<bool>,
}

/// What a role owns of one kind in one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Owned {
    /// The owner.
    pub role: String,
    /// `None`: shared by all databases, such as a database itself.
    pub database: Option<String>,
    /// As the server calls it.
    pub kind: String,
    /// How many.
    pub count: i64,
    /// The first of them. Empty where the database could not be looked into.
    pub names: Vec<String>,
}

/// On how many objects of one kind a role has been granted something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Granted {
    /// The role.
    pub role: String,
    /// `None`: shared by all databases.
    pub database: Option<String>,
    /// As the server calls it.
    pub kind: String,
    /// How many.
    pub count: usize,
}

/// One difference from what the server grants by default on new objects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DefaultPrivilege {
    /// The database.
    pub database: String,
    /// Whose new objects.
    pub creator: String,
    /// In one schema only.
    pub schema: Option<String>,
    /// TABLES, SEQUENCES, FUNCTIONS, TYPES, SCHEMAS or LARGE OBJECTS.
    pub objects: String,
    /// Granted, or taken from what is granted by default.
    pub granted: bool,
    /// What.
    pub privilege: String,
    /// `None`: PUBLIC.
    pub grantee: Option<String>,
    /// WITH GRANT OPTION.
    pub grantable: bool,
}

/// Sessions of one role that look alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Connected {
    /// As whom they logged in.
    pub role: String,
    /// Where.
    pub database: Option<String>,
    /// What they call themselves.
    pub application: String,
    /// From where; `None`: from the server's own machine, or hidden.
    pub address: Option<String>,
    /// The server does not tell: it takes membership in `pg_read_all_stats`.
    pub hidden: bool,
    /// How many.
    pub sessions: i64,
}

/// A database that could not be looked into.
#[derive(Clone, Debug, Serialize)]
pub struct Unseen {
    /// Its name.
    pub database: String,
    /// Why.
    pub reason: String,
}

/// Something that would stop a rotation.
#[derive(Clone, Debug, Serialize)]
pub struct Obstacle {
    /// The stable name of the error.
    pub error_type: &'static str,
    /// The error.
    pub message: String,
    /// What to do about it, as a rule SQL.
    pub hint: Option<String>,
    /// Who can.
    pub mended_by: MendedBy,
}

/// Who can mend what is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MendedBy {
    /// The statements, run by the admin.
    Statements,
    /// The script, run by somebody with more rights than the admin.
    Script,
    /// A person, who knows what was meant.
    Hand,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// In which database.
    pub database: String,
    /// It, with its semicolon.
    pub sql: String,
    /// Why, on one line.
    pub reason: String,
}
