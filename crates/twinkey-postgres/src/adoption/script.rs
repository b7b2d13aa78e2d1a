//! The plan as a script for psql, for somebody who has the rights.

use std::fmt::Write as _;

use postgres_protocol::escape::{escape_identifier, escape_literal};
use twinkey_core::escape_control;

use crate::adoption::look::Look;
use crate::adoption::obstacles::InTheWay;
use crate::adoption::plan::{Plan, Step, Transaction};
use crate::adoption::report::MendedBy;
use crate::error::PostgresError;

/// Stops at the first error; what a transaction has not finished is undone by the end of the session.
const OPENING: &str = "\\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
";
const BEGIN: &str = "BEGIN;
SET LOCAL search_path = pg_catalog;
SET LOCAL lock_timeout = '5s';
";

/// The whole script. Holds no secret.
pub(crate) fn render(
    look: &Look,
    plan: &Plan,
    in_the_way: &[InTheWay],
) -> Result<String, PostgresError> {
    let mut script = opening(look);
    for obstacle in in_the_way {
        if obstacle.mended_by == MendedBy::Hand {
            say(&mut script, &format!("by hand: {}", obstacle.error));
        }
    }
    script.push_str(OPENING);
    let rights = missing_rights(look, in_the_way);
    if !rights.is_empty() {
        connect(&mut script, &look.home)?;
        let _ = writeln!(script, "{BEGIN}{rights}COMMIT;");
    }
    for transaction in &plan.transactions {
        connect(&mut script, &transaction.database)?;
        script.push_str(BEGIN);
        render_transaction(&mut script, look, transaction);
        script.push_str("COMMIT;\n");
    }
    Ok(script)
}

fn opening(look: &Look) -> String {
    let mut text = String::new();
    let standing = &look.standing;
    let secret = &look.address.secret;
    say(&mut text, &format!("twinkey adopt {secret}"));
    say(
        &mut text,
        &format!(
            "original {}, twin {}, owner {}",
            standing.original, standing.twin, standing.owner
        ),
    );
    say(
        &mut text,
        "Run it with psql as a superuser, or as a role that may grant these roles and what is granted here.",
    );
    text
}

/// No name breaks out of a comment.
fn say(text: &mut String, words: &str) {
    let _ = writeln!(text, "-- {}", escape_control(words));
}

/// What lets the admin rotate.
fn missing_rights(look: &Look, in_the_way: &[InTheWay]) -> String {
    let mut text = String::new();
    for obstacle in in_the_way {
        if let PostgresError::MissingRight { right, mend, .. } = &obstacle.error {
            say(&mut text, &format!("{} needs {right}", look.admin()));
            let _ = writeln!(text, "{mend}");
        }
    }
    text
}

/// As `pg_dump` does it: a name with an equals sign would be taken for a whole connection string, and no
/// name in a meta-command goes over the end of its line.
/// <https://www.postgresql.org/docs/current/app-psql.html>
fn connect(script: &mut String, database: &str) -> Result<(), PostgresError> {
    if database.contains(['\n', '\r']) {
        return Err(PostgresError::DatabaseUnspeakable(database.into()));
    }
    let name = database.replace('\\', "\\\\").replace('\'', "\\'");
    let conninfo = format!("dbname='{name}'").replace('"', "\"\"");
    let _ = writeln!(script, "\n\\connect -reuse-previous=on \"{conninfo}\"");
    Ok(())
}

fn render_transaction(script: &mut String, look: &Look, transaction: &Transaction) {
    let mut lent = 0;
    let mut returned = 0;
    for step in &transaction.steps {
        match step {
            Step::Run(run) => {
                say(script, &run.reason);
                let _ = writeln!(script, "{}", run.sql);
            }
            Step::Lend(role) => {
                lent += 1;
                lend(script, look, role, lent);
            }
            Step::TakeBack(role) => {
                returned += 1;
                let sql = format!("REVOKE {} FROM CURRENT_USER;", escape_identifier(role));
                condition(script, &format!("lent_{returned}"), &sql);
            }
            Step::Administer(role) => administer(script, look, role),
        }
    }
}

/// Nothing is lent to a superuser, or to a member.
fn lend(script: &mut String, look: &Look, role: &str, number: usize) {
    let name = escape_literal(role);
    let may_lend = if look.snapshot.major_version >= 16 {
        format!(
            "NOT EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid \
             JOIN pg_roles me ON me.oid = m.member AND me.oid = m.grantor \
             WHERE r.rolname = {name} AND me.rolname = current_user)"
        )
    } else {
        format!("NOT pg_has_role({name}, 'MEMBER')")
    };
    say(script, &format!("if need be, act as {role} until the end"));
    let _ = writeln!(
        script,
        "SELECT NOT pg_has_role({name}, 'USAGE') AND {may_lend} AS lent_{number} \\gset"
    );
    let options = if look.snapshot.major_version >= 16 {
        " WITH INHERIT TRUE, SET TRUE"
    } else {
        ""
    };
    let sql = format!(
        "GRANT {} TO CURRENT_USER{options};",
        escape_identifier(role)
    );
    condition(script, &format!("lent_{number}"), &sql);
}

fn condition(script: &mut String, variable: &str, sql: &str) {
    let _ = writeln!(script, "\\if :{variable}\n{sql}\n\\endif");
}

/// Before version 16 nobody needs it.
fn administer(script: &mut String, look: &Look, role: &str) {
    if look.snapshot.major_version < 16 {
        return;
    }
    let (admin, name) = (escape_literal(look.admin()), escape_literal(role));
    say(script, &format!("{} grants it to the twin", look.admin()));
    let _ = writeln!(
        script,
        "SELECT NOT pg_has_role({admin}, {name}, 'MEMBER WITH ADMIN OPTION') AS lacks \\gset"
    );
    let sql = format!(
        "GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE;",
        escape_identifier(role),
        escape_identifier(look.admin())
    );
    condition(script, "lacks", &sql);
}
