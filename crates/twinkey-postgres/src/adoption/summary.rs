//! The report, put together from a look.

use std::collections::BTreeMap;

use crate::adoption::apply::commands;
use crate::adoption::look::Look;
use crate::adoption::notes::notes;
use crate::adoption::obstacles::InTheWay;
use crate::adoption::plan::Plan;
use crate::adoption::preview::first_rotation;
use crate::adoption::report::{AdoptionReport, Granted, Layout, Owned, RoleReport, SettingReport};
use crate::document::PostgresSecret;
use crate::error::PostgresError;
use crate::snapshot::{Role, Setting};

pub(crate) fn report(
    secret: &PostgresSecret,
    look: Look,
    plan: &Plan,
    in_the_way: &[InTheWay],
) -> Result<AdoptionReport, PostgresError> {
    let transactions = commands(&look, plan).into_iter().flatten();
    let standing = &look.standing;
    Ok(AdoptionReport {
        server: secret.address().to_string(),
        server_version: look.snapshot.major_version,
        admin: look.admin().into(),
        layout: if standing.has_third_owner() {
            Layout::ThirdRole
        } else {
            Layout::Original
        },
        original: standing.original.clone(),
        twin: standing.twin.clone(),
        twin_is: standing.twin_is,
        owner: standing.owner.clone(),
        roles: look.roles().iter().map(|name| role(&look, name)).collect(),
        owned: owned(&look),
        grants: granted(&look),
        default_privileges: look
            .databases
            .iter()
            .flat_map(|it| it.defaults.clone())
            .collect(),
        in_the_way: in_the_way.iter().map(InTheWay::report).collect(),
        notes: notes(&look),
        statements: transactions.map(|command| command.statement).collect(),
        first_rotation: first_rotation(&look)?,
        database: look.database,
        memberships: look.memberships,
        connected: look.connected,
        unseen: look.unseen,
    })
}

fn role(look: &Look, name: &str) -> RoleReport {
    let role = look.role(name);
    let inherits = look.held(name).is_none_or(|held| held.inherits);
    RoleReport {
        name: name.into(),
        exists: role.is_some(),
        attributes: role
            .map(|role| attributes(role, inherits))
            .unwrap_or_default(),
        comment: role.and_then(|role| role.comment.clone()),
        settings: role
            .map(|role| role.settings.iter().map(setting).collect())
            .unwrap_or_default(),
    }
}

fn attributes(role: &Role, inherits: bool) -> Vec<String> {
    let flags = [
        (true, if role.may_log_in { "LOGIN" } else { "NOLOGIN" }),
        (role.is_superuser, "SUPERUSER"),
        (role.may_create_databases, "CREATEDB"),
        (role.may_create_roles, "CREATEROLE"),
        (role.may_replicate, "REPLICATION"),
        (role.bypasses_row_security, "BYPASSRLS"),
        (!inherits, "NOINHERIT"),
    ];
    let mut all: Vec<String> = flags
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, name)| name.to_owned())
        .collect();
    if role.connection_limit >= 0 {
        all.push(format!("CONNECTION LIMIT {}", role.connection_limit));
    }
    if let Some(time) = &role.valid_until {
        all.push(format!("VALID UNTIL {time}"));
    }
    all
}

fn setting(setting: &Setting) -> SettingReport {
    let known = setting.is_role() || setting.context.is_some();
    SettingReport {
        database: setting.database.clone(),
        name: setting.name.clone(),
        value: known.then(|| setting.value.clone()),
    }
}

/// What no database tells by name is counted from afar.
fn owned(look: &Look) -> Vec<Owned> {
    let mut all = Vec::new();
    for (index, database) in look.databases.iter().enumerate() {
        // What all databases share is told by each.
        let told = database
            .owned
            .iter()
            .filter(|it| index == 0 || !it.is_shared);
        all.extend(told.map(|it| Owned {
            role: it.role.clone(),
            database: (!it.is_shared).then(|| database.name.clone()),
            kind: it.kind.clone(),
            count: it.count,
            names: it.names.clone(),
        }));
    }
    let unseen = |name: &Option<String>| {
        let mut unseen = look.unseen.iter();
        unseen.any(|it| Some(&it.database) == name.as_ref())
    };
    let afar = look
        .holdings
        .iter()
        .filter(|it| it.is_owned && unseen(&it.database));
    all.extend(afar.map(|it| Owned {
        role: it.role.clone(),
        database: it.database.clone(),
        kind: it.catalog.clone(),
        count: it.count,
        names: Vec::new(),
    }));
    all
}

fn granted(look: &Look) -> Vec<Granted> {
    let mut counts: BTreeMap<(&str, Option<&str>, &str), Vec<&str>> = BTreeMap::new();
    for (index, database) in look.databases.iter().enumerate() {
        for grant in database
            .grants
            .iter()
            .filter(|it| index == 0 || !it.is_shared)
        {
            let place = (!grant.is_shared).then_some(database.name.as_str());
            let objects = counts.entry((&grant.role, place, &grant.kind)).or_default();
            if objects.last() != Some(&grant.object.as_str()) {
                objects.push(&grant.object);
            }
        }
    }
    let granted = counts
        .into_iter()
        .map(|((role, database, kind), objects)| Granted {
            role: role.into(),
            database: database.map(Into::into),
            kind: kind.to_lowercase(),
            count: objects.len(),
        });
    granted.collect()
}
