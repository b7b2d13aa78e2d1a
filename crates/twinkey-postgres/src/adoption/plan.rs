//! What has to be run before the first rotation: one transaction for each database.

use postgres_protocol::escape::escape_identifier;

use crate::adoption::database_look::Database;
use crate::adoption::default_privileges;
use crate::adoption::grants;
use crate::adoption::look::Look;
use crate::adoption::report::TwinState;
use crate::mark::Mark;
use crate::rights::check_owner;
use crate::snapshot::Role;
use crate::statement;

/// What an admin needs for statements about roles alone.
const ROLES: &str = "CREATEROLE, and from PostgreSQL 16 on ADMIN OPTION on the roles";
const GIVING: &str = "to act as both roles, and what the objects' new owner needs where they are";

/// In the order in which they run.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) transactions: Vec<Transaction>,
}

/// All of it, or nothing.
pub(crate) struct Transaction {
    pub(crate) database: String,
    pub(crate) steps: Vec<Step>,
}

/// One thing to do.
pub(crate) enum Step {
    Run(Run),
    /// Whoever runs it may act as the role until it is taken back, unless they may already.
    Lend(String),
    TakeBack(String),
    /// The admin gets ADMIN OPTION on a new role, unless it has it by having made the role.
    Administer(String),
}

/// One statement.
pub(crate) struct Run {
    pub(crate) sql: String,
    pub(crate) reason: String,
    /// What it takes, for whoever is refused.
    pub(crate) right: &'static str,
}

pub(crate) fn run(sql: String, reason: String, right: &'static str) -> Step {
    Step::Run(Run { sql, reason, right })
}

impl Plan {
    pub(crate) fn of(look: &Look) -> Self {
        if !is_agreed(look) {
            return Self::default();
        }
        let mut transactions = in_databases(look);
        let before = prepare(look);
        let after = conclude(look);
        if transactions.is_empty() && !(before.is_empty() && after.is_empty()) {
            transactions.push(Transaction {
                database: look.home.clone(),
                steps: Vec::new(),
            });
        }
        if let Some(first) = transactions.first_mut() {
            first.steps.splice(0..0, before);
        }
        if let Some(last) = transactions.last_mut() {
            last.steps.extend(after);
        }
        Self { transactions }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }
}

/// Whether it is certain whose roles these are. A document alone must not make a login act as a role
/// that exists and that it may not act as: that is for a person to grant. (P10)
fn is_agreed(look: &Look) -> bool {
    let standing = &look.standing;
    let roles = (look.role(&standing.original), look.role(&standing.owner));
    match standing.twin_is {
        TwinState::Foreign => false,
        TwinState::Ours => standing.refusal.is_none() && roles.1.is_some(),
        TwinState::Missing if standing.refusal.is_some() => false,
        TwinState::Missing | TwinState::OfAnotherTool => match roles {
            (Some(original), Some(owner)) => check_owner(original, owner).is_ok(),
            (original, None) => original.is_some(),
            (None, _) => false,
        },
    }
}

fn prepare(look: &Look) -> Vec<Step> {
    let standing = &look.standing;
    let owner = escape_identifier(&standing.owner);
    let mut steps = Vec::new();
    if let (None, Some(original)) = (look.role(&standing.owner), look.role(&standing.original)) {
        steps.push(run(
            format!("CREATE ROLE {owner} NOLOGIN{};", attributes(original)),
            format!(
                "the owner that both logins act as; it may what {} may",
                standing.original
            ),
            ROLES,
        ));
        steps.push(Step::Administer(standing.owner.clone()));
    }
    let options = if look.snapshot.major_version >= 16 {
        " WITH INHERIT TRUE, SET TRUE"
    } else {
        ""
    };
    for login in look.givers() {
        if !may_act_as_owner(look, login) {
            steps.push(run(
                format!("GRANT {owner} TO {}{options};", escape_identifier(login)),
                format!("{login} acts as the owner"),
                ROLES,
            ));
        }
    }
    if standing.has_third_owner() {
        steps.extend(grants::memberships(look));
    }
    steps
}

/// What counts for the role that a session acts as. REPLICATION counts at the login.
fn attributes(original: &Role) -> String {
    [
        (original.is_superuser, " SUPERUSER"),
        (original.may_create_databases, " CREATEDB"),
        (original.may_create_roles, " CREATEROLE"),
        (original.bypasses_row_security, " BYPASSRLS"),
    ]
    .into_iter()
    .filter_map(|(has, attribute)| has.then_some(attribute))
    .collect()
}

fn may_act_as_owner(look: &Look, login: &str) -> bool {
    let owner = &look.standing.owner;
    look.role(login)
        .is_some_and(|role| role.may_act_as.contains(owner))
}

/// The document's database first. What all databases share goes with the first of them.
fn in_databases(look: &Look) -> Vec<Transaction> {
    let mut databases: Vec<&Database> = look.databases.iter().collect();
    databases.sort_by_key(|database| (database.name != look.database, database.name.clone()));
    let mut transactions = Vec::new();
    let mut shared = true;
    for database in databases {
        let steps = in_database(look, database, shared);
        if !steps.is_empty() {
            shared = false;
            transactions.push(Transaction {
                database: database.name.clone(),
                steps,
            });
        }
    }
    transactions
}

fn in_database(look: &Look, database: &Database, shared: bool) -> Vec<Step> {
    let mut steps = Vec::new();
    if look.standing.has_third_owner() {
        steps.extend(grants::objects(look, database, shared));
        steps.extend(grants::policies(look, database));
    }
    let given: Vec<Step> = look
        .givers()
        .into_iter()
        .filter_map(|giver| hand_over(look, database, giver, shared))
        .chain(default_privileges::moved(look, database))
        .collect();
    if given.is_empty() {
        return steps;
    }
    let mut roles = look.givers();
    roles.push(&look.standing.owner);
    // First the rights that new owners must have where the objects are.
    steps.extend(roles.iter().map(|role| Step::Lend((*role).into())));
    steps.extend(given);
    steps.extend(roles.iter().map(|role| Step::TakeBack((*role).into())));
    steps
}

/// REASSIGN OWNED takes all that a role owns in a database, and what it owns beside all databases. All
/// of it was made by a login of the pair, so all of it is the owner's. User mappings are not among it.
/// <https://www.postgresql.org/docs/current/sql-reassign-owned.html>
fn hand_over(look: &Look, database: &Database, giver: &str, shared: bool) -> Option<Step> {
    let kinds = database.owned.iter().filter(|owned| {
        owned.role == giver && (shared || !owned.is_shared) && owned.kind != "user mapping"
    });
    let count: i64 = kinds.map(|owned| owned.count).sum();
    let owner = &look.standing.owner;
    (count > 0).then(|| {
        run(
            format!(
                "REASSIGN OWNED BY {} TO {};",
                escape_identifier(giver),
                escape_identifier(owner)
            ),
            format!("what {giver} owns here belongs to {owner}; objects: {count}"),
            GIVING,
        )
    })
}

fn conclude(look: &Look) -> Vec<Step> {
    let standing = &look.standing;
    let mut steps = Vec::new();
    for login in standing.logins() {
        let Some(role) = look.role(login) else {
            continue;
        };
        if role.acts_as(&look.database).unwrap_or(login) != standing.owner {
            steps.push(run(
                statement::act_as(role, &standing.owner, &look.database),
                format!(
                    "what {login} creates from now on belongs to {}",
                    standing.owner
                ),
                ROLES,
            ));
        }
    }
    if standing.twin_is == TwinState::OfAnotherTool {
        steps.push(run(
            statement::comment(&mark(look)),
            format!("{} is the twin of this secret from now on", standing.twin),
            ROLES,
        ));
    }
    steps
}

/// The mark of the pair before its first change.
pub(crate) fn mark(look: &Look) -> Mark {
    let standing = &look.standing;
    let address = look.address.clone();
    Mark::new(address, &standing.original, &standing.twin, &standing.owner)
}
