//! How an adoption's report looks. Names are the server's: none may forge a line.

use twinkey_catalog::adoption::{
    AdoptionReport, Connected, DefaultPrivilege, Layout, Membership, MendedBy, Obstacle, Owned,
    RoleReport, SettingReport, Statement, TwinState,
};
use twinkey_core::{SecretId, escape_control};

use crate::present::{line, table};

pub(crate) fn show(secret: &SecretId, report: &AdoptionReport) {
    line(&console::style(secret).bold().to_string());
    head(report);
    roles(report);
    part("memberships", report.memberships.iter().map(membership));
    part("owned", report.owned.iter().map(owned));
    let granted = report.grants.iter().map(|it| {
        let place = place(it.database.as_deref());
        format!("{}: {} × {}, {place}", it.role, it.count, it.kind)
    });
    part("granted by others", granted);
    part(
        "default privileges",
        report.default_privileges.iter().map(default_privilege),
    );
    part("connected now", report.connected.iter().map(connected));
    let unseen = report.unseen.iter();
    part(
        "not looked into",
        unseen.map(|it| format!("database {}: {}", it.database, it.reason)),
    );
    in_the_way(report);
    part("note", report.notes.iter().cloned());
    plan(secret, report);
}

/// What is left after the statements were run.
pub(crate) fn outcome(secret: &SecretId, report: &AdoptionReport) {
    in_the_way(report);
    if !report.statements.is_empty() {
        return plan(secret, report);
    }
    if report.in_the_way.is_empty() {
        line(&format!("  next: twinkey rotate {secret}"));
    }
}

/// One by one, each below its reason.
pub(crate) fn statements(statements: &[Statement]) {
    for statement in statements {
        say(&format!("    -- {}", statement.reason));
        say(&format!("    {}", statement.sql));
    }
}

fn say(text: &str) {
    line(&escape_control(text));
}

fn part(head: &str, rows: impl Iterator<Item = String>) {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return;
    }
    line(&format!("  {head}:"));
    for row in rows {
        say(&format!("    {row}"));
    }
}

fn head(report: &AdoptionReport) {
    say(&format!(
        "  PostgreSQL {} at {}, database {}, as {} sees it",
        report.server_version, report.server, report.database, report.admin
    ));
    let layout = match report.layout {
        Layout::Original => "the original owns what both logins create",
        Layout::ThirdRole => "a third role owns what both logins create",
    };
    line(&format!("  layout: {layout}"));
}

fn roles(report: &AdoptionReport) {
    let rows: Vec<Vec<String>> = report
        .roles
        .iter()
        .zip(["original", "twin", "owner"])
        .map(|(role, part)| {
            let name = escape_control(&role.name);
            let what = escape_control(&description(role, part, report.twin_is));
            vec![format!("  {part}"), name, what]
        })
        .collect();
    table(&rows);
    let settings = report.roles.iter().flat_map(|role| {
        let of = move |it: &SettingReport| format!("{}: {}", role.name, setting(it));
        role.settings.iter().map(of)
    });
    part("settings", settings);
}

fn description(role: &RoleReport, part: &str, twin_is: TwinState) -> String {
    if !role.exists {
        return "does not exist".into();
    }
    let attributes = role.attributes.join(" ");
    match (part, twin_is) {
        ("twin", TwinState::Ours) => format!("{attributes}, made or adopted by twinkey"),
        ("twin", TwinState::OfAnotherTool) => format!("{attributes}, made by another tool"),
        ("twin", TwinState::Foreign) => format!("{attributes}, nothing shows that it is a twin"),
        _ => attributes,
    }
}

fn setting(setting: &SettingReport) -> String {
    let place = match &setting.database {
        Some(database) => format!(" in database {database}"),
        None => String::new(),
    };
    let value = setting.value.as_deref().unwrap_or("(not shown)");
    format!("{} = {value}{place}", setting.name)
}

fn membership(membership: &Membership) -> String {
    let options = [
        (Some(membership.admin), "ADMIN"),
        (membership.inherit, "INHERIT"),
        (membership.set, "SET"),
    ];
    let options: Vec<&str> = options
        .into_iter()
        .filter_map(|(has, name)| has.unwrap_or(false).then_some(name))
        .collect();
    let by = membership.grantor.as_deref().unwrap_or("nobody any longer");
    let with = if options.is_empty() {
        String::new()
    } else {
        format!(" with {}", options.join(", "))
    };
    format!(
        "{} is a member of {}{with}, granted by {by}",
        membership.member, membership.role
    )
}

fn place(database: Option<&str>) -> String {
    match database {
        Some(database) => format!("database {database}"),
        None => "shared by all databases".into(),
    }
}

fn owned(owned: &Owned) -> String {
    let place = place(owned.database.as_deref());
    let shown = i64::try_from(owned.names.len()).unwrap_or(i64::MAX);
    let names = match (&owned.names[..], owned.count - shown) {
        ([], _) => String::new(),
        (names, 0) => format!(": {}", names.join(", ")),
        (names, more) => format!(": {}, and {more} more", names.join(", ")),
    };
    format!(
        "{}: {} × {}, {place}{names}",
        owned.role, owned.count, owned.kind
    )
}

fn default_privilege(default: &DefaultPrivilege) -> String {
    let schema = match &default.schema {
        Some(schema) => format!(" in schema {schema}"),
        None => String::new(),
    };
    let (verb, preposition) = if default.granted {
        ("granted", "to")
    } else {
        ("revoked", "from")
    };
    format!(
        "{} on {} that {} creates{schema} is {verb} {preposition} {}, database {}",
        default.privilege,
        default.objects,
        default.creator,
        default.grantee.as_deref().unwrap_or("PUBLIC"),
        default.database
    )
}

fn connected(connected: &Connected) -> String {
    let address = match (&connected.address, connected.hidden) {
        (Some(address), _) => format!("from {address}"),
        (None, true) => "from an address that the server hides (pg_read_all_stats shows it)".into(),
        (None, false) => "from the server's own machine".into(),
    };
    let application = if connected.application.is_empty() {
        "no name"
    } else {
        &connected.application
    };
    let database = connected.database.as_deref().unwrap_or("-");
    format!(
        "{}: {} of {application} {address}, database {database}",
        connected.role, connected.sessions
    )
}

fn in_the_way(report: &AdoptionReport) {
    if report.in_the_way.is_empty() {
        line("  in the way of a rotation: nothing");
    }
    part(
        "in the way of a rotation",
        report.in_the_way.iter().map(obstacle),
    );
}

fn obstacle(obstacle: &Obstacle) -> String {
    let hint = obstacle.hint.as_deref().unwrap_or("nothing by SQL");
    let mend = match obstacle.mended_by {
        MendedBy::Statements => "the statements below mend it".into(),
        MendedBy::Script => format!("the script mends it, not the admin: {hint}"),
        MendedBy::Hand => format!("for a person to decide: {hint}"),
    };
    format!("{} [{}]; {mend}", obstacle.message, obstacle.error_type)
}

fn plan(secret: &SecretId, report: &AdoptionReport) {
    if report.statements.is_empty() {
        line("  to run before the first rotation: nothing");
    } else {
        line(&format!(
            "  to run, by twinkey adopt {secret} --apply, or as a script by --sql:"
        ));
    }
    for part in report
        .statements
        .chunk_by(|one, next| one.database == next.database)
    {
        say(&format!(
            "    -- one transaction in database {}",
            part[0].database
        ));
        statements(part);
    }
    let next = match report.twin_is {
        TwinState::Missing | TwinState::OfAnotherTool => "the first rotation then runs itself",
        TwinState::Ours | TwinState::Foreign => "the next rotation then runs itself",
    };
    part(next, report.first_rotation.iter().cloned());
}
