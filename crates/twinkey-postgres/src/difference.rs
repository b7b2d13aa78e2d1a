//! What the two roles of a pair could do differently, and the SQL that makes them equal again.

use std::fmt;

use postgres_protocol::escape::{escape_identifier, escape_literal};

use crate::snapshot::{Membership, Role, Setting};
use crate::statement;

/// One thing in which the twin is not as its original is. Logged in, both act as their owner; what
/// is compared here is what the server still takes from the login role itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    what: String,
    /// SQL that lets the twin be as the original is.
    pub(crate) mend: String,
}

impl Difference {
    fn new(what: impl Into<String>, mend: String) -> Self {
        Self {
            what: what.into(),
            mend,
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Everything that decides what a session can do and that is not the owner's. `owed` are the
/// attributes that the twin must have because its maker could give them: see
/// [`statement::attributes`]. Without it, only what it must not have is compared.
pub(crate) fn differences(
    original: &Role,
    twin: &Role,
    owner: &str,
    owed: Option<&[&str]>,
    major_version: u32,
) -> Vec<Difference> {
    let pair = Comparison {
        original,
        twin,
        name: escape_identifier(&twin.name),
        major_version,
    };
    let mut found = pair.attributes(owed);
    found.extend(pair.limits());
    found.extend(pair.settings());
    found.extend(pair.acting(owner));
    found.extend(pair.memberships());
    found
}

struct Comparison<'a> {
    original: &'a Role,
    twin: &'a Role,
    name: String,
    major_version: u32,
}

impl Comparison<'_> {
    fn alter(&self, what: &str) -> String {
        format!("ALTER ROLE {} {what};", self.name)
    }

    fn attributes(&self, owed: Option<&[&str]>) -> Vec<Difference> {
        let (original, twin) = (self.original, self.twin);
        let all = [
            ("SUPERUSER", original.is_superuser, twin.is_superuser),
            (
                "CREATEDB",
                original.may_create_databases,
                twin.may_create_databases,
            ),
            (
                "CREATEROLE",
                original.may_create_roles,
                twin.may_create_roles,
            ),
            ("REPLICATION", original.may_replicate, twin.may_replicate),
            (
                "BYPASSRLS",
                original.bypasses_row_security,
                twin.bypasses_row_security,
            ),
        ];
        all.into_iter()
            .filter_map(|(attribute, wanted, there)| match (wanted, there) {
                (true, false) if owed.is_some_and(|owed| owed.contains(&attribute)) => {
                    let what = format!("{} has {attribute}", original.name);
                    Some(Difference::new(what, self.alter(attribute)))
                }
                (false, true) => {
                    let what = format!("{} has {attribute}", twin.name);
                    Some(Difference::new(what, self.alter(&format!("NO{attribute}"))))
                }
                _ => None,
            })
            .collect()
    }

    fn limits(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        let limit = self.original.connection_limit;
        if limit != self.twin.connection_limit {
            let mend = self.alter(&format!("CONNECTION LIMIT {limit}"));
            found.push(Difference::new("CONNECTION LIMIT", mend));
        }
        let until = |role: &Role| role.valid_until.clone().unwrap_or("infinity".into());
        if until(self.original) != until(self.twin) {
            let time = escape_literal(&until(self.original));
            let mend = self.alter(&format!("VALID UNTIL {time}"));
            found.push(Difference::new("VALID UNTIL", mend));
        }
        found
    }

    /// Settings but `role`, which says as whom to act.
    fn settings(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for setting in self.original.settings.iter().filter(|one| !one.is_role()) {
            let there = counterpart(self.twin, setting);
            if there.is_none_or(|there| there.value != setting.value) {
                let mend = statement::copy_by_itself(&self.name, setting);
                found.push(Difference::new(shown(setting), mend));
            }
        }
        for setting in self.twin.settings.iter().filter(|one| !one.is_role()) {
            if counterpart(self.original, setting).is_none() {
                let place = statement::place(&self.name, setting.database.as_deref());
                let parameter = escape_identifier(&setting.name);
                let mend = format!("ALTER ROLE {place} RESET {parameter};");
                found.push(Difference::new(shown(setting), mend));
            }
        }
        found
    }

    /// As whom both act, in every database that one of them has a setting for.
    fn acting(&self, owner: &str) -> Vec<Difference> {
        let roles = [self.original, self.twin];
        let settings = roles.iter().flat_map(|role| &role.settings);
        let mut databases: Vec<&str> = settings
            .filter(|setting| setting.is_role())
            .filter_map(|setting| setting.database.as_deref())
            .collect();
        databases.sort_unstable();
        databases.dedup();
        let acts_as = |role: &Role, database: &str| {
            let set = role.acts_as(database);
            set.unwrap_or(&role.name).to_owned()
        };
        let mut found = Vec::new();
        for database in databases {
            let wanted = acts_as(self.original, database);
            // What the original itself should act as in the pair's own database is another check's.
            if wanted != acts_as(self.twin, database) && wanted != self.twin.name {
                let place = statement::place(&self.name, Some(database));
                let role = escape_literal(&wanted);
                let mend = format!("ALTER ROLE {place} SET role TO {role};");
                found.push(Difference::new(
                    format!("acting as {wanted} in {database}"),
                    mend,
                ));
            }
        }
        for role in roles.iter().filter(|it| it.acts_everywhere_as() != owner) {
            let name = escape_identifier(&role.name);
            let mend = format!("ALTER ROLE {name} SET role TO {};", escape_literal(owner));
            let what = format!("{} does not act as {owner} in every database", role.name);
            found.push(Difference::new(what, mend));
        }
        found
    }

    /// A twin that is a member of the original has what the original has, through it.
    fn memberships(&self) -> Vec<Difference> {
        let through = self
            .twin
            .membership(&self.original.name)
            .is_some_and(|one| one.inherit && one.set);
        let mut found = Vec::new();
        for wanted in self.foreign(self.original) {
            let there = self.twin.membership(&wanted.role);
            let enough = match there {
                Some(there) => there.options() == wanted.options(),
                None => through,
            };
            if !enough {
                let mut mend = there.map(|one| self.revoke(one)).unwrap_or_default();
                mend.push_str(&statement::grant(wanted, &self.name, self.major_version));
                found.push(Difference::new(
                    format!("membership in {}", wanted.role),
                    mend,
                ));
            }
        }
        for there in self.foreign(self.twin) {
            if self.original.membership(&there.role).is_none() {
                let mend = self.revoke(there).trim_end().to_owned();
                found.push(Difference::new(
                    format!("membership in {}", there.role),
                    mend,
                ));
            }
        }
        found
    }

    /// What a role was granted outside the pair.
    fn foreign<'a>(&self, role: &'a Role) -> impl Iterator<Item = &'a Membership> {
        let pair = [self.original.name.clone(), self.twin.name.clone()];
        role.memberships
            .iter()
            .filter(move |one| !pair.contains(&one.role))
    }

    /// Since version 16 everybody's grant is a grant of its own.
    fn revoke(&self, membership: &Membership) -> String {
        let role = escape_identifier(&membership.role);
        if self.major_version < 16 {
            return format!("REVOKE {role} FROM {}; ", self.name);
        }
        let from = |grantor: &String| {
            let grantor = escape_identifier(grantor);
            format!("REVOKE {role} FROM {} GRANTED BY {grantor}; ", self.name)
        };
        membership.grantors.iter().map(from).collect()
    }
}

fn counterpart<'a>(role: &'a Role, setting: &Setting) -> Option<&'a Setting> {
    role.settings.iter().find(|other| {
        other.database == setting.database && other.name.eq_ignore_ascii_case(&setting.name)
    })
}

fn shown(setting: &Setting) -> String {
    match &setting.database {
        Some(database) => format!("the setting {} in {database}", setting.name),
        None => format!("the setting {}", setting.name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::plain_role;

    fn membership(role: &str) -> Membership {
        Membership {
            role: role.into(),
            admin: false,
            inherit: true,
            set: true,
            grantors: vec!["postgres".into()],
            grantable: true,
            is_superuser: false,
        }
    }

    fn pair() -> (Role, Role) {
        let twin = Role {
            memberships: vec![membership("app")],
            settings: vec![setting(None, "role", "app")],
            ..plain_role("blue")
        };
        (plain_role("app"), twin)
    }

    fn setting(database: Option<&str>, name: &str, value: &str) -> Setting {
        Setting {
            database: database.map(str::to_owned),
            name: name.into(),
            value: value.into(),
            context: None,
            granted: true,
        }
    }

    fn found(original: &Role, twin: &Role) -> Vec<(String, String)> {
        let all = differences(original, twin, "app", Some(&["CREATEDB"]), 16);
        all.into_iter().map(|one| (one.what, one.mend)).collect()
    }

    fn one(original: &Role, twin: &Role) -> (String, String) {
        let mut all = found(original, twin);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn equal_roles_have_no_difference() {
        let (original, twin) = pair();
        assert_eq!(found(&original, &twin), []);
        let forever = Role {
            valid_until: Some("infinity".into()),
            ..twin
        };
        assert_eq!(found(&original, &forever), []);
    }

    #[test]
    fn what_the_twin_is_owed_and_what_it_must_not_have() {
        let (original, twin) = pair();
        let creator = Role {
            may_create_databases: true,
            bypasses_row_security: true,
            ..original.clone()
        };
        let (what, mend) = one(&creator, &twin);
        assert_eq!(what, "app has CREATEDB");
        assert_eq!(mend, "ALTER ROLE \"blue\" CREATEDB;");
        let more = Role {
            bypasses_row_security: true,
            ..twin
        };
        let (what, mend) = one(&original, &more);
        assert_eq!(what, "blue has BYPASSRLS");
        assert_eq!(mend, "ALTER ROLE \"blue\" NOBYPASSRLS;");
    }

    #[test]
    fn settings_of_a_database_are_not_those_of_all() {
        let (mut original, twin) = pair();
        original.settings = vec![setting(Some("d"), "Work_Mem", "1MB")];
        let mut other = twin.clone();
        other.settings.push(setting(None, "work_mem", "1MB"));
        let all = found(&original, &other);
        assert_eq!(all.len(), 2);
        assert!(all[0].1.contains("IN DATABASE \"d\" SET \"Work_Mem\" TO"));
        assert_eq!(all[1].1, "ALTER ROLE \"blue\" RESET \"work_mem\";");
    }

    #[test]
    fn a_membership_comes_through_the_original_or_is_as_the_originals_to_the_option() {
        let (mut original, mut twin) = pair();
        original.memberships = vec![membership("reports")];
        assert_eq!(found(&original, &twin), []);
        twin.memberships.clear();
        let (what, mend) = one(&original, &twin);
        assert_eq!(what, "membership in reports");
        let exact = "WITH ADMIN FALSE, INHERIT TRUE, SET TRUE;";
        assert_eq!(mend, format!("GRANT \"reports\" TO \"blue\" {exact}"));
        twin.memberships = vec![Membership {
            admin: true,
            ..membership("reports")
        }];
        let (_, mend) = one(&original, &twin);
        let revoke = "REVOKE \"reports\" FROM \"blue\" GRANTED BY \"postgres\";";
        assert_eq!(
            mend,
            format!("{revoke} GRANT \"reports\" TO \"blue\" {exact}")
        );
        original.memberships.clear();
        assert_eq!(one(&original, &twin).1, revoke);
    }

    #[test]
    fn both_act_as_one_in_every_database() {
        let (mut original, twin) = pair();
        original.settings = vec![setting(Some("d"), "role", "reports")];
        let (what, mend) = one(&original, &twin);
        assert_eq!(what, "acting as reports in d");
        assert!(mend.starts_with("ALTER ROLE \"blue\" IN DATABASE \"d\" SET role TO"));
    }
}
