//! `ALTER DEFAULT PRIVILEGES`: they go by who creates an object, and that is the owner from now on.

use postgres_protocol::escape::escape_identifier;

use crate::adoption::database_look::Database;
use crate::adoption::grants::grantable;
use crate::adoption::look::Look;
use crate::adoption::plan::{Step, run};
use crate::adoption::report::DefaultPrivilege;

const RIGHT: &str = "to act as the role whose default privileges they are";

/// Those of the logins become the owner's, and those that others grant to the original are granted to
/// a third owner as well.
pub(crate) fn moved(look: &Look, database: &Database) -> Vec<Step> {
    let owner = look.standing.owner.as_str();
    let givers = look.givers();
    let is_giver = |name: &str| givers.contains(&name);
    let mut steps = Vec::new();
    for known in alike(&database.defaults) {
        if is_giver(&known[0].creator) {
            let wanted = mapped(known, &givers, owner);
            let missing: Vec<_> = wanted
                .iter()
                .filter(|it| !database.defaults.contains(it))
                .collect();
            let reason = format!("as for what {} creates", known[0].creator);
            steps.extend(statement(&missing, true, reason));
            let reason = format!("{} creates nothing any longer as itself", known[0].creator);
            let taken: Vec<_> = known.iter().collect();
            steps.extend(statement(&taken, false, reason));
        } else if known[0].grantee.as_deref() == Some(&look.standing.original)
            && look.standing.has_third_owner()
        {
            let granted = known.iter().map(|it| DefaultPrivilege {
                grantee: Some(owner.into()),
                ..it.clone()
            });
            let granted: Vec<_> = granted
                .filter(|it| !database.defaults.contains(it))
                .collect();
            let reason = format!("as {} is granted", look.standing.original);
            steps.extend(statement(&granted.iter().collect::<Vec<_>>(), true, reason));
        }
    }
    steps
}

/// What one statement can say.
fn alike(all: &[DefaultPrivilege]) -> impl Iterator<Item = &[DefaultPrivilege]> {
    all.chunk_by(|one, next| {
        *one == DefaultPrivilege {
            privilege: one.privilege.clone(),
            ..next.clone()
        }
    })
}

fn mapped(known: &[DefaultPrivilege], givers: &[&str], owner: &str) -> Vec<DefaultPrivilege> {
    let mapped = |it: &DefaultPrivilege| DefaultPrivilege {
        creator: owner.into(),
        grantee: it.grantee.as_deref().map(|grantee| {
            if givers.contains(&grantee) {
                owner.into()
            } else {
                grantee.into()
            }
        }),
        ..it.clone()
    };
    known.iter().map(mapped).collect()
}

/// Makes these so, or takes them back.
fn statement(these: &[&DefaultPrivilege], so: bool, reason: String) -> Option<Step> {
    let first = these.first()?;
    let schema = first.schema.as_ref();
    let schema = schema.map(|name| format!(" IN SCHEMA {}", escape_identifier(name)));
    let privileges: Vec<&str> = these.iter().map(|it| it.privilege.as_str()).collect();
    let grantee = match &first.grantee {
        Some(grantee) => escape_identifier(grantee),
        None => "PUBLIC".into(),
    };
    let (verb, preposition, option) = if first.granted == so {
        ("GRANT", "TO", grantable(first.grantable))
    } else {
        ("REVOKE", "FROM", "")
    };
    let sql = format!(
        "ALTER DEFAULT PRIVILEGES FOR ROLE {}{} {verb} {} ON {} {preposition} {grantee}{option};",
        escape_identifier(&first.creator),
        schema.unwrap_or_default(),
        privileges.join(", "),
        first.objects,
    );
    Some(run(sql, reason, RIGHT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(step: Option<Step>) -> String {
        match step {
            Some(Step::Run(run)) => run.sql,
            _ => panic!("a statement"),
        }
    }

    #[test]
    fn what_was_granted_is_revoked_and_what_was_revoked_is_granted() {
        let one = DefaultPrivilege {
            database: "shop".into(),
            creator: "a\"b".into(),
            schema: Some("s".into()),
            objects: "TABLES".into(),
            granted: true,
            privilege: "SELECT".into(),
            grantee: Some("r".into()),
            grantable: true,
        };
        let other = DefaultPrivilege {
            schema: None,
            objects: "FUNCTIONS".into(),
            granted: false,
            privilege: "EXECUTE".into(),
            grantee: None,
            grantable: false,
            ..one.clone()
        };
        let start = "ALTER DEFAULT PRIVILEGES FOR ROLE \"a\"\"b\"";
        for (entry, so, rest) in [
            (
                &one,
                true,
                "IN SCHEMA \"s\" GRANT SELECT ON TABLES TO \"r\" WITH GRANT OPTION;",
            ),
            (
                &one,
                false,
                "IN SCHEMA \"s\" REVOKE SELECT ON TABLES FROM \"r\";",
            ),
            (&other, true, "REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"),
            (&other, false, "GRANT EXECUTE ON FUNCTIONS TO PUBLIC;"),
        ] {
            let made = sql(statement(&[entry], so, String::new()));
            assert_eq!(made, format!("{start} {rest}"));
        }
    }
}
