//! What the first rotation will run itself, with the password's place left open.

use postgres_protocol::escape::escape_literal;

use crate::adoption::look::Look;
use crate::adoption::plan::mark;
use crate::adoption::report::TwinState;
use crate::error::PostgresError;
use crate::snapshot::Role;
use crate::statement;
use crate::verifier::Verifier;

/// No server reads any of this, so nobody can run it by mistake.
const NO_PASSWORD: &str = "<the verifier of a password that nobody knows yet>";
const NO_VALUE: &str = "<as it is now>";

pub(crate) fn first_rotation(look: &Look) -> Result<Vec<String>, PostgresError> {
    // Its verifier is only there to be taken out again.
    let verifier = Verifier::of(&"no password".to_owned().into())?;
    let standing = &look.standing;
    let sql = match (standing.twin_is, look.role(&standing.original)) {
        (TwinState::Foreign, _) | (_, None) => return Ok(Vec::new()),
        (TwinState::Missing, Some(original)) => {
            let admin = look.snapshot.admin().unwrap_or(original);
            let version = look.snapshot.major_version;
            let shown = without_values(original);
            statement::create_twin(&shown, admin, version, &verifier, &mark(look))
        }
        (TwinState::Ours | TwinState::OfAnotherTool, _) => {
            let other = if look.username == standing.original {
                &standing.twin
            } else {
                &standing.original
            };
            let there = standing.mark.clone().unwrap_or_else(|| mark(look));
            statement::replace(other, &verifier, &there)
        }
    };
    let sql = sql.replace(&escape_literal(verifier.expose()), NO_PASSWORD);
    let sql = sql.replace(&escape_literal(NO_VALUE), NO_VALUE);
    let mut shown = statements(&sql);
    shown.retain(|statement| statement != "COMMIT;");
    Ok(shown)
}

/// What the server does not know may be anything, a password too.
fn without_values(role: &Role) -> Role {
    let mut role = role.clone();
    for setting in &mut role.settings {
        if setting.context.is_none() && !setting.is_role() {
            setting.value = NO_VALUE.into();
        }
    }
    role
}

/// One by one. What is quoted ends nothing; a quote within quotes is doubled, so it ends and begins.
fn statements(sql: &str) -> Vec<String> {
    let mut quoted = None;
    let ends = |character: char| {
        match (quoted, character) {
            (None, '"' | '\'') => quoted = Some(character),
            (Some(quote), _) if quote == character => quoted = None,
            _ => {}
        }
        character == ';' && quoted.is_none()
    };
    let all = sql.split_inclusive(ends).map(str::trim);
    all.filter(|statement| !statement.is_empty())
        .map(Into::into)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_semicolon_within_quotes_ends_nothing() {
        let sql = "ALTER ROLE \"a;\"\"b;\" SET role TO  E'c\\\\;''d;'; COMMIT;";
        assert_eq!(
            statements(sql),
            [
                "ALTER ROLE \"a;\"\"b;\" SET role TO  E'c\\\\;''d;';",
                "COMMIT;"
            ]
        );
    }
}
