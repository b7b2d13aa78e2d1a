//! What the original has been granted, for a third role that both logins act as from now on: a session
//! has the rights of the role that it acts as, and no others.

use postgres_protocol::escape::escape_identifier;

use crate::adoption::database_look::{Database, Grant};
use crate::adoption::look::Look;
use crate::adoption::plan::{Step, run};
use crate::adoption::report::Membership;

const MEMBERSHIPS: &str = "ADMIN OPTION on the role that is granted";
const OBJECTS: &str = "to grant what others own: their ownership, or WITH GRANT OPTION";
const POLICIES: &str = "ownership of the table";

/// Memberships of the original in other roles.
pub(crate) fn memberships(look: &Look) -> Vec<Step> {
    let (original, owner) = (&look.standing.original, &look.standing.owner);
    let has = |role: &str| {
        let mut of_owner = look.memberships.iter().filter(|it| it.member == *owner);
        of_owner.any(|it| it.role == role)
    };
    let mut wanted: Vec<&Membership> = look.memberships.iter().collect();
    wanted.retain(|it| it.member == *original && !look.roles().contains(&it.role.as_str()));
    wanted.retain(|it| !has(&it.role));
    wanted.dedup_by_key(|it| &it.role);
    let statement = |membership: &Membership| {
        let sql = format!(
            "GRANT {} TO {}{};",
            escape_identifier(&membership.role),
            escape_identifier(owner),
            options(membership)
        );
        run(sql, format!("{original} is a member of it"), MEMBERSHIPS)
    };
    wanted.into_iter().map(statement).collect()
}

fn options(membership: &Membership) -> String {
    let word = |yes: bool| if yes { "TRUE" } else { "FALSE" };
    match (membership.inherit, membership.set) {
        (Some(inherit), Some(set)) => format!(
            " WITH ADMIN {}, INHERIT {}, SET {}",
            word(membership.admin),
            word(inherit),
            word(set)
        ),
        _ if membership.admin => " WITH ADMIN OPTION".into(),
        _ => String::new(),
    }
}

/// Privileges of the original on what others own. To connect is the login's own right.
pub(crate) fn objects(look: &Look, database: &Database, shared: bool) -> Vec<Step> {
    let (original, owner) = (&look.standing.original, &look.standing.owner);
    let roles = look.roles();
    let is_ours = |grant: &Grant| {
        let owner = grant.owner.as_deref();
        owner.is_some_and(|owner| roles.contains(&owner))
    };
    let has = |wanted: &Grant| {
        database.grants.iter().any(|grant| {
            grant.role == *owner
                && (&grant.kind, &grant.object, &grant.privilege)
                    == (&wanted.kind, &wanted.object, &wanted.privilege)
                && grant.is_grantable >= wanted.is_grantable
        })
    };
    let wanted: Vec<&Grant> = database
        .grants
        .iter()
        .filter(|grant| grant.role == *original && (shared || !grant.is_shared))
        .filter(|grant| grant.privilege != "CONNECT" && !is_ours(grant) && !has(grant))
        .collect();
    let same = |one: &&Grant, next: &&Grant| {
        (&one.kind, &one.object, one.is_grantable) == (&next.kind, &next.object, next.is_grantable)
    };
    wanted
        .chunk_by(same)
        .map(|grants| {
            let privileges: Vec<&str> = grants.iter().map(|it| it.privilege.as_str()).collect();
            let sql = format!(
                "GRANT {} ON {} {} TO {}{};",
                privileges.join(", "),
                grants[0].kind,
                grants[0].object,
                escape_identifier(owner),
                grantable(grants[0].is_grantable)
            );
            run(sql, format!("{original} has been granted it"), OBJECTS)
        })
        .collect()
}

pub(crate) fn grantable(is_grantable: bool) -> &'static str {
    if is_grantable {
        " WITH GRANT OPTION"
    } else {
        ""
    }
}

/// Row security that lets the original by.
pub(crate) fn policies(look: &Look, database: &Database) -> Vec<Step> {
    let (original, owner) = (&look.standing.original, &look.standing.owner);
    let wanted = database
        .policies
        .iter()
        .filter(|policy| policy.roles.contains(original) && !policy.roles.contains(owner));
    wanted
        .map(|policy| {
            let roles = policy.roles.iter().chain([owner]);
            let roles: Vec<String> = roles.map(|role| escape_identifier(role)).collect();
            let sql = format!(
                "ALTER POLICY {} ON {} TO {};",
                escape_identifier(&policy.name),
                policy.table,
                roles.join(", ")
            );
            run(sql, format!("it is for {original}"), POLICIES)
        })
        .collect()
}
