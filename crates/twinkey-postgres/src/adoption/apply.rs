//! Running the plan as the admin.

use postgres_protocol::escape::escape_identifier;
use tokio_postgres::error::SqlState;
use twinkey_core::{Borrow, ProviderError};

use crate::admin;
use crate::adoption::look::{Look, stand};
use crate::adoption::obstacles::InTheWay;
use crate::adoption::plan::{Plan, Step, Transaction};
use crate::adoption::report::{MendedBy, Statement};
use crate::connection::Connector;
use crate::document::PostgresSecret;
use crate::error::{PostgresError, SCRIPT};
use crate::provider::doing;
use crate::session::{Session, StatementError};
use crate::turn;

const MEMBERSHIP: &str = "to lend itself the roles: CREATEROLE, from PostgreSQL 16 on ADMIN OPTION";

/// A statement, and what it takes.
pub(crate) struct Command {
    pub(crate) statement: Statement,
    right: &'static str,
}

/// Why nothing may be run.
pub(crate) fn stopped(in_the_way: &[InTheWay]) -> Option<ProviderError> {
    let unmended = |it: &&InTheWay| it.mended_by != MendedBy::Statements;
    // First what no script mends either.
    let by_hand = in_the_way.iter().find(|it| it.mended_by == MendedBy::Hand);
    let first = by_hand.or_else(|| in_the_way.iter().find(unmended))?;
    let mut error = ProviderError::from(first.error.clone());
    if first.mended_by == MendedBy::Script {
        let mend = error.hint.unwrap_or_default();
        error.hint = Some(format!("{mend} Or {SCRIPT}"));
    }
    Some(error)
}

/// Why there is nothing to hand over: a person must decide first.
pub(crate) fn undecided(plan: &Plan, in_the_way: &[InTheWay]) -> Option<ProviderError> {
    let missing = |it: &InTheWay| it.mended_by == MendedBy::Script;
    if plan.is_empty() && !in_the_way.iter().any(missing) {
        return stopped(in_the_way);
    }
    None
}

/// What the admin runs, in order.
pub(crate) fn commands(look: &Look, plan: &Plan) -> Vec<Vec<Command>> {
    let transactions = plan.transactions.iter();
    transactions
        .map(|transaction| in_transaction(look, transaction))
        .collect()
}

fn in_transaction(look: &Look, transaction: &Transaction) -> Vec<Command> {
    let command = |sql: String, reason: String, right| Command {
        statement: Statement {
            database: transaction.database.clone(),
            sql,
            reason,
        },
        right,
    };
    let admin = escape_identifier(look.admin());
    let steps = transaction.steps.iter().filter_map(|step| match step {
        Step::Run(run) => Some(command(run.sql.clone(), run.reason.clone(), run.right)),
        Step::Lend(role) => is_lent(look, role).then(|| {
            let options = if look.snapshot.major_version >= 16 {
                " WITH INHERIT TRUE, SET TRUE"
            } else {
                ""
            };
            let sql = format!("GRANT {} TO {admin}{options};", escape_identifier(role));
            let reason = format!("until the end of this transaction: to give away as {role}");
            command(sql, reason, MEMBERSHIP)
        }),
        Step::TakeBack(role) => is_lent(look, role).then(|| {
            let sql = format!("REVOKE {} FROM {admin};", escape_identifier(role));
            command(sql, "no right stays behind".into(), MEMBERSHIP)
        }),
        // Whoever makes a role has it.
        Step::Administer(_) => None,
    });
    steps.collect()
}

/// Whether the admin has to lend itself a role, and can without losing what it has.
fn is_lent(look: &Look, role: &str) -> bool {
    let root = look
        .snapshot
        .admin()
        .is_some_and(|admin| admin.is_superuser);
    let held = look.held(role);
    !root && held.is_none_or(|held| !held.is_used && held.is_lendable)
}

pub(crate) async fn run(
    connector: &Connector,
    borrow: &dyn Borrow,
    secret: &PostgresSecret,
    look: &Look,
    plan: &Plan,
) -> Result<Vec<Statement>, ProviderError> {
    let mut done: Vec<Statement> = Vec::new();
    for commands in commands(look, plan) {
        let Some(database) = commands.first().map(|it| it.statement.database.clone()) else {
            continue;
        };
        let session = admin::open_in(connector, borrow, secret, Some(&database)).await;
        let ran = match session {
            Ok(session) => in_one(session, secret, look, &commands).await,
            Err(error) => Err(error),
        };
        ran.map_err(|error| also(error, &done))?;
        done.extend(commands.into_iter().map(|command| command.statement));
    }
    Ok(done)
}

/// Hanging up undoes what is not committed.
async fn in_one(
    session: Session,
    secret: &PostgresSecret,
    look: &Look,
    commands: &[Command],
) -> Result<(), PostgresError> {
    let begin = turn::begin([&look.standing.original, &look.standing.twin]);
    let locked = session.execute(&begin).await;
    locked.map_err(doing("waiting for the roles' turn"))?;
    // Another secret may have got the pair since we looked.
    let (_, standing) = stand(&session, secret, &look.address).await?;
    if !standing.is_still(&look.standing) {
        return Err(PostgresError::PairChanged);
    }
    for command in commands {
        let ran = session.execute(&command.statement.sql).await;
        ran.map_err(|cause| failed(look, command, cause))?;
    }
    let committed = session.execute("COMMIT").await;
    committed.map_err(doing("committing what was adopted"))?;
    session.close().await;
    Ok(())
}

fn failed(look: &Look, command: &Command, cause: StatementError) -> PostgresError {
    if cause.state() != Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
        return doing("adopting the roles")(cause);
    }
    PostgresError::AdoptionDenied {
        admin: look.admin().into(),
        right: command.right,
        refused: format!("{} ({cause})", command.statement.sql),
    }
}

/// Each database is a transaction of its own: what was committed before stays.
fn also(error: PostgresError, done: &[Statement]) -> ProviderError {
    let mut error = ProviderError::from(error);
    if let Some(last) = done.last() {
        let count = done.len();
        let database = twinkey_core::escape_control(&last.database);
        error.message = format!(
            "{}; {count} statements were committed before, the last in {database}, and are not run again",
            error.message
        );
    }
    error
}
